//! `tailor-idp sandbox-status`: what the sandbox of worker processes refuses on this machine.

use clap::Args;

#[cfg(all(target_os = "linux", feature = "v8"))]
use super::output;

/// Show what the sandbox of worker processes refuses on this machine
///
/// Scripts run in worker processes with `tailor-idp run --isolation process`, or `isolation = "process"` in [function] of the
/// settings. The command starts such processes, which try what a worker must not do, and shows what became of it: with the whole
/// sandbox, and with each of its two filters alone, seccomp and Landlock.
#[derive(Args)]
#[command(after_help = "\
Exit codes: 0 a worker can do nothing of it, 1 it can do something, or the sandbox cannot be had on this system.")]
pub(super) struct SandboxStatus {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl SandboxStatus {
    #[cfg(all(target_os = "linux", feature = "v8"))]
    pub(super) fn execute(&self) -> anyhow::Result<()> {
        use tailor_idp::function::{Attempt, AttemptOutcome, ProcessOptions, sandbox_status};

        let status = sandbox_status(&ProcessOptions::default())?;
        let name = |outcome| match outcome {
            AttemptOutcome::Allowed => "possible",
            AttemptOutcome::Refused => "refused",
            AttemptOutcome::Fatal => "ends the process",
        };
        let rows = || {
            let columns = status.in_force.iter().zip(&status.seccomp).zip(&status.landlock);
            columns.map(|(((attempt, all), (_, seccomp)), (_, landlock))| {
                (attempt.description(), [all, seccomp, landlock].map(|outcome| name(*outcome)))
            })
        };
        if self.json {
            let rows: Vec<_> = rows()
                .map(|(attempt, [worker, seccomp, landlock])| {
                    serde_json::json!({ "attempt": attempt, "worker": worker, "seccomp": seccomp, "landlock": landlock })
                })
                .collect();
            output::print_json(&rows.into())?;
        } else {
            let mut table = output::table();
            table.set_header(["ATTEMPT TO", "IN A WORKER", "SECCOMP ALONE", "LANDLOCK ALONE"]);
            for (attempt, outcomes) in rows() {
                table.add_row([attempt].into_iter().chain(outcomes));
            }
            output::print(&table.to_string())?;
        }
        let is_possible = |(attempt, outcome): &(Attempt, AttemptOutcome)| {
            (*outcome == AttemptOutcome::Allowed).then(|| attempt.description())
        };
        let possible: Vec<_> = status.in_force.iter().filter_map(is_possible).collect();
        anyhow::ensure!(
            possible.is_empty(),
            "a worker process can {}: run scripts of strangers on a Linux with seccomp",
            possible.join(", ")
        );
        Ok(())
    }

    #[cfg(not(all(target_os = "linux", feature = "v8")))]
    pub(super) fn execute(&self) -> anyhow::Result<()> {
        anyhow::bail!("there are no worker processes here: they need Linux and V8")
    }
}

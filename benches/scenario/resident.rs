//! Memory of idle warm isolates.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::json;
use tailor_idp::function::{FunctionRuntime, Invocation, Isolation};

use crate::figure::{Bound, Line, Lines, Unit};
use crate::fixture::{self, Stub};
use crate::handlers;

/// Numbers of isolates.
const STEPS: [usize; 3] = [1, 10, 100];

/// Time for allocators to return unused memory to the system.
const SETTLE: Duration = Duration::from_secs(3);

/// Time that each execution waits, so that all of them need an isolate at once.
const OVERLAP: Duration = Duration::from_millis(1_500);

pub(super) async fn run() -> anyhow::Result<Vec<Line>> {
    let mut lines = Lines::new("resident");
    let runtime = fixture::runtime(Stub)
        .isolation(Isolation::reuse())
        .max_workers(STEPS[2].try_into()?)
        .idle_timeout(Duration::from_secs(600))
        .build();
    let before = anonymous_memory()?;
    for isolates in STEPS {
        warm(&runtime, isolates).await?;
        tokio::time::sleep(SETTLE).await;
        let each = anonymous_memory()?.saturating_sub(before) as f64 / isolates as f64;
        let s = if isolates == 1 { "" } else { "s" };
        lines.figure(format!("{isolates} isolate{s}"), "for each", each, Unit::Bytes);
        if isolates == STEPS[2] {
            let what = "an idle warm isolate, over 100 of them, thread included";
            lines.goal(what, each, Unit::Bytes, Bound::AtMost(2.0 * 1024.0 * 1024.0));
        }
    }
    runtime.shutdown(Duration::from_secs(5)).await;
    Ok(lines.into_lines())
}

/// Runs concurrent executions, so that this number of isolates becomes warm.
async fn warm(runtime: &FunctionRuntime, isolates: usize) -> anyhow::Result<()> {
    let script = handlers::script(handlers::WAIT)?;
    let runs: Vec<_> = (0..isolates)
        .map(|_| {
            let (runtime, script) = (runtime.clone(), script.clone());
            let invocation = Invocation::new(json!({ "time": OVERLAP.as_millis() as u64 }));
            tokio::spawn(async move { runtime.run(&script, invocation).await })
        })
        .collect();
    for run in runs {
        let execution = run.await?;
        ensure!(execution.result.is_ok(), "{:?}", execution.result);
    }
    Ok(())
}

/// Anonymous memory of this process, in bytes. File-backed memory is shared by all isolates.
fn anonymous_memory() -> anyhow::Result<u64> {
    let status =
        std::fs::read_to_string("/proc/self/status").context("/proc/self/status is needed, which only Linux has")?;
    let line =
        status.lines().find_map(|line| line.strip_prefix("RssAnon:")).context("/proc/self/status has no RssAnon")?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib * 1024)
}

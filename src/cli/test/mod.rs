//! `tailor-idp test`: golden tests of scripts.

mod case;
mod discovery;
mod expectation;
mod junit;
mod process;
mod report;
mod runner;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use tailor_idp::settings::FunctionLimits;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use self::case::Case;
use self::report::{CaseResult, Report};
use self::runner::{Runner, Verdict};
use super::error::{AlreadyPrinted, Interrupted, UsageError};
use super::{output, positive, signal};

/// Default time limit of a case.
const DEFAULT_TIMEOUT: &str = "60s";

/// Run golden tests of scripts: compare what they print with what they should print
///
/// A case is a folder with a script main.js, main.ts or main.mts and some of these files:
///
///   args.json     the argument of the handler
///   expected.txt  the exit code, stdout and stderr
///   case.json     all optional: script, flags, config, db, invoker, before, after, locked,
///                 not_on_quickjs
///
/// A folder counts as a case if it has an expected.txt, a case.json, or a script and an args.json.
/// Each case runs in its own process, over a fresh store in a temporary folder, with the
/// settings of the nearest tailor-idp.toml above it. docs/testing.md describes the keys of
/// case.json.
#[derive(Args)]
#[command(verbatim_doc_comment)]
#[command(after_help = "\
Matchers in expected.txt, for what differs from run to run:
  [WILDCARD]  anything, over several lines, even nothing
  [WILDLINE]  anything to the end of the line
  [UUID]      a UUID
  [TIME]      a moment, such as 2026-01-31T09:30:00.123Z
  [DIR]       the case's folder
  [TEMP]      the temporary folder of its store

Examples:
  tailor-idp test
  tailor-idp test handlers --filter sign-up
  tailor-idp test handlers/sign-up --update
  tailor-idp test --junit report.xml

Exit codes: 0 all passed, 1 some did not, 2 wrong use: no case, or one that is written wrongly,
130 interrupted.")]
pub(super) struct Test {
    /// Folders with cases, at any depth, or single cases [default: this folder]. Skips hidden folders, node_modules,
    /// target and links to folders
    #[arg(value_name = "PATH", default_value = ".", hide_default_value = true)]
    paths: Vec<PathBuf>,

    /// Write the expected output of cases where it is missing or does not match
    #[arg(long)]
    update: bool,

    /// Only cases with this in their name; can be given several times
    #[arg(long, value_name = "TEXT")]
    filter: Vec<String>,

    /// Only cases whose full name equals a --filter
    #[arg(long, requires = "filter")]
    exact: bool,

    /// Skip cases with this in their name; can be given several times
    #[arg(long, value_name = "TEXT")]
    skip: Vec<String>,

    /// Print the names of the cases without running them
    #[arg(long)]
    list: bool,

    /// Start no further cases after a failure
    #[arg(long)]
    fail_fast: bool,

    /// Number of cases to run at once [default: one per processor core]
    #[arg(long, value_name = "N", value_parser = positive)]
    jobs: Option<NonZeroUsize>,

    /// Time limit of a case, such as 500ms, 5s or 2m
    #[arg(long, value_name = "TIME", default_value = DEFAULT_TIMEOUT, value_parser = FunctionLimits::parse_timeout)]
    timeout: Duration,

    /// Write a JUnit report, for CI servers
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,

    /// Show the N slowest cases
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    slowest: usize,

    /// Succeed even if there is no case to run
    #[arg(long)]
    pass_with_no_tests: bool,
}

impl Test {
    pub(super) async fn execute(self) -> anyhow::Result<()> {
        let start = Instant::now();
        let cases = self.cases()?;
        if self.list {
            return cases.iter().try_for_each(|case| output::print(&case.name));
        }
        let (results, is_interrupted) = self.run(&cases).await?;
        if let Some(path) = &self.junit {
            junit::write(path, &results, start.elapsed())?;
        }
        if is_interrupted {
            output::note("error", "interrupted");
            return Err(Interrupted.into());
        }
        let passed = |result: &CaseResult<'_>| !matches!(result.verdict, Verdict::Failed(_) | Verdict::NotRun);
        if results.iter().all(passed) { Ok(()) } else { Err(AlreadyPrinted.into()) }
    }

    /// The selected cases.
    fn cases(&self) -> Result<Vec<Arc<Case>>, UsageError> {
        let mut found = discovery::find(&self.paths).map_err(UsageError)?;
        let found_any = !found.is_empty();
        found.retain(|found| self.selects(&found.name));
        if found.is_empty() && !self.pass_with_no_tests {
            let places = self.paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
            return Err(UsageError(if found_any {
                format!("no case in {places} has a name that is asked for: --list without --filter shows all")
            } else {
                format!("there is no case in {places}: see tailor-idp help test")
            }));
        }
        let (mut cases, mut faults) = (Vec::new(), Vec::new());
        for found in found {
            match Case::load(found.name, found.folder) {
                Ok(case) => cases.push(Arc::new(case)),
                Err(fault) => faults.push(fault),
            }
        }
        if faults.is_empty() { Ok(cases) } else { Err(UsageError(faults.join("\nerror: "))) }
    }

    fn selects(&self, name: &str) -> bool {
        let matches = |filter: &String| if self.exact { name == filter } else { name.contains(filter) };
        (self.filter.is_empty() || self.filter.iter().any(matches)) && !self.skip.iter().any(|skip| name.contains(skip))
    }

    /// Runs the cases, several at once, and reports each. Returns the results sorted by name, and whether the run was
    /// interrupted.
    async fn run<'a>(&self, cases: &'a [Arc<Case>]) -> anyhow::Result<(Vec<CaseResult<'a>>, bool)> {
        let start = Instant::now();
        let program = std::env::current_exe().context("cannot tell which program this is")?;
        let runner = Runner { program, update: self.update, timeout: self.timeout, stop: signal::stopped()? };
        let jobs = self.jobs.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
        let (slots, failed) = (Arc::new(Semaphore::new(jobs)), Arc::new(AtomicBool::new(false)));
        let mut running = JoinSet::new();
        for (index, case) in cases.iter().enumerate() {
            let (case, runner, slots, failed) = (case.clone(), runner.clone(), slots.clone(), failed.clone());
            let fail_fast = self.fail_fast;
            running.spawn(async move {
                let slot = slots.acquire_owned().await;
                let start = Instant::now();
                let cancelled = *runner.stop.borrow() || (fail_fast && failed.load(Ordering::Relaxed));
                let verdict = match case.skip_reason() {
                    _ if cancelled => Verdict::NotRun,
                    Some(reason) => Verdict::Skipped(reason.to_owned()),
                    None => runner.check(&case).await,
                };
                if matches!(verdict, Verdict::Failed(_)) {
                    failed.store(true, Ordering::Relaxed);
                }
                drop(slot);
                (index, verdict, start.elapsed())
            });
        }
        let report = Report::new(cases.len());
        let mut results = Vec::new();
        while let Some(finished) = running.join_next().await {
            let (index, verdict, time) = finished?;
            let result = CaseResult { case: &cases[index], verdict, time };
            report.case(&result);
            results.push(result);
        }
        results.sort_by(|one, other| one.case.name.cmp(&other.case.name));
        report.finish(&results, self.slowest, start.elapsed());
        let is_interrupted = *runner.stop.borrow();
        Ok((results, is_interrupted))
    }
}

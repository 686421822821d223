//! Latency and throughput of executions through the function runtime.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tailor_idp::function::{FunctionRuntime, FunctionRuntimeBuilder, Invocation, Isolation, Script};
use tailor_idp::idp::Router;
use tailor_idp::idp::store::SqliteDatabase;

use crate::figure::{Bound, Line, Lines, Unit};
use crate::measure::Latencies;
use crate::plan::Plan;
use crate::{fixture, handlers};

const RUNS: usize = 5_000;
const WARM_UP: usize = 200;
const CALLERS: [usize; 3] = [1, 2, 8];

/// Pause between executions that each use a prepared isolate. Making one takes less.
pub(super) const PAUSE: Duration = Duration::from_millis(6);

/// Handlers that load web APIs on first use, with their names.
const FIRST_USES: [(&str, &str); 2] = [("new URL", handlers::PARSE_URL), ("new Request", handlers::MAKE_REQUEST)];

/// A handler and its argument.
pub(super) struct Handler {
    pub(super) name: &'static str,
    pub(super) script: Script,
    pub(super) argument: Value,
}

/// An identity provider over a database on disk, and the handlers to run.
async fn prepare(plan: &Plan, file: &str) -> anyhow::Result<(Router, [Handler; 2])> {
    let path = plan.scratch.join(file);
    fixture::remove_database(&path)?;
    let idp = fixture::idp(fixture::store(&SqliteDatabase::open(path)?).await?)?;
    let id = fixture::add_users(&idp, fixture::USERS).await?;
    let handler = |name, text, argument| anyhow::Ok(Handler { name, script: handlers::script(text)?, argument });
    let handlers = [
        handler("trivial", handlers::TRIVIAL, json!({}))?,
        handler("reads a user, lists ten", handlers::READER, json!({ "id": id }))?,
    ];
    Ok((idp, handlers))
}

pub(super) fn runs(plan: &Plan) -> usize {
    if plan.quick { RUNS / 20 } else { RUNS }
}

fn warm_up(runs: usize) -> usize {
    WARM_UP.min(runs / 5)
}

pub(super) async fn fresh(plan: &Plan) -> anyhow::Result<Vec<Line>> {
    let (idp, handlers) = prepare(plan, "invoke_fresh.db").await?;
    let mut lines = Lines::new("invoke_fresh");
    for handler in &handlers {
        let runtime = fixture::runtime(idp.clone()).prepared(2).build();
        let prepared = run_sequentially(&runtime, handler, runs(plan), PAUSE).await?;
        prepared.warn_of_waits(handler);
        prepared.whole.report(&format!("{}, isolate prepared", handler.name), &mut lines);
        if handler.name == "trivial" {
            let p50 = prepared.whole.median();
            lines.goal(
                "`invoke_fresh` with isolates prepared ahead: p50",
                p50,
                Unit::Nanoseconds,
                Bound::AtMost(350_000.0),
            );
        }
        runtime.shutdown(Duration::from_secs(1)).await;

        let runtime = fixture::runtime(idp.clone()).prepared(0).build();
        let unprepared = run_sequentially(&runtime, handler, runs(plan) / 2, Duration::ZERO).await?;
        unprepared.whole.report(&format!("{}, nothing prepared", handler.name), &mut lines);
        if handler.name == "trivial" {
            unprepared.isolate.report("making an isolate from the snapshot", &mut lines);
            let p50 = unprepared.isolate.median();
            lines.goal("making an isolate from the snapshot: p50", p50, Unit::Nanoseconds, Bound::AtMost(1_500_000.0));
        }
        runtime.shutdown(Duration::from_secs(1)).await;
        let callers: &[usize] = if plan.quick { &CALLERS[1..2] } else { &CALLERS };
        for callers in callers {
            run_concurrently(fixture::runtime(idp.clone()), handler, *callers, runs(plan), &mut lines).await?;
        }
    }
    let first_uses: &[_] = if plan.quick { &[] } else { &FIRST_USES };
    for (name, text) in first_uses.iter().copied() {
        let handler = Handler { name, script: handlers::script(text)?, argument: json!({}) };
        let runtime = fixture::runtime(idp.clone()).prepared(2).build();
        let prepared = run_sequentially(&runtime, &handler, runs(plan) / 5, PAUSE).await?;
        prepared.whole.report(&format!("{name}, isolate prepared"), &mut lines);
        runtime.shutdown(Duration::from_secs(1)).await;
    }
    Ok(lines.into_lines())
}

pub(super) async fn reuse(plan: &Plan) -> anyhow::Result<Vec<Line>> {
    let (idp, handlers) = prepare(plan, "invoke_reuse.db").await?;
    let mut lines = Lines::new("invoke_reuse");
    let reuse = || {
        fixture::runtime(idp.clone())
            .isolation(Isolation::Reuse { max_runs: u32::MAX, max_age: Duration::from_secs(600) })
    };
    for handler in &handlers {
        for callers in CALLERS {
            let (latencies, _) = run_concurrently(reuse(), handler, callers, runs(plan), &mut lines).await?;
            if (handler.name, callers) == ("trivial", 1) {
                let p50 = latencies.median();
                lines.goal(
                    "`invoke_reuse`, trivial handler, through the pool: p50",
                    p50,
                    Unit::Nanoseconds,
                    Bound::AtMost(40_000.0),
                );
            }
        }
    }
    Ok(lines.into_lines())
}

/// Measured times of executions.
pub(super) struct Timings {
    /// Time from the call to the result.
    pub(super) whole: Latencies,
    /// Time to make the isolate, a part of `whole`.
    isolate: Latencies,
    /// Number of runs that found no prepared isolate although the pause allows for one.
    waited: usize,
}

impl Timings {
    /// Prints how many runs are not counted.
    fn warn_of_waits(&self, handler: &Handler) {
        if self.waited > 0 {
            eprintln!("note: {}: {} runs found no prepared isolate and are not counted", handler.name, self.waited);
        }
    }
}

/// Runs the handler again and again, with a pause before each run.
pub(super) async fn run_sequentially(
    runtime: &FunctionRuntime,
    handler: &Handler,
    runs: usize,
    pause: Duration,
) -> anyhow::Result<Timings> {
    let mut timings = Timings { whole: Latencies::new()?, isolate: Latencies::new()?, waited: 0 };
    for run in 0..warm_up(runs) + runs {
        tokio::time::sleep(pause).await;
        let began = Instant::now();
        let execution = runtime.run(&handler.script, Invocation::new(handler.argument.clone())).await;
        let whole = began.elapsed();
        execution.result?;
        if !pause.is_zero() && !execution.usage.isolate.is_zero() {
            timings.waited += 1;
        } else if run >= warm_up(runs) {
            timings.whole.record(whole);
            timings.isolate.record(execution.usage.isolate);
        }
    }
    Ok(timings)
}

/// Runs the handler from concurrent callers, which each wait for one run before the next. Returns latencies, and executions a second.
pub(super) async fn run_concurrently(
    builder: FunctionRuntimeBuilder,
    handler: &Handler,
    callers: usize,
    runs: usize,
    lines: &mut Lines,
) -> anyhow::Result<(Latencies, f64)> {
    let runtime = builder.build();
    run_callers(&runtime, handler, callers, warm_up(runs)).await?;
    let began = Instant::now();
    let latencies = run_callers(&runtime, handler, callers, runs).await?;
    let rate = runs as f64 / began.elapsed().as_secs_f64();
    runtime.shutdown(Duration::from_secs(1)).await;
    let s = if callers == 1 { "" } else { "s" };
    let what = format!("{}, {callers} caller{s}", handler.name);
    latencies.report(&what, lines);
    lines.figure(what, "executions", rate, Unit::PerSecond);
    Ok((latencies, rate))
}

/// Shares the runs among the callers.
pub(super) async fn run_callers(
    runtime: &FunctionRuntime,
    handler: &Handler,
    callers: usize,
    runs: usize,
) -> anyhow::Result<Latencies> {
    let left = Arc::new(AtomicUsize::new(runs));
    let tasks: Vec<_> = (0..callers)
        .map(|_| {
            let (runtime, left) = (runtime.clone(), Arc::clone(&left));
            let (script, argument) = (handler.script.clone(), handler.argument.clone());
            tokio::spawn(async move {
                let mut latencies = Latencies::new()?;
                while left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok() {
                    let began = Instant::now();
                    let execution = runtime.run(&script, Invocation::new(argument.clone())).await;
                    latencies.record(began.elapsed());
                    execution.result?;
                }
                anyhow::Ok(latencies)
            })
        })
        .collect();
    let mut all = Latencies::new()?;
    for task in tasks {
        all.add(&task.await??)?;
    }
    Ok(all)
}

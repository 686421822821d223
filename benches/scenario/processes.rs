//! Executions in worker processes, beside the same in threads.

use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::json;
use tailor_idp::function::{FunctionRuntimeBuilder, Invocation, Isolation, ProcessOptions, Share, Workers};
use tailor_idp::idp::store::SqliteDatabase;

use super::invoke::{Handler, PAUSE, run_concurrently, run_sequentially, runs};
use crate::figure::{Bound, Line, Lines, Unit};
use crate::plan::Plan;
use crate::{fixture, handlers, peers};

/// Calls of a client method in one execution.
const CALLS: usize = 50_000;
/// Rounds of these calls.
const ROUNDS: usize = 5;
/// Idle processes whose memory is measured.
const IDLE: usize = 100;
/// Programs that a peer starts.
const PEER_RUNS: usize = 100;
/// Callers of executions that each have a process.
const PROCESS_CALLERS: usize = 2;

pub(super) async fn run(plan: &Plan) -> anyhow::Result<Vec<Line>> {
    let mut lines = Lines::new("processes");
    let options = || ProcessOptions::default().max_runs(u32::MAX).max_memory(usize::MAX).program(&plan.program);
    let processes = Workers::Processes(options());
    let path = plan.scratch.join("processes.db");
    fixture::remove_database(&path)?;
    let idp = fixture::idp(fixture::store(&SqliteDatabase::open(path)?).await?)?;
    let id = fixture::add_users(&idp, fixture::USERS).await?;
    let reuse = |builder: FunctionRuntimeBuilder| {
        builder.isolation(Isolation::Reuse { max_runs: u32::MAX, max_age: Duration::from_secs(600) })
    };
    let trivial =
        |name| anyhow::Ok(Handler { name, script: handlers::script(handlers::TRIVIAL)?, argument: json!({}) });

    // Fresh isolates.
    for (name, workers) in
        [("fresh isolate in a thread", Workers::Threads), ("fresh isolate in a process", processes.clone())]
    {
        let is_process = workers != Workers::Threads;
        let runtime = fixture::runtime(idp.clone()).workers(workers).prepared(2).build();
        // The process makes its next isolate while it is idle: the record says nothing of it.
        let handler = trivial(name)?;
        let timings = run_sequentially(&runtime, &handler, runs(plan) / 5, PAUSE).await?;
        timings.whole.report(&format!("{name}, prepared"), &mut lines);
        if is_process {
            let p50 = timings.whole.median();
            let what = "fresh isolate in a prepared process, trivial handler: p50";
            lines.goal(what, p50, Unit::Nanoseconds, Bound::AtMost(800_000.0));
        }
        runtime.shutdown(Duration::from_secs(5)).await;
    }

    // Reused isolates.
    for (name, workers) in
        [("reused isolate in a thread", Workers::Threads), ("reused isolate in a process", processes.clone())]
    {
        let is_process = workers != Workers::Threads;
        for callers in [1, 8] {
            let builder = reuse(fixture::runtime(idp.clone()).workers(workers.clone()));
            let (latencies, rate) =
                run_concurrently(builder, &trivial(name)?, callers, 4 * runs(plan), &mut lines).await?;
            if is_process && callers == 1 {
                let p50 = latencies.median();
                lines.goal("reused isolate in a process: p50", p50, Unit::Nanoseconds, Bound::AtMost(90_000.0));
            } else if is_process {
                let what = "executions a second, reused isolates in processes, 8 callers";
                lines.goal(what, rate, Unit::PerSecond, Bound::AtLeast(40_000.0));
            }
        }
    }

    // Calls.
    for (name, workers) in
        [("client.user, SQLite, from a thread", Workers::Threads), ("client.user, SQLite, from a process", processes)]
    {
        let is_process = workers != Workers::Threads;
        let runtime = reuse(fixture::runtime(idp.clone()).workers(workers)).build();
        let script = handlers::script(handlers::READ_OFTEN)?;
        let times = if plan.quick { CALLS / 10 } else { CALLS };
        let mut rounds = Vec::new();
        for _ in 0..=ROUNDS {
            let execution = runtime.run(&script, Invocation::new(json!({ "id": id, "times": times }))).await;
            execution.result?;
            rounds.push(execution.usage.wall_time.as_nanos() as f64 / times as f64);
        }
        // The first round warms up.
        rounds.remove(0);
        rounds.sort_by(f64::total_cmp);
        let median = rounds[ROUNDS / 2];
        lines.figure(name, "a call", median, Unit::Nanoseconds);
        if is_process {
            lines.goal(
                "warm `client.user` over SQLite from a worker process",
                median,
                Unit::Nanoseconds,
                Bound::AtMost(25_000.0),
            );
        }
        runtime.shutdown(Duration::from_secs(5)).await;
    }

    // A process for each execution.
    let builder = fixture::runtime(idp.clone()).workers(Workers::Processes(options().share(Share::Execution)));
    let name = "a process for each execution";
    let (_, rate) = run_concurrently(builder, &trivial(name)?, PROCESS_CALLERS, runs(plan) / 2, &mut lines).await?;
    if let Some(deno) = peers::deno().filter(|_| !plan.quick) {
        let file = plan.scratch.join("processes.js");
        std::fs::write(&file, format!("{}\n;0;", handlers::TRIVIAL))?;
        let left = AtomicUsize::new(PEER_RUNS);
        let began = Instant::now();
        std::thread::scope(|scope| {
            let run = || -> anyhow::Result<()> {
                while left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok() {
                    let ended = deno.run_command(&file).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
                    ensure!(ended.success(), "deno failed: {ended}");
                }
                Ok(())
            };
            let callers: Vec<_> = (0..PROCESS_CALLERS).map(|_| scope.spawn(run)).collect();
            callers
                .into_iter()
                .try_for_each(|caller| caller.join().map_err(|_| anyhow::anyhow!("a caller panicked"))?)
        })?;
        let theirs = PEER_RUNS as f64 / began.elapsed().as_secs_f64();
        lines.peer("deno run, 2 callers", "executions", theirs, Unit::PerSecond);
        let what = "executions a second, a process each, over `deno run`, 2 callers";
        lines.goal(what, rate / theirs, Unit::Times, Bound::AtLeast(15.0));
    }

    let each = idle_memory(fixture::runtime(idp), options()).await?;
    lines.figure(format!("{IDLE} idle processes with an isolate ready"), "private memory of each", each, Unit::Bytes);
    let what = "private memory of an idle worker process with an isolate ready, of 100";
    lines.goal(what, each, Unit::Bytes, Bound::AtMost(6.0 * 1024.0 * 1024.0));
    Ok(lines.into_lines())
}

/// Mean memory of idle processes that no other process shares, in bytes.
async fn idle_memory(builder: FunctionRuntimeBuilder, options: ProcessOptions) -> anyhow::Result<f64> {
    let workers = Workers::Processes(options);
    let runtime = builder.workers(workers).max_workers(IDLE.try_into()?).prepared(IDLE).build();
    let began = Instant::now();
    let processes = loop {
        let processes = worker_processes()?;
        if processes.len() >= IDLE {
            break processes;
        }
        ensure!(began.elapsed() < Duration::from_secs(60), "{} of {IDLE} processes", processes.len());
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut total = 0;
    for process in &processes {
        total += private_memory(process)?;
    }
    runtime.shutdown(Duration::from_secs(5)).await;
    Ok(total as f64 / processes.len() as f64)
}

/// The children of this process's zygote.
fn worker_processes() -> anyhow::Result<Vec<String>> {
    let children = |process: &str| -> anyhow::Result<Vec<String>> {
        let mut children = Vec::new();
        for task in std::fs::read_dir(format!("/proc/{process}/task"))? {
            let text = std::fs::read_to_string(task?.path().join("children"))?;
            children.extend(text.split_whitespace().map(str::to_owned));
        }
        Ok(children)
    };
    let mut workers = Vec::new();
    for zygote in children("self")? {
        workers.extend(children(&zygote)?);
    }
    Ok(workers)
}

fn private_memory(process: &str) -> anyhow::Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup"))
        .context("memory of another process can be read by root only")?;
    let kib = |name: &str| -> u64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok()).unwrap_or(0)
    };
    Ok((kib("Private_Clean:") + kib("Private_Dirty:")) * 1024)
}

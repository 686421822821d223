//! What the host, its zygote and its workers hold over many executions.
//!
//! `make soak` runs 100,000 executions in each mode. `TAILOR_IDP_SOAK_MODE=execution` runs one of the modes alone.

use std::num::NonZero;
use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use tailor_idp::function::{
    FunctionRuntime, FunctionRuntimeBuilder, Invocation, Isolation, ProcessOptions, Share, Workers,
};

use super::{builder, script};
use crate::support::run_alone;
use crate::worker_processes::{anonymous_memory, descriptors, worker_processes, zombies};

/// Maximum growth in bytes between the first fifth of the executions and the end. Less than one isolate for each worker.
const GROWTH: usize = 24 * 1024 * 1024;

/// Concurrent executions, and workers.
const CALLERS: usize = 4;

/// Times at which it is measured, at equal distances.
const POINTS: usize = 5;

fn executions() -> usize {
    std::env::var("TAILOR_IDP_SOAK").ok().and_then(|count| count.parse().ok()).unwrap_or(1_500)
}

/// What is held while no execution runs. Memory in bytes.
#[derive(Debug, Clone, Copy)]
struct Held {
    memory: usize,
    descriptors: usize,
    zygote_memory: usize,
    zygote_descriptors: usize,
    workers: usize,
    /// Of the largest worker.
    worker_memory: usize,
    zombies: usize,
}

impl Held {
    fn now() -> Self {
        let host = std::process::id();
        let (zygotes, workers) = worker_processes(host);
        let sum = |of: fn(u32) -> usize| zygotes.iter().copied().map(of).sum();
        Self {
            memory: anonymous_memory(host),
            descriptors: descriptors(host),
            zygote_memory: sum(anonymous_memory),
            zygote_descriptors: sum(descriptors),
            workers: workers.len(),
            worker_memory: workers.into_iter().map(anonymous_memory).max().unwrap_or(0),
            zombies: zombies(host) + sum(zombies),
        }
    }

    /// When all workers are there that a runtime keeps ready: they are started beside executions.
    async fn at_rest() -> Self {
        let mut last = Self::now();
        for _ in 0..600 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let now = Self::now();
            let counts = |held: Self| (held.descriptors, held.zygote_descriptors, held.workers, held.zombies);
            if counts(now) == counts(last) && now.workers <= CALLERS && now.zombies == 0 {
                return now;
            }
            last = now;
        }
        panic!("not at rest within a minute: {last:?}");
    }
}

async fn soak(mode: &str, builder: FunctionRuntimeBuilder) {
    let runtime = builder.max_workers(NonZero::new(CALLERS).unwrap()).prepared(CALLERS).build();
    let mut points = Vec::new();
    for part in 0..POINTS {
        run_part(&runtime, part).await;
        points.push(Held::at_rest().await);
    }
    assert!(runtime.shutdown(Duration::from_secs(30)).await, "{mode}");
    println!("{mode}: {} executions", executions());
    for (part, held) in points.iter().enumerate() {
        let megabytes = |bytes: usize| bytes / (1024 * 1024);
        println!(
            "  after {}/{POINTS}: {} MB, {} descriptors; zygote {} MB, {} descriptors; {} workers of up to {} MB; {} zombies",
            part + 1,
            megabytes(held.memory),
            held.descriptors,
            megabytes(held.zygote_memory),
            held.zygote_descriptors,
            held.workers,
            megabytes(held.worker_memory),
            held.zombies,
        );
    }
    let (first, last) = (points[0], points[POINTS - 1]);
    let grew = |of: fn(&Held) -> usize, by: usize| of(&last) > of(&first) + by;
    assert!(!grew(|held| held.memory, GROWTH), "{mode}: the host: {first:?} {last:?}");
    assert!(!grew(|held| held.zygote_memory, GROWTH), "{mode}: the zygote: {first:?} {last:?}");
    // Some for each worker; how many of them there are when it is measured can differ.
    let each = 8;
    assert!(!grew(|held| held.descriptors, each * CALLERS), "{mode}: descriptors: {first:?} {last:?}");
    assert!(!grew(|held| held.zygote_descriptors, CALLERS), "{mode}: descriptors of the zygote: {first:?} {last:?}");
    // Workers are replaced above 64 MiB beyond their start.
    assert!(last.worker_memory < 64 * 1024 * 1024 + 2 * GROWTH, "{mode}: a worker: {first:?} {last:?}");
    assert_eq!(last.zombies, 0, "{mode}");
}

async fn run_part(runtime: &FunctionRuntime, part: usize) {
    let handler = script(
        "export default async (n) => {
           const idp = new tailor.idp.Client('builtin-idp');
           await idp.user('ghost').catch(() => {});
           await new Promise((done) => setTimeout(done, 0));
           const bytes = new Uint8Array(100_000).fill(n);
           const list = Array.from({ length: 1000 }, (_, i) => ({ i, text: String(i) }));
           console.log(list.length);
           return [n, bytes.length, structuredClone(list).length, (await idp.users()).totalCount];
         }",
    );
    let rounds = executions() / CALLERS / POINTS;
    for round in rounds * part..rounds * (part + 1) {
        let runs = (0..CALLERS).map(|caller| {
            let n = round * CALLERS + caller;
            let run = runtime.run(&handler, Invocation::new(json!(n)));
            async move { (n, run.await) }
        });
        for (n, execution) in join_all(runs).await {
            assert_eq!(execution.result.unwrap(), json!([n, 100_000, 1000, 0]));
        }
    }
}

// All modes in one test: concurrent tests would measure each other's memory.
#[tokio::test]
#[ignore = "counts what its process holds: `make soak`, and the test below, run it in a process of its own"]
async fn nothing_grows_in_any_mode() {
    let options = || ProcessOptions::default().program(env!("CARGO_BIN_EXE_tailor-idp"));
    let processes = |share| Workers::Processes(options().share(share));
    let modes = [
        ("threads", Workers::Threads, Isolation::Fresh),
        ("threads-reuse", Workers::Threads, Isolation::reuse()),
        ("execution", processes(Share::Execution), Isolation::Fresh),
        ("script", processes(Share::Script), Isolation::Fresh),
        ("script-reuse", processes(Share::Script), Isolation::reuse()),
        ("workspace", processes(Share::Workspace), Isolation::Fresh),
        ("workspace-reuse", processes(Share::Workspace), Isolation::reuse()),
    ];
    let wanted = std::env::var("TAILOR_IDP_SOAK_MODE").ok();
    for (name, workers, isolation) in modes {
        if wanted.as_ref().is_none_or(|wanted| wanted == name) {
            soak(name, builder().await.workers(workers).isolation(isolation)).await;
        }
    }
}

#[test]
fn nothing_grows_over_some_executions() {
    run_alone("function::soak::nothing_grows_in_any_mode", &[("TAILOR_IDP_SOAK", "60")]);
}

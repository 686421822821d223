//! Memory use over many executions.
//!
//! `make soak` runs 100,000 executions in each isolation mode.

use std::num::NonZero;

use futures::future::join_all;
use serde_json::json;
use tailor_idp::function::{Invocation, Isolation};

use super::{builder, script};

/// Maximum growth in bytes between the first fifth of the executions and the end. Less than one isolate for each worker.
const GROWTH: usize = 24 * 1024 * 1024;

/// Concurrent executions, and workers.
const CALLERS: usize = 4;

fn executions() -> usize {
    std::env::var("TAILOR_IDP_SOAK").ok().and_then(|count| count.parse().ok()).unwrap_or(1_500)
}

/// Resident memory of the process, in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

async fn soak(isolation: Isolation) {
    let runtime = builder().await.isolation(isolation).max_workers(NonZero::new(CALLERS).unwrap()).build();
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
    let total = executions();
    let mut after_a_fifth = 0;
    for round in 0..total / CALLERS {
        if round == total / CALLERS / 5 {
            after_a_fifth = resident();
        }
        let runs = (0..CALLERS).map(|caller| {
            let n = round * CALLERS + caller;
            let run = runtime.run(&handler, Invocation::new(json!(n)));
            async move { (n, run.await) }
        });
        for (n, execution) in join_all(runs).await {
            assert_eq!(execution.result.unwrap(), json!([n, 100_000, 1000, 0]));
        }
    }
    let at_the_end = resident();
    let megabytes = |bytes: usize| bytes / (1024 * 1024);
    println!(
        "{isolation:?}: {total} executions, {} MB after a fifth, {} MB at the end",
        megabytes(after_a_fifth),
        megabytes(at_the_end)
    );
    assert!(
        at_the_end < after_a_fifth + GROWTH,
        "{isolation:?}: {} MB after a fifth of {total} executions, {} MB at the end",
        megabytes(after_a_fifth),
        megabytes(at_the_end)
    );
}

// Both modes in one test: concurrent tests would measure each other's memory.
#[cfg(target_os = "linux")]
#[tokio::test]
#[ignore = "other tests use memory as well: `make soak` runs it by itself"]
async fn memory_stays_flat_in_both_modes() {
    soak(Isolation::Fresh).await;
    soak(Isolation::reuse()).await;
}

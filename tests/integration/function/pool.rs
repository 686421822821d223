//! The worker pool: queue, workers, shutdown and reuse of isolates.

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use pretty_assertions::assert_eq;
use serde_json::{Value, json};
use tailor_idp::function::{ErrorKind, Execution, Invocation, Isolation, Limit, Limits, LogLine};
use tailor_idp::idp::{Invoker, InvokerType};

use super::{builder, script};

fn message(execution: &Execution) -> String {
    match &execution.result {
        Ok(value) => value.to_string(),
        Err(error) => error.message.clone(),
    }
}

fn some(count: usize) -> NonZero<usize> {
    NonZero::new(count).unwrap()
}

#[tokio::test]
async fn dropped_future_ends_script() {
    let runtime = builder().await.max_workers(some(1)).build();
    for text in [
        "export default () => { console.log('here'); for (;;) ; }",
        "export default () => { console.log('here'); return new Promise((done) => setTimeout(done, 3_600_000)); }",
        "console.log('here'); for (;;) ;",
    ] {
        let (tell, here) = tokio::sync::oneshot::channel();
        let tell = std::sync::Mutex::new(Some(tell));
        let on_log = move |_: &LogLine| {
            if let Some(tell) = tell.lock().unwrap().take() {
                tell.send(()).unwrap();
            }
        };
        let endless = script(text);
        tokio::select! {
            execution = runtime.run(&endless, Invocation::default().on_log(on_log)) => panic!("{execution:?}"),
            _ = here => {}
        }
        // The only worker is free again.
        let next = runtime.run(&script("export default () => 'next'"), Invocation::default()).await;
        assert_eq!(message(&next), "\"next\"");
    }
    assert!(runtime.shutdown(Duration::from_secs(60)).await);
}

#[tokio::test]
async fn full_queue_rejects_new_executions_and_runs_queued_ones() {
    let runtime = builder().await.max_workers(some(1)).queue(some(2)).build();
    let wait = script("export default (n) => new Promise((done) => setTimeout(() => done(n), 200))");
    let runs = join_all((0..5).map(|n| runtime.run(&wait, Invocation::new(json!(n))))).await;
    let refused: Vec<_> = runs.iter().filter(|run| run.result.is_err()).collect();
    let answers: Vec<_> = runs.iter().filter_map(|run| run.result.as_ref().ok()).collect();
    assert!(answers.len() >= 2 && refused.len() >= 2, "{runs:?}");
    for execution in refused {
        let error = execution.result.as_ref().unwrap_err();
        assert_eq!((error.kind, error.limit), (ErrorKind::Platform, Some(Limit::Queue)));
        assert_eq!(error.message, "Too many executions: 2 wait for their turn, try again later");
    }
}

#[tokio::test]
async fn pool_starts_workers_on_demand() {
    let runtime = builder().await.prepared(0).max_workers(some(8)).build();
    let wait = script("export default () => new Promise((done) => setTimeout(done, 300))");
    let began = Instant::now();
    let runs = join_all((0..8).map(|_| runtime.run(&wait, Invocation::default()))).await;
    assert!(runs.iter().all(|run| run.result.is_ok()), "{runs:?}");
    assert!(began.elapsed() < Duration::from_millis(8 * 300), "they wait at once, not one after the other");
}

#[tokio::test]
async fn shutdown_waits_for_running_and_rejects_new_executions() {
    let runtime = builder().await.build();
    let slow = script("export default () => new Promise((done) => setTimeout(() => done('done'), 200))");
    let run = tokio::spawn({
        let (runtime, slow) = (runtime.clone(), slow.clone());
        async move { runtime.run(&slow, Invocation::default()).await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(runtime.shutdown(Duration::from_secs(60)).await, "it ended by itself");
    assert_eq!(message(&run.await.unwrap()), "\"done\"");
    let late = runtime.run(&slow, Invocation::default()).await;
    assert_eq!(
        (late.error_kind(), message(&late)),
        (Some(ErrorKind::Platform), "the function runtime is shutting down".into())
    );
}

#[tokio::test]
async fn shutdown_ends_executions_after_timeout() {
    let runtime = builder().await.build();
    let endless = script("export default () => { for (;;) ; }");
    let run = tokio::spawn({
        let runtime = runtime.clone();
        async move { runtime.run(&endless, Invocation::default()).await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!runtime.shutdown(Duration::from_millis(100)).await, "it had to be ended");
    assert_eq!(message(&run.await.unwrap()), "the function runtime is shutting down");
}

#[tokio::test]
async fn panic_in_log_callback_does_not_fail_execution() {
    let runtime = builder().await.build();
    let logs = script("export default () => { console.log('a'); return 1 }");
    let execution = runtime.run(&logs, Invocation::default().on_log(|_| panic!("the host's own"))).await;
    assert_eq!((message(&execution), execution.logs.len()), ("1".to_owned(), 1));
}

#[tokio::test]
async fn blocked_worker_is_abandoned_and_replaced() {
    let limits = Limits { time: Duration::from_millis(100), ..Limits::default() };
    let runtime = builder().await.max_workers(some(1)).build();
    let logs = script("export default () => { console.log('a'); return 1 }");
    let (go_on, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    // The host's callback blocks the worker, as a long-running built-in of V8 can.
    let hold = move |_: &LogLine| assert!(wait.lock().unwrap().recv().is_err());
    let execution = runtime.run(&logs, Invocation::default().limits(limits).on_log(hold)).await;
    assert_eq!(execution.result.unwrap_err().limit, Some(Limit::Time));
    assert_eq!(message(&runtime.run(&logs, Invocation::default()).await), "1", "on another thread");
    drop(go_on);
    assert!(runtime.shutdown(Duration::from_secs(60)).await);
}

#[tokio::test]
async fn maximum_durations_mean_no_limit() {
    let limits = Limits { time: Duration::MAX, cpu_time: Some(Duration::MAX), ..Limits::default() };
    let runtime = builder().await.limits(limits).build();
    let execution = runtime.run(&script("export default () => 1"), Invocation::default()).await;
    assert_eq!(message(&execution), "1");
    assert!(runtime.shutdown(Duration::MAX).await);
}

#[tokio::test]
async fn leftover_timer_in_reused_isolate_does_not_raise_memory_limit() {
    let runtime = builder().await.isolation(Isolation::reuse()).max_workers(some(1)).build();
    let bomb =
        "setTimeout(() => { let kept = []; for (let i = 0; i < 60_000; i++) kept.push(new Array(100).fill({})); }, 0)";
    let leaves = script(&format!(
        "export default (what) => {{ if (what === 'leave') {bomb}; else {{ const kept = []; for (;;) kept.push(new Array(1000).fill({{}})); }} }}"
    ));
    assert_eq!(message(&runtime.run(&leaves, Invocation::new(json!("leave"))).await), "null");
    let execution = runtime.run(&leaves, Invocation::new(json!("fill"))).await;
    assert_eq!(execution.result.unwrap_err().limit, Some(Limit::Memory));
    assert!(execution.usage.peak_heap < 100 * 1024 * 1024, "{:?}", execution.usage);
}

const COUNTER: &str = "let runs = 0; export default () => ++runs;";

#[tokio::test]
async fn fresh_isolates_reset_module_state_and_reused_ones_keep_it() {
    let counter = script(COUNTER);
    for (isolation, runs) in [(Isolation::Fresh, [1, 1, 1]), (Isolation::reuse(), [1, 2, 3])] {
        let runtime = builder().await.isolation(isolation).build();
        for expected in runs {
            let execution = runtime.run(&counter, Invocation::default()).await;
            assert_eq!(execution.result.unwrap(), json!(expected), "{isolation:?}");
        }
    }
}

#[tokio::test]
async fn isolate_is_reused_only_for_same_script_and_workspace() {
    let runtime = builder().await.isolation(Isolation::reuse()).max_workers(some(1)).build();
    let whose =
        "let seen = []; export default (who) => { seen.push(who); return [seen, tailor.context.getInvoker()?.id] }";
    let invoker = |workspace: &str, id: &str| Invoker {
        id: id.to_owned(),
        kind: InvokerType::User,
        workspace_id: workspace.to_owned(),
        attributes: vec![],
        attribute_map: serde_json::Map::new(),
    };
    let (one, other) = (script(whose), script(whose));
    let run = async |script, who: &str, invoker: Option<Invoker>| {
        let invocation = Invocation::new(json!(who));
        let invocation = invoker.into_iter().fold(invocation, Invocation::invoker);
        runtime.run(script, invocation).await.result.unwrap()
    };
    assert_eq!(run(&one, "a", Some(invoker("w1", "ana"))).await, json!([["a"], "ana"]));
    assert_eq!(run(&one, "b", Some(invoker("w1", "bo"))).await, json!([["a", "b"], "bo"]));
    assert_eq!(run(&one, "c", Some(invoker("w2", "ana"))).await, json!([["c"], "ana"]), "another workspace");
    assert_eq!(run(&one, "d", None).await, json!([["d"], null]), "nobody");
    assert_eq!(run(&other, "e", None).await, json!([["e"], null]), "another script of the same text");
}

#[tokio::test]
async fn reused_isolate_retires_on_runs_age_limits_timers_and_memory() {
    let counted = |rest: &str| {
        script(&format!("let runs = 0; export default async (argument) => {{ runs++; {rest}; return runs }}"))
    };
    let reuse = |max_runs, max_age| Isolation::Reuse { max_runs, max_age };
    let hour = Duration::from_secs(3600);
    let limits = Limits { time: Duration::from_millis(300), ..Limits::default() };
    for (what, isolation, script, expected) in [
        ("runs", reuse(2, hour), counted(""), json!([1, 2, 1])),
        ("age", reuse(100, Duration::ZERO), counted(""), json!([1, 1, 1])),
        (
            "an error is no reason",
            reuse(100, hour),
            counted("if (runs === 2) throw new Error('two')"),
            json!([1, "two", 3]),
        ),
        ("a limit", reuse(100, hour), counted("if (runs === 2) for (;;) ;"), json!([1, Limit::Time.name(), 1])),
        ("a timer", reuse(100, hour), counted("if (runs === 2) setTimeout(() => {}, 3_600_000)"), json!([1, 2, 1])),
        (
            "memory",
            reuse(100, hour),
            counted("(globalThis.kept ??= []).push(new Array(1_200_000).fill(runs))"),
            json!([1, 2, 1]),
        ),
    ] {
        let runtime = builder().await.isolation(isolation).limits(limits.clone()).max_workers(some(1)).build();
        let mut results = vec![];
        for _ in 0..3 {
            results.push(match runtime.run(&script, Invocation::default()).await.result {
                Ok(value) => value,
                Err(error) => error.limit.map_or_else(|| Value::from(error.message), |limit| Value::from(limit.name())),
            });
        }
        assert_eq!(Value::from(results), expected, "{what}");
    }
}

#[tokio::test]
async fn invalid_script_fails_on_every_run() {
    for isolation in [Isolation::Fresh, Isolation::reuse()] {
        let runtime = builder().await.isolation(isolation).max_workers(some(1)).build();
        let broken = script("export default 1");
        for _ in 0..2 {
            let execution = runtime.run(&broken, Invocation::default()).await;
            assert!(message(&execution).starts_with("the script has no handler"), "{execution:?}");
        }
    }
}

/// Runs one hostile execution for every ten others in the same pool.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_executions_do_not_affect_others() {
    let hostile = [
        "for (;;) ;",
        "const kept = []; for (;;) kept.push(new Array(1000).fill({}))",
        "const kept = []; for (;;) kept.push(new Uint8Array(1_000_000))",
        "await new Promise((done) => setTimeout(done, 3_600_000))",
        "const next = () => queueMicrotask(next); next(); await new Promise(() => {})",
        "for (;;) console.log('x')",
        "return { toJSON() { for (;;) ; } }",
        "/(a+)+$/.test('a'.repeat(40) + 'b')",
        "throw new Error('no')",
        "const idp = new tailor.idp.Client('builtin-idp'); for (;;) idp.users().catch(() => {})",
    ]
    .map(|body| script(&format!("export default async () => {{ {body} }}")));
    let good = script(
        "export default async (name) => {
           const idp = new tailor.idp.Client('builtin-idp');
           const { id } = await idp.createUser({ name });
           return (await idp.user(id)).name;
         }",
    );
    for isolation in [Isolation::Fresh, Isolation::reuse()] {
        let runtime = builder().await.isolation(isolation).max_workers(some(8)).queue(some(100_000)).build();
        let (hostile, good) = (Arc::new(hostile.clone()), good.clone());
        let wrong = Arc::new(AtomicUsize::new(0));
        let tasks = (0..8).map(|task| {
            let (runtime, hostile, good, wrong) =
                (runtime.clone(), Arc::clone(&hostile), good.clone(), Arc::clone(&wrong));
            tokio::spawn(async move {
                for round in 0..super::rounds() / 8 {
                    if round % 11 == 10 {
                        let script = &hostile[(round / 11 + task) % hostile.len()];
                        let limits = Limits { time: Duration::from_millis(20), ..Limits::default() };
                        let execution = runtime.run(script, Invocation::default().limits(limits)).await;
                        assert!(execution.result.is_err(), "{execution:?}");
                        continue;
                    }
                    let name = format!("user-{task}-{round}@example.com");
                    let execution = runtime.run(&good, Invocation::new(json!(name))).await;
                    if execution.result.as_ref().ok() != Some(&json!(name)) {
                        wrong.fetch_add(1, Ordering::Relaxed);
                        eprintln!("{isolation:?}: {execution:?}");
                    }
                }
            })
        });
        for task in join_all(tasks).await {
            task.unwrap();
        }
        assert_eq!(wrong.load(Ordering::Relaxed), 0, "{isolation:?}");
        assert!(runtime.shutdown(Duration::from_secs(60)).await);
    }
}

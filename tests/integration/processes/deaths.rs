//! Deaths of worker processes, among executions that go well.
//!
//! `TAILOR_IDP_TEST_ROUNDS=11000 cargo test --test integration -- --ignored deaths` runs 1,000 among 10,000.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use pretty_assertions::assert_eq;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tailor_idp::function::{Execution, FunctionRuntime, Invocation, Limit, Script};
use tokio::task::JoinHandle;

use super::{builder, options, script, wait_until};
use crate::support::run_alone;
use crate::worker_processes::{anonymous_memory, descriptors, virtual_memory, worker_processes, zombies};

/// Concurrent executions that go well.
const CALLERS: usize = 4;
/// One for each of them, and one for the executions that die.
const WORKERS: usize = CALLERS + 1;

/// Maximum growth of the host and of the zygote in bytes, far below what a hundred leaked workers hold.
const MAX_GROWTH: usize = 32 * 1024 * 1024;

/// Executions, of which one in eleven dies.
fn rounds() -> usize {
    std::env::var("TAILOR_IDP_TEST_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(440)
}

/// Reserves addresses, by which the test recognizes the process, and waits.
const VICTIM: &str =
    "const memories = Array.from({ length: 8 }, () => new WebAssembly.Memory({ initial: 1, maximum: 4096 }));
    console.log('ready');
    await new Promise((done) => setTimeout(done, 50_000));
    return memories.length;";
/// Addresses that only a victim has reserved beyond those of its zygote, in bytes: each of its memories reserves 256 MiB. Other
/// workers reserve some for threads.
const VICTIM_ADDRESSES: usize = 1536 * 1024 * 1024;

/// How an execution dies.
#[derive(Debug, Clone, Copy)]
enum Death {
    /// By a signal from outside.
    Signal(Signal, &'static str),
    /// By a panic of the engine, which aborts.
    Panic,
}

const DEATHS: [Death; 4] = [
    Death::Signal(Signal::SEGV, "the engine ended abnormally, with signal SIGSEGV"),
    Death::Signal(Signal::ABORT, "the engine ended abnormally, with signal SIGABRT"),
    Death::Signal(Signal::KILL, "the engine ended abnormally, with signal SIGKILL"),
    Death::Panic,
];

/// Descriptors that may be about to be closed.
const SPARE_DESCRIPTORS: usize = 4;

/// What the host and its zygote hold.
#[derive(Debug, Clone, Copy)]
struct Held {
    host_descriptors: usize,
    zygote_descriptors: usize,
    host_memory: usize,
    zygote_memory: usize,
    workers: usize,
    zombies: usize,
}

impl Held {
    fn now() -> Self {
        let host = std::process::id();
        let (zygotes, workers) = worker_processes(host);
        let [zygote] = zygotes[..] else { panic!("{} zygotes", zygotes.len()) };
        Self {
            host_descriptors: descriptors(host),
            zygote_descriptors: descriptors(zygote),
            host_memory: anonymous_memory(host),
            zygote_memory: anonymous_memory(zygote),
            workers: workers.len(),
            zombies: zombies(host) + zombies(zygote),
        }
    }
}

fn ended_by(execution: &Execution) -> (Option<Limit>, String) {
    match &execution.result {
        Ok(value) => (None, value.to_string()),
        Err(error) => (error.limit, error.message.clone()),
    }
}

/// Runs an execution that dies, and returns how its record says that it ended.
async fn die(runtime: &FunctionRuntime, death: Death, panics: &Script) -> (Option<Limit>, String) {
    let Death::Signal(signal, _) = death else {
        return ended_by(&runtime.run(panics, Invocation::default()).await);
    };
    let is_ready = Arc::new(AtomicBool::new(false));
    let run = tokio::spawn({
        let (runtime, is_ready) = (runtime.clone(), Arc::clone(&is_ready));
        let invocation = Invocation::default().on_log(move |_| is_ready.store(true, Relaxed));
        async move { runtime.run(&script(VICTIM), invocation).await }
    });
    let victim = tokio::task::spawn_blocking(move || {
        let mut victim = None;
        wait_until("the victim runs", || {
            let (zygotes, workers) = worker_processes(std::process::id());
            let most = zygotes.first().map_or(0, |zygote| virtual_memory(*zygote)) + VICTIM_ADDRESSES;
            victim = workers.into_iter().find(|worker| virtual_memory(*worker) > most);
            is_ready.load(Relaxed) && victim.is_some()
        });
        victim
    });
    let victim = victim.await.unwrap().unwrap();
    // V8's handler of SIGSEGV takes one that no instruction caused for the last time.
    while !run.is_finished() {
        let process = Pid::from_raw(i32::try_from(victim).unwrap()).unwrap();
        // Fails if it has ended.
        let _ = kill_process(process, signal);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    ended_by(&run.await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "counts what its process holds: `dying_workers_harm_no_other_execution` runs it in a process of its own"]
async fn dying_workers_harm_no_other_execution_and_leak_nothing() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("thrower.js"),
        "throw Object.create(Error.prototype, { message: { value: 1 } });",
    )
    .unwrap();
    let main = folder.path().join("main.js");
    std::fs::write(&main, "export default async () => { try { await import('./thrower.js'); } catch {} };").unwrap();
    let panics = Script::from_file(&main).unwrap();
    let good = script(
        "const idp = new tailor.idp.Client('builtin-idp');
         await idp.user('ghost').catch(() => {});
         console.log(argument);
         return [argument, new Uint8Array(10_000).fill(argument).length, (await idp.users()).totalCount];",
    );
    let (deaths, goods) = (rounds() / 11, rounds() - rounds() / 11);
    let run_all = async |deaths: usize, goods: usize| {
        let runtime = builder(options()).await.max_workers(WORKERS.try_into().unwrap()).build();
        let next = Arc::new(AtomicUsize::new(0));
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                let (runtime, next, good) = (runtime.clone(), Arc::clone(&next), good.clone());
                tokio::spawn(async move {
                    loop {
                        let number = next.fetch_add(1, Relaxed);
                        if number >= goods {
                            return;
                        }
                        let execution = runtime.run(&good, Invocation::new(json!(number))).await;
                        assert_eq!(ended_by(&execution), (None, json!([number, 10_000, 0]).to_string()));
                        let log: Vec<_> = execution.logs.iter().map(|line| line.text.clone()).collect();
                        assert_eq!(log, [number.to_string()]);
                    }
                })
            })
            .collect();
        for number in 0..deaths {
            let death = DEATHS[number % DEATHS.len()];
            let message = match death {
                Death::Signal(_, message) => message,
                Death::Panic => "the engine ended abnormally, with signal SIGABRT",
            };
            assert_eq!(die(&runtime, death, &panics).await, (Some(Limit::Crash), message.to_owned()), "{death:?}");
            // Spreads the deaths over the other executions.
            let is_early = || next.load(Relaxed).min(goods) < goods * (number + 1) / deaths;
            while is_early() && !callers.iter().any(JoinHandle::is_finished) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        for caller in callers {
            caller.await.unwrap();
        }
        assert!(runtime.shutdown(Duration::from_secs(30)).await);
        wait_until("all workers have ended and are reaped", || {
            let held = Held::now();
            (held.workers, held.zombies) == (0, 0)
        });
        Held::now()
    };
    // Initializes what lasts as long as the process.
    let before = run_all(DEATHS.len(), 10 * DEATHS.len()).await;
    let after = run_all(deaths, goods).await;
    println!("{deaths} deaths among {goods} executions\nbefore: {before:?}\nafter:  {after:?}");
    // Of each death, a leak would leave one.
    assert!(after.host_descriptors <= before.host_descriptors + SPARE_DESCRIPTORS, "{before:?} {after:?}");
    assert!(after.zygote_descriptors <= before.zygote_descriptors + SPARE_DESCRIPTORS, "{before:?} {after:?}");
    assert!(after.host_memory <= before.host_memory + MAX_GROWTH, "{before:?} {after:?}");
    assert!(after.zygote_memory <= before.zygote_memory + MAX_GROWTH, "{before:?} {after:?}");
}

#[test]
fn dying_workers_harm_no_other_execution() {
    run_alone("processes::deaths::dying_workers_harm_no_other_execution_and_leak_nothing", &[]);
}

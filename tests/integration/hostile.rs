//! Hostile scripts: each must end within its limits and leave the next execution unaffected.
//!
//! The scripts are in `tests/hostile`. The first line of each names the attack. The second line lists the accepted ends,
//! separated by `|`: the name of a limit, `error` with the error's name, or `result` with the result as JSON. The time limit is
//! accepted too unless a result is expected: on a busy machine it can come before any other limit.
//!
//! A third line `// Process-only: …` says what a thread cannot contain: the script holds more memory, or computes longer, than its
//! limits allow, since V8 cannot be interrupted. What holds for such a script too is that it ends, and that it disturbs no other.

#[cfg(target_os = "linux")]
mod generated;
#[cfg(target_os = "linux")]
mod generator;

use std::cell::Cell;
use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use pretty_assertions::assert_eq;
use serde_json::json;
use tailor_idp::function::{Execution, FunctionRuntime, Invocation, Limit, Limits, ProcessOptions, Script, Workers};
use tailor_idp::idp::store::SqliteDatabase;
use tailor_idp::idp::{HashCost, NamespaceName, NamespaceSettings, Permission, Router};

#[cfg(target_os = "linux")]
use crate::worker_processes::{anonymous_memory, program_alone, unknown_call, workers_of};

const TIME: Duration = Duration::from_millis(300);

/// Time limit in worker processes. A new process is slower than a new isolate.
#[cfg(target_os = "linux")]
const PROCESS_TIME: Duration = Duration::from_secs(1);

/// Time after its limit in which a script in a worker process has to be gone.
#[cfg(target_os = "linux")]
fn process_overrun() -> Duration {
    // A busy machine can take long to give the host a processor.
    Duration::from_millis(if std::env::var_os("CI").is_some() { 2000 } else { 300 })
}

/// Both runs take all cores: one after the other.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Accepted CPU time after the time limit. CPU time of the thread does not include waiting for a processor. A step of V8 that
/// cannot be interrupted takes up to 100 ms on an idle machine, and twice that while other tests run.
fn overrun() -> Duration {
    Duration::from_millis(if std::env::var_os("CI").is_some() { 1500 } else { 200 })
}

/// Maximum growth of the process, in MiB. V8 allocates what a script requests before the script can be ended, and other tests run
/// in the same process.
const MAX_GROWTH: usize = 1024;

/// Further runs of a script that took too long or held too much: on a busy machine, the watchdog gets a processor late.
const RETRIES: usize = 2;

/// With one worker, the next execution runs on the thread of the hostile script.
const WORKERS: NonZero<usize> = NonZero::<usize>::MIN;

#[cfg(target_os = "linux")]
fn resident_mib() -> usize {
    let pages: usize = fs::read_to_string("/proc/self/statm").unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096 / (1024 * 1024)
}

#[cfg(not(target_os = "linux"))]
fn resident_mib() -> usize {
    0
}

/// Samples memory until dropped.
struct Peak {
    sample: fn() -> usize,
    most: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
}

impl Peak {
    fn watch(sample: fn() -> usize) -> Self {
        let peak = Self { sample, most: Arc::new(AtomicUsize::new(sample())), is_over: Arc::default() };
        let (most, is_over) = (Arc::clone(&peak.most), Arc::clone(&peak.is_over));
        thread::spawn(move || {
            while !is_over.load(Relaxed) {
                most.fetch_max(sample(), Relaxed);
                thread::sleep(Duration::from_millis(5));
            }
        });
        peak
    }

    /// The maximum since the last call, in MiB.
    fn take(&self) -> usize {
        self.most.swap((self.sample)(), Relaxed)
    }
}

impl Drop for Peak {
    fn drop(&mut self) {
        self.is_over.store(true, Relaxed);
    }
}

async fn runtime(workers: Workers, time: Duration) -> FunctionRuntime {
    let name = NamespaceName::new("builtin-idp").unwrap();
    let store = SqliteDatabase::in_memory().unwrap().namespace(&name).await.unwrap();
    let idp = Router::builder().hash_cost(HashCost::danger_cheap_for_tests());
    let settings = NamespaceSettings::default().permission(Permission::allow_all());
    let idp = idp.namespace(name, Arc::new(store), settings).build();
    let limits = Limits { time, ..Limits::default() };
    FunctionRuntime::builder(Arc::new(idp)).limits(limits).workers(workers).max_workers(WORKERS).prepared(1).build()
}

/// How an execution ended, in the format of the scripts' second lines.
fn ending(execution: &Execution) -> String {
    match &execution.result {
        Ok(value) => format!("result {value}"),
        Err(error) => match error.limit {
            Some(limit) => limit.name().to_owned(),
            None => format!("error {}", error.name),
        },
    }
}

/// The text after `// {label}: ` in one of the first three lines.
fn optional_header<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    let prefix = format!("// {label}: ");
    text.lines().take(3).find_map(|line| line.strip_prefix(&prefix))
}

fn header<'a>(text: &'a str, label: &str) -> &'a str {
    optional_header(text, label).unwrap_or_else(|| panic!("no {label} in\n{text}"))
}

/// The script of the next execution. Returns what a hostile script might have changed.
const BYSTANDER: &str = "export default async ({ list }) => {
  const idp = new tailor.idp.Client('builtin-idp');
  const { users } = await idp.users();
  return [list.map((x) => x * 2), users.length, typeof globalThis.harm, 'a-b'.split('-'), Object.keys(globalThis).length];
}";

#[tokio::test(flavor = "multi_thread")]
async fn hostile_scripts_end_within_limits_and_do_not_affect_next_execution() {
    let _alone = ALONE.lock().await;
    let peak = Peak::watch(resident_mib);
    let runtime = runtime(Workers::Threads, TIME).await;
    let before = Cell::new(resident_mib());
    run_all(&runtime, false, |execution| {
        let mut faults = Vec::new();
        let computed = execution.usage.cpu_time.unwrap_or_default();
        if computed > TIME + overrun() {
            faults.push(format!("computed for {computed:?}, of {TIME:?}"));
        }
        let grown = peak.take().saturating_sub(before.replace(resident_mib()));
        if grown > MAX_GROWTH {
            faults.push(format!("the process grew by {grown} MiB"));
        }
        faults
    })
    .await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn hostile_scripts_in_worker_processes_are_gone_soon_after_limits_and_do_not_affect_next_execution() {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let workers_mib = || {
        let workers = PROGRAM.get().map(|program| workers_of(program)).unwrap_or_default();
        workers.into_iter().map(anonymous_memory).max().unwrap_or(0) / (1024 * 1024)
    };
    let _alone = ALONE.lock().await;
    let folder = tempfile::TempDir::new().unwrap();
    let program = PROGRAM.get_or_init(|| program_alone(folder.path()));
    let options = ProcessOptions::default().program(program).report_unknown_calls();
    let runtime = runtime(Workers::Processes(options), PROCESS_TIME).await;
    let peak = Peak::watch(workers_mib);
    // Twice the memory limit, and 64 MiB.
    let max_mib = 2 * Limits::default().memory / (1024 * 1024) + 64;
    run_all(&runtime, true, |execution| {
        let mut faults = Vec::new();
        let took = execution.usage.wall_time;
        if took > PROCESS_TIME + process_overrun() {
            faults.push(format!("took {took:?}, of {PROCESS_TIME:?}"));
        }
        let held = peak.take();
        if held > max_mib {
            faults.push(format!("its process held {held} MiB, of {max_mib}"));
        }
        faults
    })
    .await;
}

/// Runs each hostile script, and then one that it must not affect. `check` returns what else is wrong with an execution; it is not
/// asked about scripts that only a process contains, unless `contains_all`.
async fn run_all(runtime: &FunctionRuntime, contains_all: bool, check: impl Fn(&Execution) -> Vec<String>) {
    let bystander = Script::new("file:///bystander.js".parse().unwrap(), BYSTANDER);
    let run_bystander = async || {
        runtime
            .run(&bystander, Invocation::new(json!({ "list": [1, 2] })))
            .await
            .result
            .map_err(|error| error.to_string())
    };
    let unharmed = run_bystander().await;
    assert_eq!(unharmed.as_ref().unwrap()[0], json!([2, 4]));

    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    // To try some: TAILOR_IDP_TEST_HOSTILE=wasm,intl-list
    if let Ok(wanted) = std::env::var("TAILOR_IDP_TEST_HOSTILE") {
        files.retain(|file| wanted.split(',').any(|name| file.to_string_lossy().contains(&format!("/{name}"))));
    }
    let mut faults = Vec::new();
    for file in &files {
        let name = file.file_stem().unwrap().to_string_lossy();
        let text = fs::read_to_string(file).unwrap();
        assert!(!header(&text, "Attacks").is_empty(), "{name}");
        let script = Script::new("file:///hostile.js".parse().unwrap(), text.as_str());
        let mut execution = runtime.run(&script, Invocation::default()).await;
        // A process contains what a thread cannot.
        let is_checked = optional_header(&text, "Process-only").is_none() || contains_all;
        let mut excess = if is_checked { check(&execution) } else { Vec::new() };
        for _ in 0..RETRIES {
            if excess.is_empty() {
                break;
            }
            execution = runtime.run(&script, Invocation::default()).await;
            excess = check(&execution);
        }
        faults.extend(excess.into_iter().map(|fault| format!("{name}: {fault}")));

        let (expected, actual) = (header(&text, "Ends"), ending(&execution));
        // On a busy machine, the time limit can come before any other.
        // In a process, which has more time and whose memory comprises what V8 does not count, any limit can come first.
        let limit = execution.result.as_ref().err().and_then(|error| error.limit);
        let is_outside = limit == Some(Limit::Time) || contains_all && limit.is_some_and(|limit| limit != Limit::Crash);
        let is_late = is_outside && !expected.starts_with("result");
        if !is_late && !expected.split(" | ").any(|expected| expected == actual) {
            let error = execution.result.as_ref().err().map(ToString::to_string).unwrap_or_default();
            faults.push(format!("{name}: ended by {actual}, not {expected} {error:.200}"));
        }
        #[cfg(target_os = "linux")]
        if let Some(call) = execution.result.as_ref().err().and_then(|error| unknown_call(&error.message)) {
            faults.push(format!("{name}: made the system call {call}, which the sandbox does not know"));
        }
        let after = run_bystander().await;
        if after != unharmed {
            faults.push(format!("{name}: the next execution returned {after:?}"));
        }
    }
    assert_eq!(faults, Vec::<String>::new());
}

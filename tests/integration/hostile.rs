//! Scripts that mean harm: whatever they do, they end, in time and within bounds, and the next one notices nothing.
//!
//! The scripts are in `tests/hostile`. The first line of each says what it attacks, the second how it may end: one of the
//! limits' names, `error` and the error's name, or `result` and the JSON of the result; several are separated by `|`.
//! Where memory runs out, so may time before it, on a machine that is slow or busy.

use std::fs;
use std::num::NonZero;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use pretty_assertions::assert_eq;
use serde_json::json;
use tailor_idp::function::{Execution, FunctionRuntime, Invocation, Limit, Limits, Script};
use tailor_idp::idp::{HashCost, Idp, NamespaceName, NamespaceSettings, Permission};
use tailor_idp::store::SqliteDatabase;

const TIME: Duration = Duration::from_millis(300);

/// How long a script may compute past its limit. On the clock of its thread: other tests run at the same time, and however
/// busy the processors are, this is what the script has had of them. A step of the engine's
/// that cannot be cut short takes up to 100 ms on an idle machine, and twice that beside other tests.
fn overrun() -> Duration {
    Duration::from_millis(if std::env::var_os("CI").is_some() { 400 } else { 200 })
}

/// How much larger the process may become at any time, in MiB. The engine has taken what a script asks for before it can be
/// stopped; and other tests run in the same process.
const GROWTH: usize = 1024;

/// One worker: the execution after a script's meets what that script has left, if anything.
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

/// The most that the process has had of memory while this lived.
struct Peak {
    most: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
}

impl Peak {
    fn watch() -> Self {
        let peak = Self { most: Arc::new(AtomicUsize::new(resident_mib())), is_over: Arc::default() };
        let (most, is_over) = (Arc::clone(&peak.most), Arc::clone(&peak.is_over));
        thread::spawn(move || {
            while !is_over.load(Relaxed) {
                most.fetch_max(resident_mib(), Relaxed);
                thread::sleep(Duration::from_millis(5));
            }
        });
        peak
    }

    /// The most since the last time.
    fn take(&self) -> usize {
        self.most.swap(resident_mib(), Relaxed)
    }
}

impl Drop for Peak {
    fn drop(&mut self) {
        self.is_over.store(true, Relaxed);
    }
}

async fn runtime() -> FunctionRuntime {
    let name = NamespaceName::new("builtin-idp").unwrap();
    let store = SqliteDatabase::in_memory().unwrap().namespace(&name).await.unwrap();
    let idp = Idp::builder().hash_cost(HashCost::danger_cheap_for_tests());
    let settings = NamespaceSettings::default().permission(Permission::allow_all());
    let idp = idp.namespace(name, Arc::new(store), settings).build();
    let limits = Limits { time: TIME, ..Limits::default() };
    FunctionRuntime::builder(Arc::new(idp)).limits(limits).max_workers(WORKERS).prepared(1).build()
}

/// How it ended, as the scripts' second lines have it.
fn ending(execution: &Execution) -> String {
    match &execution.result {
        Ok(value) => format!("result {value}"),
        Err(error) => match error.limit {
            Some(limit) => limit.name().to_owned(),
            None => format!("error {}", error.name),
        },
    }
}

/// What stands behind `// {label}: ` in one of the first two lines.
fn header<'a>(text: &'a str, label: &str) -> &'a str {
    let prefix = format!("// {label}: ");
    text.lines().take(2).find_map(|line| line.strip_prefix(&prefix)).unwrap_or_else(|| panic!("no {label} in\n{text}"))
}

/// What the next execution finds.
const BYSTANDER: &str = "export default async ({ list }) => {
  const idp = new tailor.idp.Client('builtin-idp');
  const { users } = await idp.users();
  return [list.map((x) => x * 2), users.length, typeof globalThis.harm, 'a-b'.split('-'), Object.keys(globalThis).length];
}";

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_script_does_it_ends_and_the_next_one_notices_nothing() {
    let runtime = runtime().await;
    let bystander = Script::new("file:///bystander.js".parse().unwrap(), BYSTANDER);
    let meet = async || {
        runtime
            .run(&bystander, Invocation::new(json!({ "list": [1, 2] })))
            .await
            .result
            .map_err(|error| error.to_string())
    };
    let unharmed = meet().await;
    assert_eq!(unharmed.as_ref().unwrap()[0], json!([2, 4]));

    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let peak = Peak::watch();
    let mut faults = Vec::new();
    for file in &files {
        let name = file.file_stem().unwrap().to_string_lossy();
        let text = fs::read_to_string(file).unwrap();
        assert!(!header(&text, "Attacks").is_empty(), "{name}");
        let before = resident_mib();
        peak.take();
        let script = Script::new("file:///hostile.js".parse().unwrap(), text.as_str());
        let execution = runtime.run(&script, Invocation::default()).await;

        let (expected, actual) = (header(&text, "Ends"), ending(&execution));
        // On a busy machine the time can be up before anything else.
        let is_late = actual == Limit::Time.name() && !expected.starts_with("result");
        if !is_late && !expected.split(" | ").any(|expected| expected == actual) {
            let error = execution.result.as_ref().err().map(ToString::to_string).unwrap_or_default();
            faults.push(format!("{name}: ended by {actual}, not {expected} {error:.200}"));
        }
        let computed = execution.usage.cpu_time.unwrap_or_default();
        if computed > TIME + overrun() {
            faults.push(format!("{name}: computed for {computed:?}, of {TIME:?}"));
        }
        let grown = peak.take().saturating_sub(before);
        if grown > GROWTH {
            faults.push(format!("{name}: the process grew by {grown} MiB"));
        }
        let after = meet().await;
        if after != unharmed {
            faults.push(format!("{name}: the next execution has {after:?}"));
        }
    }
    assert!(files.len() >= 60, "only {} scripts", files.len());
    assert_eq!(faults, Vec::<String>::new());
}

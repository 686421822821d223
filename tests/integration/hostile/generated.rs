//! Generated hostile scripts, in worker processes and in threads.
//!
//! | variable | meaning |
//! | --- | --- |
//! | `TAILOR_IDP_GENERATED_SECONDS` | how long scripts are generated and run |
//! | `TAILOR_IDP_GENERATED_SEED` | the first seed; each script has the next one |
//!
//! A failure prints its seed and the script, in as few statements as show it. To run a script of a seed again, set the seed and
//! one second.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use pretty_assertions::assert_eq;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tailor_idp::function::{FunctionRuntime, Invocation, Limits, ProcessOptions, Script, Workers};

use super::generator::{LIST_BUILTINS, scripts};
use super::{ALONE, BYSTANDER, Peak, ending, process_overrun, runtime};
use crate::worker_processes::{anonymous_memory, program_alone, unknown_call, workers_of};

/// Time limit of a script.
const TIME: Duration = Duration::from_millis(500);

/// Time after its limit in which the record of a script in a thread has to be there: a thread that does not stop is given up after
/// a second.
const THREAD_OVERRUN: Duration = Duration::from_millis(2500);
/// Maximum memory of a host whose scripts run in threads, in MiB. V8 cannot be interrupted while it copies.
const THREAD_MAX_MIB: usize = 3 * 1024;
/// Threads that were given up, after which the host is replaced.
const MAX_STUCK: usize = 6;

/// Time without a report after which a host is taken to hang.
const HOST_TIMEOUT: Duration = Duration::from_secs(60);

/// Failures after which no further scripts are generated.
const MAX_FAULTS: usize = 10;

fn seconds() -> u64 {
    let set = std::env::var("TAILOR_IDP_GENERATED_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    set.unwrap_or(if std::env::var_os("CI").is_some() { 60 } else { 5 })
}

/// The same scripts in each run, unless it is told otherwise.
fn first_seed() -> u64 {
    std::env::var("TAILOR_IDP_GENERATED_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0)
}

/// What became of a script, and of the execution after it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Report {
    ending: String,
    wall_time: Duration,
    unknown_call: Option<String>,
    bystander: Result<Value, String>,
}

async fn run(runtime: &FunctionRuntime, text: &str) -> Report {
    let script = Script::new("file:///generated.js".parse().unwrap(), text);
    let execution = runtime.run(&script, Invocation::default()).await;
    Report {
        ending: ending(&execution),
        wall_time: execution.usage.wall_time,
        unknown_call: execution.result.as_ref().err().and_then(|error| unknown_call(&error.message)),
        bystander: run_bystander(runtime).await,
    }
}

async fn run_bystander(runtime: &FunctionRuntime) -> Result<Value, String> {
    let bystander = Script::new("file:///bystander.js".parse().unwrap(), BYSTANDER);
    let invocation = Invocation::new(json!({ "list": [1, 2] })).limits(Limits::default());
    let execution = runtime.run(&bystander, invocation).await;
    execution.result.map_err(|error| error.to_string())
}

/// A host in a process of its own, whose scripts run in threads. Killed when dropped.
struct ThreadHost {
    child: Child,
    input: ChildStdin,
    reports: Receiver<Report>,
    /// The end of its standard error.
    stderr: Arc<Mutex<VecDeque<String>>>,
    stuck: usize,
}

/// Process whose memory is watched.
static HOST: AtomicU32 = AtomicU32::new(0);

/// Starts a line with a report, among the lines of the test harness.
const REPORT: &str = "report: ";

impl ThreadHost {
    fn start() -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "hostile::generated::host_of_threads", "--ignored", "--nocapture"]);
        command.env("RUST_BACKTRACE", "0");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        HOST.store(child.id(), Relaxed);
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let errors = child.stderr.take().unwrap();
        let stderr = Arc::<Mutex<VecDeque<String>>>::default();
        thread::spawn({
            let stderr = Arc::clone(&stderr);
            move || {
                for line in BufReader::new(errors).lines().map_while(Result::ok) {
                    let mut stderr = stderr.lock().unwrap();
                    stderr.push_back(line.chars().take(300).collect());
                    if stderr.len() > 10 {
                        stderr.pop_front();
                    }
                }
            }
        });
        let (sender, reports) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Some((_, report)) = line.split_once(REPORT) {
                    // Fails if nobody waits any more.
                    let _ = sender.send(serde_json::from_str(report).unwrap());
                }
            }
        });
        Self { child, input, reports, stderr, stuck: 0 }
    }

    fn run(&mut self, text: &str) -> Result<Report, String> {
        let sent = writeln!(self.input, "{}", json!(text)).and_then(|()| self.input.flush());
        match self.reports.recv_timeout(HOST_TIMEOUT) {
            Ok(report) if sent.is_ok() => Ok(report),
            _ => {
                let _ = self.child.kill();
                let status = self.child.wait().unwrap();
                // The rest of its output arrives.
                thread::sleep(Duration::from_millis(100));
                Err(format!("the host ended: {status} {:?}", self.stderr.lock().unwrap()))
            }
        }
    }
}

impl Drop for ThreadHost {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the scripts of its standard input in threads.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "the test of generated scripts starts it"]
async fn host_of_threads() {
    let runtime = runtime(Workers::Threads, TIME).await;
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let text: String = serde_json::from_str(&line).unwrap();
        let report = run(&runtime, &text).await;
        println!("\n{REPORT}{}", serde_json::to_string(&report).unwrap());
    }
}

/// Both ways to run a script, and what may become of it there.
struct Bench {
    tokio: tokio::runtime::Runtime,
    processes: FunctionRuntime,
    threads: RefCell<ThreadHost>,
    workers_peak: Peak,
    host_peak: RefCell<Peak>,
    unharmed: Result<Value, String>,
    /// Scripts by how they ended in a process.
    endings: RefCell<BTreeMap<String, usize>>,
    /// Most memory of a worker and of the host of threads, in MiB.
    most: Cell<(usize, usize)>,
    /// Scripts that made the engine fail, which is contained.
    crashes: RefCell<Vec<String>>,
}

fn host_mib() -> usize {
    anonymous_memory(HOST.load(Relaxed)) / (1024 * 1024)
}

impl Bench {
    fn check(&self, text: &str) -> Result<(), TestCaseError> {
        // What a busy machine makes late is not late twice.
        if let Err(first) = self.check_once(text) {
            self.check_once(text).map_err(|fault| TestCaseError::fail(format!("{fault} (before: {first})")))?;
        }
        Ok(())
    }

    fn check_once(&self, text: &str) -> Result<(), String> {
        self.check_process(text).map_err(|fault| format!("in a process: {fault}"))?;
        self.check_thread(text).map_err(|fault| format!("in a thread: {fault}"))
    }

    fn check_process(&self, text: &str) -> Result<(), String> {
        self.workers_peak.take();
        let report = self.tokio.block_on(run(&self.processes, text));
        let kind = report.ending.split(' ').next().unwrap_or_default().to_owned();
        if kind == "crash" {
            self.crashes.borrow_mut().push(text.to_owned());
        }
        *self.endings.borrow_mut().entry(kind).or_default() += 1;
        if let Some(call) = &report.unknown_call {
            return Err(format!("made the system call {call}, which the sandbox does not know"));
        }
        if report.wall_time > TIME + process_overrun() {
            return Err(format!("took {:?}, of {TIME:?}", report.wall_time));
        }
        let (held, most) = (self.workers_peak.take(), 2 * Limits::default().memory / (1024 * 1024) + 64);
        self.most.update(|(worker, host)| (worker.max(held), host));
        if held > most {
            return Err(format!("its process held {held} MiB, of {most}"));
        }
        self.check_bystander(&report)
    }

    fn check_thread(&self, text: &str) -> Result<(), String> {
        let mut host = self.threads.borrow_mut();
        let ran = host.run(text);
        if !matches!(&ran, Ok(report) if report.wall_time < TIME + Duration::from_secs(1)) {
            host.stuck += 1;
        }
        let held = self.host_peak.borrow().take();
        self.most.update(|(worker, host)| (worker, host.max(held)));
        if ran.is_err() || host.stuck >= MAX_STUCK || held > THREAD_MAX_MIB {
            *host = ThreadHost::start();
        }
        let report = ran?;
        if report.wall_time > TIME + THREAD_OVERRUN {
            return Err(format!("took {:?}, of {TIME:?}", report.wall_time));
        }
        if held > THREAD_MAX_MIB {
            return Err(format!("the host held {held} MiB, of {THREAD_MAX_MIB}"));
        }
        self.check_bystander(&report)
    }

    fn check_bystander(&self, report: &Report) -> Result<(), String> {
        if report.bystander == self.unharmed {
            Ok(())
        } else {
            Err(format!("the next execution returned {:?}, after {}", report.bystander, report.ending))
        }
    }
}

#[test]
fn generated_scripts_end_within_limits_and_do_not_affect_next_execution() {
    static PROGRAM: OnceLock<std::path::PathBuf> = OnceLock::new();
    static BUILTINS: OnceLock<Vec<String>> = OnceLock::new();
    let _alone = ALONE.blocking_lock();
    let tokio = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::TempDir::new().unwrap();
    let program = PROGRAM.get_or_init(|| program_alone(folder.path()));
    let workers_mib = || {
        let workers = PROGRAM.get().map(|program| workers_of(program)).unwrap_or_default();
        workers.into_iter().map(anonymous_memory).max().unwrap_or(0) / (1024 * 1024)
    };
    let workers = Workers::Processes(ProcessOptions::default().program(program).report_unknown_calls());
    let processes = tokio.block_on(runtime(workers, TIME));
    let list = Script::new("file:///list.js".parse().unwrap(), LIST_BUILTINS);
    let listed = processes.run(&list, Invocation::default().limits(Limits::default()));
    let list = tokio.block_on(listed).result.unwrap();
    let builtins: &'static [String] = BUILTINS.get_or_init(|| serde_json::from_value(list).unwrap());
    let unharmed = tokio.block_on(run_bystander(&processes));
    assert_eq!(unharmed.as_ref().unwrap()[0], json!([2, 4]));
    let bench = Bench {
        tokio,
        processes,
        threads: RefCell::new(ThreadHost::start()),
        workers_peak: Peak::watch(workers_mib),
        host_peak: RefCell::new(Peak::watch(host_mib)),
        unharmed,
        endings: RefCell::default(),
        most: Cell::default(),
        crashes: RefCell::default(),
    };
    let (began_at, first) = (Instant::now(), first_seed());
    let mut faults = Vec::new();
    let mut seed = first;
    while began_at.elapsed() < Duration::from_secs(seconds()) && faults.len() < MAX_FAULTS {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let config = Config { cases: 1, max_shrink_iters: 24, failure_persistence: None, ..Config::default() };
        let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
        let crashes = bench.crashes.borrow().len();
        match runner.run(&scripts(builtins), |text| bench.check(&text)) {
            Ok(()) => {}
            Err(TestError::Fail(reason, text)) => faults.push(format!("seed {seed}: {reason}\n{text}")),
            Err(error) => faults.push(format!("seed {seed}: {error}")),
        }
        if let Some(text) = bench.crashes.borrow().get(crashes) {
            println!("seed {seed}: the engine failed, which was contained:\n{text}");
        }
        seed += 1;
    }
    println!(
        "{} scripts from {} built-ins, seeds {first} to {}: {:?}; a worker held up to {} MiB, the host of threads {} MiB",
        seed - first,
        builtins.len(),
        seed - 1,
        bench.endings.borrow(),
        bench.most.get().0,
        bench.most.get().1,
    );
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

//! Executions in worker processes, as the host sees them.
//!
//! A worker process is taken to be under an attacker's control. The host bounds everything that it receives, and takes principal,
//! deadline and limits from its own state.

mod calls;
mod link;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::time::timeout;

use self::calls::Calls;
use self::link::{Link, WorkerError};
use super::thread::until_terminated;
use super::{AfterRun, Outcome, Request, WarmKey, termination_error};
use crate::function::clock::CpuClock;
use crate::function::console;
use crate::function::execution::{ErrorKind, ExecutionError, Usage};
use crate::function::isolate::BuiltinGuards;
use crate::function::limits::{Limit, Limits};
use crate::function::pool::{Isolation, PoolConfig};
use crate::function::process::{
    Done, Exit, Fetches, FromWorker, LaunchError, MAX_CALL_BYTES, Preparation, ProcessMemory, Run, ToWorker,
    UNKNOWN_CALL_STATUS, WorkerProcess, launch, parse_result,
};
use crate::function::script::Script;
use crate::function::termination::TerminationReason;
use crate::function::watchdog::{self, CpuWatch, MemoryWatch, WatchTarget};
use crate::function::workers::{ProcessOptions, Share};
use crate::idp::Principal;

/// Time beyond a limit in which the worker can end the script itself, with the better error. Then it is killed.
const LIMIT_GRACE_PERIOD: Duration = Duration::from_millis(50);

/// Memory that a worker process may hold beyond the script's limits and its own start: what V8 needs for a garbage collection, and
/// the messages in transit.
const MEMORY_ALLOWANCE: usize = 32 * 1024 * 1024;

/// Time in which a new worker has to create its isolate. It takes some milliseconds on an idle machine.
const PREPARE_TIMEOUT: Duration = Duration::from_secs(10);

/// Reason why a worker process did not start.
struct StartError {
    error: ExecutionError,
    /// Whether the new process has ended, as one that was killed from outside: another can succeed.
    has_died: bool,
}

impl StartError {
    fn new(error: &dyn fmt::Display) -> Self {
        let error = ExecutionError::platform(format!("cannot start a worker process: {error}"));
        Self { error, has_died: false }
    }

    fn died(error: &dyn fmt::Display) -> Self {
        Self { has_died: true, ..Self::new(error) }
    }
}

impl From<ExecutionError> for StartError {
    fn from(error: ExecutionError) -> Self {
        Self { error, has_died: false }
    }
}

/// Runs executions in worker processes, one at a time.
pub(in crate::function) struct ProcessRunner {
    config: Arc<PoolConfig>,
    options: ProcessOptions,
    // Declared before `tokio`: its socket belongs to the event loop.
    worker: Option<Worker>,
    tokio: Option<Runtime>,
}

/// A worker process.
struct Worker {
    process: WorkerProcess,
    link: Link,
    memory: Arc<ProcessMemory>,
    clock: Option<CpuClock>,
    /// Scripts that the worker has, with their numbers. Kept, so that their ids stay theirs.
    scripts: HashMap<usize, (u64, Script)>,
    /// Key of the executions that can use the worker. None before the first execution.
    key: Option<WarmKey>,
    runs: u32,
    first_run_at: Instant,
}

impl ProcessRunner {
    pub(in crate::function) fn new(config: Arc<PoolConfig>, options: ProcessOptions) -> Self {
        Self { config, options, worker: None, tokio: None }
    }

    /// Whether a worker process is ready, used or not.
    pub(in crate::function) fn has_worker(&self) -> bool {
        self.worker.is_some()
    }

    /// Key of the executions that can use the worker process. None if there is none, or a new one.
    pub(in crate::function) fn warm_key(&self) -> Option<&WarmKey> {
        self.worker.as_ref()?.key.as_ref()
    }

    /// Starts a worker process ahead of the next execution.
    ///
    /// # Errors
    ///
    /// Fails if the process cannot be started, or cannot create an isolate.
    pub(in crate::function) fn prepare(&mut self, limits: &Limits) -> Result<(), ExecutionError> {
        self.worker = Some(self.start(limits)?);
        Ok(())
    }

    /// Starts a worker process; once more, if the first was killed while it started.
    fn start(&mut self, limits: &Limits) -> Result<Worker, ExecutionError> {
        match self.start_once(limits) {
            Err(StartError { has_died: true, .. }) => self.start_once(limits).map_err(|failed| failed.error),
            started => started.map_err(|failed| failed.error),
        }
    }

    fn start_once(&mut self, limits: &Limits) -> Result<Worker, StartError> {
        let isolate = &self.config.isolate;
        let (max_body, max_streamed_body, _) = isolate.fetch.maxima();
        let preparation = Preparation {
            fetch_limits: (max_body, max_streamed_body),
            limits: limits.clone(),
            has_builtin_guards: isolate.builtin_guards == BuiltinGuards::Enabled,
            allows_code_from_strings: isolate.allow_code_from_strings,
            reuse: match self.config.isolation {
                Isolation::Fresh => None,
                Isolation::Reuse { max_runs, max_age } => Some((max_runs, max_age)),
            },
        };
        let (process, socket) =
            launch(&self.options).map_err(|error: LaunchError| ExecutionError::platform(error.to_string()))?;
        // A process that has ended has no memory.
        let memory = Arc::new(ProcessMemory::of(process.pid()).map_err(|error| StartError::died(&error))?);
        let clock = CpuClock::of_process(process.pid());
        let tokio = match self.tokio.take() {
            Some(tokio) => tokio,
            None => {
                let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build();
                tokio.map_err(|error| StartError::new(&error))?
            }
        };
        let tokio = self.tokio.insert(tokio);
        let link = {
            let _context = tokio.enter();
            Link::new(socket).map_err(|error| StartError::new(&error))?
        };
        let mut worker = Worker {
            process,
            link,
            memory,
            clock,
            scripts: HashMap::new(),
            key: None,
            runs: 0,
            first_run_at: Instant::now(),
        };
        let prepared = tokio.block_on(async {
            worker.link.send(&ToWorker::Prepare(preparation))?;
            timeout(PREPARE_TIMEOUT, worker.link.receive(MAX_CALL_BYTES)).await.map_err(io::Error::from)?
        });
        match prepared {
            Ok((FromWorker::Prepared(Ok(())), _)) => {}
            Ok((FromWorker::Prepared(Err(failure)), _)) => {
                return Err(failure.into_error().map_or_else(|| StartError::new(&"its isolate"), StartError::from));
            }
            Ok(_) => return Err(StartError::new(&WorkerError::Violation("its first message is of another kind"))),
            Err(error) => {
                // The socket of a process that dies is closed before the process has ended.
                let has_died = match &error {
                    WorkerError::Closed => true,
                    WorkerError::Io(error) => error.kind() != io::ErrorKind::TimedOut,
                    _ => false,
                };
                worker.process.kill();
                let ended = worker.process.wait();
                tracing::error!(%error, exit = ?ended.exit, stderr = ended.stderr, "a worker process did not start");
                let failed = StartError::new(&format_args!("{error} ({:?}; {})", ended.exit, ended.stderr));
                return Err(StartError { has_died, ..failed });
            }
        }
        worker.memory.set_baseline();
        Ok(worker)
    }

    /// Runs an execution: takes a worker process, runs the script in it, and passes the outcome to `complete`.
    pub(in crate::function) fn run(&mut self, id: u64, request: Request, complete: impl FnOnce(Outcome, AfterRun)) {
        let started_at = Instant::now();
        let queued = started_at.duration_since(request.submitted_at);
        let mut worker = match self.acquire(&request) {
            Ok(worker) => worker,
            Err(error) => return complete(Outcome::not_run(error, queued), AfterRun::Search),
        };
        let creation_time = if worker.runs == 0 { started_at.elapsed() } else { Duration::ZERO };
        let usage = Usage { queued, isolate: creation_time, ..Usage::default() };
        let key = request.warm_key.clone();
        let (outcome, is_clean) = match &self.tokio {
            Some(tokio) => worker.run(tokio, &self.config, id, request, started_at, usage),
            None => (Outcome::not_run(ExecutionError::platform("there is no event loop"), queued), false),
        };
        worker.runs += 1;
        worker.key = key;
        let is_reusable = is_clean
            && self.options.share != Share::Execution
            && worker.runs < self.options.max_runs
            && worker.first_run_at.elapsed() < self.options.max_age
            && worker.memory.used().is_some_and(|used| used <= self.options.max_memory);
        complete(outcome, if is_reusable { AfterRun::Search } else { AfterRun::CleanUp });
        // Dropping the worker kills it.
        self.worker = is_reusable.then_some(worker);
    }

    /// Takes the worker process if it fits the request, else starts one.
    fn acquire(&mut self, request: &Request) -> Result<Worker, ExecutionError> {
        if let Some(reason) = request.termination.reason() {
            return Err(termination_error(reason, &request.limits));
        }
        let fits = |worker: &Worker| {
            let has_key = worker.key.as_ref().is_none_or(|key| Some(key) == request.warm_key.as_ref());
            // It can be killed from outside while it is idle.
            has_key && !worker.process.has_ended()
        };
        match self.worker.take().filter(fits) {
            Some(worker) => Ok(worker),
            None => self.start(&request.limits),
        }
    }
}

impl Worker {
    /// Runs an execution. Returns its outcome, and whether the process can run another.
    fn run(
        &mut self,
        tokio: &Runtime,
        config: &PoolConfig,
        id: u64,
        request: Request,
        started_at: Instant,
        usage: Usage,
    ) -> (Outcome, bool) {
        let Request { script, argument, principal, limits, termination, log, deadline, .. } = request;
        if self.runs == 0 {
            self.first_run_at = started_at;
        }
        let cpu_at_start = self.clock.and_then(CpuClock::now);
        let target = WatchTarget {
            termination: Arc::clone(&termination),
            deadline: started_at.checked_add(limits.time + LIMIT_GRACE_PERIOD).map(|at| (at, Limit::Time)),
            cpu: self.clock.zip(cpu_at_start).map(|(clock, start)| CpuWatch {
                clock,
                deadline: limits.cpu_time.map(|limit| start + limit + LIMIT_GRACE_PERIOD),
                last: start,
            }),
            memory: Some(MemoryWatch::Process {
                memory: Arc::clone(&self.memory),
                limit: limits.memory.saturating_add(limits.buffers).saturating_add(MEMORY_ALLOWANCE),
            }),
        };
        let watch = match watchdog::watch(target) {
            Ok(watch) => watch,
            Err(error) => {
                let error = format!("cannot start the thread that keeps time limits: {error}");
                return (Outcome { result: Err(ExecutionError::platform(error)), usage }, false);
            }
        };
        let armed = termination.arm_process(self.process.killer());
        let end = deadline.into_iter().chain(started_at.checked_add(limits.time)).min();
        let idp = Arc::clone(&config.isolate.idp);
        let mut calls = Calls::new(idp, principal.clone(), end, id.to_string().into(), &limits);
        let mut fetches = Fetches::new(config.isolate.fetch.clone());
        let sink = console::log_sink(log, &limits);
        let done = tokio.block_on(until_terminated(&termination, async {
            self.start_execution(&script, argument.as_str(), &principal, &limits)?;
            let (max_body, ..) = config.isolate.fetch.maxima();
            self.link.converse(&mut calls, &mut fetches, max_body, &sink).await
        }));
        drop((armed, watch, calls, fetches));

        let cpu_time = self.clock.and_then(CpuClock::now).zip(cpu_at_start).map(|(now, start)| now - start);
        let usage = Usage { wall_time: started_at.elapsed(), cpu_time, ..usage };
        match (termination.reason(), done) {
            (Some(reason), _) => {
                let mut usage = usage;
                if let TerminationReason::Limit(Limit::Memory, used) = reason {
                    usage.peak_heap = used;
                }
                (Outcome { result: Err(termination_error(reason, &limits)), usage }, false)
            }
            (None, Some(Ok(done))) => {
                let Done { result, isolate, peak_heap, is_clean } = done;
                let usage = Usage {
                    isolate: usage.isolate.max(isolate.min(usage.wall_time)),
                    peak_heap: usize::try_from(peak_heap).unwrap_or(usize::MAX),
                    ..usage
                };
                let invalid = || crash("the worker process sent a result that is none");
                let result = match result {
                    Ok(json) => parse_result(&json, &limits.result).ok_or_else(invalid),
                    Err(failure) => Err(failure.into_error().unwrap_or_else(invalid)),
                };
                (Outcome { result, usage }, is_clean)
            }
            (None, Some(Err(WorkerError::Closed | WorkerError::Io(_)))) => {
                let ended = self.process.wait();
                tracing::warn!(
                    script = %script.specifier(), exit = ?ended.exit, stderr = ended.stderr,
                    "a worker process ended abnormally"
                );
                let how = match ended.exit {
                    // Only if the host asked for it: see `ProcessOptions::report_unknown_calls`.
                    Exit::Status(UNKNOWN_CALL_STATUS) => ended.stderr,
                    Exit::Signal(signal) => format!("the engine ended abnormally, with signal {}", signal_name(signal)),
                    Exit::Status(status) => format!("the engine ended abnormally, with status {status}"),
                    Exit::Unknown => "the engine ended abnormally".to_owned(),
                };
                (Outcome { result: Err(crash(how)), usage }, false)
            }
            (None, Some(Err(error))) => {
                self.process.kill();
                tracing::error!(script = %script.specifier(), %error, "a worker process breaks the protocol");
                (
                    Outcome { result: Err(crash(format!("the worker process breaks the protocol: {error}"))), usage },
                    false,
                )
            }
            (None, None) => (Outcome { result: Err(crash("the execution ended without a result")), usage }, false),
        }
    }

    /// Sends the worker what it needs for an execution.
    fn start_execution(
        &mut self,
        script: &Script,
        argument: &str,
        principal: &Principal,
        limits: &Limits,
    ) -> Result<(), WorkerError> {
        let next = self.scripts.len() as u64;
        let number = match self.scripts.get(&script.id()) {
            Some((number, _)) => *number,
            None => {
                self.link.send(&ToWorker::Script { script: next, modules: script.to_sources() })?;
                self.scripts.insert(script.id(), (next, script.clone()));
                next
            }
        };
        let invoker = principal.invoker().and_then(|invoker| serde_json::to_string(invoker).ok());
        let (argument, limits) = (argument.to_owned(), limits.clone());
        self.link.send(&ToWorker::Run(Box::new(Run { script: number, argument, invoker, limits })))
    }
}

/// The error of a worker that ended, or had to be ended.
fn crash(message: impl Into<String>) -> ExecutionError {
    let error = ExecutionError::with_stack(ErrorKind::UserRuntime, "Error".to_owned(), message.into(), None);
    ExecutionError { limit: Some(Limit::Crash), ..error }
}

/// Such as `SIGABRT` for 6.
fn signal_name(signal: i32) -> String {
    let name = match signal {
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGILL => "SIGILL",
        libc::SIGKILL => "SIGKILL",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGSYS => "SIGSYS",
        libc::SIGTERM => "SIGTERM",
        libc::SIGTRAP => "SIGTRAP",
        _ => return signal.to_string(),
    };
    name.to_owned()
}

//! Executions in worker processes, as the host sees them.
//!
//! A worker process is taken to be under an attacker's control. The host bounds everything that it receives, and takes principal,
//! deadline and limits from its own state.

use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use deno_core::futures::future::BoxFuture;
use deno_core::futures::stream::{FuturesUnordered, StreamExt};
use tokio::net::UnixStream;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::thread::until_terminated;
use super::{AfterRun, Outcome, Request, WarmKey, termination_error};
use crate::extension::ConsoleSink;
use crate::function::clock::CpuClock;
use crate::function::console;
use crate::function::execution::{ErrorKind, ExecutionError, Usage};
use crate::function::isolate::BuiltinGuards;
use crate::function::limits::{Limit, Limits};
use crate::function::pool::{Isolation, PoolConfig};
use crate::function::process::{
    Answer, Done, Exit, Fetches, FromWorker, Inbox, LaunchError, MAX_CALL_BYTES, Malformed, Operation, Preparation,
    ProcessMemory, Run, ToWorker, WorkerProcess, encode, launch, max_result_bytes, parse_result,
};
use crate::function::script::Script;
use crate::function::termination::TerminationReason;
use crate::function::watchdog::{self, CpuWatch, MemoryWatch, WatchTarget};
use crate::function::workers::{ProcessOptions, Share};
use crate::idp::{CallContext, IdentityProvider, NamespaceName, Principal, UserKey};

/// Time beyond a limit in which the worker can end the script itself, with the better error. Then it is killed.
const LIMIT_GRACE_PERIOD: Duration = Duration::from_millis(50);

/// Memory that a worker process may hold beyond the script's limits and its own start: what V8 needs for a garbage collection, and
/// the messages in transit.
const MEMORY_ALLOWANCE: usize = 32 * 1024 * 1024;

/// Time in which a new worker has to create its isolate. It takes some milliseconds on an idle machine.
const PREPARE_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of answers that wait for the worker to read them, from which on no further call is answered.
const MAX_WAITING_ANSWERS: usize = 8 * 1024 * 1024;

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

/// Reason why a worker process cannot go on.
#[derive(Debug, thiserror::Error)]
enum WorkerError {
    #[error("its connection is closed")]
    Closed,
    #[error("{0}")]
    Malformed(#[from] Malformed),
    #[error("{0}")]
    Violation(&'static str),
    #[error("{0}")]
    Io(#[from] io::Error),
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

    fn start(&mut self, limits: &Limits) -> Result<Worker, ExecutionError> {
        let failed =
            |error: &dyn std::fmt::Display| ExecutionError::platform(format!("cannot start a worker process: {error}"));
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
        let (process, socket) = launch(self.options.program.as_deref())
            .map_err(|error: LaunchError| ExecutionError::platform(error.to_string()))?;
        let memory = Arc::new(ProcessMemory::of(process.pid()).map_err(|error| failed(&error))?);
        let clock = CpuClock::of_process(process.pid());
        let tokio = match self.tokio.take() {
            Some(tokio) => tokio,
            None => {
                tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| failed(&error))?
            }
        };
        let tokio = self.tokio.insert(tokio);
        let link = {
            let _context = tokio.enter();
            Link::new(socket).map_err(|error| failed(&error))?
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
                return Err(failure.into_error().unwrap_or_else(|| failed(&"its isolate")));
            }
            Ok(_) => return Err(failed(&WorkerError::Violation("its first message is of another kind"))),
            Err(error) => {
                worker.process.kill();
                let ended = worker.process.wait();
                tracing::error!(%error, exit = ?ended.exit, stderr = ended.stderr, "a worker process did not start");
                return Err(failed(&format_args!("{error} ({:?}; {})", ended.exit, ended.stderr)));
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
        let fits = |worker: &Worker| worker.key.as_ref().is_none_or(|key| Some(key) == request.warm_key.as_ref());
        match self.worker.take().filter(fits) {
            Some(worker) => Ok(worker),
            // Once more, if the process was killed while it started.
            None => self.start(&request.limits).or_else(|_| self.start(&request.limits)),
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
        let failed = |error: String| {
            let outcome = Outcome { result: Err(ExecutionError::platform(error)), usage };
            (outcome, false)
        };
        let watch = match watchdog::watch(target) {
            Ok(watch) => watch,
            Err(error) => return failed(format!("cannot start the thread that keeps time limits: {error}")),
        };
        let armed = match self.process.killer() {
            Ok(kill) => termination.arm_process(kill),
            Err(error) => return failed(format!("cannot watch a worker process: {error}")),
        };
        let end = deadline.into_iter().chain(started_at.checked_add(limits.time)).min();
        let mut calls = Calls {
            idp: Arc::clone(&config.isolate.idp),
            principal: principal.clone(),
            deadline: end,
            execution_id: id.to_string().into(),
            contexts: HashMap::new(),
            running: FuturesUnordered::new(),
            made: 0,
            bytes: 0,
            limits: &limits,
        };
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

/// The calls of an execution.
struct Calls<'a> {
    idp: Arc<dyn IdentityProvider>,
    principal: Principal,
    deadline: Option<Instant>,
    execution_id: Arc<str>,
    contexts: HashMap<String, Arc<CallContext>>,
    running: FuturesUnordered<BoxFuture<'static, Answered>>,
    made: usize,
    /// Size of the messages of running calls.
    bytes: usize,
    limits: &'a Limits,
}

/// The answer to a call.
struct Answered {
    call: u64,
    answer: Answer,
    /// Size of the message of the call.
    bytes: usize,
}

/// Namespaces of an execution whose call contexts are kept. Most scripts use one.
const MAX_CONTEXTS: usize = 16;

impl Calls<'_> {
    /// Starts a call.
    fn start(&mut self, call: u64, namespace: String, operation: Operation, bytes: usize) -> Result<(), WorkerError> {
        self.made += 1;
        self.bytes += bytes;
        // The worker keeps the same limits, and tells the script of them.
        if self.made > self.limits.calls {
            return Err(WorkerError::Violation("it makes more calls than it may"));
        }
        if self.running.len() >= self.limits.calls_in_flight.max(1) {
            return Err(WorkerError::Violation("it makes more calls at once than it may"));
        }
        if self.bytes > self.limits.buffers.saturating_add(MAX_CALL_BYTES) {
            return Err(WorkerError::Violation("the arguments of its calls are too large"));
        }
        let context = match self.contexts.get(&namespace) {
            Some(context) => Arc::clone(context),
            None => {
                let name =
                    NamespaceName::new(&namespace).map_err(|_| WorkerError::Violation("a namespace is invalid"))?;
                let mut context =
                    CallContext::new(name, self.principal.clone()).execution_id(Arc::clone(&self.execution_id));
                context.deadline = self.deadline;
                if self.contexts.len() >= MAX_CONTEXTS {
                    self.contexts.clear();
                }
                Arc::clone(self.contexts.entry(namespace).or_insert(Arc::new(context)))
            }
        };
        let idp = Arc::clone(&self.idp);
        self.running.push(Box::pin(async move {
            let answer = answer(&*idp, &context, operation).await;
            Answered { call, answer, bytes }
        }));
        Ok(())
    }

    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Option<Answered>> {
        let answered = ready!(self.running.poll_next_unpin(cx));
        self.bytes -= answered.as_ref().map_or(0, |answered| answered.bytes);
        Poll::Ready(answered)
    }
}

async fn answer(idp: &dyn IdentityProvider, context: &CallContext, operation: Operation) -> Answer {
    match operation {
        Operation::UserById(id) => idp.user(context, UserKey::Id(&id)).await.into(),
        Operation::UserByName(name) => idp.user(context, UserKey::Name(&name)).await.into(),
        Operation::DeleteUser(id) => idp.delete_user(context, &id).await.into(),
        Operation::Users(request) => idp.users(context, request.into()).await.into(),
        Operation::CreateUser(request) => idp.create_user(context, request.into()).await.into(),
        Operation::UpdateUser(request) => idp.update_user(context, request.into()).await.into(),
        Operation::SendPasswordResetEmail(request) => {
            idp.send_password_reset_email(context, request.into()).await.into()
        }
        Operation::UnenrollMfa(request) => idp.unenroll_mfa(context, request.into()).await.into(),
    }
}

/// The connection to a worker process.
struct Link {
    socket: UnixStream,
    inbox: Inbox,
    outbox: Vec<u8>,
    /// Bytes of the outbox that are sent.
    sent: usize,
}

impl Link {
    fn new(socket: std::os::unix::net::UnixStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self { socket: UnixStream::from_std(socket)?, inbox: Inbox::default(), outbox: Vec::new(), sent: 0 })
    }

    /// Puts a message into the outbox, which is sent while the link is polled.
    fn send(&mut self, message: &ToWorker) -> Result<(), WorkerError> {
        Ok(encode(&mut self.outbox, message)?)
    }

    /// Sends what is in the outbox, and waits for a message.
    async fn receive(&mut self, max: usize) -> Result<(FromWorker, usize), WorkerError> {
        poll_fn(|cx| {
            self.poll_flush(cx)?;
            self.poll_receive(cx, max)
        })
        .await
    }

    /// Writes what the socket takes.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Result<(), WorkerError> {
        while self.sent < self.outbox.len() {
            match self.socket.try_write(&self.outbox[self.sent..]) {
                Ok(written) => self.sent += written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // Registers the task. If the socket became writable meanwhile, it tries again.
                    match self.socket.poll_write_ready(cx) {
                        Poll::Ready(ready) => ready?,
                        Poll::Pending => return Ok(()),
                    }
                }
                // A worker that has ended is noticed when it is read from.
                Err(_) => self.sent = self.outbox.len(),
            }
        }
        self.outbox.clear();
        self.sent = 0;
        if self.outbox.capacity() > MAX_WAITING_ANSWERS {
            self.outbox = Vec::new();
        }
        Ok(())
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>, max: usize) -> Poll<Result<(FromWorker, usize), WorkerError>> {
        loop {
            if let Some(message) = self.inbox.next(max)? {
                return Poll::Ready(Ok(message));
            }
            let Self { socket, inbox, .. } = self;
            match inbox.receive(|buffer| socket.try_read(buffer)) {
                Ok(0) => return Poll::Ready(Err(WorkerError::Closed)),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready!(socket.poll_read_ready(cx))?,
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
    }

    /// Serves an execution until it is done.
    async fn converse(
        &mut self,
        calls: &mut Calls<'_>,
        fetches: &mut Fetches,
        max_body: u64,
        sink: &ConsoleSink,
    ) -> Result<Done, WorkerError> {
        let limits = calls.limits;
        let max_body = usize::try_from(max_body).unwrap_or(usize::MAX);
        let longest = max_result_bytes(&limits.result).max(limits.log_bytes).max(max_body);
        let max = longest.saturating_add(MAX_CALL_BYTES);
        poll_fn(|cx| {
            loop {
                // Reads always, so that a worker that waits to write goes on and reads.
                let received = self.poll_receive(cx, max)?;
                let is_idle = received.is_pending();
                if let Poll::Ready((message, bytes)) = received {
                    match message {
                        FromWorker::Call { .. } if bytes > MAX_CALL_BYTES => {
                            return Poll::Ready(Err(WorkerError::Violation("the arguments of a call are too large")));
                        }
                        FromWorker::Call { call, namespace, operation } => {
                            calls.start(call, namespace, operation, bytes)?;
                        }
                        FromWorker::Log { level, text } => sink(level, &text),
                        FromWorker::Fetch { request, command } => fetches.handle(request, command),
                        FromWorker::Done(done) => return Poll::Ready(Ok(*done)),
                        FromWorker::Prepared(_) => {
                            return Poll::Ready(Err(WorkerError::Violation("a message is out of turn")));
                        }
                    }
                }
                let mut has_answered = false;
                while self.outbox.len() - self.sent < MAX_WAITING_ANSWERS
                    && let Poll::Ready(Some(Answered { call, answer, .. })) = calls.poll_answer(cx)
                {
                    self.send(&ToWorker::Answer { call, answer })?;
                    has_answered = true;
                }
                while self.outbox.len() - self.sent < MAX_WAITING_ANSWERS
                    && let Poll::Ready(message) = fetches.poll_message(cx)
                {
                    self.send(&message)?;
                    has_answered = true;
                }
                self.poll_flush(cx)?;
                if is_idle && !has_answered {
                    return Poll::Pending;
                }
            }
        })
        .await
    }
}

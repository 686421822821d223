//! A worker: one thread, its isolate, and the executions in it.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use deno_core::v8::{Function, Global};
use tokio::runtime::Runtime;

use super::config::{Isolation, PoolConfig};
use super::job::{Job, Outcome, Request, WarmKey, termination_error};
use super::shared::{ActiveJob, AfterJob, IdleWorker, WorkerPermit};
use super::slot::{Command, WorkerSlot};
use crate::extension::CallScope;
use crate::function::clock::ThreadClock;
use crate::function::console;
use crate::function::crash;
use crate::function::execution::{ExecutionError, Usage};
use crate::function::isolate::Isolate;
use crate::function::limits::{Limit, Limits};
use crate::function::termination::{TerminationHandle, TerminationReason};
use crate::function::watchdog::{self, CpuWatch, WatchTarget};

/// Threads per worker for blocking work, such as WebCrypto. More would only compete for the cores.
const MAX_BLOCKING_THREADS: usize = 4;

/// Time in which work that a script has left in the event loop has to end, for the isolate to be reused.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(20);

/// Jobs at the head of the queue among which a worker prefers one for its warm isolate.
const QUEUE_SCAN_DEPTH: usize = 16;

/// A worker of a pool.
pub(super) struct Worker<'a> {
    permit: &'a WorkerPermit,
    config: Arc<PoolConfig>,
    slot: Arc<WorkerSlot>,
    clock: Option<ThreadClock>,
    // Declared before `tokio`: an isolate has to be dropped before the event loop that it was created in.
    isolate: Option<WorkerIsolate>,
    tokio: Option<Runtime>,
    /// Whether preparing isolates has succeeded so far.
    can_prepare: bool,
}

/// Reason why a worker exits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WorkerExit {
    /// It is not needed any more.
    Idle,
    /// Its thread cannot run further isolates. Queued jobs need another worker.
    Replace,
}

/// An isolate, and the handler that is loaded in it.
struct WorkerIsolate {
    isolate: Isolate,
    warm: Option<WarmHandler>,
}

/// Handler of a loaded script, for reuse.
struct WarmHandler {
    key: WarmKey,
    handler: Global<Function>,
    runs: u32,
    first_run_at: Instant,
}

/// Result of [`Worker::run_in`].
struct FinishedRun {
    outcome: Outcome,
    is_terminated: bool,
}

impl<'a> Worker<'a> {
    pub(super) fn new(config: Arc<PoolConfig>, permit: &'a WorkerPermit) -> Self {
        Self {
            permit,
            config,
            slot: Arc::default(),
            clock: ThreadClock::of_this_thread(),
            isolate: None,
            tokio: None,
            can_prepare: true,
        }
    }

    /// Runs jobs until the worker is idle for too long, the pool is closed, or a job panics.
    pub(super) fn run(&mut self) -> WorkerExit {
        while let Command::Run(job) = self.next_command() {
            let is_panic = catch_unwind(AssertUnwindSafe(|| self.execute(*job))).is_err();
            if is_panic {
                // The state of the isolate is unknown after a panic.
                tracing::error!("a function's thread panicked");
            }
            // QuickJS crashes after many isolates on one thread.
            if is_panic || cfg!(feature = "quickjs") {
                return WorkerExit::Replace;
            }
        }
        WorkerExit::Idle
    }

    /// Takes a job from the queue, or becomes idle and waits for a command.
    fn next_command(&mut self) -> Command {
        let shared = Arc::clone(self.permit.shared());
        loop {
            let mut state = shared.lock();
            self.permit.start_searching(&mut state);
            let warm = self.isolate.as_ref().and_then(|isolate| isolate.warm.as_ref());
            let warm_key = warm.map(|warm| warm.key.clone());
            let mut head = state.queue.iter().take(QUEUE_SCAN_DEPTH);
            let index = head.position(|job| warm_key.is_some() && job.request.warm_key == warm_key).unwrap_or(0);
            if let Some(job) = state.queue.remove(index) {
                self.permit.stop_searching(&mut state);
                return Command::Run(Box::new(job));
            }
            if state.is_closed {
                return Command::Exit;
            }
            let is_wanted = self.isolate.is_none()
                && self.can_prepare
                && self.config.isolation == Isolation::Fresh
                && state.idle.iter().filter(|idle| idle.is_prepared).count() < self.config.prepared_workers;
            if is_wanted {
                drop(state);
                if let Err(error) = self.prepare() {
                    // The next execution tries again, and returns the error.
                    tracing::warn!(%error, "cannot prepare an isolate");
                    self.can_prepare = false;
                }
                continue;
            }
            self.permit.stop_searching(&mut state);
            let is_prepared = self.isolate.is_some() && warm_key.is_none();
            state.idle.push(IdleWorker { slot: Arc::clone(&self.slot), warm_key, is_prepared });
            drop(state);
            return self.wait_for_command();
        }
    }

    /// Waits for a command. Exits after the idle timeout, if enough other workers are idle.
    fn wait_for_command(&self) -> Command {
        loop {
            if let Some(command) = self.slot.take_timeout(self.config.idle_timeout) {
                return command;
            }
            let mut state = self.permit.shared().lock();
            match state.idle.iter().position(|idle| Arc::ptr_eq(&idle.slot, &self.slot)) {
                // Not idle any more: the pool is about to put a command into the slot.
                None => break,
                Some(index) if state.idle.len() > self.config.prepared_workers => {
                    state.idle.remove(index);
                    return Command::Exit;
                }
                Some(_) => {}
            }
        }
        self.slot.take()
    }

    /// Creates an isolate ahead of the next job.
    fn prepare(&mut self) -> Result<(), ExecutionError> {
        let config = Arc::clone(&self.config);
        self.isolate = Some(self.new_isolate(&config.limits)?);
        Ok(())
    }

    fn new_isolate(&mut self, limits: &Limits) -> Result<WorkerIsolate, ExecutionError> {
        let config = Arc::clone(&self.config);
        let _context = self.event_loop()?.enter();
        Ok(WorkerIsolate { isolate: Isolate::new(&config.isolate, limits)?, warm: None })
    }

    /// The event loop of the isolate, created if there is none.
    fn event_loop(&mut self) -> Result<&Runtime, ExecutionError> {
        if self.tokio.is_none() {
            let tokio = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .max_blocking_threads(MAX_BLOCKING_THREADS)
                .build()
                .map_err(|error| ExecutionError::platform(format!("cannot start the event loop: {error}")))?;
            self.tokio = Some(tokio);
        }
        self.current_event_loop()
    }

    fn current_event_loop(&self) -> Result<&Runtime, ExecutionError> {
        self.tokio.as_ref().ok_or_else(|| ExecutionError::platform("there is no event loop"))
    }

    /// Runs a job: acquires an isolate, runs the execution in it, completes the job, and retires the isolate.
    fn execute(&mut self, job: Job) {
        let started_at = Instant::now();
        let Job { id, request, outcome } = job;
        let job = ActiveJob::new(self.permit, id, outcome);
        let queued = started_at.duration_since(request.submitted_at);
        let not_run = |job: ActiveJob<'_>, error| job.complete(Outcome::not_run(error, queued), AfterJob::Search);
        // Isolates are created, used and dropped in the context of the event loop, also on panic.
        let handle = match self.event_loop() {
            Ok(tokio) => tokio.handle().clone(),
            Err(error) => return not_run(job, error),
        };
        let _context = handle.enter();

        let (mut isolate, creation_time) = match self.acquire(&request) {
            Ok(acquired) => acquired,
            Err(error) => return not_run(job, error),
        };
        let usage = Usage { queued, isolate: creation_time, ..Usage::default() };
        let FinishedRun { outcome, is_terminated } = match self.run_in(&mut isolate, id, request, started_at, usage) {
            Ok(finished) => finished,
            Err(error) => return not_run(job, error),
        };
        let is_clean = !is_terminated && isolate.isolate.is_idle() && !self.config.isolate.is_inspected();
        job.complete(outcome, if is_clean { AfterJob::Search } else { AfterJob::CleanUp });
        self.retire(isolate, is_terminated);
    }

    /// First step: takes the worker's isolate if it fits the request, else creates one. Returns it with the creation time.
    fn acquire(&mut self, request: &Request) -> Result<(WorkerIsolate, Duration), ExecutionError> {
        if let Some(reason) = request.termination.reason() {
            return Err(termination_error(reason, &request.limits));
        }
        // An isolate that does not fit is dropped first: a thread can have only one.
        self.isolate = self.isolate.take().filter(|current| {
            let has_key = current.warm.as_ref().is_none_or(|warm| Some(&warm.key) == request.warm_key.as_ref());
            has_key && current.isolate.has_limits(&request.limits)
        });
        if let Some(isolate) = self.isolate.take() {
            return Ok((isolate, Duration::ZERO));
        }
        let started_at = Instant::now();
        let isolate = self.new_isolate(&request.limits)?;
        Ok((isolate, started_at.elapsed()))
    }

    /// Second step: loads the script, if the isolate has not loaded it yet, and calls its handler, within the limits.
    fn run_in(
        &self,
        isolate: &mut WorkerIsolate,
        id: u64,
        request: Request,
        started_at: Instant,
        usage: Usage,
    ) -> Result<FinishedRun, ExecutionError> {
        let Request { script, argument, principal, limits, warm_key, termination, logs, on_log, deadline, .. } =
            request;
        let WorkerIsolate { isolate, warm } = isolate;
        let tokio = self.current_event_loop()?;
        let cpu_at_start = self.clock.and_then(ThreadClock::now);

        let target = self.watch_target(isolate, &limits, &termination, started_at, cpu_at_start);
        let deadline = deadline.into_iter().chain(target.deadline.map(|(at, _)| at)).min();
        let call_scope = CallScope { deadline, id: Some(id.to_string().into()) };
        let sink = console::log_sink(logs, on_log, &limits);
        let mut execution = isolate.begin(&script, principal, call_scope, sink, &limits, &termination);
        let watch = watchdog::watch(target).map_err(|error| {
            ExecutionError::platform(format!("cannot start the thread that keeps time limits: {error}"))
        })?;
        let armed = termination.arm(execution.handle());
        let crash_guard = crash::enter(&termination, None);
        #[cfg(feature = "inspector")]
        if let Some(inspector) = &self.config.isolate.inspector {
            execution.register_inspector(inspector, &script, &termination);
        }
        let result = tokio.block_on(until_terminated(&termination, async {
            #[cfg(feature = "inspector")]
            if let Some(inspector) = &self.config.isolate.inspector {
                execution.wait_for_debugger(inspector);
                // Lets `until_terminated` see a termination that has ended the wait.
                tokio::task::yield_now().await;
            }
            let handler = match &*warm {
                Some(warm) => warm.handler.clone(),
                None => execution.load(&script).await?,
            };
            if let (None, Some(key)) = (&*warm, warm_key) {
                *warm = Some(WarmHandler { key, handler: handler.clone(), runs: 0, first_run_at: started_at });
            }
            let result = execution.call(&handler, &argument, &limits).await;
            if termination.reason().is_none() {
                execution.warn_about_calls_in_flight();
            }
            result
        }));
        drop(armed);
        drop(watch);
        drop(execution);
        drop(crash_guard);

        let mut peak_heap = isolate.peak_heap();
        let cpu_time = self.clock.and_then(ThreadClock::now).zip(cpu_at_start).map(|(now, start)| now - start);
        let wall_time = started_at.elapsed();
        let reason = termination.reason();
        let result = match reason {
            Some(TerminationReason::Limit(Limit::Memory, used)) => {
                // The allocation that did not fit is not part of the heap size: report more than the limit.
                let used = used.max(peak_heap).max(limits.memory.saturating_add(1));
                peak_heap = used;
                Err(termination_error(TerminationReason::Limit(Limit::Memory, used), &limits))
            }
            Some(reason) => Err(termination_error(reason, &limits)),
            None => result.unwrap_or_else(|| Err(ExecutionError::platform("the execution ended without a result"))),
        };
        let usage = Usage { wall_time, cpu_time, peak_heap, ..usage };
        Ok(FinishedRun { outcome: Outcome { result, usage }, is_terminated: reason.is_some() })
    }

    /// Limits that the watchdog enforces.
    fn watch_target(
        &self,
        isolate: &Isolate,
        limits: &Limits,
        termination: &Arc<TerminationHandle>,
        started_at: Instant,
        cpu_at_start: Option<Duration>,
    ) -> WatchTarget {
        // A debugger can pause a script for any time.
        let has_time_limits = !self.config.isolate.is_inspected();
        let cpu = self.clock.zip(cpu_at_start).map(|(clock, start)| CpuWatch {
            clock,
            deadline: limits.cpu_time.filter(|_| has_time_limits).map(|limit| start.saturating_add(limit)),
            last: start,
        });
        let deadline = started_at.checked_add(limits.time).filter(|_| has_time_limits);
        WatchTarget {
            termination: Arc::clone(termination),
            deadline: deadline.map(|at| (at, Limit::Time)),
            cpu,
            memory: Some(Arc::clone(isolate.memory())),
        }
    }

    /// Third step: keeps the isolate for the next job if it can be reused, else drops it.
    fn retire(&mut self, mut isolate: WorkerIsolate, is_terminated: bool) {
        let mut is_clean = !is_terminated && isolate.isolate.is_idle();
        let tokio = self.tokio.as_ref().filter(|_| !is_terminated);
        if let Some(tokio) = tokio
            && !is_clean
            && isolate.warm.is_some()
        {
            is_clean = drain(tokio, &mut isolate.isolate, self.permit);
        }
        #[cfg(feature = "inspector")]
        if let Some(tokio) = tokio
            && self.config.isolate.is_inspected()
        {
            tokio.block_on(isolate.isolate.disconnect_debuggers());
        }
        if is_clean && self.is_reusable(&mut isolate) {
            self.isolate = Some(isolate);
        } else {
            drop(isolate);
        }
        if !is_clean && let Some(tokio) = self.tokio.take() {
            // Drops what the script has left in the event loop, without waiting for it.
            tokio.shutdown_background();
        }
    }

    /// Counts a run of a warm isolate. Returns whether it can be used again.
    fn is_reusable(&self, isolate: &mut WorkerIsolate) -> bool {
        let (Isolation::Reuse { max_runs, max_age }, Some(warm)) = (self.config.isolation, &mut isolate.warm) else {
            return false;
        };
        warm.runs += 1;
        warm.runs < max_runs && warm.first_run_at.elapsed() < max_age && !isolate.isolate.is_half_full()
    }
}

impl Drop for Worker<'_> {
    fn drop(&mut self) {
        // An isolate is dropped in the context of its event loop.
        let context = self.tokio.as_ref().map(Runtime::enter);
        self.isolate = None;
        drop(context);
        if let Some(tokio) = self.tokio.take() {
            tokio.shutdown_background();
        }
    }
}

/// Runs what the script has left in the event loop, for at most [`DRAIN_TIMEOUT`]. Returns whether the event loop is empty.
fn drain(tokio: &Runtime, isolate: &mut Isolate, permit: &WorkerPermit) -> bool {
    let termination = Arc::new(TerminationHandle::default());
    let deadline = Some((Instant::now() + DRAIN_TIMEOUT, Limit::Time));
    let target = WatchTarget { termination: Arc::clone(&termination), deadline, cpu: None, memory: None };
    let Ok(_watch) = watchdog::watch(target) else {
        return false;
    };
    let mut execution = isolate.begin_drain(&termination);
    let armed = termination.arm(execution.handle());
    let shared = Arc::clone(permit.shared());
    let _crash_guard = crash::enter(&termination, Some(Box::new(move || shared.lose_worker())));
    tokio.block_on(until_terminated(&termination, execution.drain()));
    drop(armed);
    drop(execution);
    termination.reason().is_none() && isolate.is_idle()
}

/// Runs a future until it is ready, or until the execution is terminated.
async fn until_terminated<T>(termination: &TerminationHandle, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        termination.register_worker(cx.waker());
        if termination.reason().is_some() {
            return Poll::Ready(None);
        }
        let poll = future.as_mut().poll(cx);
        if termination.reason().is_some() { Poll::Ready(None) } else { poll.map(Some) }
    })
    .await
}

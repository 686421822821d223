//! Executions in isolates of the current thread.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use deno_core::v8::{Function, Global};
use tokio::runtime::{Handle, Runtime};

use super::{AfterRun, Outcome, Request, WarmKey, termination_error};
use crate::extension::CallScope;
use crate::function::clock::CpuClock;
use crate::function::execution::{ExecutionError, Usage};
use crate::function::isolate::{Isolate, IsolateConfig};
use crate::function::limits::{Limit, Limits};
use crate::function::pool::Isolation;
use crate::function::termination::{TerminationHandle, TerminationReason};
use crate::function::watchdog::{self, CpuWatch, MemoryWatch, WatchTarget};
use crate::function::{console, crash};

/// Threads per worker for blocking work, such as WebCrypto. More would only compete for the cores.
const MAX_BLOCKING_THREADS: usize = 4;

/// Time in which work that a script has left in the event loop has to end, for the isolate to be reused.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(20);

/// Runs executions in isolates of the current thread, one at a time.
pub(in crate::function) struct ThreadRunner {
    config: IsolateConfig,
    isolation: Isolation,
    /// Gives up the worker when the engine crashes. None in a process of its own, which a crash may end.
    give_up: Option<Arc<dyn Fn() + Send + Sync>>,
    clock: Option<CpuClock>,
    // Declared before `tokio`: an isolate has to be dropped before the event loop that it was created in.
    isolate: Option<WarmIsolate>,
    tokio: Option<Runtime>,
}

/// An isolate, and the handler that is loaded in it.
struct WarmIsolate {
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

/// Result of [`ThreadRunner::run_in`].
struct FinishedRun {
    outcome: Outcome,
    is_terminated: bool,
}

impl ThreadRunner {
    /// Creates a runner for the current thread. `give_up` is called when the engine crashes between two executions, after which the
    /// thread never returns; without it, a crash ends the process.
    pub(in crate::function) fn new(
        config: IsolateConfig,
        isolation: Isolation,
        give_up: Option<Arc<dyn Fn() + Send + Sync>>,
    ) -> Self {
        Self { config, isolation, give_up, clock: CpuClock::of_this_thread(), isolate: None, tokio: None }
    }

    /// Whether there is an isolate, used or not.
    pub(in crate::function) fn has_isolate(&self) -> bool {
        self.isolate.is_some()
    }

    /// Key of the executions that can reuse the isolate. None if there is no isolate, or a new one.
    pub(in crate::function) fn warm_key(&self) -> Option<&WarmKey> {
        self.isolate.as_ref()?.warm.as_ref().map(|warm| &warm.key)
    }

    /// Creates an isolate ahead of the next execution.
    ///
    /// # Errors
    ///
    /// Fails if the isolate or its event loop cannot be created.
    pub(in crate::function) fn prepare(&mut self, limits: &Limits) -> Result<(), ExecutionError> {
        self.isolate = Some(self.new_isolate(limits)?);
        Ok(())
    }

    fn new_isolate(&mut self, limits: &Limits) -> Result<WarmIsolate, ExecutionError> {
        let _context = self.handle()?.enter();
        Ok(WarmIsolate { isolate: Isolate::new(&self.config, limits)?, warm: None })
    }

    /// The event loop in which isolates run, for tasks beside them. It is replaced after an execution that left work in it.
    ///
    /// # Errors
    ///
    /// Fails if the event loop cannot be created.
    pub(in crate::function) fn handle(&mut self) -> Result<Handle, ExecutionError> {
        self.event_loop().map(|tokio| tokio.handle().clone())
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

    /// Runs an execution: acquires an isolate, runs the script in it, passes the outcome to `complete`, and retires the isolate.
    pub(in crate::function) fn run(&mut self, id: u64, request: Request, complete: impl FnOnce(Outcome, AfterRun)) {
        let started_at = Instant::now();
        let queued = started_at.duration_since(request.submitted_at);
        // Isolates are created, used and dropped in the context of the event loop, also on panic.
        let handle = match self.handle() {
            Ok(handle) => handle,
            Err(error) => return complete(Outcome::not_run(error, queued), AfterRun::Search),
        };
        let _context = handle.enter();

        let (mut isolate, creation_time) = match self.acquire(&request) {
            Ok(acquired) => acquired,
            Err(error) => return complete(Outcome::not_run(error, queued), AfterRun::Search),
        };
        let usage = Usage { queued, isolate: creation_time, ..Usage::default() };
        let FinishedRun { outcome, is_terminated } = match self.run_in(&mut isolate, id, request, started_at, usage) {
            Ok(finished) => finished,
            Err(error) => return complete(Outcome::not_run(error, queued), AfterRun::Search),
        };
        let is_clean = !is_terminated && isolate.isolate.is_idle() && !self.config.is_inspected();
        complete(outcome, if is_clean { AfterRun::Search } else { AfterRun::CleanUp });
        self.retire(isolate, is_terminated);
    }

    /// First step: takes the worker's isolate if it fits the request, else creates one. Returns it with the creation time.
    fn acquire(&mut self, request: &Request) -> Result<(WarmIsolate, Duration), ExecutionError> {
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
        isolate: &mut WarmIsolate,
        id: u64,
        request: Request,
        started_at: Instant,
        usage: Usage,
    ) -> Result<FinishedRun, ExecutionError> {
        let Request { script, argument, principal, limits, warm_key, termination, log, deadline, .. } = request;
        let WarmIsolate { isolate, warm } = isolate;
        let tokio = self.current_event_loop()?;
        let cpu_at_start = self.clock.and_then(CpuClock::now);

        let target = self.watch_target(isolate, &limits, &termination, started_at, cpu_at_start);
        let deadline = deadline.into_iter().chain(target.deadline.map(|(at, _)| at)).min();
        let call_scope = CallScope { deadline, id: Some(id.to_string().into()) };
        let sink = console::log_sink(log, &limits);
        let mut execution = isolate.begin(&script, principal, call_scope, sink, &limits, &termination);
        let watch = watchdog::watch(target).map_err(|error| {
            ExecutionError::platform(format!("cannot start the thread that keeps time limits: {error}"))
        })?;
        let armed = termination.arm(execution.handle());
        // The caller waits for the execution, and gives up the worker when it sees the crash.
        let crash_guard = self.give_up.is_some().then(|| crash::enter(&termination, None));
        #[cfg(feature = "inspector")]
        if let Some(inspector) = &self.config.inspector {
            execution.register_inspector(inspector, &script, &termination);
        }
        let result = tokio.block_on(until_terminated(&termination, async {
            #[cfg(feature = "inspector")]
            if let Some(inspector) = &self.config.inspector {
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
        let cpu_time = self.clock.and_then(CpuClock::now).zip(cpu_at_start).map(|(now, start)| now - start);
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
        let has_time_limits = !self.config.is_inspected();
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
            memory: Some(MemoryWatch::Heap(Arc::clone(isolate.memory()))),
        }
    }

    /// Third step: keeps the isolate for the next job if it can be reused, else drops it.
    fn retire(&mut self, mut isolate: WarmIsolate, is_terminated: bool) {
        let mut is_clean = !is_terminated && isolate.isolate.is_idle();
        let tokio = self.tokio.as_ref().filter(|_| !is_terminated);
        if let Some(tokio) = tokio
            && !is_clean
            && isolate.warm.is_some()
        {
            is_clean = drain(tokio, &mut isolate.isolate, self.give_up.clone());
        }
        #[cfg(feature = "inspector")]
        if let Some(tokio) = tokio
            && self.config.is_inspected()
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
    fn is_reusable(&self, isolate: &mut WarmIsolate) -> bool {
        let (Isolation::Reuse { max_runs, max_age }, Some(warm)) = (self.isolation, &mut isolate.warm) else {
            return false;
        };
        warm.runs += 1;
        warm.runs < max_runs && warm.first_run_at.elapsed() < max_age && !isolate.isolate.is_half_full()
    }
}

impl Drop for ThreadRunner {
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
fn drain(tokio: &Runtime, isolate: &mut Isolate, give_up: Option<Arc<dyn Fn() + Send + Sync>>) -> bool {
    let termination = Arc::new(TerminationHandle::default());
    let deadline = Some((Instant::now() + DRAIN_TIMEOUT, Limit::Time));
    let target = WatchTarget { termination: Arc::clone(&termination), deadline, cpu: None, memory: None };
    let Ok(_watch) = watchdog::watch(target) else {
        return false;
    };
    let mut execution = isolate.begin_drain(&termination);
    let armed = termination.arm(execution.handle());
    let _crash_guard = give_up.map(|give_up| crash::enter(&termination, Some(Box::new(move || give_up()))));
    tokio.block_on(until_terminated(&termination, execution.drain()));
    drop(armed);
    drop(execution);
    termination.reason().is_none() && isolate.is_idle()
}

/// Runs a future until it is ready, or until the execution is terminated.
pub(super) async fn until_terminated<T>(termination: &TerminationHandle, future: impl Future<Output = T>) -> Option<T> {
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

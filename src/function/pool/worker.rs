//! A worker: its thread, its isolate, and the executions in it.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use deno_core::v8::{Function, Global};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use super::job::stopped;
use super::{Idle, Isolation, Job, Mailbox, Order, Outcome, Place, Pool, WarmKey};
use crate::function::clock::ThreadClock;
use crate::function::console;
use crate::function::execution::{ExecutionError, Usage};
use crate::function::isolate::Isolate;
use crate::function::limits::{Limit, Limits};
use crate::function::stop::{Reason, Stop};
use crate::function::watchdog::{self, CpuWatch, Watched};

/// Threads for what WebCrypto computes, for each worker: more of them would only slow the others down.
const BLOCKING_THREADS: usize = 4;

/// What a script that is done may leave running, and still have its isolate used again.
const TIDY_UP: Duration = Duration::from_millis(20);

/// Jobs at the head of the queue among which a worker looks for one that its isolate is warm for.
const LOOK_AHEAD: usize = 16;

pub(super) struct Worker<'a> {
    place: &'a Place,
    pool: Arc<Pool>,
    mailbox: Arc<Mailbox>,
    clock: Option<ThreadClock>,
    // Dropped before the event loop that it was made in.
    isolate: Option<Loaded>,
    tokio: Option<Runtime>,
    /// Whether isolates could be made ahead so far.
    can_prepare: bool,
}

/// An isolate, and what it is good for.
struct Loaded {
    isolate: Isolate,
    warm: Option<Warm>,
}

/// A script's handler, compiled.
struct Warm {
    key: WarmKey,
    handler: Global<Function>,
    runs: u32,
    since: Instant,
}

impl<'a> Worker<'a> {
    pub(super) fn new(pool: Arc<Pool>, place: &'a Place) -> Self {
        Self {
            place,
            pool,
            mailbox: Arc::default(),
            clock: ThreadClock::of_this_thread(),
            isolate: None,
            tokio: None,
            can_prepare: true,
        }
    }

    pub(super) fn run(mut self) {
        while let Order::Run(job) = self.next() {
            let id = job.id;
            let survived = catch_unwind(AssertUnwindSafe(|| self.execute(*job))).is_ok();
            if !survived {
                // The job's channel says so to its caller. What the thread's engine is in the midst of nobody knows.
                tracing::error!("a function's thread panicked");
                self.place.floor.state.lock().finish(id);
            }
            // QuickJS does not bear many isolates on one thread.
            if !survived || cfg!(feature = "quickjs") {
                self.pool.relieve(self.place);
                break;
            }
        }
    }

    /// Hands the outcome over. One that comes back at once says so before: who calls again need not have another worker.
    fn done(&self, id: u64, done: oneshot::Sender<Outcome>, outcome: Outcome, comes_back: bool) {
        let mut state = self.place.floor.state.lock();
        state.finish(id);
        if comes_back {
            state.coming += 1;
            self.place.is_coming.set(true);
        }
        drop(state);
        // A caller that has gone away needs no result.
        let _ = done.send(outcome);
    }

    /// The next job: from the queue, else the one that comes.
    fn next(&mut self) -> Order {
        let pool = Arc::clone(&self.pool);
        loop {
            let mut state = pool.floor.state.lock();
            if !self.place.is_coming.replace(true) {
                state.coming += 1;
            }
            let warm = self.isolate.as_ref().and_then(|loaded| loaded.warm.as_ref()).map(|warm| warm.key.clone());
            let mut head = state.queue.iter().take(LOOK_AHEAD);
            let index = head.position(|job| warm.is_some() && job.warm_key == warm).unwrap_or(0);
            if let Some(job) = state.queue.remove(index) {
                state.coming -= 1;
                self.place.is_coming.set(false);
                return Order::Run(Box::new(job));
            }
            if state.is_closed {
                return Order::Leave;
            }
            let is_wanted = self.isolate.is_none()
                && self.can_prepare
                && pool.config.isolation == Isolation::Fresh
                && state.idle.iter().filter(|idle| idle.is_prepared).count() < pool.config.prepared;
            if is_wanted {
                drop(state);
                if let Err(error) = self.prepare() {
                    // The next execution tries again, and has the error.
                    tracing::warn!(%error, "cannot prepare an isolate");
                    self.can_prepare = false;
                }
                continue;
            }
            state.coming -= 1;
            self.place.is_coming.set(false);
            let is_prepared = self.isolate.is_some() && warm.is_none();
            state.idle.push(Idle { worker: Arc::clone(&self.mailbox), warm, is_prepared });
            drop(state);
            return self.wait();
        }
    }

    /// Waits for an order; gives up where there are enough others.
    fn wait(&self) -> Order {
        loop {
            if let Some(order) = self.mailbox.take_within(self.pool.config.idle_timeout) {
                return order;
            }
            let mut state = self.pool.floor.state.lock();
            match state.idle.iter().position(|idle| Arc::ptr_eq(&idle.worker, &self.mailbox)) {
                // An order is on its way.
                None => break,
                Some(index) if state.idle.len() > self.pool.config.prepared => {
                    state.idle.remove(index);
                    return Order::Leave;
                }
                Some(_) => {}
            }
        }
        self.mailbox.take()
    }

    /// Makes an isolate ahead.
    fn prepare(&mut self) -> Result<(), ExecutionError> {
        let pool = Arc::clone(&self.pool);
        self.isolate = Some(self.new_isolate(&pool.config.limits)?);
        Ok(())
    }

    fn new_isolate(&mut self, limits: &Limits) -> Result<Loaded, ExecutionError> {
        let pool = Arc::clone(&self.pool);
        let _context = self.event_loop()?.enter();
        Ok(Loaded { isolate: Isolate::new(&pool.config.setup, limits)?, warm: None })
    }

    fn event_loop(&mut self) -> Result<&Runtime, ExecutionError> {
        if self.tokio.is_none() {
            let tokio = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .max_blocking_threads(BLOCKING_THREADS)
                .build()
                .map_err(|error| ExecutionError::platform(format!("cannot start the event loop: {error}")))?;
            self.tokio = Some(tokio);
        }
        self.tokio.as_ref().ok_or_else(|| ExecutionError::platform("there is no event loop"))
    }

    fn execute(&mut self, job: Job) {
        let began = Instant::now();
        let queued = began.duration_since(job.submitted);
        if let Some(reason) = job.stop.reason() {
            return self.done(job.id, job.done, Outcome::not_run(stopped(reason, &job.limits), queued), true);
        }
        let Job { id, script, argument, principal, limits, warm_key, stop, logs, on_log, done, .. } = job;
        // Isolates are made, used and dropped in the event loop's context, even if something panics.
        let handle = match self.event_loop() {
            Ok(tokio) => tokio.handle().clone(),
            Err(error) => return self.done(id, done, Outcome::not_run(error, queued), true),
        };
        let _context = handle.enter();
        // What does not fit the job goes first: there is never more than one isolate on the thread.
        self.isolate = self.isolate.take().filter(|loaded| {
            let fits = loaded.warm.as_ref().is_none_or(|warm| Some(&warm.key) == warm_key.as_ref());
            fits && loaded.isolate.is_for(&limits)
        });
        let (loaded, isolate) = match self.isolate.take() {
            Some(loaded) => (Ok(loaded), Duration::ZERO),
            None => {
                let began = Instant::now();
                (self.new_isolate(&limits), began.elapsed())
            }
        };
        let mut loaded = match loaded {
            Ok(loaded) => loaded,
            Err(error) => return self.done(id, done, Outcome::not_run(error, queued), true),
        };
        let Some(tokio) = &self.tokio else {
            let error = ExecutionError::platform("there is no event loop");
            return self.done(id, done, Outcome::not_run(error, queued), true);
        };

        // A script that is paused uses any amount of time.
        let is_inspected = self.pool.config.setup.is_inspected();
        let cpu_began = self.clock.and_then(ThreadClock::now);
        let cpu = self.clock.zip(cpu_began).map(|(clock, now)| CpuWatch {
            clock,
            until: limits.cpu_time.filter(|_| !is_inspected).map(|limit| now.saturating_add(limit)),
            seen: now,
        });
        let ends = began.checked_add(limits.time).map(|at| (at, Limit::Time));
        let memory = Some(Arc::clone(loaded.isolate.account()));
        let until = ends.filter(|_| !is_inspected);
        let watch = watchdog::watch(Watched { stop: Arc::clone(&stop), until, cpu, memory });
        let watch = match watch {
            Ok(watch) => watch,
            Err(error) => {
                let error =
                    ExecutionError::platform(format!("cannot start the thread that keeps time limits: {error}"));
                return self.done(id, done, Outcome::not_run(error, queued), true);
            }
        };

        let log = console::log(logs, on_log, &limits, Arc::clone(&stop));
        loaded.isolate.begin(&script, principal, log, &limits, &stop);
        let armed = stop.arm(loaded.isolate.handle());
        let keep = warm_key.map(|key| (key, began));
        #[cfg(feature = "inspector")]
        if let Some(inspector) = &self.pool.config.setup.inspector {
            loaded.isolate.offer(inspector, &script, &stop);
        }
        let result = tokio.block_on(stoppable(&stop, async {
            #[cfg(feature = "inspector")]
            if let Some(inspector) = &self.pool.config.setup.inspector {
                loaded.isolate.wait_for(inspector);
                // Lets the stop be seen that may have ended the wait.
                tokio::task::yield_now().await;
            }
            let handler = match &loaded.warm {
                Some(warm) => warm.handler.clone(),
                None => loaded.isolate.load(&script).await?,
            };
            if let (None, Some((key, since))) = (&loaded.warm, keep) {
                loaded.warm = Some(Warm { key, handler: handler.clone(), runs: 0, since });
            }
            let result = loaded.isolate.call(&handler, &argument, &limits).await;
            if stop.reason().is_none() {
                loaded.isolate.warn_of_calls_under_way();
            }
            result
        }));
        drop(armed);
        drop(watch);
        let mut peak_heap = loaded.isolate.end();
        let cpu_time = self.clock.and_then(ThreadClock::now).zip(cpu_began).map(|(now, began)| now - began);
        let wall_time = began.elapsed();
        let reason = stop.reason();
        let result = match reason {
            Some(Reason::Limit(Limit::Memory, used)) => {
                // What was wanted did not fit, so it was more than there is.
                let used = used.max(peak_heap).max(limits.memory.saturating_add(1));
                peak_heap = used;
                Err(stopped(Reason::Limit(Limit::Memory, used), &limits))
            }
            Some(reason) => Err(stopped(reason, &limits)),
            None => result.unwrap_or_else(|| Err(ExecutionError::platform("the execution ended without a result"))),
        };
        let failed_to_load = loaded.warm.is_none();
        let usage = Usage { queued, isolate, wall_time, cpu_time, peak_heap };
        let comes_back = reason.is_none() && loaded.isolate.is_idle() && !is_inspected;
        self.done(id, done, Outcome { result, usage }, comes_back);

        let mut is_left_clean = reason.is_none() && loaded.isolate.is_idle();
        if reason.is_none() && !is_left_clean && loaded.warm.is_some() {
            is_left_clean = tidied(tokio, &mut loaded.isolate);
        }
        #[cfg(feature = "inspector")]
        if is_inspected && reason.is_none() {
            tokio.block_on(loaded.isolate.take_leave());
        }
        if is_left_clean && !failed_to_load && self.stays(&mut loaded) {
            self.isolate = Some(loaded);
        } else {
            drop(loaded);
        }
        if !is_left_clean && let Some(tokio) = self.tokio.take() {
            // With what the script has left in it, and without waiting for it.
            tokio.shutdown_background();
        }
    }

    /// Whether a warm isolate is good for another run.
    fn stays(&self, loaded: &mut Loaded) -> bool {
        let (Isolation::Reuse { max_runs, max_age }, Some(warm)) = (self.pool.config.isolation, &mut loaded.warm)
        else {
            return false;
        };
        warm.runs += 1;
        warm.runs < max_runs && warm.since.elapsed() < max_age && !loaded.isolate.is_crowded()
    }
}

impl Drop for Worker<'_> {
    fn drop(&mut self) {
        // In the event loop that it was made in.
        let context = self.tokio.as_ref().map(Runtime::enter);
        self.isolate = None;
        drop(context);
        if let Some(tokio) = self.tokio.take() {
            tokio.shutdown_background();
        }
    }
}

/// Waits a moment for what the script has left behind, so that its isolate can be used again. Says whether all of it is done.
fn tidied(tokio: &Runtime, isolate: &mut Isolate) -> bool {
    let stop = Arc::new(Stop::default());
    let until = Some((Instant::now() + TIDY_UP, Limit::Time));
    let Ok(_watch) = watchdog::watch(Watched { stop: Arc::clone(&stop), until, cpu: None, memory: None }) else {
        return false;
    };
    isolate.begin_tidying(&stop);
    let armed = stop.arm(isolate.handle());
    tokio.block_on(stoppable(&stop, isolate.run_dry()));
    drop(armed);
    isolate.end();
    stop.reason().is_none() && isolate.is_idle()
}

/// Runs the work until it is done, or is to stop.
async fn stoppable<T>(stop: &Stop, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    poll_fn(|cx| {
        stop.wakes_worker(cx.waker());
        if stop.reason().is_some() {
            return Poll::Ready(None);
        }
        let poll = work.as_mut().poll(cx);
        if stop.reason().is_some() { Poll::Ready(None) } else { poll.map(Some) }
    })
    .await
}

//! The runtime as a host has it.

use std::future::{Future, poll_fn};
use std::num::NonZero;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use tokio::sync::oneshot;

#[cfg(feature = "inspector")]
use super::Inspector;
use super::execution::{Execution, ExecutionError, Invocation, LogLine, Usage};
use super::isolate::{Setup, Startup};
use super::limits::{Limit, Limits};
use super::memory::MIN_HEAP;
use super::pool::{self, Config, Isolation, Job, Outcome, Pool, Refused, WarmKey, stopped};
use super::script::Script;
use super::stop::{Reason, Stop};
use super::watchdog::{self, Watched};
use crate::extension::FetchSettings;
use crate::idp::{IdentityProvider, Principal};

/// Workers at the most: more than a machine has cores, since functions mostly wait.
const MAX_WORKERS: usize = 64;
/// Executions that may wait for their turn.
const QUEUE: usize = 1_000;
/// How long a worker stays without work.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// What a shutdown leaves to executions that it has ended to be gone.
const AFTERMATH: Duration = Duration::from_secs(2);

/// Runs function scripts over an identity provider.
///
/// Cheap to clone, and callable from any tokio task: isolates live on threads of their own, one each, that come and go as they
/// are needed.
///
/// V8 shares its read-only heap among the isolates of a process, so all of them have to start from one snapshot. A
/// process that runs function scripts here cannot at the same time have isolates from another snapshot, or from none.
#[derive(Clone)]
pub struct FunctionRuntime(Arc<Handle>);

/// What all clones hold, and no worker does: with the last of them the workers leave.
struct Handle(Arc<Pool>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Makes a [`FunctionRuntime`].
#[derive(Clone)]
#[must_use]
pub struct FunctionRuntimeBuilder(Config);

impl FunctionRuntimeBuilder {
    /// How executions share isolates: [`Isolation::Fresh`], unless it is said.
    pub fn isolation(mut self, isolation: Isolation) -> Self {
        self.0.isolation = isolation;
        self
    }

    /// What an execution may use whose invocation does not say: [`Limits::default`].
    pub fn limits(mut self, limits: Limits) -> Self {
        self.0.limits = limits;
        self
    }

    /// Workers that stay ready without work, each with an isolate prepared where isolates are fresh: as many as the machine
    /// has cores. 0 for a program that runs one script and ends.
    pub fn prepared(mut self, workers: usize) -> Self {
        self.0.prepared = workers;
        self
    }

    /// Executions that run at once, at the most: 64.
    pub fn max_workers(mut self, workers: NonZero<usize>) -> Self {
        self.0.max_workers = workers.get();
        self
    }

    /// Executions that wait for their turn, at the most: 1,000. More are refused, with [`Limit::Queue`] in their record.
    pub fn queue(mut self, executions: NonZero<usize>) -> Self {
        self.0.queue = executions.get();
        self
    }

    /// How long a worker stays without work, beyond those that are always ready: 30 s.
    pub fn idle_timeout(mut self, time: Duration) -> Self {
        self.0.idle_timeout = time;
        self
    }

    /// What `fetch` may do; nothing by default.
    pub fn fetch(mut self, settings: FetchSettings) -> Self {
        self.0.setup.fetch = settings;
        self
    }

    /// Lets debuggers attach. For the author of a script, at work on it: the runtime then runs one script at a time, each in a
    /// fresh isolate, and keeps no limit of time, nor a deadline, since a paused script uses any amount. Those of memory hold.
    ///
    /// A script that is paused ends as any other does, when its future is dropped or the runtime shuts down.
    #[cfg(feature = "inspector")]
    pub fn inspector(mut self, inspector: Inspector) -> Self {
        self.0.setup.inspector = Some(inspector);
        // What prepares isolates, or keeps them, would offer debuggers more than one.
        (self.0.isolation, self.0.prepared, self.0.max_workers) = (Isolation::Fresh, 0, 1);
        self
    }

    /// Lets scripts make code of text, with `eval` and `new Function`. The platform does not.
    pub fn allow_code_from_strings(mut self) -> Self {
        self.0.setup.code_from_strings = true;
        self
    }

    /// Loads the global scope of every isolate from source rather than from the snapshot: slow, and only where the
    /// program was built. Shows that the two agree. For all runtimes of a process, or for none.
    #[doc(hidden)]
    pub fn without_snapshot(mut self) -> Self {
        self.0.setup.startup = Startup::Sources;
        self
    }

    /// The runtime. The first one of a process starts V8.
    #[must_use]
    pub fn build(self) -> FunctionRuntime {
        FunctionRuntime(Arc::new(Handle(Pool::new(self.0))))
    }
}

impl FunctionRuntime {
    /// Starts a runtime whose scripts manage the users of `idp`.
    pub fn builder(idp: Arc<dyn IdentityProvider>) -> FunctionRuntimeBuilder {
        FunctionRuntimeBuilder(Config {
            setup: Setup {
                startup: Startup::Snapshot,
                idp,
                fetch: FetchSettings::default(),
                code_from_strings: false,
                #[cfg(feature = "inspector")]
                inspector: None,
            },
            limits: Limits::default(),
            isolation: Isolation::Fresh,
            prepared: thread::available_parallelism().map_or(1, NonZero::get),
            max_workers: MAX_WORKERS,
            queue: QUEUE,
            idle_timeout: IDLE_TIMEOUT,
        })
    }

    /// Starts the engine, for a program that has something else to do before its first runtime: opening stores, for one. Returns
    /// at once. Without it, the first runtime of a process starts the engine.
    pub fn start_engine() {
        pool::start_engine();
    }

    /// Runs the script: loads its module, calls its handler with the invocation's argument, and waits for the result.
    ///
    /// Never fails itself: whatever goes wrong is in the record. What the script has started and not awaited when its
    /// handler is done is left where it is: a call may have happened, or not, and the log says so.
    ///
    /// To drop the future is to end the script, wherever it is.
    pub async fn run(&self, script: &Script, invocation: Invocation) -> Execution {
        let started_at = SystemTime::now();
        let logs = Arc::new(Mutex::new(Vec::new()));
        let outcome = self.outcome(script, invocation, Arc::clone(&logs)).await;
        let logs = std::mem::take(&mut *logs.lock());
        let Outcome { result, usage } = outcome;
        tracing::debug!(script = %script.specifier(), ok = result.is_ok(), took = ?usage.wall_time, "a script has run");
        Execution { result, logs, started_at, finished_at: SystemTime::now(), usage }
    }

    async fn outcome(&self, script: &Script, invocation: Invocation, logs: Arc<Mutex<Vec<LogLine>>>) -> Outcome {
        let pool = &self.0.0;
        let Invocation { argument, principal, on_log, limits, deadline } = invocation;
        let mut limits = limits.unwrap_or_else(|| pool.config().limits.clone());
        limits.memory = limits.memory.max(MIN_HEAP);
        let deadline = deadline.filter(|_| !pool.config().setup.is_inspected());
        let refused = |error| Outcome { result: Err(error), usage: Usage::default() };
        let argument = argument.to_string();
        let sizes =
            [(Limit::Source, script.source_len(), limits.source), (Limit::Argument, argument.len(), limits.argument)];
        if let Some((limit, used, _)) = sizes.iter().find(|(_, used, most)| used > most) {
            return refused(ExecutionError::limit(*limit, &limits, *used));
        }
        let stop = Arc::new(Stop::default());
        let (done, result) = oneshot::channel();
        let submitted = Instant::now();
        let job = Job {
            id: 0,
            script: script.clone(),
            argument,
            warm_key: self.warm_key(script, &principal),
            principal,
            limits: limits.clone(),
            stop: Arc::clone(&stop),
            logs,
            on_log,
            submitted,
            done,
        };
        // Until the outcome is there, whoever has the job.
        let watch = deadline.map(|at| {
            let until = Some((at, Limit::Deadline));
            watchdog::watch(Watched { stop: Arc::clone(&stop), until, cpu: None, memory: None })
        });
        let watch = match watch.transpose() {
            Ok(watch) => watch,
            Err(error) => return refused(ExecutionError::platform(format!("cannot keep the deadline: {error}"))),
        };
        match pool.submit(job) {
            Ok(id) => {
                let outcome =
                    Waiting { pool, id, stop: &stop, result, is_done: false }.outcome(&limits, submitted).await;
                drop(watch);
                outcome
            }
            Err(Refused::Full(waiting)) => refused(ExecutionError::limit(Limit::Queue, &limits, waiting)),
            Err(Refused::Stuck(lost)) => refused(ExecutionError::platform(format!(
                "{lost} threads do not come back from scripts that were ended: restart the process"
            ))),
            Err(Refused::ShuttingDown) => refused(stopped(Reason::ShuttingDown, &limits)),
            Err(Refused::NoThread(error)) => {
                refused(ExecutionError::platform(format!("cannot start a thread for the function: {error}")))
            }
        }
    }

    /// Which isolates may be shared with this execution, where they are shared.
    fn warm_key(&self, script: &Script, principal: &Principal) -> Option<WarmKey> {
        let workspace = principal.invoker().map(|invoker| Arc::from(invoker.workspace_id.as_str()));
        let is_shared = self.0.0.config().isolation != Isolation::Fresh;
        is_shared.then(|| WarmKey { script: script.id(), workspace })
    }

    /// Takes no more executions, waits for those that run or wait for their turn, and ends them when the time is over. Then
    /// the threads are gone, and with them whatever held the stores. Says whether all ended by themselves.
    ///
    /// For all clones. A program calls it before it ends: what V8 is in the midst of as a process ends may crash it.
    pub async fn shutdown(&self, time: Duration) -> bool {
        self.0.0.close();
        // The stores are not held by what waits.
        let floor = Arc::clone(self.0.0.floor());
        let (done, is_done) = oneshot::channel();
        let wait = move || {
            let in_time = floor.wait_until_left(Instant::now().checked_add(time));
            if !in_time {
                floor.stop_all(Reason::ShuttingDown);
                if !floor.wait_until_left(Instant::now().checked_add(AFTERMATH)) {
                    tracing::warn!("a function's thread does not end: it is in a store or another part of the host");
                }
            }
            // Whoever asked may have gone away.
            let _ = done.send(in_time);
        };
        match thread::Builder::new().name("tailor-idp-shutdown".to_owned()).spawn(wait) {
            Ok(_) => is_done.await.unwrap_or(false),
            Err(error) => {
                tracing::warn!(%error, "cannot wait for functions to end");
                self.0.0.floor().stop_all(Reason::ShuttingDown);
                false
            }
        }
    }
}

/// A caller that waits for its outcome. Ends the execution when it goes away.
struct Waiting<'a> {
    pool: &'a Arc<Pool>,
    id: u64,
    stop: &'a Stop,
    result: oneshot::Receiver<Outcome>,
    is_done: bool,
}

impl Waiting<'_> {
    async fn outcome(mut self, limits: &Limits, submitted: Instant) -> Outcome {
        let outcome = poll_fn(|cx| {
            self.stop.wakes_caller(cx.waker());
            if let Some(reason) = self.stop.reason()
                && self.pool.forget(self.id)
            {
                // It had not begun.
                return Poll::Ready(Outcome::not_run(stopped(reason, limits), submitted.elapsed()));
            }
            if let Some(reason) = self.stop.reason()
                && self.stop.is_given_up()
                && self.pool.give_up(self.id)
            {
                let usage = Usage { wall_time: submitted.elapsed(), ..Usage::default() };
                return Poll::Ready(Outcome { result: Err(stopped(reason, limits)), usage });
            }
            Pin::new(&mut self.result).poll(cx).map(|outcome| {
                outcome.unwrap_or_else(|_| {
                    let error = ExecutionError::platform("the function's thread died");
                    Outcome::not_run(error, submitted.elapsed())
                })
            })
        })
        .await;
        self.is_done = true;
        outcome
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.is_done {
            self.stop.stop(Reason::Cancelled);
            self.pool.forget(self.id);
        }
    }
}

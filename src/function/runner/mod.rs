//! Runners: run one execution after the other, in an isolate of the thread or in a worker process.

#[cfg(all(target_os = "linux", feature = "v8"))]
mod process;
mod thread;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

#[cfg(all(target_os = "linux", feature = "v8"))]
use self::process::ProcessRunner;
pub(super) use self::thread::ThreadRunner;
use super::execution::{ExecutionError, LogOutput, Usage};
use super::limits::Limits;
use super::pool::PoolConfig;
use super::script::Script;
use super::termination::{TerminationHandle, TerminationReason};
use super::workers::Workers;
use crate::extension::JsonText;
use crate::idp::Principal;

/// Runs the executions of a worker.
pub(super) enum Runner {
    /// In isolates of the worker's thread.
    Thread(Box<ThreadRunner>),
    /// In worker processes.
    #[cfg(all(target_os = "linux", feature = "v8"))]
    Process(Box<ProcessRunner>),
}

impl Runner {
    /// Creates a runner for the current thread. `give_up` is called when the engine crashes between two executions.
    pub(super) fn new(config: &Arc<PoolConfig>, give_up: impl Fn() + Send + Sync + 'static) -> Self {
        #[cfg(all(target_os = "linux", feature = "v8"))]
        if let Workers::Processes(options) = &config.workers {
            return Self::Process(Box::new(ProcessRunner::new(Arc::clone(config), options.clone())));
        }
        Self::Thread(Box::new(ThreadRunner::new(config.isolate.clone(), config.isolation, Some(Arc::new(give_up)))))
    }

    /// Whether an isolate is ready, used or not.
    pub(super) fn is_ready(&self) -> bool {
        match self {
            Self::Thread(runner) => runner.has_isolate(),
            #[cfg(all(target_os = "linux", feature = "v8"))]
            Self::Process(runner) => runner.has_worker(),
        }
    }

    /// Key of the executions that can use what previous executions left. None if nothing was left.
    pub(super) fn warm_key(&self) -> Option<&WarmKey> {
        match self {
            Self::Thread(runner) => runner.warm_key(),
            #[cfg(all(target_os = "linux", feature = "v8"))]
            Self::Process(runner) => runner.warm_key(),
        }
    }

    /// Creates an isolate ahead of the next execution.
    ///
    /// # Errors
    ///
    /// Fails if the isolate cannot be created.
    pub(super) fn prepare(&mut self, limits: &Limits) -> Result<(), ExecutionError> {
        match self {
            Self::Thread(runner) => runner.prepare(limits),
            #[cfg(all(target_os = "linux", feature = "v8"))]
            Self::Process(runner) => runner.prepare(limits),
        }
    }

    /// Runs an execution and passes its outcome to `complete`, then cleans up.
    pub(super) fn run(&mut self, id: u64, request: Request, complete: impl FnOnce(Outcome, AfterRun)) {
        match self {
            Self::Thread(runner) => runner.run(id, request, complete),
            #[cfg(all(target_os = "linux", feature = "v8"))]
            Self::Process(runner) => runner.run(id, request, complete),
        }
    }
}

/// What a runner does after an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AfterRun {
    /// It is ready for the next execution at once.
    Search,
    /// It cleans up first, which can take a while.
    CleanUp,
}

/// Executions with equal keys can share an isolate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WarmKey {
    /// [`Script::id`]. None if executions of all scripts share.
    pub(super) script: Option<usize>,
    /// Workspace of the invoker. None if anonymous.
    pub(super) workspace: Option<Arc<str>>,
}

/// Everything that a runner needs to run an execution.
pub(super) struct Request {
    pub(super) script: Script,
    /// As JSON.
    pub(super) argument: JsonText,
    pub(super) principal: Principal,
    pub(super) limits: Limits,
    /// None if nothing is shared between executions.
    pub(super) warm_key: Option<WarmKey>,
    pub(super) termination: Arc<TerminationHandle>,
    pub(super) log: LogOutput,
    pub(super) submitted_at: Instant,
    /// Time at which the execution is terminated, in the queue or in a worker. [`Limits::time`] can terminate it earlier.
    pub(super) deadline: Option<Instant>,
}

/// Outcome of an execution.
pub(super) struct Outcome {
    pub(super) result: Result<Value, ExecutionError>,
    pub(super) usage: Usage,
}

impl Outcome {
    /// Outcome of an execution that did not run.
    pub(super) fn not_run(error: ExecutionError, queued: Duration) -> Self {
        Self { result: Err(error), usage: Usage { queued, ..Usage::default() } }
    }
}

/// Error of an execution that was terminated.
pub(super) fn termination_error(reason: TerminationReason, limits: &Limits) -> ExecutionError {
    match reason {
        TerminationReason::Limit(limit, used) => ExecutionError::limit(limit, limits, used),
        TerminationReason::Cancelled => ExecutionError::platform("cancelled: nobody waits for the result any more"),
        TerminationReason::ShuttingDown => ExecutionError::platform("the function runtime is shutting down"),
    }
}

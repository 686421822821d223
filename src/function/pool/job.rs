//! Jobs: executions on their way through the pool.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::extension::JsonText;
use crate::function::execution::{ExecutionError, LogLine, OnLog, Usage};
use crate::function::limits::Limits;
use crate::function::script::Script;
use crate::function::termination::{TerminationHandle, TerminationReason};
use crate::idp::Principal;

/// Executions with equal keys can share an isolate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::function) struct WarmKey {
    /// [`Script::id`].
    pub(in crate::function) script: usize,
    /// Workspace of the invoker. None if anonymous.
    pub(in crate::function) workspace: Option<Arc<str>>,
}

/// Everything that a worker needs to run an execution.
pub(in crate::function) struct Request {
    pub(in crate::function) script: Script,
    /// As JSON.
    pub(in crate::function) argument: JsonText,
    pub(in crate::function) principal: Principal,
    pub(in crate::function) limits: Limits,
    /// None with [`Isolation::Fresh`](super::Isolation::Fresh).
    pub(in crate::function) warm_key: Option<WarmKey>,
    pub(in crate::function) termination: Arc<TerminationHandle>,
    pub(in crate::function) logs: Arc<Mutex<Vec<LogLine>>>,
    pub(in crate::function) on_log: Option<OnLog>,
    pub(in crate::function) submitted_at: Instant,
    /// Time at which the execution is terminated, in the queue or in a worker. [`Limits::time`] can terminate it earlier.
    pub(in crate::function) deadline: Option<Instant>,
}

/// A request in the pool.
pub(super) struct Job {
    /// Unique in the process.
    pub(super) id: u64,
    pub(super) request: Request,
    pub(super) outcome: oneshot::Sender<Outcome>,
}

/// Outcome of a job.
pub(in crate::function) struct Outcome {
    pub(in crate::function) result: Result<Value, ExecutionError>,
    pub(in crate::function) usage: Usage,
}

impl Outcome {
    /// Outcome of a job that did not run.
    pub(in crate::function) fn not_run(error: ExecutionError, queued: Duration) -> Self {
        Self { result: Err(error), usage: Usage { queued, ..Usage::default() } }
    }
}

/// Error of an execution that was terminated.
pub(in crate::function) fn termination_error(reason: TerminationReason, limits: &Limits) -> ExecutionError {
    match reason {
        TerminationReason::Limit(limit, used) => ExecutionError::limit(limit, limits, used),
        TerminationReason::Cancelled => ExecutionError::platform("cancelled: nobody waits for the result any more"),
        TerminationReason::ShuttingDown => ExecutionError::platform("the function runtime is shutting down"),
    }
}

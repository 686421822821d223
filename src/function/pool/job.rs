//! One execution on its way through the pool.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::function::execution::{ExecutionError, LogLine, OnLog, Usage};
use crate::function::limits::Limits;
use crate::function::script::Script;
use crate::function::stop::{Reason, Stop};
use crate::idp::Principal;

/// What an isolate is warm for: a script, and the workspace that its invokers are of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::function) struct WarmKey {
    pub(in crate::function) script: usize,
    /// None where nobody has signed in.
    pub(in crate::function) workspace: Option<Arc<str>>,
}

pub(in crate::function) struct Job {
    /// Set by the pool.
    pub(in crate::function) id: u64,
    pub(in crate::function) script: Script,
    /// As JSON.
    pub(in crate::function) argument: String,
    pub(in crate::function) principal: Principal,
    pub(in crate::function) limits: Limits,
    pub(in crate::function) warm_key: Option<WarmKey>,
    pub(in crate::function) stop: Arc<Stop>,
    pub(in crate::function) logs: Arc<Mutex<Vec<LogLine>>>,
    pub(in crate::function) on_log: Option<OnLog>,
    pub(in crate::function) submitted: Instant,
    pub(in crate::function) done: oneshot::Sender<Outcome>,
}

/// What a worker has to say of a job.
pub(in crate::function) struct Outcome {
    pub(in crate::function) result: Result<Value, ExecutionError>,
    pub(in crate::function) usage: Usage,
}

impl Outcome {
    /// Of a job that did not run.
    pub(in crate::function) fn not_run(error: ExecutionError, queued: Duration) -> Self {
        Self { result: Err(error), usage: Usage { queued, ..Usage::default() } }
    }
}

/// Why an execution has no result, where it was ended from outside.
pub(in crate::function) fn stopped(reason: Reason, limits: &Limits) -> ExecutionError {
    match reason {
        Reason::Limit(limit, used) => ExecutionError::limit(limit, limits, used),
        Reason::Cancelled => ExecutionError::platform("cancelled: nobody waits for the result any more"),
        Reason::ShuttingDown => ExecutionError::platform("the function runtime is shutting down"),
    }
}

//! Jobs: executions on their way through the pool.

use tokio::sync::oneshot;

use crate::function::runner::{Outcome, Request};

/// A request in the pool.
pub(super) struct Job {
    /// Unique in the process.
    pub(super) id: u64,
    pub(super) request: Request,
    pub(super) outcome: oneshot::Sender<Outcome>,
}

//! Configuration of a pool.

use std::time::Duration;

use crate::function::isolate::IsolateConfig;
use crate::function::limits::Limits;
use crate::function::workers::Workers;

/// How executions share isolates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Isolation {
    /// Each execution gets a new isolate.
    #[default]
    Fresh,
    /// Executions of the same script reuse isolates in which its modules are loaded already, so that module state persists
    /// between them. An isolate is never shared by two scripts, or by invokers of two workspaces.
    ///
    /// An isolate is retired after `max_runs` or `max_age`, after an execution that exceeded a limit or left work in the event
    /// loop, and when more than half of its memory is in use.
    Reuse {
        /// Executions in one isolate.
        max_runs: u32,
        /// Age of an isolate, counted from its first execution.
        max_age: Duration,
    },
}

impl Isolation {
    /// Reuse for 1,000 runs or ten minutes.
    pub const fn reuse() -> Self {
        Self::Reuse { max_runs: 1_000, max_age: Duration::from_secs(600) }
    }
}

/// Size of a pool, and the configuration of its isolates.
#[derive(Clone)]
pub(in crate::function) struct PoolConfig {
    pub(in crate::function) isolate: IsolateConfig,
    /// Limits of prepared isolates, and of invocations without limits.
    pub(in crate::function) limits: Limits,
    pub(in crate::function) isolation: Isolation,
    pub(in crate::function) workers: Workers,
    /// Idle workers that are kept, each with a prepared isolate in [`Isolation::Fresh`].
    pub(in crate::function) prepared_workers: usize,
    pub(in crate::function) max_workers: usize,
    /// Executions that can wait for a worker.
    pub(in crate::function) queue_capacity: usize,
    /// Time after which an idle worker beyond `prepared_workers` exits.
    pub(in crate::function) idle_timeout: Duration,
}

impl PoolConfig {
    /// Whether idle workers prepare an isolate or a process for whatever comes. Isolates that are reused are each of one script.
    pub(super) fn prepares(&self) -> bool {
        self.isolation == Isolation::Fresh || self.workers != Workers::Threads
    }
}

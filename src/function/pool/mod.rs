//! Worker pool: worker threads with one isolate each, and the queue in front of them.
//!
//! A submitted job goes to an idle worker, else to the queue. After a job, a worker takes the next one from the queue. If the
//! queue is empty it becomes idle: with [`Isolation::Fresh`] it prepares a new isolate first, with [`Isolation::Reuse`] it
//! keeps the isolate that it has.

mod config;
mod job;
mod shared;
mod slot;
mod threads;
mod worker;

use std::io;
use std::sync::Arc;

use tokio::sync::oneshot;

pub use self::config::Isolation;
pub(super) use self::config::PoolConfig;
pub(super) use self::shared::PoolShared;
use self::shared::WorkerPermit;
use self::slot::Command;
#[cfg(all(target_os = "linux", feature = "v8"))]
pub(super) use self::threads::initialize_engine_without_threads;
#[cfg(feature = "v8")]
pub(super) use self::threads::run_engine_tasks;
#[cfg(test)]
pub(crate) use self::threads::run_on_isolate_thread;
pub(super) use self::threads::{STACK_BYTES, has_engine_tasks, start_engine};
use self::worker::{Worker, WorkerExit};
use super::runner::{Outcome, Request};
use super::workers::Workers;

/// Stuck workers from which on the pool takes no more jobs. Each can use a whole core.
const MAX_STUCK_WORKERS: usize = 16;

/// Worker threads and their queue.
pub(super) struct Pool {
    config: Arc<PoolConfig>,
    shared: Arc<PoolShared>,
}

/// Reason why a job is not accepted.
#[derive(Debug)]
pub(super) enum SubmitError {
    /// The queue is full, with this many jobs.
    QueueFull(usize),
    ShuttingDown,
    /// This many workers did not return from terminated scripts.
    TooManyStuckWorkers(usize),
    /// No worker thread could be started.
    Spawn(io::Error),
}

impl Pool {
    /// Creates a pool and starts its prepared workers.
    pub(super) fn new(config: PoolConfig) -> Arc<Self> {
        let pool = Arc::new(Self { config: Arc::new(config), shared: Arc::default() });
        let prepared =
            if pool.config.prepares() { pool.config.prepared_workers.min(pool.config.max_workers) } else { 0 };
        for _ in 0..prepared {
            let permit = WorkerPermit::acquire(&pool.shared, &mut pool.shared.lock());
            if let Err(error) = pool.start_worker(permit) {
                // The first execution tries again, and returns the error.
                tracing::warn!(%error, "cannot start a thread for functions ahead");
            }
        }
        pool
    }

    pub(super) fn config(&self) -> &PoolConfig {
        &self.config
    }

    pub(super) fn shared(&self) -> &Arc<PoolShared> {
        &self.shared
    }

    /// Passes a request to a worker or to the queue. Returns the id of the job.
    ///
    /// # Errors
    ///
    /// Fails if the pool is closed or overloaded, or if it cannot start a worker.
    pub(super) fn submit(
        self: &Arc<Self>,
        request: Request,
        outcome: oneshot::Sender<Outcome>,
    ) -> Result<u64, SubmitError> {
        let mut state = self.shared.lock();
        if state.is_closed {
            return Err(SubmitError::ShuttingDown);
        }
        if let Some(index) = state.choose_idle(&request) {
            let idle = state.idle.remove(index);
            let job = state.add_job(request, outcome);
            let id = job.id;
            drop(state);
            idle.slot.put(Command::Run(Box::new(job)));
            return Ok(id);
        }
        if state.stuck >= MAX_STUCK_WORKERS {
            return Err(SubmitError::TooManyStuckWorkers(state.stuck));
        }
        // Jobs that a searching worker is about to take do not count.
        let waiting = state.queue.len().saturating_sub(state.searching);
        if state.workers >= self.config.max_workers && waiting >= self.config.queue_capacity.max(1) {
            return Err(SubmitError::QueueFull(waiting));
        }
        let job = state.add_job(request, outcome);
        let id = job.id;
        state.queue.push_back(job);
        if state.queue.len() <= state.searching {
            return Ok(id);
        }
        if state.workers >= self.config.max_workers {
            // Remaining idle workers have an isolate for other requests. The longest idle one gives it up.
            if !state.idle.is_empty()
                && let Some(job) = state.queue.pop_back()
            {
                let idle = state.idle.remove(0);
                drop(state);
                idle.slot.put(Command::Run(Box::new(job)));
            }
            return Ok(id);
        }
        let permit = WorkerPermit::acquire(&self.shared, &mut state);
        drop(state);
        if let Err(error) = self.start_worker(permit)
            // Another worker can have taken the job meanwhile.
            && self.cancel_queued(id)
        {
            return Err(SubmitError::Spawn(error));
        }
        Ok(id)
    }

    /// Gives up on the worker that has the job, and replaces it. Returns false if the job has ended.
    pub(super) fn abandon(self: &Arc<Self>, id: u64) -> bool {
        let is_stuck = self.shared.mark_stuck(id);
        if is_stuck {
            self.start_worker_for_queue();
        }
        is_stuck
    }

    /// Removes a job from the queue. Returns false if it is not there.
    pub(super) fn cancel_queued(&self, id: u64) -> bool {
        self.shared.lock().cancel_queued(id)
    }

    /// Stops accepting jobs. Idle workers exit; the others exit when the queue is empty.
    pub(super) fn close(&self) {
        let mut state = self.shared.lock();
        state.is_closed = true;
        for idle in state.idle.drain(..) {
            idle.slot.put(Command::Exit);
        }
    }

    /// Starts a worker if jobs are queued and no worker is about to take them.
    fn start_worker_for_queue(self: &Arc<Self>) {
        let mut state = self.shared.lock();
        if state.queue.len() <= state.searching {
            return;
        }
        let permit = WorkerPermit::acquire(&self.shared, &mut state);
        drop(state);
        if let Err(error) = self.start_worker(permit) {
            let mut state = self.shared.lock();
            if state.workers == 0 {
                // No worker is left for the queue: dropping the jobs closes their channels, which tells the callers.
                tracing::error!(%error, "cannot start a thread for functions that wait");
                state.jobs.clear();
                let queue = std::mem::take(&mut state.queue);
                drop(state);
                drop(queue);
            }
        }
    }

    /// Starts a worker thread. Drops the permit if that fails.
    fn start_worker(self: &Arc<Self>, permit: WorkerPermit) -> io::Result<()> {
        let pool = Arc::clone(self);
        let work = move || {
            // Locals are dropped in reverse order, also on panic: the isolate, the pool with the host's stores, the permit.
            let permit = permit;
            let pool = pool;
            let mut worker = Worker::new(Arc::clone(&pool.config), &permit);
            if worker.run() == WorkerExit::Replace {
                permit.stop_searching(&mut permit.shared().lock());
                pool.start_worker_for_queue();
            }
        };
        match self.config.workers {
            Workers::Processes(_) if !Workers::has_processes() => {
                Err(io::Error::new(io::ErrorKind::Unsupported, "worker processes need Linux and V8"))
            }
            Workers::Threads => threads::spawn(work),
            // The thread has no isolate.
            Workers::Processes(_) => threads::spawn_without_engine(work),
        }
    }
}

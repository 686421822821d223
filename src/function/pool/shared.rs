//! State that the pool shares with its workers: queue, idle workers and counters.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::sync::oneshot;

use super::job::Job;
use super::slot::WorkerSlot;
use crate::function::runner::{AfterRun, Outcome, Request, WarmKey};
use crate::function::termination::{TerminationHandle, TerminationReason};

/// Shared by all pools: calls of `tailor.idp` carry the id as that of the execution, which is unique in the process.
static NEXT_JOB_ID: AtomicU64 = AtomicU64::new(1);

/// State shared by the pool and its worker threads.
///
/// Holds nothing of the host. A worker thread drops it last, after its isolate and the identity provider: when all workers
/// have exited, the host is the only owner of its stores.
#[derive(Default)]
pub(in crate::function) struct PoolShared {
    state: Mutex<PoolState>,
    /// Notified when a worker exits.
    worker_exited: Condvar,
}

#[derive(Default)]
pub(super) struct PoolState {
    /// Idle workers, the longest idle first.
    pub(super) idle: Vec<IdleWorker>,
    pub(super) queue: VecDeque<Job>,
    /// Workers that are not stuck.
    pub(super) workers: usize,
    /// Workers that are about to look into the queue.
    pub(super) searching: usize,
    /// Workers that did not return from a terminated script, and were replaced.
    pub(super) stuck: usize,
    /// Jobs that are queued or running, except those of stuck workers.
    pub(super) jobs: Vec<(u64, Arc<TerminationHandle>)>,
    pub(super) is_closed: bool,
}

/// A worker that waits for a command.
pub(super) struct IdleWorker {
    pub(super) slot: Arc<WorkerSlot>,
    /// Key of the executions that can reuse its isolate.
    pub(super) warm_key: Option<WarmKey>,
    /// Whether it has an isolate that was not used yet.
    pub(super) is_prepared: bool,
}

impl PoolShared {
    pub(super) fn lock(&self) -> MutexGuard<'_, PoolState> {
        self.state.lock()
    }

    /// Waits until all workers have exited. Returns false if the deadline elapses first. Blocks the thread.
    pub(in crate::function) fn wait_for_workers(&self, deadline: Option<Instant>) -> bool {
        let mut state = self.state.lock();
        match deadline {
            Some(deadline) => {
                self.worker_exited.wait_while_until(&mut state, |state| state.workers > 0, deadline);
            }
            None => self.worker_exited.wait_while(&mut state, |state| state.workers > 0),
        }
        state.workers == 0
    }

    /// Terminates all running and queued jobs.
    pub(in crate::function) fn terminate_all(&self, reason: TerminationReason) {
        let jobs: Vec<_> = self.state.lock().jobs.iter().map(|(_, termination)| Arc::clone(termination)).collect();
        for termination in jobs {
            termination.terminate(reason);
        }
    }

    /// Counts a worker without a job as stuck.
    pub(super) fn lose_worker(&self) {
        let mut state = self.state.lock();
        state.workers -= 1;
        state.stuck += 1;
        drop(state);
        self.worker_exited.notify_all();
    }

    /// Counts the worker that has the job as stuck. Returns false if the job has ended.
    pub(super) fn mark_stuck(&self, id: u64) -> bool {
        let mut state = self.state.lock();
        let Some(index) = state.jobs.iter().position(|(other, _)| *other == id) else { return false };
        state.jobs.swap_remove(index);
        state.workers -= 1;
        state.stuck += 1;
        tracing::error!(stuck = state.stuck, "a thread does not return from a script that was terminated");
        drop(state);
        self.worker_exited.notify_all();
        true
    }
}

impl PoolState {
    /// Adds a job to the jobs that can be terminated, and returns its id.
    pub(super) fn add_job(&mut self, request: Request, outcome: oneshot::Sender<Outcome>) -> Job {
        let id = NEXT_JOB_ID.fetch_add(1, Relaxed);
        self.jobs.push((id, Arc::clone(&request.termination)));
        Job { id, request, outcome }
    }

    /// Removes a job that has ended. If its worker was counted as stuck, it has returned.
    fn remove_job(&mut self, id: u64) {
        match self.jobs.iter().position(|(other, _)| *other == id) {
            Some(index) => drop(self.jobs.swap_remove(index)),
            None => {
                self.stuck -= 1;
                self.workers += 1;
            }
        }
    }

    /// Removes a job from the queue. Returns false if it is not there.
    pub(super) fn cancel_queued(&mut self, id: u64) -> bool {
        let Some(index) = self.queue.iter().position(|job| job.id == id) else { return false };
        self.queue.remove(index);
        self.jobs.retain(|(other, _)| *other != id);
        true
    }

    /// Index of the best idle worker: one with a warm isolate for the request, else with a prepared isolate, else without an
    /// isolate. Workers with an isolate for other requests are not chosen.
    pub(super) fn choose_idle(&self, request: &Request) -> Option<usize> {
        let latest = |matches: &dyn Fn(&IdleWorker) -> bool| self.idle.iter().rposition(matches);
        let warm = request.warm_key.as_ref().and_then(|key| latest(&|idle| idle.warm_key.as_ref() == Some(key)));
        warm.or_else(|| latest(&|idle| idle.is_prepared)).or_else(|| latest(&|idle| idle.warm_key.is_none()))
    }
}

/// Permit of one worker thread. Counts the worker until it is dropped, also if the thread panics or could not be started.
pub(super) struct WorkerPermit {
    shared: Arc<PoolShared>,
    /// Whether the worker is counted in [`PoolState::searching`].
    is_searching: Cell<bool>,
}

impl WorkerPermit {
    /// Counts a worker that is about to start and to look into the queue.
    pub(super) fn acquire(shared: &Arc<PoolShared>, state: &mut PoolState) -> Self {
        state.workers += 1;
        state.searching += 1;
        Self { shared: Arc::clone(shared), is_searching: Cell::new(true) }
    }

    pub(super) fn shared(&self) -> &Arc<PoolShared> {
        &self.shared
    }

    pub(super) fn start_searching(&self, state: &mut PoolState) {
        if !self.is_searching.replace(true) {
            state.searching += 1;
        }
    }

    pub(super) fn stop_searching(&self, state: &mut PoolState) {
        if self.is_searching.replace(false) {
            state.searching -= 1;
        }
    }
}

impl Drop for WorkerPermit {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        state.workers -= 1;
        self.stop_searching(&mut state);
        drop(state);
        self.shared.worker_exited.notify_all();
    }
}

/// A job that a worker is running. Removes the job from the pool when it is dropped, also if the worker panics.
pub(super) struct ActiveJob<'a> {
    permit: &'a WorkerPermit,
    id: u64,
    outcome: Option<oneshot::Sender<Outcome>>,
}

impl<'a> ActiveJob<'a> {
    pub(super) fn new(permit: &'a WorkerPermit, id: u64, outcome: oneshot::Sender<Outcome>) -> Self {
        Self { permit, id, outcome: Some(outcome) }
    }

    /// Sends the outcome to the caller.
    ///
    /// A worker that will search is counted first: the caller can submit its next job at once, which then needs no further
    /// worker.
    pub(super) fn complete(mut self, outcome: Outcome, after: AfterRun) {
        let sender = self.outcome.take();
        let mut state = self.permit.shared.state.lock();
        state.remove_job(self.id);
        if after == AfterRun::Search {
            self.permit.start_searching(&mut state);
        }
        drop(state);
        if let Some(sender) = sender {
            // Fails if the caller has dropped its future.
            let _ = sender.send(outcome);
        }
    }
}

impl Drop for ActiveJob<'_> {
    fn drop(&mut self) {
        // Not completed: dropping the sender tells the caller.
        if self.outcome.is_some() {
            self.permit.shared.state.lock().remove_job(self.id);
        }
    }
}

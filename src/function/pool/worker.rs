//! A worker: one thread, and the executions that it runs in its isolate or in a worker process.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::config::PoolConfig;
use super::job::Job;
use super::shared::{ActiveJob, IdleWorker, WorkerPermit};
use super::slot::{Command, WorkerSlot};
use crate::function::runner::Runner;

/// Jobs at the head of the queue among which a worker prefers one for its warm isolate.
const QUEUE_SCAN_DEPTH: usize = 16;

/// A worker of a pool.
pub(super) struct Worker<'a> {
    permit: &'a WorkerPermit,
    config: Arc<PoolConfig>,
    slot: Arc<WorkerSlot>,
    runner: Runner,
    /// Whether preparing isolates has succeeded so far.
    can_prepare: bool,
}

/// Reason why a worker exits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WorkerExit {
    /// It is not needed any more.
    Idle,
    /// Its thread cannot run further isolates. Queued jobs need another worker.
    Replace,
}

impl<'a> Worker<'a> {
    pub(super) fn new(config: Arc<PoolConfig>, permit: &'a WorkerPermit) -> Self {
        let shared = Arc::clone(permit.shared());
        let runner = Runner::new(&config, move || shared.lose_worker());
        Self { permit, config, slot: Arc::default(), runner, can_prepare: true }
    }

    /// Runs jobs until the worker is idle for too long, the pool is closed, or a job panics.
    pub(super) fn run(&mut self) -> WorkerExit {
        while let Command::Run(job) = self.next_command() {
            let is_panic = catch_unwind(AssertUnwindSafe(|| self.execute(*job))).is_err();
            if is_panic {
                // The state of the isolate is unknown after a panic.
                tracing::error!("a function's thread panicked");
            }
            // QuickJS crashes after many isolates on one thread.
            if is_panic || cfg!(feature = "quickjs") {
                return WorkerExit::Replace;
            }
        }
        WorkerExit::Idle
    }

    /// Takes a job from the queue, or becomes idle and waits for a command.
    fn next_command(&mut self) -> Command {
        let shared = Arc::clone(self.permit.shared());
        loop {
            let mut state = shared.lock();
            self.permit.start_searching(&mut state);
            let warm_key = self.runner.warm_key().cloned();
            let mut head = state.queue.iter().take(QUEUE_SCAN_DEPTH);
            let index = head.position(|job| warm_key.is_some() && job.request.warm_key == warm_key).unwrap_or(0);
            if let Some(job) = state.queue.remove(index) {
                self.permit.stop_searching(&mut state);
                return Command::Run(Box::new(job));
            }
            if state.is_closed {
                return Command::Exit;
            }
            let is_wanted = !self.runner.is_ready()
                && self.can_prepare
                && self.config.prepares()
                && state.idle.iter().filter(|idle| idle.is_prepared).count() < self.config.prepared_workers;
            if is_wanted {
                drop(state);
                if let Err(error) = self.runner.prepare(&self.config.limits) {
                    // The next execution tries again, and returns the error.
                    tracing::warn!(%error, "cannot prepare an isolate");
                    self.can_prepare = false;
                }
                continue;
            }
            self.permit.stop_searching(&mut state);
            let is_prepared = self.runner.is_ready() && warm_key.is_none();
            state.idle.push(IdleWorker { slot: Arc::clone(&self.slot), warm_key, is_prepared });
            drop(state);
            return self.wait_for_command();
        }
    }

    /// Waits for a command. Exits after the idle timeout, if enough other workers are idle.
    fn wait_for_command(&self) -> Command {
        loop {
            if let Some(command) = self.slot.take_timeout(self.config.idle_timeout) {
                return command;
            }
            let mut state = self.permit.shared().lock();
            match state.idle.iter().position(|idle| Arc::ptr_eq(&idle.slot, &self.slot)) {
                // Not idle any more: the pool is about to put a command into the slot.
                None => break,
                Some(index) if state.idle.len() > self.config.prepared_workers => {
                    state.idle.remove(index);
                    return Command::Exit;
                }
                Some(_) => {}
            }
        }
        self.slot.take()
    }

    /// Runs a job and completes it.
    fn execute(&mut self, job: Job) {
        let Job { id, request, outcome } = job;
        let job = ActiveJob::new(self.permit, id, outcome);
        self.runner.run(id, request, |outcome, after| job.complete(outcome, after));
    }
}

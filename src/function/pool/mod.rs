//! The worker threads, one isolate each, and the queue in front of them.
//!
//! A caller hands a [`Job`] to an idle worker, else to the queue. A worker that has done its job takes the next one from
//! the queue, or gets ready for it: in `fresh` mode it prepares an isolate, in `reuse` mode it keeps the one it has.

mod job;
mod threads;
mod worker;

use std::cell::Cell;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

pub(super) use self::job::{Job, Outcome, WarmKey, stopped};
#[cfg(test)]
pub(crate) use self::threads::on_its_thread;
pub(super) use self::threads::start_engine;
use self::worker::Worker;
use super::isolate::Setup;
use super::limits::Limits;
use super::stop::{Reason, Stop};

/// How executions share isolates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Isolation {
    /// Each execution has an isolate in which no code of another ever ran.
    #[default]
    Fresh,
    /// The executions of one script share isolates in which its module is loaded already: what it keeps in its module is there
    /// the next time. An isolate is never shared between two scripts, or between invokers of two workspaces.
    ///
    /// An isolate is retired after so many runs, at that age, after any limit or anything left running, and when what the
    /// script keeps has filled half of its memory.
    Reuse {
        /// Runs of an isolate.
        max_runs: u32,
        /// Age of an isolate.
        max_age: Duration,
    },
}

impl Isolation {
    /// Shared isolates, for 1,000 runs or ten minutes.
    pub const fn reuse() -> Self {
        Self::Reuse { max_runs: 1_000, max_age: Duration::from_secs(600) }
    }
}

/// How large a pool is, and what its workers do.
#[derive(Clone)]
pub(super) struct Config {
    pub(super) setup: Setup,
    /// What isolates are prepared for.
    pub(super) limits: Limits,
    pub(super) isolation: Isolation,
    /// Idle workers that stay, each with an isolate prepared.
    pub(super) prepared: usize,
    pub(super) max_workers: usize,
    /// Jobs that may wait.
    pub(super) queue: usize,
    /// How long a worker stays beyond that without a job.
    pub(super) idle_timeout: Duration,
}

pub(super) struct Pool {
    config: Config,
    floor: Arc<Floor>,
}

/// What a worker's thread holds to the last, and nothing of the host's with it: once the workers have left, the stores are
/// the caller's alone.
#[derive(Default)]
pub(super) struct Floor {
    state: Mutex<State>,
    /// Notified when a worker has left.
    left: Condvar,
}

#[derive(Default)]
struct State {
    /// The one that has been idle longest comes first.
    idle: Vec<Idle>,
    queue: VecDeque<Job>,
    workers: usize,
    /// Workers that are about to look into the queue.
    coming: usize,
    /// Workers that were given up on, and have not come back.
    lost: usize,
    /// Of all jobs that are neither refused, nor done, nor given up.
    stops: Vec<(u64, Arc<Stop>)>,
    last_id: u64,
    is_closed: bool,
}

/// A worker's place among the others, until it leaves.
struct Place {
    floor: Arc<Floor>,
    /// Whether it is counted among those that are about to look into the queue.
    is_coming: Cell<bool>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.floor.leave(self.is_coming.get());
    }
}

struct Idle {
    worker: Arc<Mailbox>,
    /// What its isolate is warm for.
    warm: Option<WarmKey>,
    is_prepared: bool,
}

/// Where an idle worker finds what it is to do.
#[derive(Default)]
struct Mailbox {
    order: Mutex<Option<Order>>,
    come: Condvar,
}

enum Order {
    Run(Box<Job>),
    Leave,
}

/// Why a job is not taken.
#[derive(Debug)]
pub(super) enum Refused {
    /// So many wait already.
    Full(usize),
    ShuttingDown,
    /// So many threads do not come back from scripts that were ended.
    Stuck(usize),
    NoThread(io::Error),
}

/// Threads that may be lost to scripts that the engine does not come back from. Each may be computing.
const MAX_LOST: usize = 16;

impl Pool {
    pub(super) fn new(config: Config) -> Arc<Self> {
        let pool = Arc::new(Self { config, floor: Arc::default() });
        let is_fresh = pool.config.isolation == Isolation::Fresh;
        let ahead = if is_fresh { pool.config.prepared.min(pool.config.max_workers) } else { 0 };
        pool.floor.state.lock().workers = ahead;
        pool.floor.state.lock().coming = ahead;
        for _ in 0..ahead {
            if let Err(error) = Arc::clone(&pool).start() {
                // Then the first execution says so.
                tracing::warn!(%error, "cannot start a thread for functions ahead");
                pool.floor.leave(true);
            }
        }
        pool
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// Hands the job to a worker, or to the queue.
    pub(super) fn submit(self: &Arc<Self>, mut job: Job) -> Result<u64, Refused> {
        let mut state = self.floor.state.lock();
        if state.is_closed {
            return Err(Refused::ShuttingDown);
        }
        state.last_id += 1;
        let id = state.last_id;
        job.id = id;
        let stop = Arc::clone(&job.stop);
        if let Some(index) = state.choose(&job) {
            let idle = state.idle.remove(index);
            state.stops.push((id, stop));
            drop(state);
            idle.worker.put(Order::Run(Box::new(job)));
            return Ok(id);
        }
        if state.lost >= MAX_LOST {
            return Err(Refused::Stuck(state.lost));
        }
        // What a worker is about to take does not wait.
        let waiting = state.queue.len().saturating_sub(state.coming);
        if state.workers >= self.config.max_workers && waiting >= self.config.queue.max(1) {
            return Err(Refused::Full(waiting));
        }
        state.queue.push_back(job);
        state.stops.push((id, stop));
        if state.queue.len() <= state.coming {
            return Ok(id);
        }
        if state.workers >= self.config.max_workers {
            // One that is warm for something else, and has been for longest.
            if !state.idle.is_empty()
                && let Some(job) = state.queue.pop_back()
            {
                let idle = state.idle.remove(0);
                drop(state);
                idle.worker.put(Order::Run(Box::new(job)));
            }
            return Ok(id);
        }
        state.workers += 1;
        state.coming += 1;
        drop(state);
        if let Err(error) = Arc::clone(self).start() {
            self.floor.leave(true);
            // Unless another worker has taken it.
            if self.forget(id) {
                return Err(Refused::NoThread(error));
            }
        }
        Ok(id)
    }

    /// Gives up on the worker that has the job: another may come in its place. Says whether it has it still.
    pub(super) fn give_up(self: &Arc<Self>, id: u64) -> bool {
        let mut state = self.floor.state.lock();
        let Some(index) = state.stops.iter().position(|(other, _)| *other == id) else { return false };
        state.stops.swap_remove(index);
        state.workers -= 1;
        state.lost += 1;
        tracing::error!(lost = state.lost, "a thread does not come back from a script that was ended");
        drop(state);
        self.floor.left.notify_all();
        self.come_for_queue();
        true
    }

    /// Takes a job back that has not begun. Says whether it was there.
    pub(super) fn forget(&self, id: u64) -> bool {
        let mut state = self.floor.state.lock();
        let index = state.queue.iter().position(|job| job.id == id);
        if let Some(index) = index {
            state.queue.remove(index);
            state.stops.retain(|(other, _)| *other != id);
        }
        index.is_some()
    }

    /// Takes no more jobs, and has idle workers leave.
    pub(super) fn close(&self) {
        let mut state = self.floor.state.lock();
        state.is_closed = true;
        for idle in state.idle.drain(..) {
            idle.worker.put(Order::Leave);
        }
    }

    pub(super) fn floor(&self) -> &Arc<Floor> {
        &self.floor
    }

    /// A worker that leaves before its time has another one come for what is in the queue.
    fn relieve(self: &Arc<Self>, place: &Place) {
        let mut state = self.floor.state.lock();
        if place.is_coming.replace(false) {
            state.coming -= 1;
        }
        drop(state);
        self.come_for_queue();
    }

    /// Starts a worker for what is in the queue, where none is on its way.
    fn come_for_queue(self: &Arc<Self>) {
        let mut state = self.floor.state.lock();
        if state.queue.len() <= state.coming {
            return;
        }
        state.workers += 1;
        state.coming += 1;
        drop(state);
        if let Err(error) = Arc::clone(self).start() {
            self.floor.leave(true);
            let mut state = self.floor.state.lock();
            if state.workers == 0 {
                // Nobody will come: the callers learn it from the channels that close.
                tracing::error!(%error, "cannot start a thread for functions that wait");
                state.stops.clear();
                let queue = std::mem::take(&mut state.queue);
                drop(state);
                drop(queue);
            }
        }
    }

    /// Starts a worker that has been counted already.
    fn start(self: Arc<Self>) -> io::Result<()> {
        threads::spawn(move || {
            // Left last, and even if the worker panics.
            let place = Place { floor: Arc::clone(&self.floor), is_coming: Cell::new(true) };
            Worker::new(self, &place).run();
        })
    }
}

impl Floor {
    /// Waits until all workers have left, and says whether they have. On a thread that may block.
    pub(super) fn wait_until_left(&self, until: Option<Instant>) -> bool {
        let mut state = self.state.lock();
        match until {
            Some(until) => drop(self.left.wait_while_until(&mut state, |state| state.workers > 0, until)),
            None => self.left.wait_while(&mut state, |state| state.workers > 0),
        }
        state.workers == 0
    }

    /// Ends whatever runs or waits.
    pub(super) fn stop_all(&self, reason: Reason) {
        let stops: Vec<_> = self.state.lock().stops.iter().map(|(_, stop)| Arc::clone(stop)).collect();
        for stop in stops {
            stop.stop(reason);
        }
    }

    /// A worker leaves, or has not come.
    fn leave(&self, before_its_first_look: bool) {
        let mut state = self.state.lock();
        state.workers -= 1;
        if before_its_first_look {
            state.coming -= 1;
        }
        drop(state);
        self.left.notify_all();
    }
}

impl State {
    /// Takes note that a worker has done the job. One that was given up on is back.
    fn finish(&mut self, id: u64) {
        match self.stops.iter().position(|(other, _)| *other == id) {
            Some(index) => drop(self.stops.swap_remove(index)),
            None => {
                self.lost -= 1;
                self.workers += 1;
            }
        }
    }

    /// The idle worker that is best for the job: one that is warm for it, else one that is ready.
    fn choose(&self, job: &Job) -> Option<usize> {
        let latest = |fits: &dyn Fn(&Idle) -> bool| self.idle.iter().rposition(fits);
        let warm = job.warm_key.as_ref().and_then(|key| latest(&|idle| idle.warm.as_ref() == Some(key)));
        warm.or_else(|| latest(&|idle| idle.is_prepared)).or_else(|| latest(&|idle| idle.warm.is_none()))
    }
}

impl Mailbox {
    fn put(&self, order: Order) {
        *self.order.lock() = Some(order);
        self.come.notify_one();
    }

    fn take(&self) -> Order {
        let mut order = self.order.lock();
        loop {
            if let Some(order) = order.take() {
                return order;
            }
            self.come.wait(&mut order);
        }
    }

    fn take_within(&self, time: Duration) -> Option<Order> {
        let mut order = self.order.lock();
        if order.is_none() {
            self.come.wait_for(&mut order, time);
        }
        order.take()
    }
}

//! The thread that ends executions whose time is up.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::thread::Builder;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::clock::ThreadClock;
use super::limits::Limit;
use super::memory::Account;
use super::stop::{Reason, Stop};

/// How often it looks: limits are kept to within this, and a loop that allocates outside of the heap has this long.
const TICK: Duration = Duration::from_millis(10);

/// Ticks without an execution after which it sleeps. Until then, an execution need not wake it.
const LINGER: u32 = 100;

/// What there is to watch of an execution.
pub(super) struct Watched {
    pub(super) stop: Arc<Stop>,
    /// When it is to end, at the latest, and by which limit.
    pub(super) until: Option<(Instant, Limit)>,
    /// Its thread's clock, what that showed when it began, and how far it may go. Not before it runs.
    pub(super) cpu: Option<CpuWatch>,
    /// Looked at whenever the thread has computed, or at every tick where that is not known.
    pub(super) memory: Option<Arc<Account>>,
}

pub(super) struct CpuWatch {
    pub(super) clock: ThreadClock,
    pub(super) until: Option<Duration>,
    pub(super) seen: Duration,
}

impl Watched {
    /// What is due, if anything.
    fn tick(&mut self, now: Instant) -> Option<Due> {
        if self.stop.reason().is_some() {
            return Some(Due::Again);
        }
        if let Some((_, limit)) = self.until.filter(|(until, _)| *until <= now) {
            return Some(Due::Limit(limit));
        }
        let mut computes = true;
        if let Some(cpu) = &mut self.cpu
            && let Some(time) = cpu.clock.now()
        {
            if cpu.until.is_some_and(|until| until <= time) {
                return Some(Due::Limit(Limit::CpuTime));
            }
            computes = time > cpu.seen;
            cpu.seen = time;
        }
        if let Some(memory) = &self.memory
            && computes
        {
            memory.look();
        }
        None
    }
}

enum Due {
    Limit(Limit),
    Again,
}

impl Due {
    fn happen(self, stop: &Stop) {
        match self {
            Self::Limit(limit) => stop.stop(Reason::Limit(limit, 0)),
            Self::Again => stop.press_again(),
        }
    }
}

#[derive(Default)]
struct Watchdog {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    watched: Vec<(u64, Watched)>,
    last_id: u64,
    asleep: bool,
}

/// Watches an execution until it is dropped.
pub(super) struct Watch(u64, &'static Watchdog);

/// Begins to watch.
///
/// # Errors
///
/// Where the thread cannot be started: then nothing may run.
pub(super) fn watch(watched: Watched) -> io::Result<Watch> {
    static WATCHDOG: OnceLock<&'static Watchdog> = OnceLock::new();
    let watchdog = match WATCHDOG.get() {
        Some(watchdog) => *watchdog,
        None => {
            // It lives as long as the process does. Two that start at once are one too many, and asleep.
            let watchdog: &'static Watchdog = Box::leak(Box::default());
            Builder::new().name("tailor-idp-watchdog".to_owned()).spawn(move || watchdog.run())?;
            WATCHDOG.get_or_init(|| watchdog)
        }
    };
    let mut state = watchdog.state.lock();
    state.last_id += 1;
    let id = state.last_id;
    state.watched.push((id, watched));
    if state.asleep {
        watchdog.wake.notify_one();
    }
    Ok(Watch(id, watchdog))
}

impl Watchdog {
    fn run(&self) {
        let mut idle = 0;
        let mut state = self.state.lock();
        loop {
            if idle > LINGER {
                state.asleep = true;
                self.wake.wait_while(&mut state, |state| state.watched.is_empty());
                state.asleep = false;
            }
            self.wake.wait_for(&mut state, TICK);
            let now = Instant::now();
            let watched = state.watched.iter_mut();
            let due: Vec<_> =
                watched.filter_map(|(_, it)| it.tick(now).map(|due| (due, Arc::clone(&it.stop)))).collect();
            MutexGuard::unlocked(&mut state, || {
                for (due, stop) in due {
                    // A waker is a host's. Whatever it does, the others' limits are kept.
                    if catch_unwind(AssertUnwindSafe(|| due.happen(&stop))).is_err() {
                        tracing::error!("a waker panicked");
                    }
                }
            });
            idle = if state.watched.is_empty() { idle + 1 } else { 0 };
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let Self(id, watchdog) = self;
        let mut state = watchdog.state.lock();
        if let Some(index) = state.watched.iter().position(|(other, _)| other == id) {
            state.watched.swap_remove(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn what_is_over_time_is_stopped_and_what_is_not_goes_on() {
        let until = |time| {
            let stop = Arc::new(Stop::default());
            let watched = Watched {
                stop: Arc::clone(&stop),
                until: Some((Instant::now() + time, Limit::Time)),
                cpu: None,
                memory: None,
            };
            (stop, watch(watched).unwrap())
        };
        let (late, _watch) = until(Duration::from_millis(5));
        let (early, _watch) = until(Duration::from_secs(3600));
        while late.reason().is_none() {
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(late.reason(), Some(Reason::Limit(Limit::Time, 0)));
        assert_eq!(early.reason(), None);
    }
}

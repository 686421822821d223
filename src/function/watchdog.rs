//! The thread that ends executions whose time is up.

use std::io;
use std::sync::{Arc, OnceLock};
use std::thread::Builder;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

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
    /// Looked at whenever the thread has computed.
    pub(super) memory: Option<Arc<Account>>,
}

pub(super) struct CpuWatch {
    pub(super) clock: ThreadClock,
    pub(super) until: Option<Duration>,
    pub(super) seen: Duration,
}

impl Watched {
    fn tick(&mut self, now: Instant) {
        if self.stop.reason().is_some() {
            self.stop.press_again();
            return;
        }
        if let Some((_, limit)) = self.until.filter(|(until, _)| *until <= now) {
            self.stop.stop(Reason::Limit(limit, 0));
            return;
        }
        let Some(cpu) = &mut self.cpu else { return };
        let Some(time) = cpu.clock.now() else { return };
        if cpu.until.is_some_and(|until| until <= time) {
            self.stop.stop(Reason::Limit(Limit::CpuTime, 0));
        } else if time > cpu.seen
            && let Some(memory) = &self.memory
        {
            memory.look();
        }
        cpu.seen = time;
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
            for (_, watched) in &mut state.watched {
                watched.tick(now);
            }
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

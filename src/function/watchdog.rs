//! Watchdog thread: enforces time limits, deadlines and memory limits that V8 does not enforce.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::thread::Builder;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::clock::CpuClock;
use super::limits::Limit;
use super::memory::MemoryAccount;
#[cfg(all(target_os = "linux", feature = "v8"))]
use super::process::ProcessMemory;
use super::termination::{TerminationHandle, TerminationReason};

/// Interval between checks: the resolution of time limits, and the time in which a loop can allocate outside of the heap
/// unnoticed.
const TICK_INTERVAL: Duration = Duration::from_millis(10);

/// Ticks without an execution after which the thread sleeps. While it is awake, a new execution does not have to wake it.
const IDLE_TICKS_BEFORE_SLEEP: u32 = 100;

/// The parts of an execution that the watchdog checks.
pub(super) struct WatchTarget {
    pub(super) termination: Arc<TerminationHandle>,
    /// Time at which the execution is terminated, and the limit that it then exceeds.
    pub(super) deadline: Option<(Instant, Limit)>,
    /// None while the execution has no thread.
    pub(super) cpu: Option<CpuWatch>,
    /// Checked at every tick in which the thread used CPU time, or at every tick if that is unknown.
    pub(super) memory: Option<MemoryWatch>,
}

/// Memory of an execution.
pub(super) enum MemoryWatch {
    /// Of an isolate in this process, which checks it itself.
    Heap(Arc<MemoryAccount>),
    /// Of a worker process.
    #[cfg(all(target_os = "linux", feature = "v8"))]
    Process { memory: Arc<ProcessMemory>, limit: usize },
}

impl MemoryWatch {
    /// Returns the bytes in use if they are above the limit.
    fn check(&self) -> Option<usize> {
        match self {
            Self::Heap(account) => {
                account.request_check();
                None
            }
            #[cfg(all(target_os = "linux", feature = "v8"))]
            Self::Process { memory, limit } => memory.used().filter(|used| used > limit),
        }
    }
}

/// CPU time of the thread that runs an execution.
pub(super) struct CpuWatch {
    pub(super) clock: CpuClock,
    /// Reading of the clock at which [`Limit::CpuTime`] is exceeded.
    pub(super) deadline: Option<Duration>,
    /// Reading of the clock at the last tick.
    pub(super) last: Duration,
}

impl WatchTarget {
    /// Checks the execution. Returns the action to take, if any.
    fn tick(&mut self, now: Instant) -> Option<Action> {
        if self.termination.reason().is_some() {
            return Some(Action::TerminateAgain);
        }
        if let Some((_, limit)) = self.deadline.filter(|(deadline, _)| *deadline <= now) {
            return Some(Action::Terminate(limit, 0));
        }
        let mut is_running = true;
        if let Some(cpu) = &mut self.cpu
            && let Some(time) = cpu.clock.now()
        {
            if cpu.deadline.is_some_and(|deadline| deadline <= time) {
                return Some(Action::Terminate(Limit::CpuTime, 0));
            }
            is_running = time > cpu.last;
            cpu.last = time;
        }
        if let Some(memory) = &self.memory
            && is_running
            && let Some(used) = memory.check()
        {
            return Some(Action::Terminate(Limit::Memory, used));
        }
        None
    }
}

enum Action {
    /// The exceeded limit, and the amount used.
    Terminate(Limit, usize),
    TerminateAgain,
}

impl Action {
    fn apply(self, termination: &TerminationHandle) {
        match self {
            Self::Terminate(limit, used) => termination.terminate(TerminationReason::Limit(limit, used)),
            Self::TerminateAgain => termination.terminate_again(),
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
    targets: Vec<(u64, WatchTarget)>,
    last_id: u64,
    is_asleep: bool,
}

/// Watches an execution until it is dropped.
pub(super) struct Watch(u64, &'static Watchdog);

static WATCHDOG: OnceLock<&'static Watchdog> = OnceLock::new();

/// Starts to watch an execution.
///
/// # Errors
///
/// Fails if the thread cannot be started. The execution must not run in that case.
pub(super) fn watch(target: WatchTarget) -> io::Result<Watch> {
    let watchdog = match WATCHDOG.get() {
        Some(watchdog) => *watchdog,
        None => {
            // Lives as long as the process. If two threads race here, one of the watchdogs sleeps forever.
            let watchdog: &'static Watchdog = Box::leak(Box::default());
            Builder::new().name("tailor-idp-watchdog".to_owned()).spawn(move || watchdog.run())?;
            WATCHDOG.get_or_init(|| watchdog)
        }
    };
    let mut state = watchdog.state.lock();
    state.last_id += 1;
    let id = state.last_id;
    state.targets.push((id, target));
    if state.is_asleep {
        watchdog.wake.notify_one();
    }
    Ok(Watch(id, watchdog))
}

/// Stops watching an execution whose [`Watch`] is never dropped.
pub(super) fn forget(termination: &Arc<TerminationHandle>) {
    if let Some(watchdog) = WATCHDOG.get() {
        watchdog.state.lock().targets.retain(|(_, target)| !Arc::ptr_eq(&target.termination, termination));
    }
}

impl Watchdog {
    fn run(&self) {
        let mut idle_ticks = 0;
        let mut state = self.state.lock();
        loop {
            if idle_ticks > IDLE_TICKS_BEFORE_SLEEP {
                state.is_asleep = true;
                self.wake.wait_while(&mut state, |state| state.targets.is_empty());
                state.is_asleep = false;
            }
            self.wake.wait_for(&mut state, TICK_INTERVAL);
            let now = Instant::now();
            let targets = state.targets.iter_mut();
            let actions: Vec<_> =
                targets.filter_map(|(_, target)| Some((target.tick(now)?, Arc::clone(&target.termination)))).collect();
            MutexGuard::unlocked(&mut state, || {
                for (action, termination) in actions {
                    // Wakers run code of the host. A panic must not end the watchdog.
                    if catch_unwind(AssertUnwindSafe(|| action.apply(&termination))).is_err() {
                        tracing::error!("a waker panicked");
                    }
                }
            });
            idle_ticks = if state.targets.is_empty() { idle_ticks + 1 } else { 0 };
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let Self(id, watchdog) = self;
        let mut state = watchdog.state.lock();
        if let Some(index) = state.targets.iter().position(|(other, _)| other == id) {
            state.targets.swap_remove(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn watch_terminates_executions_only_after_their_deadline() {
        let watch_for = |time| {
            let termination = Arc::new(TerminationHandle::default());
            let target = WatchTarget {
                termination: Arc::clone(&termination),
                deadline: Some((Instant::now() + time, Limit::Time)),
                cpu: None,
                memory: None,
            };
            (termination, watch(target).unwrap())
        };
        let (late, _watch) = watch_for(Duration::from_millis(5));
        let (early, _watch) = watch_for(Duration::from_secs(3600));
        while late.reason().is_none() {
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(late.reason(), Some(TerminationReason::Limit(Limit::Time, 0)));
        assert_eq!(early.reason(), None);
    }
}

//! The CPU time of a thread, read from that thread or from another.

use std::time::Duration;

/// The clock of the thread that made it. Good for as long as that thread lives.
#[derive(Debug, Clone, Copy)]
pub(super) struct ThreadClock(#[cfg(target_os = "linux")] libc::clockid_t);

#[cfg(target_os = "linux")]
impl ThreadClock {
    /// This thread's clock.
    pub(super) fn of_this_thread() -> Option<Self> {
        let mut clock = 0;
        // SAFETY: the thread is the running one, and `clock` is written to.
        let failed = unsafe { libc::pthread_getcpuclockid(libc::pthread_self(), &raw mut clock) };
        (failed == 0).then_some(Self(clock))
    }

    /// What the thread has computed so far.
    pub(super) fn now(self) -> Option<Duration> {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `time` is written to. The clock of a thread that has ended is an error, not undefined.
        let failed = unsafe { libc::clock_gettime(self.0, &raw mut time) };
        let (seconds, nanoseconds) = (u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?);
        (failed == 0).then(|| Duration::new(seconds, nanoseconds))
    }
}

/// Other systems have no such clock, or one without a stable interface.
#[cfg(not(target_os = "linux"))]
impl ThreadClock {
    pub(super) fn of_this_thread() -> Option<Self> {
        None
    }

    pub(super) fn now(self) -> Option<Duration> {
        None
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    #[test]
    fn a_thread_that_waits_computes_nothing_and_another_can_see_it() {
        let (tell, clock) = mpsc::channel();
        let (go_on, wait) = mpsc::channel::<()>();
        let thread = thread::spawn(move || {
            tell.send(ThreadClock::of_this_thread().unwrap()).unwrap();
            wait.recv().unwrap();
        });
        let clock = clock.recv().unwrap();
        thread::sleep(Duration::from_millis(20));
        assert!(clock.now().unwrap() < Duration::from_millis(20));
        go_on.send(()).unwrap();
        thread.join().unwrap();
    }
}

//! CPU time of a thread or of a process, readable from any thread.

use std::time::Duration;

/// CPU-time clock of one thread or process. Valid while it lives.
#[derive(Debug, Clone, Copy)]
pub(super) struct CpuClock(#[cfg(target_os = "linux")] libc::clockid_t);

#[cfg(target_os = "linux")]
impl CpuClock {
    /// Clock of the current thread. None if the system has none.
    pub(super) fn of_this_thread() -> Option<Self> {
        let mut clock = 0;
        // SAFETY: `pthread_self` is a live thread, and `clock` is valid for writes.
        let failed = unsafe { libc::pthread_getcpuclockid(libc::pthread_self(), &raw mut clock) };
        (failed == 0).then_some(Self(clock))
    }

    /// Clock of a process. None if it has ended.
    #[cfg(feature = "v8")]
    pub(super) fn of_process(pid: i32) -> Option<Self> {
        let mut clock = 0;
        // SAFETY: `clock` is valid for writes.
        let failed = unsafe { libc::clock_getcpuclockid(pid, &raw mut clock) };
        (failed == 0).then_some(Self(clock))
    }

    /// CPU time that the thread has used. None if the thread has ended.
    pub(super) fn now(self) -> Option<Duration> {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `time` is valid for writes. For the clock of a thread that has ended the call returns an error.
        let failed = unsafe { libc::clock_gettime(self.0, &raw mut time) };
        let (seconds, nanoseconds) = (u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?);
        (failed == 0).then(|| Duration::new(seconds, nanoseconds))
    }
}

/// Other systems have no such clock, or no stable interface to it.
#[cfg(not(target_os = "linux"))]
impl CpuClock {
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
    fn thread_clock_does_not_advance_while_the_thread_waits() {
        let (send_clock, clock) = mpsc::channel();
        let (go_on, wait) = mpsc::channel::<()>();
        let thread = thread::spawn(move || {
            send_clock.send(CpuClock::of_this_thread().unwrap()).unwrap();
            wait.recv().unwrap();
        });
        let clock = clock.recv().unwrap();
        thread::sleep(Duration::from_millis(20));
        assert!(clock.now().unwrap() < Duration::from_millis(20));
        go_on.send(()).unwrap();
        thread.join().unwrap();
    }
}

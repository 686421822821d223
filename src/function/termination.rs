//! Termination of an execution from outside, with the reason.

use std::task::Waker;
use std::time::{Duration, Instant};

use deno_core::v8::IsolateHandle;
use parking_lot::Mutex;

use super::limits::Limit;

/// Reason why an execution was terminated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TerminationReason {
    /// A limit, and the amount used, in the limit's unit, if known.
    Limit(Limit, usize),
    /// The caller dropped the future of the execution.
    Cancelled,
    /// The runtime's shutdown timeout elapsed.
    ShuttingDown,
}

/// Time after a termination request until the worker thread is considered stuck. Some of V8's built-ins run for long without a
/// check for termination.
const TERMINATION_GRACE_PERIOD: Duration = Duration::from_secs(1);

/// Terminates one execution. Shared by all that can end it; the first reason counts.
#[derive(Default)]
pub(super) struct TerminationHandle(Mutex<State>);

#[derive(Default)]
struct State {
    reason: Option<TerminationReason>,
    requested_at: Option<Instant>,
    is_overdue: bool,
    /// The isolate, while it runs the execution.
    isolate: Option<IsolateHandle>,
    /// Task of the worker that polls the isolate's event loop.
    worker: Option<Waker>,
    /// Task of the caller, which can wait for a worker.
    caller: Option<Waker>,
    /// Resumes a paused isolate, or kills a worker process.
    on_termination: Option<Box<dyn FnMut() + Send>>,
}

impl TerminationHandle {
    /// Terminates the execution, or prevents it from starting.
    pub(super) fn terminate(&self, reason: TerminationReason) {
        let mut state = self.0.lock();
        state.reason.get_or_insert(reason);
        state.requested_at.get_or_insert_with(Instant::now);
        let wakers = state.terminate();
        drop(state);
        wake(wakers);
    }

    /// Repeats the termination. V8 clears a termination when no JavaScript is left on the stack, so that the next callback in
    /// the event loop would run. Marks the execution as overdue after [`TERMINATION_GRACE_PERIOD`].
    pub(super) fn terminate_again(&self) {
        let mut state = self.0.lock();
        let Some(requested_at) = state.requested_at else { return };
        state.is_overdue |= requested_at.elapsed() > TERMINATION_GRACE_PERIOD;
        let wakers = state.terminate();
        drop(state);
        wake(wakers);
    }

    /// Records that the worker's thread never returns, and wakes the caller.
    pub(super) fn crash(&self) {
        let mut state = self.0.lock();
        state.reason.get_or_insert(TerminationReason::Limit(Limit::Crash, 0));
        state.is_overdue = true;
        state.isolate = None;
        let caller = state.caller.clone();
        drop(state);
        wake([None, caller]);
    }

    /// Whether the worker did not return within the grace period.
    pub(super) fn is_overdue(&self) -> bool {
        self.0.lock().is_overdue
    }

    /// The reason, if termination was requested.
    pub(super) fn reason(&self) -> Option<TerminationReason> {
        self.0.lock().reason
    }

    /// Registers the worker's task, which is woken on termination.
    pub(super) fn register_worker(&self, waker: &Waker) {
        let previous = self.0.lock().worker.replace(waker.clone());
        drop(previous);
    }

    /// Registers the caller's task, which is woken on termination.
    pub(super) fn register_caller(&self, waker: &Waker) {
        let previous = self.0.lock().caller.replace(waker.clone());
        drop(previous);
    }

    /// Sets a function that is called with every termination while an isolate is armed, to free the isolate's thread from a
    /// debugger.
    #[cfg(feature = "inspector")]
    pub(super) fn on_termination(&self, resume_debugger: impl FnMut() + Send + 'static) {
        self.0.lock().on_termination = Some(Box::new(resume_debugger));
    }

    /// Sets the isolate to terminate until the guard is dropped.
    pub(super) fn arm(&self, isolate: IsolateHandle) -> ArmedTermination<'_> {
        self.0.lock().isolate = Some(isolate);
        ArmedTermination(self)
    }

    /// Sets the function that kills the worker process to terminate, until the guard is dropped. Calls it at once if the execution
    /// is already terminated.
    #[cfg(all(target_os = "linux", feature = "v8"))]
    pub(super) fn arm_process(&self, kill: impl FnMut() + Send + 'static) -> ArmedTermination<'_> {
        let mut state = self.0.lock();
        let is_terminated = state.reason.is_some();
        let kill = state.on_termination.insert(Box::new(kill));
        if is_terminated {
            kill();
        }
        ArmedTermination(self)
    }
}

impl State {
    /// Returns the tasks to wake after the lock is released: a waker runs code of the host's executor.
    fn terminate(&mut self) -> [Option<Waker>; 2] {
        if let Some(isolate) = &self.isolate {
            isolate.terminate_execution();
        }
        if let Some(on_termination) = &mut self.on_termination {
            on_termination();
        }
        [self.worker.clone(), self.caller.clone()]
    }
}

fn wake(wakers: [Option<Waker>; 2]) {
    wakers.into_iter().flatten().for_each(Waker::wake);
}

/// Guard of the time in which a termination reaches the isolate. Afterwards the isolate may run another execution.
pub(super) struct ArmedTermination<'a>(&'a TerminationHandle);

impl Drop for ArmedTermination<'_> {
    fn drop(&mut self) {
        let mut state = self.0.0.lock();
        state.isolate = None;
        state.on_termination = None;
        let worker = state.worker.take();
        drop(state);
        drop(worker);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminate_keeps_the_first_reason() {
        let termination = TerminationHandle::default();
        assert_eq!(termination.reason(), None);
        termination.terminate(TerminationReason::Limit(Limit::Time, 0));
        termination.terminate(TerminationReason::Cancelled);
        assert_eq!(termination.reason(), Some(TerminationReason::Limit(Limit::Time, 0)));
    }
}

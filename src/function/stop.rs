//! Ending an execution from outside: whoever wants it to end says why, and the script is terminated wherever it is.

use std::task::Waker;
use std::time::{Duration, Instant};

use deno_core::v8::IsolateHandle;
use parking_lot::Mutex;

use super::limits::Limit;

/// Why an execution was ended from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// A limit, and how much was used of it where that is a quantity.
    Limit(Limit, usize),
    /// Nobody waits for the result any more.
    Cancelled,
    /// The runtime is shutting down and waits no longer.
    ShuttingDown,
}

/// How long a worker may take to come back from a script that was ended. The engine does some things in one go, without a look
/// at whether it is to end.
const PATIENCE: Duration = Duration::from_secs(1);

/// Ends one execution. The first reason counts.
#[derive(Default)]
pub(super) struct Stop(Mutex<State>);

#[derive(Default)]
struct State {
    reason: Option<Reason>,
    since: Option<Instant>,
    is_given_up: bool,
    /// The isolate while it runs this execution, and only then.
    isolate: Option<IsolateHandle>,
    /// Of the worker that waits for the isolate's event loop.
    worker: Option<Waker>,
    /// Of the caller, which may be waiting for its turn.
    caller: Option<Waker>,
    /// Ends a debugger's pause.
    release: Option<Box<dyn FnMut() + Send>>,
}

impl Stop {
    /// Ends the execution.
    pub(super) fn stop(&self, reason: Reason) {
        let mut state = self.0.lock();
        state.reason.get_or_insert(reason);
        state.since.get_or_insert_with(Instant::now);
        let wakers = state.press();
        drop(state);
        wake(wakers);
    }

    /// Terminates again: the engine forgets a termination once no JavaScript is on the stack, and what comes next in the event
    /// loop would run. After a while, gives the worker up.
    pub(super) fn press_again(&self) {
        let mut state = self.0.lock();
        let Some(since) = state.since else { return };
        state.is_given_up |= since.elapsed() > PATIENCE;
        let wakers = state.press();
        drop(state);
        wake(wakers);
    }

    /// Whether the worker was to end the execution, and has not come back from it.
    pub(super) fn is_given_up(&self) -> bool {
        self.0.lock().is_given_up
    }

    pub(super) fn reason(&self) -> Option<Reason> {
        self.0.lock().reason
    }

    /// Wakes this worker's task when the execution is to end.
    pub(super) fn wakes_worker(&self, waker: &Waker) {
        let before = self.0.lock().worker.replace(waker.clone());
        drop(before);
    }

    /// Wakes this caller's task when the execution is to end.
    pub(super) fn wakes_caller(&self, waker: &Waker) {
        let before = self.0.lock().caller.replace(waker.clone());
        drop(before);
    }

    /// Is called with every termination, to free the isolate's thread where a debugger holds it. While the isolate is armed.
    #[cfg(feature = "inspector")]
    pub(super) fn releases(&self, release: impl FnMut() + Send + 'static) {
        self.0.lock().release = Some(Box::new(release));
    }

    /// The isolate that runs the execution, until the guard is dropped.
    pub(super) fn arm(&self, isolate: IsolateHandle) -> Armed<'_> {
        self.0.lock().isolate = Some(isolate);
        Armed(self)
    }
}

impl State {
    /// Returns whom to wake: without the lock, since a host's executor may do anything as it is woken.
    fn press(&mut self) -> [Option<Waker>; 2] {
        if let Some(isolate) = &self.isolate {
            isolate.terminate_execution();
        }
        if let Some(release) = &mut self.release {
            release();
        }
        [self.worker.clone(), self.caller.clone()]
    }
}

fn wake(wakers: [Option<Waker>; 2]) {
    wakers.into_iter().flatten().for_each(Waker::wake);
}

/// While it lives, a stop terminates the isolate. After it nothing does: the isolate may be running something else.
pub(super) struct Armed<'a>(&'a Stop);

impl Drop for Armed<'_> {
    fn drop(&mut self) {
        let mut state = self.0.0.lock();
        state.isolate = None;
        state.release = None;
        let worker = state.worker.take();
        drop(state);
        drop(worker);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_counts() {
        let stop = Stop::default();
        assert_eq!(stop.reason(), None);
        stop.stop(Reason::Limit(Limit::Time, 0));
        stop.stop(Reason::Cancelled);
        assert_eq!(stop.reason(), Some(Reason::Limit(Limit::Time, 0)));
    }
}

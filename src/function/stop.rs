//! Ending an execution from outside: whoever wants it to end says why, and the script is terminated wherever it is.

use std::task::Waker;

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

/// Ends one execution. The first reason counts.
#[derive(Default)]
pub(super) struct Stop(Mutex<State>);

#[derive(Default)]
struct State {
    reason: Option<Reason>,
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
        state.press();
    }

    /// Terminates again: the engine forgets a termination once no JavaScript is on the stack, and what comes next in the event
    /// loop would run.
    pub(super) fn press_again(&self) {
        let mut state = self.0.lock();
        if state.reason.is_some() {
            state.press();
        }
    }

    pub(super) fn reason(&self) -> Option<Reason> {
        self.0.lock().reason
    }

    /// Wakes this worker's task when the execution is to end.
    pub(super) fn wakes_worker(&self, waker: &Waker) {
        set(&mut self.0.lock().worker, waker);
    }

    /// Wakes this caller's task when the execution is to end.
    pub(super) fn wakes_caller(&self, waker: &Waker) {
        set(&mut self.0.lock().caller, waker);
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
    fn press(&mut self) {
        if let Some(isolate) = &self.isolate {
            isolate.terminate_execution();
        }
        if let Some(release) = &mut self.release {
            release();
        }
        [&self.worker, &self.caller].into_iter().flatten().for_each(Waker::wake_by_ref);
    }
}

fn set(slot: &mut Option<Waker>, waker: &Waker) {
    match slot {
        Some(known) => known.clone_from(waker),
        none => *none = Some(waker.clone()),
    }
}

/// While it lives, a stop terminates the isolate. After it nothing does: the isolate may be running something else.
pub(super) struct Armed<'a>(&'a Stop);

impl Drop for Armed<'_> {
    fn drop(&mut self) {
        let mut state = self.0.0.lock();
        state.isolate = None;
        state.worker = None;
        state.release = None;
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

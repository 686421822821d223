//! Limits on the calls of client methods in one execution.

use std::cell::Cell;
use std::rc::Rc;

/// Counts the calls of an execution, and enforces their limits if there are any.
///
/// A host with its own runtime sets no limits. Kept in the [`OpState`](deno_core::OpState) of the isolate.
#[derive(Clone, Default)]
pub(crate) struct CallBudget {
    in_flight: Rc<Cell<usize>>,
    total: Rc<Cell<usize>>,
    limits: Option<Rc<CallLimits>>,
}

/// Limits on the calls of one execution.
pub(crate) struct CallLimits {
    /// Calls without an answer, at any one time.
    pub(crate) in_flight: usize,
    /// Calls from start to end.
    pub(crate) total: usize,
    /// Terminates the script. Called for each call beyond a limit.
    pub(crate) on_exceeded: Box<dyn Fn(CallLimit)>,
}

/// The limit that a call exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallLimit {
    InFlight,
    Total,
}

impl CallBudget {
    pub(crate) fn with_limits(limits: CallLimits) -> Self {
        Self { limits: Some(Rc::new(limits)), ..Self::default() }
    }

    /// The number of calls that have no answer yet.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.get()
    }

    /// Counts one more call. False if it exceeds a limit, in which case the script is being terminated.
    pub(super) fn admit(&self) -> bool {
        self.total.set(self.total.get() + 1);
        let Some(limits) = &self.limits else { return true };
        let exceeded = if self.total.get() > limits.total {
            CallLimit::Total
        } else if self.in_flight.get() >= limits.in_flight {
            CallLimit::InFlight
        } else {
            return true;
        };
        (limits.on_exceeded)(exceeded);
        false
    }

    /// Counts a call as in flight until the guard is dropped.
    pub(super) fn track(&self) -> InFlight {
        self.in_flight.set(self.in_flight.get() + 1);
        InFlight(Rc::clone(&self.in_flight))
    }
}

/// One call in flight.
pub(super) struct InFlight(Rc<Cell<usize>>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

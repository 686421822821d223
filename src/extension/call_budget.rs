//! Limits on the calls of client methods in one execution.

use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;

use deno_core::futures::FutureExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::unconstrained;

use crate::idp::{Code, IdpError};

/// Counts the calls of an execution, and enforces their limits if there are any.
///
/// A host with its own runtime sets no limits. Kept in the [`OpState`](deno_core::OpState) of the isolate. Dropping or replacing
/// it cancels the calls that wait for their turn.
#[derive(Default)]
pub(crate) struct CallBudget {
    made: Cell<usize>,
    unanswered: Rc<Cell<usize>>,
    policy: Policy,
}

#[derive(Default)]
enum Policy {
    #[default]
    Unlimited,
    Limited {
        calls: usize,
        /// A permit for each call that may run. Waiters get permits in the order in which they asked for them.
        turns: Arc<Semaphore>,
    },
    /// No further calls. Called for each one.
    Closed(Box<dyn Fn()>),
}

/// When a call runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// Now.
    Run,
    /// At its [`turn`](CallBudget::turn): as many calls run as may run at once.
    Wait,
}

/// Why a call does not run.
pub(super) enum Refusal {
    /// The execution has made all of its calls.
    Exhausted(IdpError),
    /// The script is being terminated.
    Terminating,
}

impl CallBudget {
    /// Allows `calls` in total, of which at most `at_once` run at the same time. The others wait for their turn.
    pub(crate) fn new(calls: usize, at_once: usize) -> Self {
        // A semaphore has a maximum, far above what a process can run. With no turns, calls would wait forever.
        let turns = Arc::new(Semaphore::new(at_once.clamp(1, Semaphore::MAX_PERMITS)));
        Self { policy: Policy::Limited { calls, turns }, ..Self::default() }
    }

    /// Allows no calls. `terminate` is called for each call, and has to terminate the script.
    pub(crate) fn closed(terminate: impl Fn() + 'static) -> Self {
        Self { policy: Policy::Closed(Box::new(terminate)), ..Self::default() }
    }

    /// The number of calls that have no answer yet, including those that wait for their turn.
    pub(crate) fn unanswered(&self) -> usize {
        self.unanswered.get()
    }

    /// Counts one more call. Takes no lock.
    pub(super) fn admit(&self) -> Result<Admission, Refusal> {
        let admission = match &self.policy {
            Policy::Unlimited => Admission::Run,
            Policy::Limited { calls, .. } if self.made.get() >= *calls => {
                let detail = format!(
                    "an execution makes at most {calls} calls of tailor.idp (function.max_calls in the settings): use several executions"
                );
                return Err(Refusal::Exhausted(IdpError::new(Code::ResourceExhausted, detail)));
            }
            // No permit is left while a call waits.
            Policy::Limited { turns, .. } if turns.available_permits() == 0 => Admission::Wait,
            Policy::Limited { .. } => Admission::Run,
            Policy::Closed(terminate) => {
                terminate();
                return Err(Refusal::Terminating);
            }
        };
        self.made.set(self.made.get() + 1);
        Ok(admission)
    }

    /// Counts a call as unanswered until the guard is dropped.
    pub(super) fn track(&self) -> Unanswered {
        self.unanswered.set(self.unanswered.get() + 1);
        Unanswered(Rc::clone(&self.unanswered))
    }

    /// Queues a call at once. The future waits until the call may run, after those that were queued before.
    ///
    /// Returns a guard: the call counts as running until it is dropped. Returns `None` if the execution has ended.
    pub(super) fn turn(&self) -> impl Future<Output = Option<Turn>> + use<> {
        let permit = match &self.policy {
            Policy::Limited { turns, .. } => {
                // Polled once to take the place in the queue now. Unconstrained, since tokio's cooperative scheduling would defer that.
                let mut permit = Box::pin(unconstrained(Arc::clone(turns).acquire_owned()));
                let ready = permit.as_mut().now_or_never();
                Some((permit, ready))
            }
            _ => None,
        };
        async move {
            let Some((permit, ready)) = permit else { return Some(Turn(None)) };
            let permit = match ready {
                Some(permit) => permit,
                None => permit.await,
            };
            permit.ok().map(|permit| Turn(Some(permit)))
        }
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        if let Self::Limited { turns, .. } = self {
            turns.close();
        }
    }
}

/// One running call.
pub(super) struct Turn(#[expect(dead_code, reason = "released on drop")] Option<OwnedSemaphorePermit>);

/// One call without an answer.
pub(super) struct Unanswered(Rc<Cell<usize>>);

impl Drop for Unanswered {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

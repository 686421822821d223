//! A call of a client method, from the arguments to the promise that the script gets.
//!
//! The promise is made and settled here, by the engine's own means. The engine's JavaScript for async ops uses
//! `Promise.prototype`, `Function.prototype.call` and arrays, which a script may have replaced.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use deno_core::futures::FutureExt;
use deno_core::futures::task::AtomicWaker;
use deno_core::v8::{self, Global, Local, PinScope, Value};
use deno_core::{ExternalOpsTracker, OpState, V8TaskSpawner, unsync};
use tokio::runtime::{Handle, RuntimeFlavor};

use super::convert::{Answer, Refusal};
use super::error::Site;
use crate::idp::{Code, IdentityProvider, IdpError, Principal};

/// What a client's JavaScript says of itself.
pub(super) struct Client<'s> {
    /// Of anything but a client there is none.
    pub(super) namespace: Local<'s, Value>,
    /// Makes the objects of users.
    pub(super) make_user: Local<'s, Value>,
}

/// What a method's work needs: the identity provider, the client's namespace, and who asks.
pub(super) struct Target {
    pub(super) idp: Arc<dyn IdentityProvider>,
    pub(super) namespace: String,
    pub(super) principal: Principal,
}

/// Starts a call of `method`: reads its input, starts the work, and returns the promise of the answer.
///
/// An answer that is there at once, as a read from the cache is, settles the promise at once.
pub(super) fn call<'s, I, T, F>(
    scope: &mut PinScope<'s, '_>,
    state: &Rc<RefCell<OpState>>,
    method: &'static str,
    client: Client<'s>,
    read: impl FnOnce(&mut PinScope<'s, '_>) -> Result<I, Refusal>,
    work: impl FnOnce(Target, I) -> F,
) -> Local<'s, Value>
where
    T: Answer + 'static,
    F: Future<Output = Result<T, IdpError>> + 'static,
{
    let Some(resolver) = v8::PromiseResolver::new(scope) else {
        // The script is being terminated: nothing of it will look at the value.
        return v8::undefined(scope).into();
    };
    let promise = resolver.get_promise(scope).into();
    let (true, Ok(make_user)) = (client.namespace.is_string(), client.make_user.try_cast::<v8::Function>()) else {
        let message = format!("tailor.idp.Client: {method} was called on something that is no client");
        let message = v8::String::new(scope, &message).unwrap_or_else(|| v8::String::empty(scope));
        let error = v8::Exception::type_error(scope, message);
        resolver.reject(scope, error);
        return promise;
    };
    let input = match read(scope) {
        Ok(input) => input,
        Err(Refusal::Rule(error)) => {
            Site::here(scope).reject(scope, resolver, method, &error);
            return promise;
        }
        Err(Refusal::Thrown(thrown)) => {
            let thrown = Local::new(scope, thrown);
            resolver.reject(scope, thrown);
            return promise;
        }
    };
    if !state.borrow().borrow::<CallBudget>().takes_one_more() {
        // The script is being terminated.
        return promise;
    }
    let target = {
        let state = state.borrow();
        let idp = Arc::clone(state.borrow::<Arc<dyn IdentityProvider>>());
        let principal = state.borrow::<Principal>().clone();
        Target { idp, namespace: client.namespace.to_rust_string_lossy(scope), principal }
    };
    let mut work = Box::pin(guarded(work(target, input)));
    let mut once = Context::from_waker(Waker::noop());
    match pin!(&mut work).poll(&mut once) {
        Poll::Ready(answer) => settle(scope, resolver, method, make_user, answer, Site::here),
        Poll::Pending if !is_on_one_thread() => {
            let error = IdpError::new(Code::Internal, "scripts must run on a current_thread tokio runtime");
            settle::<T>(scope, resolver, method, make_user, Err(error), Site::here);
        }
        Poll::Pending => {
            // The script's line, which is gone when the answer comes. The wait hides what this costs.
            let site = Site::here(scope).kept(scope);
            let resolver = Global::new(scope, resolver);
            let make_user = Global::new(scope, make_user);
            let pending = Pending::new(&state.borrow());
            unsync::spawn(async move {
                let answer = work.await;
                pending.finish(move |scope| {
                    let resolver = Local::new(scope, resolver);
                    let make_user = Local::new(scope, make_user);
                    settle(scope, resolver, method, make_user, answer, |scope| Site::of(scope, site));
                });
            });
        }
    }
    promise
}

fn settle<'s, T: Answer>(
    scope: &mut PinScope<'s, '_>,
    resolver: Local<'s, v8::PromiseResolver>,
    method: &str,
    make_user: Local<'s, v8::Function>,
    answer: Result<T, IdpError>,
    site: impl FnOnce(&mut PinScope<'s, '_>) -> Site<'s>,
) {
    let value = answer.map_err(Refusal::Rule).and_then(|answer| answer.into_script(scope, make_user));
    match value {
        Ok(value) => drop(resolver.resolve(scope, value)),
        Err(Refusal::Rule(error)) => site(scope).reject(scope, resolver, method, &told(method, error)),
        // There is no stack left for an answer, or the script is being terminated.
        Err(Refusal::Thrown(thrown)) => {
            let thrown = Local::new(scope, thrown);
            resolver.reject(scope, thrown);
        }
    }
}

/// How many calls a script has made, and how many of them have no answer yet.
///
/// Without bounds, as a host with a runtime of its own has it, it only counts.
#[derive(Clone, Default)]
pub(crate) struct CallBudget {
    under_way: Rc<Cell<usize>>,
    made: Rc<Cell<usize>>,
    bounds: Option<Rc<CallBounds>>,
}

pub(crate) struct CallBounds {
    pub(crate) under_way: usize,
    pub(crate) made: usize,
    /// Ends the script.
    pub(crate) exceeded: Box<dyn Fn(CallBound)>,
}

/// What was exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallBound {
    UnderWay,
    Made,
}

impl CallBudget {
    pub(crate) fn within(bounds: CallBounds) -> Self {
        Self { bounds: Some(Rc::new(bounds)), ..Self::default() }
    }

    /// How many calls have no answer yet.
    pub(crate) fn under_way(&self) -> usize {
        self.under_way.get()
    }

    /// Counts a call, if there may be another.
    fn takes_one_more(&self) -> bool {
        self.made.set(self.made.get() + 1);
        let Some(bounds) = &self.bounds else { return true };
        let exceeded = if self.made.get() > bounds.made {
            CallBound::Made
        } else if self.under_way.get() >= bounds.under_way {
            CallBound::UnderWay
        } else {
            return true;
        };
        (bounds.exceeded)(exceeded);
        false
    }
}

/// Keeps the event loop going while an answer is to come.
///
/// Holds nothing of the runtime but what may outlive it: the host may drop the runtime at any time.
struct Pending {
    operations: ExternalOpsTracker,
    under_way: Rc<Cell<usize>>,
    tasks: V8TaskSpawner,
    event_loop: Arc<AtomicWaker>,
}

impl Pending {
    fn new(state: &OpState) -> Self {
        let operations = state.external_ops_tracker.clone();
        let under_way = Rc::clone(&state.borrow::<CallBudget>().under_way);
        operations.ref_op();
        under_way.set(under_way.get() + 1);
        Self {
            operations,
            under_way,
            tasks: state.borrow::<V8TaskSpawner>().clone(),
            event_loop: Arc::clone(&state.waker),
        }
    }

    /// Runs `settle` in the event loop.
    fn finish(self, settle: impl FnOnce(&mut PinScope<'_, '_>) + 'static) {
        let tasks = self.tasks.clone();
        tasks.spawn(move |scope| {
            settle(scope);
            drop(self);
        });
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.operations.unref_op();
        self.under_way.set(self.under_way.get() - 1);
        self.event_loop.wake();
    }
}

/// Turns a panic of a host's identity provider into a failure of the call.
async fn guarded<T>(work: impl Future<Output = Result<T, IdpError>>) -> Result<T, IdpError> {
    let panicked = |_| Err(IdpError::new(Code::Internal, "the identity provider panicked"));
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(panicked)
}

/// What a script may know of a failure. The rest goes to the host's log.
fn told(method: &str, failure: IdpError) -> IdpError {
    let source = failure.source();
    match failure.code() {
        Code::Internal => {
            tracing::error!(method, detail = failure.detail(), source, "a call failed");
            IdpError::new(Code::Internal, "internal error")
        }
        Code::Unavailable | Code::DeadlineExceeded | Code::Unauthenticated => {
            tracing::warn!(method, detail = failure.detail(), source, "a call failed");
            failure
        }
        _ => failure,
    }
}

/// An answer that comes later is waited for on the isolate's own thread, which takes a runtime of one thread.
fn is_on_one_thread() -> bool {
    Handle::try_current().is_ok_and(|tokio| tokio.runtime_flavor() == RuntimeFlavor::CurrentThread)
}

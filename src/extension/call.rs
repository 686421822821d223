//! Calls of client methods, from the arguments to the settled promise.
//!
//! The promise is created and settled with the V8 API. deno_core's async ops are not used: their JavaScript depends on
//! `Promise.prototype`, `Function.prototype.call` and arrays, which a script can replace.

use std::cell::RefCell;
use std::error::Error;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use deno_core::futures::FutureExt;
use deno_core::futures::task::AtomicWaker;
use deno_core::v8::{self, Global, Local, PinScope, Value};
use deno_core::{ExternalOpsTracker, OpState, V8TaskSpawner, unsync};
use tokio::runtime::{Handle, RuntimeFlavor};

use super::call_budget::{Admission, CallBudget, Refusal, Unanswered};
use super::caller::{CallTarget, Caller};
use super::error::{CallError, CallSite, Fallible};
use super::external_memory::{Charge, ExternalMemory};
use super::host_memory::HostMemory;
use super::output::IntoScript;
use crate::idp::{CallContext, Code, IdpError, NamespaceName};

/// Defines the ops of client methods: `op: "method", read => |input| operation(input);` for each.
///
/// - `op` is the name of the op, and `"method"` the name of the method in JavaScript, for error texts.
/// - `read` turns the argument of the method into the input: `fn(&mut PinScope, Local<Value>) -> Fallible<Input>`.
/// - `operation` is the method of [`IdentityProvider`](crate::idp::IdentityProvider): it gets the context of the call, and then `input`.
macro_rules! client_ops {
    ($($op:ident: $method:literal, $read:expr => |$input:ident| $operation:ident($argument:expr);)*) => {$(
        #[deno_core::op2]
        fn $op<'s>(
            scope: &mut v8::PinScope<'s, '_>,
            state: std::rc::Rc<std::cell::RefCell<OpState>>,
            namespace: v8::Local<'s, v8::Value>,
            make_user: v8::Local<'s, v8::Value>,
            argument: v8::Local<'s, v8::Value>,
        ) -> v8::Local<'s, v8::Value> {
            let client = super::call::Client { namespace, make_user };
            super::call::call(scope, &state, $method, client, argument, $read, |target, $input| async move {
                target.idp.$operation(&target.context, $argument).await
            })
        }
    )*};
}
pub(super) use client_ops;

/// What the JavaScript of a client passes with each call.
pub(super) struct Client<'s> {
    /// A string; `undefined` if the method was called on anything but a client.
    pub(super) namespace: Local<'s, Value>,
    /// Creates the objects of users: see [`super::user`].
    pub(super) make_user: Local<'s, Value>,
}

/// Calls `method`: reads its argument, runs the operation, and returns the promise of its result.
///
/// A result that is ready at once, such as a read from a cache, settles the promise before it is returned. Where as many calls run
/// as may run at once, the operation starts when it is this call's turn.
pub(super) fn call<'s, I, T, F>(
    scope: &mut PinScope<'s, '_>,
    state: &Rc<RefCell<OpState>>,
    method: &'static str,
    client: Client<'s>,
    argument: Local<'s, Value>,
    read: impl FnOnce(&mut PinScope<'s, '_>, Local<'s, Value>) -> Fallible<I>,
    operation: impl FnOnce(CallTarget, I) -> F,
) -> Local<'s, Value>
where
    I: HostMemory,
    T: IntoScript + 'static,
    F: Future<Output = Result<T, IdpError>> + 'static,
{
    let Some(resolver) = v8::PromiseResolver::new(scope) else {
        // The script is being terminated and cannot use the value.
        return v8::undefined(scope).into();
    };
    let promise = resolver.get_promise(scope).into();
    let (Ok(namespace), Ok(make_user)) = (client.namespace.try_cast(), client.make_user.try_cast::<v8::Function>())
    else {
        reject_foreign_receiver(scope, resolver, method);
        return promise;
    };
    let input = match read(scope, argument) {
        Ok(input) => input,
        Err(CallError::Failed(error)) => {
            CallSite::current(scope).reject(scope, resolver, method, &error);
            return promise;
        }
        Err(CallError::Thrown(exception)) => {
            reject_with(scope, resolver, exception);
            return promise;
        }
    };
    let admitted = state.borrow().borrow::<CallBudget>().admit();
    let admission = match admitted {
        Ok(admission) => admission,
        Err(Refusal::Exhausted(error)) => {
            CallSite::current(scope).reject(scope, resolver, method, &error);
            return promise;
        }
        Err(Refusal::Terminating) => return promise,
    };
    let target = state.borrow_mut().borrow_mut::<Caller>().target(scope, namespace);
    let Some(target) = target else {
        reject_foreign_receiver(scope, resolver, method);
        return promise;
    };
    let context = Arc::clone(&target.context);
    let heap_bytes = input.heap_bytes();
    let mut result = Box::pin(catch_panic(operation(target, input)));
    let polled = match admission {
        Admission::Run => result.as_mut().poll(&mut Context::from_waker(Waker::noop())),
        Admission::Wait => Poll::Pending,
    };
    match polled {
        Poll::Ready(result) => settle(scope, resolver, &context, method, make_user, result, CallSite::current),
        Poll::Pending if !is_current_thread_runtime() => {
            let error = IdpError::new(Code::Internal, "scripts must run on a current_thread tokio runtime");
            settle::<T>(scope, resolver, &context, method, make_user, Err(error), CallSite::current);
        }
        Poll::Pending => {
            // Captured now, because the script's stack is gone when the result arrives. The wait hides the cost.
            let site = CallSite::current(scope).into_global(scope);
            let resolver = Global::new(scope, resolver);
            let make_user = Global::new(scope, make_user);
            let (pending, turn) = {
                let state = state.borrow();
                (PendingCall::new(&state, heap_bytes), state.borrow::<CallBudget>().turn())
            };
            unsync::spawn(async move {
                let Some(turn) = turn.await else { return };
                let result = result.await;
                drop(turn);
                pending.complete(move |scope| {
                    let resolver = Local::new(scope, resolver);
                    let make_user = Local::new(scope, make_user);
                    settle(scope, resolver, &context, method, make_user, result, |scope| {
                        CallSite::from_global(scope, site)
                    });
                });
            });
        }
    }
    promise
}

fn settle<'s, T: IntoScript>(
    scope: &mut PinScope<'s, '_>,
    resolver: Local<'s, v8::PromiseResolver>,
    context: &CallContext,
    method: &str,
    make_user: Local<'s, v8::Function>,
    result: Result<T, IdpError>,
    site: impl FnOnce(&mut PinScope<'s, '_>) -> CallSite<'s>,
) {
    match result.map_err(CallError::Failed).and_then(|output| output.into_script(scope, make_user)) {
        Ok(value) => drop(resolver.resolve(scope, value)),
        Err(CallError::Failed(error)) => {
            let error = redact_for_script(&context.namespace, method, error);
            site(scope).reject(scope, resolver, method, &error);
        }
        // No stack is left to build the result, or the script is being terminated.
        Err(CallError::Thrown(exception)) => reject_with(scope, resolver, exception),
    }
}

/// Rejects a call of a method on an object that is not a client.
fn reject_foreign_receiver(scope: &mut PinScope<'_, '_>, resolver: Local<'_, v8::PromiseResolver>, method: &str) {
    let message = format!("tailor.idp.Client: {method} was called on something that is no client");
    let message = v8::String::new(scope, &message).unwrap_or_else(|| v8::String::empty(scope));
    let error = v8::Exception::type_error(scope, message);
    resolver.reject(scope, error);
}

/// Rejects a call with the exception that the script threw.
fn reject_with<'s>(scope: &mut PinScope<'s, '_>, resolver: Local<'s, v8::PromiseResolver>, exception: Global<Value>) {
    let exception = Local::new(scope, exception);
    resolver.reject(scope, exception);
}

/// Keeps the event loop alive until the result of a call arrives.
///
/// Holds only handles that can outlive the runtime: the host can drop the runtime at any time.
struct PendingCall {
    operations: ExternalOpsTracker,
    tasks: V8TaskSpawner,
    event_loop: Arc<AtomicWaker>,
    _unanswered: Unanswered,
    /// The text of the argument counts as memory of the script.
    _argument: Charge,
}

impl PendingCall {
    fn new(state: &OpState, heap_bytes: usize) -> Self {
        let operations = state.external_ops_tracker.clone();
        operations.ref_op();
        Self {
            operations,
            tasks: state.borrow::<V8TaskSpawner>().clone(),
            event_loop: Arc::clone(&state.waker),
            _unanswered: state.borrow::<CallBudget>().track(),
            _argument: ExternalMemory::of(state).charge(heap_bytes),
        }
    }

    /// Runs `settle` in the event loop.
    fn complete(self, settle: impl FnOnce(&mut PinScope<'_, '_>) + 'static) {
        let tasks = self.tasks.clone();
        tasks.spawn(move |scope| {
            settle(scope);
            drop(self);
        });
    }
}

impl Drop for PendingCall {
    fn drop(&mut self) {
        self.operations.unref_op();
        self.event_loop.wake();
    }
}

/// Turns a panic of a host's identity provider into an error.
async fn catch_panic<T>(result: impl Future<Output = Result<T, IdpError>>) -> Result<T, IdpError> {
    let panicked = |_| Err(IdpError::new(Code::Internal, "the identity provider panicked"));
    AssertUnwindSafe(result).catch_unwind().await.unwrap_or_else(panicked)
}

/// Logs the errors that concern the host, and removes from them what scripts must not see.
fn redact_for_script(namespace: &NamespaceName, method: &str, error: IdpError) -> IdpError {
    let source = error.source();
    match error.code() {
        Code::Internal => {
            tracing::error!(%namespace, method, detail = error.detail(), source, "a call failed");
            IdpError::new(Code::Internal, "internal error")
        }
        Code::Unavailable | Code::DeadlineExceeded | Code::Unauthenticated => {
            tracing::warn!(%namespace, method, detail = error.detail(), source, "a call failed");
            error
        }
        _ => error,
    }
}

/// Pending results are awaited on the thread of the isolate, which requires a `current_thread` runtime.
fn is_current_thread_runtime() -> bool {
    Handle::try_current().is_ok_and(|tokio| tokio.runtime_flavor() == RuntimeFlavor::CurrentThread)
}

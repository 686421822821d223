//! One isolate: V8's heap and context, with the global scope of function scripts in it.

use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use deno_core::error::{CoreError, CoreErrorKind, JsError};
use deno_core::v8::{self, Global, Local};
use deno_core::{JsRuntime, ModuleLoader, PollEventLoopOptions, RuntimeOptions, scope};
use deno_web::{BlobStore, InMemoryBroadcastChannel};
use serde_json::Value;

use super::execution::{ErrorKind, ExecutionError};
use super::json;
use super::loader::OneModule;
use super::script::Script;
use crate::extension::{ConsoleSink, function_extensions, hide_extension_frames, tailor_function, tailor_idp};
use crate::idp::IdentityProvider;

/// Baked by the build script.
static SNAPSHOT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/function.snapshot"));

/// Takes away what an engine puts into the global scope and no script has any business with.
///
/// The engine looks `Deno.core` up while it starts, so this cannot be done in the snapshot.
const CLOSE: &str = if cfg!(feature = "quickjs") {
    "for (const key of ['Deno', '__bootstrap', 'gc', 'InternalError', 'ShadowRealm']) delete globalThis[key];"
} else {
    "delete globalThis.Deno; delete globalThis.__bootstrap;"
};

/// Where an isolate's global scope comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Startup {
    /// The snapshot in the program.
    Snapshot,
    /// The sources that the snapshot was made of.
    Sources,
}

pub(super) struct Isolate(JsRuntime);

impl Isolate {
    /// A fresh isolate, for `script` only. Needs a tokio context, and a thread without another isolate.
    pub(super) fn new(
        startup: Startup,
        idp: Arc<dyn IdentityProvider>,
        console: ConsoleSink,
        script: &Script,
    ) -> Result<Self, ExecutionError> {
        let failed = |error: CoreError| ExecutionError::platform(format!("cannot start an isolate: {error}"));
        let loader: Rc<dyn ModuleLoader> = Rc::new(OneModule { specifier: script.specifier().clone() });
        let mut runtime = JsRuntime::try_new(RuntimeOptions {
            extensions: function_extensions(),
            startup_snapshot: (startup == Startup::Snapshot).then_some(SNAPSHOT),
            module_loader: Some(loader),
            ..RuntimeOptions::default()
        })
        .map_err(failed)?;
        hide_extension_frames(&mut runtime);
        runtime
            .lazy_init_extensions(vec![
                deno_webidl::deno_webidl::args(),
                deno_web::deno_web::args(
                    Arc::new(BlobStore::default()),
                    None,
                    false,
                    InMemoryBroadcastChannel::default(),
                ),
                deno_crypto::deno_crypto::args(None),
                tailor_idp::args(idp),
                tailor_function::args(console),
            ])
            .map_err(failed)?;
        runtime.execute_script("ext:tailor_function/close.js", CLOSE).map_err(|error| failed(error.into()))?;
        Ok(Self(runtime))
    }

    /// Loads the script's module and returns its handler.
    pub(super) async fn load(&mut self, script: &Script) -> Result<Global<v8::Function>, ExecutionError> {
        let runtime = &mut self.0;
        let unusable = |error: CoreError| execution_error(error, ErrorKind::UserNonRuntime);
        let id = runtime
            .load_main_es_module_from_code(script.specifier(), script.text().to_owned())
            .await
            .map_err(unusable)?;
        let evaluated = Box::pin(runtime.mod_evaluate(id));
        runtime
            .with_event_loop_promise(evaluated, PollEventLoopOptions::default())
            .await
            .map_err(|error| execution_error(error, ErrorKind::UserRuntime))?;
        let exports = runtime.get_module_namespace(id).map_err(unusable)?;
        scope!(scope, runtime);
        let exports = Local::new(scope, exports);
        let globals = scope.get_current_context().global(scope);
        for (holder, key) in [(exports, "default"), (exports, "main"), (globals, "main")] {
            let key = v8::String::new(scope, key).unwrap_or_else(|| v8::String::empty(scope));
            let found = holder.get(scope, key.into()).and_then(|value| value.try_cast::<v8::Function>().ok());
            if let Some(handler) = found {
                return Ok(Global::new(scope, handler));
            }
        }
        Err(ExecutionError::unusable(
            "TypeError",
            "the script has no handler: export a function as default or as main, or set globalThis.main to one",
        ))
    }

    /// Calls the handler and waits for what it returns.
    pub(super) async fn call(
        &mut self,
        handler: &Global<v8::Function>,
        argument: &Value,
    ) -> Result<Value, ExecutionError> {
        let promise = {
            scope!(scope, &mut self.0);
            v8::tc_scope!(let scope, scope);
            let argument = json::to_v8(scope, argument)?;
            let this = v8::undefined(scope).into();
            let handler = Local::new(scope, handler);
            match handler.call(scope, this, &[argument]).map(|value| promise_of(scope, value)) {
                Some(Ok(promise)) => promise,
                Some(Err(value)) => return json::from_v8(scope, value),
                None => return Err(caught(scope.exception().map(|thrown| JsError::from_v8_exception(scope, thrown)))),
            }
        };
        self.settled(&promise).await?;
        scope!(scope, &mut self.0);
        let promise = Local::new(scope, promise);
        let value = promise.result(scope);
        match promise.state() {
            v8::PromiseState::Rejected => Err(caught(Some(JsError::from_v8_exception(scope, value)))),
            _ => json::from_v8(scope, value),
        }
    }

    /// Runs the event loop until the promise is settled.
    ///
    /// The promise is looked at from outside: no `then` is called on it, which a script may have replaced.
    async fn settled(&mut self, promise: &Global<v8::Promise>) -> Result<(), ExecutionError> {
        let pending = |runtime: &mut JsRuntime| {
            scope!(scope, runtime);
            Local::new(scope, promise).state() == v8::PromiseState::Pending
        };
        poll_fn(|cx| {
            if !pending(&mut self.0) {
                return Poll::Ready(Ok(()));
            }
            let idle = self.0.poll_event_loop(cx, PollEventLoopOptions::default());
            match (pending(&mut self.0), idle) {
                (_, Poll::Ready(Err(error))) => Poll::Ready(Err(execution_error(error, ErrorKind::UserRuntime))),
                (false, _) => Poll::Ready(Ok(())),
                (true, Poll::Ready(Ok(()))) => Poll::Ready(Err(ExecutionError::unusable(
                    "Error",
                    "the handler's promise never settles: nothing is left to run that could settle it",
                ))),
                (true, Poll::Pending) => Poll::Pending,
            }
        })
        .await
    }
}

/// The promise to wait for, if the value is one or, as `await` has it, an object with a `then` method.
fn promise_of<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    value: Local<'s, v8::Value>,
) -> Result<Global<v8::Promise>, Local<'s, v8::Value>> {
    let promise = match value.try_cast::<v8::Promise>() {
        Ok(promise) => promise,
        Err(_) if !value.is_object() => return Err(value),
        Err(_) => {
            let resolver = v8::PromiseResolver::new(scope).ok_or(value)?;
            resolver.resolve(scope, value);
            resolver.get_promise(scope)
        }
    };
    // A rejection is handled: it is the execution's error.
    promise.mark_as_handled();
    Ok(Global::new(scope, promise))
}

fn caught(thrown: Option<Box<JsError>>) -> ExecutionError {
    match thrown {
        Some(error) => thrown_error(*error, ErrorKind::UserRuntime),
        None => ExecutionError::platform("the script was terminated"),
    }
}

fn execution_error(error: CoreError, kind: ErrorKind) -> ExecutionError {
    match error.into_kind() {
        CoreErrorKind::Js(error) => thrown_error(*error, kind),
        CoreErrorKind::PendingPromiseResolution => ExecutionError::unusable(
            "Error",
            "the module's top-level await never settles: nothing is left to run that could settle it",
        ),
        other => ExecutionError::unusable("Error", other.to_string()),
    }
}

fn thrown_error(error: JsError, kind: ErrorKind) -> ExecutionError {
    let JsError { name, message, stack, exception_message, frames, .. } = error;
    let Some(name) = name else {
        // Something was thrown that is no error: the engine has words for it.
        return ExecutionError { kind, name: String::new(), message: exception_message, stack_trace: None };
    };
    let message = message.unwrap_or_default();
    // The stack of a syntax error has no lines, but the error has a place.
    let place = frames.first().and_then(|frame| {
        Some(format!("\n    at {}:{}:{}", frame.file_name.as_ref()?, frame.line_number?, frame.column_number?))
    });
    let mut stack = stack.unwrap_or_else(|| format!("{name}: {message}"));
    if !stack.contains("\n    at ") {
        stack.push_str(&place.unwrap_or_default());
    }
    ExecutionError { kind, name, message, stack_trace: Some(stack) }
}

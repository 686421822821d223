//! One isolate: V8's heap and context, with the global scope of function scripts.

mod config;
mod globals;

use std::future::{Future, poll_fn};
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;
#[cfg(feature = "v8")]
use std::time::Duration;

use deno_core::error::CoreError;
use deno_core::v8::{self, Global, IsolateHandle, Local};
use deno_core::{JsRuntime, ModuleLoader, PollEventLoopOptions, RuntimeOptions, SharedArrayBufferStore, scope};
use deno_web::InMemoryBroadcastChannel;
use serde_json::Value;
#[cfg(feature = "v8")]
use tokio::time::{Instant, Sleep, sleep};

pub use self::config::BuiltinGuards;
pub(super) use self::config::{GlobalScopeSource, IsolateConfig};
use super::execution::{ErrorKind, ExecutionError};
#[cfg(feature = "inspector")]
use super::inspector::{self, Inspector};
use super::json;
use super::limits::{Limit, Limits};
use super::loader::ScriptLoader;
use super::memory::MemoryAccount;
use super::pool::has_engine_tasks;
#[cfg(feature = "v8")]
use super::pool::run_engine_tasks;
use super::script::Script;
use super::script_error::{from_core_error, from_exception};
use super::termination::{TerminationHandle, TerminationReason};
use crate::extension::{
    CallBudget, CallScope, Caller, ConsoleSink, ExternalMemory, Fetch, FetchSettings, JsonText, LogLevel,
    MemoryTracker, TimerLimit, TrackedBlobStore, UseCodeCache, embed_lazy_scripts, function_extensions,
    hide_extension_frames, tailor_console, tailor_fetch, tailor_function, tailor_idp,
};
use crate::idp::Principal;

/// Startup snapshot, created by the build script.
static SNAPSHOT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/function.snapshot"));

/// Sources of the scripts that isolates load on first use, collected by the build script.
static LAZY_SCRIPTS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/lazy_scripts.rs"));

/// Makes globals non-enumerable that QuickJS defines as enumerable.
#[cfg(feature = "quickjs")]
const HIDE_GLOBALS: &str = "for (const key of ['ArrayBuffer', 'Intl', 'WebAssembly']) Object.defineProperty(globalThis, key, { enumerable: false });";

/// Forwards the script's log to the debugger's console.
#[cfg(feature = "inspector")]
const WRAP_CONSOLE: &str = "Deno.core.wrapConsole(globalThis.console, Deno.core.v8Console);";

/// Time between two looks for delayed tasks of V8, where the embedder runs them. Those are time-outs of `Atomics.waitAsync` and
/// garbage collections, for which V8 does not tell when they are due.
#[cfg(feature = "v8")]
const TASK_INTERVAL: Duration = Duration::from_millis(10);

/// Time that debuggers have to disconnect after the script has ended.
#[cfg(feature = "inspector")]
const DEBUGGER_DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// An isolate for function scripts.
pub(super) struct Isolate {
    runtime: JsRuntime,
    loader: Rc<ScriptLoader>,
    memory: Arc<MemoryAccount>,
    fetch: FetchSettings,
    /// Whether the event loop was empty when it was last polled.
    is_idle: bool,
    /// Wakes the event loop for delayed tasks of V8, where the embedder runs them.
    #[cfg(feature = "v8")]
    task_timer: Option<Pin<Box<Sleep>>>,
}

impl Isolate {
    /// Creates an isolate. Has to be called in a tokio context, on a thread without another isolate.
    ///
    /// # Errors
    ///
    /// Fails if V8 or an extension cannot be initialized.
    pub(super) fn new(config: &IsolateConfig, limits: &Limits) -> Result<Self, ExecutionError> {
        let failed = |error: CoreError| ExecutionError::platform(format!("cannot start an isolate: {error}"));
        let is_from_snapshot = config.global_scope == GlobalScopeSource::Snapshot;
        embed_lazy_scripts(LAZY_SCRIPTS);
        let loader = Rc::new(ScriptLoader::new(config.is_inspected()));
        let memory = MemoryAccount::new(limits);
        let mut runtime = JsRuntime::try_new(RuntimeOptions {
            extensions: function_extensions(),
            startup_snapshot: is_from_snapshot.then_some(SNAPSHOT),
            // The snapshot contains the ops.
            skip_op_registration: is_from_snapshot,
            // `Atomics.wait` would block the thread, and scripts share no memory.
            create_params: Some(memory.create_params().allow_atomics_wait(false)),
            // Needed for transfers by `postMessage` and `structuredClone`.
            shared_array_buffer_store: Some(SharedArrayBufferStore::default()),
            module_loader: Some(Rc::clone(&loader) as Rc<dyn ModuleLoader>),
            inspector: config.is_inspected(),
            is_main: config.is_inspected(),
            ..RuntimeOptions::default()
        })
        .map_err(failed)?;
        memory.install(&mut runtime);
        hide_extension_frames(&mut runtime);
        let isolate = runtime.v8_isolate();
        isolate.set_slot(Rc::clone(&loader));
        isolate.set_host_initialize_import_meta_object_callback(globals::initialize_import_meta);
        isolate.add_message_listener(globals::ignore_message);
        let external_memory = ExternalMemory::with_tracker(Arc::clone(&memory) as Arc<dyn MemoryTracker>);
        {
            let state = runtime.op_state();
            let mut state = state.borrow_mut();
            state.put(external_memory.clone());
            state.put(UseCodeCache(cfg!(feature = "v8") && !config.is_inspected()));
        }
        runtime
            .lazy_init_extensions(vec![
                deno_webidl::deno_webidl::args(),
                deno_web::deno_web::args(
                    Arc::new(TrackedBlobStore::new(external_memory)),
                    None,
                    false,
                    InMemoryBroadcastChannel::default(),
                ),
                deno_crypto::deno_crypto::args(None),
                tailor_console::args(),
                tailor_fetch::args(config.fetch.clone()),
                tailor_idp::args(Arc::clone(&config.idp), Principal::Anonymous),
                tailor_function::args(Box::new(|_, _| {})),
            ])
            .map_err(failed)?;
        #[cfg(feature = "inspector")]
        if config.is_inspected() {
            let wrapped = runtime.execute_script("ext:tailor_function/wrap_console.js", WRAP_CONSOLE);
            wrapped.map_err(|error| failed(error.into()))?;
        }
        let incomplete = || ExecutionError::platform("cannot start an isolate: its global scope is not complete");
        globals::initialize(&mut runtime, limits, config.builtin_guards).ok_or_else(incomplete)?;
        #[cfg(feature = "quickjs")]
        runtime.execute_script("ext:tailor_function/hide.js", HIDE_GLOBALS).map_err(|error| failed(error.into()))?;
        // With QuickJS this would remove `Function` altogether.
        if cfg!(feature = "v8") && !config.allow_code_from_strings {
            globals::forbid_code_from_strings(&mut runtime);
        }
        Ok(Self {
            runtime,
            loader,
            memory,
            fetch: config.fetch.clone(),
            is_idle: false,
            #[cfg(feature = "v8")]
            task_timer: None,
        })
    }

    /// Prepares the isolate for one execution of `script`. Accounting ends when the returned scope is dropped.
    pub(super) fn begin(
        &mut self,
        script: &Script,
        principal: Principal,
        call_scope: CallScope,
        console: ConsoleSink,
        limits: &Limits,
        termination: &Arc<TerminationHandle>,
    ) -> ExecutionScope<'_> {
        self.is_idle = false;
        self.loader.set_script(script.clone());
        let timers = TimerLimit {
            max: limits.timers,
            on_exceeded: Box::new({
                let termination = Arc::clone(termination);
                move || termination.terminate(TerminationReason::Limit(Limit::Timers, 0))
            }),
        };
        let state = self.runtime.op_state();
        let mut state = state.borrow_mut();
        state.put(timers);
        state.borrow_mut::<Caller>().begin(principal, call_scope);
        state.put(console);
        state.put(CallBudget::new(limits.calls, limits.calls_in_flight));
        state.put(Fetch::new(self.fetch.clone()));
        drop(state);
        ExecutionScope::new(self, termination)
    }

    /// Prepares the isolate to run what an execution has left in the event loop. Logging, calls of `tailor.idp` and `fetch`
    /// are disabled.
    pub(super) fn begin_drain(&mut self, termination: &Arc<TerminationHandle>) -> ExecutionScope<'_> {
        let state = self.runtime.op_state();
        let mut state = state.borrow_mut();
        state.put::<ConsoleSink>(Box::new(|_, _| {}));
        let terminate = Arc::clone(termination);
        state.put(CallBudget::closed(move || terminate.terminate(TerminationReason::Cancelled)));
        state.put(Fetch::new(FetchSettings::default()));
        drop(state);
        ExecutionScope::new(self, termination)
    }

    /// Largest heap size of the last execution, in bytes.
    pub(super) fn peak_heap(&mut self) -> usize {
        self.memory.peak_heap(self.runtime.v8_isolate())
    }

    /// Whether the isolate enforces these memory limits.
    pub(super) fn has_limits(&self, limits: &Limits) -> bool {
        self.memory.matches(limits)
    }

    /// Memory account, for the watchdog.
    pub(super) fn memory(&self) -> &Arc<MemoryAccount> {
        &self.memory
    }

    /// Thread-safe handle, for termination.
    pub(super) fn handle(&mut self) -> IsolateHandle {
        self.runtime.v8_isolate().thread_safe_handle()
    }

    /// Whether more than half of the memory is in use after a garbage collection.
    pub(super) fn is_half_full(&mut self) -> bool {
        let isolate = self.runtime.v8_isolate();
        self.memory.is_half_full(isolate) && {
            isolate.low_memory_notification();
            self.memory.is_half_full(isolate)
        }
    }

    /// Registers the isolate with the inspector server. A termination resumes the isolate if a debugger has paused it.
    #[cfg(feature = "inspector")]
    pub(super) fn register_inspector(&self, inspector: &Inspector, script: &Script, termination: &TerminationHandle) {
        termination.on_termination(inspector::resumer(&self.runtime));
        inspector.register(&self.runtime, script.specifier().as_str());
    }

    /// Waits for a debugger as configured.
    #[cfg(feature = "inspector")]
    pub(super) fn wait_for_debugger(&self, inspector: &Inspector) {
        inspector.wait_for_debugger(&self.runtime);
    }

    /// Notifies debuggers that the script has ended, and waits until they have disconnected.
    #[cfg(feature = "inspector")]
    pub(super) async fn disconnect_debuggers(&mut self) {
        let inspector = self.runtime.inspector();
        let context = self.runtime.main_context();
        {
            scope!(scope, &mut self.runtime);
            inspector.context_destroyed(scope, context);
        }
        let disconnected = poll_fn(|cx| {
            inspector.poll_sessions_from_event_loop(cx);
            if inspector.sessions_state().has_active { Poll::Pending } else { Poll::Ready(()) }
        });
        // Sessions that remain are closed with the isolate.
        let _ = tokio::time::timeout(DEBUGGER_DISCONNECT_TIMEOUT, disconnected).await;
    }

    /// Loads the script's modules and returns its handler.
    ///
    /// # Errors
    ///
    /// Fails if a module does not compile or throws, or if there is no handler.
    pub(super) async fn load(&mut self, script: &Script) -> Result<Global<v8::Function>, ExecutionError> {
        let Self { runtime, loader, .. } = self;
        let invalid = |error: CoreError| from_core_error(error, ErrorKind::UserNonRuntime, loader);
        let id = runtime.load_main_es_module(script.specifier()).await.map_err(invalid)?;
        let evaluated = Box::pin(runtime.mod_evaluate(id));
        runtime
            .with_event_loop_promise(evaluated, PollEventLoopOptions::default())
            .await
            .map_err(|error| from_core_error(error, ErrorKind::UserRuntime, loader))?;
        let exports = runtime.get_module_namespace(id).map_err(invalid)?;
        scope!(scope, runtime);
        let exports = Local::new(scope, exports);
        let globals = scope.get_current_context().global(scope);
        for (holder, key) in [(exports, "default"), (exports, "main"), (globals, "main")] {
            let key = v8::String::new(scope, key).unwrap_or_else(|| v8::String::empty(scope));
            v8::tc_scope!(let scope, scope);
            let Some(value) = holder.get(scope, key.into()) else {
                let exception = scope.exception();
                return Err(from_exception(scope, exception));
            };
            if let Ok(handler) = value.try_cast::<v8::Function>() {
                return Ok(Global::new(scope, handler));
            }
        }
        Err(ExecutionError::invalid_script(
            "TypeError",
            "the script has no handler: export a function as default or as main, or set globalThis.main to one",
        ))
    }

    /// Calls the handler and awaits its result.
    ///
    /// # Errors
    ///
    /// Fails if the handler throws, rejects or never settles, or if its result is not JSON.
    pub(super) async fn call(
        &mut self,
        handler: &Global<v8::Function>,
        argument: &JsonText,
        limits: &Limits,
    ) -> Result<Value, ExecutionError> {
        let promise = {
            scope!(scope, &mut self.runtime);
            v8::tc_scope!(let scope, scope);
            let argument = argument.to_v8(scope).ok_or_else(|| {
                ExecutionError::invalid_script("RangeError", "the argument is too large for the script")
            })?;
            let this = v8::undefined(scope).into();
            let handler = Local::new(scope, handler);
            match handler.call(scope, this, &[argument]).and_then(|value| promise_of(scope, value)) {
                Some(promise) => promise,
                None => {
                    let exception = scope.exception();
                    return Err(from_exception(scope, exception));
                }
            }
        };
        self.run_until_settled(&promise).await?;
        scope!(scope, &mut self.runtime);
        let promise = Local::new(scope, promise);
        let value = promise.result(scope);
        match promise.state() {
            v8::PromiseState::Rejected => Err(from_exception(scope, Some(value))),
            _ => json::from_v8(scope, value, &limits.result),
        }
    }

    /// Logs a warning if calls of `tailor.idp` are in flight: most likely an `await` is missing.
    pub(super) fn warn_about_calls_in_flight(&mut self) {
        let state = self.runtime.op_state();
        let state = state.borrow();
        let calls = state.borrow::<CallBudget>().unanswered();
        if calls > 0 {
            let (calls, were) =
                if calls == 1 { ("1 call".to_owned(), "was") } else { (format!("{calls} calls"), "were") };
            let text = format!(
                "{calls} of tailor.idp {were} still under way when the handler was done, and may not happen: is an await missing?"
            );
            state.borrow::<ConsoleSink>()(LogLevel::Warn, &text);
        }
    }

    /// Whether the event loop was empty when it was last polled: nothing of the script can run any more.
    pub(super) fn is_idle(&self) -> bool {
        self.is_idle
    }

    /// Runs the event loop until it is empty. Runs code of the script: a termination has to limit it.
    pub(super) async fn drain(&mut self) {
        let idle = poll_fn(|cx| self.poll_event_loop(cx)).await;
        self.is_idle = idle.is_ok();
    }

    fn poll_event_loop(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CoreError>> {
        loop {
            let polled = self.runtime.poll_event_loop(cx, PollEventLoopOptions::default());
            if !has_engine_tasks() || matches!(polled, Poll::Ready(Err(_))) || !self.run_engine_tasks(cx) {
                return polled;
            }
        }
    }

    /// Runs the tasks of V8 that are due, and arranges to be woken for later ones. Returns whether there were any.
    #[cfg(feature = "v8")]
    fn run_engine_tasks(&mut self, cx: &mut Context<'_>) -> bool {
        let has_run = {
            scope!(scope, &mut self.runtime);
            run_engine_tasks(scope)
        };
        if !has_run {
            let timer = self.task_timer.get_or_insert_with(|| Box::pin(sleep(TASK_INTERVAL)));
            if timer.as_mut().poll(cx).is_ready() {
                timer.as_mut().reset(Instant::now() + TASK_INTERVAL);
                // Registers the task. The time is not over.
                let _ = timer.as_mut().poll(cx);
            }
        }
        has_run
    }

    /// The engine has no tasks.
    #[cfg(not(feature = "v8"))]
    fn run_engine_tasks(&mut self, _: &mut Context<'_>) -> bool {
        false
    }

    /// Runs the event loop until the promise is settled.
    ///
    /// Polls the promise's state: the script can have replaced `Promise.prototype.then`.
    async fn run_until_settled(&mut self, promise: &Global<v8::Promise>) -> Result<(), ExecutionError> {
        let pending = |runtime: &mut JsRuntime| {
            scope!(scope, runtime);
            Local::new(scope, promise).state() == v8::PromiseState::Pending
        };
        poll_fn(|cx| {
            // At least once, even if the promise is settled, to report unhandled rejections.
            let idle = self.poll_event_loop(cx);
            self.is_idle = matches!(idle, Poll::Ready(Ok(())));
            match (pending(&mut self.runtime), idle) {
                (_, Poll::Ready(Err(error))) => {
                    Poll::Ready(Err(from_core_error(error, ErrorKind::UserRuntime, &self.loader)))
                }
                (false, _) => Poll::Ready(Ok(())),
                (true, Poll::Ready(Ok(()))) => Poll::Ready(Err(ExecutionError::invalid_script(
                    "Error",
                    "the handler's promise never settles: nothing is left to run that could settle it",
                ))),
                (true, Poll::Pending) => Poll::Pending,
            }
        })
        .await
    }
}

/// Ends accounting for an execution, and its calls' context, when it is dropped. Does nothing during a panic.
pub(super) struct ExecutionScope<'a>(&'a mut Isolate);

impl<'a> ExecutionScope<'a> {
    fn new(isolate: &'a mut Isolate, termination: &Arc<TerminationHandle>) -> Self {
        isolate.memory.attach(termination);
        Self(isolate)
    }
}

impl Deref for ExecutionScope<'_> {
    type Target = Isolate;

    fn deref(&self) -> &Isolate {
        self.0
    }
}

impl DerefMut for ExecutionScope<'_> {
    fn deref_mut(&mut self) -> &mut Isolate {
        self.0
    }
}

impl Drop for ExecutionScope<'_> {
    fn drop(&mut self) {
        let Isolate { runtime, memory, .. } = &mut *self.0;
        // The state of the isolate is unknown after a panic: V8 must not be entered. The worker drops the isolate.
        if thread::panicking() {
            return;
        }
        runtime.op_state().borrow_mut().borrow_mut::<Caller>().end();
        memory.detach(runtime.v8_isolate());
    }
}

/// The value if it is a promise, else a promise resolved with it, as `await` does.
fn promise_of<'s>(scope: &mut v8::PinScope<'s, '_>, value: Local<'s, v8::Value>) -> Option<Global<v8::Promise>> {
    let promise = match value.try_cast::<v8::Promise>() {
        Ok(promise) => promise,
        Err(_) => {
            let resolver = v8::PromiseResolver::new(scope)?;
            resolver.resolve(scope, value);
            resolver.get_promise(scope)
        }
    };
    // The rejection becomes the execution's error.
    promise.mark_as_handled();
    Some(Global::new(scope, promise))
}

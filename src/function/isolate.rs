//! One isolate: V8's heap and context, with the global scope of function scripts in it.

use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
#[cfg(feature = "inspector")]
use std::time::Duration;

use deno_core::error::CoreError;
use deno_core::v8::{self, Global, IsolateHandle, Local};
use deno_core::{JsRuntime, ModuleLoader, PollEventLoopOptions, RuntimeOptions, SharedArrayBufferStore, scope};
use deno_web::InMemoryBroadcastChannel;
use serde_json::Value;

use super::execution::{ErrorKind, ExecutionError};
use super::failure::{engine_error, thrown};
#[cfg(feature = "inspector")]
use super::inspector::{self, Inspector};
use super::json;
use super::limits::{Limit, Limits};
use super::loader::ScriptLoader;
use super::memory::Account;
use super::script::Script;
use super::stop::{Reason, Stop};
use crate::extension::{
    CallBudget, CallLimit, CallLimits, ConsoleSink, ExternalMemory, Fetch, FetchSettings, LazyGlobals, LogLevel,
    MemoryTracker, TimerLimit, TrackedBlobStore, UseCodeCache, function_extensions, hide_extension_frames,
    tailor_console, tailor_fetch, tailor_function, tailor_idp,
};
use crate::idp::{IdentityProvider, Principal};

/// Baked by the build script.
static SNAPSHOT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/function.snapshot"));

/// What an engine puts into the global scope and no script has any business with.
///
/// The engine looks `Deno.core` up while it starts, so this cannot be taken away in the snapshot.
const CLOSED: &[&str] = if cfg!(feature = "quickjs") {
    &["Deno", "__bootstrap", "gc", "InternalError", "ShadowRealm", "performance"]
} else {
    &["Deno", "__bootstrap"]
};

/// What QuickJS has enumerable.
#[cfg(feature = "quickjs")]
const HIDE: &str = "for (const key of ['ArrayBuffer', 'Intl', 'WebAssembly']) Object.defineProperty(globalThis, key, { enumerable: false });";

/// Has the debugger's console show what the script logs, too.
#[cfg(feature = "inspector")]
const SHOW_CONSOLE: &str = "Deno.core.wrapConsole(globalThis.console, Deno.core.v8Console);";

/// What a debugger has for taking its leave of a script that is done.
#[cfg(feature = "inspector")]
const FAREWELL: Duration = Duration::from_secs(1);

/// Where an isolate's global scope comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Startup {
    /// The snapshot in the program.
    Snapshot,
    /// The sources that the snapshot was made of.
    Sources,
}

/// What an isolate is made with, before it is known what it will run.
#[derive(Clone)]
pub(super) struct Setup {
    pub(super) startup: Startup,
    pub(super) idp: Arc<dyn IdentityProvider>,
    pub(super) fetch: FetchSettings,
    /// Whether `eval` and `new Function` work.
    pub(super) code_from_strings: bool,
    #[cfg(feature = "inspector")]
    pub(super) inspector: Option<Inspector>,
}

impl Setup {
    /// Whether a debugger may attach.
    #[cfg(feature = "inspector")]
    pub(super) fn is_inspected(&self) -> bool {
        self.inspector.is_some()
    }

    /// Whether a debugger may attach.
    #[cfg(not(feature = "inspector"))]
    pub(super) const fn is_inspected(&self) -> bool {
        false
    }
}

pub(super) struct Isolate {
    runtime: JsRuntime,
    loader: Rc<ScriptLoader>,
    account: Arc<Account>,
    fetch: FetchSettings,
    is_idle: bool,
}

impl Isolate {
    /// A fresh isolate. Needs a tokio context, and a thread without another isolate.
    pub(super) fn new(setup: &Setup, limits: &Limits) -> Result<Self, ExecutionError> {
        let failed = |error: CoreError| ExecutionError::platform(format!("cannot start an isolate: {error}"));
        let loader = Rc::new(ScriptLoader::new(setup.is_inspected()));
        let account = Account::new(limits);
        let mut runtime = JsRuntime::try_new(RuntimeOptions {
            extensions: function_extensions(),
            startup_snapshot: (setup.startup == Startup::Snapshot).then_some(SNAPSHOT),
            // They are in it.
            skip_op_registration: setup.startup == Startup::Snapshot,
            // A wait would block the thread, and no script shares memory with another.
            create_params: Some(account.create_params().allow_atomics_wait(false)),
            // What `postMessage` and `structuredClone` transfer goes through it.
            shared_array_buffer_store: Some(SharedArrayBufferStore::default()),
            module_loader: Some(Rc::clone(&loader) as Rc<dyn ModuleLoader>),
            inspector: setup.is_inspected(),
            is_main: setup.is_inspected(),
            ..RuntimeOptions::default()
        })
        .map_err(failed)?;
        account.open(&mut runtime);
        hide_extension_frames(&mut runtime);
        let isolate = runtime.v8_isolate();
        isolate.set_slot(Rc::clone(&loader));
        isolate.set_host_initialize_import_meta_object_callback(import_meta);
        isolate.add_message_listener(unhandled_message);
        let memory = ExternalMemory::with_tracker(Arc::clone(&account) as Arc<dyn MemoryTracker>);
        {
            let state = runtime.op_state();
            let mut state = state.borrow_mut();
            state.put(memory.clone());
            state.put(UseCodeCache(cfg!(feature = "v8") && !setup.is_inspected()));
        }
        runtime
            .lazy_init_extensions(vec![
                deno_webidl::deno_webidl::args(),
                deno_web::deno_web::args(
                    Arc::new(TrackedBlobStore::new(memory.clone())),
                    None,
                    false,
                    InMemoryBroadcastChannel::default(),
                ),
                deno_crypto::deno_crypto::args(None),
                tailor_console::args(),
                tailor_fetch::args(setup.fetch.clone()),
                tailor_idp::args(Arc::clone(&setup.idp), Principal::Anonymous),
                tailor_function::args(Box::new(|_, _| {})),
            ])
            .map_err(failed)?;
        #[cfg(feature = "inspector")]
        if setup.is_inspected() {
            let shown = runtime.execute_script("ext:tailor_function/show_console.js", SHOW_CONSOLE);
            shown.map_err(|error| failed(error.into()))?;
        }
        let incomplete = || ExecutionError::platform("cannot start an isolate: its global scope is not complete");
        take_over(&mut runtime, limits).ok_or_else(incomplete)?;
        #[cfg(feature = "quickjs")]
        runtime.execute_script("ext:tailor_function/hide.js", HIDE).map_err(|error| failed(error.into()))?;
        // QuickJS would take the whole of `Function` away.
        if cfg!(feature = "v8") && !setup.code_from_strings {
            forbid_code_from_strings(&mut runtime);
        }
        Ok(Self { runtime, loader, account, fetch: setup.fetch.clone(), is_idle: false })
    }

    /// Sets the isolate up for one execution of `script`, which `stop` ends.
    pub(super) fn begin(
        &mut self,
        script: &Script,
        principal: Principal,
        console: ConsoleSink,
        limits: &Limits,
        stop: &Arc<Stop>,
    ) {
        self.is_idle = false;
        self.loader.set(script.clone());
        let exceeded = {
            let stop = Arc::clone(stop);
            move |bound| {
                let limit = match bound {
                    CallLimit::InFlight => Limit::CallsInFlight,
                    CallLimit::Total => Limit::Calls,
                };
                stop.stop(Reason::Limit(limit, 0));
            }
        };
        let calls =
            CallLimits { in_flight: limits.calls_in_flight, total: limits.calls, on_exceeded: Box::new(exceeded) };
        let timers = TimerLimit {
            max: limits.timers,
            on_exceeded: Box::new({
                let stop = Arc::clone(stop);
                move || stop.stop(Reason::Limit(Limit::Timers, 0))
            }),
        };
        let state = self.runtime.op_state();
        let mut state = state.borrow_mut();
        state.put(timers);
        state.put(principal);
        state.put(console);
        state.put(CallBudget::with_limits(calls));
        state.put(Fetch::new(self.fetch.clone()));
        self.account.charge(stop);
    }

    /// Ends what [`begin`](Self::begin) began, and returns the peak of the heap.
    pub(super) fn end(&mut self) -> usize {
        let isolate = self.runtime.v8_isolate();
        self.account.discharge(isolate);
        self.account.peak_heap(isolate)
    }

    /// Whether the isolate keeps these limits of memory.
    pub(super) fn is_for(&self, limits: &Limits) -> bool {
        self.account.is_for(limits)
    }

    pub(super) fn account(&self) -> &Arc<Account> {
        &self.account
    }

    pub(super) fn handle(&mut self) -> IsolateHandle {
        self.runtime.v8_isolate().thread_safe_handle()
    }

    /// Whether so much is in use that the next execution had little left: more than half of its memory, garbage aside.
    pub(super) fn is_crowded(&mut self) -> bool {
        let isolate = self.runtime.v8_isolate();
        self.account.is_crowded(isolate) && {
            isolate.low_memory_notification();
            self.account.is_crowded(isolate)
        }
    }

    /// Offers the isolate to debuggers, under the script's name. The stop ends what they hold up.
    #[cfg(feature = "inspector")]
    pub(super) fn offer(&self, inspector: &Inspector, script: &Script, stop: &Stop) {
        stop.releases(inspector::release(&self.runtime));
        inspector.offer(&self.runtime, script.specifier().as_str());
    }

    /// Waits for a debugger, where the script is to.
    #[cfg(feature = "inspector")]
    pub(super) fn wait_for(&self, inspector: &Inspector) {
        inspector.wait(&self.runtime);
    }

    /// Tells debuggers that the script is done, and gives them the time to leave.
    #[cfg(feature = "inspector")]
    pub(super) async fn take_leave(&mut self) {
        let inspector = self.runtime.inspector();
        let context = self.runtime.main_context();
        {
            scope!(scope, &mut self.runtime);
            inspector.context_destroyed(scope, context);
        }
        let gone = poll_fn(|cx| {
            inspector.poll_sessions_from_event_loop(cx);
            if inspector.sessions_state().has_active { Poll::Pending } else { Poll::Ready(()) }
        });
        // Whoever stays is cut off.
        let _ = tokio::time::timeout(FAREWELL, gone).await;
    }

    /// Loads the script's module and returns its handler.
    pub(super) async fn load(&mut self, script: &Script) -> Result<Global<v8::Function>, ExecutionError> {
        let Self { runtime, loader, .. } = self;
        let unusable = |error: CoreError| engine_error(error, ErrorKind::UserNonRuntime, loader);
        let id = runtime.load_main_es_module(script.specifier()).await.map_err(unusable)?;
        let evaluated = Box::pin(runtime.mod_evaluate(id));
        runtime
            .with_event_loop_promise(evaluated, PollEventLoopOptions::default())
            .await
            .map_err(|error| engine_error(error, ErrorKind::UserRuntime, loader))?;
        let exports = runtime.get_module_namespace(id).map_err(unusable)?;
        scope!(scope, runtime);
        let exports = Local::new(scope, exports);
        let globals = scope.get_current_context().global(scope);
        for (holder, key) in [(exports, "default"), (exports, "main"), (globals, "main")] {
            let key = v8::String::new(scope, key).unwrap_or_else(|| v8::String::empty(scope));
            v8::tc_scope!(let scope, scope);
            let Some(value) = holder.get(scope, key.into()) else {
                let exception = scope.exception();
                return Err(thrown(scope, exception));
            };
            if let Ok(handler) = value.try_cast::<v8::Function>() {
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
        argument: &str,
        limits: &Limits,
    ) -> Result<Value, ExecutionError> {
        let promise = {
            scope!(scope, &mut self.runtime);
            v8::tc_scope!(let scope, scope);
            let argument = json::to_v8(scope, argument)?;
            let this = v8::undefined(scope).into();
            let handler = Local::new(scope, handler);
            match handler.call(scope, this, &[argument]).and_then(|value| promise_of(scope, value)) {
                Some(promise) => promise,
                None => {
                    let exception = scope.exception();
                    return Err(thrown(scope, exception));
                }
            }
        };
        self.settled(&promise).await?;
        scope!(scope, &mut self.runtime);
        let promise = Local::new(scope, promise);
        let value = promise.result(scope);
        match promise.state() {
            v8::PromiseState::Rejected => Err(thrown(scope, Some(value))),
            _ => json::from_v8(scope, value, &limits.result),
        }
    }

    /// Says in the script's log what it has most likely forgotten.
    pub(super) fn warn_of_calls_under_way(&mut self) {
        let state = self.runtime.op_state();
        let state = state.borrow();
        let calls = state.borrow::<CallBudget>().in_flight();
        if calls > 0 {
            let (calls, were) =
                if calls == 1 { ("1 call".to_owned(), "was") } else { (format!("{calls} calls"), "were") };
            let text = format!(
                "{calls} of tailor.idp {were} still under way when the handler was done, and may not happen: is an await missing?"
            );
            state.borrow::<ConsoleSink>()(LogLevel::Warn, &text);
        }
    }

    /// Whether nothing of the script was left that could still run, when its result was there.
    pub(super) fn is_idle(&self) -> bool {
        self.is_idle
    }

    /// Takes from what the script has left behind whatever it could still do to others.
    pub(super) fn begin_tidying(&mut self, stop: &Arc<Stop>) {
        let state = self.runtime.op_state();
        let mut state = state.borrow_mut();
        state.put::<ConsoleSink>(Box::new(|_, _| {}));
        let stop_at_call = Arc::clone(stop);
        let on_exceeded = Box::new(move |_| stop_at_call.stop(Reason::Limit(Limit::Calls, 0)));
        state.put(CallBudget::with_limits(CallLimits { in_flight: 0, total: 0, on_exceeded }));
        state.put(Fetch::new(FetchSettings::default()));
        self.account.charge(stop);
    }

    /// Lets what was left run on until nothing is left. Runs the script's code: only while something ends it in time.
    pub(super) async fn run_dry(&mut self) {
        let idle = poll_fn(|cx| self.runtime.poll_event_loop(cx, PollEventLoopOptions::default())).await;
        self.is_idle = idle.is_ok();
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
            // Once at least, even if the promise is settled: a rejection that nobody handles is an error.
            let idle = self.runtime.poll_event_loop(cx, PollEventLoopOptions::default());
            self.is_idle = matches!(idle, Poll::Ready(Ok(())));
            match (pending(&mut self.runtime), idle) {
                (_, Poll::Ready(Err(error))) => {
                    Poll::Ready(Err(engine_error(error, ErrorKind::UserRuntime, &self.loader)))
                }
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

/// Takes from the global scope what is the host's: functions that js/ has put there for it, and the engine's own objects.
fn take_over(runtime: &mut JsRuntime, limits: &Limits) -> Option<()> {
    scope!(scope, runtime);
    let globals = scope.get_current_context().global(scope);
    let take = |name: &str| {
        let key = v8::String::new(scope, name)?.into();
        let value = globals.get(scope, key)?;
        globals.delete(scope, key)?.then_some(())?;
        Some(value)
    };
    let limit_lengths = take("limitLengths")?.try_cast::<v8::Function>().ok()?;
    let lazy_globals = take("lazyGlobal")?.try_cast::<v8::Function>().ok()?;
    for name in CLOSED {
        take(name)?;
    }
    // Lengths that do not fit the memory: js/guards refuses them.
    let bytes = v8::Number::new(scope, limits.memory as f64).into();
    limit_lengths.call(scope, globals.into(), &[bytes])?;
    let lazy_globals = Global::new(scope, lazy_globals);
    scope.set_slot(LazyGlobals(lazy_globals));
    Some(())
}

/// Has `eval`, `new Function` and their kin throw an `EvalError`: what a script runs is what the host has given it.
fn forbid_code_from_strings(runtime: &mut JsRuntime) {
    scope!(scope, runtime);
    scope.get_current_context().set_allow_generation_from_strings(false);
}

/// Puts the module's URL into its `import.meta`, where deno_core would also put the host's paths.
extern "C" fn import_meta(context: Local<v8::Context>, _module: Local<v8::Module>, meta: Local<v8::Object>) {
    // SAFETY: the engine calls this with a context that is entered.
    v8::callback_scope!(unsafe scope, context);
    // The engine asks when a module first reads its `import.meta`: the module is the one that runs.
    let running = v8::StackTrace::current_stack_trace(scope, 1)
        .and_then(|stack| stack.get_frame(scope, 0)?.get_script_name(scope))
        .map(|name| name.to_rust_string_lossy(scope));
    let url = scope.get_slot::<Rc<ScriptLoader>>().and_then(|loader| loader.module_url(running.as_deref()));
    if let (Some(key), Some(url)) = (v8::String::new(scope, "url"), v8::String::new(scope, &url.unwrap_or_default())) {
        meta.create_data_property(scope, key.into(), url.into());
    }
}

/// Takes the place of the engine's own listener, which writes to stdout what nobody has caught. All that matters comes back
/// from the call that failed.
extern "C" fn unhandled_message(_message: Local<v8::Message>, _exception: Local<v8::Value>) {}

/// The promise to wait for: the value, or one that is settled as `await` would have it.
fn promise_of<'s>(scope: &mut v8::PinScope<'s, '_>, value: Local<'s, v8::Value>) -> Option<Global<v8::Promise>> {
    let promise = match value.try_cast::<v8::Promise>() {
        Ok(promise) => promise,
        Err(_) => {
            let resolver = v8::PromiseResolver::new(scope)?;
            resolver.resolve(scope, value);
            resolver.get_promise(scope)
        }
    };
    // A rejection is handled: it is the execution's error.
    promise.mark_as_handled();
    Some(Global::new(scope, promise))
}

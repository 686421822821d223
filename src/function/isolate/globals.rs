//! Global scope of an isolate: the host's own functions are taken out of it before a script runs.

use std::rc::Rc;

use deno_core::v8::{self, Global, Local};
use deno_core::{JsRuntime, scope};

use super::config::BuiltinGuards;
use crate::extension::LazyGlobals;
use crate::function::limits::Limits;
use crate::function::loader::ScriptLoader;

/// Globals of the engine that scripts must not reach.
///
/// deno_core reads `Deno.core` when it starts from a snapshot, so that the snapshot has to contain them.
const REMOVED_GLOBALS: &[&str] = if cfg!(feature = "quickjs") {
    &["Deno", "__bootstrap", "gc", "InternalError", "ShadowRealm", "performance"]
} else {
    &["Deno", "__bootstrap"]
};

/// Takes the host's functions and the engine's internals from the global scope, and configures the guards of `js/guards`.
///
/// Returns None if a global is missing or a call fails.
pub(super) fn initialize(runtime: &mut JsRuntime, limits: &Limits, guards: BuiltinGuards) -> Option<()> {
    scope!(scope, runtime);
    let globals = scope.get_current_context().global(scope);
    let take = |name: &str| {
        let key = v8::String::new(scope, name)?.into();
        let value = globals.get(scope, key)?;
        globals.delete(scope, key)?.then_some(())?;
        Some(value)
    };
    let limit_lengths = take("limitLengths")?.try_cast::<v8::Function>().ok()?;
    let restore_builtins = take("restoreBuiltins")?.try_cast::<v8::Function>().ok()?;
    let lazy_globals = take("lazyGlobal")?.try_cast::<v8::Function>().ok()?;
    for name in REMOVED_GLOBALS {
        take(name)?;
    }
    match guards {
        BuiltinGuards::Enabled => {
            let bytes = v8::Number::new(scope, limits.memory as f64).into();
            limit_lengths.call(scope, globals.into(), &[bytes])?;
        }
        BuiltinGuards::Disabled => {
            restore_builtins.call(scope, globals.into(), &[])?;
        }
    }
    let lazy_globals = Global::new(scope, lazy_globals);
    scope.set_slot(LazyGlobals(lazy_globals));
    Some(())
}

/// Makes `eval`, `new Function` and similar throw an `EvalError`.
pub(super) fn forbid_code_from_strings(runtime: &mut JsRuntime) {
    scope!(scope, runtime);
    scope.get_current_context().set_allow_generation_from_strings(false);
}

/// Sets `import.meta.url`. Replaces deno_core's callback, which also sets paths of the host.
pub(super) extern "C" fn initialize_import_meta(
    context: Local<v8::Context>,
    _module: Local<v8::Module>,
    meta: Local<v8::Object>,
) {
    // SAFETY: V8 calls this with an entered context.
    v8::callback_scope!(unsafe scope, context);
    // V8 calls this when a module first evaluates `import.meta`: the module is on top of the stack.
    let current = v8::StackTrace::current_stack_trace(scope, 1)
        .and_then(|stack| stack.get_frame(scope, 0)?.get_script_name(scope))
        .map(|name| name.to_rust_string_lossy(scope));
    let url = scope.get_slot::<Rc<ScriptLoader>>().and_then(|loader| loader.module_url(current.as_deref()));
    if let (Some(key), Some(url)) = (v8::String::new(scope, "url"), v8::String::new(scope, &url.unwrap_or_default())) {
        meta.create_data_property(scope, key.into(), url.into());
    }
}

/// Ignores V8's messages. Replaces V8's default listener, which prints uncaught exceptions to stdout; exceptions are returned
/// by the failed call.
pub(super) extern "C" fn ignore_message(_message: Local<v8::Message>, _exception: Local<v8::Value>) {}

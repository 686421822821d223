//! Scripts of the web's extensions that are loaded when something of theirs is first asked for, and the properties of the
//! global scope that ask.
//!
//! The engine has means of its own for this. They would put every op anew into the place of those that js/ has bounded, and
//! end the process where a script's stack or its time runs out in the midst of that.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::c_void;
use std::rc::Rc;
use std::sync::{LazyLock, OnceLock};

use deno_core::v8::script_compiler::{CompileOptions, NoCacheReason, Source, compile_function};
use deno_core::v8::{self, Function, Local, MapFnTo, Value};
use deno_core::{ExtensionFileSource, FastString, OpState, op2, wrap_lazy_ext_script};
use deno_error::JsErrorBox;

/// Every script that an extension has for later, by its specifier.
static SCRIPTS: LazyLock<HashMap<&'static str, Script>> = LazyLock::new(|| {
    let extensions = super::function_extensions();
    let files = extensions.iter().flat_map(|extension| extension.lazy_loaded_js_files.iter().cloned());
    files.map(|file| (file.specifier, Script::new(file))).collect()
});

/// A script, for all isolates of the process.
struct Script {
    file: ExtensionFileSource,
    body: OnceLock<Option<FastString>>,
    compiled: OnceLock<Vec<u8>>,
}

impl Script {
    const fn new(file: ExtensionFileSource) -> Self {
        Self { file, body: OnceLock::new(), compiled: OnceLock::new() }
    }

    /// The body of a function that runs it. As static text it is in no isolate's heap.
    fn body(&self) -> Option<&FastString> {
        let body = self.body.get_or_init(|| {
            let source = self.file.load().ok()?;
            let body = wrap_lazy_ext_script(source.as_str());
            Some(FastString::from_static(Box::leak(body.into_boxed_str())))
        });
        body.as_ref()
    }

    /// The script as a function of the engine's own view of itself. Where there is none, an exception is on its way.
    fn compile<'s>(&self, scope: &mut v8::PinScope<'s, '_>, keeps_code: bool) -> Option<Local<'s, Function>> {
        let body = self.body()?.v8_string(scope).ok()?;
        let name = v8::String::new(scope, self.file.specifier)?.into();
        let parameter = v8::String::new(scope, "__bootstrap")?;
        let origin = v8::ScriptOrigin::new(scope, name, 0, 0, false, -1, None, false, false, false, None);
        let compiled = self.compiled.get().filter(|_| keeps_code);
        let (mut source, options) = match compiled {
            Some(compiled) => {
                let compiled = v8::CachedData::new(compiled);
                (Source::new_with_cached_data(body, Some(&origin), compiled), CompileOptions::ConsumeCodeCache)
            }
            None => (Source::new(body, Some(&origin)), CompileOptions::NoCompileOptions),
        };
        compile_function(scope, &mut source, &[parameter], &[], options, NoCacheReason::NoReason)
    }

    /// Keeps the compiled form of the script, and of the functions in it that have run.
    fn keep(&self, function: Local<Function>) {
        self.compiled.get_or_init(|| function.create_code_cache().map(|code| code.to_vec()).unwrap_or_default());
    }
}

/// Whether an isolate keeps and takes compiled scripts. In the state of its ops; without it, it does not.
pub(crate) struct KeepsCode(pub(crate) bool);

/// A script as a function that runs it, of the engine's own view of itself. `undefined` where an exception is on its way.
#[op2]
pub(super) fn op_function_script<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    #[string] specifier: &str,
) -> Result<v8::Local<'s, v8::Value>, JsErrorBox> {
    let Some(script) = SCRIPTS.get(specifier) else {
        return Err(JsErrorBox::generic(format!("there is no script {specifier}")));
    };
    Ok(match script.compile(scope, keeps_code(&state)) {
        Some(function) => function.into(),
        None => v8::undefined(scope).into(),
    })
}

/// Keeps what has been compiled of a script, for the isolates that come after: once it has run.
#[op2(nofast)]
pub(super) fn op_function_script_done<'s>(
    state: Rc<RefCell<OpState>>,
    #[string] specifier: &str,
    function: v8::Local<'s, v8::Value>,
) {
    if let Some(script) = SCRIPTS.get(specifier)
        && let Ok(function) = function.try_cast::<Function>()
        && keeps_code(&state)
    {
        script.keep(function);
    }
}

fn keeps_code(state: &RefCell<OpState>) -> bool {
    state.borrow().try_borrow::<KeepsCode>().is_some_and(|KeepsCode(keeps)| *keeps)
}

/// Has the global scope's property of this name give a script's export when it is first asked for. To scripts it is a data
/// property like others.
///
/// False where the engine has no such properties.
#[op2(nofast)]
pub(super) fn op_function_define_lazily<'s>(scope: &mut v8::PinScope<'s, '_>, name: v8::Local<'s, v8::Value>) -> bool {
    // QuickJS has them in name only.
    if cfg!(feature = "quickjs") {
        return false;
    }
    let Ok(name) = name.try_cast::<v8::Name>() else { return false };
    let effect = || v8::SideEffectType::HasSideEffect;
    let (hidden, no_data) = (v8::PropertyAttribute::DONT_ENUM, v8::undefined(scope).into());
    let global = scope.get_current_context().global(scope);
    global.set_lazy_data_property_with_data(scope, name, get_first, no_data, hidden, effect(), effect()) == Some(true)
}

/// The function in js/scripts.js that gives what a name of the global scope stands for. In a slot of the isolate: a property in
/// a snapshot cannot refer to it.
pub(crate) struct Give(pub(crate) v8::Global<Function>);

/// What the snapshot refers to by address.
pub(super) fn external_references() -> [v8::ExternalReference; 1] {
    let get_first: v8::AccessorNameGetterCallback = get_first.map_fn_to();
    [v8::ExternalReference { pointer: get_first as *mut c_void }]
}

/// Called by the engine, which keeps the answer in the property's place. Where an exception is on its way there is none, and the
/// next one to ask is asked for as well.
fn get_first<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    name: Local<'s, v8::Name>,
    _arguments: v8::PropertyCallbackArguments<'s>,
    mut answer: v8::ReturnValue<'_, Value>,
) {
    let Some(give) = scope.get_slot::<Give>().map(|Give(give)| give.clone()) else { return };
    let (give, undefined) = (Local::new(scope, give), v8::undefined(scope).into());
    if let Some(value) = give.call(scope, undefined, &[name.into()]) {
        answer.set(value);
    }
}

#[cfg(all(test, feature = "v8"))]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use pretty_assertions::assert_eq;
    use serde_json::json;

    use super::*;
    use crate::function::{FunctionRuntime, Invocation, Limits, Script as FunctionScript};
    use crate::idp::Idp;

    const TRAPS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/traps.js"));

    /// The words, and the texts in quotation marks, of all scripts that are loaded on demand.
    fn names() -> BTreeSet<&'static str> {
        let mut names = BTreeSet::new();
        for text in SCRIPTS.values().filter_map(Script::body).map(FastString::as_str) {
            names.extend(text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')));
            names.extend(text.lines().flat_map(|line| line.split('"').skip(1).step_by(2)));
        }
        names
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn no_trap_on_a_prototype_sees_what_is_loaded() {
        let names = names();
        assert!(names.contains("DOMString") && names.len() > 1_000, "{}", names.len());
        let limits = Limits { memory: 512 << 20, ..Limits::default() };
        let runtime = FunctionRuntime::builder(Arc::new(Idp::builder().build())).limits(limits).build();
        let script = FunctionScript::new("file:///traps.js".parse().unwrap(), TRAPS);
        let execution = runtime.run(&script, Invocation::new(json!(names))).await;
        assert_eq!(execution.result.map_err(|error| error.to_string()), Ok(json!([])));
    }
}

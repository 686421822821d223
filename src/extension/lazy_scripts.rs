//! Scripts of the web extensions that are loaded on first use, and the lazy global properties that load them.
//!
//! The lazy loading of deno_core is not used: it would replace the ops that js/ has wrapped with limits by the
//! originals, and it aborts the process if the stack overflows or the script is terminated while it loads.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::c_void;
use std::rc::Rc;
use std::sync::OnceLock;

use deno_core::error::CoreError;
use deno_core::v8::script_compiler::{CompileOptions, NoCacheReason, Source, compile_function};
use deno_core::v8::{self, Function, Local, MapFnTo, Value};
use deno_core::{Extension, ExtensionFileSource, FastString, OpState, op2, wrap_lazy_ext_script};
use deno_error::JsErrorBox;

/// The lazily loaded scripts of all extensions, by specifier.
static SCRIPTS: OnceLock<HashMap<&'static str, Script>> = OnceLock::new();

/// Sources of the scripts, by specifier, embedded in the program. Those of the web extensions are otherwise read from the disk of the
/// machine that built it.
static EMBEDDED: OnceLock<&'static [(&'static str, &'static str)]> = OnceLock::new();

/// Sets the embedded sources. Only the first call has an effect.
pub(crate) fn embed(sources: &'static [(&'static str, &'static str)]) {
    EMBEDDED.get_or_init(|| sources);
}

/// The sources of all scripts, for the build script to embed.
///
/// # Errors
///
/// Fails if a source cannot be read.
#[allow(dead_code, reason = "called by the build script alone")]
pub(crate) fn sources() -> Result<Vec<(&'static str, String)>, CoreError> {
    let mut sources = Vec::new();
    for (specifier, script) in SCRIPTS.get().into_iter().flatten() {
        sources.push((*specifier, script.file.load()?.as_str().to_owned()));
    }
    sources.sort_unstable();
    Ok(sources)
}

/// Makes the scripts of these extensions available to all isolates of the process.
///
/// Only the first call has an effect: all isolates have the same extensions.
pub(super) fn register(extensions: &[Extension]) {
    SCRIPTS.get_or_init(|| {
        let files = extensions.iter().flat_map(|extension| extension.lazy_loaded_js_files.iter().cloned());
        files.map(|file| (file.specifier, Script::new(file))).collect()
    });
}

fn script(specifier: &str) -> Option<&'static Script> {
    SCRIPTS.get()?.get(specifier)
}

/// A script, shared by all isolates of the process.
struct Script {
    file: ExtensionFileSource,
    body: OnceLock<Option<FastString>>,
    /// The code cache, filled by the first isolate that has run the script.
    code_cache: OnceLock<Vec<u8>>,
}

impl Script {
    const fn new(file: ExtensionFileSource) -> Self {
        Self { file, body: OnceLock::new(), code_cache: OnceLock::new() }
    }

    /// The body of a function that runs the script. Static, so that isolates share it instead of copying it to their heaps.
    fn body(&self) -> Option<&FastString> {
        let body = self.body.get_or_init(|| {
            let embedded =
                EMBEDDED.get().and_then(|sources| sources.iter().find(|(name, _)| *name == self.file.specifier));
            let body = match embedded {
                Some((_, source)) => wrap_lazy_ext_script(source),
                None => wrap_lazy_ext_script(self.file.load().ok()?.as_str()),
            };
            Some(FastString::from_static(Box::leak(body.into_boxed_str())))
        });
        body.as_ref()
    }

    /// Compiles the script to a function of `__bootstrap`. `None` if an exception is pending.
    fn compile<'s>(&self, scope: &mut v8::PinScope<'s, '_>, use_code_cache: bool) -> Option<Local<'s, Function>> {
        let body = self.body()?.v8_string(scope).ok()?;
        let name = v8::String::new(scope, self.file.specifier)?.into();
        let parameter = v8::String::new(scope, "__bootstrap")?;
        let origin = v8::ScriptOrigin::new(scope, name, 0, 0, false, -1, None, false, false, false, None);
        let code_cache = self.code_cache.get().filter(|_| use_code_cache);
        let (mut source, options) = match code_cache {
            Some(code_cache) => {
                let code_cache = v8::CachedData::new(code_cache);
                (Source::new_with_cached_data(body, Some(&origin), code_cache), CompileOptions::ConsumeCodeCache)
            }
            None => (Source::new(body, Some(&origin)), CompileOptions::NoCompileOptions),
        };
        compile_function(scope, &mut source, &[parameter], &[], options, NoCacheReason::NoReason)
    }

    /// Fills the code cache with the script, including its functions that have run.
    fn fill_code_cache(&self, function: Local<Function>) {
        self.code_cache.get_or_init(|| function.create_code_cache().map(|code| code.to_vec()).unwrap_or_default());
    }
}

/// Whether an isolate uses and fills the code caches. Kept in its [`OpState`]; without it, it does not.
pub(crate) struct UseCodeCache(pub(crate) bool);

/// Compiles a script to a function that runs it, given `__bootstrap`. `undefined` if an exception is pending.
#[op2]
pub(super) fn op_function_compile_script<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    #[string] specifier: &str,
) -> Result<v8::Local<'s, v8::Value>, JsErrorBox> {
    let Some(script) = script(specifier) else {
        return Err(JsErrorBox::generic(format!("there is no script {specifier}")));
    };
    Ok(match script.compile(scope, uses_code_cache(&state)) {
        Some(function) => function.into(),
        None => v8::undefined(scope).into(),
    })
}

/// Caches the compiled code of a script, after it has run, for later isolates.
#[op2(nofast)]
pub(super) fn op_function_cache_script<'s>(
    state: Rc<RefCell<OpState>>,
    #[string] specifier: &str,
    function: v8::Local<'s, v8::Value>,
) {
    if let Some(script) = script(specifier)
        && let Ok(function) = function.try_cast::<Function>()
        && uses_code_cache(&state)
    {
        script.fill_code_cache(function);
    }
}

fn uses_code_cache(state: &RefCell<OpState>) -> bool {
    state.borrow().try_borrow::<UseCodeCache>().is_some_and(|UseCodeCache(uses)| *uses)
}

/// Defines a global property whose value is created on first use. Scripts see an ordinary data property.
///
/// False if the engine does not support lazy properties.
#[op2(nofast)]
pub(super) fn op_function_define_lazy<'s>(scope: &mut v8::PinScope<'s, '_>, name: v8::Local<'s, v8::Value>) -> bool {
    // The QuickJS backend would define an accessor, which scripts can tell from a data property.
    if cfg!(feature = "quickjs") {
        return false;
    }
    let Ok(name) = name.try_cast::<v8::Name>() else { return false };
    let effect = || v8::SideEffectType::HasSideEffect;
    let (hidden, no_data) = (v8::PropertyAttribute::DONT_ENUM, v8::undefined(scope).into());
    let global = scope.get_current_context().global(scope);
    global.set_lazy_data_property_with_data(scope, name, get_lazy_global, no_data, hidden, effect(), effect())
        == Some(true)
}

/// The function in `js/lazy_scripts.js` that returns the value of a lazy global property, given its name.
///
/// Kept in a slot of the isolate, because a property in a snapshot cannot refer to it.
pub(crate) struct LazyGlobals(pub(crate) v8::Global<Function>);

/// The native functions that the snapshot refers to.
pub(super) fn external_references() -> [v8::ExternalReference; 1] {
    let getter: v8::AccessorNameGetterCallback = get_lazy_global.map_fn_to();
    [v8::ExternalReference { pointer: getter as *mut c_void }]
}

/// Called by V8, which replaces the property with the returned value. If loading throws, the next read calls this again.
fn get_lazy_global<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    name: Local<'s, v8::Name>,
    _arguments: v8::PropertyCallbackArguments<'s>,
    mut value: v8::ReturnValue<'_, Value>,
) {
    let Some(load) = scope.get_slot::<LazyGlobals>().map(|LazyGlobals(load)| load.clone()) else { return };
    let (load, undefined) = (Local::new(scope, load), v8::undefined(scope).into());
    if let Some(loaded) = load.call(scope, undefined, &[name.into()]) {
        value.set(loaded);
    }
}

/// The words and the string literals of all lazily loaded scripts.
#[cfg(all(test, feature = "v8"))]
pub(crate) fn words() -> std::collections::BTreeSet<&'static str> {
    let mut words = std::collections::BTreeSet::new();
    for text in SCRIPTS.get().into_iter().flat_map(HashMap::values).filter_map(Script::body).map(FastString::as_str) {
        words.extend(text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')));
        words.extend(text.lines().flat_map(|line| line.split('"').skip(1).step_by(2)));
    }
    words
}

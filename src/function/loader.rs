//! Module loader that serves only the script's own modules.

use std::borrow::Cow;
use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use deno_core::{
    FastString, ModuleLoadOptions, ModuleLoadReferrer, ModuleLoadResponse, ModuleSource, ModuleSourceCode,
    ModuleSpecifier, ModuleType, ResolutionKind, SourceCodeCacheInfo,
};
use deno_error::JsErrorBox;

use super::code_frame::CodeFrame;
use super::missing_globals::Surroundings;
use super::script::{Module, Script, SourceLocation, byte_offset, lines};

/// Bytes of source on each side of a location in its [`Surroundings`]: more than an access to a property takes.
const SURROUNDINGS_BYTES: usize = 200;

/// Module loader of one isolate. The isolate can be created before the script is known.
pub(super) struct ScriptLoader {
    /// Whether debuggers get the source: code then has inline source maps and is not cached.
    is_inspected: bool,
    script: RefCell<Option<Script>>,
    last_error: RefCell<Option<LoadError>>,
}

/// Last error of the loader. deno_core passes on the message without the location.
struct LoadError {
    message: String,
    location: Option<SourceLocation>,
}

impl ScriptLoader {
    pub(super) fn new(is_inspected: bool) -> Self {
        Self { is_inspected, script: RefCell::default(), last_error: RefCell::default() }
    }

    /// Sets the script whose modules are served.
    pub(super) fn set_script(&self, script: Script) {
        *self.script.borrow_mut() = Some(script);
    }

    /// Location of the last error, if it has this message: of a refused import, or of a syntax error.
    pub(super) fn error_location(&self, message: &str) -> Option<SourceLocation> {
        let error = self.last_error.borrow();
        error.as_ref().filter(|error| error.message == message)?.location.clone()
    }

    /// Source around a location. None if the location is not in the script.
    pub(super) fn code_frame(&self, location: SourceLocation) -> Option<CodeFrame> {
        let script = self.script.borrow();
        let source = script.as_ref()?.source(&location.file)?;
        CodeFrame::new(location, source)
    }

    /// Source on both sides of a location. None if the location is not in the script.
    pub(super) fn surroundings(&self, location: &SourceLocation) -> Option<Surroundings> {
        let script = self.script.borrow();
        let source = script.as_ref()?.source(&location.file)?;
        let (start, line) = lines(source).nth(location.line.checked_sub(1)?)?;
        let at = start + byte_offset(line, location.column);
        let from = source.floor_char_boundary(at.saturating_sub(SURROUNDINGS_BYTES));
        let to = source.floor_char_boundary(at + SURROUNDINGS_BYTES);
        Some(Surroundings { text: source[from..to].to_owned(), location: at - from })
    }

    /// URL of the module with this name, or of the main module if there is none.
    pub(super) fn module_url(&self, name: Option<&str>) -> Option<String> {
        let module = name.and_then(|name| Some(self.module(name)?.specifier().to_string()));
        module.or_else(|| self.script.borrow().as_ref().map(|script| script.specifier().to_string()))
    }

    fn module(&self, specifier: &str) -> Option<Arc<Module>> {
        self.script.borrow().as_ref()?.module(specifier).cloned()
    }

    /// Records the location of an error and returns its message.
    fn record_error(&self, message: String, location: Option<SourceLocation>) -> String {
        *self.last_error.borrow_mut() = Some(LoadError { message: message.clone(), location });
        message
    }
}

impl deno_core::ModuleLoader for ScriptLoader {
    fn resolve(&self, import: &str, referrer: &str, kind: ResolutionKind) -> Result<ModuleSpecifier, JsErrorBox> {
        if kind == ResolutionKind::MainModule
            && let Some(module) = self.module(import)
        {
            return Ok(module.specifier().clone());
        }
        let Some(module) = self.module(referrer) else {
            return Err(JsErrorBox::type_error("only modules can import"));
        };
        module.resolve(import).map_err(|message| {
            // The rejection of a dynamic import has a stack trace.
            let location = (kind == ResolutionKind::Import).then(|| module.import_location(import)).flatten();
            JsErrorBox::type_error(self.record_error(message, location))
        })
    }

    fn load(
        &self,
        specifier: &ModuleSpecifier,
        _referrer: Option<&ModuleLoadReferrer>,
        _options: ModuleLoadOptions,
    ) -> ModuleLoadResponse {
        let Some(module) = self.module(specifier.as_str()) else {
            return ModuleLoadResponse::Sync(Err(JsErrorBox::type_error("this is none of the script's modules")));
        };
        let code = if self.is_inspected { module.code_with_map() } else { module.code() };
        let source = code.map_err(|error| {
            let message = self.record_error(error.message.clone(), module.error_location(error));
            JsErrorBox::new(error.name, message)
        });
        let source = source.map(|code| {
            // The hash identifies the code in persistent caches. This cache belongs to one module.
            let code_cache = (cfg!(feature = "v8") && !self.is_inspected && module.mark_loaded()).then(|| {
                SourceCodeCacheInfo { hash: 0, data: module.code_cache().map(|cache| Cow::Owned(cache.to_vec())) }
            });
            let code = ModuleSourceCode::String(FastString::from(code));
            ModuleSource::new(ModuleType::JavaScript, code, specifier, code_cache)
        });
        ModuleLoadResponse::Sync(source)
    }

    fn code_cache_ready(
        &self,
        specifier: ModuleSpecifier,
        _hash: u64,
        code_cache: &[u8],
    ) -> Pin<Box<dyn Future<Output = ()>>> {
        if let Some(module) = self.module(specifier.as_str()) {
            module.set_code_cache(code_cache);
        }
        Box::pin(std::future::ready(()))
    }

    fn get_source_map(&self, file_name: &str) -> Option<Cow<'_, [u8]>> {
        let module = self.module(file_name)?;
        module.map().map(|map| Cow::Owned(map.to_vec()))
    }
}

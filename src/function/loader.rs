//! Module loading: the script's own modules, and no others.

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
use super::script::{Module, Place, Script};

/// Hands the modules of one script to an isolate. An isolate can be there before its script is known.
pub(super) struct ScriptLoader {
    /// Whether a debugger may see the code.
    is_inspected: bool,
    script: RefCell<Option<Script>>,
    refusal: RefCell<Option<Refusal>>,
}

/// Why a module is not loaded. The engine passes on the error, and not where it is.
struct Refusal {
    message: String,
    place: Option<Place>,
}

impl ScriptLoader {
    pub(super) fn new(is_inspected: bool) -> Self {
        Self { is_inspected, script: RefCell::default(), refusal: RefCell::default() }
    }

    /// Sets the script that is to be loaded.
    pub(super) fn set(&self, script: Script) {
        *self.script.borrow_mut() = Some(script);
    }

    /// Where the script has what was refused with this message: an import, or a module's fault.
    pub(super) fn refused_at(&self, message: &str) -> Option<Place> {
        let refusal = self.refusal.borrow();
        refusal.as_ref().filter(|refusal| refusal.message == message)?.place.clone()
    }

    /// The source around a place, if it is the script's.
    pub(super) fn code_frame(&self, place: Place) -> Option<CodeFrame> {
        let script = self.script.borrow();
        let source = script.as_ref()?.source(&place.file)?;
        CodeFrame::new(place, source)
    }

    /// The URL of the module of this name, else of the main one.
    pub(super) fn module_url(&self, name: Option<&str>) -> Option<String> {
        let module = name.and_then(|name| Some(self.module(name)?.specifier().to_string()));
        module.or_else(|| self.script.borrow().as_ref().map(|script| script.specifier().to_string()))
    }

    fn module(&self, specifier: &str) -> Option<Arc<Module>> {
        self.script.borrow().as_ref()?.module(specifier).cloned()
    }

    fn refuse(&self, message: String, place: Option<Place>) -> String {
        *self.refusal.borrow_mut() = Some(Refusal { message: message.clone(), place });
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
        module.import(import).map_err(|help| {
            // What a dynamic import rejects with has a stack of its own.
            let place = (kind == ResolutionKind::Import).then(|| module.place_of_import(import)).flatten();
            JsErrorBox::type_error(self.refuse(help, place))
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
        let source = code.map_err(|fault| {
            let message = self.refuse(fault.message.clone(), module.place_of_fault(fault));
            JsErrorBox::new(fault.name, message)
        });
        let source = source.map(|code| {
            // The hash is for caches that outlive the code. This one is the module's own.
            let code_cache = (cfg!(feature = "v8") && !self.is_inspected && module.note_load()).then(|| {
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
            module.keep_code_cache(code_cache);
        }
        Box::pin(std::future::ready(()))
    }

    fn get_source_map(&self, file_name: &str) -> Option<Cow<'_, [u8]>> {
        let module = self.module(file_name)?;
        module.map().map(|map| Cow::Owned(map.to_vec()))
    }
}

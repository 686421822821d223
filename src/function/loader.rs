//! Module loading: there is one module, the script.

use deno_core::{ModuleLoadOptions, ModuleLoadReferrer, ModuleLoadResponse, ModuleSpecifier, ResolutionKind};
use deno_error::JsErrorBox;

/// Refuses every import: the script's own text is handed to the isolate, and nothing else is there to be loaded.
pub(super) struct OneModule {
    pub(super) specifier: ModuleSpecifier,
}

impl deno_core::ModuleLoader for OneModule {
    fn resolve(&self, specifier: &str, _referrer: &str, kind: ResolutionKind) -> Result<ModuleSpecifier, JsErrorBox> {
        if kind == ResolutionKind::MainModule && specifier == self.specifier.as_str() {
            return Ok(self.specifier.clone());
        }
        Err(refused(specifier))
    }

    fn load(
        &self,
        specifier: &ModuleSpecifier,
        _referrer: Option<&ModuleLoadReferrer>,
        _options: ModuleLoadOptions,
    ) -> ModuleLoadResponse {
        ModuleLoadResponse::Sync(Err(refused(specifier.as_str())))
    }
}

fn refused(specifier: &str) -> JsErrorBox {
    JsErrorBox::type_error(format!(
        "{specifier:?} is not available: a function script is one self-contained module, so bundle what it imports"
    ))
}

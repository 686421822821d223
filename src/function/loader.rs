//! Module loading: there is one module, the script.

use std::cell::RefCell;

use deno_core::{ModuleLoadOptions, ModuleLoadReferrer, ModuleLoadResponse, ModuleSpecifier, ResolutionKind};
use deno_error::JsErrorBox;

use super::script::Script;
use crate::idp::shortened;

/// Refuses every import: the script's own text is handed to the isolate, and nothing else is there to be loaded.
#[derive(Default)]
pub(super) struct ScriptLoader {
    script: RefCell<Option<Script>>,
    refused: RefCell<Option<String>>,
}

impl ScriptLoader {
    /// From now on this is the script.
    pub(super) fn set(&self, script: &Script) {
        *self.script.borrow_mut() = Some(script.clone());
    }

    /// Where the script has the import that was refused, as a stack shows it. The engine does not say.
    pub(super) fn refused_at(&self) -> String {
        let Some(script) = self.script.borrow().clone() else { return String::new() };
        let place = self.refused.borrow().as_deref().and_then(|import| position(script.text(), import));
        match place {
            Some((line, column)) => format!("{}:{line}:{column}", script.specifier()),
            None => script.specifier().to_string(),
        }
    }
}

impl deno_core::ModuleLoader for ScriptLoader {
    fn resolve(&self, import: &str, _referrer: &str, kind: ResolutionKind) -> Result<ModuleSpecifier, JsErrorBox> {
        if let Some(script) = &*self.script.borrow()
            && kind == ResolutionKind::MainModule
            && import == script.specifier().as_str()
        {
            return Ok(script.specifier().clone());
        }
        *self.refused.borrow_mut() = Some(import.to_owned());
        Err(refused(import))
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

fn refused(import: &str) -> JsErrorBox {
    JsErrorBox::type_error(format!(
        "{:?} is not available: a function script is one self-contained module, so bundle what it imports",
        shortened(import)
    ))
}

/// Line and column of the first string literal with this text.
fn position(text: &str, literal: &str) -> Option<(usize, usize)> {
    let start = ['"', '\''].iter().filter_map(|quote| text.find(&format!("{quote}{literal}{quote}"))).min()?;
    let before = &text[..start];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Some((line, column))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_is_found_by_line_and_column() {
        let text = "import a from 'a';\n  import { b } from \"b\";\n";
        assert_eq!(position(text, "a"), Some((1, 15)));
        assert_eq!(position(text, "b"), Some((2, 21)));
        assert_eq!(position(text, "c"), None);
    }
}

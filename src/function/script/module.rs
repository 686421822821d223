//! One module of a script.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use sourcemap::SourceMap;
use url::Url;

use super::SourceModule;
use super::import;
use super::parser::imports;
use super::source_map::{InlineMap, take_inline};
#[cfg(not(feature = "typescript"))]
use super::syntax::StrippedModule;
use super::syntax::{ImportSite, Language, ModuleError};
use super::text::{SourceLocation, position};
#[cfg(feature = "typescript")]
use super::typescript::strip_types;

/// Target of an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Import {
    /// Specifier of a module of the script.
    Module(Url),
    /// Import error message.
    Refused(String),
}

/// A module of a script: the author's source, the code that V8 compiles, and the targets of its imports.
#[derive(Debug)]
pub(crate) struct Module {
    specifier: Url,
    /// Source as the author wrote it.
    text: Arc<str>,
    /// Filled when it is first needed: where worker processes run the script, there and not in their host, unless the host has to
    /// read imported files.
    prepared: OnceLock<Prepared>,
    imports: HashMap<String, Import>,
    /// Whether the imports of JavaScript are looked for.
    has_imports: bool,
    /// Paths of imported files that do not exist.
    missing_files: Vec<PathBuf>,
    /// V8's code cache, written by the last isolate that compiled the module.
    code_cache: Mutex<Option<Arc<[u8]>>>,
    was_loaded: AtomicBool,
}

/// What is made of the source.
#[derive(Debug)]
struct Prepared {
    code: Result<Code, ModuleError>,
    /// Empty if the source is not parsed.
    import_sites: Vec<ImportSite>,
}

/// Code that V8 compiles.
#[derive(Debug)]
struct Code {
    /// None if it is the author's source.
    text: Option<Arc<str>>,
    map: Map,
}

#[derive(Debug)]
enum Map {
    None,
    /// Generated for TypeScript, as JSON.
    Generated(Vec<u8>),
    /// `data:` URL from the source, decoded when a stack trace needs it.
    Inline(String, OnceLock<Option<InlineMap>>),
}

#[cfg(not(feature = "typescript"))]
fn strip_types(_specifier: &Url, _text: &str) -> Result<StrippedModule, ModuleError> {
    Err(ModuleError::syntax(
        "TypeScript is not available: this program was built without the cargo feature `typescript`; \
         enable the feature, or compile the file to JavaScript first",
    ))
}

impl Module {
    /// Creates a module in the language that the specifier's extension names.
    ///
    /// JavaScript is parsed only if its imports are needed (`find_imports`).
    pub(super) fn new(specifier: Url, text: String, find_imports: bool) -> Self {
        Self {
            specifier,
            text: text.into(),
            prepared: OnceLock::new(),
            imports: HashMap::new(),
            has_imports: find_imports,
            missing_files: Vec::new(),
            code_cache: Mutex::default(),
            was_loaded: AtomicBool::new(false),
        }
    }

    fn prepared(&self) -> &Prepared {
        self.prepared.get_or_init(|| self.prepare())
    }

    fn prepare(&self) -> Prepared {
        let (specifier, text) = (&self.specifier, &*self.text);
        let extension = specifier.path().rsplit('/').next().and_then(|name| Some(name.rsplit_once('.')?.1));
        let extension = extension.unwrap_or_default().to_owned();
        let language = if ["ts", "mts"].contains(&&*extension) { Language::TypeScript } else { Language::JavaScript };
        let mut import_sites = Vec::new();
        let code = match (&*extension, language) {
            ("tsx" | "jsx" | "cts", _) => Err(ModuleError::syntax(format!(
                "a .{extension} file is not run as it is, only .ts and .mts are: bundle it to JavaScript first"
            ))),
            (_, Language::TypeScript) => strip_types(specifier, text).map(|stripped| {
                import_sites = stripped.imports;
                Code { text: Some(stripped.code.into()), map: Map::Generated(stripped.map) }
            }),
            (_, Language::JavaScript) => Ok(match take_inline(text) {
                (Cow::Owned(code), Some(url)) => {
                    Code { text: Some(code.into()), map: Map::Inline(url.to_owned(), OnceLock::new()) }
                }
                _ => Code { text: None, map: Map::None },
            }),
        };
        if self.has_imports && language == Language::JavaScript {
            import_sites = imports(text);
        }
        Prepared { code, import_sites }
    }

    /// The module as the author wrote it, for another process.
    pub(super) fn to_source(&self) -> SourceModule {
        let target = |target: &Import| match target {
            Import::Module(url) => Ok(url.to_string()),
            Import::Refused(message) => Err(message.clone()),
        };
        SourceModule {
            specifier: self.specifier.to_string(),
            text: self.text.to_string(),
            has_imports: self.has_imports,
            imports: self.imports.iter().map(|(specifier, to)| (specifier.clone(), target(to))).collect(),
        }
    }

    /// The module that [`Self::to_source`] describes. None if a specifier is not a URL.
    pub(super) fn from_source(source: SourceModule) -> Option<Self> {
        let SourceModule { specifier, text, has_imports, imports } = source;
        let mut module = Self::new(specifier.parse().ok()?, text, has_imports);
        for (specifier, target) in imports {
            let target = match target {
                Ok(url) => Import::Module(url.parse().ok()?),
                Err(message) => Import::Refused(message),
            };
            module.set_import(specifier, target);
        }
        Some(module)
    }

    /// Import sites in source order.
    pub(super) fn import_sites(&self) -> &[ImportSite] {
        &self.prepared().import_sites
    }

    pub(super) fn set_import(&mut self, specifier: String, target: Import) {
        self.imports.insert(specifier, target);
    }

    pub(super) fn add_missing_file(&mut self, path: PathBuf) {
        self.missing_files.push(path);
    }

    /// Paths of imported files that do not exist.
    pub(super) fn missing_files(&self) -> &[PathBuf] {
        &self.missing_files
    }

    pub(crate) fn specifier(&self) -> &Url {
        &self.specifier
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Code that V8 compiles.
    ///
    /// # Errors
    ///
    /// The syntax error of a module that cannot be compiled.
    pub(crate) fn code(&self) -> Result<Arc<str>, &ModuleError> {
        self.prepared().code.as_ref().map(|code| code.text.clone().unwrap_or_else(|| Arc::clone(&self.text)))
    }

    /// Code with an inline source map that contains the author's source, for debuggers.
    ///
    /// # Errors
    ///
    /// As [`Self::code`].
    pub(crate) fn code_with_map(&self) -> Result<Arc<str>, &ModuleError> {
        let code = self.code()?;
        let Some(mut map) = self.map().and_then(|map| SourceMap::from_slice(map).ok()) else { return Ok(code) };
        for index in 0..map.get_source_count() {
            let text = map.get_source(index).and_then(|source| self.source(source)).map(str::to_owned);
            map.set_source_contents(index, text.as_deref());
        }
        Ok(match map.to_data_url() {
            Ok(url) => format!("{code}\n//# sourceMappingURL={url}").into(),
            Err(_) => code,
        })
    }

    /// Resolves an import of this module.
    ///
    /// # Errors
    ///
    /// The message for the script's author, if the import is refused.
    pub(crate) fn resolve(&self, specifier: &str) -> Result<Url, String> {
        match self.imports.get(specifier) {
            Some(Import::Module(module)) => Ok(module.clone()),
            Some(Import::Refused(message)) => Err(message.clone()),
            None => Err(import::not_a_module(specifier)),
        }
    }

    /// Location of an import in the source.
    pub(crate) fn import_location(&self, specifier: &str) -> Option<SourceLocation> {
        let site = self.import_sites().iter().find(|site| site.specifier == specifier && !site.is_type);
        // In a source that was not parsed, take the first equal string literal.
        let literal =
            || ['"', '\''].iter().filter_map(|quote| self.text.find(&format!("{quote}{specifier}{quote}"))).min();
        Some(self.location(site.map(|site| site.offset).or_else(literal)?))
    }

    /// Location of an error of this module.
    pub(crate) fn error_location(&self, error: &ModuleError) -> Option<SourceLocation> {
        error.offset.map(|offset| self.location(offset))
    }

    fn location(&self, offset: usize) -> SourceLocation {
        let (line, column) = position(&self.text, offset);
        SourceLocation { file: self.specifier.to_string(), line, column }
    }

    /// Source map as JSON.
    pub(crate) fn map(&self) -> Option<&[u8]> {
        match &self.prepared().code.as_ref().ok()?.map {
            Map::Generated(json) => Some(json),
            Map::Inline(..) => self.inline_map().map(|map| &*map.json),
            Map::None => None,
        }
    }

    /// Source of a file that stack traces of this module name: the module's own, or one embedded in its source map.
    pub(super) fn source(&self, file: &str) -> Option<&str> {
        if let Some(text) = self.inline_map().and_then(|map| map.sources.get(file)) {
            return Some(text);
        }
        (file == self.specifier.as_str()).then_some(&*self.text)
    }

    fn inline_map(&self) -> Option<&InlineMap> {
        // A module that was never loaded is in no stack trace.
        let Map::Inline(url, decoded) = &self.prepared.get()?.code.as_ref().ok()?.map else { return None };
        decoded.get_or_init(|| InlineMap::decode(&self.specifier, url)).as_ref()
    }

    /// Records that an isolate loads the module. Returns whether one has before.
    ///
    /// Creating a code cache pays off only for modules that are loaded again.
    pub(crate) fn mark_loaded(&self) -> bool {
        self.was_loaded.swap(true, Relaxed)
    }

    /// V8's code cache of [`Self::code`], if an isolate has stored one.
    pub(crate) fn code_cache(&self) -> Option<Arc<[u8]>> {
        self.code_cache.lock().clone()
    }

    /// Stores V8's code cache for later isolates.
    pub(crate) fn set_code_cache(&self, cache: &[u8]) {
        *self.code_cache.lock() = Some(cache.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_not_parsed_before_it_is_needed() {
        let text = "export default (n: number) => n;";
        let module = Module::new("file:///main.ts".parse().unwrap(), text.to_owned(), false);
        assert_eq!(Module::from_source(module.to_source()).unwrap().text(), text);
        assert_eq!(module.source("file:///main.ts"), Some(text));
        assert!(module.prepared.get().is_none());
        let _ = module.code();
        assert!(module.prepared.get().is_some());
    }
}

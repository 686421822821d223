//! One module of a script.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use sourcemap::SourceMap;
use url::Url;

use super::import;
use super::parser::{self, Fault, ImportSite, Language};
use super::source_map::{CheckedMap, take_inline};
use super::text::{Place, position};

/// What an import of a module leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Import {
    /// A module of the script.
    Module(Url),
    /// Nothing, and why.
    Refused(String),
}

/// A module: its text, what the engine gets in place of it, and what its imports mean.
#[derive(Debug)]
pub(crate) struct Module {
    specifier: Url,
    /// As the author wrote it.
    text: Arc<str>,
    code: Result<Code, Fault>,
    imports: HashMap<String, Import>,
    /// Where the imports are, as far as the parser was asked.
    sites: Vec<ImportSite>,
    /// Files that it imports, and that are not there.
    missing: Vec<PathBuf>,
    /// V8's compiled form, as the isolate left it that compiled the module last.
    cache: Mutex<Option<Arc<[u8]>>>,
    is_loaded: AtomicBool,
}

/// What the engine gets.
#[derive(Debug)]
struct Code {
    /// None where it is the author's text.
    text: Option<Arc<str>>,
    map: Map,
}

#[derive(Debug)]
enum Map {
    None,
    /// Ours, for TypeScript.
    Json(Vec<u8>),
    /// The file's own, in a `data:` URL. Decoded when a stack asks for it.
    Inline(String, OnceLock<Option<CheckedMap>>),
}

impl Module {
    /// A module of the language that its specifier ends in.
    ///
    /// JavaScript goes to the engine unparsed, unless its imports are to be `followed`.
    pub(super) fn new(specifier: Url, text: String, followed: bool) -> Self {
        let extension = specifier.path().rsplit('/').next().and_then(|name| Some(name.rsplit_once('.')?.1));
        let extension = extension.unwrap_or_default().to_owned();
        let language = if ["ts", "mts"].contains(&&*extension) { Language::TypeScript } else { Language::JavaScript };
        let mut sites = Vec::new();
        let code = match (&*extension, language) {
            ("tsx" | "jsx" | "cts", _) => Err(Fault::syntax(format!(
                "a .{extension} file is not run as it is, only .ts and .mts are: bundle it to JavaScript first"
            ))),
            (_, Language::TypeScript) => parser::strip(&specifier, &text).map(|stripped| {
                sites = stripped.imports;
                Code { text: Some(stripped.code.into()), map: Map::Json(stripped.map) }
            }),
            (_, Language::JavaScript) => Ok(match take_inline(&text) {
                (Cow::Owned(code), Some(url)) => {
                    Code { text: Some(code.into()), map: Map::Inline(url.to_owned(), OnceLock::new()) }
                }
                _ => Code { text: None, map: Map::None },
            }),
        };
        if followed && language == Language::JavaScript {
            sites = parser::imports(&text);
        }
        Self {
            specifier,
            text: text.into(),
            code,
            imports: HashMap::new(),
            sites,
            missing: Vec::new(),
            cache: Mutex::default(),
            is_loaded: AtomicBool::new(false),
        }
    }

    /// The imports, in their order.
    pub(super) fn sites(&self) -> &[ImportSite] {
        &self.sites
    }

    pub(super) fn set_import(&mut self, import: String, target: Import) {
        self.imports.insert(import, target);
    }

    pub(super) fn add_missing(&mut self, path: PathBuf) {
        self.missing.push(path);
    }

    /// Files that it imports, and that are not there.
    pub(super) fn missing(&self) -> &[PathBuf] {
        &self.missing
    }

    pub(crate) fn specifier(&self) -> &Url {
        &self.specifier
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// What the engine is to compile, or why it cannot.
    pub(crate) fn code(&self) -> Result<Arc<str>, &Fault> {
        self.code.as_ref().map(|code| code.text.clone().unwrap_or_else(|| Arc::clone(&self.text)))
    }

    /// The code with its source map in it, and the author's text in the map: what a debugger needs to show that text.
    pub(crate) fn code_with_map(&self) -> Result<Arc<str>, &Fault> {
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

    /// The specifier of the module that an import means, or why there is none.
    pub(crate) fn import(&self, import: &str) -> Result<Url, String> {
        match self.imports.get(import) {
            Some(Import::Module(specifier)) => Ok(specifier.clone()),
            Some(Import::Refused(help)) => Err(help.clone()),
            None => Err(import::not_a_module(import)),
        }
    }

    /// Where this module has an import.
    pub(crate) fn place_of_import(&self, import: &str) -> Option<Place> {
        let site = self.sites.iter().find(|site| site.import == import && !site.is_type);
        // In what was not parsed, the first string like it will be the one.
        let string = || ['"', '\''].iter().filter_map(|quote| self.text.find(&format!("{quote}{import}{quote}"))).min();
        Some(self.place(site.map(|site| site.offset).or_else(string)?))
    }

    /// Where a fault of this module is.
    pub(crate) fn place_of_fault(&self, fault: &Fault) -> Option<Place> {
        fault.offset.map(|offset| self.place(offset))
    }

    fn place(&self, offset: usize) -> Place {
        let (line, column) = position(&self.text, offset);
        Place { file: self.specifier.to_string(), line, column }
    }

    /// The source map, in JSON.
    pub(crate) fn map(&self) -> Option<&[u8]> {
        match &self.code.as_ref().ok()?.map {
            Map::Json(json) => Some(json),
            Map::Inline(..) => self.checked_map().map(|map| &*map.json),
            Map::None => None,
        }
    }

    /// The text of a file that stacks name because of this module.
    pub(super) fn source(&self, file: &str) -> Option<&str> {
        if let Some(text) = self.checked_map().and_then(|map| map.texts.get(file)) {
            return Some(text);
        }
        (file == self.specifier.as_str()).then_some(&*self.text)
    }

    fn checked_map(&self) -> Option<&CheckedMap> {
        let Map::Inline(url, decoded) = &self.code.as_ref().ok()?.map else { return None };
        decoded.get_or_init(|| CheckedMap::decode(&self.specifier, url)).as_ref()
    }

    /// Notes that an isolate loads the module, and says whether another has before: only then is the compiled form worth its
    /// making.
    pub(crate) fn note_load(&self) -> bool {
        self.is_loaded.swap(true, Relaxed)
    }

    /// V8's compiled form of the code, if an isolate has left one.
    pub(crate) fn code_cache(&self) -> Option<Arc<[u8]>> {
        self.cache.lock().clone()
    }

    /// Keeps the compiled form for the next isolate.
    pub(crate) fn keep_code_cache(&self, cache: &[u8]) {
        *self.cache.lock() = Some(cache.into());
    }
}

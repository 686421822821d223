//! Function scripts: source modules, prepared for V8.

#[cfg(feature = "typescript")]
mod enums;
mod import;
mod module;
mod parser;
mod reader;
mod source_map;
mod syntax;
mod text;
#[cfg(feature = "typescript")]
mod typescript;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use url::Url;

pub(super) use self::module::Module;
pub use self::reader::{MAX_MODULES, MAX_SOURCE_LEN, ScriptFileError};
pub(super) use self::text::{SourceLocation, byte_offset, lines};

/// A module as the author wrote it. A worker process parses it itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SourceModule {
    specifier: String,
    text: String,
    /// Whether the imports of JavaScript are looked for.
    has_imports: bool,
    /// Targets of imports: a specifier, or why the import is refused.
    imports: HashMap<String, Result<String, String>>,
}

/// A function script: an ES module and the local modules that it imports. Cheap to clone.
///
/// All files are read when the script is created; running it reads nothing from disk. Clones share V8's code cache.
///
/// TypeScript (extension `.ts` or `.mts`) needs the cargo feature `typescript`. Types are removed, not checked, and stack
/// traces show the lines of the TypeScript source.
///
/// Files are parsed when the script is created, since their imports have to be read: outside of
/// [`Limits`](crate::function::Limits) but within limits of time and output. The caller waits for it, at most 10 s for a file. A
/// text from [`Script::new`] is not parsed before its first execution, in the worker process where executions run in processes.
///
/// Syntax errors and refused imports are reported by the execution.
#[derive(Debug, Clone)]
pub struct Script(Arc<ModuleGraph>);

#[derive(Debug)]
struct ModuleGraph {
    main: Arc<Module>,
    modules: HashMap<Url, Arc<Module>>,
}

impl Script {
    /// Creates a script from text: one module without imports. Stack traces name it by its `specifier`, such as
    /// `file:///handler.js` or, for TypeScript, `file:///handler.ts`.
    pub fn new(specifier: Url, text: impl Into<String>) -> Self {
        Self::from_modules(vec![Module::new(specifier, text.into(), false)])
    }

    /// Reads a script from a file, together with the files that it imports, directly or indirectly, by a relative path with
    /// extension (`import "./users.js"`).
    ///
    /// All files have to be in one root folder: the nearest ancestor of the file that contains a `tailor-idp.toml` or a
    /// `package.json`, else the file's own folder.
    ///
    /// # Errors
    ///
    /// Fails if a file cannot be read or is not UTF-8, and beyond [`MAX_MODULES`] files or [`MAX_SOURCE_LEN`] bytes. An
    /// import of a file that does not exist is reported by the execution.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ScriptFileError> {
        reader::read(path.as_ref(), None).map(Self::from_modules)
    }

    /// Like [`Script::from_file`], with an explicit root folder. Links are followed before a file is checked against it.
    ///
    /// # Errors
    ///
    /// As [`Script::from_file`], and if the file is outside of the folder.
    pub fn from_file_in_root(path: impl AsRef<Path>, root: impl AsRef<Path>) -> Result<Self, ScriptFileError> {
        reader::read(path.as_ref(), Some(root.as_ref())).map(Self::from_modules)
    }

    /// `modules` is not empty, and the first one is the main module.
    fn from_modules(modules: Vec<Module>) -> Self {
        let modules: Vec<_> = modules.into_iter().map(Arc::new).collect();
        let main = Arc::clone(&modules[0]);
        let modules = modules.into_iter().map(|module| (module.specifier().clone(), module)).collect();
        Self(Arc::new(ModuleGraph { main, modules }))
    }

    /// The modules as the author wrote them, the main module first.
    pub(super) fn to_sources(&self) -> Vec<SourceModule> {
        let others = self.0.modules.values().filter(|module| !Arc::ptr_eq(module, &self.0.main));
        [&self.0.main].into_iter().chain(others).map(|module| module.to_source()).collect()
    }

    /// The script that [`Self::to_sources`] describes. None if there is no module, or if a specifier is not a URL.
    pub(super) fn from_sources(sources: Vec<SourceModule>) -> Option<Self> {
        let modules: Vec<_> = sources.into_iter().map(Module::from_source).collect::<Option<_>>()?;
        (!modules.is_empty()).then(|| Self::from_modules(modules))
    }

    /// Specifier of the main module.
    pub fn specifier(&self) -> &Url {
        self.0.main.specifier()
    }

    /// Source of the main module as the author wrote it.
    pub fn text(&self) -> &str {
        self.0.main.text()
    }

    /// Paths that the script depends on: the files that it was read from, with links resolved, and imported files that do not
    /// exist. Unordered. For file watchers.
    pub fn files(&self) -> Vec<PathBuf> {
        let modules = || self.0.modules.values();
        let read = modules().filter_map(|module| module.specifier().to_file_path().ok());
        read.chain(modules().flat_map(|module| module.missing_files().iter().cloned())).collect()
    }

    /// Total size of the sources of all modules, in bytes.
    pub fn source_len(&self) -> usize {
        self.0.modules.values().map(|module| module.text().len()).sum()
    }

    /// Identifies the script and its clones while one of them exists.
    pub(super) fn id(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// Module by specifier.
    pub(super) fn module(&self, specifier: &str) -> Option<&Arc<Module>> {
        self.0.modules.get(&Url::parse(specifier).ok()?)
    }

    /// Source of a file that stack traces name: a module, or a source embedded in a source map.
    pub(super) fn source(&self, file: &str) -> Option<&str> {
        let module = self.module(file).and_then(|module| module.source(file));
        module.or_else(|| self.0.modules.values().find_map(|module| module.source(file)))
    }
}

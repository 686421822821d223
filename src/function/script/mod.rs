//! A function script: the modules it is made of, ready for the engine.

mod file;
mod import;
mod module;
mod parser;
mod source_map;
mod text;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use url::Url;

pub use self::file::{MAX_MODULES, MAX_SOURCE_LEN, ScriptFileError};
pub(super) use self::module::Module;
pub(super) use self::text::{Place, byte_offset, lines};

/// A function script: an ES module, and the local modules that it imports. Cheap to clone.
///
/// Whatever a script needs is read and prepared when it is made, once: running it reads nothing from disk. The types of
/// TypeScript (a name that ends in `.ts` or `.mts`) are taken away, and stacks show the author's lines nevertheless. All
/// clones share what the engine has compiled.
///
/// TypeScript is parsed when the script is made, on the caller's time, and nothing bounds the memory that this takes but the
/// text's length: a text that is meant to harm can take much. JavaScript from text goes to the engine unparsed.
///
/// What is wrong with a script's text, or with an import, is told by the execution that comes upon it.
#[derive(Debug, Clone)]
pub struct Script(Arc<Graph>);

#[derive(Debug)]
struct Graph {
    main: Arc<Module>,
    modules: HashMap<Url, Arc<Module>>,
}

impl Script {
    /// A script from text: one module, which can import nothing. Stacks name it by its `specifier`, such as
    /// `file:///handler.js` or, for TypeScript, `file:///handler.ts`.
    pub fn new(specifier: Url, text: impl Into<String>) -> Self {
        Self::of(vec![Module::new(specifier, text.into(), false)])
    }

    /// A script from a file, with the files that it imports by a relative path (`import "./users.js"`, with the
    /// extension written out), and those that they import. They have to be in one root folder: the nearest one above the file with a
    /// `tailor-idp.toml` or a `package.json`, else the file's own.
    ///
    /// # Errors
    ///
    /// Where the file, or one that it imports, cannot be read, or is not UTF-8, or where there are more than
    /// [`MAX_MODULES`] files or [`MAX_SOURCE_LEN`] bytes. An import that is not there is told by the execution.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ScriptFileError> {
        file::read(path.as_ref(), None).map(Self::of)
    }

    /// As [`Script::from_file`], with `root` as the folder that has to hold all files, after links are followed.
    ///
    /// # Errors
    ///
    /// As there, and where the file is not in the folder.
    pub fn from_file_in_root(path: impl AsRef<Path>, root: impl AsRef<Path>) -> Result<Self, ScriptFileError> {
        file::read(path.as_ref(), Some(root.as_ref())).map(Self::of)
    }

    /// The first module is the main one. There is one.
    fn of(modules: Vec<Module>) -> Self {
        let modules: Vec<_> = modules.into_iter().map(Arc::new).collect();
        let main = Arc::clone(&modules[0]);
        let modules = modules.into_iter().map(|module| (module.specifier().clone(), module)).collect();
        Self(Arc::new(Graph { main, modules }))
    }

    /// The name of the main module.
    pub fn specifier(&self) -> &Url {
        self.0.main.specifier()
    }

    /// The text of the main module, as its author wrote it.
    pub fn text(&self) -> &str {
        self.0.main.text()
    }

    /// The files that decide what the script is: those that it was read from, with links followed, and those that it imports and
    /// that were not there. In no order.
    pub fn files(&self) -> Vec<PathBuf> {
        let modules = || self.0.modules.values();
        let read = modules().filter_map(|module| module.specifier().to_file_path().ok());
        read.chain(modules().flat_map(|module| module.missing().iter().cloned())).collect()
    }

    /// How many bytes all modules have together, as their authors wrote them.
    pub fn source_len(&self) -> usize {
        self.0.modules.values().map(|module| module.text().len()).sum()
    }

    /// Of this script and its clones alone, for as long as one of them is there.
    pub(super) fn id(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// The module with this specifier.
    pub(super) fn module(&self, specifier: &str) -> Option<&Arc<Module>> {
        self.0.modules.get(&Url::parse(specifier).ok()?)
    }

    /// The text of a file that stacks name: a module's, or what a source map has brought along.
    pub(super) fn source(&self, file: &str) -> Option<&str> {
        let module = self.module(file).and_then(|module| module.source(file));
        module.or_else(|| self.0.modules.values().find_map(|module| module.source(file)))
    }
}

#[cfg(all(test, feature = "v8"))]
mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::json;

    use super::*;
    use crate::function::{FunctionRuntime, Invocation};
    use crate::idp::Idp;

    #[tokio::test]
    async fn what_one_isolate_compiles_the_next_ones_take() {
        let runtime = FunctionRuntime::builder(Arc::new(Idp::builder().build())).build();
        let script = Script::new("file:///a.js".parse().unwrap(), "export default async () => (await null, 1);");
        let run = async || runtime.run(&script, Invocation::default()).await.result.unwrap();
        // Nothing is kept of a script that may run but once.
        assert_eq!(run().await, json!(1));
        assert_eq!(script.0.main.code_cache(), None);
        assert_eq!(run().await, json!(1));
        let first = script.0.main.code_cache().unwrap();
        assert_eq!(run().await, json!(1));
        // The engine would have left another one, had it not taken the first.
        assert!(Arc::ptr_eq(&first, &script.0.main.code_cache().unwrap()));
        // One that it does not take is replaced.
        script.0.main.keep_code_cache(b"no such cache");
        assert_eq!(run().await, json!(1));
        assert_ne!(&*script.0.main.code_cache().unwrap(), b"no such cache");
    }
}

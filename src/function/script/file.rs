//! Reading a script and the local files that it imports.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use url::Url;

use super::import::{self, EXTENSIONS, Request};
use super::module::{Import, Module};
use super::parser::ImportSite;

/// The most bytes that are read for a script: more than any runtime takes.
pub const MAX_SOURCE_LEN: usize = 64 * 1024 * 1024;

/// The most files of a script: more than people import by hand.
pub const MAX_MODULES: usize = 1000;

/// What marks a project's folder.
const MARKS: [&str; 2] = ["tailor-idp.toml", "package.json"];

/// Why a script's files cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the script {path}: {reason}")]
pub struct ScriptFileError {
    path: PathBuf,
    #[source]
    reason: Reason,
}

#[derive(Debug, thiserror::Error)]
enum Reason {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("it is not a file")]
    NotAFile,
    #[error("it is not UTF-8")]
    NotUtf8,
    #[error("its path cannot be written as a URL")]
    NotAUrl,
    #[error("it is not in the root folder {0}")]
    OutsideOfRoot(PathBuf),
    #[error("the script is longer than {MAX_SOURCE_LEN} bytes with it")]
    TooLong,
    #[error("it imports more than {MAX_MODULES} files")]
    TooManyModules,
}

/// The modules of a script, the main one first.
pub(super) fn read(path: &Path, root: Option<&Path>) -> Result<Vec<Module>, ScriptFileError> {
    let failed = |reason| ScriptFileError { path: path.to_owned(), reason };
    let main = path.canonicalize().map_err(|error| failed(error.into()))?;
    let root = match root {
        Some(root) => root.canonicalize().map_err(|error| failed(error.into()))?,
        None => root_of(&main),
    };
    if !main.starts_with(&root) {
        return Err(failed(Reason::OutsideOfRoot(root)));
    }
    let mut reader =
        Reader { root, modules: Vec::new(), paths: Vec::new(), index: HashMap::new(), left: MAX_SOURCE_LEN };
    // The path as it was given: it says more than the resolved one.
    reader.add(&main).map_err(failed)?;
    let mut next = 0;
    while next < reader.modules.len() {
        reader.resolve_imports_of(next)?;
        next += 1;
    }
    Ok(reader.modules)
}

/// The nearest folder above with a project in it, else the file's own.
fn root_of(file: &Path) -> PathBuf {
    let is_marked = |folder: &&Path| MARKS.iter().any(|mark| folder.join(mark).is_file());
    let own = file.parent().unwrap_or(file);
    own.ancestors().find(is_marked).unwrap_or(own).to_owned()
}

struct Reader {
    root: PathBuf,
    modules: Vec<Module>,
    /// Of each module.
    paths: Vec<PathBuf>,
    index: HashMap<PathBuf, usize>,
    /// How many bytes may still be read.
    left: usize,
}

impl Reader {
    /// Reads a file in the root, by its resolved path.
    fn add(&mut self, path: &Path) -> Result<usize, Reason> {
        if self.modules.len() == MAX_MODULES {
            return Err(Reason::TooManyModules);
        }
        // Before it is opened: to open a pipe is to wait for its other end.
        if !path.metadata()?.is_file() {
            return Err(Reason::NotAFile);
        }
        let mut bytes = Vec::new();
        File::open(path)?.take(self.left as u64 + 1).read_to_end(&mut bytes)?;
        self.left = self.left.checked_sub(bytes.len()).ok_or(Reason::TooLong)?;
        let text = String::from_utf8(bytes).map_err(|_| Reason::NotUtf8)?;
        let specifier = Url::from_file_path(path).map_err(|()| Reason::NotAUrl)?;
        let module = Module::new(specifier, text, true);
        let index = self.modules.len();
        self.modules.push(module);
        self.paths.push(path.to_owned());
        self.index.insert(path.to_owned(), index);
        Ok(index)
    }

    /// Reads what a module imports, and notes what its imports mean.
    fn resolve_imports_of(&mut self, index: usize) -> Result<(), ScriptFileError> {
        let sites = self.modules[index].sites().to_vec();
        for ImportSite { import, is_type, .. } in sites {
            if is_type {
                continue;
            }
            let target = match import::request(&import) {
                Request::Other(help) => Import::Refused(help),
                Request::Local => self.local(index, &import)?,
            };
            self.modules[index].set_import(import, target);
        }
        Ok(())
    }

    fn local(&mut self, importer: usize, import: &str) -> Result<Import, ScriptFileError> {
        let refused = |reason: &str| Ok(Import::Refused(import::refusal(import, reason)));
        let outside = "it is outside of the script's root folder, which a tailor-idp.toml or package.json further up would make larger";
        let url = self.modules[importer].specifier().join(import);
        let Some(path) = url.ok().and_then(|url| url.to_file_path().ok()) else {
            return refused("it is no path");
        };
        // Encoded dots and slashes can make a path that climbs.
        let climbs = path.components().any(|part| part == Component::ParentDir);
        // What is outside is not even looked at.
        if climbs || !path.starts_with(&self.root) {
            return refused(outside);
        }
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        let resolved = match path.canonicalize() {
            Ok(resolved) => resolved,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let help = import::missing(import, &path);
                self.modules[importer].add_missing(path);
                return Ok(Import::Refused(help));
            }
            Err(_) => return refused("it cannot be read"),
        };
        if !resolved.starts_with(&self.root) {
            return refused(outside);
        }
        if resolved.is_dir() {
            return Ok(Import::Refused(import::missing(import, &path)));
        }
        if !EXTENSIONS.contains(&&*extension) {
            return Ok(Import::Refused(import::unknown_extension(import, &extension)));
        }
        let index = match self.index.get(&resolved) {
            Some(index) => *index,
            None => self.add(&resolved).map_err(|reason| ScriptFileError { path: resolved, reason })?,
        };
        Ok(Import::Module(self.modules[index].specifier().clone()))
    }
}

//! Reads a script file and the local files that it imports.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use url::Url;

use super::import::{self, EXTENSIONS, SpecifierKind};
use super::module::{Import, Module};
use super::syntax::ImportSite;

/// Largest total size of a script's files, in bytes (64 MiB).
pub const MAX_SOURCE_LEN: usize = 64 * 1024 * 1024;

/// Largest number of files in a script.
pub const MAX_MODULES: usize = 1000;

/// Files that mark a project's root folder.
const ROOT_MARKERS: [&str; 2] = ["tailor-idp.toml", "package.json"];

/// Error for a script file, or a file that it imports, that cannot be read.
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

/// Reads the modules of a script, the main module first.
///
/// # Errors
///
/// Fails if a file cannot be read, is not UTF-8 or is outside of `root`, and beyond [`MAX_MODULES`] and [`MAX_SOURCE_LEN`].
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
    let mut reader = Reader { root, modules: Vec::new(), index: HashMap::new(), remaining_bytes: MAX_SOURCE_LEN };
    // Errors name the path as given, which the caller knows.
    reader.add(&main).map_err(failed)?;
    let mut next = 0;
    while next < reader.modules.len() {
        reader.resolve_imports_of(next)?;
        next += 1;
    }
    Ok(reader.modules)
}

/// Nearest ancestor folder that contains a root marker, else the file's folder.
fn root_of(file: &Path) -> PathBuf {
    let is_root = |folder: &&Path| ROOT_MARKERS.iter().any(|marker| folder.join(marker).is_file());
    let own = file.parent().unwrap_or(file);
    own.ancestors().find(is_root).unwrap_or(own).to_owned()
}

struct Reader {
    root: PathBuf,
    modules: Vec<Module>,
    /// Index in `modules` by resolved path.
    index: HashMap<PathBuf, usize>,
    /// Bytes that may still be read.
    remaining_bytes: usize,
}

impl Reader {
    /// Reads a file by its resolved path and returns its index in `modules`.
    fn add(&mut self, path: &Path) -> Result<usize, Reason> {
        if self.modules.len() == MAX_MODULES {
            return Err(Reason::TooManyModules);
        }
        // Checked before opening: opening a named pipe blocks until its other end is opened.
        if !path.metadata()?.is_file() {
            return Err(Reason::NotAFile);
        }
        let mut bytes = Vec::new();
        File::open(path)?.take(self.remaining_bytes as u64 + 1).read_to_end(&mut bytes)?;
        self.remaining_bytes = self.remaining_bytes.checked_sub(bytes.len()).ok_or(Reason::TooLong)?;
        let text = String::from_utf8(bytes).map_err(|_| Reason::NotUtf8)?;
        let specifier = Url::from_file_path(path).map_err(|()| Reason::NotAUrl)?;
        let module = Module::new(specifier, text, true);
        let index = self.modules.len();
        self.modules.push(module);
        self.index.insert(path.to_owned(), index);
        Ok(index)
    }

    /// Reads the files that a module imports, and records the target of each import.
    fn resolve_imports_of(&mut self, index: usize) -> Result<(), ScriptFileError> {
        let sites = self.modules[index].import_sites().to_vec();
        for ImportSite { specifier, is_type, .. } in sites {
            if is_type {
                continue;
            }
            let target = match import::classify(&specifier) {
                SpecifierKind::Unsupported(message) => Import::Refused(message),
                SpecifierKind::RelativePath => self.resolve_file(index, &specifier)?,
            };
            self.modules[index].set_import(specifier, target);
        }
        Ok(())
    }

    fn resolve_file(&mut self, importer: usize, specifier: &str) -> Result<Import, ScriptFileError> {
        let refused = |reason: &str| Ok(Import::Refused(import::refusal(specifier, reason)));
        let outside = "it is outside of the script's root folder, which a tailor-idp.toml or package.json further up would make larger";
        let url = self.modules[importer].specifier().join(specifier);
        let Some(path) = url.ok().and_then(|url| url.to_file_path().ok()) else {
            return refused("it is no path");
        };
        // Percent-encoded dots and slashes in the URL can become `..` in the path.
        let has_parent = path.components().any(|part| part == Component::ParentDir);
        // Checked before any access, so that a script cannot probe for files outside of the root.
        if has_parent || !path.starts_with(&self.root) {
            return refused(outside);
        }
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        let resolved = match path.canonicalize() {
            Ok(resolved) => resolved,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let message = import::missing_file(specifier, &path);
                self.modules[importer].add_missing_file(path);
                return Ok(Import::Refused(message));
            }
            Err(_) => return refused("it cannot be read"),
        };
        if !resolved.starts_with(&self.root) {
            return refused(outside);
        }
        if resolved.is_dir() {
            return Ok(Import::Refused(import::missing_file(specifier, &path)));
        }
        if !EXTENSIONS.contains(&&*extension) {
            return Ok(Import::Refused(import::unknown_extension(specifier, &extension)));
        }
        let index = match self.index.get(&resolved) {
            Some(index) => *index,
            None => self.add(&resolved).map_err(|reason| ScriptFileError { path: resolved, reason })?,
        };
        Ok(Import::Module(self.modules[index].specifier().clone()))
    }
}

//! A function script.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use url::Url;

/// A function script: one ES module. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Script(Arc<Source>);

#[derive(Debug)]
struct Source {
    id: u64,
    specifier: Url,
    text: String,
}

/// Why a script's file cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the script {path}: {source}")]
pub struct ScriptFileError {
    path: PathBuf,
    source: std::io::Error,
}

impl Script {
    /// A script from text. Stacks name it by its `specifier`, such as `file:///handler.js`.
    pub fn new(specifier: Url, text: impl Into<String>) -> Self {
        static LAST_ID: AtomicU64 = AtomicU64::new(0);
        Self(Arc::new(Source { id: LAST_ID.fetch_add(1, Relaxed), specifier, text: text.into() }))
    }

    /// A script from a file.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read, or is not UTF-8.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ScriptFileError> {
        let path = path.as_ref();
        let failed = |source| ScriptFileError { path: path.to_owned(), source };
        let absolute = path.canonicalize().map_err(failed)?;
        let text = std::fs::read_to_string(&absolute).map_err(failed)?;
        let not_a_url = |()| failed(std::io::Error::other("its path cannot be written as a URL"));
        let specifier = Url::from_file_path(&absolute).map_err(not_a_url)?;
        Ok(Self::new(specifier, text))
    }

    /// Of this script and its clones alone, for as long as the process lives.
    pub(super) fn id(&self) -> u64 {
        self.0.id
    }

    /// Bytes of the source.
    pub(super) fn source_len(&self) -> usize {
        self.0.text.len()
    }

    /// The name of the module.
    pub fn specifier(&self) -> &Url {
        &self.0.specifier
    }

    /// The text of the module.
    pub fn text(&self) -> &str {
        &self.0.text
    }
}

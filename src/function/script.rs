//! A function script.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use url::Url;

/// A function script: one ES module. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Script(Arc<Source>);

#[derive(Debug)]
struct Source {
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
        Self(Arc::new(Source { specifier, text: text.into() }))
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

    /// The name of the module.
    pub fn specifier(&self) -> &Url {
        &self.0.specifier
    }

    /// The text of the module.
    pub fn text(&self) -> &str {
        &self.0.text
    }
}

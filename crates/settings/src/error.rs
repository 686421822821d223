//! Faults of a settings file.

use std::fmt;
use std::path::PathBuf;

/// A fault in a settings file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SettingsFault {
    /// Line number, from 1; `None` if the fault concerns the whole file.
    pub line: Option<usize>,
    /// Path of the key, such as `namespace.builtin-idp.lang`; empty if the fault belongs to no key.
    pub key: String,
    /// The violated rule and the given value. Never contains a secret.
    pub text: String,
}

/// All faults of a settings file. Displays as one line per fault:
/// `tailor-idp.toml:12: namespace.builtin-idp.lang: must be "en" or "ja": got "fr"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsError {
    file: PathBuf,
    faults: Vec<SettingsFault>,
}

impl SettingsError {
    pub(super) fn new(file: PathBuf, faults: Vec<SettingsFault>) -> Self {
        Self { file, faults }
    }

    /// A fault that concerns the whole file.
    pub(super) fn whole(file: PathBuf, text: String) -> Self {
        Self::new(file, vec![SettingsFault { line: None, key: String::new(), text }])
    }

    /// The faults in the order of the file. Never empty.
    pub fn faults(&self) -> &[SettingsFault] {
        &self.faults
    }
}

impl std::error::Error for SettingsError {}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            write!(f, "{end}{}:", self.file.display())?;
            if let Some(line) = fault.line {
                write!(f, "{line}:")?;
            }
            if !fault.key.is_empty() {
                write!(f, " {}:", fault.key)?;
            }
            write!(f, " {}", fault.text)?;
        }
        Ok(())
    }
}

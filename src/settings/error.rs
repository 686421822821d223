//! What is wrong with a settings file.

use std::fmt;
use std::path::PathBuf;

/// One thing that is wrong with a settings file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SettingsFault {
    /// The line, from 1; `None` where it is about the file as a whole.
    pub line: Option<usize>,
    /// The path of the key, such as `namespace.builtin-idp.lang`; empty where no key is to blame.
    pub key: String,
    /// The rule, and what was given. Never a secret.
    pub text: String,
}

/// All that is wrong with a settings file. Prints one line a fault:
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

    /// A failure of the file as a whole.
    pub(super) fn whole(file: PathBuf, text: String) -> Self {
        Self::new(file, vec![SettingsFault { line: None, key: String::new(), text }])
    }

    /// What is wrong, in the order of the file. Never empty.
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

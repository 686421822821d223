//! Violations of the rules for settings.

/// A setting that violates a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {text}")]
pub struct SettingFault {
    /// The key of the setting, such as `passwordMinLength`.
    pub key: &'static str,
    /// The rule, with the platform's text if it has one, and the value given.
    pub text: String,
}

impl SettingFault {
    pub(crate) fn new(key: &'static str, text: impl Into<String>) -> Self {
        Self { key, text: text.into() }
    }
}

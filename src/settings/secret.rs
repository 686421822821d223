//! Secrets: the file names the environment variable that holds one, and never holds it itself.

use secrecy::SecretString;

/// A secret that is in an environment variable. It is read when it is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretVariable {
    variable: String,
    key: String,
}

/// What [`SecretVariable::read`] says where there is no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the environment variable {variable} is not set: {key} names it")]
pub struct MissingSecret {
    /// The variable.
    pub variable: String,
    /// The key that names it, such as `mail.smtp.password_env`.
    pub key: String,
}

impl SecretVariable {
    pub(super) fn new(variable: String, key: String) -> Self {
        Self { variable, key }
    }

    /// The variable's name.
    pub fn variable(&self) -> &str {
        &self.variable
    }

    /// The key of the settings that names it.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The secret.
    ///
    /// # Errors
    ///
    /// Where the variable is not set, empty, or not Unicode.
    pub fn read(&self) -> Result<SecretString, MissingSecret> {
        let secret = std::env::var(&self.variable).ok().filter(|secret| !secret.is_empty());
        let missing = || MissingSecret { variable: self.variable.clone(), key: self.key.clone() };
        secret.map(SecretString::from).ok_or_else(missing)
    }
}

/// Whether this can be a variable's name. Capitals only, as is the custom: a secret that was put here by mistake is most
/// likely told from a name, and is then not printed.
pub(super) fn is_variable_name(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    name.bytes().all(inner) && !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit())
}

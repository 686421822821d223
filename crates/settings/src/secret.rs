//! Secrets: the settings file names the environment variables that hold them.

use std::env::VarError;
use std::fmt;

use secrecy::SecretString;

/// A reference to a secret in an environment variable. The variable is read on use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretVariable {
    variable: String,
    key: String,
}

/// Error of [`SecretVariable::read`]: the environment variable holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the environment variable {variable} {fault}: {key} names it")]
#[non_exhaustive]
pub struct MissingSecret {
    /// Name of the environment variable.
    pub variable: String,
    /// Settings key that names the variable, such as `mail.smtp.password_env`.
    pub key: String,
    /// What is wrong with the variable.
    pub fault: SecretFault,
}

/// Why an environment variable holds no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretFault {
    /// There is no such variable.
    Unset,
    /// The variable is empty.
    Empty,
    /// The variable is not Unicode.
    NotUnicode,
}

impl fmt::Display for SecretFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unset => "is not set",
            Self::Empty => "is empty",
            Self::NotUnicode => "is not Unicode",
        })
    }
}

impl SecretVariable {
    pub(super) fn new(variable: String, key: String) -> Self {
        Self { variable, key }
    }

    /// Name of the environment variable.
    pub fn variable(&self) -> &str {
        &self.variable
    }

    /// Settings key that names the variable.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Reads the secret.
    ///
    /// # Errors
    ///
    /// [`MissingSecret`] if the variable is not set, is empty or is not Unicode.
    pub fn read(&self) -> Result<SecretString, MissingSecret> {
        let fault = match std::env::var(&self.variable) {
            Ok(secret) if secret.is_empty() => SecretFault::Empty,
            Ok(secret) => return Ok(secret.into()),
            Err(VarError::NotPresent) => SecretFault::Unset,
            Err(VarError::NotUnicode(_)) => SecretFault::NotUnicode,
        };
        Err(MissingSecret { variable: self.variable.clone(), key: self.key.clone(), fault })
    }
}

/// Whether `name` is a conventional variable name. Only capitals are allowed, so that a secret put here by mistake is most
/// likely recognised and not printed.
pub(super) fn is_variable_name(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    name.bytes().all(inner) && !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit())
}

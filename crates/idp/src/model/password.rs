//! Passwords and their hashes.

use std::fmt;

/// A plaintext password. Wiped from memory when dropped; not printed by `Debug`.
pub type Password = secrecy::SecretString;

/// Gives access to the text of a [`Password`].
#[doc(no_inline)]
pub use secrecy::ExposeSecret;

/// A password hash as a PHC string. Not printed by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

/// The error of [`PasswordHash::from_phc`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a password hash in PHC form")]
pub struct InvalidPasswordHash;

impl PasswordHash {
    /// A hash in PHC form, from a store or from another program.
    ///
    /// # Errors
    ///
    /// [`InvalidPasswordHash`] if `phc` is not a PHC string.
    pub fn from_phc(phc: impl Into<String>) -> Result<Self, InvalidPasswordHash> {
        let phc = phc.into();
        match argon2::PasswordHash::new(&phc) {
            Ok(_) => Ok(Self(phc)),
            Err(_) => Err(InvalidPasswordHash),
        }
    }

    /// The PHC string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash([REDACTED])")
    }
}

impl From<argon2::PasswordHash> for PasswordHash {
    fn from(hash: argon2::PasswordHash) -> Self {
        Self(hash.to_string())
    }
}

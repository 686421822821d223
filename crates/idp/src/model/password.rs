//! Passwords and their hashes.

use std::fmt;

/// A plaintext password. Wiped from memory when dropped; not printed by `Debug`.
pub type Password = secrecy::SecretString;

/// Gives access to the text of a [`Password`].
#[doc(no_inline)]
pub use secrecy::ExposeSecret;

/// A password hash: a PHC string, or a bcrypt hash (`$2b$12$…`). Not printed by `Debug`.
///
/// Well-formed, but not necessarily of a kind and cost that sign-in verifies: an import checks that.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

/// The error of [`PasswordHash::from_phc`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("neither a PHC string nor a bcrypt hash")]
pub struct InvalidPasswordHash;

impl PasswordHash {
    /// A hash in PHC form or of bcrypt, from a store or from another program.
    ///
    /// # Errors
    ///
    /// [`InvalidPasswordHash`] if `phc` is neither.
    pub fn from_phc(phc: impl Into<String>) -> Result<Self, InvalidPasswordHash> {
        let phc = phc.into();
        let well_formed = argon2::PasswordHash::new(&phc).is_ok() || phc.parse::<bcrypt::HashParts>().is_ok();
        if well_formed { Ok(Self(phc)) } else { Err(InvalidPasswordHash) }
    }

    /// The text of the hash.
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

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
#[non_exhaustive]
pub enum InvalidPasswordHash {
    /// Base64 with padding, which PHC strings do not have.
    #[error("a PHC string has base64 without padding: leave out the = at the end of salt and hash")]
    Padded,
    /// The form of Python's passlib.
    #[error("passlib's form of PBKDF2: write $pbkdf2-…$i=29000$… with the number of rounds, and + for . in the base64")]
    Passlib,
    /// The form of Django.
    #[error(
        "Django's form of PBKDF2: write $pbkdf2-sha256$i=ROUNDS$SALT$HASH, with salt and hash in base64 without padding"
    )]
    Django,
    /// None of these.
    #[error("neither a PHC string nor a bcrypt hash")]
    Unknown,
}

impl InvalidPasswordHash {
    /// The likely mistake in a hash that is not well-formed.
    fn of(text: &str) -> Self {
        let mut parts = text.split('$');
        match (parts.next(), parts.next(), parts.next()) {
            (Some("pbkdf2_sha256" | "pbkdf2_sha512"), ..) => Self::Django,
            (Some(""), Some("pbkdf2-sha256" | "pbkdf2-sha512"), Some(rounds))
                if !rounds.is_empty() && rounds.bytes().all(|byte| byte.is_ascii_digit()) =>
            {
                Self::Passlib
            }
            (Some(""), Some(_), Some(_)) if text.rsplit('$').take(2).any(|part| part.ends_with('=')) => Self::Padded,
            _ => Self::Unknown,
        }
    }
}

impl PasswordHash {
    /// A hash in PHC form or of bcrypt, from a store or from another program.
    ///
    /// # Errors
    ///
    /// [`InvalidPasswordHash`] if `phc` is neither.
    pub fn from_phc(phc: impl Into<String>) -> Result<Self, InvalidPasswordHash> {
        let phc = phc.into();
        let well_formed = argon2::PasswordHash::new(&phc).is_ok() || phc.parse::<bcrypt::HashParts>().is_ok();
        if well_formed { Ok(Self(phc)) } else { Err(InvalidPasswordHash::of(&phc)) }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_phc_names_the_likely_mistake() {
        for (text, expected) in [
            ("$scrypt$ln=14,r=8,p=1$c29kaXVtIGNobG9yaWRlIQ==$bmFjbG5hY2xuYWNsbmFjbA==", InvalidPasswordHash::Padded),
            (
                "$pbkdf2-sha256$29000$N2YMIWQsBWBMae09x1jrPQ$1t8iyB2A.WF/Z5JZv.lfCIhXXN33N23OSgQYThBYRfk",
                InvalidPasswordHash::Passlib,
            ),
            ("pbkdf2_sha256$720000$salt$eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHg=", InvalidPasswordHash::Django),
            ("hunter2=", InvalidPasswordHash::Unknown),
            ("", InvalidPasswordHash::Unknown),
        ] {
            assert_eq!(PasswordHash::from_phc(text), Err(expected), "{text}");
        }
    }
}

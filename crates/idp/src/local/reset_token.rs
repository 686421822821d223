//! The token of a reset link.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::model::{IdpError, internal};
use crate::random;
use crate::store::TokenHash;

/// The length of a token in bytes. 256 random bits cannot be guessed, so that a plain SHA-256 protects them as well as a slow
/// hash would.
const TOKEN_BYTES: usize = 32;
/// The length of a token as text.
const TOKEN_CHARS: usize = 43;

/// The secret of a reset link. Wiped when dropped, not printed by `Debug`, and never stored: stores receive its SHA-256.
#[derive(Debug, Clone)]
pub struct ResetToken(SecretString);

impl ResetToken {
    pub(super) fn random() -> Result<Self, IdpError> {
        let bytes = Zeroizing::new(random::bytes::<TOKEN_BYTES>().map_err(internal)?);
        Ok(Self(BASE64_URL_SAFE_NO_PAD.encode(bytes.as_slice()).into()))
    }

    /// A token from a request. `None` if the text does not have the form of a token.
    pub fn parse(text: &str) -> Option<Self> {
        let of_the_form = text.len() == TOKEN_CHARS
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        of_the_form.then(|| Self(text.into()))
    }

    /// The token as text, for the link in the mail.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    pub(super) fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.expose().as_bytes()).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_random_parseable_and_not_printed() {
        let (one, two) = (ResetToken::random().unwrap(), ResetToken::random().unwrap());
        assert_ne!(one.expose(), two.expose());
        assert_eq!(ResetToken::parse(one.expose()).unwrap().hash(), one.hash());
        assert!(!format!("{one:?}").contains(one.expose()));
    }

    #[test]
    fn malformed_texts_are_not_tokens() {
        for text in ["", "a", &"a".repeat(42), &"a".repeat(44), &"é".repeat(21), &format!("{}\n", "a".repeat(42))] {
            assert!(ResetToken::parse(text).is_none(), "{text:?}");
        }
    }
}

//! The token of a reset link.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::IdpError;
use super::namespace::internal;
use crate::store::TokenHash;

/// 256 random bits: beyond guessing, so that a plain SHA-256, without salt or cost, keeps them as safe as a slow hash would.
const TOKEN_BYTES: usize = 32;
/// A token's length as text.
const TOKEN_CHARS: usize = 43;

/// The secret of a reset link. Wiped when dropped, not printed by `Debug`, and never stored: stores get its SHA-256.
#[derive(Debug, Clone)]
pub struct ResetToken(SecretString);

impl ResetToken {
    pub(super) fn random() -> Result<Self, IdpError> {
        let mut bytes = zeroize::Zeroizing::new([0; TOKEN_BYTES]);
        getrandom::fill(bytes.as_mut_slice()).map_err(|error| internal(std::io::Error::other(error.to_string())))?;
        Ok(Self(BASE64_URL_SAFE_NO_PAD.encode(bytes).into()))
    }

    /// A token as it came with a request. `None` for what is not even of the form.
    pub fn parse(text: &str) -> Option<Self> {
        let of_the_form = text.len() == TOKEN_CHARS
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        of_the_form.then(|| Self(text.into()))
    }

    /// The token, for the mail and nothing else.
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
    fn a_token_has_the_form_that_is_parsed_and_is_not_printed() {
        let (one, two) = (ResetToken::random().unwrap(), ResetToken::random().unwrap());
        assert_ne!(one.expose(), two.expose());
        assert_eq!(ResetToken::parse(one.expose()).unwrap().hash(), one.hash());
        assert!(!format!("{one:?}").contains(one.expose()));
    }

    #[test]
    fn what_is_not_of_the_form_is_no_token() {
        for text in ["", "a", &"a".repeat(42), &"a".repeat(44), &"é".repeat(21), &format!("{}\n", "a".repeat(42))] {
            assert!(ResetToken::parse(text).is_none(), "{text:?}");
        }
    }
}

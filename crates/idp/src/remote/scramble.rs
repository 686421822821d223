//! Random passwords that nobody knows: the user cannot sign in until a password is set.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::directory::PasswordUpdate;
use crate::model::{IdpError, Password, internal};
use crate::random;

/// A password of 256 random bits, with all the classes of characters that services ask for, no character three times in a row
/// (which some refuse), and shorter than the 72 bytes that bcrypt reads.
pub(super) fn random_password() -> Result<Password, IdpError> {
    loop {
        let bytes: [u8; 32] = random::bytes().map_err(internal)?;
        let password = format!("{}-Aa1", URL_SAFE_NO_PAD.encode(bytes));
        if !has_run(&password) {
            return Ok(password.into());
        }
    }
}

fn has_run(text: &str) -> bool {
    text.as_bytes().windows(3).any(|run| run.iter().all(|byte| *byte == run[0]))
}

/// The password that a change sets: where it clears the password, one that nobody knows.
pub(super) fn password_to_set(update: &PasswordUpdate) -> Result<Option<Cow<'_, Password>>, IdpError> {
    Ok(match update {
        PasswordUpdate::Keep => None,
        PasswordUpdate::Clear => Some(Cow::Owned(random_password()?)),
        PasswordUpdate::Set(password) => Some(Cow::Borrowed(password.expose())),
    })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn random_passwords_have_all_classes_of_characters_and_differ() {
        let (one, two) = (random_password().unwrap(), random_password().unwrap());
        let text = one.expose_secret();
        for class in [char::is_uppercase, char::is_lowercase, char::is_numeric, |char: char| !char.is_alphanumeric()] {
            assert!(text.chars().any(class), "{text}");
        }
        assert!((32..=72).contains(&text.len()), "{text}");
        assert_ne!(text, two.expose_secret());
    }

    #[test]
    fn runs_of_a_character_are_found() {
        assert!(has_run("abbbc"));
        assert!(!has_run("aabbaa"));
    }
}

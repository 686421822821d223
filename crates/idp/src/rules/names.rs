//! Names of users: normalisation and validation.

use email_address::{EmailAddress, Options};
use unicode_normalization::UnicodeNormalization;

use super::NameKind;
use crate::model::IdpError;

/// The maximum length of an e-mail address in characters, as in the identity service behind the platform.
const MAX_EMAIL_CHARS: usize = 254;
/// The maximum length of any other name in characters: enough for employee numbers and handles, short enough for an index.
const MAX_NAME_CHARS: usize = 256;

/// The form in which a name is stored and looked up. Does not check whether the name is allowed.
pub(crate) fn normalize(kind: NameKind, name: &str) -> String {
    match kind {
        NameKind::Email => name.to_lowercase(),
        NameKind::Any => name.nfc().collect(),
    }
}

/// Checks a name for a new or renamed user, and returns its stored form.
pub(crate) fn validate(kind: NameKind, given: &str) -> Result<String, IdpError> {
    let name = normalize(kind, given);
    let max = match kind {
        NameKind::Email => MAX_EMAIL_CHARS,
        NameKind::Any => MAX_NAME_CHARS,
    };
    let length = name.chars().count();
    if length > max {
        return Err(IdpError::invalid_argument(format!("name must be at most {max} characters: got {length}")));
    }
    let allowed = match kind {
        NameKind::Email => is_email(&name),
        NameKind::Any => !name.is_empty() && !name.chars().any(char::is_control),
    };
    if allowed {
        return Ok(name);
    }
    Err(IdpError::invalid_argument(match kind {
        NameKind::Email => format!("name must be an e-mail address: got {given:?}"),
        NameKind::Any if name.is_empty() => "name must not be empty".to_owned(),
        NameKind::Any => format!("name must not contain control characters: got {given:?}"),
    }))
}

fn is_email(name: &str) -> bool {
    let options = Options::default().without_display_text().without_domain_literal().with_required_tld();
    // The parser accepts spaces and control characters in a quoted local part; mail headers do not.
    !name.chars().any(|c| c.is_whitespace() || c.is_control())
        && EmailAddress::parse_with_options(name, options).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(kind: NameKind, name: &str) -> String {
        validate(kind, name).unwrap_err().detail().to_owned()
    }

    #[test]
    fn email_names_are_lower_cased_and_not_trimmed() {
        assert_eq!(validate(NameKind::Email, "Ana.Ünal@Example.COM").unwrap(), "ana.ünal@example.com");
        assert_eq!(
            refusal(NameKind::Email, " ana@example.com"),
            r#"name must be an e-mail address: got " ana@example.com""#
        );
    }

    #[test]
    fn email_names_reject_everything_else() {
        for name in [
            "",
            "ana",
            "ana@",
            "@example.com",
            "ana@example",
            "ana@exam ple.com",
            "ana@@example.com",
            "Ana <ana@example.com>",
            "ana@[127.0.0.1]",
            "ana@example.com\r\nbcc: x@example.com",
            "\"a b\"@example.com",
        ] {
            assert_eq!(refusal(NameKind::Email, name), format!("name must be an e-mail address: got {:?}", name));
        }
    }

    #[test]
    fn names_are_limited_in_length() {
        // A local part has at most 64 characters, a label of a domain at most 63.
        let email = |label: usize| {
            format!("{}@{}.{}.{}.com", "l".repeat(64), "d".repeat(63), "d".repeat(63), "d".repeat(label))
        };
        assert_eq!(email(57).len(), 254);
        assert!(validate(NameKind::Email, &email(57)).is_ok());
        assert_eq!(refusal(NameKind::Email, &email(58)), "name must be at most 254 characters: got 255");
        assert!(validate(NameKind::Any, &"名".repeat(256)).is_ok());
        assert_eq!(refusal(NameKind::Any, &"名".repeat(257)), "name must be at most 256 characters: got 257");
    }

    #[test]
    fn other_names_keep_case_and_are_nfc_normalised() {
        assert_eq!(validate(NameKind::Any, "Cafe\u{301}").unwrap(), "Caf\u{e9}");
        assert_eq!(refusal(NameKind::Any, ""), "name must not be empty");
        assert_eq!(refusal(NameKind::Any, "a\u{7}b"), r#"name must not contain control characters: got "a\u{7}b""#);
    }
}

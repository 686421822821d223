//! Error messages in the platform's form, as the client's errors have it.

use crate::model::Code;

/// An error that the platform tells callers.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PlatformMessage {
    pub(super) code: Code,
    pub(super) detail: String,
}

impl PlatformMessage {
    /// The error in `<method> failed: code: '<description>', message: "<detail>"`, with or without the method. `None` for any
    /// other text.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (method, rest) = text.split_once("code: '")?;
        if !method.is_empty() && !method.ends_with(" failed: ") {
            return None;
        }
        let (description, rest) = rest.split_once("', message: \"")?;
        let code = Code::from_description(description)?;
        let detail = unquoted(rest.strip_suffix('"')?)?;
        Some(Self { code, detail })
    }
}

/// The text that Rust's `Debug` quotes in this way.
fn unquoted(quoted: &str) -> Option<String> {
    let mut text = String::with_capacity(quoted.len());
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        text.push(match character {
            '"' => return None,
            '\\' => match characters.next()? {
                escaped @ ('"' | '\'' | '\\') => escaped,
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                '0' => '\0',
                'u' => {
                    let (hex, rest) = characters.as_str().strip_prefix('{')?.split_once('}')?;
                    characters = rest.chars();
                    char::from_u32(u32::from_str_radix(hex, 16).ok()?)?
                }
                _ => return None,
            },
            character => character,
        });
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::IdpError;

    #[test]
    fn platform_messages_have_code_and_detail() {
        let parsed = PlatformMessage::parse(
            r#"deleteUser failed: code: 'Some requested entity was not found', message: "user not found: \"a\\b\"""#,
        );
        assert_eq!(
            parsed.unwrap(),
            PlatformMessage { code: Code::NotFound, detail: r#"user not found: "a\b""#.into() }
        );
        let parsed = PlatformMessage::parse(
            r#"code: 'The system is not in a state required for the operation's execution', message: "MFA is off""#,
        );
        assert_eq!(parsed.unwrap().code, Code::FailedPrecondition);
    }

    #[test]
    fn other_messages_have_no_code() {
        for text in [
            "",
            "user not found",
            "deleteUser failed: code: 'Not found', message: \"user not found\"",
            "deleteUser failed: code: 'Internal error', message: \"a\" b\"",
            "deleteUser failed: code: 'Internal error', message: \"a",
            "deleteUser failed: code: 'Internal error', message: \"\\x\"",
            "deleteUser failed: code: 'Internal error', message: \"\\u{110000}\"",
            "at line 1: code: 'Internal error', message: \"a\"",
        ] {
            assert_eq!(PlatformMessage::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn messages_of_the_clients_errors_are_read_back(detail in any::<String>()) {
            let message = IdpError::new(Code::FailedPrecondition, &*detail).message("updateUser");
            prop_assert_eq!(PlatformMessage::parse(&message), Some(PlatformMessage { code: Code::FailedPrecondition, detail }));
        }
    }
}

//! Text in mail headers.
//!
//! The input is arbitrary text. The output is ASCII without line breaks other than folding, so that it can neither add nor end a
//! header.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// The number of bytes in an encoded word, which has at most 75 characters (RFC 2047, section 2): `=?utf-8?B?`, base64, `?=`.
const WORD_BYTES: usize = 45;

/// One line without invisible characters: control characters, all line breaks of Unicode, and bidirectional marks, which could make
/// one sender look like another.
pub(super) fn one_line(text: &str) -> String {
    let invisible = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let text: String = text.chars().map(|c| if invisible(c) { ' ' } else { c }).collect();
    text.trim().to_owned()
}

/// Unstructured text, such as a subject.
pub(super) fn unstructured(text: &str) -> String {
    let text = one_line(text);
    if is_plain(&text) { text } else { encoded_words(&text) }
}

/// A mailbox with a display name.
pub(super) fn mailbox(name: &str, address: &str) -> String {
    let name = one_line(name);
    if name.is_empty() {
        return address.to_owned();
    }
    if !is_plain(&name) {
        return format!("{}\r\n <{address}>", encoded_words(&name));
    }
    // Quoted, since a name may contain a comma or an angle bracket (RFC 5322, section 3.2.4).
    format!("\"{}\" <{address}>", name.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Whether the text needs no encoding: short ASCII text that does not look encoded.
fn is_plain(text: &str) -> bool {
    /// Leaves room for the header name and an address in the recommended 78 characters of a line.
    const MAX_PLAIN: usize = 60;
    text.is_ascii() && text.len() <= MAX_PLAIN && !text.contains("=?")
}

/// Encoded words (RFC 2047), one per line, each of whole characters.
fn encoded_words(text: &str) -> String {
    let mut words = vec![String::new()];
    for c in text.chars() {
        match words.last_mut() {
            Some(word) if word.len() + c.len_utf8() <= WORD_BYTES => word.push(c),
            _ => words.push(c.into()),
        }
    }
    let words: Vec<_> = words.iter().map(|word| format!("=?utf-8?B?{}?=", BASE64_STANDARD.encode(word))).collect();
    words.join("\r\n ")
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn plain_text_is_not_encoded_and_names_are_quoted() {
        assert_eq!(unstructured("Your new password"), "Your new password");
        assert_eq!(mailbox("Example, \"Ltd\" \\", "a@example.com"), r#""Example, \"Ltd\" \\" <a@example.com>"#);
        assert_eq!(mailbox("", "a@example.com"), "a@example.com");
    }

    #[test]
    fn other_text_becomes_encoded_words_of_whole_characters() {
        assert_eq!(unstructured("日本語"), "=?utf-8?B?5pel5pys6Kqe?=");
        let long = unstructured(&"✉🦀".repeat(100));
        let mut decoded = String::new();
        for word in long.split("\r\n ") {
            assert!(word.len() <= 75, "{word}");
            let base64 = word.strip_prefix("=?utf-8?B?").unwrap().strip_suffix("?=").unwrap();
            decoded += std::str::from_utf8(&BASE64_STANDARD.decode(base64).unwrap()).unwrap();
        }
        assert_eq!(decoded, "✉🦀".repeat(100));
    }

    #[test]
    fn text_that_looks_encoded_is_encoded() {
        assert_eq!(unstructured("=?utf-8?Q?=0D=0ABcc:_x?="), "=?utf-8?B?PT91dGYtOD9RPz0wRD0wQUJjYzpfeD89?=");
    }

    #[test]
    fn line_breaks_are_removed() {
        let evil = "a\r\nBcc: x\nb\rc\0d\u{b}e\u{c}f\u{85}g\u{2028}h\u{2029}i\u{202e}j";
        assert_eq!(one_line(evil), "a  Bcc: x b c d e f g h i j");
    }
}

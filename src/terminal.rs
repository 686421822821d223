//! Escaping of text for terminals.

use std::borrow::Cow;
use std::fmt::Write;

/// Characters that text of several lines keeps.
pub const LAYOUT: &[char] = &['\n', '\t'];

/// Escapes the characters with which a text could control a terminal, or look like another text, except for those of `keep`: the
/// control characters C0, DEL and C1, and the embeddings, overrides and isolates of bidirectional text.
///
/// A sequence such as OSC 52 sets the clipboard. C1 characters start sequences as ESC does.
pub fn escape<'t>(text: &'t str, keep: &[char]) -> Cow<'t, str> {
    escape_with(text, keep, |escaped, character| escaped.extend(character.escape_unicode()))
}

/// Escapes in a JSON text, so that the JSON means the same.
pub fn escape_json(json: &str) -> Cow<'_, str> {
    escape_with(json, LAYOUT, |escaped, character| {
        // None of these characters is beyond the basic plane. Writing to a `String` does not fail.
        let _ = write!(escaped, "\\u{:04x}", u32::from(character));
    })
}

fn escape_with<'t>(text: &'t str, keep: &[char], push_escaped: impl Fn(&mut String, char)) -> Cow<'t, str> {
    let is_escaped = |character: char| controls_display(character) && !keep.contains(&character);
    if !text.contains(is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if is_escaped(character) { push_escaped(&mut escaped, character) } else { escaped.push(character) }
    }
    Cow::Owned(escaped)
}

fn controls_display(character: char) -> bool {
    character.is_control() || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_covers_control_and_bidi_characters_and_keeps_layout() {
        let text = "a\u{1b}]52;c;aGk=\u{7}\r\u{7f}\u{9b}2J\u{202e}\u{2067}\n\tü名😀\u{200f}";
        let escaped = "a\\u{1b}]52;c;aGk=\\u{7}\\u{d}\\u{7f}\\u{9b}2J\\u{202e}\\u{2067}\n\tü名😀\u{200f}";
        assert_eq!(escape(text, LAYOUT), escaped);
        assert_eq!(escape("a\n\tb", &[]), "a\\u{a}\\u{9}b");
        assert!(matches!(escape("plain\n", LAYOUT), Cow::Borrowed(_)));
    }

    #[test]
    fn escaped_json_has_the_same_value() {
        let value = serde_json::json!({ "\u{9b}": ["\u{202e}\u{7f}\u{1b}\n", 1.5] });
        let json = serde_json::to_string_pretty(&value).unwrap();
        let escaped = escape_json(&json);
        assert!(!escaped.contains(|c| controls_display(c) && c != '\n'), "{escaped}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&escaped).unwrap(), value);
    }
}

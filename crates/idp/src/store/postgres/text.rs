//! Texts in columns: PostgreSQL's `text` holds every character but NUL.

use std::borrow::Cow;

/// Begins an escape. Occurs in no name that a person types.
const ESCAPE: char = '\u{1}';

/// The text as it is stored. Different texts are stored differently, so that the server can compare them.
pub(super) fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', ESCAPE]) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\0' => escaped.extend([ESCAPE, '0']),
            ESCAPE => escaped.extend([ESCAPE, '1']),
            other => escaped.push(other),
        }
    }
    Cow::Owned(escaped)
}

/// The text that was stored.
pub(super) fn unescape(stored: String) -> String {
    if !stored.contains(ESCAPE) {
        return stored;
    }
    let mut text = String::with_capacity(stored.len());
    let mut rest = stored.chars();
    while let Some(character) = rest.next() {
        match character {
            ESCAPE => text.push(if rest.next() == Some('0') { '\0' } else { ESCAPE }),
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_texts_have_no_nul_and_are_different_for_different_texts() {
        let texts = ["", "ana", "\0", "\u{1}", "\u{1}0", "\u{1}1", "\0\u{1}", "0", "a\0b", "\u{1}\0"];
        let escaped: std::collections::HashSet<_> = texts.iter().map(|text| escape(text)).collect();
        assert_eq!(escaped.len(), texts.len());
        for text in texts {
            assert!(!escape(text).contains('\0'));
            assert_eq!(unescape(escape(text).into_owned()), text);
        }
    }
}

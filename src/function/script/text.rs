//! Positions in source text. V8 and source maps count columns in UTF-16 code units; Rust strings are UTF-8.

use serde::{Deserialize, Serialize};

/// Location in a source file, as stack traces show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SourceLocation {
    /// URL of the file.
    pub(crate) file: String,
    /// 1-based.
    pub(crate) line: usize,
    /// 1-based, in UTF-16 code units.
    pub(crate) column: usize,
}

/// Lines of a text without their terminators, with the byte offset of each. Terminators are those of ECMAScript.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut next = Some(0);
    std::iter::from_fn(move || {
        let start = next?;
        let rest = &text[start..];
        let Some(end) = rest.find(['\n', '\r', '\u{2028}', '\u{2029}']) else {
            next = None;
            return Some((start, rest));
        };
        let terminator_len = if rest[end..].starts_with("\r\n") { 2 } else { rest[end..].chars().next()?.len_utf8() };
        next = Some(start + end + terminator_len);
        Some((start, &rest[..end]))
    })
}

/// Line and column of a byte offset, both 1-based.
pub(crate) fn position(text: &str, offset: usize) -> (usize, usize) {
    let (number, (start, line)) =
        lines(text).enumerate().take_while(|(_, (start, _))| *start <= offset).last().unwrap_or((0, (0, text)));
    let mut within = (offset - start).min(line.len());
    while !line.is_char_boundary(within) {
        within -= 1;
    }
    (number + 1, line[..within].encode_utf16().count() + 1)
}

/// Byte offset of a 1-based column in a line. A column past the end yields the end.
pub(crate) fn byte_offset(line: &str, column: usize) -> usize {
    let mut units = 1;
    for (offset, char) in line.char_indices() {
        units += char.len_utf16();
        // `>`: a column can point into the middle of a surrogate pair.
        if units > column {
            return offset;
        }
    }
    line.len()
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    const TEXT: &str = "a\r\n😀é x\n\u{2028}last";

    #[test]
    fn lines_splits_at_ecmascript_line_terminators() {
        let found: Vec<_> = lines(TEXT).map(|(_, line)| line).collect();
        assert_eq!(found, ["a", "😀é x", "", "last"]);
        assert_eq!(lines("").collect::<Vec<_>>(), [(0, "")]);
    }

    #[test]
    fn position_and_byte_offset_count_utf_16_code_units() {
        let offset = TEXT.find('x').unwrap_or_default();
        assert_eq!(position(TEXT, offset), (2, 5));
        assert_eq!(byte_offset("😀é x", 5), "😀é ".len());
        assert_eq!(byte_offset("😀é x", 2), 0);
        assert_eq!(byte_offset("😀é x", 99), "😀é x".len());
        assert_eq!(position(TEXT, TEXT.len()), (4, 5));
    }
}

//! Places in a text. V8 and source maps count columns in UTF-16 units; Rust's strings are UTF-8.

/// A place in a file, as stacks show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The file's URL.
    pub(crate) file: String,
    /// From 1.
    pub(crate) line: usize,
    /// From 1, in UTF-16 units.
    pub(crate) column: usize,
}

/// The lines of a text, without their ends, with the byte offset of each. They end where ECMAScript has them end.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut next = Some(0);
    std::iter::from_fn(move || {
        let start = next?;
        let rest = &text[start..];
        let Some(end) = rest.find(['\n', '\r', '\u{2028}', '\u{2029}']) else {
            next = None;
            return Some((start, rest));
        };
        let ends_with = if rest[end..].starts_with("\r\n") { 2 } else { rest[end..].chars().next()?.len_utf8() };
        next = Some(start + end + ends_with);
        Some((start, &rest[..end]))
    })
}

/// Line and column of a byte offset, both from 1.
pub(crate) fn position(text: &str, offset: usize) -> (usize, usize) {
    let (number, (start, line)) =
        lines(text).enumerate().take_while(|(_, (start, _))| *start <= offset).last().unwrap_or((0, (0, text)));
    let mut within = (offset - start).min(line.len());
    while !line.is_char_boundary(within) {
        within -= 1;
    }
    (number + 1, line[..within].encode_utf16().count() + 1)
}

/// The byte offset of a column, from 1, in a line. A column past the end is the end.
pub(crate) fn byte_offset(line: &str, column: usize) -> usize {
    let mut units = 1;
    for (offset, char) in line.char_indices() {
        units += char.len_utf16();
        // Also where the column points into the middle of a surrogate pair.
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
    fn lines_end_where_the_language_has_them_end() {
        let found: Vec<_> = lines(TEXT).map(|(_, line)| line).collect();
        assert_eq!(found, ["a", "😀é x", "", "last"]);
        assert_eq!(lines("").collect::<Vec<_>>(), [(0, "")]);
    }

    #[test]
    fn columns_count_utf_16_units() {
        let offset = TEXT.find('x').unwrap_or_default();
        assert_eq!(position(TEXT, offset), (2, 5));
        assert_eq!(byte_offset("😀é x", 5), "😀é ".len());
        assert_eq!(byte_offset("😀é x", 2), 0);
        assert_eq!(byte_offset("😀é x", 99), "😀é x".len());
        assert_eq!(position(TEXT, TEXT.len()), (4, 5));
    }
}

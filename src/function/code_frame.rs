//! Source excerpts around the location of an error.

use std::fmt;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::{Deserialize, Serialize};

use super::script::{SourceLocation, byte_offset, lines};

/// Longest excerpt of a line, in characters. A bundle can be a single line.
const MAX_LINE_CHARS: usize = 120;

/// Longest frame that a worker process can send, in bytes: two lines, and a long URL.
const MAX_BYTES: usize = 64 * 1024;

/// Excerpt of the author's source with a caret under the location of an error.
///
/// The `Display` implementation prints, for example:
///
/// ```text
///   |
/// 1 | export default () => {
/// 2 |   throw new Error("no");
///   |         ^
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeFrame(Box<Excerpt>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Excerpt {
    location: SourceLocation,
    /// Shown lines, each truncated to [`MAX_LINE_CHARS`].
    text: String,
    /// 1-based number of the first shown line.
    first_line: usize,
    /// Byte offset in `text` of the character above the caret.
    caret: usize,
}

impl CodeFrame {
    /// Excerpt of `source` at a location. None if the source has no such line.
    pub(super) fn new(location: SourceLocation, source: &str) -> Option<Self> {
        let index_of_line = location.line.checked_sub(1)?;
        let mut before = None;
        let mut found = None;
        for (index, (_, line)) in lines(source).enumerate() {
            if index + 1 == index_of_line {
                before = Some(line);
            }
            if index == index_of_line {
                found = Some(line);
                break;
            }
        }
        let line = found?;
        let (shown, caret) = excerpt_around(line, byte_offset(line, location.column));
        // The line before is context only if the line itself is shown in full.
        let before = before.filter(|before| shown.len() == line.len() && !before.trim().is_empty());
        let mut text = before.map(|before| excerpt_around(before, 0).0 + "\n").unwrap_or_default();
        let first_line = location.line - usize::from(before.is_some());
        let caret = text.len() + caret;
        text.push_str(&shown);
        // A caret past the end of the line needs a character above it.
        if caret == text.len() {
            text.push(' ');
        }
        Some(Self(Box::new(Excerpt { location, text, first_line, caret })))
    }

    /// Whether the parts of a frame from a worker process fit together, as in one that [`Self::new`] returns.
    pub(super) fn is_valid(&self) -> bool {
        let Excerpt { location, text, caret, .. } = &*self.0;
        let is_short = text.len() + location.file.len() <= MAX_BYTES && text.lines().count() <= 2;
        is_short && *caret < text.len() && text.is_char_boundary(*caret)
    }

    /// URL of the file.
    pub fn file(&self) -> &str {
        &self.0.location.file
    }

    /// Line, 1-based.
    pub fn line(&self) -> usize {
        self.0.location.line
    }

    /// Column, 1-based, in UTF-16 code units as in stack traces.
    pub fn column(&self) -> usize {
        self.0.location.column
    }

    /// The excerpt with ANSI colours, for a terminal.
    pub fn coloured(&self) -> String {
        self.render(&Renderer::styled())
    }

    fn render(&self, renderer: &Renderer) -> String {
        let Excerpt { text, first_line, caret, .. } = &*self.0;
        let end = text[*caret..].chars().next().map_or(0, char::len_utf8);
        let caret = AnnotationKind::Primary.span(*caret..caret + end);
        let source = Snippet::source(&**text).line_start(*first_line).fold(false).annotation(caret);
        renderer.render(&[Group::with_level(Level::ERROR).element(source)])
    }
}

impl fmt::Display for CodeFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(&Renderer::plain()))
    }
}

/// Excerpt of a line around a byte offset, and the offset in the excerpt.
fn excerpt_around(line: &str, byte: usize) -> (String, usize) {
    let back =
        |from: usize, chars: usize| line[..from].char_indices().rev().nth(chars).map(|(at, c)| at + c.len_utf8());
    let start = if line.chars().count() <= MAX_LINE_CHARS { None } else { back(byte, MAX_LINE_CHARS / 2) };
    let rest = &line[start.unwrap_or_default()..];
    let end = rest.char_indices().nth(MAX_LINE_CHARS).map(|(end, _)| end);
    let ellipsis = |is_cut: bool| if is_cut { "…" } else { "" };
    let shown =
        format!("{}{}{}", ellipsis(start.is_some()), &rest[..end.unwrap_or(rest.len())], ellipsis(end.is_some()));
    (shown, byte - start.unwrap_or_default() + ellipsis(start.is_some()).len())
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    fn frame(source: &str, line: usize, column: usize) -> Option<String> {
        let location = SourceLocation { file: "file:///main.js".to_owned(), line, column };
        CodeFrame::new(location, source).map(|frame| frame.to_string())
    }

    #[test]
    fn caret_is_under_the_column_after_tabs_and_wide_characters() {
        assert_eq!(
            frame("const a = 1;\n\tconst 名 = '😀'; x();\n", 2, 18).as_deref(),
            Some("  |\n1 | const a = 1;\n2 |     const 名 = '😀'; x();\n  |                      ^")
        );
    }

    #[test]
    fn long_line_is_truncated_around_the_column() {
        let line = format!("{}throw x;{}", "a".repeat(500_000), "b".repeat(500_000));
        let frame = frame(&line, 1, 500_001).unwrap();
        assert!(frame.contains("aaathrow x;bbb") && frame.chars().count() < 400, "{frame}");
        let lines: Vec<_> = frame.lines().collect();
        assert_eq!(lines[1].chars().position(|c| c == 't'), lines[2].chars().position(|c| c == '^'));
    }

    #[test]
    fn control_characters_are_not_printed() {
        let frame = frame("x = '\u{1b}[2J\u{7}\u{202e}'; y", 1, 12).unwrap();
        assert!(!frame.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{frame:?}");
    }

    #[test]
    fn location_outside_of_the_source_yields_end_of_line_or_none() {
        assert_eq!(frame("a\nb", 3, 1), None);
        assert_eq!(frame("a\nb", 0, 0), None);
        assert_eq!(frame("", 1, 9).map(|frame| frame.contains("1 |")), Some(true));
        assert_eq!(frame("a\nb", 2, 9).map(|frame| frame.contains("2 | b")), Some(true));
    }
}

//! The lines of a script around the place of an error.

use std::fmt;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::script::{Place, byte_offset, lines};

/// The most characters of a line that are shown. A bundle can be one line.
const MAX_CHARS: usize = 120;

/// Where in the author's source something is, and the lines around it.
///
/// Prints as
///
/// ```text
///   |
/// 1 | export default () => {
/// 2 |   throw new Error("no");
///   |         ^
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeFrame(Box<Excerpt>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Excerpt {
    place: Place,
    /// The lines that are shown, each cut where it is long.
    text: String,
    first_line: usize,
    /// The byte in `text` under which the caret is.
    caret: usize,
}

impl CodeFrame {
    /// None where the source has no such line.
    pub(super) fn new(place: Place, source: &str) -> Option<Self> {
        let number = place.line.checked_sub(1)?;
        let mut before = None;
        let mut found = None;
        for (index, (_, line)) in lines(source).enumerate() {
            if index + 1 == number {
                before = Some(line);
            }
            if index == number {
                found = Some(line);
                break;
            }
        }
        let line = found?;
        let (shown, caret) = around(line, byte_offset(line, place.column));
        // A line before says more where the line itself is all there.
        let before = before.filter(|before| shown.len() == line.len() && !before.trim().is_empty());
        let mut text = before.map(|before| around(before, 0).0 + "\n").unwrap_or_default();
        let first_line = place.line - usize::from(before.is_some());
        let caret = text.len() + caret;
        text.push_str(&shown);
        // Past the end of the line there is something to point at as well.
        if caret == text.len() {
            text.push(' ');
        }
        Some(Self(Box::new(Excerpt { place, text, first_line, caret })))
    }

    /// The URL of the file.
    pub fn file(&self) -> &str {
        &self.0.place.file
    }

    /// The line, from 1.
    pub fn line(&self) -> usize {
        self.0.place.line
    }

    /// The column, from 1, in UTF-16 units, as in stacks.
    pub fn column(&self) -> usize {
        self.0.place.column
    }

    /// With colours for a terminal.
    pub fn coloured(&self) -> String {
        self.draw(&Renderer::styled())
    }

    fn draw(&self, renderer: &Renderer) -> String {
        let Excerpt { text, first_line, caret, .. } = &*self.0;
        let end = text[*caret..].chars().next().map_or(0, char::len_utf8);
        let caret = AnnotationKind::Primary.span(*caret..caret + end);
        let source = Snippet::source(&**text).line_start(*first_line).fold(false).annotation(caret);
        renderer.render(&[Group::with_level(Level::ERROR).element(source)])
    }
}

impl fmt::Display for CodeFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.draw(&Renderer::plain()))
    }
}

/// The part of a line around a byte, and where the byte is in it.
fn around(line: &str, byte: usize) -> (String, usize) {
    let back =
        |from: usize, chars: usize| line[..from].char_indices().rev().nth(chars).map(|(at, c)| at + c.len_utf8());
    let start = if line.chars().count() <= MAX_CHARS { None } else { back(byte, MAX_CHARS / 2) };
    let rest = &line[start.unwrap_or_default()..];
    let end = rest.char_indices().nth(MAX_CHARS).map(|(end, _)| end);
    let cut = |is_cut: bool| if is_cut { "…" } else { "" };
    let shown = format!("{}{}{}", cut(start.is_some()), &rest[..end.unwrap_or(rest.len())], cut(end.is_some()));
    (shown, byte - start.unwrap_or_default() + cut(start.is_some()).len())
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    fn frame(source: &str, line: usize, column: usize) -> Option<String> {
        let place = Place { file: "file:///main.js".to_owned(), line, column };
        CodeFrame::new(place, source).map(|frame| frame.to_string())
    }

    #[test]
    fn the_caret_is_under_the_column_whatever_is_before_it() {
        assert_eq!(
            frame("const a = 1;\n\tconst 名 = '😀'; x();\n", 2, 18).as_deref(),
            Some("  |\n1 | const a = 1;\n2 |     const 名 = '😀'; x();\n  |                      ^")
        );
    }

    #[test]
    fn a_long_line_is_cut_around_the_column() {
        let line = format!("{}throw x;{}", "a".repeat(500_000), "b".repeat(500_000));
        let frame = frame(&line, 1, 500_001).unwrap();
        assert!(frame.contains("aaathrow x;bbb") && frame.chars().count() < 400, "{frame}");
        let lines: Vec<_> = frame.lines().collect();
        assert_eq!(lines[1].chars().position(|c| c == 't'), lines[2].chars().position(|c| c == '^'));
    }

    #[test]
    fn what_a_terminal_would_obey_is_not_printed() {
        let frame = frame("x = '\u{1b}[2J\u{7}\u{202e}'; y", 1, 12).unwrap();
        assert!(!frame.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{frame:?}");
    }

    #[test]
    fn a_place_outside_of_the_source_has_a_frame_at_the_end_of_the_line_or_none() {
        assert_eq!(frame("a\nb", 3, 1), None);
        assert_eq!(frame("a\nb", 0, 0), None);
        assert_eq!(frame("", 1, 9).map(|frame| frame.contains("1 |")), Some(true));
        assert_eq!(frame("a\nb", 2, 9).map(|frame| frame.contains("2 | b")), Some(true));
    }
}

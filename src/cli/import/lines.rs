//! Reads and parses the lines of a file of users.

use std::borrow::Cow;
use std::io::{self, BufRead, Read};

use serde::Deserialize;
use tailor_idp::idp::{ImportPassword, ImportUser, PasswordHash, Timestamp};

/// Maximum bytes of a line. A name of 256 escaped characters takes 3 KiB, a hash a few hundred bytes, a password of 4096
/// characters up to 48 KiB.
pub(super) const MAX_LINE: usize = 64 * 1024;

/// Bytes of a [`Block`], without the rest of its last line. Large enough to amortise handing it to a thread.
const BLOCK_BYTES: u64 = 1024 * 1024;

/// The UTF-8 form of the mark that editors on Windows put at the beginning of a file.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A run of complete lines of a file.
#[derive(Default)]
pub(super) struct Block {
    text: Vec<u8>,
    /// Offset of the next line in `text`.
    at: usize,
    /// Number of the next line, from 1.
    line: u64,
    /// Offset in the file of the end of the block.
    pub(super) position: u64,
}

impl Block {
    /// Returns the next line that is not blank, with its number. A line that is too long is truncated, but still longer than
    /// [`MAX_LINE`].
    pub(super) fn next(&mut self) -> Option<(u64, &[u8])> {
        while self.at < self.text.len() {
            let start = self.at;
            let length = self.text[start..].iter().position(|byte| *byte == b'\n');
            let end = length.map_or(self.text.len(), |length| start + length);
            let number = self.line;
            (self.at, self.line) = (end + 1, number + 1);
            if !self.text[start..end].trim_ascii().is_empty() {
                return Some((number, self.text[start..end].trim_ascii()));
            }
        }
        None
    }
}

/// Reads a file in blocks.
pub(super) struct Blocks<R> {
    input: R,
    lines: u64,
    position: u64,
}

impl<R: BufRead> Blocks<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, lines: 0, position: 0 }
    }

    pub(super) fn next(&mut self) -> io::Result<Option<Block>> {
        let mut text = Vec::new();
        self.input.by_ref().take(BLOCK_BYTES).read_to_end(&mut text)?;
        if text.is_empty() {
            return Ok(None);
        }
        let mut unread = 0;
        if !text.ends_with(b"\n") {
            self.input.by_ref().take(MAX_LINE as u64 + 1).read_until(b'\n', &mut text)?;
            if !text.ends_with(b"\n") {
                unread = self.input.skip_until(b'\n')?;
            }
        }
        let is_marked = self.position == 0 && text.starts_with(BYTE_ORDER_MARK);
        let at = if is_marked { BYTE_ORDER_MARK.len() } else { 0 };
        let line = self.lines + 1;
        let whole = text.iter().filter(|byte| **byte == b'\n').count();
        self.lines += whole as u64 + u64::from(!text.ends_with(b"\n"));
        self.position += (text.len() + unread) as u64;
        Ok(Some(Block { text, at, line, position: self.position }))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Line<'a> {
    // Borrowed unless it has escapes.
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    password: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    password_hash: Option<Cow<'a, str>>,
    #[serde(default)]
    disabled: bool,
    #[serde(borrow, default)]
    created_at: Option<Cow<'a, str>>,
}

/// Parses a line. The error is the text of the fault.
pub(super) fn parse(line: &[u8]) -> Result<ImportUser, String> {
    if line.len() > MAX_LINE {
        return Err(format!("a line has at most {MAX_LINE} bytes: this one has more"));
    }
    // serde also accepts an array for a struct.
    if !line.starts_with(b"{") {
        return Err("not a JSON object".to_owned());
    }
    let Line { name, password, password_hash, disabled, created_at } =
        serde_json::from_slice(line).map_err(|error| fault(&error))?;
    let password = match (password, password_hash) {
        (Some(_), Some(_)) => return Err("password and passwordHash exclude each other: give one of them".to_owned()),
        (Some(password), None) => Some(ImportPassword::Plain(password.into_owned().into())),
        (None, Some(hash)) => {
            let hash = PasswordHash::from_phc(hash).map_err(|error| format!("passwordHash: {error}"))?;
            Some(ImportPassword::Hash(hash))
        }
        (None, None) => None,
    };
    let created_at = created_at.map(|time| time.parse::<Timestamp>()).transpose();
    let created_at = created_at.map_err(|error| format!("createdAt: {error}"))?;
    Ok(ImportUser { name: name.into_owned(), password, disabled, created_at })
}

/// Text of a JSON error, with the column but without the line number, which is always 1. Values are left out: one may be a
/// hash under the wrong key.
fn fault(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let text = text.strip_suffix(&place).unwrap_or(&text);
    let values = [
        ("a string", ": string \"", "\", expected "),
        ("a number", ": integer `", "`, expected "),
        ("a number", ": floating point `", "`, expected "),
    ];
    let without = |(kind, begin, end): (&str, &str, &str)| {
        let (what, rest) = text.split_once(begin)?;
        let expected = rest.rsplit_once(end).map_or("something else", |(_, expected)| expected);
        Some(format!("{what}: {kind}, expected {expected}"))
    };
    let text = values.into_iter().find_map(without).unwrap_or_else(|| text.to_owned());
    format!("{text} (column {})", error.column())
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    fn lines(text: &[u8]) -> Vec<(u64, usize)> {
        let mut blocks = Blocks::new(text);
        let (mut lines, mut position) = (Vec::new(), 0);
        while let Some(mut block) = blocks.next().unwrap() {
            position = block.position;
            while let Some((number, line)) = block.next() {
                lines.push((number, line.len()));
            }
        }
        assert_eq!(position, text.len() as u64);
        lines
    }

    #[test]
    fn block_numbers_lines_and_skips_blank_ones() {
        assert_eq!(lines(b"a\n\n  \r\nbb\r\nccc"), [(1, 1), (4, 2), (5, 3)]);
        assert_eq!(lines(b""), []);
    }

    #[test]
    fn blocks_skip_a_byte_order_mark_at_the_beginning_only() {
        assert_eq!(lines(b"\xef\xbb\xbfab\n\xef\xbb\xbfcd"), [(1, 2), (2, 5)]);
        assert_eq!(lines(b"\xef\xbb\xbf"), []);
    }

    #[test]
    fn blocks_do_not_split_lines() {
        let long = "x".repeat(1000);
        let text = format!("{long}\n").repeat(3000);
        let expected: Vec<_> = (1..=3000).map(|number| (number, 1000)).collect();
        assert_eq!(lines(text.as_bytes()), expected);
    }

    #[test]
    fn blocks_truncate_overlong_lines() {
        let text = format!("a\n{}\nb\n", "x".repeat(3 * BLOCK_BYTES as usize));
        let lines = lines(text.as_bytes());
        assert_eq!(lines.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2, 3]);
        assert!(lines[1].1 > MAX_LINE && lines[1].1 < 2 * BLOCK_BYTES as usize, "{lines:?}");
    }

    #[test]
    fn parse_reports_faults_without_values() {
        let fault = |line: &str| parse(line.as_bytes()).unwrap_err();
        assert_eq!(fault("[\"ana\"]"), "not a JSON object");
        assert_eq!(fault(r#"{"name": "ana""#), "EOF while parsing an object (column 14)");
        assert_eq!(fault("{}"), "missing field `name` (column 2)");
        assert_eq!(
            fault(r#"{"name": "ana", "pass": "x"}"#),
            "unknown field `pass`, expected one of `name`, `password`, `passwordHash`, `disabled`, `createdAt` (column 22)"
        );
        assert_eq!(
            fault(r#"{"name": "ana", "password": "hunter2", "passwordHash": "$2b$"}"#),
            "password and passwordHash exclude each other: give one of them"
        );
        assert_eq!(
            fault(r#"{"name": "ana", "createdAt": "hunter2"}"#),
            "createdAt: not an RFC 3339 time, such as 2025-02-14T07:16:31.590Z"
        );
        assert_eq!(
            fault(r#"{"name": "ana", "disabled": "$argon2id$ \", expected "}"#),
            "invalid type: a string, expected a boolean (column 54)"
        );
        assert_eq!(
            fault(r#"{"name": "ana", "passwordHash": 12345678}"#),
            "invalid type: a number, expected a string (column 40)"
        );
        assert_eq!(
            fault(r#"{"name": "ana", "passwordHash": "hunter2"}"#),
            "passwordHash: neither a PHC string nor a bcrypt hash"
        );
        assert_eq!(fault(&" ".repeat(MAX_LINE + 1)), "a line has at most 65536 bytes: this one has more");
    }
}

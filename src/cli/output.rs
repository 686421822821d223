//! Writing to stdout and stderr. Text that can come from scripts or users is escaped where it reaches a terminal.

use std::borrow::Cow;
use std::io::{ErrorKind, IsTerminal, Write, stderr, stdout};

use comfy_table::{Table, presets};
use tailor_idp::function::{CodeFrame, ExecutionError, Stringified};
use tailor_idp::terminal::{LAYOUT, escape, escape_json};

/// The text as it may be written to a stream.
pub(super) fn printable<'t>(text: &'t str, stream: &impl IsTerminal) -> Cow<'t, str> {
    if stream.is_terminal() { escape(text, LAYOUT) } else { Cow::Borrowed(text) }
}

/// Prints text and a line break to stdout. A closed pipe, as with `head`, is not an error.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    print_line(&printable(text, &stdout()))
}

/// Prints a value as JSON to stdout, with numbers as JavaScript writes them.
pub(super) fn print_json(value: &serde_json::Value) -> anyhow::Result<()> {
    let json = serde_json::to_string_pretty(&Stringified(value))?;
    print_line(&if stdout().is_terminal() { escape_json(&json) } else { Cow::Borrowed(json.as_str()) })
}

fn print_line(text: &str) -> anyhow::Result<()> {
    match writeln!(stdout().lock(), "{text}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// A table without borders. Format it with `trim_fmt`.
pub(super) fn table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table
}

/// Prints `kind: text` to stderr. Write errors are ignored: there is nowhere left to report them.
pub(super) fn note(kind: &str, text: &str) {
    print_error(&format!("{kind}: {text}"));
}

/// Prints text and a line break to stderr.
pub(super) fn print_error(text: &str) {
    print_error_line(&printable(text, &stderr()));
}

/// Prints the error of a script to stderr, with its code frame: in colours on a terminal, unless `NO_COLOR` is set.
pub(super) fn print_execution_error(error: &ExecutionError) {
    let is_terminal = stderr().is_terminal();
    let is_coloured = is_terminal && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty());
    let mut error = error.clone();
    // Code frames contain no control characters of the script.
    for text in [&mut error.name, &mut error.message].into_iter().chain(&mut error.stack_trace) {
        *text = printable(text, &stderr()).into_owned();
    }
    print_error_line(&error.with_code_frame(if is_coloured { CodeFrame::coloured } else { CodeFrame::to_string }));
}

fn print_error_line(text: &str) {
    let _ = writeln!(stderr().lock(), "{text}");
}

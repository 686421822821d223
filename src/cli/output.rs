//! Writing to stdout and stderr.

use std::io::{ErrorKind, Write};

use comfy_table::{Table, presets};
use tailor_idp::function::Stringified;

/// Prints text and a line break to stdout. A closed pipe, as with `head`, is not an error.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    match writeln!(std::io::stdout().lock(), "{text}") {
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

/// Prints a value as JSON to stdout, with numbers as JavaScript writes them.
pub(super) fn print_json(value: &serde_json::Value) -> anyhow::Result<()> {
    print(&serde_json::to_string_pretty(&Stringified(value))?)
}

/// Prints `kind: text` to stderr. Write errors are ignored: there is nowhere left to report them.
pub(super) fn note(kind: &str, text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{kind}: {text}");
}

/// Prints text and a line break to stderr.
pub(super) fn print_error(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

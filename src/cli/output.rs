//! Writing to the terminal, or to whatever stands in its place.

use std::io::{ErrorKind, Write};

use comfy_table::{Table, presets};

/// A line, or several, on stdout. A reader that has gone away, as `head` does, is no failure.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    match writeln!(std::io::stdout().lock(), "{text}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// A table without lines, as a terminal's other programs print them. Its text is `trim_fmt`'s.
pub(super) fn table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table
}

/// A value as JSON on stdout.
pub(super) fn print_json(value: &serde_json::Value) -> anyhow::Result<()> {
    print(&format!("{value:#}"))
}

/// A line on stderr. Where even that cannot be written, nothing can be said.
pub(super) fn note(kind: &str, text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{kind}: {text}");
}

/// Text on stderr, as it is.
pub(super) fn print_error(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

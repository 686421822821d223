//! Files that are named on the command line.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

/// At the beginning of a file, not part of its text.
pub(super) const BYTE_ORDER_MARK: char = '\u{feff}';

/// Opens a file for reading.
pub(super) fn open(path: &Path) -> std::io::Result<File> {
    let file = File::open(path)?;
    // A folder can be opened, and fails when it is read.
    if file.metadata()?.is_dir() { Err(ErrorKind::IsADirectory.into()) } else { Ok(file) }
}

/// Reads a text, without the byte-order mark that editors on Windows put before it.
pub(super) fn read_text(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    open(path)?.read_to_string(&mut text)?;
    if text.starts_with(BYTE_ORDER_MARK) {
        text.remove(0);
    }
    Ok(text)
}

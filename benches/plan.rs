//! Options of a benchmark run.

use std::path::PathBuf;

/// Options that all scenarios share.
pub(crate) struct Plan {
    /// Fewer rounds and no peers: takes a minute instead of a quarter of an hour.
    pub(crate) quick: bool,
    /// Path of the measured program.
    pub(crate) program: PathBuf,
    /// Folder for databases.
    pub(crate) scratch: PathBuf,
}

//! Why a store could not do what it was asked for.

use std::path::PathBuf;

/// A failed store operation. For the host: texts may name paths.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another user of the namespace has the name.
    #[error("another user has that name")]
    NameTaken,

    /// The check that came with the write refused it.
    #[error("the write was refused")]
    Denied,

    /// No consumer of events has the name.
    #[error("there is no consumer of events named {0:?}")]
    NoSuchConsumer(String),

    /// Someone else holds the database's lock for longer than we wait.
    #[error("the database is locked: another program has been writing to it for over {waited_secs} s")]
    Locked {
        /// How long we waited.
        waited_secs: u64,
    },

    /// The file, its folder or its file system takes no writes.
    #[error("the database is read-only: check who may write to the file and its folder")]
    ReadOnly,

    /// No room is left.
    #[error("the database is full: the disk it lives on has no room left")]
    Full,

    /// What is in the file is no longer a sound database.
    #[error("the database is damaged ({0}): restore it from a backup")]
    Corrupt(String),

    /// The file is of some other kind.
    #[error("the file is not a SQLite database")]
    NotADatabase,

    /// The database was made by a later version of this program.
    #[error(
        "the database has schema version {found}, and this program knows versions up to {known}: use a newer program"
    )]
    NewerSchema {
        /// The version of the file.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },

    /// The file cannot be opened at all.
    #[error("cannot open the database: {reason}")]
    CannotOpen {
        /// Where it should be.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },

    /// The store was shut down while the call was under way.
    #[error("the store has been closed")]
    Closed,

    /// Anything else.
    #[error("the database failed: {0}")]
    Other(String),
}

//! Failures of stores.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

/// A failed store operation. For the host: texts may contain paths.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another user of the namespace has the name.
    #[error("another user has that name")]
    NameTaken,

    /// An expectation of the batch does not hold: something has changed since it was read.
    #[error("the data changed since it was read")]
    Conflict,

    /// No consumer of events has the name.
    #[error("there is no consumer of events named {0:?}")]
    NoSuchConsumer(String),

    /// Another program holds the database's lock.
    #[error("the database is locked: another program has been writing to it for over {waited_secs} s")]
    Locked {
        /// The time waited for the lock, in seconds.
        waited_secs: u64,
    },

    /// The store cannot be reached. Another attempt may succeed.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),

    /// The store did not answer in time.
    #[error("the store did not answer within {waited_secs} s")]
    TimedOut {
        /// The time waited, in seconds.
        waited_secs: u64,
    },

    /// The batch may or may not have been committed, and this could not be found out.
    #[error("the outcome of the write is unknown: {0}")]
    UnknownOutcome(String),

    /// The file, its folder or its file system is read-only.
    #[error("the database is read-only: check who may write to the file and its folder")]
    ReadOnly,

    /// The disk is full.
    #[error("the database is full: the disk it lives on has no room left")]
    Full,

    /// The content is damaged.
    #[error("the database is damaged ({0}): restore it from a backup")]
    Corrupt(String),

    /// The file is not a SQLite database.
    #[error("the file is not a SQLite database")]
    NotADatabase,

    /// The database was made by a later version of this program.
    #[error(
        "the database has schema version {found}, and this program knows versions up to {known}: use a newer program"
    )]
    NewerSchema {
        /// The version of the database.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },

    /// The database was made by an earlier version of this program, and is not migrated without being asked to: programs of that
    /// version may be using it.
    #[error(
        "the database has schema version {found}, and this program needs version {known}: migrate it with `tailor-idp db migrate`"
    )]
    OlderSchema {
        /// The version of the database.
        found: i64,
        /// The version that this program needs.
        known: i64,
    },

    /// The file cannot be opened.
    #[error("cannot open the database: {reason}")]
    CannotOpen {
        /// The path of the file.
        path: PathBuf,
        /// The reason, from the operating system.
        reason: String,
    },

    /// The caller cancelled the import. Nothing was written.
    #[error("the import was cancelled")]
    Cancelled,

    /// The store was shut down during the call.
    #[error("the store has been closed")]
    Closed,

    /// Any other failure.
    #[error("the database failed: {0}")]
    Other(#[source] Arc<dyn Error + Send + Sync>),
}

impl StoreError {
    /// Any other failure, with its source.
    pub fn other(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Other(Arc::from(source.into()))
    }

    /// Whether the write may have been committed.
    pub fn is_unknown_outcome(&self) -> bool {
        matches!(self, Self::UnknownOutcome(_))
    }

    /// Whether another attempt at the same call may succeed.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Locked { .. } | Self::Unavailable(_) | Self::TimedOut { .. } | Self::Full)
    }
}

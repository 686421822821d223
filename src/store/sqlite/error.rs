//! SQLite's result codes in the store's words.

use std::time::Duration;

use rusqlite::ErrorCode;
use rusqlite::ffi;

use crate::store::StoreError;

/// How long a connection waits for another program's lock: longer than any write of ours takes but a large import,
/// and short enough for a person to wait.
pub(super) const LOCK_WAIT: Duration = Duration::from_secs(5);

fn map(error: &rusqlite::Error) -> StoreError {
    let Some(code) = error.sqlite_error() else {
        return StoreError::Other(error.to_string());
    };
    match code.code {
        // Names are the only thing that a caller can make clash.
        ErrorCode::ConstraintViolation if code.extended_code == ffi::SQLITE_CONSTRAINT_UNIQUE => StoreError::NameTaken,
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreError::Locked { waited_secs: LOCK_WAIT.as_secs() },
        ErrorCode::ReadOnly => StoreError::ReadOnly,
        ErrorCode::DiskFull => StoreError::Full,
        ErrorCode::DatabaseCorrupt => StoreError::Corrupt(error.to_string()),
        ErrorCode::NotADatabase => StoreError::NotADatabase,
        _ => StoreError::Other(error.to_string()),
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        map(&error)
    }
}

pub(super) fn map_migration(error: &rusqlite_migration::Error) -> StoreError {
    match error {
        rusqlite_migration::Error::RusqliteError { err, .. } => map(err),
        other => StoreError::Other(other.to_string()),
    }
}

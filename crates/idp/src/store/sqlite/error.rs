//! Conversion of SQLite's errors.

use std::time::Duration;

use rusqlite::ErrorCode;
use rusqlite::ffi;

use crate::store::StoreError;

/// How long a connection waits for another program's lock: longer than any write takes except for a large import, and short
/// enough for a person to wait.
pub(super) const LOCK_WAIT: Duration = Duration::from_secs(5);

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let Some(code) = error.sqlite_error() else {
            return Self::other(error);
        };
        match code.code {
            ErrorCode::ConstraintViolation if is_of_the_name_index(&error) => Self::NameTaken,
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Locked { waited_secs: LOCK_WAIT.as_secs() },
            ErrorCode::ReadOnly => Self::ReadOnly,
            ErrorCode::DiskFull => Self::Full,
            ErrorCode::DatabaseCorrupt => Self::Corrupt(error.to_string()),
            ErrorCode::NotADatabase => Self::NotADatabase,
            _ => Self::other(error),
        }
    }
}

/// The text of SQLite for a name that is taken. Only the text says which unique index it is.
const NAME_TAKEN: &str = "UNIQUE constraint failed: users.namespace_id, users.name";

/// Whether the unique index of names reports the error.
fn is_of_the_name_index(error: &rusqlite::Error) -> bool {
    matches!(
        error,
        rusqlite::Error::SqliteFailure(code, Some(text))
            if code.extended_code == ffi::SQLITE_CONSTRAINT_UNIQUE && text == NAME_TAKEN
    )
}

impl From<rusqlite_migration::Error> for StoreError {
    fn from(error: rusqlite_migration::Error) -> Self {
        match error {
            rusqlite_migration::Error::RusqliteError { err, .. } => err.into(),
            other => Self::other(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    #[test]
    fn only_the_unique_index_of_names_reports_a_taken_name() {
        let raw = Connection::open_in_memory().unwrap();
        let error = |sql: &str| StoreError::from(raw.execute_batch(sql).unwrap_err());
        let users = "CREATE TABLE users (namespace_id, name, nickname UNIQUE, UNIQUE (namespace_id, name));
                     CREATE TABLE old_users (name UNIQUE);";
        raw.execute_batch(users).unwrap();
        let name = error("INSERT INTO users VALUES (1, 'ana', 1), (1, 'ana', 2)");
        assert!(matches!(name, StoreError::NameTaken), "{name:?}");
        for other in ["INSERT INTO users VALUES (1, 'ana', 1), (1, 'bo', 1)", "INSERT INTO old_users VALUES (1), (1)"] {
            let error = error(other);
            assert!(matches!(error, StoreError::Other(_)), "{error:?}");
        }
    }
}

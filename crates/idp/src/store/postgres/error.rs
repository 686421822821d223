//! Classification of PostgreSQL's errors by SQLSTATE.

use std::io;
use std::time::Duration;

use tokio_postgres::error::{DbError, Severity, SqlState};

use crate::store::StoreError;

/// How long a call tries to reach the server, and repeats what the server has rolled back: short enough for a person to wait.
pub(super) const RETRY_FOR: Duration = Duration::from_secs(5);

/// How long a statement waits for a lock of another transaction.
pub(super) const LOCK_WAIT: Duration = Duration::from_secs(5);

/// How long a statement may take, except for imports.
pub(super) const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);

/// The unique index of names.
const NAME_INDEX: &str = "users_by_name";

/// The failure of a statement or of a connection, and what to do about it. Each has the error for the caller.
#[derive(Debug)]
pub(super) enum Failure {
    /// Another attempt fails as well.
    Final(StoreError),
    /// The server has rolled the transaction back; another attempt may succeed.
    Again(StoreError),
    /// The connection is lost, and with it the transaction, unless it was being committed.
    Lost(StoreError),
}

impl Failure {
    /// The error for a caller who makes no other attempt.
    pub(super) fn into_error(self) -> StoreError {
        match self {
            Self::Final(error) | Self::Again(error) | Self::Lost(error) => error,
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Final(error)
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(reported) => reported_failure(reported),
            None if is_of_the_connection(&error) => Self::Lost(StoreError::Unavailable(with_sources(&error))),
            None => Self::Final(StoreError::other(error)),
        }
    }
}

/// The failure of a statement on a connection that was established.
pub(super) fn statement_failure(error: tokio_postgres::Error) -> Failure {
    match error.as_db_error() {
        // The server ends the session or crashes, whatever the cause that it names. A commit may have taken effect before.
        Some(reported) if matches!(reported.parsed_severity(), Some(Severity::Fatal | Severity::Panic)) => {
            Failure::Lost(StoreError::Unavailable(text_of(reported)))
        }
        _ => error.into(),
    }
}

/// The failure that the server reports.
fn reported_failure(error: &DbError) -> Failure {
    let text = || text_of(error);
    let code = error.code();
    match code.code().get(..2) {
        // Connection exceptions, and operator intervention: a shutdown, a crash, a start.
        Some("08") => return Failure::Lost(StoreError::Unavailable(text())),
        Some("57") if *code != SqlState::QUERY_CANCELED => return Failure::Lost(StoreError::Unavailable(text())),
        Some("XX") => return Failure::Final(StoreError::Corrupt(text())),
        _ => {}
    }
    match code {
        &SqlState::UNIQUE_VIOLATION if error.constraint() == Some(NAME_INDEX) => Failure::Final(StoreError::NameTaken),
        // The row that another one refers to was deleted since it was read.
        &SqlState::FOREIGN_KEY_VIOLATION => Failure::Final(StoreError::Conflict),
        &SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED => {
            Failure::Again(StoreError::Unavailable(text()))
        }
        &SqlState::TOO_MANY_CONNECTIONS | &SqlState::CONFIGURATION_LIMIT_EXCEEDED => {
            Failure::Again(StoreError::Unavailable(text()))
        }
        // Behind a pooler, COPY has prepared its statement under a name that another program's has: the next name is another one.
        &SqlState::DUPLICATE_PSTATEMENT => Failure::Again(StoreError::Unavailable(text())),
        // A plan or a prepared statement from before a change of the schema, or of another connection of a pooler: a new
        // connection has none.
        &SqlState::FEATURE_NOT_SUPPORTED | &SqlState::INVALID_SQL_STATEMENT_NAME => {
            Failure::Lost(StoreError::other(text()))
        }
        &SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN => Failure::Lost(StoreError::Unavailable(text())),
        // The primary has become a standby: the next connection looks for the new primary.
        &SqlState::READ_ONLY_SQL_TRANSACTION => Failure::Lost(StoreError::Unavailable(text())),
        &SqlState::LOCK_NOT_AVAILABLE => Failure::Final(StoreError::Locked { waited_secs: LOCK_WAIT.as_secs() }),
        &SqlState::QUERY_CANCELED => Failure::Final(StoreError::TimedOut { waited_secs: STATEMENT_TIMEOUT.as_secs() }),
        &SqlState::DISK_FULL => Failure::Final(StoreError::Full),
        &SqlState::DATA_CORRUPTED | &SqlState::INDEX_CORRUPTED => Failure::Final(StoreError::Corrupt(text())),
        _ => Failure::Final(StoreError::other(text())),
    }
}

fn text_of(error: &DbError) -> String {
    format!("{} (SQLSTATE {})", error.message(), error.code().code())
}

/// Whether the connection failed, rather than the conversion of a value.
fn is_of_the_connection(error: &tokio_postgres::Error) -> bool {
    match std::error::Error::source(error) {
        None => true,
        Some(source) => source.is::<io::Error>(),
    }
}

/// The error and its sources, on one line: the driver's own texts leave out the reason.
pub(super) fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let part = error.to_string();
        if !text.ends_with(&part) {
            text.push_str(": ");
            text.push_str(&part);
        }
        source = error.source();
    }
    text
}

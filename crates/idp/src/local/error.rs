//! Failures of stores as failures of operations.

use crate::directory::user_already_exists;
use crate::model::{Code, IdpError, internal};
use crate::store::StoreError;

/// A failed store operation. The source is for the host; a script learns whether to try again.
pub(super) fn failed(error: StoreError) -> IdpError {
    let (code, detail) = match &error {
        StoreError::Locked { .. } | StoreError::Unavailable(_) => {
            (Code::Unavailable, "the user store is busy, try again")
        }
        StoreError::TimedOut { .. } => (Code::DeadlineExceeded, "the user store did not answer in time"),
        StoreError::Conflict => return IdpError::conflict(),
        StoreError::UnknownOutcome(_) => {
            (Code::Aborted, "the outcome of the write is unknown: read the user before you try again")
        }
        StoreError::NameTaken
        | StoreError::NoSuchConsumer(_)
        | StoreError::ReadOnly
        | StoreError::Full
        | StoreError::Corrupt(_)
        | StoreError::NotADatabase
        | StoreError::NewerSchema { .. }
        | StoreError::OlderSchema { .. }
        | StoreError::CannotOpen { .. }
        | StoreError::Cancelled
        | StoreError::Closed
        | StoreError::Other(_) => return internal(error),
    };
    IdpError::new(code, detail).with_source(error)
}

/// A failed commit that creates or renames a user.
pub(super) fn failed_to_name(error: StoreError, name: &str) -> IdpError {
    match error {
        StoreError::NameTaken => user_already_exists(name),
        other => failed(other),
    }
}

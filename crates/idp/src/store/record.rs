//! Rows as callers see them, and parameters of reads.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::model::{InvalidPasswordHash, PasswordHash, Predicate, Timestamp, UserRecord};

/// A user to insert.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewUser {
    /// The name, normalised and checked.
    pub name: String,
    /// The password hash. `None`: the user cannot sign in with a password.
    pub password: Option<PasswordHash>,
    /// Whether the user starts out disabled.
    pub disabled: bool,
    /// The creation time; `None`: now. Ids are in the order of the inserts nevertheless.
    pub created_at: Option<Timestamp>,
}

/// Parameters for reading a page.
#[derive(Debug, Clone)]
pub struct PageRequest {
    /// The users to list: filters and visibility as one predicate.
    pub filter: Predicate,
    /// Only users created after the one with this id, who may be deleted by now.
    pub after: Option<String>,
    /// The maximum number of users.
    pub limit: u32,
}

/// A page of users and the total, read at one point in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The users, in creation order.
    pub users: Vec<UserRecord>,
    /// Whether more users follow.
    pub more: bool,
    /// The number of users for whom the filter holds, on all pages together.
    pub total: u64,
}

/// A user and the secrets that sign them in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user.
    pub user: UserRecord,
    /// The password hash, if the user has a password; or that it is malformed, which only sign-in needs to know.
    pub password: Result<Option<PasswordHash>, InvalidPasswordHash>,
    /// All factors, unconfirmed ones too, oldest first.
    pub factors: Vec<Factor>,
}

/// An MFA factor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Factor {
    /// The id, a UUIDv7. Ids sort in the order in which factors were added.
    pub id: String,
    /// The secret, sealed by the caller.
    pub secret: Vec<u8>,
    /// The time until which the factor can be confirmed; `None` once it is confirmed.
    pub expires_at: Option<Timestamp>,
    /// The latest time step of which a code was accepted.
    pub last_step: Option<u64>,
}

/// The SHA-256 of a reset token. Stores never see the token itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenHash(pub [u8; 32]);

/// A stored reset token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResetToken {
    /// The id of the user whose password it sets.
    pub user_id: String,
    /// The job that mailed it.
    pub job_id: i64,
    /// The time at which it expires.
    pub expires_at: Timestamp,
}

/// The progress of an import: counts of users of the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportProgress {
    /// Number of names that were looked up in the spelling of earlier versions, which not all names have: after each thousand.
    /// Nothing is written yet.
    LookedUp(usize),
    /// Number of passwords hashed. Nothing is written yet.
    Hashed(usize),
    /// Number of users written to the open transaction, or skipped.
    Written(usize),
    /// All users were written, and the transaction is about to be committed: the last chance to cancel.
    Committing,
}

/// Callback for import progress; returning `Break` cancels the import. Called on other threads: must not block.
pub type ImportObserver = Arc<dyn Fn(ImportProgress) -> ControlFlow<()> + Send + Sync>;

/// A user of an import who was not added, since the name is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The position in the batch, from 0.
    pub index: usize,
    /// The name, which a user of the namespace or an earlier one of the batch has.
    pub name: String,
}

/// The result of an import.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Imported {
    /// The number of users added.
    pub count: u64,
    /// The users who were not added, in the order of the batch.
    pub skipped: Vec<Skipped>,
}

/// Parameters for reading events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventQuery<'a> {
    /// The events after a position, oldest first.
    After {
        /// The id of an event; `None`: from the oldest that is kept. Need not exist: only its order counts.
        id: Option<&'a str>,
        /// The maximum number of events.
        limit: u32,
    },
    /// The event with this id, if it is still kept.
    Id(&'a str),
}

/// The state of a namespace's event log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventLog {
    /// The id of the newest event ever committed, kept or not.
    pub newest: Option<String>,
    /// The consumers, by name.
    pub consumers: Vec<Consumer>,
}

/// A consumer of events and its progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumer {
    /// The name.
    pub name: String,
    /// The number of events that it has not acknowledged, without dead ones.
    pub pending: u64,
    /// The number of dead events: deliveries that were given up.
    pub dead: u64,
}

/// The position at which a new consumer starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StartAt {
    /// The oldest event that is kept.
    #[default]
    Oldest,
    /// The next event to be committed.
    Next,
}

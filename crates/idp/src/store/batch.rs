//! Batches: what one write changes, and what must still be so when it does.

use std::time::Duration;

use super::{CounterKey, Factor, JobKey, Lease, NewJob, NewUser, QueueName, StartAt, TokenHash};
use crate::model::{EventKind, PasswordHash, Timestamp, UserRecord, Version};

/// A write: expectations, mutations and events, applied together or not at all.
///
/// The caller reads, decides and commits. If something it read has changed since, an expectation fails with
/// [`Conflict`](super::StoreError::Conflict), and the caller reads and decides again.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Conditions that must hold in the write's transaction.
    pub expect: Vec<Expect>,
    /// The changes, applied in order.
    pub mutations: Vec<Mutation>,
    /// Events to append to the event log.
    pub events: Vec<NewEvent>,
}

/// A condition for a batch. If it does not hold, the batch fails with a conflict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    /// The user exists and has this version.
    User {
        /// The id of the user.
        id: String,
        /// The version that was read.
        version: Version,
    },
    /// The user has this password hash.
    Password {
        /// The id of the user.
        user_id: String,
        /// The hash that was read.
        hash: PasswordHash,
    },
    /// The user has this factor, with exactly these values.
    Factor {
        /// The id of the user.
        user_id: String,
        /// The factor that was read.
        factor: Factor,
    },
    /// The user's reset token has this hash.
    ResetToken {
        /// The id of the user.
        user_id: String,
        /// The hash that was looked up.
        hash: TokenHash,
    },
    /// The lease is still valid.
    Lease(Lease),
    /// The newest job of the user in the queue, finished or not, is this one; `None`: there is none.
    NewestJob {
        /// The queue.
        queue: QueueName,
        /// The id of the user.
        user_id: String,
        /// The id of the job that was read.
        id: Option<i64>,
    },
}

/// A change. The user of a mutation must exist, else the batch fails with a conflict; rows that belong to a user and do not
/// exist are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mutation {
    /// Inserts a user with a new id and version.
    CreateUser(NewUser),
    /// Changes a user, who gets a new version.
    UpdateUser {
        /// The id of the user.
        id: String,
        /// The new values.
        patch: UserPatch,
    },
    /// Deletes a user with the factors and the reset token. Jobs stay.
    DeleteUser {
        /// The id of the user.
        id: String,
    },
    /// Gives a user a new version, and changes nothing else.
    TouchUser {
        /// The id of the user.
        id: String,
    },
    /// Replaces the hash of the same password. The version stays.
    ReplaceHash {
        /// The id of the user.
        user_id: String,
        /// The new hash.
        hash: PasswordHash,
    },
    /// Inserts a factor, or replaces the one with the same id. The version stays.
    PutFactor {
        /// The id of the user.
        user_id: String,
        /// The factor.
        factor: Factor,
    },
    /// Deletes a factor. The version stays.
    DeleteFactor {
        /// The id of the user.
        user_id: String,
        /// The id of the factor.
        factor_id: String,
    },
    /// Sets the user's only reset token, in place of an earlier one.
    PutResetToken {
        /// The id of the user.
        user_id: String,
        /// The hash of the token.
        hash: TokenHash,
        /// The job that mails the token. The token is deleted with it.
        job_id: i64,
        /// The time at which the token expires.
        expires_at: Timestamp,
    },
    /// Deletes the user's reset token, if there is one.
    DeleteResetToken {
        /// The id of the user.
        user_id: String,
    },
    /// Queues a job that is due at once.
    Enqueue(NewJob),
    /// Ends the user's unfinished jobs in the queue. Their leases become invalid.
    EndJobs {
        /// The queue.
        queue: QueueName,
        /// The id of the user.
        user_id: String,
        /// The reason to record.
        reason: String,
    },
    /// Makes the user's leased jobs in the queue due at once. Their leases become invalid.
    RequeueJobs {
        /// The queue.
        queue: QueueName,
        /// The id of the user.
        user_id: String,
    },
    /// Deletes the user's jobs in the queue, finished ones too.
    DeleteJobs {
        /// The queue.
        queue: QueueName,
        /// The id of the user.
        user_id: String,
    },
    /// Queues dead jobs again, with no attempts counted.
    RetryDead {
        /// The queue.
        queue: QueueName,
        /// The job; `None`: all dead jobs.
        job: Option<JobKey>,
    },
    /// Deletes dead jobs.
    DiscardDead {
        /// The queue.
        queue: QueueName,
        /// The job; `None`: all dead jobs.
        job: Option<JobKey>,
    },
    /// Deletes jobs that finished before a time.
    PruneJobs {
        /// The queue.
        queue: QueueName,
        /// The time.
        finished_before: Timestamp,
        /// The maximum number of jobs to delete: other writes wait meanwhile.
        limit: u32,
    },
    /// Deletes events from before a time which every consumer has acknowledged.
    PruneEvents {
        /// The time.
        before: Timestamp,
        /// The maximum number of events to delete, and of the order of the number to read: other writes wait meanwhile. Deletes
        /// the oldest first, unless events that are kept hide them.
        limit: u32,
    },
    /// Adds a consumer of events, unless it exists.
    AddConsumer {
        /// The name.
        name: String,
        /// The position at which a new consumer starts.
        start: StartAt,
    },
    /// Removes a consumer of events with its position and its jobs.
    RemoveConsumer {
        /// The name.
        name: String,
    },
    /// Adds to a counter. A counter that does not exist, is zero, or whose window has ended by its length here, first starts a new
    /// window at zero; a window that starts in the future, since the clock was set back, is moved to now.
    Count {
        /// The key.
        key: CounterKey,
        /// The number to add. The counter does not go below zero.
        by: i64,
        /// The length of the window. Not stored: it may differ from that of earlier counts.
        window: Duration,
        /// Only if the counter's window started at this time and has not ended, if given.
        since: Option<Timestamp>,
    },
    /// Deletes a counter.
    ResetCounter {
        /// The key.
        key: CounterKey,
    },
    /// Deletes the counters whose windows started at a time or earlier.
    PruneCounters {
        /// The time.
        started_until: Timestamp,
    },
}

/// New values of a user's fields. Fields that are `None` stay as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserPatch {
    /// The new name, normalised.
    pub name: Option<String>,
    /// Whether the user is disabled.
    pub disabled: Option<bool>,
    /// The change of the password.
    pub password: PasswordChange,
}

impl UserPatch {
    /// The user after the change, but for the version.
    #[must_use]
    pub fn applied_to(&self, user: &UserRecord) -> UserRecord {
        // Exhaustive: the compiler points here when a field is added.
        let Self { name, disabled, password: _ } = self;
        let UserRecord { id, name: old_name, disabled: old_disabled, created_at, mfa_factor_ids, version } = user;
        UserRecord {
            id: id.clone(),
            name: name.as_ref().unwrap_or(old_name).clone(),
            disabled: disabled.unwrap_or(*old_disabled),
            created_at: *created_at,
            mfa_factor_ids: mfa_factor_ids.clone(),
            version: *version,
        }
    }
}

/// A change of a stored password.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum PasswordChange {
    /// The password stays.
    #[default]
    Keep,
    /// The password is removed.
    Clear,
    /// The password is replaced.
    Set(PasswordHash),
}

/// An event to append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// The user who changes.
    pub user: UserRef,
    /// The kind of the change.
    pub kind: EventKind,
}

/// A user of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserRef {
    /// The user with this id.
    Id(String),
    /// The user whom the batch creates last.
    Created,
}

/// The result of a committed batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Committed {
    /// The users whom the batch created, in order.
    pub created: Vec<UserRecord>,
    /// For each mutation, the number of rows of its kind that it changed.
    pub affected: Vec<u64>,
    /// For each [`Mutation::Count`], the counter afterwards.
    pub counters: Vec<super::Counter>,
}

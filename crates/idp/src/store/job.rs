//! Jobs: the durable queues of a namespace.
//!
//! A job is claimed under a lease, which ends after a time, and settled with an outcome. Delivery is at least once. All times
//! are by the store's clock: callers give durations.

use std::fmt;
use std::time::Duration;

use crate::model::{EventRecord, Timestamp};

/// The name of a queue.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum QueueName {
    /// Password-reset mails.
    ResetMails,
    /// The events that the consumer with this name has not acknowledged. The store fills it from the event log, in commit order
    /// and with the user as the ordering key.
    Events(String),
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ResetMails => f.write_str("reset-mails"),
            Self::Events(consumer) => write!(f, "events/{consumer}"),
        }
    }
}

/// A job to queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// The queue.
    pub queue: QueueName,
    /// The id of the user whom the job concerns.
    pub user_id: String,
    /// The content, opaque to the store.
    pub payload: String,
}

/// The state of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobState {
    /// Waits for its next attempt, or behind an earlier job with the same ordering key.
    Queued,
    /// Claimed by a worker, for the duration of the lease.
    Leased,
    /// Finished with success.
    Done,
    /// Given up after failed attempts.
    Dead,
    /// Finished without being executed.
    Ended,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRecord {
    /// The id that the store assigned. Higher is newer.
    pub id: i64,
    /// The id of the user whom the job concerns.
    pub user_id: String,
    /// The content; empty in a queue of events.
    pub payload: String,
    /// The event to deliver, in a queue of events.
    pub event: Option<EventRecord>,
    /// The state.
    pub state: JobState,
    /// The time at which it was queued.
    pub queued_at: Timestamp,
    /// The time of the next attempt or, if leased, the end of the lease.
    pub due_at: Timestamp,
    /// The time at which it finished, if it has.
    pub finished_at: Option<Timestamp>,
    /// The number of times it was claimed.
    pub attempts: u32,
    /// The number of attempts that the receiver refused.
    pub refusals: u32,
    /// The reason of the last failure or of the end.
    pub reason: Option<String>,
}

/// A claim on a job. It becomes invalid when its time is over and another claim is made, and when the job is settled, ended or
/// queued anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The queue.
    pub queue: QueueName,
    /// The id of the job.
    pub job_id: i64,
    /// Identifies the claim.
    pub token: [u8; 16],
}

/// A claimed job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The job. Its attempts include this one.
    pub job: JobRecord,
    /// The claim.
    pub lease: Lease,
}

/// The result of a claim.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Claim {
    /// The claimed jobs, at most one for each ordering key.
    pub deliveries: Vec<Delivery>,
    /// The time at which the next job that is leased or waiting becomes due, if there is one.
    pub next_due: Option<Timestamp>,
    /// Whether more jobs can be claimed at once.
    pub more: bool,
}

/// The outcome of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It succeeded.
    Done {
        /// Whether to keep the job as a record until it is pruned.
        keep: bool,
    },
    /// It was not executed: the attempt does not count, and the job is due at once.
    Released,
    /// It failed, and becomes due again later.
    Retry {
        /// The delay.
        after: Duration,
        /// Whether the receiver refused it, rather than being unavailable.
        refused: bool,
        /// The reason. Contains no secret.
        reason: String,
    },
    /// It failed, and is given up. Later jobs with the same ordering key go ahead.
    Dead {
        /// The reason. Contains no secret.
        reason: String,
    },
    /// It was not executed, and does not need to be any more: the attempt does not count.
    Ended {
        /// The reason.
        reason: String,
    },
}

/// One job of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobKey {
    /// By its id.
    Id(i64),
    /// By the id of the event that it delivers.
    Event(String),
}

/// Parameters for reading jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobFilter {
    /// The queue.
    pub queue: QueueName,
    /// Only this job.
    pub id: Option<i64>,
    /// Only jobs of this user.
    pub user_id: Option<String>,
    /// Only jobs in this state.
    pub state: Option<JobState>,
    /// Whether the newest come first, rather than the oldest.
    pub newest_first: bool,
    /// The maximum number of jobs.
    pub limit: u32,
}

impl JobFilter {
    /// All jobs of a queue, oldest first.
    pub fn new(queue: QueueName) -> Self {
        Self { queue, id: None, user_id: None, state: None, newest_first: false, limit: u32::MAX }
    }
}

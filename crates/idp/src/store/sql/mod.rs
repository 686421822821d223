//! What the stores over SQL databases have in common: the form of their rows, and what they refuse.

mod column;
mod ids;

pub(in crate::store) use self::column::{Column, column, has, texts};
#[cfg(feature = "sqlite")]
pub(in crate::store) use self::ids::following;
pub(in crate::store) use self::ids::{new_id, parse_id};
use super::{Batch, ImportObserver, ImportProgress, JobState, Mutation, QueueName, StoreError, UserRef};
use crate::model::Version;

/// The version of a new user.
pub(in crate::store) const FIRST_VERSION: Version = Version(1);

/// The maximum number to add to a counter at once: far above any rate limit, and far below an overflow of the column.
pub(in crate::store) const MAX_STEP: i64 = 1 << 32;

/// The maximum number of events that one claim makes jobs of: bounds how long others wait for it.
pub(in crate::store) const TAKE_UP_LIMIT: u32 = 512;

/// The kind of the queues of consumers of events.
pub(in crate::store) const EVENTS: &str = "events";

/// The value of a version in a row. A version that no row can have becomes one that none has.
pub(in crate::store) fn version_value(version: Version) -> i64 {
    i64::try_from(version.0).unwrap_or(-1)
}

/// The columns that identify a queue: kind and name.
pub(in crate::store) fn queue_key(queue: &QueueName) -> (&'static str, &str) {
    match queue {
        QueueName::ResetMails => ("reset-mails", ""),
        QueueName::Events(consumer) => (EVENTS, consumer),
    }
}

/// The SQL condition for a state of `jobs AS j`.
pub(in crate::store) fn in_state(state: JobState) -> &'static str {
    match state {
        JobState::Queued => "j.state IN ('waiting', 'queued')",
        JobState::Leased => "j.state = 'leased'",
        JobState::Done => "j.state = 'done'",
        JobState::Dead => "j.state = 'dead'",
        JobState::Ended => "j.state = 'ended'",
    }
}

/// Refuses a batch that no state of the database makes valid.
pub(in crate::store) fn validate(batch: &Batch) -> Result<(), StoreError> {
    for mutation in &batch.mutations {
        match mutation {
            Mutation::PutFactor { factor, .. } if parse_id(&factor.id).is_none() => {
                return Err(malformed_factor_id(&factor.id));
            }
            Mutation::Enqueue(job) if job.queue != QueueName::ResetMails => {
                return Err(StoreError::other(format!("the queue {} is filled by the store", job.queue)));
            }
            _ => {}
        }
    }
    let creates = || batch.mutations.iter().any(|mutation| matches!(mutation, Mutation::CreateUser(_)));
    if batch.events.iter().any(|event| event.user == UserRef::Created) && !creates() {
        return Err(StoreError::other("an event names the created user of a batch that creates none"));
    }
    Ok(())
}

/// The error for a factor whose id is not a UUID.
pub(in crate::store) fn malformed_factor_id(id: &str) -> StoreError {
    StoreError::other(format!("the id of an MFA factor must be a UUID: got {id:?}"))
}

/// The queue of the consumer that the batch adds, if it does nothing else. Most such consumers exist: no lock is needed then.
pub(in crate::store) fn only_adds_consumer(batch: &Batch) -> Option<QueueName> {
    let Batch { expect, mutations, events } = batch;
    match (&**expect, &**mutations, &**events) {
        ([], [Mutation::AddConsumer { name, .. }], []) => Some(QueueName::Events(name.clone())),
        _ => None,
    }
}

/// Tells the observer the progress, and fails if it cancels.
pub(in crate::store) fn report(observer: &ImportObserver, progress: ImportProgress) -> Result<(), StoreError> {
    if observer(progress).is_break() { Err(StoreError::Cancelled) } else { Ok(()) }
}

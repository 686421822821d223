//! Queues, and the consumers of events that they belong to.

use rusqlite::{OptionalExtension, Row, params};
use uuid::Uuid;

use super::scope::Scope;
use crate::store::sql::{EVENTS, queue_key};
use crate::store::{Consumer, QueueName, StartAt, StoreError};

/// The row of a queue.
#[derive(Debug, Clone, Copy)]
pub(super) struct Queue {
    pub(super) id: i64,
    /// Of a consumer of events: the newest event that has been made a job.
    pub(super) taken_up: Option<Uuid>,
}

/// The queue. `None` for a consumer that does not exist, and for mails of which there has been none.
pub(super) fn find(scope: Scope<'_>, queue: &QueueName) -> Result<Option<Queue>, StoreError> {
    let (kind, name) = queue_key(queue);
    let sql = "SELECT id, taken_up FROM queues WHERE namespace_id = ? AND kind = ? AND name = ?";
    let row = |row: &Row<'_>| {
        let (id, taken_up) = <(i64, Option<[u8; 16]>)>::try_from(row)?;
        Ok(Queue { id, taken_up: taken_up.map(Uuid::from_bytes) })
    };
    Ok(scope.prepare(sql)?.query_row(params![scope.namespace_id, kind, name], row).optional()?)
}

/// As [`find`], with an error for a consumer that does not exist.
pub(super) fn find_known(scope: Scope<'_>, queue: &QueueName) -> Result<Option<Queue>, StoreError> {
    match (find(scope, queue)?, queue) {
        (None, QueueName::Events(consumer)) => Err(StoreError::NoSuchConsumer(consumer.clone())),
        (found, QueueName::ResetMails | QueueName::Events(_)) => Ok(found),
    }
}

/// The id of the queue of mails, which is created if it does not exist.
pub(super) fn mails(scope: Scope<'_>) -> Result<i64, StoreError> {
    if let Some(queue) = find(scope, &QueueName::ResetMails)? {
        return Ok(queue.id);
    }
    let (kind, name) = queue_key(&QueueName::ResetMails);
    let sql = "INSERT INTO queues (namespace_id, kind, name) VALUES (?, ?, ?)";
    scope.prepare(sql)?.execute(params![scope.namespace_id, kind, name])?;
    Ok(scope.connection.last_insert_rowid())
}

/// Records that the events up to this one have been made jobs.
pub(super) fn set_taken_up(scope: Scope<'_>, queue_id: i64, event_id: Uuid) -> Result<(), StoreError> {
    let sql = "UPDATE queues SET taken_up = ? WHERE id = ?";
    scope.prepare(sql)?.execute(params![event_id.as_bytes(), queue_id])?;
    Ok(())
}

/// Adds a consumer, unless it exists.
pub(super) fn add_consumer(scope: Scope<'_>, name: &str, start: StartAt) -> Result<u64, StoreError> {
    let sql = "INSERT INTO queues (namespace_id, kind, name, taken_up)
               SELECT id, ?2, ?3, iif(?4, newest_event_id, zeroblob(16)) FROM namespaces WHERE id = ?1
               ON CONFLICT DO NOTHING";
    let values = params![scope.namespace_id, EVENTS, name, start == StartAt::Next];
    Ok(scope.prepare(sql)?.execute(values)? as u64)
}

/// Removes a consumer. Its jobs go with the row, by a foreign key.
pub(super) fn remove_consumer(scope: Scope<'_>, name: &str) -> Result<u64, StoreError> {
    let sql = "DELETE FROM queues WHERE namespace_id = ? AND kind = ? AND name = ?";
    Ok(scope.prepare(sql)?.execute(params![scope.namespace_id, EVENTS, name])? as u64)
}

/// The consumers, by name.
pub(super) fn consumers(scope: Scope<'_>) -> Result<Vec<Consumer>, StoreError> {
    // Each count is of one index.
    let sql = "SELECT q.name,
                 (SELECT count(*) FROM jobs AS j INDEXED BY jobs_due
                  WHERE j.queue_id = q.id AND j.state IN ('queued', 'leased'))
                 + (SELECT count(*) FROM jobs AS j INDEXED BY jobs_waiting
                    WHERE j.queue_id = q.id AND j.state = 'waiting')
                 + (SELECT count(*) FROM events AS e WHERE e.namespace_id = q.namespace_id AND e.id > q.taken_up),
                 (SELECT count(*) FROM jobs AS j INDEXED BY jobs_dead
                  WHERE j.queue_id = q.id AND j.state = 'dead')
               FROM queues AS q WHERE q.namespace_id = ? AND q.kind = ? ORDER BY q.name";
    let consumer = |row: &Row<'_>| {
        let (name, pending, dead) = <(String, i64, i64)>::try_from(row)?;
        Ok(Consumer { name, pending: pending.unsigned_abs(), dead: dead.unsigned_abs() })
    };
    let mut statement = scope.prepare(sql)?;
    Ok(statement.query_map(params![scope.namespace_id, EVENTS], consumer)?.collect::<Result<_, _>>()?)
}

//! Queues, and the consumers of events that they belong to.

use tokio_postgres::types::Type;
use uuid::Uuid;

use super::connection::Param;
use super::error::Failure;
use super::events;
use super::text::{escape, unescape};
use super::transaction::Scope;
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
pub(super) async fn find(scope: &Scope, queue: &QueueName) -> Result<Option<Queue>, Failure> {
    let (kind, name) = queue_key(queue);
    let sql = "SELECT id, taken_up FROM tailor_idp.queues WHERE namespace_id = $1 AND kind = $2 AND name = $3";
    let params: [Param<'_>; 3] = [(&scope.namespace_id, Type::INT4), (&kind, Type::TEXT), (&escape(name), Type::TEXT)];
    let Some(row) = scope.connection.row(sql, &params).await? else { return Ok(None) };
    Ok(Some(Queue { id: row.try_get(0)?, taken_up: row.try_get(1)? }))
}

/// As [`find`], with an error for a consumer that does not exist.
pub(super) async fn find_known(scope: &Scope, queue: &QueueName) -> Result<Option<Queue>, Failure> {
    match (find(scope, queue).await?, queue) {
        (None, QueueName::Events(consumer)) => Err(StoreError::NoSuchConsumer(consumer.clone()).into()),
        (found, QueueName::ResetMails | QueueName::Events(_)) => Ok(found),
    }
}

/// Who changes the jobs of a consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// One lease ends: its user's next job becomes due.
    Settle,
    /// Jobs are added or end without a lease: whether a user has an earlier one decides about later ones.
    Rearrange,
}

/// Waits for others who change the jobs of a consumer, until the end of the transaction. Mails have no order, and need no lock.
pub(super) async fn lock(scope: &Scope, queue: Queue, access: Access) -> Result<(), Failure> {
    if queue.taken_up.is_none() {
        return Ok(());
    }
    let sql = match access {
        Access::Settle => "SELECT pg_advisory_xact_lock_shared(hashtextextended('tailor_idp.queues', $1))",
        Access::Rearrange => "SELECT pg_advisory_xact_lock(hashtextextended('tailor_idp.queues', $1))",
    };
    scope.connection.query(sql, &[(&queue.id, Type::INT8)]).await?;
    Ok(())
}

/// The id of the queue of mails, which is created if it does not exist.
pub(super) async fn mails(scope: &Scope) -> Result<i64, Failure> {
    if let Some(queue) = find(scope, &QueueName::ResetMails).await? {
        return Ok(queue.id);
    }
    let (kind, name) = queue_key(&QueueName::ResetMails);
    // Updates nothing, to return the row of another transaction.
    let sql = "INSERT INTO tailor_idp.queues (namespace_id, kind, name) VALUES ($1, $2, $3)
               ON CONFLICT (namespace_id, kind, name) DO UPDATE SET name = excluded.name RETURNING id";
    let params: [Param<'_>; 3] = [(&scope.namespace_id, Type::INT4), (&kind, Type::TEXT), (&name, Type::TEXT)];
    scope.connection.value(sql, &params).await
}

/// Records that the events up to this one have been made jobs.
pub(super) async fn set_taken_up(scope: &Scope, queue_id: i64, event_id: Uuid) -> Result<(), Failure> {
    let sql = "UPDATE tailor_idp.queues SET taken_up = $2 WHERE id = $1";
    scope.connection.execute(sql, &[(&queue_id, Type::INT8), (&event_id, Type::UUID)]).await?;
    Ok(())
}

/// Adds a consumer, unless it exists.
pub(super) async fn add_consumer(scope: &Scope, name: &str, start: StartAt) -> Result<u64, Failure> {
    let taken_up = match start {
        StartAt::Oldest => Uuid::nil(),
        StartAt::Next => events::newest(scope).await?,
    };
    let sql = "INSERT INTO tailor_idp.queues (namespace_id, kind, name, taken_up) VALUES ($1, $2, $3, $4)
               ON CONFLICT (namespace_id, kind, name) DO NOTHING";
    let params: [Param<'_>; 4] = [
        (&scope.namespace_id, Type::INT4),
        (&EVENTS, Type::TEXT),
        (&escape(name), Type::TEXT),
        (&taken_up, Type::UUID),
    ];
    scope.connection.execute(sql, &params).await
}

/// Removes a consumer. Its jobs go with the row, by a foreign key.
pub(super) async fn remove_consumer(scope: &Scope, name: &str) -> Result<u64, Failure> {
    let sql = "DELETE FROM tailor_idp.queues WHERE namespace_id = $1 AND kind = $2 AND name = $3";
    let params: [Param<'_>; 3] =
        [(&scope.namespace_id, Type::INT4), (&EVENTS, Type::TEXT), (&escape(name), Type::TEXT)];
    scope.connection.execute(sql, &params).await
}

/// The consumers, by name.
pub(super) async fn consumers(scope: &Scope) -> Result<Vec<Consumer>, Failure> {
    // Each count is of one index.
    let sql = "SELECT q.name,
                 (SELECT count(*) FROM tailor_idp.jobs AS j WHERE j.queue_id = q.id AND j.state IN ('queued', 'leased'))
                 + (SELECT count(*) FROM tailor_idp.jobs AS j WHERE j.queue_id = q.id AND j.state = 'waiting')
                 + (SELECT count(*) FROM tailor_idp.events AS e
                    WHERE e.namespace_id = q.namespace_id AND e.id > q.taken_up),
                 (SELECT count(*) FROM tailor_idp.jobs AS j WHERE j.queue_id = q.id AND j.state = 'dead')
               FROM tailor_idp.queues AS q WHERE q.namespace_id = $1 AND q.kind = $2 ORDER BY q.name";
    let params: [Param<'_>; 2] = [(&scope.namespace_id, Type::INT4), (&EVENTS, Type::TEXT)];
    let consumer = |row: &tokio_postgres::Row| {
        Ok(Consumer {
            name: unescape(row.try_get(0)?),
            pending: row.try_get::<_, i64>(1)?.unsigned_abs(),
            dead: row.try_get::<_, i64>(2)?.unsigned_abs(),
        })
    };
    scope.connection.query(sql, &params).await?.iter().map(consumer).collect()
}

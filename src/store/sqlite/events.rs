//! The outbox: events and who consumes them.

use std::time::Duration;

use async_trait::async_trait;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, params};
use tokio::sync::watch;
use uuid::Uuid;

use super::deliveries;
use super::namespace::SqliteStore;
use super::rows::{following, parse_id, unix_millis};
use crate::idp::Timestamp;
use crate::store::{
    Claim, Consumer, DeadEvent, EventKind, EventRecord, EventStore, Lease, Outcome, Revival, StartAt, StoreError,
};

/// How long an event is kept that every consumer has acknowledged: time to find out what a receiver was told.
const RETENTION: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// One append in so many, by chance, prunes: the outbox stays bounded, and no one has to come by for it.
const APPENDS_A_PRUNE: u128 = 128;

/// Events that one prune removes at the most: more than have been appended since the last, and soon done.
const PRUNED_AT_ONCE: i64 = 1024;

/// Appends an event, within the write that it tells of.
pub(super) fn append(
    connection: &Connection,
    namespace_id: i64,
    user_id: Uuid,
    kind: EventKind,
) -> Result<(), StoreError> {
    let now = Uuid::now_v7();
    let sql = "SELECT newest_event_id FROM namespaces WHERE id = ?";
    let newest = connection.prepare_cached(sql)?.query_row([namespace_id], |row| row.get(0)).map(Uuid::from_bytes)?;
    let id = following(newest, now);
    let sql = "INSERT INTO events VALUES (?, ?, ?, ?, ?)";
    let values = params![namespace_id, id.as_bytes(), user_id.as_bytes(), kind, unix_millis(&now)];
    connection.prepare_cached(sql)?.execute(values)?;
    if now.as_u128().is_multiple_of(APPENDS_A_PRUNE) {
        let before = unix_millis(&now).saturating_sub(RETENTION.as_millis() as i64);
        prune(connection, namespace_id, Timestamp::from_unix_millis(before))?;
    }
    Ok(())
}

/// Appends a `created` event for each of the users, within the write that adds them. Does what the trigger on events does, and
/// leaves pruning to the appends that follow.
pub(super) fn append_created(
    connection: &Connection,
    namespace_id: i64,
    users: impl Iterator<Item = Uuid>,
) -> Result<(), StoreError> {
    let now = Uuid::now_v7();
    let sql = "SELECT newest_event_id FROM namespaces WHERE id = ?";
    let mut newest =
        connection.prepare_cached(sql)?.query_row([namespace_id], |row| row.get(0)).map(Uuid::from_bytes)?;
    let mut insert = connection.prepare("INSERT INTO events VALUES (?, ?, ?, ?, ?)")?;
    for user_id in users {
        newest = following(newest, now);
        let values =
            params![namespace_id, newest.as_bytes(), user_id.as_bytes(), EventKind::Created, unix_millis(&now)];
        insert.execute(values)?;
    }
    let sql = "UPDATE namespaces SET newest_event_id = ? WHERE id = ?";
    connection.prepare_cached(sql)?.execute(params![newest.as_bytes(), namespace_id])?;
    Ok(())
}

fn prune(connection: &Connection, namespace_id: i64, before: Timestamp) -> Result<u64, StoreError> {
    // Ids hold their time ahead of all else: the walk is over the oldest events only.
    let before = Uuid::from_u128(u128::from(before.unix_millis().max(0).unsigned_abs()) << 80);
    let sql = "DELETE FROM events WHERE namespace_id = ?1 AND id IN (
                 SELECT e.id FROM events AS e
                 WHERE e.namespace_id = ?1 AND e.id < ?2
                   AND e.id <= coalesce((SELECT min(taken_up) FROM event_consumers WHERE namespace_id = ?1), ?2)
                   AND NOT EXISTS (SELECT 1 FROM event_consumers AS c CROSS JOIN event_deliveries AS d
                                   ON d.consumer_id = c.id AND d.event_id = e.id WHERE c.namespace_id = ?1)
                 ORDER BY e.id LIMIT ?3)";
    let removed = connection.prepare_cached(sql)?.execute(params![namespace_id, before.as_bytes(), PRUNED_AT_ONCE])?;
    Ok(removed as u64)
}

fn add_consumer(connection: &Connection, namespace_id: i64, name: &str, start: StartAt) -> Result<(), StoreError> {
    let sql = "INSERT INTO event_consumers (namespace_id, name, taken_up)
               SELECT id, ?2, iif(?3, newest_event_id, zeroblob(16)) FROM namespaces WHERE id = ?1
               ON CONFLICT DO NOTHING";
    connection.prepare_cached(sql)?.execute(params![namespace_id, name, start == StartAt::Next])?;
    Ok(())
}

#[async_trait]
impl EventStore for SqliteStore {
    async fn events(&self, after: Option<&str>, limit: u32) -> Result<Vec<EventRecord>, StoreError> {
        let after = after.and_then(parse_id).unwrap_or_else(Uuid::nil);
        self.read(|connection| {
            let sql =
                "SELECT id, user_id, kind, time FROM events WHERE namespace_id = ? AND id > ? ORDER BY id LIMIT ?";
            let values = params![self.namespace_id, after.as_bytes(), limit];
            Ok(connection.prepare_cached(sql)?.query_map(values, record)?.collect::<Result<_, _>>()?)
        })
    }

    async fn event(&self, id: &str) -> Result<Option<EventRecord>, StoreError> {
        let Some(id) = parse_id(id) else { return Ok(None) };
        self.read(|connection| {
            let sql = "SELECT id, user_id, kind, time FROM events WHERE namespace_id = ? AND id = ?";
            let mut statement = connection.prepare_cached(sql)?;
            Ok(statement.query_row(params![self.namespace_id, id.as_bytes()], record).optional()?)
        })
    }

    async fn newest(&self) -> Result<Option<String>, StoreError> {
        self.read(|connection| {
            let sql = "SELECT newest_event_id FROM namespaces WHERE id = ?";
            let newest = connection.prepare_cached(sql)?.query_row([self.namespace_id], |row| row.get(0));
            let newest = newest.map(Uuid::from_bytes)?;
            Ok((!newest.is_nil()).then(|| newest.to_string()))
        })
    }

    async fn add_consumer(&self, name: &str, start: StartAt) -> Result<(), StoreError> {
        let (namespace_id, name) = (self.namespace_id, name.to_owned());
        // Looking first keeps the common case free of a write.
        let there = self.read(|connection| Ok(deliveries::consumer(connection, namespace_id, &name).is_ok()))?;
        if there {
            return Ok(());
        }
        self.database.writer.run(move |connection| add_consumer(connection, namespace_id, &name, start)).await
    }

    async fn remove_consumer(&self, name: &str) -> Result<bool, StoreError> {
        let (namespace_id, name) = (self.namespace_id, name.to_owned());
        let work = move |connection: &Connection| {
            let sql = "DELETE FROM event_consumers WHERE namespace_id = ? AND name = ?";
            Ok(connection.prepare_cached(sql)?.execute(params![namespace_id, name])? > 0)
        };
        self.database.writer.run(work).await
    }

    async fn consumers(&self) -> Result<Vec<Consumer>, StoreError> {
        self.read(|connection| {
            let sql = "SELECT c.name,
                         (SELECT count(*) FROM event_deliveries AS d WHERE d.consumer_id = c.id AND d.state < 2)
                         + (SELECT count(*) FROM events AS e WHERE e.namespace_id = c.namespace_id AND e.id > c.taken_up),
                         (SELECT count(*) FROM event_deliveries AS d WHERE d.consumer_id = c.id AND d.state = 2)
                       FROM event_consumers AS c WHERE c.namespace_id = ? ORDER BY c.name";
            let count = |row: &Row<'_>, column| row.get::<_, i64>(column).map(i64::unsigned_abs);
            let consumer = |row: &Row<'_>| {
                Ok(Consumer { name: row.get(0)?, pending: count(row, 1)?, dead: count(row, 2)? })
            };
            let mut statement = connection.prepare_cached(sql)?;
            Ok(statement.query_map([self.namespace_id], consumer)?.collect::<Result<_, _>>()?)
        })
    }

    async fn claim(&self, consumer: &str, lease: Duration, limit: u32) -> Result<Claim, StoreError> {
        let (namespace_id, consumer) = (self.namespace_id, consumer.to_owned());
        // An idle worker that looks often takes no write lock.
        if let Some(nothing) = self.read(|connection| deliveries::nothing(connection, namespace_id, &consumer))? {
            return Ok(nothing);
        }
        let work = move |connection: &Connection| deliveries::claim(connection, namespace_id, &consumer, lease, limit);
        self.database.writer.run(work).await
    }

    async fn settle(&self, lease: &Lease, outcome: Outcome) -> Result<bool, StoreError> {
        let (namespace_id, lease) = (self.namespace_id, lease.clone());
        let work = move |connection: &Connection| deliveries::settle(connection, namespace_id, &lease, &outcome);
        self.database.writer.run(work).await
    }

    async fn dead(&self, consumer: Option<&str>, limit: u32) -> Result<Vec<DeadEvent>, StoreError> {
        self.read(|connection| deliveries::dead(connection, self.namespace_id, consumer, limit))
    }

    async fn revive(&self, consumer: &str, event_id: Option<&str>, revival: Revival) -> Result<u64, StoreError> {
        let event_id = match event_id.map(parse_id) {
            Some(None) => return Ok(0),
            Some(id) => id,
            None => None,
        };
        let (namespace_id, consumer) = (self.namespace_id, consumer.to_owned());
        let work =
            move |connection: &Connection| deliveries::revive(connection, namespace_id, &consumer, event_id, revival);
        self.database.writer.run(work).await
    }

    async fn prune(&self, before: Timestamp) -> Result<u64, StoreError> {
        let namespace_id = self.namespace_id;
        let mut removed = 0;
        loop {
            // In steps, so that other writes get in between.
            let step = self.database.writer.run(move |connection| prune(connection, namespace_id, before)).await?;
            removed += step;
            if step < PRUNED_AT_ONCE.unsigned_abs() {
                return Ok(removed);
            }
        }
    }

    fn commits(&self) -> watch::Receiver<u64> {
        self.database.writer.commits()
    }
}

/// The event of a row of `id, user_id, kind, time`.
pub(super) fn record(row: &Row<'_>) -> Result<EventRecord, rusqlite::Error> {
    Ok(EventRecord {
        id: Uuid::from_bytes(row.get(0)?).to_string(),
        user_id: Uuid::from_bytes(row.get(1)?).to_string(),
        kind: row.get(2)?,
        time: Timestamp::from_unix_millis(row.get(3)?),
    })
}

impl ToSql for EventKind {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
        }
        .into())
    }
}

impl FromSql for EventKind {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_str()? {
            "created" => Ok(Self::Created),
            "updated" => Ok(Self::Updated),
            "deleted" => Ok(Self::Deleted),
            other => Err(FromSqlError::Other(format!("an event of kind {other:?}").into())),
        }
    }
}

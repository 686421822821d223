//! The event log.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{OptionalExtension, Row, params};
use uuid::Uuid;

use super::scope::Scope;
use super::select_list::{scalar, select_list};
use crate::model::{EventKind, EventRecord, Timestamp};
use crate::random;
use crate::store::sql::{following, parse_id};
use crate::store::{EventQuery, StoreError};

const INSERT: &str = "INSERT INTO events (namespace_id, id, user_id, kind, time) VALUES (?, ?, ?, ?, ?)";

select_list! {
    /// The columns of [`record`].
    event_columns, column {
        ID = "id",
        USER_ID = "user_id",
        KIND = "kind",
        TIME = "time",
    }
}

fn record(row: &Row<'_>) -> Result<EventRecord, rusqlite::Error> {
    Ok(EventRecord {
        id: Uuid::from_bytes(row.get(column::ID)?).to_string(),
        user_id: Uuid::from_bytes(row.get(column::USER_ID)?).to_string(),
        kind: row.get(column::KIND)?,
        time: Timestamp::from_unix_millis(row.get(column::TIME)?),
    })
}

pub(super) fn query(scope: Scope<'_>, query: EventQuery<'_>) -> Result<Vec<EventRecord>, StoreError> {
    match query {
        EventQuery::After { id, limit } => {
            let after = id.and_then(parse_id).unwrap_or_else(Uuid::nil);
            let sql = concat!(
                "SELECT ",
                event_columns!(),
                " FROM events WHERE namespace_id = ? AND id > ? ORDER BY id LIMIT ?"
            );
            let mut statement = scope.prepare(sql)?;
            let rows = statement.query_map(params![scope.namespace_id, after.as_bytes(), limit], record)?;
            Ok(rows.collect::<Result<_, _>>()?)
        }
        EventQuery::Id(id) => {
            let Some(id) = parse_id(id) else { return Ok(Vec::new()) };
            let sql = concat!("SELECT ", event_columns!(), " FROM events WHERE namespace_id = ? AND id = ?");
            let mut statement = scope.prepare(sql)?;
            let found = statement.query_row(params![scope.namespace_id, id.as_bytes()], record).optional()?;
            Ok(found.into_iter().collect())
        }
    }
}

/// The newest event ever committed, kept or not; nil if there is none.
pub(super) fn newest(scope: Scope<'_>) -> Result<Uuid, StoreError> {
    let sql = "SELECT newest_event_id FROM namespaces WHERE id = ?";
    Ok(scope.prepare(sql)?.query_row([scope.namespace_id], scalar).map(Uuid::from_bytes)?)
}

/// The ids of the events after `after`, and their users.
pub(super) fn users_after(scope: Scope<'_>, after: Uuid, limit: u32) -> Result<Vec<(Uuid, Uuid)>, StoreError> {
    let sql = "SELECT id, user_id FROM events WHERE namespace_id = ? AND id > ? ORDER BY id LIMIT ?";
    let row = |row: &Row<'_>| {
        let (id, user_id) = <([u8; 16], [u8; 16])>::try_from(row)?;
        Ok((Uuid::from_bytes(id), Uuid::from_bytes(user_id)))
    };
    let mut statement = scope.prepare(sql)?;
    let rows = statement.query_map(params![scope.namespace_id, after.as_bytes(), limit], row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whether an event follows `after`.
pub(super) fn any_after(scope: Scope<'_>, after: Uuid) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM events WHERE namespace_id = ? AND id > ?)";
    Ok(scope.prepare(sql)?.query_row(params![scope.namespace_id, after.as_bytes()], scalar)?)
}

/// Appends an event. A trigger records the newest id.
pub(super) fn append(scope: Scope<'_>, user_id: Uuid, kind: EventKind) -> Result<(), StoreError> {
    let id = following(newest(scope)?, scope.now);
    let values = params![scope.namespace_id, id.as_bytes(), user_id.as_bytes(), kind, scope.now.unix_millis()];
    scope.prepare(INSERT)?.execute(values)?;
    Ok(())
}

/// Appends a `created` event for each of the users, with triggers off: records the newest id as the trigger does.
pub(super) fn append_created(scope: Scope<'_>, users: impl Iterator<Item = Uuid>) -> Result<(), StoreError> {
    let mut newest = newest(scope)?;
    let mut insert = scope.connection.prepare(INSERT)?;
    for user_id in users {
        newest = following(newest, scope.now);
        let (id, user_id) = (newest.as_bytes(), user_id.as_bytes());
        insert.execute(params![scope.namespace_id, id, user_id, EventKind::Created, scope.now.unix_millis()])?;
    }
    let sql = "UPDATE namespaces SET newest_event_id = ? WHERE id = ?";
    scope.prepare(sql)?.execute(params![newest.as_bytes(), scope.namespace_id])?;
    Ok(())
}

/// Deletes events from before a time which every consumer has acknowledged. Reads at most `limit` of the oldest events. If fewer
/// could be deleted, it reads the rest from behind a random dead event: however many of those are kept, they hide no others for long.
pub(super) fn prune(scope: Scope<'_>, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
    let sql = "SELECT coalesce(min(taken_up), x'ffffffffffffffffffffffffffffffff') FROM queues WHERE namespace_id = ? AND kind = 'events'";
    let last = scope.prepare(sql)?.query_row([scope.namespace_id], scalar).map(Uuid::from_bytes)?;
    let pruned = prune_page(scope, before, Uuid::nil(), last, limit)?;
    let rest = limit - u32::try_from(pruned).unwrap_or(limit).min(limit);
    match random_dead(scope)? {
        Some(dead) if rest > 0 => Ok(pruned + prune_page(scope, before, dead, last, rest)?),
        _ => Ok(pruned),
    }
}

/// A random event that a random consumer has given up, by its id.
fn random_dead(scope: Scope<'_>) -> Result<Option<Uuid>, StoreError> {
    let sql = "SELECT q.id, (SELECT min(id) FROM jobs WHERE queue_id = q.id AND state = 'dead'),
                            (SELECT max(id) FROM jobs WHERE queue_id = q.id AND state = 'dead')
               FROM queues AS q WHERE q.namespace_id = ? AND q.kind = 'events' ORDER BY random() LIMIT 1";
    let row = |row: &Row<'_>| <(i64, Option<i64>, Option<i64>)>::try_from(row);
    let found = scope.prepare(sql)?.query_row([scope.namespace_id], row).optional()?;
    // Without a random number, the next prune has one.
    let (Some((queue, Some(first), Some(last))), Ok(random)) = (found, random::bytes().map(u64::from_be_bytes)) else {
        return Ok(None);
    };
    let from = first.saturating_add_unsigned(random % (last.abs_diff(first) + 1));
    let sql = "SELECT event_id FROM jobs WHERE queue_id = ? AND state = 'dead' AND id >= ? ORDER BY id LIMIT 1";
    Ok(scope.prepare(sql)?.query_row([queue, from], scalar).optional()?.map(Uuid::from_bytes))
}

/// Of the `limit` events from `first` to `last`, deletes those that are from before a time and acknowledged.
fn prune_page(scope: Scope<'_>, before: Timestamp, first: Uuid, last: Uuid, limit: u32) -> Result<u64, StoreError> {
    // By the time of the event: its id has a later one if the clock has been set back since.
    let sql = "DELETE FROM events WHERE namespace_id = ?1 AND id IN (
                 SELECT e.id FROM (
                   SELECT id, time FROM events WHERE namespace_id = ?1 AND id BETWEEN ?3 AND ?4 ORDER BY id LIMIT ?5
                 ) AS e
                 WHERE e.time < ?2
                   AND NOT EXISTS (SELECT 1 FROM queues AS q CROSS JOIN jobs AS j INDEXED BY jobs_by_event
                                   ON j.queue_id = q.id AND j.event_id = e.id
                                   WHERE q.namespace_id = ?1 AND q.kind = 'events' AND j.state NOT IN ('done', 'ended')))";
    let values = params![scope.namespace_id, before.unix_millis(), first.as_bytes(), last.as_bytes(), limit];
    Ok(scope.prepare(sql)?.execute(values)? as u64)
}

impl ToSql for EventKind {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.name().into())
    }
}

impl FromSql for EventKind {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let name = value.as_str()?;
        Self::from_name(name).ok_or_else(|| FromSqlError::Other(format!("unknown kind of event {name:?}").into()))
    }
}

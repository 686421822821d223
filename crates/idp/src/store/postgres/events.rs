//! The event log.
//!
//! Transactions commit in another order than they take their ids. A reader that goes forward by id would skip the event of a slow
//! transaction. So it reads up to the horizon only: below, no transaction commits an event any more. Of one user, events have ids in
//! the order of commits, since the user's row is locked when the id is taken.

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::connection::Param;
use super::error::Failure;
use super::transaction::Scope;
use crate::model::{EventKind, EventRecord, Timestamp};
use crate::random;
use crate::store::sql::parse_id;
use crate::store::{EventQuery, StoreError};

/// The event of a row with id, user, kind and time, which begin at the column `first`.
pub(super) fn record(row: &Row, first: usize) -> Result<EventRecord, Failure> {
    let kind: &str = row.try_get(first + 2)?;
    Ok(EventRecord {
        id: row.try_get::<_, Uuid>(first)?.to_string(),
        user_id: row.try_get::<_, Uuid>(first + 1)?.to_string(),
        kind: EventKind::from_name(kind)
            .ok_or_else(|| StoreError::Corrupt(format!("unknown kind of event {kind:?}")))?,
        time: Timestamp::from_unix_millis(row.try_get(first + 3)?),
    })
}

/// The lowest id that a transaction may still commit. A statement of its own: later ones see all events below.
pub(super) async fn horizon(scope: &Scope) -> Result<Uuid, Failure> {
    scope.connection.value("SELECT tailor_idp.lowest_id_at(tailor_idp.event_horizon())", &[]).await
}

pub(super) async fn query(scope: &Scope, query: EventQuery<'_>) -> Result<Vec<EventRecord>, Failure> {
    let rows = match query {
        EventQuery::After { id, limit } => {
            let after = id.and_then(parse_id).unwrap_or_else(Uuid::nil);
            let horizon = horizon(scope).await?;
            let sql = "SELECT id, user_id, kind, time FROM tailor_idp.events
                       WHERE namespace_id = $1 AND id > $2 AND id < $3 ORDER BY id LIMIT $4";
            let params: [Param<'_>; 4] = [
                (&scope.namespace_id, Type::INT4),
                (&after, Type::UUID),
                (&horizon, Type::UUID),
                (&i64::from(limit), Type::INT8),
            ];
            scope.connection.query(sql, &params).await?
        }
        EventQuery::Id(id) => {
            let Some(id) = parse_id(id) else { return Ok(Vec::new()) };
            let sql = "SELECT id, user_id, kind, time FROM tailor_idp.events WHERE namespace_id = $1 AND id = $2";
            scope.connection.query(sql, &[(&scope.namespace_id, Type::INT4), (&id, Type::UUID)]).await?
        }
    };
    rows.iter().map(|row| record(row, 0)).collect()
}

/// The newest event below the horizon, kept or not; nil if there is none.
pub(super) async fn newest(scope: &Scope) -> Result<Uuid, Failure> {
    let horizon = horizon(scope).await?;
    let sql = "SELECT greatest(n.pruned_event,
                               (SELECT e.id FROM tailor_idp.events AS e WHERE e.namespace_id = n.id AND e.id < $2
                                ORDER BY e.id DESC LIMIT 1))
               FROM tailor_idp.namespaces AS n WHERE n.id = $1";
    scope.connection.value(sql, &[(&scope.namespace_id, Type::INT4), (&horizon, Type::UUID)]).await
}

/// The state of the log after a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// There are no more events.
    Nothing,
    /// There are events, but a transaction may still commit one below: they can be read when it has ended.
    Unsettled,
    /// There are events to read.
    Events,
}

/// What follows `after`.
pub(super) async fn rest_after(scope: &Scope, after: Uuid) -> Result<Rest, Failure> {
    let sql = "SELECT id FROM tailor_idp.events WHERE namespace_id = $1 AND id > $2 ORDER BY id LIMIT 1";
    let horizon = horizon(scope).await?;
    let next = scope.connection.row(sql, &[(&scope.namespace_id, Type::INT4), (&after, Type::UUID)]).await?;
    match next {
        None => Ok(Rest::Nothing),
        Some(next) if next.try_get::<_, Uuid>(0)? < horizon => Ok(Rest::Events),
        Some(_) => Ok(Rest::Unsettled),
    }
}

/// Appends an event. The user's row is locked, if there still is one.
pub(super) async fn append(scope: &Scope, user_id: Uuid, kind: EventKind) -> Result<(), Failure> {
    let sql = "INSERT INTO tailor_idp.events (namespace_id, id, user_id, kind, time)
               VALUES ($1, tailor_idp.id_at(tailor_idp.event_tick($2)), $3, $4, $5)";
    scope.concerns_workers();
    let params: [Param<'_>; 5] = [
        (&scope.namespace_id, Type::INT4),
        (&scope.now_tick(), Type::INT8),
        (&user_id, Type::UUID),
        (&kind.name(), Type::TEXT),
        (&scope.now.unix_millis(), Type::INT8),
    ];
    scope.connection.execute(sql, &params).await?;
    Ok(())
}

/// Appends a `created` event for each of the users.
pub(super) async fn append_created(scope: &Scope, users: &[Uuid]) -> Result<(), Failure> {
    scope.concerns_workers();
    let sql = "SELECT tailor_idp.id_at(tailor_idp.event_tick($1))";
    let first: Uuid = scope.connection.value(sql, &[(&scope.now_tick(), Type::INT8)]).await?;
    // The last 62 bits are random: an overflow does not occur in practice.
    let ids: Vec<_> = (0..users.len()).map(|index| Uuid::from_u128(first.as_u128() + index as u128)).collect();
    let sql = "INSERT INTO tailor_idp.events (namespace_id, id, user_id, kind, time)
               SELECT $1, e.id, e.user_id, $4, $5 FROM unnest($2, $3) AS e (id, user_id)";
    let params: [Param<'_>; 5] = [
        (&scope.namespace_id, Type::INT4),
        (&ids, Type::UUID_ARRAY),
        (&users, Type::UUID_ARRAY),
        (&EventKind::Created.name(), Type::TEXT),
        (&scope.now.unix_millis(), Type::INT8),
    ];
    scope.connection.execute(sql, &params).await?;
    Ok(())
}

/// Deletes events from before a time which every consumer has acknowledged. Reads at most `limit` of the oldest events. If fewer
/// could be deleted, it reads the rest from behind a random dead event: however many of those are kept, they hide no others for long.
pub(super) async fn prune(scope: &Scope, before: Timestamp, limit: u32) -> Result<u64, Failure> {
    let sql = "SELECT coalesce((SELECT taken_up FROM tailor_idp.queues WHERE namespace_id = $1 AND kind = 'events'
                                ORDER BY taken_up LIMIT 1), $2)";
    let params: [Param<'_>; 2] = [(&scope.namespace_id, Type::INT4), (&Uuid::max(), Type::UUID)];
    let last: Uuid = scope.connection.value(sql, &params).await?;
    let pruned = prune_page(scope, before, Uuid::nil(), last, limit).await?;
    let rest = limit - u32::try_from(pruned).unwrap_or(limit).min(limit);
    match random_dead(scope).await? {
        Some(dead) if rest > 0 => Ok(pruned + prune_page(scope, before, dead, last, rest).await?),
        _ => Ok(pruned),
    }
}

/// A random event that a random consumer has given up, by its id.
async fn random_dead(scope: &Scope) -> Result<Option<Uuid>, Failure> {
    let sql = "SELECT q.id, (SELECT min(id) FROM tailor_idp.jobs WHERE queue_id = q.id AND state = 'dead'),
                            (SELECT max(id) FROM tailor_idp.jobs WHERE queue_id = q.id AND state = 'dead')
               FROM tailor_idp.queues AS q WHERE q.namespace_id = $1 AND q.kind = 'events' ORDER BY random() LIMIT 1";
    let Some(row) = scope.connection.row(sql, &[(&scope.namespace_id, Type::INT4)]).await? else { return Ok(None) };
    let (queue, first, last): (i64, Option<i64>, Option<i64>) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    // Without a random number, the next prune has one.
    let (Some(first), Some(last), Ok(random)) = (first, last, random::bytes().map(u64::from_be_bytes)) else {
        return Ok(None);
    };
    let from = first.saturating_add_unsigned(random % (last.abs_diff(first) + 1));
    let sql = "SELECT event_id FROM tailor_idp.jobs
               WHERE queue_id = $1 AND state = 'dead' AND id >= $2 ORDER BY id LIMIT 1";
    match scope.connection.row(sql, &[(&queue, Type::INT8), (&from, Type::INT8)]).await? {
        Some(row) => Ok(row.try_get(0)?),
        None => Ok(None),
    }
}

/// Of the `limit` events from `first` to `last`, deletes those that are from before a time and acknowledged.
async fn prune_page(scope: &Scope, before: Timestamp, first: Uuid, last: Uuid, limit: u32) -> Result<u64, Failure> {
    // By the time of the event: its id has a later one if the clock has been set back since.
    let sql = "WITH deleted AS (
                 DELETE FROM tailor_idp.events WHERE namespace_id = $1 AND id IN (
                   SELECT e.id FROM (
                     SELECT id, time FROM tailor_idp.events
                     WHERE namespace_id = $1 AND id BETWEEN $3 AND $4 ORDER BY id LIMIT $5
                   ) AS e
                   WHERE e.time < $2
                     AND NOT EXISTS (SELECT 1 FROM tailor_idp.queues AS q JOIN tailor_idp.jobs AS j
                                     ON j.queue_id = q.id AND j.event_id = e.id
                                     WHERE q.namespace_id = $1 AND q.kind = 'events'
                                       AND j.state NOT IN ('done', 'ended')))
                 RETURNING id
               ), recorded AS (
                 UPDATE tailor_idp.namespaces
                 SET pruned_event = greatest(pruned_event, (SELECT id FROM deleted ORDER BY id DESC LIMIT 1))
                 WHERE id = $1 AND EXISTS (SELECT 1 FROM deleted)
               )
               SELECT count(*) FROM deleted";
    let params: [Param<'_>; 5] = [
        (&scope.namespace_id, Type::INT4),
        (&before.unix_millis(), Type::INT8),
        (&first, Type::UUID),
        (&last, Type::UUID),
        (&i64::from(limit), Type::INT8),
    ];
    Ok(scope.connection.value::<i64>(sql, &params).await?.unsigned_abs())
}

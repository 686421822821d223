//! Deliveries: which event a consumer is given next, and what became of it.
//!
//! A consumer takes events up in commit order into `event_deliveries`. Of each user one row is the next; the rest wait
//! behind it. So one event at a time of a user is claimed, whoever claims, and a user who is held up holds up nobody else.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::events::record;
use super::rows::parse_id;
use crate::idp::Timestamp;
use crate::store::{Claim, DeadEvent, Delivery, Lease, Outcome, Revival, StoreError};

/// Events that one claim takes up at the most: bounds how long other writes wait for it.
const TAKEN_UP_AT_ONCE: u32 = 512;

const NEXT_DUE: &str = "SELECT min(due) FROM event_deliveries WHERE consumer_id = ? AND state = 1";

/// A consumer's row.
#[derive(Debug, Clone, Copy)]
pub(super) struct ConsumerRow {
    id: i64,
    namespace_id: i64,
    taken_up: Uuid,
}

pub(super) fn consumer(connection: &Connection, namespace_id: i64, name: &str) -> Result<ConsumerRow, StoreError> {
    let sql = "SELECT id, taken_up FROM event_consumers WHERE namespace_id = ? AND name = ?";
    let row =
        |row: &Row<'_>| Ok(ConsumerRow { id: row.get(0)?, namespace_id, taken_up: Uuid::from_bytes(row.get(1)?) });
    let found = connection.prepare_cached(sql)?.query_row(params![namespace_id, name], row).optional()?;
    found.ok_or_else(|| StoreError::NoSuchConsumer(name.to_owned()))
}

/// What a claim would get where that is nothing; `None` where there is something.
pub(super) fn nothing(connection: &Connection, namespace_id: i64, name: &str) -> Result<Option<Claim>, StoreError> {
    let consumer = consumer(connection, namespace_id, name)?;
    let next_due = next_due(connection, consumer)?;
    let sql = "SELECT EXISTS (SELECT 1 FROM events WHERE namespace_id = ? AND id > ?)";
    let values = params![namespace_id, consumer.taken_up.as_bytes()];
    let fresh: bool = connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?;
    let due = next_due.is_some_and(|due| due.unix_millis() <= now());
    Ok((!fresh && !due).then(|| Claim { next_due, ..Claim::default() }))
}

pub(super) fn claim(
    connection: &Connection,
    namespace_id: i64,
    name: &str,
    lease: Duration,
    limit: u32,
) -> Result<Claim, StoreError> {
    let mut consumer = consumer(connection, namespace_id, name)?;
    let until = now().saturating_add(i64::try_from(lease.as_millis()).unwrap_or(i64::MAX));
    let mut deliveries = Vec::new();
    let mut taken_up = 0;
    let more = loop {
        let wanted = limit - deliveries.len() as u32;
        lease_due(connection, consumer, name, until, wanted, &mut deliveries)?;
        let wanted = limit - deliveries.len() as u32;
        if wanted == 0 || taken_up >= TAKEN_UP_AT_ONCE {
            break true;
        }
        match take_up(connection, &mut consumer, wanted.min(TAKEN_UP_AT_ONCE - taken_up))? {
            0 => break false,
            count => taken_up += count,
        }
    };
    Ok(Claim { deliveries, next_due: next_due(connection, consumer)?, more })
}

fn next_due(connection: &Connection, consumer: ConsumerRow) -> Result<Option<Timestamp>, StoreError> {
    let due: Option<i64> = connection.prepare_cached(NEXT_DUE)?.query_row([consumer.id], |row| row.get(0))?;
    Ok(due.map(Timestamp::from_unix_millis))
}

/// Leases what is due, those that have waited longest first.
fn lease_due(
    connection: &Connection,
    consumer: ConsumerRow,
    name: &str,
    until: i64,
    limit: u32,
    deliveries: &mut Vec<Delivery>,
) -> Result<(), StoreError> {
    let sql = "SELECT e.id, e.user_id, e.kind, e.time, d.attempts + 1, d.refusals
               FROM event_deliveries AS d CROSS JOIN events AS e ON e.namespace_id = ?2 AND e.id = d.event_id
               WHERE d.consumer_id = ?1 AND d.state = 1 AND d.due <= ?3 ORDER BY d.due, d.event_id LIMIT ?4";
    let token = Uuid::now_v7().into_bytes();
    let delivery = |row: &Row<'_>| {
        let event = record(row)?;
        let lease = Lease { consumer: name.to_owned(), event_id: event.id.clone(), token };
        Ok(Delivery { event, attempts: row.get(4)?, refusals: row.get(5)?, lease })
    };
    let mut statement = connection.prepare_cached(sql)?;
    let values = params![consumer.id, consumer.namespace_id, now(), limit];
    let claimed: Vec<Delivery> = statement.query_map(values, delivery)?.collect::<Result<_, _>>()?;
    let sql = "UPDATE event_deliveries SET due = ?, lease = ?, attempts = attempts + 1 WHERE consumer_id = ? AND event_id = ?";
    let mut statement = connection.prepare_cached(sql)?;
    for delivery in &claimed {
        let id = parse_id(&delivery.event.id).unwrap_or_default();
        statement.execute(params![until, token, consumer.id, id.as_bytes()])?;
    }
    deliveries.extend(claimed);
    Ok(())
}

/// Makes deliveries of the consumer's next events. Returns of how many.
fn take_up(connection: &Connection, consumer: &mut ConsumerRow, limit: u32) -> Result<u32, StoreError> {
    let sql = "SELECT id, user_id FROM events WHERE namespace_id = ? AND id > ? ORDER BY id LIMIT ?";
    let values = params![consumer.namespace_id, consumer.taken_up.as_bytes(), limit];
    let row = |row: &Row<'_>| Ok((Uuid::from_bytes(row.get(0)?), Uuid::from_bytes(row.get(1)?)));
    let events: Vec<(Uuid, Uuid)> =
        connection.prepare_cached(sql)?.query_map(values, row)?.collect::<Result<_, _>>()?;
    let sql = "INSERT INTO event_deliveries (consumer_id, event_id, user_id, state, due) VALUES (?1, ?2, ?3,
                 NOT EXISTS (SELECT 1 FROM event_deliveries INDEXED BY event_deliveries_by_user
                             WHERE consumer_id = ?1 AND user_id = ?3 AND state < 2), ?4)";
    let mut statement = connection.prepare_cached(sql)?;
    for (id, user_id) in &events {
        statement.execute(params![consumer.id, id.as_bytes(), user_id.as_bytes(), now()])?;
    }
    if let Some((last, _)) = events.last() {
        consumer.taken_up = *last;
        let sql = "UPDATE event_consumers SET taken_up = ? WHERE id = ?";
        connection.prepare_cached(sql)?.execute(params![last.as_bytes(), consumer.id])?;
    }
    Ok(events.len() as u32)
}

pub(super) fn settle(
    connection: &Connection,
    namespace_id: i64,
    lease: &Lease,
    outcome: &Outcome,
) -> Result<bool, StoreError> {
    let consumer = match consumer(connection, namespace_id, &lease.consumer) {
        Err(StoreError::NoSuchConsumer(_)) => return Ok(false),
        consumer => consumer?,
    };
    let Some(id) = parse_id(&lease.event_id) else { return Ok(false) };
    let sql = "SELECT user_id FROM event_deliveries WHERE consumer_id = ? AND event_id = ? AND state = 1 AND lease = ?";
    let held = params![consumer.id, id.as_bytes(), lease.token];
    let user = connection.prepare_cached(sql)?.query_row(held, |row| row.get(0)).optional()?.map(Uuid::from_bytes);
    let Some(user_id) = user else { return Ok(false) };
    let row = "WHERE consumer_id = ?1 AND event_id = ?2";
    match outcome {
        Outcome::Acknowledged => {
            let sql = format!("DELETE FROM event_deliveries {row}");
            connection.prepare_cached(&sql)?.execute(params![consumer.id, id.as_bytes()])?;
        }
        Outcome::Released => {
            let sql =
                format!("UPDATE event_deliveries SET due = ?3, lease = NULL, attempts = max(attempts - 1, 0) {row}");
            connection.prepare_cached(&sql)?.execute(params![consumer.id, id.as_bytes(), now()])?;
        }
        Outcome::Failed { due, refused, reason } => {
            let sql = format!(
                "UPDATE event_deliveries SET due = ?3, lease = NULL, refusals = refusals + ?4, reason = ?5 {row}"
            );
            let values = params![consumer.id, id.as_bytes(), due.unix_millis(), refused, reason];
            connection.prepare_cached(&sql)?.execute(values)?;
        }
        Outcome::Dead { reason } => {
            let sql = format!("UPDATE event_deliveries SET state = 2, lease = NULL, reason = ?3 {row}");
            connection.prepare_cached(&sql)?.execute(params![consumer.id, id.as_bytes(), reason])?;
        }
    }
    promote(connection, consumer, user_id)?;
    Ok(true)
}

/// Makes the user's oldest delivery the next, where none is.
fn promote(connection: &Connection, consumer: ConsumerRow, user_id: Uuid) -> Result<(), StoreError> {
    let sql = "UPDATE event_deliveries SET state = 1, due = ?3
               WHERE consumer_id = ?1 AND event_id = (
                 SELECT min(event_id) FROM event_deliveries INDEXED BY event_deliveries_by_user
                 WHERE consumer_id = ?1 AND user_id = ?2 AND state < 2)
               AND NOT EXISTS (SELECT 1 FROM event_deliveries INDEXED BY event_deliveries_next_of_user
                               WHERE consumer_id = ?1 AND user_id = ?2 AND state = 1)";
    connection.prepare_cached(sql)?.execute(params![consumer.id, user_id.as_bytes(), now()])?;
    Ok(())
}

pub(super) fn dead(
    connection: &Connection,
    namespace_id: i64,
    name: Option<&str>,
    limit: u32,
) -> Result<Vec<DeadEvent>, StoreError> {
    let sql = "SELECT e.id, e.user_id, e.kind, e.time, d.attempts, d.reason, c.name
               FROM event_consumers AS c
               CROSS JOIN event_deliveries AS d INDEXED BY event_deliveries_dead ON d.consumer_id = c.id AND d.state = 2
               CROSS JOIN events AS e ON e.namespace_id = ?1 AND e.id = d.event_id
               WHERE c.namespace_id = ?1 AND (?2 IS NULL OR c.name = ?2) ORDER BY c.name, d.event_id LIMIT ?3";
    let dead = |row: &Row<'_>| {
        let reason: Option<String> = row.get(5)?;
        let reason = reason.unwrap_or_default();
        Ok(DeadEvent { event: record(row)?, attempts: row.get(4)?, reason, consumer: row.get(6)? })
    };
    let mut statement = connection.prepare_cached(sql)?;
    Ok(statement.query_map(params![namespace_id, name, limit], dead)?.collect::<Result<_, _>>()?)
}

pub(super) fn revive(
    connection: &Connection,
    namespace_id: i64,
    name: &str,
    event_id: Option<Uuid>,
    revival: Revival,
) -> Result<u64, StoreError> {
    let consumer = consumer(connection, namespace_id, name)?;
    let event_id = event_id.map(Uuid::into_bytes);
    let sql =
        "SELECT user_id FROM event_deliveries WHERE consumer_id = ?1 AND state = 2 AND (?2 IS NULL OR event_id = ?2)";
    let mut statement = connection.prepare_cached(sql)?;
    let user = |row: &Row<'_>| Ok(Uuid::from_bytes(row.get(0)?));
    let users: Vec<Uuid> = statement.query_map(params![consumer.id, event_id], user)?.collect::<Result<_, _>>()?;
    let what = match revival {
        Revival::Retry => "UPDATE event_deliveries SET state = 0, attempts = 0, refusals = 0",
        Revival::Discard => "DELETE FROM event_deliveries",
    };
    let sql = format!("{what} WHERE consumer_id = ?1 AND state = 2 AND (?2 IS NULL OR event_id = ?2)");
    connection.prepare_cached(&sql)?.execute(params![consumer.id, event_id])?;
    for user_id in &users {
        promote(connection, consumer, *user_id)?;
    }
    Ok(users.len() as u64)
}

/// Milliseconds since the Unix epoch.
fn now() -> i64 {
    Timestamp::now().unix_millis()
}

//! Counters. A row is locked from the count to the end of the transaction, so limits are exact over all programs.

use std::time::Duration;

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::connection::Param;
use super::error::Failure;
use super::transaction::Scope;
use crate::model::Timestamp;
use crate::store::sql::MAX_STEP;
use crate::store::{Counter, CounterKey};

/// The counter of a row with count and start.
fn record(row: &Row) -> Result<Counter, Failure> {
    Ok(Counter { count: row.try_get::<_, i64>(0)?.unsigned_abs(), since: Timestamp::from_unix_millis(row.try_get(1)?) })
}

/// A counter at zero: the next count starts its window.
fn zero(scope: &Scope) -> Counter {
    Counter { count: 0, since: scope.now }
}

/// The counters, ended or not, with windows that start no later than now. One statement: read at one point in time.
pub(super) async fn get(scope: &Scope, keys: &[CounterKey]) -> Result<Vec<Counter>, Failure> {
    let scopes: Vec<_> = keys.iter().map(|key| key.scope).collect();
    let subjects: Vec<_> = keys.iter().map(|key| key.subject.as_slice()).collect();
    let sql = "SELECT c.count, c.since, k.position
               FROM unnest($2, $3) WITH ORDINALITY AS k (scope, subject, position)
               JOIN tailor_idp.counters AS c ON c.namespace_id = $1 AND c.scope = k.scope AND c.subject = k.subject
               WHERE c.count > 0";
    let params: [Param<'_>; 3] =
        [(&scope.namespace_id, Type::INT4), (&scopes, Type::TEXT_ARRAY), (&subjects, Type::BYTEA_ARRAY)];
    let mut counters = vec![zero(scope); keys.len()];
    for row in scope.connection.query(sql, &params).await? {
        let Counter { count, since } = record(&row)?;
        let position = usize::try_from(row.try_get::<_, i64>(2)?).unwrap_or(0);
        if let Some(counter) = counters.get_mut(position.wrapping_sub(1)) {
            *counter = Counter { count, since: since.min(scope.now) };
        }
    }
    Ok(counters)
}

/// Adds to the counter, and returns the number of rows changed and the counter afterwards. With `since`, only if that is when its
/// window started.
pub(super) async fn count(
    scope: &Scope,
    key: &CounterKey,
    by: i64,
    window: Duration,
    since: Option<Timestamp>,
) -> Result<(u64, Counter), Failure> {
    // A window that started until then has ended.
    let ended = scope.now.before(window).unix_millis();
    let by = by.clamp(-MAX_STEP, MAX_STEP);
    let start = since.unwrap_or(scope.now).unix_millis();
    let params: [Param<'_>; 6] = [
        (&scope.namespace_id, Type::INT4),
        (&key.scope, Type::TEXT),
        (&key.subject, Type::BYTEA),
        (&by, Type::INT8),
        (&start, Type::INT8),
        (&ended, Type::INT8),
    ];
    let sql = match since {
        Some(_) => {
            "UPDATE tailor_idp.counters SET count = greatest(count + $4, 0)
             WHERE namespace_id = $1 AND scope = $2 AND subject = $3 AND since = $5 AND since > $6
             RETURNING count, since"
        }
        None => {
            "INSERT INTO tailor_idp.counters AS c (namespace_id, scope, subject, count, since)
             VALUES ($1, $2, $3, greatest($4, 0), $5)
             ON CONFLICT (namespace_id, scope, subject) DO UPDATE SET
               count = greatest(CASE WHEN c.since <= $6 THEN 0 ELSE c.count END + $4, 0),
               since = CASE WHEN c.since <= $6 OR c.count = 0 THEN $5 ELSE least(c.since, $5) END
             RETURNING count, since"
        }
    };
    match scope.connection.row(sql, &params).await?.as_ref().map(record).transpose()? {
        Some(Counter { count: 0, .. }) => Ok((1, zero(scope))),
        Some(counter) => Ok((1, counter)),
        None => {
            let found = get(scope, std::slice::from_ref(key)).await?;
            Ok((0, found.first().copied().unwrap_or_else(|| zero(scope))))
        }
    }
}

pub(super) async fn reset(scope: &Scope, key: &CounterKey) -> Result<u64, Failure> {
    let sql = "DELETE FROM tailor_idp.counters WHERE namespace_id = $1 AND scope = $2 AND subject = $3";
    let params: [Param<'_>; 3] =
        [(&scope.namespace_id, Type::INT4), (&key.scope, Type::TEXT), (&key.subject, Type::BYTEA)];
    scope.connection.execute(sql, &params).await
}

/// Deletes the counters whose windows started at a time or earlier.
pub(super) async fn prune(scope: &Scope, started_until: Timestamp) -> Result<u64, Failure> {
    let sql = "DELETE FROM tailor_idp.counters WHERE namespace_id = $1 AND since <= $2";
    let params: [Param<'_>; 2] = [(&scope.namespace_id, Type::INT4), (&started_until.unix_millis(), Type::INT8)];
    scope.connection.execute(sql, &params).await
}

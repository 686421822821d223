//! Counters.

use std::time::Duration;

use rusqlite::{OptionalExtension, Row, params};

use super::scope::Scope;
use super::select_list::select_list;
use crate::model::Timestamp;
use crate::store::sql::MAX_STEP;
use crate::store::{Counter, CounterKey, StoreError};

select_list! {
    /// The columns of [`record`].
    counter_columns, column {
        COUNT = "count",
        SINCE = "since",
    }
}

fn record(row: &Row<'_>) -> Result<Counter, rusqlite::Error> {
    Ok(Counter {
        count: row.get::<_, i64>(column::COUNT)?.unsigned_abs(),
        since: Timestamp::from_unix_millis(row.get(column::SINCE)?),
    })
}

/// A counter at zero: the next count starts its window.
fn zero(scope: Scope<'_>) -> Counter {
    Counter { count: 0, since: scope.now }
}

/// The counter, ended or not, with a window that starts no later than now.
pub(super) fn get(scope: Scope<'_>, key: &CounterKey) -> Result<Counter, StoreError> {
    let sql = concat!(
        "SELECT ",
        counter_columns!(),
        " FROM counters WHERE namespace_id = ? AND scope = ? AND subject = ? AND count > 0"
    );
    let values = params![scope.namespace_id, key.scope, key.subject];
    let found = scope.prepare(sql)?.query_row(values, record).optional()?;
    Ok(match found {
        Some(Counter { count, since }) => Counter { count, since: since.min(scope.now) },
        None => zero(scope),
    })
}

/// Adds to the counter, and returns the number of rows changed and the counter afterwards. With `since`, only if that is when its
/// window started.
pub(super) fn count(
    scope: Scope<'_>,
    key: &CounterKey,
    by: i64,
    window: Duration,
    since: Option<Timestamp>,
) -> Result<(u64, Counter), StoreError> {
    // A window that started until then has ended.
    let ended = scope.now.before(window).unix_millis();
    let by = by.clamp(-MAX_STEP, MAX_STEP);
    let changed = match since {
        Some(since) => {
            let sql = concat!(
                "UPDATE counters SET count = max(count + ?4, 0)
                 WHERE namespace_id = ?1 AND scope = ?2 AND subject = ?3 AND since = ?5 AND since > ?6
                 RETURNING ",
                counter_columns!()
            );
            let values = params![scope.namespace_id, key.scope, key.subject, by, since.unix_millis(), ended];
            scope.prepare(sql)?.query_row(values, record).optional()?
        }
        None => {
            let sql = concat!(
                "INSERT INTO counters (namespace_id, scope, subject, count, since)
                 VALUES (?1, ?2, ?3, max(?4, 0), ?5)
                 ON CONFLICT (namespace_id, scope, subject) DO UPDATE SET
                   count = max(iif(since <= ?6, 0, count) + ?4, 0),
                   since = iif(since <= ?6 OR count = 0, ?5, min(since, ?5))
                 RETURNING ",
                counter_columns!()
            );
            let now = scope.now.unix_millis();
            let values = params![scope.namespace_id, key.scope, key.subject, by, now, ended];
            Some(scope.prepare(sql)?.query_row(values, record)?)
        }
    };
    match changed {
        Some(Counter { count: 0, .. }) => Ok((1, zero(scope))),
        Some(counter) => Ok((1, counter)),
        None => Ok((0, get(scope, key)?)),
    }
}

pub(super) fn reset(scope: Scope<'_>, key: &CounterKey) -> Result<u64, StoreError> {
    let sql = "DELETE FROM counters WHERE namespace_id = ? AND scope = ? AND subject = ?";
    Ok(scope.prepare(sql)?.execute(params![scope.namespace_id, key.scope, key.subject])? as u64)
}

/// Deletes the counters whose windows started at a time or earlier.
pub(super) fn prune(scope: Scope<'_>, started_until: Timestamp) -> Result<u64, StoreError> {
    let sql = "DELETE FROM counters WHERE namespace_id = ? AND since <= ?";
    Ok(scope.prepare(sql)?.execute(params![scope.namespace_id, started_until.unix_millis()])? as u64)
}

//! Jobs of all queues. Jobs of events are ordered by user: later ones of a user wait behind the first.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use rusqlite::{OptionalExtension, Row, ToSql, params};
use uuid::Uuid;

use super::queues;
use super::scope::Scope;
use super::select_list::{scalar, select_list};
use crate::model::{EventRecord, Timestamp};
use crate::store::sql::{in_state, parse_id};
use crate::store::{JobFilter, JobKey, JobRecord, JobState, Lease, QueueName, StoreError};

select_list! {
    /// The columns of [`record`], of `jobs AS j` and `events AS e`.
    job_columns, column {
        ID = "j.id",
        USER_ID = "j.user_id",
        PAYLOAD = "j.payload",
        STATE = "j.state",
        QUEUED_AT = "j.queued_at",
        DUE_AT = "j.due_at",
        FINISHED_AT = "j.finished_at",
        ATTEMPTS = "j.attempts",
        REFUSALS = "j.refusals",
        REASON = "j.reason",
        EVENT_ID = "e.id",
        EVENT_USER_ID = "e.user_id",
        EVENT_KIND = "e.kind",
        EVENT_TIME = "e.time",
    }
}

pub(super) use job_columns;

/// The job of a row of [`job_columns!`].
pub(super) fn record(row: &Row<'_>) -> Result<JobRecord, rusqlite::Error> {
    let event = match row.get::<_, Option<[u8; 16]>>(column::EVENT_ID)? {
        Some(id) => Some(EventRecord {
            id: Uuid::from_bytes(id).to_string(),
            user_id: Uuid::from_bytes(row.get(column::EVENT_USER_ID)?).to_string(),
            kind: row.get(column::EVENT_KIND)?,
            time: Timestamp::from_unix_millis(row.get(column::EVENT_TIME)?),
        }),
        None => None,
    };
    Ok(JobRecord {
        id: row.get(column::ID)?,
        user_id: Uuid::from_bytes(row.get(column::USER_ID)?).to_string(),
        payload: row.get(column::PAYLOAD)?,
        event,
        state: row.get(column::STATE)?,
        queued_at: Timestamp::from_unix_millis(row.get(column::QUEUED_AT)?),
        due_at: Timestamp::from_unix_millis(row.get(column::DUE_AT)?),
        finished_at: row.get::<_, Option<i64>>(column::FINISHED_AT)?.map(Timestamp::from_unix_millis),
        attempts: row.get(column::ATTEMPTS)?,
        refusals: row.get(column::REFUSALS)?,
        reason: row.get(column::REASON)?,
    })
}

impl FromSql for JobState {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_str()? {
            "waiting" | "queued" => Ok(Self::Queued),
            "leased" => Ok(Self::Leased),
            "done" => Ok(Self::Done),
            "dead" => Ok(Self::Dead),
            "ended" => Ok(Self::Ended),
            other => Err(FromSqlError::Other(format!("unknown state of a job {other:?}").into())),
        }
    }
}

/// Looks rows up by their id: SQLite then uses the primary key alone.
const BY_ID: &str = "NOT INDEXED";

/// The jobs that match.
pub(super) fn list(scope: Scope<'_>, filter: &JobFilter) -> Result<Vec<JobRecord>, StoreError> {
    // Exhaustive: the compiler points here when a filter is added.
    let JobFilter { queue, id, user_id, state, newest_first, limit } = filter;
    let user_id = match user_id.as_deref().map(parse_id) {
        Some(None) => return Ok(Vec::new()),
        Some(Some(id)) => Some(id.into_bytes()),
        None => None,
    };
    let Some(found) = queues::find(scope, queue)? else { return Ok(Vec::new()) };
    let mut values: Vec<&dyn ToSql> = params![scope.namespace_id, found.id, limit].to_vec();
    let mut conditions = vec!["j.queue_id = ?2".to_owned()];
    if let Some(id) = id {
        values.push(id);
        conditions.push(format!("j.id = ?{}", values.len()));
    }
    if let Some(user_id) = &user_id {
        values.push(user_id);
        conditions.push(format!("j.user_id = ?{}", values.len()));
    }
    conditions.extend(state.map(|state| in_state(state).to_owned()));
    let index = match (id, user_id, state) {
        (Some(_), ..) => BY_ID,
        (None, Some(_), _) => "INDEXED BY jobs_by_user",
        (None, None, Some(JobState::Dead)) => "INDEXED BY jobs_dead",
        (None, None, _) => "INDEXED BY jobs_by_queue",
    };
    let sql = format!(
        "SELECT {} FROM jobs AS j {index} LEFT JOIN events AS e ON e.namespace_id = ?1 AND e.id = j.event_id
         WHERE {} ORDER BY j.id {} LIMIT ?3",
        job_columns!(),
        conditions.join(" AND "),
        if *newest_first { "DESC" } else { "ASC" },
    );
    let mut statement = scope.prepare(&sql)?;
    Ok(statement.query_map(&*values, record)?.collect::<Result<_, _>>()?)
}

/// Whether the lease is valid.
pub(super) fn is_leased(scope: Scope<'_>, lease: &Lease) -> Result<bool, StoreError> {
    let Some(queue) = queues::find(scope, &lease.queue)? else { return Ok(false) };
    let sql = "SELECT EXISTS (SELECT 1 FROM jobs WHERE id = ? AND queue_id = ? AND state = 'leased' AND lease = ?)";
    Ok(scope.prepare(sql)?.query_row(params![lease.job_id, queue.id, lease.token], scalar)?)
}

/// The newest job of the user in the queue, finished or not.
pub(super) fn newest_of_user(scope: Scope<'_>, queue: &QueueName, user_id: Uuid) -> Result<Option<i64>, StoreError> {
    let Some(queue) = queues::find(scope, queue)? else { return Ok(None) };
    let sql = "SELECT max(id) FROM jobs INDEXED BY jobs_by_user WHERE queue_id = ? AND user_id = ?";
    Ok(scope.prepare(sql)?.query_row(params![queue.id, user_id.as_bytes()], scalar)?)
}

/// Queues a mail that is due at once.
pub(super) fn enqueue_mail(scope: Scope<'_>, user_id: Uuid, payload: &str) -> Result<u64, StoreError> {
    let queue_id = queues::mails(scope)?;
    let sql = "INSERT INTO jobs (queue_id, user_id, payload, state, queued_at, due_at)
               VALUES (?1, ?2, ?3, 'queued', ?4, ?4)";
    let values = params![queue_id, user_id.as_bytes(), payload, scope.now.unix_millis()];
    Ok(scope.prepare(sql)?.execute(values)? as u64)
}

/// Ends the unfinished jobs of the user.
pub(super) fn end(scope: Scope<'_>, queue: &QueueName, user_id: Uuid, reason: &str) -> Result<u64, StoreError> {
    let Some(queue) = queues::find(scope, queue)? else { return Ok(0) };
    let sql = "UPDATE jobs INDEXED BY jobs_by_user
               SET state = 'ended', lease = NULL, finished_at = ?3, reason = ?4
               WHERE queue_id = ?1 AND user_id = ?2 AND finished_at IS NULL";
    let values = params![queue.id, user_id.as_bytes(), scope.now.unix_millis(), reason];
    Ok(scope.prepare(sql)?.execute(values)? as u64)
}

/// Makes the leased jobs of the user due at once.
pub(super) fn requeue(scope: Scope<'_>, queue: &QueueName, user_id: Uuid) -> Result<u64, StoreError> {
    let Some(queue) = queues::find(scope, queue)? else { return Ok(0) };
    let sql = "UPDATE jobs INDEXED BY jobs_by_user SET state = 'queued', lease = NULL, due_at = ?3
               WHERE queue_id = ?1 AND user_id = ?2 AND state = 'leased'";
    Ok(scope.prepare(sql)?.execute(params![queue.id, user_id.as_bytes(), scope.now.unix_millis()])? as u64)
}

/// Deletes the jobs of the user, finished ones too.
pub(super) fn delete(scope: Scope<'_>, queue: &QueueName, user_id: Uuid) -> Result<u64, StoreError> {
    let Some(queue) = queues::find(scope, queue)? else { return Ok(0) };
    let sql = "DELETE FROM jobs INDEXED BY jobs_by_user WHERE queue_id = ? AND user_id = ?";
    Ok(scope.prepare(sql)?.execute(params![queue.id, user_id.as_bytes()])? as u64)
}

/// Dead jobs to change.
struct DeadJobs {
    queue_id: i64,
    /// `None`: all dead jobs of the queue.
    id: Option<i64>,
}

impl DeadJobs {
    /// The index to find them by, and the SQL condition.
    fn condition(&self) -> (&'static str, &'static str) {
        match self.id {
            Some(_) => (BY_ID, "queue_id = ?1 AND state = 'dead' AND id = ?2"),
            None => ("INDEXED BY jobs_dead", "queue_id = ?1 AND state = 'dead' AND ?2 IS NULL"),
        }
    }

    /// `None` if there are none.
    fn find(scope: Scope<'_>, queue: &QueueName, job: Option<&JobKey>) -> Result<Option<Self>, StoreError> {
        let Some(queue) = queues::find_known(scope, queue)? else { return Ok(None) };
        let dead = |id| Self { queue_id: queue.id, id };
        match job {
            None => Ok(Some(dead(None))),
            Some(JobKey::Id(id)) => Ok(Some(dead(Some(*id)))),
            Some(JobKey::Event(id)) => {
                let Some(event_id) = parse_id(id) else { return Ok(None) };
                let sql = "SELECT id FROM jobs INDEXED BY jobs_by_event WHERE queue_id = ? AND event_id = ?";
                let values = params![queue.id, event_id.as_bytes()];
                let id = scope.prepare(sql)?.query_row(values, scalar).optional()?;
                Ok(id.map(|id| dead(Some(id))))
            }
        }
    }
}

/// Queues dead jobs again.
pub(super) fn retry_dead(scope: Scope<'_>, queue: &QueueName, job: Option<&JobKey>) -> Result<u64, StoreError> {
    let Some(dead) = DeadJobs::find(scope, queue, job)? else { return Ok(0) };
    let (index, condition) = dead.condition();
    let DeadJobs { queue_id, id } = dead;
    let sql = format!("SELECT DISTINCT user_id FROM jobs {index} WHERE {condition} AND event_id IS NOT NULL");
    let users: Vec<[u8; 16]> =
        scope.prepare(&sql)?.query_map(params![queue_id, id], scalar)?.collect::<Result<_, _>>()?;
    let sql = format!(
        "UPDATE jobs {index} SET state = iif(event_id IS NULL, 'queued', 'waiting'), due_at = ?3, finished_at = NULL,
           attempts = 0, refusals = 0
         WHERE {condition}"
    );
    let changed = scope.prepare(&sql)?.execute(params![queue_id, id, scope.now.unix_millis()])?;
    for user_id in users {
        promote(scope, queue_id, Uuid::from_bytes(user_id))?;
    }
    Ok(changed as u64)
}

/// Deletes dead jobs.
pub(super) fn discard_dead(scope: Scope<'_>, queue: &QueueName, job: Option<&JobKey>) -> Result<u64, StoreError> {
    let Some(dead) = DeadJobs::find(scope, queue, job)? else { return Ok(0) };
    let (index, condition) = dead.condition();
    let DeadJobs { queue_id, id } = dead;
    let sql = format!("DELETE FROM jobs {index} WHERE {condition}");
    Ok(scope.prepare(&sql)?.execute(params![queue_id, id])? as u64)
}

/// Deletes jobs that finished before a time, the oldest first.
pub(super) fn prune(scope: Scope<'_>, queue: &QueueName, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
    let Some(queue) = queues::find(scope, queue)? else { return Ok(0) };
    let sql = "DELETE FROM jobs WHERE id IN (
                 SELECT id FROM jobs INDEXED BY jobs_finished WHERE queue_id = ? AND finished_at < ?
                 ORDER BY finished_at LIMIT ?)";
    Ok(scope.prepare(sql)?.execute(params![queue.id, before.unix_millis(), limit])? as u64)
}

/// Makes the oldest waiting job of the user due, unless another one is queued or leased.
pub(super) fn promote(scope: Scope<'_>, queue_id: i64, user_id: Uuid) -> Result<(), StoreError> {
    let sql = "UPDATE jobs SET state = 'queued', due_at = ?3
               WHERE id = (SELECT min(id) FROM jobs INDEXED BY jobs_waiting
                           WHERE queue_id = ?1 AND user_id = ?2 AND state = 'waiting')
                 AND NOT EXISTS (SELECT 1 FROM jobs INDEXED BY jobs_next_of_user
                                 WHERE queue_id = ?1 AND user_id = ?2
                                   AND event_id IS NOT NULL AND state IN ('queued', 'leased'))";
    scope.prepare(sql)?.execute(params![queue_id, user_id.as_bytes(), scope.now.unix_millis()])?;
    Ok(())
}

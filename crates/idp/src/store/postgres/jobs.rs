//! Jobs of all queues. Jobs of events are ordered by user: later ones of a user wait behind the first.

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::connection::Param;
use super::error::Failure;
use super::queues::{Access, Queue};
use super::text::{escape, unescape};
use super::transaction::Scope;
use super::{events, queues};
use crate::model::Timestamp;
use crate::store::sql::{in_state, parse_id};
use crate::store::{JobFilter, JobKey, JobRecord, JobState, Lease, QueueName, StoreError};

/// The columns of [`record`], of `jobs AS j` and `events AS e`.
macro_rules! job_columns {
    () => {
        "j.id, j.user_id, j.payload, j.state, j.queued_at, j.due_at, j.finished_at, j.attempts, j.refusals, j.reason, \
         e.id, e.user_id, e.kind, e.time"
    };
}

pub(super) use job_columns;

/// The job of a row of [`job_columns!`].
pub(super) fn record(row: &Row) -> Result<JobRecord, Failure> {
    let event = match row.try_get::<_, Option<Uuid>>(10)? {
        Some(_) => Some(events::record(row, 10)?),
        None => None,
    };
    let count = |column| Ok::<_, Failure>(u32::try_from(row.try_get::<_, i64>(column)?).unwrap_or(u32::MAX));
    Ok(JobRecord {
        id: row.try_get(0)?,
        user_id: row.try_get::<_, Uuid>(1)?.to_string(),
        payload: unescape(row.try_get(2)?),
        event,
        state: state(row.try_get(3)?)?,
        queued_at: Timestamp::from_unix_millis(row.try_get(4)?),
        due_at: Timestamp::from_unix_millis(row.try_get(5)?),
        finished_at: row.try_get::<_, Option<i64>>(6)?.map(Timestamp::from_unix_millis),
        attempts: count(7)?,
        refusals: count(8)?,
        reason: row.try_get::<_, Option<String>>(9)?.map(unescape),
    })
}

fn state(name: &str) -> Result<JobState, StoreError> {
    match name {
        "waiting" | "queued" => Ok(JobState::Queued),
        "leased" => Ok(JobState::Leased),
        "done" => Ok(JobState::Done),
        "dead" => Ok(JobState::Dead),
        "ended" => Ok(JobState::Ended),
        other => Err(StoreError::Corrupt(format!("unknown state of a job {other:?}"))),
    }
}

/// The jobs that match.
pub(super) async fn list(scope: &Scope, filter: &JobFilter) -> Result<Vec<JobRecord>, Failure> {
    // Exhaustive: the compiler points here when a filter is added.
    let JobFilter { queue, id, user_id, state, newest_first, limit } = filter;
    let user_id = match user_id.as_deref().map(parse_id) {
        Some(None) => return Ok(Vec::new()),
        Some(found) => found,
        None => None,
    };
    let Some(found) = queues::find(scope, queue).await? else { return Ok(Vec::new()) };
    let limit = i64::from(*limit);
    let mut params: Vec<Param<'_>> =
        vec![(&scope.namespace_id, Type::INT4), (&found.id, Type::INT8), (&limit, Type::INT8)];
    let mut conditions = "j.queue_id = $2".to_owned();
    if let Some(id) = id {
        params.push((id, Type::INT8));
        conditions.push_str(&format!(" AND j.id = ${}", params.len()));
    }
    if let Some(user_id) = &user_id {
        params.push((user_id, Type::UUID));
        conditions.push_str(&format!(" AND j.user_id = ${}", params.len()));
    }
    if let Some(state) = *state {
        conditions.push_str(&format!(" AND {}", in_state(state)));
    }
    let sql = format!(
        "SELECT {} FROM tailor_idp.jobs AS j
         LEFT JOIN tailor_idp.events AS e ON e.namespace_id = $1 AND e.id = j.event_id
         WHERE {conditions} ORDER BY j.id {} LIMIT $3",
        job_columns!(),
        if *newest_first { "DESC" } else { "ASC" },
    );
    scope.connection.query(&sql, &params).await?.iter().map(record).collect()
}

/// Whether the lease is valid. It stays so until the end of the transaction.
pub(super) async fn is_leased(scope: &Scope, lease: &Lease) -> Result<bool, Failure> {
    let Some(queue) = queues::find(scope, &lease.queue).await? else { return Ok(false) };
    Ok(leased_user(scope, queue, lease).await?.is_some())
}

/// The user of the leased job, whose row is locked until the end of the transaction; `None` if the lease is not valid.
pub(super) async fn leased_user(scope: &Scope, queue: Queue, lease: &Lease) -> Result<Option<Uuid>, Failure> {
    let sql = "SELECT user_id FROM tailor_idp.jobs
               WHERE id = $1 AND queue_id = $2 AND state = 'leased' AND lease = $3 FOR UPDATE";
    let params: [Param<'_>; 3] =
        [(&lease.job_id, Type::INT8), (&queue.id, Type::INT8), (&lease.token.as_slice(), Type::BYTEA)];
    match scope.connection.row(sql, &params).await? {
        Some(row) => Ok(Some(row.try_get(0)?)),
        None => Ok(None),
    }
}

/// The newest job of the user in the queue, finished or not.
pub(super) async fn newest_of_user(scope: &Scope, queue: &QueueName, user_id: Uuid) -> Result<Option<i64>, Failure> {
    let Some(queue) = queues::find(scope, queue).await? else { return Ok(None) };
    let sql = "SELECT max(id) FROM tailor_idp.jobs WHERE queue_id = $1 AND user_id = $2";
    scope.connection.value(sql, &[(&queue.id, Type::INT8), (&user_id, Type::UUID)]).await
}

/// Queues a mail that is due at once.
pub(super) async fn enqueue_mail(scope: &Scope, user_id: Uuid, payload: &str) -> Result<u64, Failure> {
    scope.concerns_workers();
    let queue_id = queues::mails(scope).await?;
    let sql = "INSERT INTO tailor_idp.jobs (queue_id, user_id, payload, state, queued_at, due_at)
               VALUES ($1, $2, $3, 'queued', $4, $4)";
    let params: [Param<'_>; 4] = [
        (&queue_id, Type::INT8),
        (&user_id, Type::UUID),
        (&escape(payload), Type::TEXT),
        (&scope.now.unix_millis(), Type::INT8),
    ];
    scope.connection.execute(sql, &params).await
}

/// The queue, whose jobs are to be rearranged; `None` if it does not exist.
async fn to_rearrange(scope: &Scope, queue: &QueueName) -> Result<Option<Queue>, Failure> {
    let Some(queue) = queues::find(scope, queue).await? else { return Ok(None) };
    queues::lock(scope, queue, Access::Rearrange).await?;
    Ok(Some(queue))
}

/// Ends the unfinished jobs of the user.
pub(super) async fn end(scope: &Scope, queue: &QueueName, user_id: Uuid, reason: &str) -> Result<u64, Failure> {
    let Some(queue) = to_rearrange(scope, queue).await? else { return Ok(0) };
    let sql = "UPDATE tailor_idp.jobs SET state = 'ended', lease = NULL, finished_at = $3, reason = $4
               WHERE queue_id = $1 AND user_id = $2 AND finished_at IS NULL";
    let params: [Param<'_>; 4] = [
        (&queue.id, Type::INT8),
        (&user_id, Type::UUID),
        (&scope.now.unix_millis(), Type::INT8),
        (&escape(reason), Type::TEXT),
    ];
    scope.connection.execute(sql, &params).await
}

/// Makes the leased jobs of the user due at once.
pub(super) async fn requeue(scope: &Scope, queue: &QueueName, user_id: Uuid) -> Result<u64, Failure> {
    let Some(queue) = queues::find(scope, queue).await? else { return Ok(0) };
    scope.concerns_workers();
    let sql = "UPDATE tailor_idp.jobs SET state = 'queued', lease = NULL, due_at = $3
               WHERE queue_id = $1 AND user_id = $2 AND state = 'leased'";
    let params: [Param<'_>; 3] =
        [(&queue.id, Type::INT8), (&user_id, Type::UUID), (&scope.now.unix_millis(), Type::INT8)];
    scope.connection.execute(sql, &params).await
}

/// Deletes the jobs of the user, finished ones too.
pub(super) async fn delete(scope: &Scope, queue: &QueueName, user_id: Uuid) -> Result<u64, Failure> {
    let Some(queue) = to_rearrange(scope, queue).await? else { return Ok(0) };
    let sql = "DELETE FROM tailor_idp.jobs WHERE queue_id = $1 AND user_id = $2";
    scope.connection.execute(sql, &[(&queue.id, Type::INT8), (&user_id, Type::UUID)]).await
}

/// Dead jobs to change.
struct DeadJobs {
    queue: Queue,
    /// `None`: all dead jobs of the queue.
    id: Option<i64>,
}

impl DeadJobs {
    /// The condition for `DeadJobs`, with the queue and the id as the first parameters.
    fn condition(&self) -> &'static str {
        match self.id {
            Some(_) => "queue_id = $1 AND state = 'dead' AND id = $2",
            None => "queue_id = $1 AND state = 'dead' AND $2::bigint IS NULL",
        }
    }

    /// `None` if there are none.
    async fn find(scope: &Scope, queue: &QueueName, job: Option<&JobKey>) -> Result<Option<Self>, Failure> {
        let Some(queue) = queues::find_known(scope, queue).await? else { return Ok(None) };
        let id = match job {
            None => None,
            Some(JobKey::Id(id)) => Some(*id),
            Some(JobKey::Event(id)) => {
                let Some(event_id) = parse_id(id) else { return Ok(None) };
                let sql = "SELECT id FROM tailor_idp.jobs WHERE queue_id = $1 AND event_id = $2";
                let params: [Param<'_>; 2] = [(&queue.id, Type::INT8), (&event_id, Type::UUID)];
                let Some(row) = scope.connection.row(sql, &params).await? else { return Ok(None) };
                Some(row.try_get(0)?)
            }
        };
        Ok(Some(Self { queue, id }))
    }
}

/// Queues dead jobs again.
pub(super) async fn retry_dead(scope: &Scope, queue: &QueueName, job: Option<&JobKey>) -> Result<u64, Failure> {
    let Some(dead) = DeadJobs::find(scope, queue, job).await? else { return Ok(0) };
    queues::lock(scope, dead.queue, Access::Rearrange).await?;
    scope.concerns_workers();
    let condition = dead.condition();
    let DeadJobs { queue, id } = dead;
    let sql = format!(
        "UPDATE tailor_idp.jobs SET state = CASE WHEN event_id IS NULL THEN 'queued' ELSE 'waiting' END, due_at = $3,
           finished_at = NULL, attempts = 0, refusals = 0
         WHERE {condition} RETURNING user_id, event_id IS NOT NULL"
    );
    let now = scope.now.unix_millis();
    let params: [Param<'_>; 3] = [(&queue.id, Type::INT8), (&id, Type::INT8), (&now, Type::INT8)];
    let changed = scope.connection.query(&sql, &params).await?;
    let mut users = Vec::new();
    for row in &changed {
        if row.try_get(1)? {
            users.push(row.try_get::<_, Uuid>(0)?);
        }
    }
    users.sort_unstable();
    users.dedup();
    for user_id in users {
        promote(scope, queue.id, user_id).await?;
    }
    Ok(changed.len() as u64)
}

/// Deletes dead jobs.
pub(super) async fn discard_dead(scope: &Scope, queue: &QueueName, job: Option<&JobKey>) -> Result<u64, Failure> {
    let Some(dead) = DeadJobs::find(scope, queue, job).await? else { return Ok(0) };
    let sql = format!("DELETE FROM tailor_idp.jobs WHERE {}", dead.condition());
    scope.connection.execute(&sql, &[(&dead.queue.id, Type::INT8), (&dead.id, Type::INT8)]).await
}

/// Deletes jobs that finished before a time, the oldest first.
pub(super) async fn prune(scope: &Scope, queue: &QueueName, before: Timestamp, limit: u32) -> Result<u64, Failure> {
    let Some(queue) = queues::find(scope, queue).await? else { return Ok(0) };
    let sql = "DELETE FROM tailor_idp.jobs WHERE id IN (
                 SELECT id FROM tailor_idp.jobs WHERE queue_id = $1 AND finished_at < $2
                 ORDER BY finished_at LIMIT $3 FOR UPDATE SKIP LOCKED)";
    let params: [Param<'_>; 3] =
        [(&queue.id, Type::INT8), (&before.unix_millis(), Type::INT8), (&i64::from(limit), Type::INT8)];
    scope.connection.execute(sql, &params).await
}

/// Makes the oldest waiting job of the user due, unless another one is queued or leased.
pub(super) async fn promote(scope: &Scope, queue_id: i64, user_id: Uuid) -> Result<(), Failure> {
    let sql = "UPDATE tailor_idp.jobs SET state = 'queued', due_at = $3
               WHERE id = (SELECT min(id) FROM tailor_idp.jobs
                           WHERE queue_id = $1 AND user_id = $2 AND state = 'waiting')
                 AND NOT EXISTS (SELECT 1 FROM tailor_idp.jobs
                                 WHERE queue_id = $1 AND user_id = $2
                                   AND event_id IS NOT NULL AND state IN ('queued', 'leased'))";
    let params: [Param<'_>; 3] =
        [(&queue_id, Type::INT8), (&user_id, Type::UUID), (&scope.now.unix_millis(), Type::INT8)];
    scope.connection.execute(sql, &params).await?;
    Ok(())
}

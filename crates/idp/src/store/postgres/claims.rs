//! Claims of jobs, and their outcomes.
//!
//! A claim leases due jobs and skips those that another claim is leasing. On a consumer's queue it then makes jobs of new events, in
//! commit order, one claim at a time. At most one job of each user is queued or leased; the rest wait. So any number of workers
//! claim the events of one user one at a time, and a retried event delays no event of another user.

use std::time::Duration;

use tokio_postgres::types::Type;
use uuid::Uuid;

use super::connection::Param;
use super::error::Failure;
use super::events::{self, Rest};
use super::jobs::{self, job_columns, record};
use super::queues::{self, Access, Queue};
use super::text::escape;
use super::transaction::Scope;
use crate::model::Timestamp;
use crate::store::sql::TAKE_UP_LIMIT;
use crate::store::{Claim, Delivery, Lease, Outcome, QueueName};

/// When to look again for events that a transaction in progress holds up.
const UNSETTLED_PAUSE: Duration = Duration::from_millis(50);

/// The result of a claim that finds nothing, without a write; `None` if there may be something to claim.
pub(super) async fn peek(scope: &Scope, queue: &QueueName) -> Result<Option<Claim>, Failure> {
    let Some(queue) = queues::find_known(scope, queue).await? else { return Ok(Some(Claim::default())) };
    let claim = remaining(scope, queue).await?;
    Ok((!claim.more).then_some(claim))
}

/// Leases up to `limit` due jobs.
pub(super) async fn claim(scope: &Scope, name: &QueueName, lease: Duration, limit: u32) -> Result<Claim, Failure> {
    let Some(mut queue) = queues::find_known(scope, name).await? else { return Ok(Claim::default()) };
    // One token for the whole claim: with a lease of zero, a job that it has leased is due again at once, and is not leased twice.
    let token = Uuid::now_v7().into_bytes();
    let terms = LeaseTerms { name, token, until: scope.now.after(lease) };
    let mut deliveries = Vec::new();
    let mut taken_up = 0;
    loop {
        let wanted = limit - deliveries.len() as u32;
        lease_due(scope, queue, &terms, wanted, &mut deliveries).await?;
        let wanted = limit - deliveries.len() as u32;
        let count = take_up(scope, &mut queue, wanted.min(TAKE_UP_LIMIT - taken_up)).await?;
        if count == 0 {
            break;
        }
        taken_up += count;
    }
    Ok(Claim { deliveries, ..remaining(scope, queue).await? })
}

/// What is left to claim.
async fn remaining(scope: &Scope, queue: Queue) -> Result<Claim, Failure> {
    let sql = "SELECT min(due_at) FROM tailor_idp.jobs WHERE queue_id = $1 AND state IN ('queued', 'leased')";
    let due: Option<i64> = scope.connection.value(sql, &[(&queue.id, Type::INT8)]).await?;
    let mut next_due = due.map(Timestamp::from_unix_millis);
    let mut more = next_due.is_some_and(|due| due <= scope.now);
    if let Some(taken_up) = queue.taken_up {
        match events::rest_after(scope, taken_up).await? {
            Rest::Nothing => {}
            Rest::Events => more = true,
            Rest::Unsettled => {
                let soon = scope.now.after(UNSETTLED_PAUSE);
                next_due = Some(next_due.map_or(soon, |due| due.min(soon)));
            }
        }
    }
    Ok(Claim { deliveries: Vec::new(), next_due, more })
}

/// The leases of one claim.
struct LeaseTerms<'a> {
    name: &'a QueueName,
    token: [u8; 16],
    until: Timestamp,
}

/// Leases due jobs, those that have waited longest first.
async fn lease_due(
    scope: &Scope,
    queue: Queue,
    terms: &LeaseTerms<'_>,
    limit: u32,
    deliveries: &mut Vec<Delivery>,
) -> Result<(), Failure> {
    if limit == 0 {
        return Ok(());
    }
    let sql = concat!(
        "WITH due AS MATERIALIZED (
           SELECT id, due_at FROM tailor_idp.jobs
           WHERE queue_id = $2 AND state IN ('queued', 'leased') AND due_at <= $3 AND lease IS DISTINCT FROM $5
           ORDER BY due_at, id LIMIT $4 FOR UPDATE SKIP LOCKED
         ), j AS (
           UPDATE tailor_idp.jobs AS j SET state = 'leased', due_at = $6, lease = $5, attempts = j.attempts + 1
           FROM due WHERE j.id = due.id RETURNING j.*, due.due_at AS was_due_at
         )
         SELECT ",
        job_columns!(),
        " FROM j LEFT JOIN tailor_idp.events AS e ON e.namespace_id = $1 AND e.id = j.event_id
          ORDER BY j.was_due_at, j.id"
    );
    let LeaseTerms { name, token, until } = terms;
    let params: [Param<'_>; 6] = [
        (&scope.namespace_id, Type::INT4),
        (&queue.id, Type::INT8),
        (&scope.now.unix_millis(), Type::INT8),
        (&i64::from(limit), Type::INT8),
        (&token.as_slice(), Type::BYTEA),
        (&until.unix_millis(), Type::INT8),
    ];
    for row in scope.connection.query(sql, &params).await? {
        let job = record(&row)?;
        let lease = Lease { queue: (*name).clone(), job_id: job.id, token: *token };
        deliveries.push(Delivery { job, lease });
    }
    Ok(())
}

/// Makes jobs of the consumer's next events, and returns their number.
async fn take_up(scope: &Scope, queue: &mut Queue, limit: u32) -> Result<u32, Failure> {
    if limit == 0 || queue.taken_up.is_none() {
        return Ok(0);
    }
    queues::lock(scope, *queue, Access::Rearrange).await?;
    // Another claim may have taken up events meanwhile.
    let sql = "SELECT taken_up FROM tailor_idp.queues WHERE id = $1";
    let Some(row) = scope.connection.row(sql, &[(&queue.id, Type::INT8)]).await? else { return Ok(0) };
    queue.taken_up = row.try_get(0)?;
    let horizon = events::horizon(scope).await?;
    let sql = "WITH next AS MATERIALIZED (
                 SELECT id, user_id, row_number() OVER (PARTITION BY user_id ORDER BY id) AS place FROM (
                   SELECT id, user_id FROM tailor_idp.events
                   WHERE namespace_id = $1 AND id > $3 AND id < $4 ORDER BY id LIMIT $5
                 ) AS e
               ), added AS (
                 INSERT INTO tailor_idp.jobs (queue_id, user_id, event_id, payload, state, queued_at, due_at)
                 SELECT $2, n.user_id, n.id, '',
                   CASE WHEN n.place > 1
                          OR EXISTS (SELECT 1 FROM tailor_idp.jobs AS j
                                     WHERE j.queue_id = $2 AND j.user_id = n.user_id
                                       AND j.event_id IS NOT NULL AND j.state IN ('queued', 'leased'))
                        THEN 'waiting' ELSE 'queued' END,
                   $6, $6
                 FROM next AS n ORDER BY n.id
                 RETURNING event_id
               )
               SELECT event_id, count(*) OVER () FROM added ORDER BY event_id DESC LIMIT 1";
    let params: [Param<'_>; 6] = [
        (&scope.namespace_id, Type::INT4),
        (&queue.id, Type::INT8),
        (&queue.taken_up, Type::UUID),
        (&horizon, Type::UUID),
        (&i64::from(limit), Type::INT8),
        (&scope.now.unix_millis(), Type::INT8),
    ];
    let Some(row) = scope.connection.row(sql, &params).await? else { return Ok(0) };
    let last: Uuid = row.try_get(0)?;
    queues::set_taken_up(scope, queue.id, last).await?;
    queue.taken_up = Some(last);
    Ok(u32::try_from(row.try_get::<_, i64>(1)?).unwrap_or(limit))
}

/// Records the outcome of a leased job. `false` if the lease is not valid.
pub(super) async fn settle(scope: &Scope, lease: &Lease, outcome: &Outcome) -> Result<bool, Failure> {
    let Some(queue) = queues::find(scope, &lease.queue).await? else { return Ok(false) };
    queues::lock(scope, queue, Access::Settle).await?;
    let Some(user_id) = jobs::leased_user(scope, queue, lease).await? else { return Ok(false) };
    let (id, now) = (lease.job_id, scope.now);
    match outcome {
        Outcome::Done { keep: false } => {
            let sql = "DELETE FROM tailor_idp.jobs WHERE id = $1";
            scope.connection.execute(sql, &[(&id, Type::INT8)]).await?;
        }
        Outcome::Done { keep: true } => finish(scope, id, "done", None).await?,
        Outcome::Dead { reason } => finish(scope, id, "dead", Some(reason)).await?,
        Outcome::Ended { reason } => {
            uncount_attempt(scope, id).await?;
            finish(scope, id, "ended", Some(reason)).await?;
        }
        Outcome::Released => {
            uncount_attempt(scope, id).await?;
            let sql = "UPDATE tailor_idp.jobs SET state = 'queued', lease = NULL, due_at = $1 WHERE id = $2";
            scope.connection.execute(sql, &[(&now.unix_millis(), Type::INT8), (&id, Type::INT8)]).await?;
        }
        Outcome::Retry { after, refused, reason } => {
            let sql = "UPDATE tailor_idp.jobs
                       SET state = 'queued', lease = NULL, due_at = $1, refusals = refusals + $2, reason = $3
                       WHERE id = $4";
            let params: [Param<'_>; 4] = [
                (&now.after(*after).unix_millis(), Type::INT8),
                (&i64::from(*refused), Type::INT8),
                (&escape(reason), Type::TEXT),
                (&id, Type::INT8),
            ];
            scope.connection.execute(sql, &params).await?;
        }
    }
    if queue.taken_up.is_some() {
        jobs::promote(scope, queue.id, user_id).await?;
    }
    Ok(true)
}

/// Takes back the attempt that the claim counted.
async fn uncount_attempt(scope: &Scope, id: i64) -> Result<(), Failure> {
    let sql = "UPDATE tailor_idp.jobs SET attempts = greatest(attempts - 1, 0) WHERE id = $1";
    scope.connection.execute(sql, &[(&id, Type::INT8)]).await?;
    Ok(())
}

async fn finish(scope: &Scope, id: i64, state: &str, reason: Option<&str>) -> Result<(), Failure> {
    let sql = "UPDATE tailor_idp.jobs SET state = $1, lease = NULL, finished_at = $2, reason = $3 WHERE id = $4";
    let params: [Param<'_>; 4] = [
        (&state, Type::TEXT),
        (&scope.now.unix_millis(), Type::INT8),
        (&reason.map(escape), Type::TEXT),
        (&id, Type::INT8),
    ];
    scope.connection.execute(sql, &params).await?;
    Ok(())
}

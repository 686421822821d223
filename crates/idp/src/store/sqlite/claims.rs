//! Claims of jobs, and their outcomes.
//!
//! A claim on a consumer's queue first makes jobs of new events, in commit order. At most one job of each user is queued or
//! leased; the rest wait. So any number of workers claim the events of one user one at a time, and a retried event delays no
//! event of another user.

use std::time::Duration;

use rusqlite::{OptionalExtension, params};
use uuid::Uuid;

use super::jobs::{self, job_columns, record};
use super::queues::Queue;
use super::scope::Scope;
use super::select_list::scalar;
use super::{events, queues};
use crate::model::Timestamp;
use crate::store::sql::TAKE_UP_LIMIT;
use crate::store::{Claim, Delivery, JobState, Lease, Outcome, QueueName, StoreError};

/// The result of a claim that finds nothing, without a write; `None` if there may be something to claim.
pub(super) fn peek(scope: Scope<'_>, queue: &QueueName) -> Result<Option<Claim>, StoreError> {
    let Some(queue) = queues::find_known(scope, queue)? else { return Ok(Some(Claim::default())) };
    let next_due = next_due(scope, queue)?;
    let nothing = !is_due(scope, next_due) && !has_new_events(scope, queue)?;
    Ok(nothing.then(|| Claim { next_due, ..Claim::default() }))
}

/// Leases up to `limit` due jobs.
pub(super) fn claim(scope: Scope<'_>, name: &QueueName, lease: Duration, limit: u32) -> Result<Claim, StoreError> {
    let Some(mut queue) = queues::find_known(scope, name)? else { return Ok(Claim::default()) };
    // One token for the whole claim: with a lease of zero, a job that it has leased is due again at once, and is not leased twice.
    let token = Uuid::now_v7().into_bytes();
    let terms = LeaseTerms { name, token, until: scope.now.after(lease) };
    let mut deliveries = Vec::new();
    let mut taken_up = 0;
    loop {
        let wanted = limit - deliveries.len() as u32;
        lease_due(scope, queue, &terms, wanted, &mut deliveries)?;
        let wanted = limit - deliveries.len() as u32;
        let count = take_up(scope, &mut queue, wanted.min(TAKE_UP_LIMIT - taken_up))?;
        if count == 0 {
            break;
        }
        taken_up += count;
    }
    let next_due = next_due(scope, queue)?;
    let more = is_due(scope, next_due) || has_new_events(scope, queue)?;
    Ok(Claim { deliveries, next_due, more })
}

fn next_due(scope: Scope<'_>, queue: Queue) -> Result<Option<Timestamp>, StoreError> {
    let sql = "SELECT min(due_at) FROM jobs INDEXED BY jobs_due WHERE queue_id = ? AND state IN ('queued', 'leased')";
    let due: Option<i64> = scope.prepare(sql)?.query_row([queue.id], scalar)?;
    Ok(due.map(Timestamp::from_unix_millis))
}

fn is_due(scope: Scope<'_>, due: Option<Timestamp>) -> bool {
    due.is_some_and(|due| due <= scope.now)
}

fn has_new_events(scope: Scope<'_>, queue: Queue) -> Result<bool, StoreError> {
    match queue.taken_up {
        Some(taken_up) => events::any_after(scope, taken_up),
        None => Ok(false),
    }
}

/// The leases of one claim.
struct LeaseTerms<'a> {
    name: &'a QueueName,
    token: [u8; 16],
    until: Timestamp,
}

/// Leases due jobs, those that have waited longest first.
fn lease_due(
    scope: Scope<'_>,
    queue: Queue,
    terms: &LeaseTerms<'_>,
    limit: u32,
    deliveries: &mut Vec<Delivery>,
) -> Result<(), StoreError> {
    let sql = concat!(
        "SELECT ",
        job_columns!(),
        " FROM jobs AS j INDEXED BY jobs_due
          LEFT JOIN events AS e ON e.namespace_id = ?1 AND e.id = j.event_id
          WHERE j.queue_id = ?2 AND j.state IN ('queued', 'leased') AND j.due_at <= ?3 AND j.lease IS NOT ?5
          ORDER BY j.due_at, j.id LIMIT ?4"
    );
    let mut statement = scope.prepare(sql)?;
    let values = params![scope.namespace_id, queue.id, scope.now.unix_millis(), limit, terms.token];
    let due: Vec<_> = statement.query_map(values, record)?.collect::<Result<_, _>>()?;
    let LeaseTerms { name, token, until } = terms;
    let sql = "UPDATE jobs SET state = 'leased', due_at = ?2, lease = ?3, attempts = attempts + 1 WHERE id = ?1";
    let mut statement = scope.prepare(sql)?;
    for mut job in due {
        statement.execute(params![job.id, until.unix_millis(), token])?;
        job.state = JobState::Leased;
        job.due_at = *until;
        job.attempts += 1;
        let lease = Lease { queue: (*name).clone(), job_id: job.id, token: *token };
        deliveries.push(Delivery { job, lease });
    }
    Ok(())
}

/// Makes jobs of the consumer's next events, and returns their number.
fn take_up(scope: Scope<'_>, queue: &mut Queue, limit: u32) -> Result<u32, StoreError> {
    let Some(taken_up) = queue.taken_up else { return Ok(0) };
    let events = events::users_after(scope, taken_up, limit)?;
    let Some((last, _)) = events.last() else { return Ok(0) };
    let sql = "INSERT INTO jobs (queue_id, user_id, event_id, payload, state, queued_at, due_at)
               VALUES (?1, ?2, ?3, '',
                 iif(EXISTS (SELECT 1 FROM jobs INDEXED BY jobs_next_of_user
                             WHERE queue_id = ?1 AND user_id = ?2
                               AND event_id IS NOT NULL AND state IN ('queued', 'leased')),
                     'waiting', 'queued'),
                 ?4, ?4)";
    let mut statement = scope.prepare(sql)?;
    for (id, user_id) in &events {
        statement.execute(params![queue.id, user_id.as_bytes(), id.as_bytes(), scope.now.unix_millis()])?;
    }
    queues::set_taken_up(scope, queue.id, *last)?;
    queue.taken_up = Some(*last);
    Ok(events.len() as u32)
}

/// Records the outcome of a leased job. `false` if the lease is not valid.
pub(super) fn settle(scope: Scope<'_>, lease: &Lease, outcome: &Outcome) -> Result<bool, StoreError> {
    let Some(queue) = queues::find(scope, &lease.queue)? else { return Ok(false) };
    let sql = "SELECT user_id FROM jobs WHERE id = ? AND queue_id = ? AND state = 'leased' AND lease = ?";
    let held = params![lease.job_id, queue.id, lease.token];
    let user_id = scope.prepare(sql)?.query_row(held, scalar::<[u8; 16]>).optional()?;
    let Some(user_id) = user_id else { return Ok(false) };
    let (id, now) = (lease.job_id, scope.now);
    match outcome {
        Outcome::Done { keep: false } => {
            scope.prepare("DELETE FROM jobs WHERE id = ?")?.execute([id])?;
        }
        Outcome::Done { keep: true } => finish(scope, id, "done", None)?,
        Outcome::Dead { reason } => finish(scope, id, "dead", Some(reason))?,
        Outcome::Ended { reason } => {
            uncount_attempt(scope, id)?;
            finish(scope, id, "ended", Some(reason))?;
        }
        Outcome::Released => {
            uncount_attempt(scope, id)?;
            let sql = "UPDATE jobs SET state = 'queued', lease = NULL, due_at = ? WHERE id = ?";
            scope.prepare(sql)?.execute(params![now.unix_millis(), id])?;
        }
        Outcome::Retry { after, refused, reason } => {
            let sql = "UPDATE jobs SET state = 'queued', lease = NULL, due_at = ?, refusals = refusals + ?, reason = ?
                       WHERE id = ?";
            scope.prepare(sql)?.execute(params![now.after(*after).unix_millis(), refused, reason, id])?;
        }
    }
    if queue.taken_up.is_some() {
        jobs::promote(scope, queue.id, Uuid::from_bytes(user_id))?;
    }
    Ok(true)
}

/// Takes back the attempt that the claim counted.
fn uncount_attempt(scope: Scope<'_>, id: i64) -> Result<(), StoreError> {
    scope.prepare("UPDATE jobs SET attempts = max(attempts - 1, 0) WHERE id = ?")?.execute([id])?;
    Ok(())
}

fn finish(scope: Scope<'_>, id: i64, state: &str, reason: Option<&str>) -> Result<(), StoreError> {
    let sql = "UPDATE jobs SET state = ?, lease = NULL, finished_at = ?, reason = ? WHERE id = ?";
    scope.prepare(sql)?.execute(params![state, scope.now.unix_millis(), reason, id])?;
    Ok(())
}

//! Retries of jobs: back-off, and giving up.
//!
//! Mails and webhook deliveries are jobs of durable queues, which a store keeps ([`Store::claim`](crate::store::Store::claim),
//! [`Store::settle`](crate::store::Store::settle)). The workers decide here when a failed job is tried again.

mod backoff;

use std::time::Duration;

use crate::store::{JobRecord, Outcome};

/// When a failed job is tried again, and when it is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The number of attempts after which a job is given up.
    pub max_attempts: u32,
    /// The number of refusals by the receiver after which a job is given up.
    pub max_refusals: u32,
    /// The delay after the first failure. Doubles with each further failure.
    pub first_delay: Duration,
    /// The maximum delay.
    pub max_delay: Duration,
}

/// A failed attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The reason. Contains no secret.
    pub reason: String,
    /// Whether the receiver refused the job, or could not take it.
    pub kind: FailureKind,
    /// The minimum delay that the receiver asked for.
    pub retry_after: Option<Duration>,
}

/// The kind of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// Another attempt may succeed.
    Temporary,
    /// The receiver refused the job. Counts towards [`max_refusals`](RetryPolicy::max_refusals).
    Refused,
    /// No attempt can succeed.
    Permanent,
}

impl RetryPolicy {
    /// Whether the job was claimed more often than it may be attempted: its workers died each time, and the job itself may be
    /// what kills them.
    pub const fn is_exhausted(&self, job: &JobRecord) -> bool {
        job.attempts > self.max_attempts
    }

    /// The outcome of a failed attempt.
    pub fn after(&self, job: &JobRecord, failure: Failure) -> Outcome {
        let Failure { reason, kind, retry_after } = failure;
        let refused = kind == FailureKind::Refused;
        let give_up = match kind {
            FailureKind::Permanent => true,
            FailureKind::Refused => job.refusals.saturating_add(1) >= self.max_refusals,
            FailureKind::Temporary => false,
        };
        if give_up || job.attempts >= self.max_attempts {
            return Outcome::Dead { reason };
        }
        let asked = retry_after.unwrap_or_default().min(self.max_delay);
        let after = backoff::delay(job.attempts, self.first_delay, self.max_delay).max(asked);
        Outcome::Retry { after, refused, reason }
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;
    use crate::model::Timestamp;
    use crate::store::JobState;

    const SECOND: Duration = Duration::from_secs(1);

    const POLICY: RetryPolicy =
        RetryPolicy { max_attempts: 10, max_refusals: 3, first_delay: SECOND, max_delay: Duration::from_secs(60) };

    fn job(attempts: u32, refusals: u32) -> JobRecord {
        JobRecord {
            id: 1,
            user_id: "user".into(),
            payload: String::new(),
            event: None,
            state: JobState::Leased,
            queued_at: Timestamp::from_unix_millis(0),
            due_at: Timestamp::from_unix_millis(0),
            finished_at: None,
            attempts,
            refusals,
            reason: None,
        }
    }

    fn failure(kind: FailureKind) -> Failure {
        Failure { reason: "the reason".into(), kind, retry_after: None }
    }

    fn dead() -> Outcome {
        Outcome::Dead { reason: "the reason".into() }
    }

    /// The delay, if the job is tried again.
    #[track_caller]
    fn delay(outcome: Outcome, expect_refused: bool) -> Duration {
        match outcome {
            Outcome::Retry { after, refused, reason } => {
                assert_eq!((refused, reason.as_str()), (expect_refused, "the reason"));
                after
            }
            other => panic!("not tried again: {other:?}"),
        }
    }

    #[test]
    fn policy_retries_temporary_failures_until_the_last_attempt() {
        for attempts in 1..10 {
            delay(POLICY.after(&job(attempts, 100), failure(FailureKind::Temporary)), false);
        }
        for attempts in [10, 11, u32::MAX] {
            assert_eq!(POLICY.after(&job(attempts, 0), failure(FailureKind::Temporary)), dead());
        }
    }

    #[test]
    fn policy_gives_up_permanent_failures_at_once() {
        assert_eq!(POLICY.after(&job(1, 0), failure(FailureKind::Permanent)), dead());
    }

    #[test]
    fn policy_gives_up_at_the_last_refusal_or_attempt() {
        for refusals in 0..2 {
            delay(POLICY.after(&job(1, refusals), failure(FailureKind::Refused)), true);
        }
        for refusals in [2, 3, u32::MAX] {
            assert_eq!(POLICY.after(&job(1, refusals), failure(FailureKind::Refused)), dead());
        }
        assert_eq!(POLICY.after(&job(10, 0), failure(FailureKind::Refused)), dead());
    }

    #[test]
    fn policy_delays_longer_with_each_attempt_up_to_the_maximum() {
        for (attempts, full) in [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (9, 60)] {
            let full = SECOND * full;
            let delay = delay(POLICY.after(&job(attempts, 0), failure(FailureKind::Temporary)), false);
            assert!((full / 2..=full).contains(&delay), "attempt {attempts}: {delay:?} of {full:?}");
        }
    }

    #[test]
    fn policy_waits_as_long_as_the_receiver_asks_up_to_the_maximum() {
        for (asked, expected) in [(0, 1), (30, 30), (60, 60), (61, 60), (u64::MAX, 60)] {
            let retry_after = Some(Duration::from_secs(asked));
            let failure = Failure { retry_after, ..failure(FailureKind::Temporary) };
            let (delay, expected) = (delay(POLICY.after(&job(1, 0), failure), false), SECOND * expected);
            // Without a longer wait, the jitter applies.
            let lowest = if asked == 0 { expected / 2 } else { expected };
            assert!((lowest..=expected).contains(&delay), "asked for {asked} s: {delay:?}");
        }
    }

    #[test]
    fn policy_is_exhausted_after_one_claim_more_than_the_attempts() {
        let exhausted = [1, 10, 11, u32::MAX].map(|attempts| POLICY.is_exhausted(&job(attempts, 0)));
        assert_eq!(exhausted, [false, false, true, true]);
    }
}

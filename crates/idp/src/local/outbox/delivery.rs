//! The worker's side of the outbox: claiming mails, and recording the outcomes.

use std::time::Duration;

use super::requests::expect_newest;
use super::{ResetMail, mail_of};
use crate::jobs::{Failure, FailureKind, RetryPolicy};
use crate::local::error::failed;
use crate::local::{LocalDirectory, ResetToken, expect};
use crate::model::{Code, IdpError, UserKey, UserRecord};
use crate::rules::reset_mail;
use crate::store::{Batch, Delivery, Expect, JobRecord, JobState, Lease, Mutation, Outcome, QueueName, StoreError};

/// The time that a reset link is valid, from the moment its mail is sent.
pub const TOKEN_LIFETIME: Duration = Duration::from_secs(60 * 60);

/// The lease of a mail. Longer than an attempt can take (a minute), so that no other worker takes a mail that is still being
/// sent.
pub const LEASE: Duration = Duration::from_secs(3 * 60);

/// A mail is tried for about an hour, as long as its link would be valid.
const RETRIES: RetryPolicy = RetryPolicy {
    max_attempts: 8,
    max_refusals: 1,
    first_delay: Duration::from_secs(30),
    max_delay: Duration::from_secs(30 * 60),
};

/// The maximum length of a recorded error in characters.
const MAX_ERROR: usize = 300;

/// The number of a user's newest mails that are searched for one that replaces another. More are not mailed within a link's
/// lifetime under any sensible rate limit.
const NEWER_MAILS: u32 = 100;

/// A claimed mail, which the claiming process has to send.
#[derive(Debug)]
pub struct OutgoingMail {
    /// The id.
    pub id: i64,
    /// The number of this attempt, from 1.
    pub attempt: u32,
    /// The address.
    pub to: String,
    /// The sender's name, if the request had one.
    pub from_name: Option<String>,
    /// The subject, if the request had one.
    pub subject: Option<String>,
    /// The token of the link.
    pub token: ResetToken,
    job: JobRecord,
    lease: Lease,
}

/// A failed attempt to send a mail. Texts are recorded and shown: they contain no secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendFailure {
    /// Another attempt may succeed.
    #[error("{0}")]
    Temporary(String),
    /// No attempt can succeed.
    #[error("{0}")]
    Permanent(String),
}

impl LocalDirectory {
    /// Claims the mail that is due, for about three minutes, after which another worker may claim it. `None` if none is due.
    ///
    /// The token is generated here, and only its hash is stored. A queued mail has no token, and a mail whose worker died
    /// gets another.
    ///
    /// # Errors
    ///
    /// [`Code::Unavailable`] if the store is busy.
    pub async fn claim_reset_mail(&self) -> Result<Option<OutgoingMail>, IdpError> {
        loop {
            let claim = self.store.claim(&QueueName::ResetMails, LEASE, 1).await.map_err(failed)?;
            let Some(Delivery { job, lease }) = claim.deliveries.into_iter().next() else { return Ok(None) };
            match self.prepare(job, &lease).await {
                Ok(None) => {}
                Err(error) if may_repeat(&error) => {
                    // The mail is due again at once, instead of when the lease ends.
                    if let Err(error) = self.store.settle(&lease, Outcome::Released).await {
                        tracing::warn!(mail = lease.job_id, %error, "the mail waits until its lease ends");
                    }
                    return Err(error);
                }
                prepared => return prepared,
            }
        }
    }

    /// Stores a token for the claimed mail. `None` if the mail is not to be sent, or another claim has to decide.
    async fn prepare(&self, job: JobRecord, lease: &Lease) -> Result<Option<OutgoingMail>, IdpError> {
        let (user, newest) = match self.sendable(&job).await? {
            Ok(sendable) => sendable,
            Err(outcome) => {
                self.store.settle(lease, outcome).await.map_err(failed)?;
                return Ok(None);
            }
        };
        let (token, mail) = (ResetToken::random()?, mail_of(&job)?);
        let put = Mutation::PutResetToken {
            user_id: user.id.clone(),
            hash: token.hash(),
            job_id: job.id,
            expires_at: self.now().after(TOKEN_LIFETIME),
        };
        let batch = Batch {
            expect: vec![Expect::Lease(lease.clone()), expect(&user), newest],
            mutations: vec![put],
            ..Batch::default()
        };
        match self.store.commit(batch).await {
            Ok(_) => {}
            Err(StoreError::Conflict) => {
                // The user has changed or asked for a newer mail meanwhile: the next claim decides anew.
                self.store.settle(lease, Outcome::Released).await.map_err(failed)?;
                return Ok(None);
            }
            Err(error) => return Err(failed(error)),
        }
        let (id, attempt, lease) = (job.id, job.attempts, lease.clone());
        let ResetMail { user_id: _, redirect_uri: _, from_name, subject } = mail;
        Ok(Some(OutgoingMail { id, attempt, to: user.name, from_name, subject, token, job, lease }))
    }

    /// If the mail is to be sent, the user and the expectation that no newer mail is requested; else the outcome of the job.
    async fn sendable(&self, job: &JobRecord) -> Result<Result<(UserRecord, Expect), Outcome>, IdpError> {
        if RETRIES.is_exhausted(job) {
            let reason = "given up: every worker that took the mail stopped before it was sent".to_owned();
            return Ok(Err(Outcome::Dead { reason }));
        }
        let ended = |reason: &str| Ok(Err(Outcome::Ended { reason: format!("not sent: {reason}") }));
        if let Some(reason) = reset_mail::resets_disabled(self.policy(), &self.namespace) {
            return ended(&reason);
        }
        let Some(user) = self.store.get(UserKey::Id(&job.user_id)).await.map_err(failed)? else {
            return ended("the user does not exist");
        };
        if let Some(reason) = reset_mail::undeliverable_reason(&user) {
            return ended(reason);
        }
        let newest = self.newest_mails(&user.id, NEWER_MAILS).await?;
        let replaces = |other: &JobRecord| {
            other.id > job.id && matches!(other.state, JobState::Queued | JobState::Leased | JobState::Done)
        };
        if newest.iter().any(replaces) {
            return ended("a newer mail to the user was asked for");
        }
        // Without it, the token of this mail could replace that of a newer one.
        let newest = expect_newest(&user.id, &newest);
        Ok(Ok((user, newest)))
    }

    /// Records the outcome of an attempt. Returns `false` if the mail was claimed by another worker, or ended, meanwhile.
    ///
    /// # Errors
    ///
    /// [`Code::Unavailable`] if the store is busy.
    pub async fn settle_reset_mail(
        &self,
        mail: &OutgoingMail,
        outcome: Result<(), SendFailure>,
    ) -> Result<bool, IdpError> {
        let failure = |reason: String, kind| Failure { reason: clipped(&reason), kind, retry_after: None };
        let outcome = match outcome {
            Ok(()) => Outcome::Done { keep: true },
            Err(SendFailure::Temporary(reason)) => RETRIES.after(&mail.job, failure(reason, FailureKind::Temporary)),
            Err(SendFailure::Permanent(reason)) => RETRIES.after(&mail.job, failure(reason, FailureKind::Permanent)),
        };
        self.store.settle(&mail.lease, outcome).await.map_err(failed)
    }
}

/// Whether a claim or a settlement that failed so can be repeated. Also if its outcome is unknown: the lease tells.
pub(crate) fn may_repeat(error: &IdpError) -> bool {
    // Not by the code alone: to scripts, a full disk is internal.
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<StoreError>());
    matches!(error.code(), Code::Unavailable | Code::DeadlineExceeded | Code::Aborted)
        || source.is_some_and(StoreError::is_temporary)
}

/// One line of at most [`MAX_ERROR`] characters: mail servers answer at any length.
fn clipped(error: &str) -> String {
    error.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_ERROR).collect()
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn failures_of_a_store_that_may_pass_are_repeated() {
        for error in [
            StoreError::Full,
            StoreError::Locked { waited_secs: 5 },
            StoreError::Unavailable("gone".into()),
            StoreError::TimedOut { waited_secs: 5 },
            StoreError::UnknownOutcome("lost".into()),
        ] {
            assert!(may_repeat(&failed(error.clone())), "{error}");
        }
        for error in [StoreError::ReadOnly, StoreError::Corrupt("page 7".into()), StoreError::Closed] {
            assert!(!may_repeat(&failed(error.clone())), "{error}");
        }
    }

    #[test]
    fn recorded_errors_are_one_line_of_bounded_length() {
        assert_eq!(clipped("550 no\r\nsuch user"), "550 no  such user");
        assert_eq!(clipped(&"x".repeat(1000)).len(), MAX_ERROR);
    }
}

//! The worker's side of the outbox: which mail is sent when, how often, and with which token.

use std::time::Duration;

use super::namespace::{Namespace, failed};
use super::reset_token::ResetToken;
use super::settings::NamespaceSettings;
use super::{Idp, IdpError};
use crate::backoff;
use crate::store::{Attempt, MailClaim, MailRecord, MailState};

/// How long a reset link works, from the moment that its mail is sent.
pub(crate) const TOKEN_LIFETIME: Duration = Duration::from_secs(60 * 60);

/// For how long a mail is one worker's. Longer than an attempt can take ([`crate::mail`] ends it after a minute), so that no
/// other worker takes up what is still being sent.
pub(crate) const LEASE: Duration = Duration::from_secs(3 * 60);

/// Attempts until a mail is given up: with the waits below it is tried for about an hour, as long as a link would work.
const MAX_ATTEMPTS: u32 = 8;
/// The wait after the first failure; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_secs(30);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(30 * 60);

/// For how long finished mails are kept for a look. Above any sensible window of the rate limit, which counts them.
const KEEP_FINISHED: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Finished mails that are deleted in one write: other writes wait for it.
const PRUNE_BATCH: u32 = 1000;

/// Characters of an error that are kept.
const MAX_ERROR: usize = 300;

/// A mail that this process has taken up and has to send.
#[derive(Debug)]
pub struct OutgoingMail {
    /// The mail's id.
    pub id: i64,
    claim: i64,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// The address.
    pub to: String,
    /// The sender's name, where the request gave one.
    pub from_name: Option<String>,
    /// The subject, where the request gave one.
    pub subject: Option<String>,
    /// The token of the link.
    pub token: ResetToken,
}

/// Why an attempt failed. The texts are kept and shown: no secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendFailure {
    /// Another attempt may succeed.
    #[error("{0}")]
    Temporary(String),
    /// No attempt will.
    #[error("{0}")]
    Permanent(String),
}

impl Idp {
    /// The settings of the namespace, if there is one of that name.
    pub fn settings(&self, namespace: &str) -> Option<&NamespaceSettings> {
        self.namespace(namespace).ok().map(|namespace| &*namespace.settings)
    }

    /// Takes up the mail that is due, for about three minutes, after which another worker may take it.
    ///
    /// The token is made here, and its hash stored by the transaction that claims the mail. So there is no moment at which a
    /// plain token is at rest: a queued mail has none, and one whose worker died gets another.
    ///
    /// # Errors
    ///
    /// [`NotFound`](super::Code::NotFound) for an unknown namespace.
    pub async fn claim_reset_mail(&self, namespace: &str) -> Result<Option<OutgoingMail>, IdpError> {
        self.namespace(namespace)?.claim_reset_mail().await
    }

    /// Notes how the attempt went. `false` where the mail has gone to another worker, or was ended, in the meantime.
    ///
    /// # Errors
    ///
    /// [`NotFound`](super::Code::NotFound) for an unknown namespace.
    pub async fn settle_reset_mail(
        &self,
        namespace: &str,
        mail: &OutgoingMail,
        outcome: Result<(), SendFailure>,
    ) -> Result<bool, IdpError> {
        let namespace = self.namespace(namespace)?;
        let now = namespace.now();
        let attempt = match outcome {
            Ok(()) => Attempt::Sent,
            Err(SendFailure::Temporary(error)) if mail.attempt < MAX_ATTEMPTS => {
                let wait = backoff::delay(mail.attempt, FIRST_WAIT, LONGEST_WAIT);
                Attempt::Retry { at: now.after(wait), error: clipped(&error) }
            }
            Err(SendFailure::Temporary(error) | SendFailure::Permanent(error)) => {
                Attempt::Dead { error: clipped(&error) }
            }
        };
        let store = namespace.reset_mails()?;
        store.settle(mail.id, mail.claim, now, attempt).await.map_err(failed)
    }

    /// The mails of the outbox in this state, or all of them, newest first, `limit` at the most.
    ///
    /// # Errors
    ///
    /// [`NotFound`](super::Code::NotFound) for an unknown namespace.
    pub async fn reset_mails(
        &self,
        namespace: &str,
        state: Option<MailState>,
        limit: u32,
    ) -> Result<Vec<MailRecord>, IdpError> {
        self.namespace(namespace)?.reset_mails()?.mails(state, limit).await.map_err(failed)
    }

    /// One mail of the outbox.
    ///
    /// # Errors
    ///
    /// [`NotFound`](super::Code::NotFound) for an unknown namespace or mail.
    pub async fn reset_mail(&self, namespace: &str, id: i64) -> Result<MailRecord, IdpError> {
        let mail = self.namespace(namespace)?.reset_mails()?.mail(id).await.map_err(failed)?;
        mail.ok_or_else(|| mail_not_found(id))
    }

    /// Queues a dead mail anew, with all its attempts.
    ///
    /// # Errors
    ///
    /// [`NotFound`](super::Code::NotFound) for an unknown namespace or mail,
    /// [`FailedPrecondition`](super::Code::FailedPrecondition) for a mail that is not dead.
    pub async fn retry_reset_mail(&self, namespace: &str, id: i64) -> Result<(), IdpError> {
        let namespace = self.namespace(namespace)?;
        let store = namespace.reset_mails()?;
        if store.retry(id, namespace.now()).await.map_err(failed)? {
            return Ok(());
        }
        let mail = store.mail(id).await.map_err(failed)?.ok_or_else(|| mail_not_found(id))?;
        Err(IdpError::failed_precondition(format!("only dead mails are retried: mail {id} is {}", mail.state)))
    }

    /// Whether a mail of the namespace is due. A read, where a claim is a write.
    pub(crate) async fn reset_mail_is_due(&self, namespace: &str) -> Result<bool, IdpError> {
        let namespace = self.namespace(namespace)?;
        let next = namespace.reset_mails()?.next_due().await.map_err(failed)?;
        Ok(next.is_some_and(|due| due <= namespace.now()))
    }

    /// Forgets mails that were finished a week ago or more.
    pub(crate) async fn prune_reset_mails(&self, namespace: &str) -> Result<(), IdpError> {
        let namespace = self.namespace(namespace)?;
        let keep = KEEP_FINISHED.max(namespace.settings.reset_mail_limit.window);
        let before = namespace.now().before(keep);
        let store = namespace.reset_mails()?;
        while store.prune(before, PRUNE_BATCH).await.map_err(failed)? == PRUNE_BATCH as usize {}
        Ok(())
    }
}

impl Namespace {
    async fn claim_reset_mail(&self) -> Result<Option<OutgoingMail>, IdpError> {
        let (token, now) = (ResetToken::random()?, self.now());
        let claim = MailClaim {
            now,
            lease_until: now.after(LEASE),
            max_attempts: MAX_ATTEMPTS,
            useless: self.resets_nothing().map(|why| format!("not sent: {why}")),
            token: token.hash(),
            token_expires_at: now.after(TOKEN_LIFETIME),
        };
        let claimed = self.reset_mails()?.claim(claim).await.map_err(failed)?;
        Ok(claimed.map(|claimed| OutgoingMail {
            id: claimed.id,
            claim: claimed.claim,
            attempt: claimed.attempt,
            to: claimed.to,
            from_name: claimed.mail.from_name,
            subject: claimed.mail.subject,
            token,
        }))
    }
}

/// One line of at most [`MAX_ERROR`] characters: mail servers answer at any length.
fn clipped(error: &str) -> String {
    error.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_ERROR).collect()
}

fn mail_not_found(id: i64) -> IdpError {
    IdpError::not_found(format!("mail not found: {id}"))
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn an_error_is_kept_as_one_line_of_bounded_length() {
        assert_eq!(clipped("550 no\r\nsuch user"), "550 no  such user");
        assert_eq!(clipped(&"x".repeat(1000)).len(), MAX_ERROR);
    }
}

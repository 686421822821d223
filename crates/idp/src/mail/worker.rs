//! The worker: claims due mails, sends them, and records the outcomes.

use std::future::{Future, pending, poll_fn};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::message::{MailError, Templates};
use super::settings::{InvalidMailSettings, MailSettings};
use super::transport::Mailer;
use crate::local::{LocalDirectory, OutgoingMail, SendFailure, may_repeat};
use crate::model::{IdpError, NamespaceName, Timestamp};
use crate::router::Router;

/// The interval of looking for due mails, which scripts in other processes queue too. Commits that the stores tell of shorten it.
const POLL: Duration = Duration::from_secs(1);
/// The shortest interval: not each of many commits makes the worker look.
const MIN_POLL: Duration = Duration::from_millis(100);
/// The number of attempts to record an outcome while the store is temporarily unavailable. Each waits for some seconds; all end
/// before the lease.
const SETTLE_ATTEMPTS: u32 = 4;
/// The pause between two of these attempts: a store that cannot be reached fails at once.
const SETTLE_PAUSE: Duration = Duration::from_secs(2);
/// The pause after a failure of the store.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(5);
/// The interval of deleting old finished mails.
const PRUNE_EVERY: Duration = Duration::from_secs(60 * 60);

/// Sends the mails of all namespaces of a [`Router`], one after the other. Any number of workers, in any number of processes,
/// share the work.
pub struct MailWorker {
    router: Router,
    settings: MailSettings,
    templates: Templates,
    mailer: Mailer,
}

impl std::fmt::Debug for MailWorker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MailWorker").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// One attempt to send a mail.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The namespace.
    pub namespace: NamespaceName,
    /// The id of the mail.
    pub id: i64,
    /// The address.
    pub to: String,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The outcome.
    pub outcome: Result<(), SendFailure>,
}

/// Counts of attempts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// The number of mails sent.
    pub sent: u64,
    /// The number of failed attempts.
    pub failed: u64,
}

/// A failure to start a worker.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
#[non_exhaustive]
pub enum StartError {
    /// The settings are invalid.
    Settings(#[from] InvalidMailSettings),
    /// A template is invalid.
    Templates(#[from] MailError),
}

impl MailWorker {
    /// A worker that has not started.
    ///
    /// # Errors
    ///
    /// [`StartError`].
    pub fn new(router: Router, settings: MailSettings) -> Result<Self, StartError> {
        settings.check()?;
        let (templates, mailer) = (Templates::load()?, Mailer::new(&settings.transport)?);
        Ok(Self { router, settings, templates, mailer })
    }

    /// Sends all mails that are due now, and calls `tell` for each attempt. Stops between two mails once `stop` is true.
    ///
    /// # Errors
    ///
    /// The first failure of a store, after all namespaces were processed. A mail that cannot be sent is not a failure.
    pub async fn send_due(
        &self,
        stop: &watch::Receiver<bool>,
        mut tell: impl FnMut(&Delivery),
    ) -> Result<Tally, IdpError> {
        let mut tally = Tally::default();
        let mut failure = None;
        for local in self.router.locals() {
            if let Err(error) = self.send_due_of(local, stop, &mut tally, &mut tell).await {
                record(&mut failure, local.namespace(), error);
            }
        }
        failure.map_or(Ok(tally), Err)
    }

    async fn send_due_of(
        &self,
        local: &LocalDirectory,
        stop: &watch::Receiver<bool>,
        tally: &mut Tally,
        tell: &mut impl FnMut(&Delivery),
    ) -> Result<(), IdpError> {
        while !*stop.borrow() {
            let Some(mail) = local.claim_reset_mail().await? else { break };
            let namespace = local.namespace();
            let outcome = self.send(local, &mail).await;
            match &outcome {
                Ok(()) => tally.sent += 1,
                Err(_) => tally.failed += 1,
            }
            if !self.settle(local, &mail, &outcome).await? {
                tracing::debug!(%namespace, mail = mail.id, "the mail was ended, or taken up by another, while it was sent");
            }
            let OutgoingMail { id, to, attempt, .. } = mail;
            tell(&Delivery { namespace: namespace.clone(), id, to, attempt, outcome });
        }
        Ok(())
    }

    /// Sends mails when they are due, until `stop` is true or its sender is dropped. Finishes the mail that is being sent.
    pub async fn run(&self, mut stop: watch::Receiver<bool>) {
        let mut prune_at = Timestamp::now();
        let mut commits: Vec<_> = self.router.locals().into_iter().map(|local| local.store().commits()).collect();
        while !*stop.borrow() {
            // Before the look: a commit after it shortens the pause.
            for commits in &mut commits {
                commits.borrow_and_update();
            }
            let turn = self.turn(&stop, &mut prune_at).await;
            let pause = async {
                if turn.is_err() {
                    return sleep(PAUSE_AFTER_FAILURE).await;
                }
                sleep(MIN_POLL).await;
                let _ = timeout(POLL - MIN_POLL, any_changed(&mut commits)).await;
            };
            tokio::select! {
                changed = stop.changed() => if changed.is_err() { return },
                () = pause => {}
            }
        }
    }

    async fn turn(&self, stop: &watch::Receiver<bool>, prune_at: &mut Timestamp) -> Result<(), IdpError> {
        let now = Timestamp::now();
        let prune = *prune_at <= now;
        if prune {
            *prune_at = now.after(PRUNE_EVERY);
        }
        let (mut tally, mut failure) = (Tally::default(), None);
        for local in self.router.locals() {
            // A failing store does not hold up the others.
            if let Err(error) = self.turn_of(local, stop, prune, &mut tally).await {
                record(&mut failure, local.namespace(), error);
            }
        }
        failure.map_or(Ok(()), Err)
    }

    async fn turn_of(
        &self,
        local: &LocalDirectory,
        stop: &watch::Receiver<bool>,
        prune: bool,
        tally: &mut Tally,
    ) -> Result<(), IdpError> {
        self.send_due_of(local, stop, tally, &mut log).await?;
        if prune {
            local.prune_reset_mails().await?;
        }
        Ok(())
    }

    /// Records the outcome, repeatedly if the store is temporarily unavailable: a mail that was sent but not recorded would be
    /// sent again.
    async fn settle(
        &self,
        local: &LocalDirectory,
        mail: &OutgoingMail,
        outcome: &Result<(), SendFailure>,
    ) -> Result<bool, IdpError> {
        persistently(|| local.settle_reset_mail(mail, outcome.clone())).await
    }

    async fn send(&self, local: &LocalDirectory, mail: &OutgoingMail) -> Result<(), SendFailure> {
        let namespace = local.namespace();
        let message = self.templates.message(&self.settings, namespace.as_str(), local.settings(), mail);
        let message = message.map_err(|error| SendFailure::Permanent(error.to_string()))?;
        let name = format!("{namespace}-{:06}-{}", mail.id, mail.attempt);
        // A server could answer with the mail's text.
        let without_token = |text: String| text.replace(mail.token.expose(), "[token]");
        self.mailer.send(&name, message).await.map_err(|failure| match failure {
            SendFailure::Temporary(text) => SendFailure::Temporary(without_token(text)),
            SendFailure::Permanent(text) => SendFailure::Permanent(without_token(text)),
        })
    }
}

/// Waits until one of the values changes.
async fn any_changed(values: &mut [watch::Receiver<u64>]) {
    let changed = async |value: &mut watch::Receiver<u64>| {
        // A closed store fails at the next look.
        if value.changed().await.is_err() {
            pending::<()>().await;
        }
    };
    let mut waiting: Vec<_> = values.iter_mut().map(|value| Box::pin(changed(value))).collect();
    poll_fn(|cx| {
        let is_ready = waiting.iter_mut().any(|changed| changed.as_mut().poll(cx).is_ready());
        if is_ready { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Repeats `attempt` after failures of the store that may pass, a bounded number of times.
async fn persistently<T, F>(mut attempt: impl FnMut() -> F) -> Result<T, IdpError>
where
    F: Future<Output = Result<T, IdpError>>,
{
    for _ in 1..SETTLE_ATTEMPTS {
        match attempt().await {
            Err(error) if may_repeat(&error) => {
                sleep(SETTLE_PAUSE).await;
            }
            outcome => return outcome,
        }
    }
    attempt().await
}

/// Logs the failure, and keeps the first one.
fn record(first: &mut Option<IdpError>, namespace: &NamespaceName, error: IdpError) {
    let cause = std::error::Error::source(&error).map(ToString::to_string);
    tracing::error!(%namespace, %error, cause, "the outbox cannot be worked on");
    first.get_or_insert(error);
}

fn log(delivery: &Delivery) {
    let Delivery { namespace, id, attempt, outcome, .. } = delivery;
    match outcome {
        Ok(()) => tracing::info!(%namespace, mail = id, attempt, "sent"),
        Err(error) => tracing::warn!(%namespace, mail = id, attempt, %error, "not sent"),
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use tokio::time::Instant;

    use super::*;
    use crate::model::Code;

    /// The result, the number of attempts and the time, if the first `failures` attempts fail with `code`.
    async fn run(code: Code, failures: u32) -> (Result<(), Code>, u32, Duration) {
        let (mut attempts, started) = (0, Instant::now());
        let outcome = persistently(|| {
            attempts += 1;
            let outcome = if attempts <= failures { Err(IdpError::new(code, "no")) } else { Ok(()) };
            std::future::ready(outcome)
        })
        .await;
        (outcome.map_err(|error| error.code()), attempts, started.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn outcomes_are_recorded_with_pauses_after_failures_that_may_pass() {
        for code in [Code::Unavailable, Code::DeadlineExceeded, Code::Aborted] {
            assert_eq!(run(code, 0).await, (Ok(()), 1, Duration::ZERO));
            assert_eq!(run(code, 3).await, (Ok(()), 4, 3 * SETTLE_PAUSE));
            assert_eq!(run(code, 100).await, (Err(code), SETTLE_ATTEMPTS, (SETTLE_ATTEMPTS - 1) * SETTLE_PAUSE));
        }
        assert_eq!(run(Code::Internal, 1).await, (Err(Code::Internal), 1, Duration::ZERO));
    }
}

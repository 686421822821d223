//! The worker: takes up what is due, sends it, and notes how that went.

use std::time::Duration;

use tokio::sync::watch;

use super::message::{MailError, Templates};
use super::settings::{InvalidMailSettings, MailSettings};
use super::transport::Mailer;
use crate::idp::{Code, Idp, IdpError, NamespaceName, OutgoingMail, SendFailure, Timestamp};

/// How often the outbox is looked into: scripts in other processes queue mails, too.
const POLL: Duration = Duration::from_secs(1);
/// How often an outcome is tried to be noted while the store is busy. Each waits for some seconds; all end before the lease.
const SETTLE_ATTEMPTS: u32 = 4;
/// The pause after the store failed.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(5);
/// How often finished mails of long ago are deleted.
const PRUNE_EVERY: Duration = Duration::from_secs(60 * 60);

/// Sends the mails of all namespaces of an [`Idp`], one after the other. Any number of workers, in any number of processes, share
/// the work.
pub struct MailWorker {
    idp: Idp,
    settings: MailSettings,
    templates: Templates,
    mailer: Mailer,
}

impl std::fmt::Debug for MailWorker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MailWorker").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// An attempt to send a mail.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Of which namespace.
    pub namespace: NamespaceName,
    /// The mail's id.
    pub id: i64,
    /// The address.
    pub to: String,
    /// Which attempt it was, from 1.
    pub attempt: u32,
    /// How it went.
    pub outcome: Result<(), SendFailure>,
}

/// How many attempts went how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Mails that are out.
    pub sent: u64,
    /// Attempts that failed.
    pub failed: u64,
}

/// Why a worker cannot start.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
#[non_exhaustive]
pub enum StartError {
    /// The settings are at fault.
    Settings(#[from] InvalidMailSettings),
    /// A template is at fault.
    Templates(#[from] MailError),
}

impl MailWorker {
    /// A worker that has not begun.
    ///
    /// # Errors
    ///
    /// What is wrong with the settings.
    pub fn new(idp: Idp, settings: MailSettings) -> Result<Self, StartError> {
        settings.check()?;
        let (templates, mailer) = (Templates::load()?, Mailer::new(&settings.transport)?);
        Ok(Self { idp, settings, templates, mailer })
    }

    /// Sends all that is due now, and tells of each attempt. Stops between two mails once `stop` is true.
    ///
    /// # Errors
    ///
    /// The first of the stores', when all namespaces have had their turn. A mail that cannot be sent is none.
    pub async fn send_due(
        &self,
        stop: &watch::Receiver<bool>,
        mut tell: impl FnMut(&Delivery),
    ) -> Result<Tally, IdpError> {
        let mut tally = Tally::default();
        let mut failure = None;
        for namespace in self.idp.namespaces() {
            if let Err(error) = self.send_due_of(&namespace, stop, &mut tally, &mut tell).await {
                note(&mut failure, &namespace, error);
            }
        }
        failure.map_or(Ok(tally), Err)
    }

    async fn send_due_of(
        &self,
        namespace: &NamespaceName,
        stop: &watch::Receiver<bool>,
        tally: &mut Tally,
        tell: &mut impl FnMut(&Delivery),
    ) -> Result<(), IdpError> {
        while !*stop.borrow() {
            let Some(mail) = self.idp.claim_reset_mail(namespace.as_str()).await? else { break };
            let outcome = self.send(namespace, &mail).await;
            match &outcome {
                Ok(()) => tally.sent += 1,
                Err(_) => tally.failed += 1,
            }
            if !self.settle(namespace, &mail, &outcome).await? {
                tracing::debug!(%namespace, mail = mail.id, "the mail was ended, or taken up by another, while it was sent");
            }
            let OutgoingMail { id, to, attempt, .. } = mail;
            tell(&Delivery { namespace: namespace.clone(), id, to, attempt, outcome });
        }
        Ok(())
    }

    /// Sends what is due, when it is due, until `stop` is true or its sender is gone. A mail that is being sent is finished.
    pub async fn run(&self, mut stop: watch::Receiver<bool>) {
        let mut prune_at = Timestamp::now();
        while !*stop.borrow() {
            let pause = match self.turn(&stop, &mut prune_at).await {
                Ok(()) => POLL,
                Err(_) => PAUSE_AFTER_FAILURE,
            };
            tokio::select! {
                changed = stop.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(pause) => {}
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
        for namespace in self.idp.namespaces() {
            // One store that cannot be worked on holds up no other.
            if let Err(error) = self.turn_of(&namespace, stop, prune, &mut tally).await {
                note(&mut failure, &namespace, error);
            }
        }
        failure.map_or(Ok(()), Err)
    }

    async fn turn_of(
        &self,
        namespace: &NamespaceName,
        stop: &watch::Receiver<bool>,
        prune: bool,
        tally: &mut Tally,
    ) -> Result<(), IdpError> {
        // A claim would be a sync of the disk, every time.
        if self.idp.reset_mail_is_due(namespace.as_str()).await? {
            self.send_due_of(namespace, stop, tally, &mut log).await?;
        }
        if prune {
            self.idp.prune_reset_mails(namespace.as_str()).await?;
        }
        Ok(())
    }

    /// Notes the outcome. Does not give in to a busy store at once: a mail that is out, and not noted, is sent again.
    async fn settle(
        &self,
        namespace: &NamespaceName,
        mail: &OutgoingMail,
        outcome: &Result<(), SendFailure>,
    ) -> Result<bool, IdpError> {
        for _ in 1..SETTLE_ATTEMPTS {
            match self.idp.settle_reset_mail(namespace.as_str(), mail, outcome.clone()).await {
                Err(error) if error.code() == Code::Unavailable => {}
                settled => return settled,
            }
        }
        self.idp.settle_reset_mail(namespace.as_str(), mail, outcome.clone()).await
    }

    async fn send(&self, namespace: &NamespaceName, mail: &OutgoingMail) -> Result<(), SendFailure> {
        let of_namespace = self.idp.settings(namespace.as_str()).cloned().unwrap_or_default();
        let message = self.templates.message(&self.settings, namespace.as_str(), &of_namespace, mail);
        let message = message.map_err(|error| SendFailure::Permanent(error.to_string()))?;
        let name = format!("{namespace}-{:06}-{}", mail.id, mail.attempt);
        // A server could answer with what it was sent.
        let without_token = |text: String| text.replace(mail.token.expose(), "[token]");
        self.mailer.send(&name, message).await.map_err(|failure| match failure {
            SendFailure::Temporary(text) => SendFailure::Temporary(without_token(text)),
            SendFailure::Permanent(text) => SendFailure::Permanent(without_token(text)),
        })
    }
}

/// Logs the failure, and keeps it if it is the first.
fn note(first: &mut Option<IdpError>, namespace: &NamespaceName, error: IdpError) {
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

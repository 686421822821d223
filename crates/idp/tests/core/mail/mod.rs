//! Password-reset mails: the outbox, the links, and the worker.

mod claims;
#[cfg(feature = "mail")]
mod kill;
mod records;
mod requests;
mod resets;
#[cfg(feature = "mail")]
#[path = "../../support/smtp.rs"]
mod smtp;
#[cfg(feature = "mail")]
#[path = "../../support/mail_text.rs"]
mod text;
#[cfg(feature = "mail")]
mod worker;

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use tailor_idp_core::local::{MailRecord, MailState, OutgoingMail};
use tailor_idp_core::store::contract::ManualClock;
use tailor_idp_core::{NamespaceSettings, ResetPasswordError, ResetToken};

use crate::fresh::fresh_store;
use crate::host::Host;
use crate::support::Shared;

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

/// The outbox of a namespace.
struct Outbox {
    host: Host,
    store: Shared,
    clock: Arc<ManualClock>,
}

impl Outbox {
    async fn new() -> Self {
        Self::with(NamespaceSettings::default()).await
    }

    async fn with(settings: NamespaceSettings) -> Self {
        let (store, clock) = fresh_store().await;
        Self { host: Host::over(store.clone(), settings), store, clock }
    }

    /// The same outbox with other settings.
    fn reconfigured(&self, settings: NamespaceSettings) -> Self {
        let (store, clock) = (self.store.clone(), Arc::clone(&self.clock));
        Self { host: Host::over(store.clone(), settings), store, clock }
    }

    /// Creates a user, and returns the id.
    async fn user(&self, name: &str) -> String {
        self.host.create(name).await.id
    }

    /// Queues a mail.
    async fn queue(&self, user_id: &str) {
        self.host.request_mail(user_id).await.unwrap();
    }

    async fn claim(&self) -> Option<OutgoingMail> {
        self.host.claim_reset_mail().await.unwrap()
    }

    /// Claims the mail that is due.
    async fn claimed(&self) -> OutgoingMail {
        self.claim().await.expect("a mail is due")
    }

    async fn settle_sent(&self, mail: &OutgoingMail) -> bool {
        self.host.settle_reset_mail(mail, Ok(())).await.unwrap()
    }

    /// Queues a mail and sends it. Returns the token of its link.
    async fn mailed(&self, user_id: &str) -> ResetToken {
        self.queue(user_id).await;
        let mail = self.claimed().await;
        assert!(self.settle_sent(&mail).await);
        mail.token
    }

    /// All mails, oldest first.
    async fn mails(&self) -> Vec<MailRecord> {
        let mut mails = self.host.reset_mails(None, u32::MAX).await.unwrap();
        mails.reverse();
        mails
    }

    /// The states of all mails, oldest first.
    async fn states(&self) -> Vec<MailState> {
        self.mails().await.iter().map(|mail| mail.state).collect()
    }

    async fn is_valid(&self, token: &ResetToken) -> bool {
        match self.host.reset_link(token).await {
            Ok(_) => true,
            Err(ResetPasswordError::InvalidToken) => false,
            Err(error) => panic!("{error}"),
        }
    }
}

impl Deref for Outbox {
    type Target = Host;

    fn deref(&self) -> &Host {
        &self.host
    }
}

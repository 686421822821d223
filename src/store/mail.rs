//! The outbox of password-reset mails, and the tokens of their links.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use super::{StoreError, WriteOptions};
use crate::idp::{PasswordHash, Timestamp};

/// A password-reset mail to queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResetMail {
    /// Whom to mail.
    pub user_id: String,
    /// Where the browser goes after the reset.
    pub redirect_uri: String,
    /// The sender's name, where the request gave one.
    pub from_name: Option<String>,
    /// The subject, where the request gave one.
    pub subject: Option<String>,
}

/// How often one user is mailed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MailLimit {
    /// Mails to one user within `window`, at the most.
    pub mails: u32,
    /// The time that counts, back from now.
    pub window: Duration,
}

impl Default for MailLimit {
    /// Enough for somebody who asks again and looks into the wrong inbox; too little to flood one.
    fn default() -> Self {
        Self { mails: 5, window: Duration::from_secs(60 * 60) }
    }
}

/// What became of a mail that was to be queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queued {
    /// It is in the queue.
    Done,
    /// There is no such user.
    NoUser,
    /// The user has been mailed too often; there is room again after this time.
    TooSoon(Duration),
}

/// Where a mail is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MailState {
    /// Waits for its next attempt.
    Queued,
    /// A worker has it, for the time of its lease.
    Sending,
    /// The mail server, or the folder, has taken it.
    Sent,
    /// Given up.
    Dead,
    /// Not sent, since its link would be of no use: the password was changed, the user disabled, or a newer mail asked for.
    Ended,
}

impl MailState {
    /// All of them, in the order of a mail's life.
    pub const ALL: [Self; 5] = [Self::Queued, Self::Sending, Self::Sent, Self::Dead, Self::Ended];

    /// The state in one word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Dead => "dead",
            Self::Ended => "ended",
        }
    }

    /// The state of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

impl fmt::Display for MailState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A mail of the outbox, as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailRecord {
    /// Given by the store; higher is newer.
    pub id: i64,
    /// What was asked for.
    pub mail: ResetMail,
    /// The name of the user, which is the address.
    pub to: String,
    /// Where the mail is on its way.
    pub state: MailState,
    /// When it was asked for.
    pub queued_at: Timestamp,
    /// When the next attempt is due or, while it is sent, the lease ends. `None` where it is finished.
    pub due_at: Option<Timestamp>,
    /// When it was sent, given up or ended.
    pub finished_at: Option<Timestamp>,
    /// How often it has been taken up.
    pub attempts: u32,
    /// What went wrong last. Carries no secret.
    pub last_error: Option<String>,
}

/// The SHA-256 of a reset token: all that a store gets to know of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenHash(pub [u8; 32]);

/// A worker's wish for a mail.
#[derive(Debug, Clone)]
pub struct MailClaim {
    /// The moment.
    pub now: Timestamp,
    /// Until when nobody else takes the mail.
    pub lease_until: Timestamp,
    /// A mail that has been taken up so often without an end is dead.
    pub max_attempts: u32,
    /// Why no mail of the namespace is of use now, if so: what is due is ended with this text, and nothing claimed.
    pub useless: Option<String>,
    /// The token that this attempt will mail.
    pub token: TokenHash,
    /// When the token ends.
    pub token_expires_at: Timestamp,
}

/// A mail that a worker may send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedMail {
    /// The mail's id.
    pub id: i64,
    /// Which claim of the mail this is: an older one can no longer settle it.
    pub claim: i64,
    /// What was asked for.
    pub mail: ResetMail,
    /// The name of the user, which is the address.
    pub to: String,
    /// Which attempt this is, from 1.
    pub attempt: u32,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// The mail is out.
    Sent,
    /// It failed, and is due again then.
    Retry {
        /// When.
        at: Timestamp,
        /// What went wrong; no secrets.
        error: String,
    },
    /// It failed for good.
    Dead {
        /// What went wrong; no secrets.
        error: String,
    },
}

/// What a token stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenTarget {
    /// Whose password it sets.
    pub user_id: String,
    /// Where the browser goes afterwards.
    pub redirect_uri: String,
}

/// The password-reset mails of one namespace, and their tokens.
///
/// Every method is atomic. The times are the caller's, so that all of a caller's rules go by one clock.
#[async_trait]
pub trait ResetMailStore: Send + Sync {
    /// Queues the mail, unless the limit says no; the limit is looked at in the same transaction.
    async fn queue(
        &self,
        mail: ResetMail,
        now: Timestamp,
        limit: MailLimit,
        options: WriteOptions,
    ) -> Result<Queued, StoreError>;

    /// The mails in this state, or all of them, newest first, `limit` at the most.
    async fn mails(&self, state: Option<MailState>, limit: u32) -> Result<Vec<MailRecord>, StoreError>;

    /// One mail.
    async fn mail(&self, id: i64) -> Result<Option<MailRecord>, StoreError>;

    /// Takes up the mail that is due, and makes `claim.token` the user's one token. A mail that has been overtaken by a newer
    /// one to the same user, or whose user is disabled, is ended instead. `None` where nothing is due.
    async fn claim(&self, claim: MailClaim) -> Result<Option<ClaimedMail>, StoreError>;

    /// Notes how the attempt ended. `false` where the mail is no longer this claim's.
    async fn settle(&self, id: i64, claim: i64, now: Timestamp, attempt: Attempt) -> Result<bool, StoreError>;

    /// Queues a dead mail anew, with all its attempts. `false` where there is no dead mail of that id.
    async fn retry(&self, id: i64, now: Timestamp) -> Result<bool, StoreError>;

    /// When a mail is due next.
    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError>;

    /// Deletes up to `limit` mails that were finished before then, and returns how many.
    async fn prune(&self, before: Timestamp, limit: u32) -> Result<usize, StoreError>;

    /// What the token stands for. `None` for one that is unknown, used or ended, or that has run out.
    async fn token(&self, token: TokenHash, now: Timestamp) -> Result<Option<TokenTarget>, StoreError>;

    /// Sets the password and uses the token up. `None`, and nothing done, where [`token`](Self::token) would say so.
    async fn use_token(
        &self,
        token: TokenHash,
        password: PasswordHash,
        now: Timestamp,
        publish: bool,
    ) -> Result<Option<TokenTarget>, StoreError>;
}

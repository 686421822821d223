//! Where users live.
//!
//! [`UserStore`] is what the service needs of a store, and all a new backend has to bring. [`SqliteDatabase`] is the
//! embedded store, on disk or in memory.

mod error;
mod event;
mod import;
mod mail;
mod predicate;
mod sqlite;

use async_trait::async_trait;

pub use error::StoreError;
pub use event::{
    Claim, Consumer, DeadEvent, Delivery, EventKind, EventRecord, EventStore, Lease, Outcome, Revival, StartAt,
};
pub use import::{ImportStore, Imported, Skipped};
pub use mail::{
    Attempt, ClaimedMail, MailClaim, MailLimit, MailRecord, MailState, Queued, ResetMail, ResetMailStore, TokenHash,
    TokenTarget,
};
pub use predicate::{Field, Predicate, Scalar};
pub use sqlite::{SqliteDatabase, SqliteStore};

use crate::idp::{PasswordHash, Timestamp, UserQuery};

/// A user as a store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// Given by the store. Ids sort in creation order.
    pub id: String,
    /// Unique in the namespace; stores compare it byte by byte.
    pub name: String,
    /// A disabled user cannot sign in.
    pub disabled: bool,
    /// When the user was created.
    pub created_at: Option<Timestamp>,
    /// The ids of the user's MFA factors, oldest first.
    pub mfa_factor_ids: Vec<String>,
}

/// A user to insert.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// Normalised and checked by the service.
    pub name: String,
    /// `None`: no password signs the user in.
    pub password: Option<PasswordHash>,
    /// Whether the user starts out disabled.
    pub disabled: bool,
}

/// By what to find a user.
#[derive(Debug, Clone, Copy)]
pub enum UserKey<'a> {
    /// The id that the store gave.
    Id(&'a str),
    /// The normalised name.
    Name(&'a str),
}

/// What becomes of a password.
#[derive(Debug, Clone, Default)]
pub enum PasswordChange {
    /// Nothing.
    #[default]
    Keep,
    /// It is taken away. Ends the user's reset mails.
    Clear,
    /// A new one. Ends the user's reset mails.
    Set(PasswordHash),
}

/// A change to a user; what is `None` stays as it is.
#[derive(Debug, Clone, Default)]
pub struct UserChange {
    /// A new name. It ends the reset link that the old one was mailed.
    pub name: Option<String>,
    /// What becomes of the password.
    pub password: PasswordChange,
    /// Disabling ends the user's reset mails.
    pub disabled: Option<bool>,
}

impl UserChange {
    /// The user after the change.
    pub fn applied_to(&self, user: &UserRecord) -> UserRecord {
        let mut changed = user.clone();
        changed.name.clone_from(self.name.as_ref().unwrap_or(&user.name));
        changed.disabled = self.disabled.unwrap_or(user.disabled);
        changed
    }
}

/// A page to read.
#[derive(Debug, Clone)]
pub struct PageRequest {
    /// Which users. Each filter is sorted and free of duplicates.
    pub query: UserQuery,
    /// Whom the caller may see.
    pub visible: Predicate,
    /// Only users created after the one with this id. The user may be gone by now.
    pub after: Option<String>,
    /// How many users at the most.
    pub limit: u32,
}

/// A page, and the count of all that the query matches, as of one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// In creation order.
    pub users: Vec<UserRecord>,
    /// Whether users follow.
    pub more: bool,
    /// How many users the query matches.
    pub total: u64,
}

/// Decides on a write when the user is at hand: called in the write's own transaction with the user as they are and, for an
/// update, as they would be. `false` refuses the write with [`StoreError::Denied`].
pub type Check = Box<dyn FnOnce(&UserRecord, Option<&UserRecord>) -> bool + Send>;

/// What comes with a write.
pub struct WriteOptions {
    /// Decides whether the write may happen.
    pub check: Check,
    /// Whether the write leaves an event in the outbox, in the same transaction.
    pub publish: bool,
}

impl WriteOptions {
    /// A write that nobody has to be asked for, and that nobody is told of.
    pub fn unchecked() -> Self {
        Self { check: Box::new(|_, _| true), publish: false }
    }
}

/// The users of one namespace: what every backend can do.
///
/// Every method is atomic and, once it has returned, durable: it survives the death of the process and of the
/// machine. A store checks nothing but that names are unique; the rules are the service's.
///
/// What only some backends can do is in traits of its own, which a store gives out by [`mfa`](Self::mfa) and its like.
#[async_trait]
pub trait UserStore: Send + Sync {
    /// Adds a user and returns it with its id. [`StoreError::NameTaken`] where the name is not free.
    async fn insert(&self, user: NewUser, publish: bool) -> Result<UserRecord, StoreError>;

    /// The user, if there is one.
    async fn get(&self, key: UserKey<'_>) -> Result<Option<UserRecord>, StoreError>;

    /// One page of users. A page costs the same wherever in the listing it is.
    async fn list(&self, request: PageRequest) -> Result<Page, StoreError>;

    /// Changes the user and returns it as it is now, or `None` if there is no such user.
    /// [`StoreError::NameTaken`] where the new name is not free.
    async fn update(
        &self,
        id: &str,
        change: UserChange,
        options: WriteOptions,
    ) -> Result<Option<UserRecord>, StoreError>;

    /// Deletes the user with all that is theirs. `false` if there is no such user.
    async fn delete(&self, id: &str, options: WriteOptions) -> Result<bool, StoreError>;

    /// 32 random bytes that seal page tokens. They live as long as the users do: a token outlives the process.
    fn page_token_key(&self) -> [u8; 32];

    /// The users' password hashes, where the backend gives them out.
    fn credentials(&self) -> Option<&dyn CredentialStore> {
        None
    }

    /// The users' MFA factors, where the backend keeps them.
    fn mfa(&self) -> Option<&dyn MfaStore> {
        None
    }

    /// The outbox of password-reset mails, where the backend keeps one.
    fn reset_mails(&self) -> Option<&dyn ResetMailStore> {
        None
    }

    /// The outbox of user events, where the backend keeps one.
    fn events(&self) -> Option<&dyn EventStore> {
        None
    }

    /// Adding users by the batch, where the backend can.
    fn import(&self) -> Option<&dyn ImportStore> {
        None
    }
}

/// A user, and what signs them in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// The user.
    pub user: UserRecord,
    /// `None`: no password signs the user in.
    pub password: Option<PasswordHash>,
}

/// The password hashes of one namespace's users.
#[async_trait]
pub trait CredentialStore: Send + Sync {
    /// The user with this normalised name and their password hash, of one moment.
    async fn credential(&self, name: &str) -> Result<Option<Credential>, StoreError>;

    /// Replaces the hash with another of the same password, if it is still `old`; says whether it was. Neither ends reset mails
    /// nor leaves an event: nothing has changed for anybody.
    async fn rehash(&self, user_id: &str, old: &PasswordHash, new: PasswordHash) -> Result<bool, StoreError>;
}

/// An MFA factor to add, unconfirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFactor {
    /// A UUIDv7 of the service's, which is part of what the secret is sealed for.
    pub id: String,
    /// Sealed by the service.
    pub secret: Vec<u8>,
    /// Until when it can be confirmed.
    pub expires_at: Timestamp,
}

/// An MFA factor as a store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Factor {
    /// Ids sort in the order in which factors were added.
    pub id: String,
    /// Sealed by the service.
    pub secret: Vec<u8>,
    /// Until when it can be confirmed; `None` once it is.
    pub expires_at: Option<Timestamp>,
    /// The newest time step of which a code was taken.
    pub last_step: Option<u64>,
}

/// A user and all their factors, unconfirmed ones too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserFactors {
    /// The user.
    pub user: UserRecord,
    /// Oldest first.
    pub factors: Vec<Factor>,
}

/// The MFA factors of one namespace's users. Only confirmed ones are among a user's
/// [`mfa_factor_ids`](UserRecord::mfa_factor_ids).
#[async_trait]
pub trait MfaStore: Send + Sync {
    /// Adds an unconfirmed factor, in place of one that the user may have. `false` if there is no such user.
    async fn add_factor(&self, user_id: &str, factor: NewFactor) -> Result<bool, StoreError>;

    /// The user and their factors, of one moment, if there is such a user.
    async fn factors(&self, user_id: &str) -> Result<Option<UserFactors>, StoreError>;

    /// Confirms the factor with a code of `step`. `false` if the user has no such unconfirmed factor, or it has expired by `now`.
    async fn confirm_factor(
        &self,
        user_id: &str,
        factor_id: &str,
        step: u64,
        now: Timestamp,
        options: WriteOptions,
    ) -> Result<bool, StoreError>;

    /// Notes that a code of `step` was taken, and replaces the sealed secret where there is a new one. `false`, and nothing is
    /// changed, if the user has no such confirmed factor or a code of that step or a later one was taken before: of several at
    /// once one gets `true`.
    async fn use_factor(
        &self,
        user_id: &str,
        factor_id: &str,
        step: u64,
        secret: Option<Vec<u8>>,
        options: WriteOptions,
    ) -> Result<bool, StoreError>;

    /// Takes the confirmed factor from the user. `None` if there is no such user, `false` if the user has no such factor.
    async fn remove_factor(
        &self,
        user_id: &str,
        factor_id: &str,
        options: WriteOptions,
    ) -> Result<Option<bool>, StoreError>;
}

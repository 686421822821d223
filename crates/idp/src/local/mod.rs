//! Users in a store: the directory over a [`Store`], and what only stores can do: sign-in, MFA, password resets, bulk import,
//! the outbox of mails.
//!
//! Each operation reads, decides and commits a [`Batch`](crate::store::Batch) that expects what was read. On a conflict it reads
//! and decides again, a bounded number of times.

mod attempts;
mod error;
mod events;
mod hasher;
mod import;
mod mfa;
mod outbox;
mod reset_token;
mod resets;
mod sign_in;
mod users;

use std::fmt;
use std::sync::Arc;

pub use attempts::TooManyAttempts;
pub(crate) use hasher::Hasher;
pub use hasher::{HashCost, InvalidHashCost, UnusableHash};
pub use import::{ImportBatch, ImportError, ImportFault, ImportPassword, ImportUser};
pub(crate) use mfa::MfaKeys;
pub use mfa::{Enrollment, InvalidMfaKey, MfaKey};
#[cfg(feature = "mail")]
pub(crate) use outbox::may_repeat;
pub use outbox::{LEASE, MailRecord, MailState, OutgoingMail, ResetMail, SendFailure, TOKEN_LIFETIME};
pub use reset_token::ResetToken;
pub use resets::{PasswordReset, ResetPasswordError};
pub use sign_in::{MfaState, SignIn};
pub(crate) use users::StoreDirectory;
pub use users::StoredPassword;

use crate::directory::{WriteQueues, user_of};
use crate::model::{NamespaceName, Timestamp, User, UserRecord};
use crate::rules::{NamespaceSettings, UserAuthPolicy};
use crate::store::{Expect, Store};

/// The users of one namespace in a store: for sign-in, MFA, password resets, bulk import, mails and events. Users are created,
/// changed and deleted through [`IdentityProvider`](crate::IdentityProvider), under the rules.
pub struct LocalDirectory {
    namespace: NamespaceName,
    store: Arc<dyn Store>,
    settings: Arc<NamespaceSettings>,
    hasher: Arc<Hasher>,
    keys: Arc<MfaKeys>,
    writes: WriteQueues,
}

impl LocalDirectory {
    pub(crate) fn new(
        namespace: NamespaceName,
        store: Arc<dyn Store>,
        settings: Arc<NamespaceSettings>,
        hasher: Arc<Hasher>,
        keys: Arc<MfaKeys>,
    ) -> Self {
        Self { namespace, store, settings, hasher, keys, writes: WriteQueues::default() }
    }

    pub(crate) fn hasher(&self) -> &Arc<Hasher> {
        &self.hasher
    }

    /// The name of the namespace.
    pub fn namespace(&self) -> &NamespaceName {
        &self.namespace
    }

    /// The settings of the namespace.
    pub fn settings(&self) -> &Arc<NamespaceSettings> {
        &self.settings
    }

    /// The store.
    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    fn policy(&self) -> &UserAuthPolicy {
        &self.settings.user_auth_policy
    }

    fn now(&self) -> Timestamp {
        self.store.now()
    }

    fn user_of(&self, record: UserRecord) -> User {
        user_of(self.policy(), record)
    }
}

/// The user is still as it was read.
fn expect(user: &UserRecord) -> Expect {
    Expect::User { id: user.id.clone(), version: user.version }
}

impl fmt::Debug for LocalDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalDirectory").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

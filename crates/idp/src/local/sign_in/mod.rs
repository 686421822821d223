//! Sign-in with a password.
//!
//! For hosts; scripts cannot call it. An unknown user, a user without a password and a disabled user cost the same work and get
//! the same answer as a wrong password.

use secrecy::ExposeSecret;

use super::LocalDirectory;
use super::attempts::AttemptKind;
use super::error::failed;
use super::hasher::Verdict;
use crate::model::{IdpError, Password, PasswordHash, User, UserKey, UserRecord, internal};
use crate::rules::UserAuthPolicy;
use crate::rules::names::NameForms;
use crate::store::{Batch, Credentials, Expect, Mutation, StoreError};

/// The maximum length of a password in bytes: 4096 characters of 4 bytes, the longest that the platform's settings allow. A longer
/// one is not hashed, which bounds the work.
const MAX_PASSWORD_BYTES: usize = 4 * 4096;

/// A user whose password was right.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignIn {
    /// The user.
    pub user: User,
    /// The remaining step before the user is signed in.
    pub mfa: MfaState,
}

/// What MFA requires from a user whose password was right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MfaState {
    /// Nothing: the user is signed in.
    NotDue,
    /// A code: see [`LocalDirectory::verify_mfa`].
    CodeDue,
    /// Enrolling a first factor, since `requireMfa` is set: see [`LocalDirectory::begin_mfa_enrollment`].
    EnrollmentDue,
}

impl LocalDirectory {
    /// Returns the user with this name if `password` is right.
    ///
    /// Returns `None` if the password is wrong, the user does not exist, is disabled, has no password, or has a name in a domain
    /// that is not allowed any more. A hash whose kind or cost is not the current [`HashCost`](super::HashCost) is replaced.
    ///
    /// # Errors
    ///
    /// - [`Code::ResourceExhausted`](crate::model::Code::ResourceExhausted) after too many failed attempts, with
    ///   [`TooManyAttempts`](super::TooManyAttempts) as the source: see [`AttemptLimits`](crate::rules::AttemptLimits). Attempts
    ///   in progress count.
    /// - [`Code::FailedPrecondition`](crate::model::Code::FailedPrecondition) if passwords are disabled (`disablePasswordAuth`).
    /// - [`Code::Unavailable`](crate::model::Code::Unavailable) if the store is busy.
    pub async fn verify_password(&self, name: &str, password: Password) -> Result<Option<SignIn>, IdpError> {
        if self.policy().disable_password_auth {
            let namespace = &self.namespace;
            return Err(IdpError::failed_precondition(format!("password sign-in is off in namespace {namespace}")));
        }
        let name = NameForms::of(self.policy().name_kind(), name);
        let attempt = self.begin_attempt(AttemptKind::Password, &name.normal).await?;
        match self.compare(&name, password).await {
            Ok(Some(user)) => {
                attempt.succeed().await;
                Ok(Some(self.signed_in(user)))
            }
            Ok(None) => Ok(None),
            Err(error) => {
                attempt.call_off().await;
                Err(error)
            }
        }
    }

    async fn compare(&self, name: &NameForms, password: Password) -> Result<Option<UserRecord>, IdpError> {
        let found = self.find_credentials(name).await?;
        // Settings made in code may allow longer passwords.
        let max_bytes = MAX_PASSWORD_BYTES.max(self.policy().password_max_length.saturating_mul(4));
        let too_long = password.expose_secret().len() > max_bytes;
        let password = if too_long { Password::default() } else { password };
        let (user, hash) = match found {
            Some(found) if self.may_sign_in(&found.user) && !too_long => (Some(found.user), found.password),
            _ => (None, Ok(None)),
        };
        // A malformed hash costs the work of a verification too.
        let verdict = self.hasher.verify(password, hash.clone().unwrap_or_default()).await.map_err(internal)?;
        let malformed = |_| {
            let id = user.as_ref().map_or("", |user| &user.id);
            StoreError::Corrupt(format!("the password hash of user {id} is malformed"))
        };
        let hash = hash.map_err(malformed).map_err(failed)?;
        let (Some(user), Some(hash)) = (user, hash) else { return Ok(None) };
        match verdict {
            Verdict::Wrong => Ok(None),
            Verdict::Right { rehashed: None } => Ok(Some(user)),
            Verdict::Right { rehashed: Some(new) } => {
                self.replace_hash(&user, hash, new).await;
                Ok(Some(user))
            }
            Verdict::Unusable(error) => {
                tracing::warn!(%error, namespace = %self.namespace, user = %user.id, "a stored password hash cannot be verified");
                Ok(None)
            }
        }
    }

    /// The credentials of the user with the name, or with the spelling that an earlier version stored.
    async fn find_credentials(&self, name: &NameForms) -> Result<Option<Credentials>, IdpError> {
        let mut found = None;
        // All forms, even if the first is found: how long it takes does not tell who exists.
        for form in name.iter() {
            let credentials = self.store.credentials(UserKey::Name(form)).await.map_err(failed)?;
            found = found.or(credentials);
        }
        Ok(found)
    }

    /// Replaces the hash if it is still `old`. The sign-in succeeds either way; the next one tries again.
    async fn replace_hash(&self, user: &UserRecord, old: PasswordHash, new: PasswordHash) {
        let batch = Batch {
            expect: vec![Expect::Password { user_id: user.id.clone(), hash: old }],
            mutations: vec![Mutation::ReplaceHash { user_id: user.id.clone(), hash: new }],
            ..Batch::default()
        };
        match self.store.commit(batch).await {
            Ok(_) | Err(StoreError::Conflict) => {}
            Err(error) => {
                tracing::warn!(%error, namespace = %self.namespace, user = %user.id, "cannot replace a password hash of another kind or cost");
            }
        }
    }

    /// Disabled users may not sign in, nor users with a name in a domain that is not allowed any more.
    pub(super) fn may_sign_in(&self, user: &UserRecord) -> bool {
        !user.disabled && self.policy().check_domain(&user.name).is_ok()
    }

    fn signed_in(&self, record: UserRecord) -> SignIn {
        let user = self.user_of(record);
        let mfa = match self.policy() {
            _ if user.mfa_enrolled => MfaState::CodeDue,
            UserAuthPolicy { enable_mfa: true, require_mfa: true, .. } => MfaState::EnrollmentDue,
            _ => MfaState::NotDue,
        };
        SignIn { user, mfa }
    }
}

#[cfg(test)]
#[cfg(feature = "sqlite")]
mod tests;

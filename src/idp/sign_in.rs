//! Signing in: whether a password is the user's.
//!
//! For hosts, which run the sign-in; no script gets here. What is asked takes the same work, and has the same answer, for a
//! user who is not there, has no password or is disabled.

use std::sync::Arc;

use secrecy::ExposeSecret;

use super::attempts::Attempts;
use super::clock::Clock;
use super::mfa::MfaKeys;
use super::model::{Password, User};
use super::namespace::{Namespace, failed, internal};
use super::password::Verdict;
use super::service::Idp;
use super::{Code, IdpError, NamespaceSettings, UserAuthPolicy, identifier};
use crate::store::{CredentialStore, UserRecord};

/// The bytes of the longest password that the platform's settings allow: 4096 characters of 4 bytes. A longer one is not
/// hashed, so that nobody has us work for long.
const MAX_PASSWORD_BYTES: usize = 4 * 4096;

/// A user whose password was right.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignIn {
    /// The user.
    pub user: User,
    /// What is left to do before the user is signed in.
    pub mfa: MfaState,
}

/// What MFA asks of a user whose password was right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MfaState {
    /// Nothing: the user is signed in.
    NotDue,
    /// A code, for [`Idp::verify_mfa`].
    CodeDue,
    /// A first factor, by [`Idp::begin_mfa_enrollment`] (`requireMfa`).
    EnrollmentDue,
}

/// What signing in goes by, beside store and settings.
pub(super) struct SignInState {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) keys: Arc<MfaKeys>,
    pub(super) codes: Attempts,
    passwords: Attempts,
}

impl SignInState {
    pub(super) fn new(clock: Arc<dyn Clock>, keys: Arc<MfaKeys>, settings: &NamespaceSettings) -> Self {
        let attempts = || Attempts::new(settings.attempt_limits);
        Self { clock, keys, codes: attempts(), passwords: attempts() }
    }
}

impl Idp {
    /// The user with this name, if `password` is theirs.
    ///
    /// `None` where it is not, and where there is no such user, or one who is disabled or has no password: what is so is told
    /// neither by the answer nor by the work it takes. A password whose hash is weaker than the current
    /// [`HashCost`](super::HashCost) is hashed anew.
    ///
    /// # Errors
    ///
    /// - [`ResourceExhausted`](Code::ResourceExhausted) after too many failed attempts, with
    ///   [`TooManyAttempts`](super::TooManyAttempts) as its source: see [`AttemptLimits`](super::AttemptLimits). Attempts under
    ///   way count.
    /// - [`FailedPrecondition`](Code::FailedPrecondition) where passwords sign nobody in (`disablePasswordAuth`).
    /// - [`NotFound`](Code::NotFound) for an unknown namespace, [`Unimplemented`](Code::Unimplemented) where its store keeps no
    ///   passwords.
    pub async fn verify_password(
        &self,
        namespace: &str,
        name: &str,
        password: Password,
    ) -> Result<Option<SignIn>, IdpError> {
        self.namespace(namespace)?.verify_password(name, password).await
    }
}

impl Namespace {
    async fn verify_password(&self, name: &str, password: Password) -> Result<Option<SignIn>, IdpError> {
        if self.policy().disable_password_auth {
            return Err(IdpError::failed_precondition(format!("password sign-in is off in namespace {}", self.name)));
        }
        let name = identifier::normalize(self.policy().name_kind(), name);
        let credentials = self.credentials()?;
        let attempt = self.sign_in.passwords.begin(&name, self.now())?;
        match self.compare(credentials, &name, password).await {
            Ok(Some(user)) => {
                attempt.succeed();
                Ok(Some(self.signed_in(user)))
            }
            Ok(None) => Ok(None),
            Err(error) => {
                attempt.call_off();
                Err(error)
            }
        }
    }

    async fn compare(
        &self,
        credentials: &dyn CredentialStore,
        name: &str,
        password: Password,
    ) -> Result<Option<UserRecord>, IdpError> {
        let found = credentials.credential(name).await.map_err(failed)?;
        // A host may have set longer ones.
        let longest = MAX_PASSWORD_BYTES.max(self.policy().password_max_length.saturating_mul(4));
        let too_long = password.expose_secret().len() > longest;
        let password = if too_long { Password::default() } else { password };
        let (user, hash) = match found {
            Some(credential) if self.may_sign_in(&credential.user) && !too_long => {
                (Some(credential.user), credential.password)
            }
            _ => (None, None),
        };
        let verdict = self.hasher.verify(password, hash.clone()).await.map_err(internal)?;
        let (Some(user), Some(hash)) = (user, hash) else { return Ok(None) };
        match verdict {
            Verdict::Wrong => Ok(None),
            Verdict::Right { rehashed: None } => Ok(Some(user)),
            Verdict::Right { rehashed: Some(stronger) } => {
                // The user is signed in whether or not this succeeds; the next sign-in tries again.
                if let Err(error) = credentials.rehash(&user.id, &hash, stronger).await {
                    tracing::warn!(%error, namespace = %self.name, user = %user.id, "cannot store a stronger password hash");
                }
                Ok(Some(user))
            }
            Verdict::Unusable(error) => {
                tracing::warn!(%error, namespace = %self.name, user = %user.id, "a stored password hash cannot be verified");
                Ok(None)
            }
        }
    }

    /// Who is disabled may not, nor who has a name that the namespace no longer allows.
    pub(super) fn may_sign_in(&self, user: &UserRecord) -> bool {
        !user.disabled && self.policy().check_domain(&user.name).is_ok()
    }

    fn signed_in(&self, record: UserRecord) -> SignIn {
        let user = self.visible(record);
        let mfa = match self.policy() {
            _ if user.mfa_enrolled => MfaState::CodeDue,
            UserAuthPolicy { enable_mfa: true, require_mfa: true, .. } => MfaState::EnrollmentDue,
            _ => MfaState::NotDue,
        };
        SignIn { user, mfa }
    }

    fn credentials(&self) -> Result<&dyn CredentialStore, IdpError> {
        let missing =
            || IdpError::new(Code::Unimplemented, format!("the store of namespace {} keeps no passwords", self.name));
        self.store.credentials().ok_or_else(missing)
    }
}

#[cfg(test)]
mod tests;

//! MFA: authenticator apps as factors, their enrolment and their codes.

mod key;
mod totp;

use std::time::Duration;

use secrecy::SecretString;
use uuid::Uuid;

pub(crate) use self::key::MfaKeys;
pub use self::key::{InvalidMfaKey, MfaKey};
use self::key::{Place, SealError};
use self::totp::TotpSecret;
use super::attempts::{Attempt, AttemptKind};
use super::error::failed;
use super::{LocalDirectory, expect};
use crate::directory::{mfa_disabled, user_not_found};
use crate::model::{Code, EventKind, IdpError, UserKey, internal, shortened};
use crate::store::{Batch, Credentials, Expect, Factor, Mutation, StoreError, UserRef};

/// The time in which an enrolment can be confirmed: enough to install an app and scan the QR code.
const ENROLLMENT_LIFETIME: Duration = Duration::from_secs(10 * 60);

/// The maximum number of factors of a user. A code is compared with each.
const MAX_FACTORS: usize = 10;

/// A factor that waits for confirmation. Its secret is shown to the user once, and is wiped when this value is dropped.
#[derive(Debug)]
#[non_exhaustive]
pub struct Enrollment {
    /// The id of the factor, for [`LocalDirectory::confirm_mfa_enrollment`].
    pub factor_id: String,
    /// The secret in base32.
    pub secret: SecretString,
    /// The secret with everything that an authenticator app needs, for a QR code.
    pub otpauth_uri: SecretString,
}

impl LocalDirectory {
    /// Starts to enrol an authenticator app as a factor of the user. The factor counts once a code of it is passed to
    /// [`confirm_mfa_enrollment`](Self::confirm_mfa_enrollment) within ten minutes. It replaces an unconfirmed enrolment.
    ///
    /// # Errors
    ///
    /// - [`Code::FailedPrecondition`] if MFA is disabled.
    /// - [`Code::NotFound`] if the user does not exist.
    /// - [`Code::FailedPrecondition`] if no [`MfaKey`] is set.
    /// - [`Code::ResourceExhausted`] if the user has ten factors.
    pub async fn begin_mfa_enrollment(&self, user_id: &str) -> Result<Enrollment, IdpError> {
        self.check_mfa_enabled()?;
        let id = Uuid::now_v7().to_string();
        let secret = totp::new_secret().map_err(internal)?;
        let mut write = self.writes.turn(user_id).await;
        loop {
            let mut outcome = self.add_unconfirmed(user_id, &id, &secret).await;
            if !write.repeat(&mut outcome) {
                return outcome;
            }
        }
    }

    /// Adds the factor in place of unconfirmed ones.
    async fn add_unconfirmed(&self, user_id: &str, id: &str, secret: &TotpSecret) -> Result<Enrollment, IdpError> {
        let known = self.known(user_id).await?.ok_or_else(|| user_not_found(user_id))?;
        let sealed = self.keys.seal(self.place(user_id, id), secret).map_err(cannot_open)?;
        let (confirmed, waiting): (Vec<_>, Vec<_>) =
            known.factors.iter().partition(|factor| factor.expires_at.is_none());
        if confirmed.len() >= MAX_FACTORS {
            let detail = format!("a user can have at most {MAX_FACTORS} MFA factors: got {}", confirmed.len());
            return Err(IdpError::new(Code::ResourceExhausted, detail));
        }
        // Before the commit: if it fails, no factor is added.
        let otpauth_uri = totp::otpauth_uri(secret, self.policy().mfa_issuer(), &known.user.name).map_err(internal)?;
        let expires_at = Some(self.now().after(ENROLLMENT_LIFETIME));
        let factor = Factor { id: id.to_owned(), secret: sealed, expires_at, last_step: None };
        let user_id = known.user.id.clone();
        let delete =
            |factor: &Factor| Mutation::DeleteFactor { user_id: user_id.clone(), factor_id: factor.id.clone() };
        let put = Mutation::PutFactor { user_id: user_id.clone(), factor };
        // Without a new version, of several enrolments at once none would replace the others.
        let touch = Mutation::TouchUser { id: user_id.clone() };
        let mutations = waiting.into_iter().map(delete).chain([put, touch]).collect();
        let batch = Batch { expect: vec![expect(&known.user)], mutations, ..Batch::default() };
        self.store.commit(batch).await.map_err(failed)?;
        Ok(Enrollment { factor_id: id.to_owned(), secret: totp::base32(secret), otpauth_uri })
    }

    /// Confirms an enrolment if `code` is right. Returns `false` if it is wrong; the enrolment can be tried again.
    ///
    /// # Errors
    ///
    /// Those of [`verify_mfa`](Self::verify_mfa); and [`Code::NotFound`] if the user or the enrolment does not exist, or the
    /// enrolment has expired.
    pub async fn confirm_mfa_enrollment(&self, user_id: &str, factor_id: &str, code: &str) -> Result<bool, IdpError> {
        self.check_mfa_enabled()?;
        let attempt = self.begin_attempt(AttemptKind::MfaCode, user_id).await?;
        let mut write = self.writes.turn(user_id).await;
        let outcome = loop {
            let mut outcome = self.confirm(user_id, factor_id, code, &attempt).await;
            if !write.repeat(&mut outcome) {
                break outcome;
            }
        };
        settle(attempt, outcome).await
    }

    async fn confirm(
        &self,
        user_id: &str,
        factor_id: &str,
        code: &str,
        attempt: &Attempt<'_>,
    ) -> Result<bool, IdpError> {
        let now = self.now();
        let known = self.known(user_id).await?.ok_or_else(|| user_not_found(user_id))?;
        let waiting = |factor: &&Factor| factor.id == factor_id && factor.expires_at.is_some_and(|end| end > now);
        let expired = || IdpError::not_found(format!("MFA enrolment not found: {}", shortened(factor_id)));
        let factor = known.factors.iter().find(waiting).ok_or_else(expired)?;
        let secret = self.keys.open(self.place(user_id, factor_id), &factor.secret).map_err(cannot_open)?;
        let Some(step) = totp::matching_step(&secret, code, now, None) else { return Ok(false) };
        let user_id = known.user.id.clone();
        let confirmed = Factor { expires_at: None, last_step: Some(step), ..factor.clone() };
        let mut mutations = vec![
            Mutation::PutFactor { user_id: user_id.clone(), factor: confirmed },
            Mutation::TouchUser { id: user_id.clone() },
        ];
        mutations.extend(attempt.success());
        let batch = Batch {
            expect: vec![expect(&known.user), Expect::Factor { user_id: user_id.clone(), factor: factor.clone() }],
            mutations,
            events: self.event(UserRef::Id(user_id), EventKind::Updated),
        };
        self.publish(batch).await.map_err(failed)?;
        Ok(true)
    }

    /// Whether `code` is a current code of one of the user's factors. A code is accepted once, and no older one after it.
    ///
    /// Returns `false` if the user does not exist, may not sign in (disabled, or in a domain that is not allowed any more) or
    /// has no factor.
    ///
    /// # Errors
    ///
    /// - [`Code::ResourceExhausted`] after too many failed attempts, with [`TooManyAttempts`](super::TooManyAttempts) as the
    ///   source: see [`AttemptLimits`](crate::rules::AttemptLimits).
    /// - [`Code::FailedPrecondition`] if MFA is disabled, or the factor's [`MfaKey`] is not set.
    /// - [`Code::Internal`] if a factor's secret cannot be opened, since it was sealed with another key or was changed.
    pub async fn verify_mfa(&self, user_id: &str, code: &str) -> Result<bool, IdpError> {
        self.check_mfa_enabled()?;
        let attempt = self.begin_attempt(AttemptKind::MfaCode, user_id).await?;
        let mut write = self.writes.turn(user_id).await;
        let outcome = loop {
            let mut outcome = match self.known(user_id).await {
                Ok(Some(known)) if self.may_sign_in(&known.user) => self.use_code(&known, code, &attempt).await,
                Ok(_) => Ok(false),
                Err(error) => Err(error),
            };
            if !write.repeat(&mut outcome) {
                break outcome;
            }
        };
        settle(attempt, outcome).await
    }

    /// Finds the factor whose code it is, and records the code as used.
    async fn use_code(&self, known: &Credentials, code: &str, attempt: &Attempt<'_>) -> Result<bool, IdpError> {
        let user_id = &known.user.id;
        let mut fault = None;
        for factor in known.factors.iter().filter(|factor| factor.expires_at.is_none()) {
            let place = self.place(user_id, &factor.id);
            let secret = match self.keys.open(place, &factor.secret) {
                Ok(secret) => secret,
                Err(error) => {
                    // Another factor may match. If none does, this is reported.
                    fault = Some(error);
                    continue;
                }
            };
            let Some(step) = totp::matching_step(&secret, code, self.now(), factor.last_step) else { continue };
            let resealed = self.keys.reseal(place, &factor.secret, &secret).map_err(cannot_open)?;
            let used = Factor {
                secret: resealed.unwrap_or_else(|| factor.secret.clone()),
                last_step: Some(step),
                ..factor.clone()
            };
            let mut mutations = vec![Mutation::PutFactor { user_id: user_id.clone(), factor: used }];
            mutations.extend(attempt.success());
            let batch = Batch {
                // Of several uses of one code, one finds the factor unchanged.
                expect: vec![expect(&known.user), Expect::Factor { user_id: user_id.clone(), factor: factor.clone() }],
                mutations,
                ..Batch::default()
            };
            self.store.commit(batch).await.map_err(failed)?;
            return Ok(true);
        }
        fault.map_or(Ok(false), |error| Err(cannot_open(error)))
    }

    async fn known(&self, user_id: &str) -> Result<Option<Credentials>, IdpError> {
        self.store.credentials(UserKey::Id(user_id)).await.map_err(failed)
    }

    fn check_mfa_enabled(&self) -> Result<(), IdpError> {
        if self.policy().enable_mfa { Ok(()) } else { Err(mfa_disabled(&self.namespace)) }
    }

    fn place<'a>(&'a self, user_id: &'a str, factor_id: &'a str) -> Place<'a> {
        Place { namespace: self.namespace.as_str(), user_id, factor_id }
    }
}

/// Counts the attempt by its outcome. A success was counted with its commit.
async fn settle(attempt: Attempt<'_>, outcome: Result<bool, IdpError>) -> Result<bool, IdpError> {
    match outcome {
        Err(error) if is_of_the_store(&error) => {
            attempt.call_off().await;
            Err(error)
        }
        other => other,
    }
}

/// Whether nothing was found out about the code, since the store failed. A write with an unknown outcome may have counted.
fn is_of_the_store(error: &IdpError) -> bool {
    let store_error = std::error::Error::source(error).and_then(|source| source.downcast_ref::<StoreError>());
    store_error.is_some_and(|error| !error.is_unknown_outcome())
}

fn cannot_open(error: SealError) -> IdpError {
    match error {
        SealError::NoKey | SealError::MissingKey(_) => IdpError::failed_precondition(error.to_string()),
        SealError::Refused(_) | SealError::Random => internal(error),
    }
}

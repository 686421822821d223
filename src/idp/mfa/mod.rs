//! MFA: authenticator apps as factors, their enrolment, and their codes.

mod key;
mod totp;

use std::time::Duration;

use secrecy::SecretString;
use uuid::Uuid;

use super::error::shortened;
use super::model::UnenrollMfa;
use super::namespace::{Namespace, failed, internal, refused, user_not_found};
use super::permission::Operation;
use super::service::Idp;
use super::{Code, IdpError, Principal};
use crate::store::{Factor, MfaStore, NewFactor, StoreError, UserFactors, WriteOptions};

pub(crate) use self::key::MfaKeys;
pub use self::key::{InvalidMfaKey, MfaKey};
use self::key::{Place, SealError};

/// How long an enrolment can be confirmed: time to install an app and find the camera.
const ENROLLMENT_LIFETIME: Duration = Duration::from_secs(10 * 60);

/// Factors of one user: more than anybody has devices. A code is compared with each.
const MAX_FACTORS: usize = 10;

/// A factor that waits to be confirmed. Its secret is shown to the user once, and is wiped when this is dropped.
#[derive(Debug)]
#[non_exhaustive]
pub struct Enrollment {
    /// For [`Idp::confirm_mfa_enrollment`].
    pub factor_id: String,
    /// What codes are made from, in base32.
    pub secret: SecretString,
    /// The same and all that an authenticator app wants to know, for a QR code.
    pub otpauth_uri: SecretString,
}

impl Idp {
    /// Starts to enrol an authenticator app as a factor of the user. It counts once a code of it has been given to
    /// [`confirm_mfa_enrollment`](Self::confirm_mfa_enrollment), within ten minutes. An enrolment that was not confirmed gives way
    /// to the next.
    ///
    /// # Errors
    ///
    /// - [`FailedPrecondition`](Code::FailedPrecondition) where MFA is off, or no [`MfaKey`] is set.
    /// - [`NotFound`](Code::NotFound) for an unknown namespace or user.
    /// - [`ResourceExhausted`](Code::ResourceExhausted) for a user who has ten factors.
    pub async fn begin_mfa_enrollment(&self, namespace: &str, user_id: &str) -> Result<Enrollment, IdpError> {
        self.namespace(namespace)?.begin_mfa_enrollment(user_id).await
    }

    /// Makes the enrolled app a factor of the user, if `code` is its. `false`, and another try, if it is not.
    ///
    /// # Errors
    ///
    /// As for [`verify_mfa`](Self::verify_mfa); and [`NotFound`](Code::NotFound) where nothing of this id waits to be
    /// confirmed, or waits no longer.
    pub async fn confirm_mfa_enrollment(
        &self,
        namespace: &str,
        user_id: &str,
        factor_id: &str,
        code: &str,
    ) -> Result<bool, IdpError> {
        self.namespace(namespace)?.confirm_mfa_enrollment(user_id, factor_id, code).await
    }

    /// Whether `code` is a current code of one of the user's factors. Each is good for one time, and so is an older one: once a
    /// code has been taken, none of its time or before is.
    ///
    /// `false` for a user who is not there, may not sign in (disabled, or of a domain that is no longer allowed) or has no factor.
    ///
    /// # Errors
    ///
    /// - [`ResourceExhausted`](Code::ResourceExhausted) after too many failed attempts, with
    ///   [`TooManyAttempts`](super::TooManyAttempts) as its source: see [`AttemptLimits`](super::AttemptLimits).
    /// - [`FailedPrecondition`](Code::FailedPrecondition) where MFA is off, or the factor's [`MfaKey`] is not set.
    /// - [`Internal`](Code::Internal) where a factor's secret does not open, because of another key or a change in the store.
    /// - [`NotFound`](Code::NotFound) for an unknown namespace.
    pub async fn verify_mfa(&self, namespace: &str, user_id: &str, code: &str) -> Result<bool, IdpError> {
        self.namespace(namespace)?.verify_mfa(user_id, code).await
    }
}

impl Namespace {
    async fn begin_mfa_enrollment(&self, user_id: &str) -> Result<Enrollment, IdpError> {
        let store = self.factors()?;
        let known = store.factors(user_id).await.map_err(failed)?.ok_or_else(|| user_not_found(user_id))?;
        let confirmed = known.factors.iter().filter(|factor| factor.expires_at.is_none()).count();
        if confirmed >= MAX_FACTORS {
            return Err(IdpError::new(
                Code::ResourceExhausted,
                format!("a user can have at most {MAX_FACTORS} MFA factors: got {confirmed}"),
            ));
        }
        let id = Uuid::now_v7().to_string();
        let secret = totp::new_secret().map_err(internal)?;
        let sealed = self.sign_in.keys.seal(self.place(user_id, &id), &secret).map_err(cannot_open)?;
        let otpauth_uri = totp::otpauth_uri(&secret, self.policy().mfa_issuer(), &known.user.name).map_err(internal)?;
        let factor = NewFactor { id: id.clone(), secret: sealed, expires_at: self.now().after(ENROLLMENT_LIFETIME) };
        if !store.add_factor(user_id, factor).await.map_err(failed)? {
            return Err(user_not_found(user_id));
        }
        Ok(Enrollment { factor_id: id, secret: totp::base32(&secret), otpauth_uri })
    }

    async fn confirm_mfa_enrollment(&self, user_id: &str, factor_id: &str, code: &str) -> Result<bool, IdpError> {
        let store = self.factors()?;
        let now = self.now();
        let attempt = self.sign_in.codes.begin(user_id, now)?;
        let expired = || IdpError::not_found(format!("MFA enrolment not found: {}", shortened(factor_id)));
        let known = match store.factors(user_id).await {
            Ok(known) => known.ok_or_else(|| user_not_found(user_id))?,
            Err(error) => {
                attempt.call_off();
                return Err(failed(error));
            }
        };
        let waiting = |factor: &&Factor| factor.id == factor_id && factor.expires_at.is_some_and(|end| end > now);
        let factor = known.factors.iter().find(waiting).ok_or_else(expired)?;
        let secret = self.sign_in.keys.open(self.place(user_id, factor_id), &factor.secret).map_err(cannot_open)?;
        let Some(step) = totp::matching_step(&secret, code, now, None) else { return Ok(false) };
        let options = WriteOptions { publish: self.publishes(), ..WriteOptions::unchecked() };
        if !store.confirm_factor(user_id, factor_id, step, now, options).await.map_err(failed)? {
            return Err(expired());
        }
        attempt.succeed();
        Ok(true)
    }

    async fn verify_mfa(&self, user_id: &str, code: &str) -> Result<bool, IdpError> {
        let store = self.factors()?;
        let attempt = self.sign_in.codes.begin(user_id, self.now())?;
        let known = match store.factors(user_id).await {
            Ok(known) => known,
            Err(error) => {
                attempt.call_off();
                return Err(failed(error));
            }
        };
        let Some(known) = known.filter(|known| self.may_sign_in(&known.user)) else { return Ok(false) };
        let verified = self.use_code(store, &known, code).await?;
        if verified {
            attempt.succeed();
        }
        Ok(verified)
    }

    /// Finds the factor that the code is of, and uses the code up.
    async fn use_code(&self, store: &dyn MfaStore, known: &UserFactors, code: &str) -> Result<bool, IdpError> {
        let user_id = &known.user.id;
        let mut fault = None;
        for factor in known.factors.iter().filter(|factor| factor.expires_at.is_none()) {
            let place = self.place(user_id, &factor.id);
            let secret = match self.sign_in.keys.open(place, &factor.secret) {
                Ok(secret) => secret,
                Err(error) => {
                    // Another factor may do. If none does, this has to be told.
                    fault = Some(error);
                    continue;
                }
            };
            let Some(step) = totp::matching_step(&secret, code, self.now(), factor.last_step) else { continue };
            let resealed = self.sign_in.keys.reseal(place, &factor.secret, &secret).map_err(cannot_open)?;
            let options = WriteOptions { check: Box::new(|user, _| !user.disabled), ..WriteOptions::unchecked() };
            match store.use_factor(user_id, &factor.id, step, resealed, options).await {
                Ok(true) => return Ok(true),
                // Used by another sign-in, or gone, in the meantime.
                Ok(false) | Err(StoreError::Denied) => (),
                Err(error) => return Err(failed(error)),
            }
        }
        fault.map_or(Ok(false), |error| Err(cannot_open(error)))
    }

    /// Needs its own permission, and `read` on the user.
    pub(super) async fn unenroll_mfa(&self, principal: &Principal, input: UnenrollMfa) -> Result<(), IdpError> {
        let UnenrollMfa { user_id, mfa_factor_id } = input;
        let options = self.write_all(&[Operation::UnenrollMfa, Operation::Read], principal);
        let removed = self.factors()?.remove_factor(&user_id, &mfa_factor_id, options).await;
        match removed.map_err(|error| refused(error, Operation::UnenrollMfa))? {
            Some(true) => Ok(()),
            Some(false) => Err(IdpError::not_found(format!("MFA factor not found: {}", shortened(&mfa_factor_id)))),
            None => Err(user_not_found(&user_id)),
        }
    }

    fn factors(&self) -> Result<&dyn MfaStore, IdpError> {
        if !self.policy().enable_mfa {
            return Err(IdpError::failed_precondition(format!("MFA is not enabled in namespace {}", self.name)));
        }
        let missing =
            || IdpError::new(Code::Unimplemented, format!("the store of namespace {} keeps no MFA factors", self.name));
        self.store.mfa().ok_or_else(missing)
    }

    fn place<'a>(&'a self, user_id: &'a str, factor_id: &'a str) -> Place<'a> {
        Place { namespace: self.name.as_str(), user_id, factor_id }
    }
}

fn cannot_open(error: SealError) -> IdpError {
    match error {
        SealError::NoKey | SealError::MissingKey(_) => IdpError::failed_precondition(error.to_string()),
        SealError::Refused(_) | SealError::Random => internal(error),
    }
}

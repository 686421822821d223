//! Password resets by link.

use super::error::failed;
use super::{LocalDirectory, ResetToken, expect, outbox};
use crate::model::{EventKind, IdpError, Password, UserKey, UserRecord};
use crate::rules::reset_mail;
use crate::store::{Batch, Expect, JobFilter, Mutation, PasswordChange, QueueName, UserPatch, UserRef};

/// A password reset: completed, or possible with a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordReset {
    /// The id of the user.
    pub user_id: String,
    /// The URL that the browser goes to afterwards: the `redirectUri` of the request. `None` if `allowedReturnOrigins` does not
    /// allow its origin any more: the browser must not be sent there.
    pub redirect_uri: Option<String>,
}

/// A failed password reset.
#[derive(Debug, thiserror::Error)]
pub enum ResetPasswordError {
    /// The token is unknown, used, revoked or expired. The caller does not learn which.
    #[error("the reset link is not valid, or no longer")]
    InvalidToken,
    /// The password violates the policy. The token remains valid.
    #[error("{0}")]
    Password(IdpError),
    /// The reset failed for another reason. The token remains valid, unless the outcome of the write is unknown
    /// ([`Code::Aborted`](crate::model::Code::Aborted)).
    #[error(transparent)]
    Failed(IdpError),
}

impl LocalDirectory {
    /// The reset that the token allows, without using it: for the page that asks for the password.
    ///
    /// # Errors
    ///
    /// [`ResetPasswordError::InvalidToken`], or [`ResetPasswordError::Failed`].
    pub async fn reset_link(&self, token: &ResetToken) -> Result<PasswordReset, ResetPasswordError> {
        Ok(self.find_reset(token).await?.1)
    }

    /// Sets the password of the token's user and uses up the token, both or neither.
    ///
    /// # Errors
    ///
    /// [`ResetPasswordError`]: the token, the password and the store are checked in this order. Only success uses up the token.
    pub async fn reset_password(
        &self,
        token: &ResetToken,
        password: Password,
    ) -> Result<PasswordReset, ResetPasswordError> {
        // Checked before the expensive hash, so that requests without a valid link cause no work.
        let (user, _) = self.find_reset(token).await?;
        self.policy().check_password(&password).map_err(ResetPasswordError::Password)?;
        let hash = self.hash(password).await.map_err(ResetPasswordError::Failed)?;
        let mut write = self.writes.turn(&user.id).await;
        loop {
            let (user, reset) = self.find_reset(token).await?;
            let id = user.id.clone();
            let patch = UserPatch { password: PasswordChange::Set(hash.clone()), ..UserPatch::default() };
            let mut mutations = vec![Mutation::UpdateUser { id: id.clone(), patch }];
            mutations.extend(outbox::end_resets(&id, "not sent: the password was set"));
            let batch = Batch {
                expect: vec![expect(&user), Expect::ResetToken { user_id: id.clone(), hash: token.hash() }],
                mutations,
                events: self.event(UserRef::Id(id), EventKind::Updated),
            };
            let mut outcome = self.publish(batch).await.map_err(failed);
            if !write.repeat(&mut outcome) {
                return outcome.map(|_| reset).map_err(ResetPasswordError::Failed);
            }
        }
    }

    /// The user and the reset of a valid token.
    async fn find_reset(&self, token: &ResetToken) -> Result<(UserRecord, PasswordReset), ResetPasswordError> {
        if reset_mail::resets_disabled(self.policy(), &self.namespace).is_some() {
            return Err(ResetPasswordError::InvalidToken);
        }
        // Found by its hash: how long the lookup takes tells nothing about other tokens.
        let failed = |error| ResetPasswordError::Failed(failed(error));
        let found = self.store.reset_token(token.hash()).await.map_err(failed)?;
        let found = found.filter(|found| found.expires_at > self.now()).ok_or(ResetPasswordError::InvalidToken)?;
        let user = self.store.get(UserKey::Id(&found.user_id)).await.map_err(failed)?;
        let user = user.filter(|user| !user.disabled).ok_or(ResetPasswordError::InvalidToken)?;
        let filter = JobFilter { id: Some(found.job_id), limit: 1, ..JobFilter::new(QueueName::ResetMails) };
        let job = self.store.jobs(filter).await.map_err(failed)?.into_iter().next();
        let job = job.ok_or(ResetPasswordError::InvalidToken)?;
        let mail = outbox::mail_of(&job).map_err(ResetPasswordError::Failed)?;
        let redirect_uri = Some(mail.redirect_uri).filter(|uri| reset_mail::may_return(self.policy(), uri));
        Ok((user, PasswordReset { user_id: mail.user_id, redirect_uri }))
    }
}

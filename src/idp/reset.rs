//! Password resets: what a script asks for, and what the page behind the mail's link does.

use super::model::{Password, SendPasswordResetEmail};
use super::namespace::{Namespace, failed, internal, refused, user_not_found};
use super::permission::Operation;
use super::reset_token::ResetToken;
use super::settings::mail_text_fault;
use super::{Code, Idp, IdpError, NameKind, Principal};
use crate::store::{Queued, ResetMail, ResetMailStore, TokenTarget};

/// Characters in a redirect URI: what browsers and proxies agree to carry.
const MAX_REDIRECT_URI: usize = 2048;

/// A password that was set by way of a reset link, or a link that can set one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordReset {
    /// Whose password.
    pub user_id: String,
    /// Where the browser goes afterwards: what the script gave as `redirectUri`.
    pub redirect_uri: String,
}

/// Why a password was not set.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResetPasswordError {
    /// The token is unknown, used, ended or run out; which of these is not said, nor to be told from how long it took.
    #[error("the reset link is not valid, or no longer")]
    InvalidToken,
    /// The password is against the policy. The token is still good.
    #[error("{0}")]
    Password(IdpError),
    /// It could not be done now. The token is still good.
    #[error(transparent)]
    Failed(IdpError),
}

impl Idp {
    /// Sets the password of the user whom the token was mailed to, and uses the token up: both or neither.
    ///
    /// # Errors
    ///
    /// [`ResetPasswordError`]: what is wrong is the token, the password or the store, looked at in this order. A token is used up
    /// by success alone.
    pub async fn reset_password(
        &self,
        namespace: &str,
        token: &ResetToken,
        password: Password,
    ) -> Result<PasswordReset, ResetPasswordError> {
        let namespace = self.namespace(namespace).map_err(ResetPasswordError::Failed)?;
        namespace.reset_password(token, password).await
    }

    /// What the token could do now, without using it: for the page that asks for the password.
    ///
    /// # Errors
    ///
    /// [`ResetPasswordError::InvalidToken`], or [`ResetPasswordError::Failed`].
    pub async fn reset_link(&self, namespace: &str, token: &ResetToken) -> Result<PasswordReset, ResetPasswordError> {
        self.namespace(namespace).map_err(ResetPasswordError::Failed)?.reset_link(token).await
    }
}

impl Namespace {
    async fn reset_link(&self, token: &ResetToken) -> Result<PasswordReset, ResetPasswordError> {
        let failed = |error| ResetPasswordError::Failed(failed(error));
        let store = self.reset_mails().map_err(ResetPasswordError::Failed)?;
        if self.resets_nothing().is_some() {
            return Err(ResetPasswordError::InvalidToken);
        }
        // The store looks the hash up, not the token: how long that takes tells nothing of any token.
        let found = store.token(token.hash(), self.now()).await.map_err(failed)?;
        found.map(PasswordReset::from).ok_or(ResetPasswordError::InvalidToken)
    }

    async fn reset_password(
        &self,
        token: &ResetToken,
        password: Password,
    ) -> Result<PasswordReset, ResetPasswordError> {
        // Ahead of the hash, which is dear: whoever has no link cannot make us work.
        self.reset_link(token).await?;
        self.policy().check_password(&password).map_err(ResetPasswordError::Password)?;
        let hash = self.hasher.hash(password).await.map_err(|error| ResetPasswordError::Failed(internal(error)))?;
        let store = self.reset_mails().map_err(ResetPasswordError::Failed)?;
        let used = store.use_token(token.hash(), hash, self.now(), self.publishes()).await;
        let used = used.map_err(|error| ResetPasswordError::Failed(failed(error)))?;
        used.map(PasswordReset::from).ok_or(ResetPasswordError::InvalidToken)
    }

    pub(super) async fn send_password_reset_email(
        &self,
        principal: &Principal,
        input: SendPasswordResetEmail,
    ) -> Result<(), IdpError> {
        check_redirect_uri(&input.redirect_uri)?;
        check_mail_text("fromName", input.from_name.as_deref())?;
        check_mail_text("subject", input.subject.as_deref())?;
        if let Some(why) = self.resets_nothing() {
            return Err(IdpError::failed_precondition(why));
        }
        self.policy().check_return(&input.redirect_uri)?;
        let SendPasswordResetEmail { user_id, redirect_uri, from_name, subject } = input;
        let mail = ResetMail { user_id: user_id.clone(), redirect_uri, from_name, subject };
        let options = self.write(Operation::SendPasswordResetEmail, principal);
        let limit = self.settings.reset_mail_limit;
        let queued = self.reset_mails()?.queue(mail, self.now(), limit, options).await;
        match queued.map_err(|error| refused(error, Operation::SendPasswordResetEmail))? {
            Queued::Done => Ok(()),
            Queued::NoUser => Err(user_not_found(&user_id)),
            Queued::TooSoon(wait) => Err(IdpError::new(
                Code::ResourceExhausted,
                format!(
                    "the user may be sent {} password-reset mails within {} s: try again in {} s",
                    limit.mails,
                    limit.window.as_secs(),
                    wait.as_millis().div_ceil(1000)
                ),
            )),
        }
    }

    /// Why nobody of the namespace can reset a password by mail, if so.
    pub(super) fn resets_nothing(&self) -> Option<String> {
        if self.policy().name_kind() != NameKind::Email {
            return Some(format!("the users of namespace {} are not identified by e-mail addresses", self.name));
        }
        self.policy().disable_password_auth.then(|| {
            format!("the users of namespace {} do not sign in with passwords: disablePasswordAuth is set", self.name)
        })
    }

    pub(super) fn reset_mails(&self) -> Result<&dyn ResetMailStore, IdpError> {
        let missing =
            || IdpError::new(Code::Unimplemented, format!("the store of namespace {} sends no mails", self.name));
        self.store.reset_mails().ok_or_else(missing)
    }
}

impl From<TokenTarget> for PasswordReset {
    fn from(target: TokenTarget) -> Self {
        Self { user_id: target.user_id, redirect_uri: target.redirect_uri }
    }
}

fn check_redirect_uri(uri: &str) -> Result<(), IdpError> {
    let length = uri.chars().count();
    if length > MAX_REDIRECT_URI {
        return Err(IdpError::invalid_argument(format!(
            "redirectUri must be at most {MAX_REDIRECT_URI} characters: got {length}"
        )));
    }
    if is_absolute_http(uri) {
        return Ok(());
    }
    Err(IdpError::invalid_argument(format!("redirectUri must be an absolute http or https URL: got {uri:?}")))
}

/// Spelled out, too: the parser forgives what a mail, a browser and a Location header need not (`http:example.com`, back
/// slashes, white space), and a user name in front of the host only misleads.
fn is_absolute_http(uri: &str) -> bool {
    let authority = uri.split_once("://").map_or("", |(_, rest)| rest);
    let spelled_out = !authority.starts_with('/') && !uri.contains(['\\', '@']);
    let clean = !uri.chars().any(|c| c.is_whitespace() || c.is_control());
    let url = url::Url::parse(uri).ok().filter(|_| spelled_out && clean);
    url.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

fn check_mail_text(field: &str, text: Option<&str>) -> Result<(), IdpError> {
    match text.and_then(mail_text_fault) {
        Some(fault) => Err(IdpError::invalid_argument(format!("{field} {fault}"))),
        None => Ok(()),
    }
}

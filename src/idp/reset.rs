//! Password resets.

use super::model::SendPasswordResetEmail;
use super::namespace::{Namespace, failed, refused, user_not_found};
use super::permission::Operation;
use super::settings::mail_text_fault;
use super::{Code, IdpError, NameKind, Principal};
use crate::store::{ResetMail, ResetMailStore};

/// Characters in a redirect URI: what browsers and proxies agree to carry.
const MAX_REDIRECT_URI: usize = 2048;

impl Namespace {
    pub(super) async fn send_password_reset_email(
        &self,
        principal: &Principal,
        input: SendPasswordResetEmail,
    ) -> Result<(), IdpError> {
        check_redirect_uri(&input.redirect_uri)?;
        check_mail_text("fromName", input.from_name.as_deref())?;
        check_mail_text("subject", input.subject.as_deref())?;
        if self.policy().name_kind() != NameKind::Email {
            return Err(IdpError::failed_precondition(format!(
                "the users of namespace {} are not identified by e-mail addresses",
                self.name
            )));
        }
        if self.policy().disable_password_auth {
            return Err(IdpError::failed_precondition(format!(
                "the users of namespace {} do not sign in with passwords: disablePasswordAuth is set",
                self.name
            )));
        }
        self.policy().check_return(&input.redirect_uri)?;
        let SendPasswordResetEmail { user_id, redirect_uri, from_name, subject } = input;
        let mail = ResetMail { user_id: user_id.clone(), redirect_uri, from_name, subject };
        let options = self.write(Operation::SendPasswordResetEmail, principal);
        let queued = self.reset_mails()?.queue(mail, options).await;
        let queued = queued.map_err(|error| refused(error, Operation::SendPasswordResetEmail))?;
        if queued { Ok(()) } else { Err(user_not_found(&user_id)) }
    }

    pub(super) async fn queued_reset_mails(&self) -> Result<Vec<ResetMail>, IdpError> {
        self.reset_mails()?.queued().await.map_err(failed)
    }

    fn reset_mails(&self) -> Result<&dyn ResetMailStore, IdpError> {
        let missing =
            || IdpError::new(Code::Unimplemented, format!("the store of namespace {} sends no mails", self.name));
        self.store.reset_mails().ok_or_else(missing)
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

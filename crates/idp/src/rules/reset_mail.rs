//! Rules for password-reset mails.

use super::{NameKind, UserAuthPolicy, names, uris};
use crate::model::{IdpError, NamespaceName, SendPasswordResetEmail, UserRecord};

/// The maximum length of a redirect URI in characters: what browsers and proxies accept.
const MAX_REDIRECT_URI: usize = 2048;
/// The maximum length of a mail's sender name or subject in characters.
const MAX_MAIL_TEXT: usize = 200;

/// Checks the form of a request, apart from the namespace's policies.
pub(crate) fn check_form(request: &SendPasswordResetEmail) -> Result<(), IdpError> {
    check_redirect_uri(&request.redirect_uri)?;
    check_mail_text("fromName", request.from_name.as_deref())?;
    check_mail_text("subject", request.subject.as_deref())
}

/// The reason why no user of the namespace can reset a password by mail, if there is one.
pub(crate) fn resets_disabled(policy: &UserAuthPolicy, namespace: &NamespaceName) -> Option<String> {
    if policy.name_kind() != NameKind::Email {
        return Some(format!("the users of namespace {namespace} are not identified by e-mail addresses"));
    }
    policy.disable_password_auth.then(|| {
        format!("the users of namespace {namespace} do not sign in with passwords: disablePasswordAuth is set")
    })
}

/// The reason why the user cannot be sent a reset mail, if there is one. Such a mail would not be sent, or its link not work.
pub(crate) fn undeliverable_reason(user: &UserRecord) -> Option<&'static str> {
    if user.disabled {
        return Some("the user is disabled");
    }
    // Names from before the namespace required e-mail addresses.
    (!names::is_address(&user.name)).then_some("the name of the user is not an e-mail address")
}

/// Whether a browser may be sent to the redirect URI of a mail now: the rules may have been tightened since the mail was asked
/// for.
pub(crate) fn may_return(policy: &UserAuthPolicy, redirect_uri: &str) -> bool {
    check_redirect_uri(redirect_uri).and_then(|()| policy.check_return(redirect_uri)).is_ok()
}

/// The violation of a text for a mail header, if there is one.
pub(super) fn mail_text_fault(text: &str) -> Option<String> {
    let length = text.chars().count();
    if length > MAX_MAIL_TEXT {
        return Some(format!("must be {MAX_MAIL_TEXT} characters or less: got {length}"));
    }
    text.contains(['\r', '\n']).then(|| format!("must not contain newline characters: got {text:?}"))
}

fn check_redirect_uri(uri: &str) -> Result<(), IdpError> {
    let length = uri.chars().count();
    if length > MAX_REDIRECT_URI {
        return Err(IdpError::invalid_argument(format!(
            "redirectUri must be at most {MAX_REDIRECT_URI} characters: got {length}"
        )));
    }
    if uris::parse_http(uri).is_some() {
        return Ok(());
    }
    let shown = uris::without_userinfo(uri);
    let without = if shown == uri { "" } else { " without user or password" };
    Err(IdpError::invalid_argument(format!(
        "redirectUri must be an absolute http or https URL{without}: got {shown:?}"
    )))
}

fn check_mail_text(field: &str, text: Option<&str>) -> Result<(), IdpError> {
    match text.and_then(mail_text_fault) {
        Some(fault) => Err(IdpError::invalid_argument(format!("{field} {fault}"))),
        None => Ok(()),
    }
}

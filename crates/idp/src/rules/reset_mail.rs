//! Rules for password-reset mails.

use super::{NameKind, UserAuthPolicy};
use crate::model::{IdpError, NamespaceName, SendPasswordResetEmail};

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
    if is_absolute_http(uri) {
        return Ok(());
    }
    Err(IdpError::invalid_argument(format!("redirectUri must be an absolute http or https URL: got {uri:?}")))
}

/// Stricter than the URL parser, which accepts what mails, browsers and `Location` headers may not (`http:example.com`,
/// backslashes, white space). A user name before the host could mislead.
fn is_absolute_http(uri: &str) -> bool {
    let authority = uri.split_once("://").map_or("", |(_, rest)| rest);
    let has_authority = !authority.starts_with('/') && !uri.contains(['\\', '@']);
    let clean = !uri.chars().any(|c| c.is_whitespace() || c.is_control());
    let url = url::Url::parse(uri).ok().filter(|_| has_authority && clean);
    url.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

fn check_mail_text(field: &str, text: Option<&str>) -> Result<(), IdpError> {
    match text.and_then(mail_text_fault) {
        Some(fault) => Err(IdpError::invalid_argument(format!("{field} {fault}"))),
        None => Ok(()),
    }
}

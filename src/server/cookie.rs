//! Cookie that carries the reset token from the link to the form.

use axum::http::{HeaderMap, HeaderValue, header};
use url::Url;

use crate::idp::ResetToken;
use crate::idp::local::TOKEN_LIFETIME;
use crate::idp::mail::reset_path;

/// One cookie per namespace, so that links of two namespaces can be open at the same time.
fn name(namespace: &str) -> String {
    format!("tailor-idp-reset-{namespace}")
}

/// Builds the `Set-Cookie` header that sets the token, or removes it if `token` is `None`. `SameSite=Lax` because the link is
/// opened from another site, the webmail page; with it, form posts from other sites do not send the cookie.
pub(super) fn set(base_url: &Url, namespace: &str, token: Option<&ResetToken>) -> Option<HeaderValue> {
    let (value, age) = token.map_or(("", 0), |token| (token.expose(), TOKEN_LIFETIME.as_secs()));
    let secure = if base_url.scheme() == "https" { "; Secure" } else { "" };
    let (name, path) = (name(namespace), reset_path(base_url, namespace));
    let mut header =
        HeaderValue::from_str(&format!("{name}={value}; Path={path}; Max-Age={age}; HttpOnly; SameSite=Lax{secure}"))
            .ok()?;
    header.set_sensitive(true);
    Some(header)
}

/// Returns the token from the request, if there is a well-formed one.
pub(super) fn get(headers: &HeaderMap, namespace: &str) -> Option<ResetToken> {
    let name = name(namespace);
    let texts = headers.get_all(header::COOKIE).iter().filter_map(|header| header.to_str().ok());
    let mut cookies = texts.flat_map(|text| text.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
    cookies.find(|(key, _)| *key == name).and_then(|(_, value)| ResetToken::parse(value))
}

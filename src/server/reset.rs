//! Request handlers of the password-reset page.

use std::sync::Arc;
use std::time::Duration;

use axum::Form;
use axum::body::{Body, Bytes};
use axum::extract::rejection::{FormRejection, PathRejection};
use axum::extract::{FromRequest, Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use url::Url;

use super::cookie;
use super::page::{FormError, Notice};
use super::state::ServerState;
use crate::idp::mail::reset_path;
use crate::idp::{IdpError, NamespaceSettings, Password, ResetPasswordError, ResetToken};

/// Time for the body of a form: slow ones must not use up the connections.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
pub(super) struct Link {
    token: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct NewPassword {
    #[serde(default)]
    proof: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    confirmation: String,
}

/// CSRF token of the form: derived from the reset token, which other sites do not know. It reveals neither the token nor the
/// stored hash.
fn proof(token: &ResetToken) -> String {
    let hash = Sha256::new().chain_update("tailor-idp reset form\0").chain_update(token.expose()).finalize();
    BASE64_URL_SAFE_NO_PAD.encode(hash)
}

/// Moves the token of a link into the cookie; without a token in the URL, shows the form. Does not use up the token.
pub(super) async fn show(
    State(state): State<Arc<ServerState>>,
    Path(namespace): Path<String>,
    Query(link): Query<Link>,
    headers: HeaderMap,
) -> Response {
    let Some(settings) = state.idp.settings(&namespace) else { return unknown_namespace(&state) };
    if let Some(token) = link.token {
        // A malformed token replaces an earlier cookie as well: the page must match the link that was opened.
        let token = ResetToken::parse(&token);
        let mut response = redirect(&reset_path(&state.base_url, &namespace));
        response.headers_mut().extend(
            cookie::set(&state.base_url, &namespace, token.as_ref()).map(|cookie| (header::SET_COOKIE, cookie)),
        );
        return response;
    }
    let Some(token) = cookie::get(&headers, &namespace) else {
        return state.pages.notice(settings.lang, Notice::InvalidLink);
    };
    form(&state, &namespace, settings, &token, None).await
}

/// Reads the body of a form, for a layer outside of the limit on requests that are handled at once: otherwise slow bodies would use
/// them up. The number of connections bounds the bodies in memory.
pub(super) async fn read_body(
    State(state): State<Arc<ServerState>>,
    path: Result<Path<String>, PathRejection>,
    request: Request,
    next: Next,
) -> Response {
    let settings = path.ok().and_then(|Path(namespace)| state.idp.settings(&namespace));
    // No other handler reads a body.
    let Some(settings) = settings.filter(|_| request.method() == Method::POST) else { return next.run(request).await };
    let (head, body) = request.into_parts();
    let body = Bytes::from_request(Request::from_parts(head.clone(), body), &());
    match tokio::time::timeout(BODY_TIMEOUT, body).await {
        Ok(Ok(body)) => next.run(Request::from_parts(head, Body::from(body))).await,
        Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            state.pages.notice(settings.lang, Notice::TooLarge)
        }
        Ok(Err(_)) | Err(_) => state.pages.notice(settings.lang, Notice::BadRequest),
    }
}

/// Sets the new password.
pub(super) async fn submit(
    State(state): State<Arc<ServerState>>,
    Path(namespace): Path<String>,
    headers: HeaderMap,
    input: Result<Form<NewPassword>, FormRejection>,
) -> Response {
    let Some(settings) = state.idp.settings(&namespace) else { return unknown_namespace(&state) };
    let notice = |notice| state.pages.notice(settings.lang, notice);
    let Ok(Form(input)) = input else { return notice(Notice::BadRequest) };
    let (password, confirmation) = (Password::from(input.password), Password::from(input.confirmation));
    let Some(token) = cookie::get(&headers, &namespace) else { return notice(Notice::InvalidLink) };
    if is_cross_site(&headers) || input.proof != proof(&token) {
        return notice(Notice::ForeignForm);
    }
    if !same(&password, &confirmation) {
        return form(&state, &namespace, settings, &token, Some(FormError::Confirmation)).await;
    }
    match state.idp.reset_password(&namespace, &token, password).await {
        Ok(reset) => {
            let mut response = match reset.redirect_uri {
                Some(uri) => redirect(&Url::parse(&uri).map_or(uri, String::from)),
                None => notice(Notice::PasswordSet),
            };
            let removed = cookie::set(&state.base_url, &namespace, None);
            response.headers_mut().extend(removed.map(|cookie| (header::SET_COOKIE, cookie)));
            response
        }
        Err(ResetPasswordError::Password(_)) => {
            form(&state, &namespace, settings, &token, Some(FormError::Password)).await
        }
        Err(error) => failed(&state, settings, error),
    }
}

async fn form(
    state: &ServerState,
    namespace: &str,
    settings: &NamespaceSettings,
    token: &ResetToken,
    error: Option<FormError>,
) -> Response {
    match state.idp.reset_link(namespace, token).await {
        Ok(reset) => state.pages.form(settings, &proof(token), reset.redirect_uri.as_deref(), error),
        Err(error) => failed(state, settings, error),
    }
}

fn failed(state: &ServerState, settings: &NamespaceSettings, error: ResetPasswordError) -> Response {
    match error {
        ResetPasswordError::InvalidToken => state.pages.notice(settings.lang, Notice::InvalidLink),
        ResetPasswordError::Password(error) | ResetPasswordError::Failed(error) => {
            log(&error);
            state.pages.notice(settings.lang, Notice::Failed)
        }
    }
}

fn log(error: &IdpError) {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    tracing::error!(%error, cause, "cannot reset a password");
}

fn unknown_namespace(state: &ServerState) -> Response {
    state.pages.notice(crate::idp::Lang::En, Notice::InvalidLink)
}

/// Whether `Sec-Fetch-Site` reports that another site sent the form. `Origin` is always `null` under
/// `Referrer-Policy: no-referrer`. Clients that omit the header still have to send the proof.
fn is_cross_site(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site");
    site.is_some_and(|site| site != "same-origin" && site != "none")
}

fn same(one: &Password, other: &Password) -> bool {
    use secrecy::ExposeSecret;
    one.expose_secret() == other.expose_secret()
}

fn redirect(uri: &str) -> Response {
    match HeaderValue::from_str(uri) {
        Ok(uri) => (StatusCode::SEE_OTHER, [(header::LOCATION, uri)]).into_response(),
        // The URI was validated when the mail was requested.
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

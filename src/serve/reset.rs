//! The requests of the reset page.

use std::sync::Arc;

use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{Path, Query, State as Shared};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use url::Url;

use super::page::{Fault, Notice};
use super::{State, cookie};
use crate::idp::{IdpError, NamespaceSettings, Password, ResetPasswordError, ResetToken};
use crate::mail::reset_path;

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

/// That a form is of a page that we made for the holder of this token: what another site cannot know. Not the token, and not the hash
/// that is stored.
fn proof(token: &ResetToken) -> String {
    let hash = Sha256::new().chain_update("tailor-idp reset form\0").chain_update(token.expose()).finalize();
    BASE64_URL_SAFE_NO_PAD.encode(hash)
}

/// Moves the token of a link into the cookie; without one in the address, shows the form. Uses nothing up.
pub(super) async fn show(
    Shared(state): Shared<Arc<State>>,
    Path(namespace): Path<String>,
    Query(link): Query<Link>,
    headers: HeaderMap,
) -> Response {
    let Some(settings) = state.idp.settings(&namespace) else { return unknown_namespace(&state) };
    if let Some(token) = link.token {
        // A token that is none takes the place of an earlier one, too: the page is about this link.
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

/// Sets the password.
pub(super) async fn submit(
    Shared(state): Shared<Arc<State>>,
    Path(namespace): Path<String>,
    headers: HeaderMap,
    input: Result<Form<NewPassword>, FormRejection>,
) -> Response {
    let Some(settings) = state.idp.settings(&namespace) else { return unknown_namespace(&state) };
    let notice = |notice| state.pages.notice(settings.lang, notice);
    let Form(input) = match input {
        Ok(input) => input,
        Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => return notice(Notice::TooLarge),
        Err(_) => return notice(Notice::BadRequest),
    };
    let (password, confirmation) = (Password::from(input.password), Password::from(input.confirmation));
    let Some(token) = cookie::get(&headers, &namespace) else { return notice(Notice::InvalidLink) };
    if from_elsewhere(&headers) || input.proof != proof(&token) {
        return notice(Notice::Elsewhere);
    }
    if !same(&password, &confirmation) {
        return form(&state, &namespace, settings, &token, Some(Fault::Confirmation)).await;
    }
    match state.idp.reset_password(&namespace, &token, password).await {
        Ok(reset) => {
            let uri = Url::parse(&reset.redirect_uri).map_or(reset.redirect_uri, String::from);
            let mut response = redirect(&uri);
            let gone = cookie::set(&state.base_url, &namespace, None);
            response.headers_mut().extend(gone.map(|cookie| (header::SET_COOKIE, cookie)));
            response
        }
        Err(ResetPasswordError::Password(_)) => form(&state, &namespace, settings, &token, Some(Fault::Password)).await,
        Err(error) => failed(&state, settings, error),
    }
}

async fn form(
    state: &State,
    namespace: &str,
    settings: &NamespaceSettings,
    token: &ResetToken,
    fault: Option<Fault>,
) -> Response {
    match state.idp.reset_link(namespace, token).await {
        Ok(reset) => state.pages.form(settings, &proof(token), &reset.redirect_uri, fault),
        Err(error) => failed(state, settings, error),
    }
}

fn failed(state: &State, settings: &NamespaceSettings, error: ResetPasswordError) -> Response {
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
    tracing::error!(%error, cause, "a password cannot be reset");
}

fn unknown_namespace(state: &State) -> Response {
    state.pages.notice(crate::idp::Lang::En, Notice::InvalidLink)
}

/// Says whether a browser tells that another site sent the form. It says so in `Sec-Fetch-Site`; `Origin` is `null` here, as ever
/// with `Referrer-Policy: no-referrer`. What does not say it at all still lacks the proof.
fn from_elsewhere(headers: &HeaderMap) -> bool {
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
        // It was checked when the mail was asked for.
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

//! Errors of `fetch`, as scripts see them.

use std::error::Error;

use super::client::ClientError;
use super::settings::BodyLimit;
use tailor_idp_fetch_policy::Denial;

#[derive(Debug, thiserror::Error, deno_error::JsError)]
pub(crate) enum FetchError {
    #[class(type)]
    #[error(transparent)]
    Denied(#[from] Denial),
    #[class(type)]
    #[error(transparent)]
    Client(#[from] ClientError),
    #[class(type)]
    #[error("fetch is over its limit of {0} requests (function.fetch.max_requests in the settings)")]
    TooManyRequests(u32),
    #[class(type)]
    #[error("the body of the request is over the limit of {0}")]
    RequestTooLarge(BodyLimit),
    #[class(type)]
    #[error("the body of the response is over the limit of {0}")]
    ResponseTooLarge(BodyLimit),
    #[class("DOMExceptionTimeoutError")]
    #[error("fetch took longer than it may")]
    TimedOut,
    #[class(type)]
    #[error("the response ended before its body was whole: {0}")]
    Body(String),
    #[class(type)]
    #[error("the request was cancelled")]
    Cancelled,
    #[class(type)]
    #[error("Invalid URL: {0}")]
    Url(#[from] url::ParseError),
    #[class(type)]
    #[error("{0}")]
    Invalid(&'static str),
    /// Of the process that sends the request.
    #[class(type)]
    #[error("{0}")]
    Remote(String),
    #[class(inherit)]
    #[error(transparent)]
    Resource(#[from] deno_core::error::ResourceError),
}

impl FetchError {
    /// The error of a body that ended early.
    pub(super) fn body(error: &reqwest::Error) -> Self {
        Self::Body(root_cause(error).to_string())
    }
}

/// The policy's denial, if it is the cause of a client's error.
pub(super) fn denial_of(error: &reqwest::Error) -> Option<FetchError> {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(denial) = error.downcast_ref::<Denial>() {
            return Some(denial.clone().into());
        }
        next = error.source();
    }
    None
}

/// Text of the cause of a failed request. Says how to trust a private authority.
pub(super) fn explain(error: &reqwest::Error) -> String {
    let cause = root_cause(error).to_string();
    // By its text: the type is of a version of rustls that the client chooses.
    if cause.ends_with(UNKNOWN_ISSUER) {
        format!("{cause} (function.fetch.ca in the settings, or --fetch-ca)")
    } else {
        cause
    }
}

/// The end of the text of rustls for a certificate of an authority that is not trusted.
const UNKNOWN_ISSUER: &str = "invalid peer certificate: UnknownIssuer";

/// The root cause. The errors between the client and the socket are of no use to scripts.
fn root_cause<'e>(error: &'e (dyn Error + 'static)) -> &'e (dyn Error + 'static) {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error
}

//! How `fetch` fails, as scripts see it.

use std::error::Error;

use super::client::ClientError;
use super::policy::Refusal;

#[derive(Debug, thiserror::Error, deno_error::JsError)]
pub(super) enum FetchError {
    #[class(type)]
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[class(type)]
    #[error(transparent)]
    Client(#[from] ClientError),
    #[class(type)]
    #[error("fetch is over its limit of {0} requests")]
    TooManyRequests(u32),
    #[class(type)]
    #[error("the body of the request is over the limit of {0} bytes")]
    RequestTooLarge(u64),
    #[class(type)]
    #[error("the body of the response is over the limit of {0} bytes")]
    AnswerTooLarge(u64),
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
    #[class(inherit)]
    #[error(transparent)]
    Resource(#[from] deno_core::error::ResourceError),
}

impl FetchError {
    /// Of a body that broke off.
    pub(super) fn body(error: &reqwest::Error) -> Self {
        Self::Body(innermost(error).to_string())
    }
}

/// The refusal, or the limit, that a client's error has its root in.
pub(super) fn own_cause(error: &reqwest::Error) -> Option<FetchError> {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(refusal) = error.downcast_ref::<Refusal>() {
            return Some(refusal.clone().into());
        }
        next = error.source();
    }
    None
}

/// What it comes down to: of the chain from the client to the socket, only the end tells a script anything.
pub(super) fn innermost<'e>(error: &'e (dyn Error + 'static)) -> &'e (dyn Error + 'static) {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error
}

//! Failed requests, and what callers learn of them.

use std::time::Duration;

use reqwest::StatusCode;

use crate::http;
use crate::model::{Code, IdpError};

/// The maximum length of a service's answer in the host's log, in characters.
const MAX_BODY_SHOWN: usize = 512;

/// Why a request failed. Its text is for the host: it quotes the service's answer, from which the secrets of the request are
/// removed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// No connection: the service has not seen the request.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// Repeated connection failures: the request was not sent.
    #[error("not sent: connections failed repeatedly")]
    CircuitOpen,
    /// The connection was lost before the whole answer arrived.
    #[error("no whole answer: {0}")]
    Lost(String),
    /// The answer took until the deadline.
    #[error("no answer before the deadline")]
    Deadline {
        /// Whether the service may have seen the request.
        sent: bool,
    },
    /// The service answered with another status than 2xx.
    #[error("answered {status}: {}", http::beginning(body.as_bytes(), MAX_BODY_SHOWN))]
    Refused {
        status: StatusCode,
        body: String,
        /// The delay that the service asks for.
        wait: Option<Duration>,
    },
    /// The service answered 2xx with something else than its API.
    #[error("the answer is malformed: {0}")]
    Malformed(String),
    /// No access token.
    #[error("cannot get an access token: {0}")]
    Token(#[source] Box<Failure>),
}

impl Failure {
    /// Whether the request can be sent again without a second effect.
    pub(super) fn may_repeat(&self, repeatable: bool) -> bool {
        match self {
            Self::Connect(_) => true,
            Self::Refused { status, .. } if *status == StatusCode::TOO_MANY_REQUESTS => true,
            Self::Refused { status, .. } => {
                repeatable && (status.is_server_error() || *status == StatusCode::REQUEST_TIMEOUT)
            }
            Self::Lost(_) => repeatable,
            Self::CircuitOpen | Self::Deadline { .. } | Self::Malformed(_) | Self::Token(_) => false,
        }
    }

    /// The delay that the service asks for.
    pub(super) fn wait(&self) -> Option<Duration> {
        match self {
            Self::Refused { wait, .. } => *wait,
            _ => None,
        }
    }

    /// The status and the body of an answer that refuses the request.
    pub(super) fn refusal(&self) -> Option<(StatusCode, &str)> {
        match self {
            Self::Refused { status, body, .. } => Some((*status, body)),
            _ => None,
        }
    }

    /// Whether the service may have done what the request asks for, as far as this failure tells.
    fn is_outcome_unknown(&self) -> bool {
        match self {
            Self::Lost(_) | Self::Deadline { sent: true } | Self::Malformed(_) => true,
            Self::Refused { status, .. } => status.is_server_error(),
            Self::Connect(_) | Self::CircuitOpen | Self::Deadline { sent: false } | Self::Token(_) => false,
        }
    }

    /// The error of a call. `unknown_outcome` says what the failure leaves open, for a request that is not repeatable.
    pub(super) fn into_error(self, service: &str, timeout: Duration, unknown_outcome: Option<&str>) -> IdpError {
        let (code, mut detail) = self.describe(service, timeout);
        let mut code = code;
        if let Some(unknown) = unknown_outcome
            && self.is_outcome_unknown()
        {
            detail = format!("{detail}: it is not known whether {unknown}");
            if matches!(self, Self::Lost(_) | Self::Malformed(_)) {
                code = Code::Aborted;
            }
        }
        let error = IdpError::new(code, detail);
        let error = match self.service_wait() {
            Some(wait) => error.with_retry_after(wait),
            None => error,
        };
        error.with_source(self)
    }

    /// The delay that the service asks for, also where it is the token endpoint that does.
    fn service_wait(&self) -> Option<Duration> {
        match self {
            Self::Token(failure) => failure.service_wait(),
            failure => failure.wait(),
        }
    }

    fn describe(&self, service: &str, timeout: Duration) -> (Code, String) {
        match self {
            Self::Connect(_) | Self::CircuitOpen => (Code::Unavailable, format!("{service} cannot be reached")),
            Self::Lost(_) => (Code::Unavailable, format!("{service} did not answer: the connection was lost")),
            Self::Deadline { .. } => {
                let detail = format!("{service} did not answer before the call's deadline, at most {timeout:?}");
                (Code::DeadlineExceeded, detail)
            }
            Self::Malformed(_) => (Code::Unavailable, format!("{service} answered with something else than its API")),
            Self::Token(failure) => match failure.refusal() {
                Some((status, _)) if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS => {
                    unauthenticated(service)
                }
                _ => failure.describe(service, timeout),
            },
            Self::Refused { status, wait, .. } => match *status {
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => unauthenticated(service),
                StatusCode::TOO_MANY_REQUESTS => {
                    let after = match wait {
                        Some(wait) => format!("again in {} s", wait.as_secs_f64().ceil().max(1.0)),
                        None => "again later".to_owned(),
                    };
                    (Code::ResourceExhausted, format!("{service} takes no more requests for now: try {after}"))
                }
                status if status.is_server_error() || status.is_redirection() => {
                    (Code::Unavailable, format!("{service} answered with status {}", status.as_u16()))
                }
                _ => (Code::Internal, "internal error".to_owned()),
            },
        }
    }
}

/// The error in the midst of a change that takes several requests, with what had taken effect before.
pub(super) fn after_effects(error: IdpError, effects: &[&str]) -> IdpError {
    if effects.is_empty() {
        return error;
    }
    error.with_addition(&format!(" (already in effect: {})", effects.join(", ")))
}

fn unauthenticated(service: &str) -> (Code, String) {
    (Code::Unauthenticated, format!("{service} refuses the credentials of the host"))
}

//! Failed requests, and what callers learn of them.

use std::time::Duration;

use reqwest::StatusCode;
use url::Url;

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

/// The service that a request goes to, as errors name it.
pub(super) struct Service {
    pub(super) name: &'static str,
    /// Its address: never with a user or a password.
    pub(super) base: Url,
    /// Whether the address is from the option `base_url`.
    pub(super) is_configured: bool,
    /// What the host has to check if the service refuses the credentials.
    pub(super) credentials: String,
    /// The maximum time of a call.
    pub(super) timeout: Duration,
}

impl Service {
    fn address(&self) -> String {
        let base = self.base.as_str().trim_end_matches('/');
        if self.is_configured { format!("base_url ({base})") } else { format!("the address {base}") }
    }
}

/// A failure as the host's log has it, with what to check.
#[derive(Debug, thiserror::Error)]
#[error("{before}{failure}{advice}")]
struct Explained {
    before: String,
    failure: Failure,
    advice: String,
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

    /// Whether the service may have executed a request that is repeated after this failure.
    pub(super) fn may_be_done(&self) -> bool {
        match self {
            Self::Lost(_) => true,
            Self::Refused { status, .. } => *status != StatusCode::TOO_MANY_REQUESTS,
            _ => false,
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
    pub(super) fn into_error(self, service: &Service, unknown_outcome: Option<&str>) -> IdpError {
        let (mut code, mut detail) = self.describe(service);
        // The detail names the service, unless there is none for scripts.
        let before = if code == Code::Internal { format!("{} ", service.name) } else { String::new() };
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
        let advice = self.advice(service).map(|advice| format!(": check {advice}")).unwrap_or_default();
        error.with_source(Explained { before, failure: self, advice })
    }

    /// What the host has to check.
    fn advice(&self, service: &Service) -> Option<String> {
        let Service { name, credentials, .. } = service;
        match self {
            Self::Connect(_) | Self::CircuitOpen | Self::Lost(_) | Self::Deadline { .. } => {
                Some(format!("{} and the network", service.address()))
            }
            Self::Malformed(_) => Some(format!("{}: the API of {name} must be there", service.address())),
            Self::Token(failure) if failure.refuses_credentials() => Some(credentials.clone()),
            Self::Token(failure) => failure.advice(service),
            Self::Refused { status, .. } => match *status {
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Some(credentials.clone()),
                status if is_another_api(status) => {
                    Some(format!("{}: the API of {name} must be there", service.address()))
                }
                _ => None,
            },
        }
    }

    /// Whether a token endpoint refuses the credentials.
    fn refuses_credentials(&self) -> bool {
        self.refusal().is_some_and(|(status, _)| {
            status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS && !is_another_api(status)
        })
    }

    /// The delay that the service asks for, also where it is the token endpoint that does.
    fn service_wait(&self) -> Option<Duration> {
        match self {
            Self::Token(failure) => failure.service_wait(),
            failure => failure.wait(),
        }
    }

    fn describe(&self, service: &Service) -> (Code, String) {
        let Service { name, timeout, .. } = service;
        match self {
            Self::Connect(_) | Self::CircuitOpen => (Code::Unavailable, format!("{name} cannot be reached")),
            Self::Lost(_) => (Code::Unavailable, format!("{name} did not answer: the connection was lost")),
            Self::Deadline { .. } => {
                let detail = format!("{name} did not answer before the call's deadline, at most {timeout:?}");
                (Code::DeadlineExceeded, detail)
            }
            Self::Malformed(_) => other_api(name),
            Self::Token(failure) if failure.refuses_credentials() => unauthenticated(name),
            Self::Token(failure) => failure.describe(service),
            Self::Refused { status, wait, .. } => match *status {
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => unauthenticated(name),
                StatusCode::TOO_MANY_REQUESTS => {
                    let after = match wait {
                        Some(wait) => format!("again in {} s", wait.as_secs_f64().ceil().max(1.0)),
                        None => "again later".to_owned(),
                    };
                    (Code::ResourceExhausted, format!("{name} takes no more requests for now: try {after}"))
                }
                status if status.is_server_error() || status.is_redirection() => {
                    (Code::Unavailable, format!("{name} answered with status {}", status.as_u16()))
                }
                status if is_another_api(status) => other_api(name),
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

/// Whether a status says that nothing of the service is at the address: unknown users are recognised before.
fn is_another_api(status: StatusCode) -> bool {
    status.is_redirection() || matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED)
}

fn other_api(service: &str) -> (Code, String) {
    (Code::Unavailable, format!("{service} answered with something else than its API"))
}

fn unauthenticated(service: &str) -> (Code, String) {
    (Code::Unauthenticated, format!("{service} refuses the credentials of the host"))
}

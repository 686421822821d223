//! Options that all services have in common.

use std::time::Duration;

use url::Url;

use crate::directory::{Capabilities, Capability};
use crate::http;

/// The default time of one call, with all its retries. A script waits for it.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// The default number of requests in flight to one service: more wait.
pub const DEFAULT_MAX_REQUESTS: usize = 16;
/// The default number of attempts after the first.
pub const DEFAULT_RETRIES: usize = 3;
/// The maximum number of attempts after the first.
const MAX_RETRIES: usize = 10;
/// The maximum number of requests in flight: each is a stream of an HTTP/2 connection, of which services allow about a hundred.
const MAX_REQUESTS: usize = 100;
/// The maximum time of one call: longer than any service computes.
const MAX_TIMEOUT: Duration = Duration::from_secs(120);

/// Options of the connection to a service.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RemoteOptions {
    /// Another base URL than the service's own, for its API and its token endpoint: `https`, or `http` on this machine.
    pub base_url: Option<Url>,
    /// The maximum time of one call of the client, with all its requests and retries.
    pub timeout: Duration,
    /// The maximum number of requests in flight. Further ones wait.
    pub max_requests: usize,
    /// The number of attempts after the first, of requests that may be repeated.
    pub retries: usize,
    /// Whether a password may be removed by setting a random one, where the service cannot remove it.
    pub scramble_passwords: bool,
    /// How users are counted where the service gives no total, and where permission hides some of them.
    pub count: Count,
    /// The name of the environment variable that holds the secret, for errors that tell the host what to check.
    pub secret_variable: Option<String>,
}

/// The setting that allows to count by reading all users.
const WALK: &str = "count = \"walk\"";
/// The setting that allows to set random passwords.
const SCRAMBLE: &str = "scramble_passwords = true";

/// How users are counted where the service gives no total that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Count {
    /// Not at all: such a listing is refused.
    #[default]
    Refuse,
    /// By reading all users, at most [`MAX_WALKED`](Self::MAX_WALKED), for each page.
    Walk,
}

impl Count {
    /// The maximum number of users that are read to count them: a hundred requests.
    pub const MAX_WALKED: usize = 10_000;
}

impl Default for RemoteOptions {
    fn default() -> Self {
        Self {
            base_url: None,
            timeout: DEFAULT_TIMEOUT,
            max_requests: DEFAULT_MAX_REQUESTS,
            retries: DEFAULT_RETRIES,
            scramble_passwords: false,
            count: Count::default(),
            secret_variable: None,
        }
    }
}

/// Invalid options, or parameters of a service.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRemote {
    /// The base URL is neither `https` nor on this machine.
    #[error("base_url must start with https:// (http:// only for this machine): got {0}")]
    Scheme(Url),
    /// The base URL has a user, a password, a query or a fragment.
    #[error("base_url must have no user, password, query or fragment: got one for {0:?}")]
    Parts(String),
    /// The timeout is out of range.
    #[error("timeout must be longer than nothing and at most {MAX_TIMEOUT:?}: got {0:?}")]
    Timeout(Duration),
    /// The number of requests is out of range.
    #[error("max_requests must be between 1 and {MAX_REQUESTS}: got {0}")]
    MaxRequests(usize),
    /// The number of retries is out of range.
    #[error("retries must be at most {MAX_RETRIES}: got {0}")]
    Retries(usize),
    /// A parameter of the service.
    #[error("{key} {fault}")]
    Parameter {
        /// The key in the settings.
        key: &'static str,
        /// What is wrong, and what to do.
        fault: String,
    },
    /// The HTTP client cannot be started.
    #[error("cannot start an HTTP client: {0}")]
    Client(String),
}

impl InvalidRemote {
    /// The key in the settings, with which the text begins.
    pub const fn key(&self) -> &'static str {
        match self {
            Self::Scheme(_) | Self::Parts(_) => "base_url",
            Self::Timeout(_) => "timeout",
            Self::MaxRequests(_) => "max_requests",
            Self::Retries(_) => "retries",
            Self::Parameter { key, .. } => key,
            Self::Client(_) => "",
        }
    }
}

/// The faults among the results of checks.
pub(super) fn faults_of(checks: impl IntoIterator<Item = Result<(), InvalidRemote>>) -> Vec<InvalidRemote> {
    checks.into_iter().filter_map(Result::err).collect()
}

/// Fails with the first of the faults, if there is one.
pub(super) fn first_fault(faults: Vec<InvalidRemote>) -> Result<(), InvalidRemote> {
    faults.into_iter().next().map_or(Ok(()), Err)
}

/// Whether a text has the characters of client credentials (RFC 6749, appendix A), without spaces: those come from copying.
pub(super) fn is_credential(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Why a URL cannot be the address of a service.
#[derive(Debug, Clone, Copy)]
pub(super) enum AddressFault {
    /// It is neither `https` nor on this machine.
    Scheme,
    /// It has a user, a password, a query or a fragment.
    Parts,
}

impl AddressFault {
    pub(super) fn of(url: &Url) -> Option<Self> {
        let has_parts =
            !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some();
        let is_safe = url.scheme() == "https" || (url.scheme() == "http" && http::is_loopback(url));
        if has_parts { Some(Self::Parts) } else { (!is_safe).then_some(Self::Scheme) }
    }
}

impl RemoteOptions {
    /// The capabilities without those that need counting by reading all users, unless the options allow that.
    pub(super) fn without_counting(&self, capabilities: Capabilities, counted: &[Capability]) -> Capabilities {
        match self.count {
            Count::Walk => capabilities,
            Count::Refuse => {
                counted.iter().fold(capabilities, |capabilities, counted| capabilities.without_unless(*counted, WALK))
            }
        }
    }

    /// The capabilities of a service that cannot remove a password, but set a random one if the options allow that.
    pub(super) fn without_clearing(&self, capabilities: Capabilities) -> Capabilities {
        match self.scramble_passwords {
            true => capabilities,
            false => capabilities.without_unless(Capability::ClearPassword, SCRAMBLE),
        }
    }

    /// The secret in errors for the host. `what` it is, if nobody knows the variable.
    pub(super) fn secret_name(&self, what: &str) -> String {
        match &self.secret_variable {
            Some(variable) => format!("{what} in {variable}"),
            None => what.to_owned(),
        }
    }

    /// Checks the options.
    ///
    /// # Errors
    ///
    /// [`InvalidRemote`], with the key and the value.
    pub fn check(&self) -> Result<(), InvalidRemote> {
        // Exhaustive: the compiler points here when an option is added.
        let Self { base_url, timeout, max_requests, retries, scramble_passwords: _, count: _, secret_variable: _ } =
            self;
        match base_url.as_ref().map(|url| (url, AddressFault::of(url))) {
            Some((url, Some(AddressFault::Parts))) => {
                return Err(InvalidRemote::Parts(url.host_str().unwrap_or_default().to_owned()));
            }
            Some((url, Some(AddressFault::Scheme))) => return Err(InvalidRemote::Scheme(url.clone())),
            Some((_, None)) | None => {}
        }
        if timeout.is_zero() || *timeout > MAX_TIMEOUT {
            return Err(InvalidRemote::Timeout(*timeout));
        }
        if !(1..=MAX_REQUESTS).contains(max_requests) {
            return Err(InvalidRemote::MaxRequests(*max_requests));
        }
        if *retries > MAX_RETRIES {
            return Err(InvalidRemote::Retries(*retries));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(change: impl FnOnce(&mut RemoteOptions)) -> Option<String> {
        let mut options = RemoteOptions::default();
        change(&mut options);
        options.check().err().map(|error| error.to_string())
    }

    fn base_url(url: &str) -> Option<String> {
        fault(|options| options.base_url = Some(url.parse().unwrap()))
    }

    #[test]
    fn base_url_is_encrypted_or_on_this_machine() {
        for url in ["https://api.example.com", "http://127.0.0.1:4100/", "http://localhost:1", "http://[::1]:9/api"] {
            assert_eq!(base_url(url), None, "{url}");
        }
        let refused = base_url("http://api.example.com/").unwrap();
        assert_eq!(
            refused,
            "base_url must start with https:// (http:// only for this machine): got http://api.example.com/"
        );
        let refused = base_url("https://ana:secret@api.example.com/").unwrap();
        assert!(!refused.contains("secret"), "{refused}");
    }

    #[test]
    fn numbers_out_of_range_are_refused_with_value_and_limit() {
        assert_eq!(fault(|options| options.max_requests = 0).unwrap(), "max_requests must be between 1 and 100: got 0");
        assert_eq!(fault(|options| options.retries = 11).unwrap(), "retries must be at most 10: got 11");
        assert_eq!(
            fault(|options| options.timeout = Duration::ZERO).unwrap(),
            "timeout must be longer than nothing and at most 120s: got 0ns"
        );
    }
}

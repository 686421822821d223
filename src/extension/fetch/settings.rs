//! What a host lets `fetch` do.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::policy::FetchPolicy;

/// How long a request may take, from the call to the last byte of the answer: half of what a function has by default.
pub const DEFAULT_FETCH_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of a body, either way: the platform's limit for a body that is kept in memory.
pub const DEFAULT_FETCH_MAX_BODY: u64 = 10 * 1024 * 1024;
/// Requests of one execution, each hop of a redirect being one: many for a handler, few for a flood.
pub const DEFAULT_FETCH_MAX_REQUESTS: u32 = 100;

pub(super) type NameLookup = Arc<dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync>;

/// What `fetch` may do in one execution. By default: nothing.
#[derive(Clone)]
pub struct FetchSettings {
    pub(super) policy: FetchPolicy,
    pub(super) timeout: Duration,
    pub(super) max_body: u64,
    pub(super) max_requests: u32,
    pub(super) names: Option<NameLookup>,
}

impl Default for FetchSettings {
    fn default() -> Self {
        Self {
            policy: FetchPolicy::default(),
            timeout: DEFAULT_FETCH_TIMEOUT,
            max_body: DEFAULT_FETCH_MAX_BODY,
            max_requests: DEFAULT_FETCH_MAX_REQUESTS,
            names: None,
        }
    }
}

impl FetchSettings {
    /// The hosts that may be fetched from.
    #[must_use]
    pub fn allow(mut self, policy: FetchPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// How long a request may take until the last byte of its answer is read; [`DEFAULT_FETCH_TIMEOUT`] by default. A
    /// redirect starts the time anew.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Bytes that the body of a request, or of an answer once it is decompressed, may have;
    /// [`DEFAULT_FETCH_MAX_BODY`] by default.
    #[must_use]
    pub fn max_body(mut self, bytes: u64) -> Self {
        self.max_body = bytes;
        self
    }

    /// Requests that one execution may make, each hop of a redirect being one; [`DEFAULT_FETCH_MAX_REQUESTS`] by default.
    #[must_use]
    pub fn max_requests(mut self, requests: u32) -> Self {
        self.max_requests = requests;
        self
    }

    /// Finds the addresses of names by this, on a thread that may wait, rather than by asking the system.
    ///
    /// What it answers is held to the same rules: an address outside the public internet is refused unless its name is allowed
    /// by itself.
    #[must_use]
    pub fn resolve_names(mut self, lookup: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static) -> Self {
        self.names = Some(Arc::new(lookup));
        self
    }

    /// The hosts that may be fetched from.
    pub fn allowed(&self) -> &FetchPolicy {
        &self.policy
    }
}

impl fmt::Debug for FetchSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchSettings")
            .field("policy", &self.policy)
            .field("timeout", &self.timeout)
            .field("max_body", &self.max_body)
            .field("max_requests", &self.max_requests)
            .finish_non_exhaustive()
    }
}

//! Policy and limits of `fetch`, set by the host.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::policy::FetchPolicy;

/// Default time limit of a request, from the call to the last byte of the response: half of the default time limit of an
/// execution.
pub const DEFAULT_FETCH_TIMEOUT: Duration = Duration::from_secs(30);
/// Default size limit in bytes of the body of a request or a response: the platform's limit for a body in memory.
pub const DEFAULT_FETCH_MAX_BODY: u64 = 10 * 1024 * 1024;
/// Default limit on the requests of one execution. Each hop of a redirect counts as one.
pub const DEFAULT_FETCH_MAX_REQUESTS: u32 = 100;

pub(super) type NameLookup = Arc<dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync>;

/// Policy and limits of `fetch` in one execution. The default allows no hosts.
#[derive(Clone)]
pub struct FetchSettings {
    pub(super) policy: FetchPolicy,
    pub(super) timeout: Duration,
    pub(super) max_body: u64,
    pub(super) max_requests: u32,
    pub(super) resolver: Option<NameLookup>,
}

impl Default for FetchSettings {
    fn default() -> Self {
        Self {
            policy: FetchPolicy::default(),
            timeout: DEFAULT_FETCH_TIMEOUT,
            max_body: DEFAULT_FETCH_MAX_BODY,
            max_requests: DEFAULT_FETCH_MAX_REQUESTS,
            resolver: None,
        }
    }
}

impl FetchSettings {
    /// Sets the allowed hosts.
    #[must_use]
    pub fn allow(mut self, policy: FetchPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Sets the time limit of a request, until the last byte of its response is read; [`DEFAULT_FETCH_TIMEOUT`] by default.
    /// The time limit applies to each hop of a redirect separately.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the size limit in bytes of the body of a request, and of a response after decompression;
    /// [`DEFAULT_FETCH_MAX_BODY`] by default.
    #[must_use]
    pub fn max_body(mut self, bytes: u64) -> Self {
        self.max_body = bytes;
        self
    }

    /// Sets the limit on the requests of one execution, where each hop of a redirect counts as one;
    /// [`DEFAULT_FETCH_MAX_REQUESTS`] by default.
    #[must_use]
    pub fn max_requests(mut self, requests: u32) -> Self {
        self.max_requests = requests;
        self
    }

    /// Resolves names with `lookup` instead of the system's resolver. It is called on a thread that may block.
    ///
    /// The policy applies to the addresses that it returns: addresses outside the public internet are denied unless the
    /// policy lists the name.
    #[must_use]
    pub fn resolve_names(mut self, lookup: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static) -> Self {
        self.resolver = Some(Arc::new(lookup));
        self
    }

    /// The allowed hosts.
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

//! Policy and limits of `fetch`, set by the host.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tailor_idp_fetch_policy::{CertificateAuthorities, FetchPolicy};

use super::transport::FetchTransport;

/// Default time limit of a request, from the call to the last byte of the response: half of the default time limit of an
/// execution.
pub const DEFAULT_FETCH_TIMEOUT: Duration = Duration::from_secs(30);
/// Default size limit in bytes of a body that is in memory as a whole: the platform's limit.
pub const DEFAULT_FETCH_MAX_BODY: u64 = 10 * 1024 * 1024;
/// Default size limit in bytes of a body that is streamed. Ten times as much: it passes through memory piece by piece.
pub const DEFAULT_FETCH_MAX_STREAMED_BODY: u64 = 100 * 1024 * 1024;
/// Default limit on the requests of one execution. Each hop of a redirect counts as one.
pub const DEFAULT_FETCH_MAX_REQUESTS: u32 = 100;

pub(super) type NameLookup = Arc<dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync>;

/// Size limits of bodies, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyLimits {
    /// Of a body in memory: a request's text or bytes, or what `text()` and the like read of a response.
    pub(super) whole: u64,
    /// Of a streamed body.
    pub(super) streamed: u64,
}

impl BodyLimits {
    /// The limit of bodies in memory, or of streamed ones.
    pub(super) fn of(self, is_streamed: bool) -> BodyLimit {
        if is_streamed {
            BodyLimit { bytes: self.streamed, setting: "function.fetch.max_streamed_body" }
        } else {
            BodyLimit { bytes: self.whole, setting: "function.fetch.max_body" }
        }
    }

    /// The higher limit: the one for a body of which it is not known yet how it will be read.
    pub(super) fn highest(self) -> BodyLimit {
        self.of(self.streamed > self.whole)
    }
}

/// One of the limits, for messages: the setting says what to do.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("{bytes} bytes ({setting} in the settings)")]
pub(crate) struct BodyLimit {
    pub(super) bytes: u64,
    setting: &'static str,
}

/// Policy and limits of `fetch` in one execution. The default allows no hosts.
#[derive(Clone)]
pub struct FetchSettings {
    pub(super) policy: FetchPolicy,
    pub(super) timeout: Duration,
    pub(super) limits: BodyLimits,
    pub(super) max_requests: u32,
    pub(super) authorities: CertificateAuthorities,
    pub(super) resolver: Option<NameLookup>,
    pub(super) transport: Option<Arc<dyn FetchTransport>>,
}

impl Default for FetchSettings {
    fn default() -> Self {
        Self {
            policy: FetchPolicy::default(),
            timeout: DEFAULT_FETCH_TIMEOUT,
            limits: BodyLimits { whole: DEFAULT_FETCH_MAX_BODY, streamed: DEFAULT_FETCH_MAX_STREAMED_BODY },
            max_requests: DEFAULT_FETCH_MAX_REQUESTS,
            authorities: CertificateAuthorities::default(),
            resolver: None,
            transport: None,
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

    /// Sets the size limit in bytes of bodies in memory; [`DEFAULT_FETCH_MAX_BODY`] by default. It applies to the body of a
    /// request that is no stream, and to `text()`, `json()`, `arrayBuffer()`, `bytes()`, `blob()` and `formData()` of a response,
    /// after decompression.
    #[must_use]
    pub fn max_body(mut self, bytes: u64) -> Self {
        self.limits.whole = bytes;
        self
    }

    /// Sets the size limit in bytes of streamed bodies; [`DEFAULT_FETCH_MAX_STREAMED_BODY`] by default. It applies to a stream as
    /// the body of a request, and to the stream `body` of a response, after decompression. The clones of a response share its data,
    /// which one of them may keep in memory: they have the limit of [`max_body`](Self::max_body).
    #[must_use]
    pub fn max_streamed_body(mut self, bytes: u64) -> Self {
        self.limits.streamed = bytes;
        self
    }

    /// Trusts these certificate authorities in addition to the public ones, and to those of earlier calls.
    #[must_use]
    pub fn trust(mut self, authorities: &CertificateAuthorities) -> Self {
        self.authorities = self.authorities.and(authorities);
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

    /// Settings for an isolate whose requests `transport` checks and sends.
    pub(crate) fn over(transport: Arc<dyn FetchTransport>, max_body: u64, max_streamed_body: u64) -> Self {
        let settings = Self::default().max_body(max_body).max_streamed_body(max_streamed_body);
        Self { transport: Some(transport), ..settings }
    }

    /// The limits as `max_body`, `max_streamed_body` (bytes) and `max_requests`, for a summary.
    pub fn maxima(&self) -> (u64, u64, u32) {
        (self.limits.whole, self.limits.streamed, self.max_requests)
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
            .field("limits", &self.limits)
            .field("max_requests", &self.max_requests)
            .field("authorities", &self.authorities)
            .finish_non_exhaustive()
    }
}

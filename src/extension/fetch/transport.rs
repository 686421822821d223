//! Requests that another process sends.
//!
//! A worker process has no network: its host checks, counts and sends the requests. The parts of `fetch` here are what both sides
//! share.

use bytes::Bytes;
use deno_core::futures::future::LocalBoxFuture;
use deno_fetch::ResourceToBodyAdapter;
use url::Url;

use super::error::FetchError;

/// Sends the requests of an isolate elsewhere.
pub(crate) trait FetchTransport: Send + Sync {
    /// Sends a request and waits for the head of its response.
    fn send(&self, request: ScriptRequest) -> LocalBoxFuture<'static, Result<RemoteResponse, FetchFailure>>;
}

/// A request as the script made it.
pub(crate) struct ScriptRequest {
    pub(crate) method: Vec<u8>,
    pub(crate) url: Url,
    pub(crate) headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) body: ScriptBody,
}

/// The body of a request.
pub(crate) enum ScriptBody {
    None,
    Bytes(Vec<u8>),
    /// A stream of the script, with its length if that is known.
    Stream(ResourceToBodyAdapter, Option<u64>),
}

/// Status and headers of a response.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(crate) struct ResponseHead {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) content_length: Option<u64>,
}

/// A response whose body is read elsewhere.
pub(crate) struct RemoteResponse {
    pub(crate) head: ResponseHead,
    pub(crate) chunks: Box<dyn RemoteChunks>,
}

/// The body of a response, read elsewhere. Dropping it cancels the request.
pub(crate) trait RemoteChunks {
    /// The next bytes. None at the end.
    fn next(&mut self) -> LocalBoxFuture<'_, Result<Option<Bytes>, FetchFailure>>;
}

/// Why a request failed, for another process.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(crate) enum FetchFailure {
    /// It took longer than it may.
    TimedOut,
    /// A limit or the policy; also a body that ended early.
    Refused(String),
    /// The connection or the server: the error, and its cause.
    Network(String, String),
}

impl From<FetchError> for FetchFailure {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::TimedOut => Self::TimedOut,
            other => Self::Refused(other.to_string()),
        }
    }
}

impl From<FetchFailure> for FetchError {
    fn from(failure: FetchFailure) -> Self {
        match failure {
            FetchFailure::TimedOut => Self::TimedOut,
            FetchFailure::Refused(message) | FetchFailure::Network(message, _) => Self::Remote(message),
        }
    }
}

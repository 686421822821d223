//! The ops of `fetch`: `op_fetch` creates and checks a request, `op_fetch_send` sends it.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use deno_core::convert::{ByteString, Uint8Array};
use deno_core::{CancelFuture, CancelHandle, OpState, Resource, ResourceId, op2};
use deno_fetch::{FetchCancelHandle, FetchResponse, FetchReturn, ResourceToBodyAdapter, extract_authority};
use reqwest::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Body, Method, StatusCode};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::Fetch;
use super::body::{Allowance, RequestBody, ResponseBody, ResponseReader};
use super::error::{FetchError, denial_of, explain};
use super::settings::{BodyLimit, BodyLimits};
use super::transport::{FetchFailure, RemoteResponse, ResponseHead, ScriptBody, ScriptRequest};

/// Deadline for a timeout that overflows the clock. The same value as tokio uses.
const FAR_FUTURE: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// Headers that scripts cannot set, as in the Fetch Standard: those of the connection, and `host`, with which a request to an
/// allowed server could address a host that is not allowed.
const FORBIDDEN_HEADERS: [&str; 10] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A request that has not been sent.
struct Request {
    sending: Sending,
    url: Url,
    limits: BodyLimits,
    deadline: Instant,
    cancel_all: Rc<CancelHandle>,
}

/// How a request is sent.
enum Sending {
    Here(Pin<Box<dyn Future<Output = Result<reqwest::Response, RequestFailure>>>>),
    Elsewhere(Pin<Box<dyn Future<Output = Result<RemoteResponse, FetchFailure>>>>),
}

/// Why a request failed.
pub(crate) enum RequestFailure {
    /// A limit or the policy.
    Own(FetchError),
    /// The connection or the server.
    Network(reqwest::Error),
}

impl From<RequestFailure> for FetchFailure {
    fn from(failure: RequestFailure) -> Self {
        match failure {
            RequestFailure::Own(error) => error.into(),
            RequestFailure::Network(error) => {
                let error = error.without_url();
                Self::Network(error.to_string(), explain(&error))
            }
        }
    }
}

/// What is known of the body of a request before it is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) enum BodyLength {
    NoBody,
    /// Text or bytes, of this length.
    InMemory(u64),
    /// A stream. Those with a known length, such as blobs and form data, are in memory.
    Stream(Option<u64>),
}

impl BodyLength {
    fn limit(self, limits: BodyLimits) -> BodyLimit {
        limits.of(matches!(self, Self::Stream(None)))
    }

    fn check(self, limits: BodyLimits) -> Result<(), FetchError> {
        let length = match self {
            Self::NoBody | Self::Stream(None) => return Ok(()),
            Self::InMemory(length) | Self::Stream(Some(length)) => length,
        };
        let limit = self.limit(limits);
        if length > limit.bytes { Err(FetchError::RequestTooLarge(limit)) } else { Ok(()) }
    }
}

/// A request that is checked and counted.
pub(crate) struct PreparedRequest {
    request: reqwest::RequestBuilder,
    limits: BodyLimits,
    deadline: Instant,
}

impl Fetch {
    /// Checks and counts a request. Its body is to be set afterwards.
    ///
    /// # Errors
    ///
    /// Fails if the policy denies the URL, if there were too many requests, or if the request is malformed or too large.
    pub(crate) fn prepare<'a>(
        &mut self,
        method_name: &[u8],
        mut url: Url,
        headers: impl Iterator<Item = (&'a [u8], &'a [u8])>,
        body: BodyLength,
    ) -> Result<PreparedRequest, FetchError> {
        let client = self.admit(&url)?;
        let (timeout, limits) = (self.settings.timeout, self.settings.limits);
        body.check(limits)?;
        let method =
            Method::from_bytes(method_name).map_err(|_| FetchError::Invalid("the method of the request is invalid"))?;
        let mut header_map = HeaderMap::new();
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name).map_err(|_| FetchError::Invalid("a header's name is invalid"))?;
            let value =
                HeaderValue::from_bytes(value).map_err(|_| FetchError::Invalid("a header's value is invalid"))?;
            if !FORBIDDEN_HEADERS.contains(&name.as_str()) && !name.as_str().starts_with("proxy-") {
                header_map.append(name, value);
            }
        }
        let length = match body {
            // As in the Fetch Standard.
            BodyLength::NoBody => [&b"POST"[..], b"PUT"].contains(&method_name).then_some(0),
            // Set by the client.
            BodyLength::InMemory(_) => None,
            BodyLength::Stream(length) => length,
        };
        if let Some(length) = length {
            header_map.insert(CONTENT_LENGTH, length.into());
        }
        let authority = extract_authority(&mut url);
        let mut request = client.request(method, url).headers(header_map);
        if let Some((name, password)) = authority {
            request = request.basic_auth(name, password);
        }
        let deadline = Instant::now().checked_add(timeout).unwrap_or_else(|| Instant::now() + FAR_FUTURE);
        Ok(PreparedRequest { request, limits, deadline })
    }

    /// The bytes that a request's body may have.
    pub(crate) fn allowance(&self, body: BodyLength) -> Allowance {
        Allowance::new(body.limit(self.settings.limits))
    }
}

impl PreparedRequest {
    /// Sets the body.
    pub(crate) fn body(mut self, body: Body) -> Self {
        self.request = self.request.body(body);
        self
    }

    /// Sends the request, and waits for the head of the response until the deadline.
    async fn send(self) -> Result<reqwest::Response, RequestFailure> {
        match timeout_at(self.deadline, self.request.send()).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(denial_of(&error).map_or(RequestFailure::Network(error), RequestFailure::Own)),
            Err(_) => Err(RequestFailure::Own(FetchError::TimedOut)),
        }
    }

    /// Sends the request, and returns the head of the response and a reader of its body. The reader's limit is that of streamed
    /// bodies.
    ///
    /// # Errors
    ///
    /// Fails if the server cannot be reached, does not answer in time, or announces a body that is too large.
    pub(crate) async fn exchange(self) -> Result<(ResponseHead, ResponseReader, BodyCheck), RequestFailure> {
        let (limits, deadline) = (self.limits, self.deadline);
        let response = self.send().await?;
        let head = head_of(&response);
        check_length(head.content_length, limits).map_err(RequestFailure::Own)?;
        Ok((head, ResponseReader::new(response, deadline), BodyCheck(limits)))
    }
}

/// Checks how much of a body was received.
pub(crate) struct BodyCheck(BodyLimits);

impl BodyCheck {
    /// # Errors
    ///
    /// Fails if no body may be as long.
    pub(crate) fn check(&self, received: u64) -> Result<(), FetchError> {
        check_length(Some(received), self.0)
    }
}

fn check_length(length: Option<u64>, limits: BodyLimits) -> Result<(), FetchError> {
    let most = limits.highest();
    if length.is_some_and(|length| length > most.bytes) { Err(FetchError::ResponseTooLarge(most)) } else { Ok(()) }
}

fn head_of(response: &reqwest::Response) -> ResponseHead {
    let headers = response.headers().iter();
    ResponseHead {
        status: response.status().as_u16(),
        headers: headers.map(|(name, value)| (name.as_str().into(), value.as_bytes().into())).collect(),
        content_length: response.content_length(),
    }
}

impl Resource for Request {
    fn name(&self) -> Cow<'_, str> {
        "fetchRequest".into()
    }
}

/// Replaces the op of deno_fetch, whose client uses proxies from the environment.
#[op2]
#[allow(clippy::too_many_arguments, reason = "the signature that the JavaScript of deno_fetch expects")]
pub(super) fn op_fetch(
    state: &mut OpState,
    #[scoped] method: ByteString,
    #[string] url: String,
    #[scoped] headers: Vec<(ByteString, ByteString)>,
    #[smi] client: Option<u32>,
    has_body: bool,
    data: Option<Uint8Array>,
    #[smi] resource: Option<ResourceId>,
) -> Result<FetchReturn, FetchError> {
    if client.is_some() {
        return Err(FetchError::Invalid("fetch takes no client"));
    }
    let mut url = Url::parse(&url)?;
    let limits = state.borrow::<Fetch>().settings.limits;
    let body = match (has_body, data, resource) {
        (false, ..) | (true, None, None) => ScriptBody::None,
        (true, Some(data), _) => ScriptBody::Bytes(data.0.into()),
        (true, None, Some(resource)) => {
            let inner = state.resource_table.take_any(resource)?;
            let length = match inner.size_hint() {
                (lower, Some(upper)) if lower == upper && upper > 0 => Some(upper),
                _ => None,
            };
            let allowance = Cell::new(Allowance::new(BodyLength::Stream(length).limit(limits)));
            ScriptBody::Stream(ResourceToBodyAdapter::new(Rc::new(RequestBody { inner, allowance })), length)
        }
    };
    let fetch = state.borrow_mut::<Fetch>();
    let cancel_all = Rc::clone(&fetch.cancel_all);
    let cancel = CancelHandle::new_rc();
    let (sending, deadline) = if let Some(transport) = &fetch.settings.transport {
        let headers = headers.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
        let sent = transport.send(ScriptRequest { method: method.to_vec(), url: url.clone(), headers, body });
        let (cancel, cancel_all) = (Rc::clone(&cancel), Rc::clone(&cancel_all));
        let sent = async move {
            match sent.or_cancel(cancel).or_cancel(cancel_all).await {
                Ok(Ok(response)) => response,
                Ok(Err(_)) | Err(_) => Err(FetchError::Cancelled.into()),
            }
        };
        // The transport has a deadline of its own.
        (Sending::Elsewhere(Box::pin(sent)), Instant::now() + FAR_FUTURE)
    } else {
        let length = match &body {
            ScriptBody::None => BodyLength::NoBody,
            ScriptBody::Bytes(bytes) => BodyLength::InMemory(bytes.len() as u64),
            ScriptBody::Stream(_, length) => BodyLength::Stream(*length),
        };
        let headers = headers.iter().map(|(name, value)| (name.as_ref(), value.as_ref()));
        let mut request = fetch.prepare(&method, url.clone(), headers, length)?;
        request = match body {
            ScriptBody::None => request,
            ScriptBody::Bytes(bytes) => request.body(Body::from(bytes)),
            ScriptBody::Stream(stream, _) => request.body(Body::wrap(stream)),
        };
        let deadline = request.deadline;
        let (cancel, cancel_all) = (Rc::clone(&cancel), Rc::clone(&cancel_all));
        let sent = async move {
            match request.send().or_cancel(cancel).or_cancel(cancel_all).await {
                Ok(Ok(response)) => response,
                Ok(Err(_)) | Err(_) => Err(RequestFailure::Own(FetchError::Cancelled)),
            }
        };
        (Sending::Here(Box::pin(sent)), deadline)
    };
    // The response's URL has no user information.
    extract_authority(&mut url);
    let request = Request { sending, url, limits, deadline, cancel_all };
    let request_rid = state.resource_table.add(request);
    let cancel_handle_rid = Some(state.resource_table.add(FetchCancelHandle(cancel)));
    Ok(FetchReturn { request_rid, cancel_handle_rid })
}

/// Sends a request and waits for the status and headers of the response.
#[op2]
pub(super) async fn op_fetch_send(
    state: Rc<RefCell<OpState>>,
    #[smi] rid: ResourceId,
) -> Result<FetchResponse, FetchError> {
    let request = state.borrow_mut().resource_table.take::<Request>(rid)?;
    let request = Rc::try_unwrap(request).map_err(|_| FetchError::Cancelled)?;
    let Request { sending, url, limits, deadline, cancel_all } = request;
    let received = match sending {
        Sending::Here(response) => response.await.map_err(FetchFailure::from).map(|response| {
            let head = head_of(&response);
            (head, ResponseReader::new(response, deadline))
        }),
        Sending::Elsewhere(response) => {
            response.await.map(|response| (response.head, ResponseReader::remote(response.chunks, deadline)))
        }
    };
    let (head, reader) = match received {
        Ok(received) => received,
        // JavaScript throws `TypeError: fetch failed` with the second text as its cause.
        Err(FetchFailure::Network(error, cause)) => {
            return Ok(FetchResponse { error: Some((error, cause)), ..FetchResponse::default() });
        }
        Err(failure) => return Err(failure.into()),
    };
    let ResponseHead { status, headers, content_length } = head;
    check_length(content_length, limits)?;
    let status_text = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    let body = ResponseBody::new(reader, content_length, limits, cancel_all);
    let response_rid = state.borrow_mut().resource_table.add(body);
    Ok(FetchResponse {
        status,
        status_text: status_text.unwrap_or_default().to_owned(),
        headers: headers.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
        url: url.into(),
        response_rid,
        content_length,
        body_decoded: false,
        error: None,
    })
}

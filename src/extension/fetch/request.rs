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
use reqwest::{Body, Method};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::Fetch;
use super::body::{Allowance, RequestBody, ResponseBody};
use super::error::{FetchError, denial_of, explain};
use super::settings::BodyLimits;

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
    response: Pin<Box<dyn Future<Output = Result<reqwest::Response, Failure>>>>,
    url: Url,
    limits: BodyLimits,
    deadline: Instant,
    cancel_all: Rc<CancelHandle>,
}

/// Why a request failed.
enum Failure {
    /// A limit or the policy.
    Own(FetchError),
    /// The connection or the server.
    Network(reqwest::Error),
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
    let fetch = state.borrow_mut::<Fetch>();
    let client = fetch.admit(&url)?;
    let (timeout, limits) = (fetch.settings.timeout, fetch.settings.limits);
    let cancel_all = Rc::clone(&fetch.cancel_all);
    let method =
        Method::from_bytes(&method).map_err(|_| FetchError::Invalid("the method of the request is invalid"))?;

    let mut header_map = HeaderMap::new();
    for (name, value) in headers {
        let name = HeaderName::from_bytes(&name).map_err(|_| FetchError::Invalid("a header's name is invalid"))?;
        let value = HeaderValue::from_bytes(&value).map_err(|_| FetchError::Invalid("a header's value is invalid"))?;
        if !FORBIDDEN_HEADERS.contains(&name.as_str()) && !name.as_str().starts_with("proxy-") {
            header_map.append(name, value);
        }
    }
    let mut length = None;
    let body = match (has_body, data, resource) {
        (false, ..) | (true, None, None) => {
            length = matches!(method, Method::POST | Method::PUT).then_some(0);
            None
        }
        (true, Some(data), _) => {
            let bytes: Vec<u8> = data.0.into();
            if bytes.len() as u64 > limits.whole {
                return Err(FetchError::RequestTooLarge(limits.of(false)));
            }
            Some(Body::from(bytes))
        }
        (true, None, Some(resource)) => {
            let inner = state.resource_table.take_any(resource)?;
            if let (lower, Some(upper)) = inner.size_hint() {
                length = (lower == upper && upper > 0).then_some(upper);
            }
            // Blobs and form data, whose length is known, are in memory.
            let limit = limits.of(length.is_none());
            if length.is_some_and(|length| length > limit.bytes) {
                return Err(FetchError::RequestTooLarge(limit));
            }
            let allowance = Cell::new(Allowance::new(limit));
            Some(Body::wrap(ResourceToBodyAdapter::new(Rc::new(RequestBody { inner, allowance }))))
        }
    };
    if let Some(length) = length {
        header_map.insert(CONTENT_LENGTH, length.into());
    }
    let authority = extract_authority(&mut url);
    let mut request = client.request(method, url.clone()).headers(header_map);
    if let Some((name, password)) = authority {
        request = request.basic_auth(name, password);
    }
    if let Some(body) = body {
        request = request.body(body);
    }

    let cancel = CancelHandle::new_rc();
    let deadline = Instant::now().checked_add(timeout).unwrap_or_else(|| Instant::now() + FAR_FUTURE);
    let response = {
        let (cancel, cancel_all) = (Rc::clone(&cancel), Rc::clone(&cancel_all));
        async move {
            let response = timeout_at(deadline, request.send()).or_cancel(cancel).or_cancel(cancel_all).await;
            match response {
                Ok(Ok(Ok(Ok(response)))) => Ok(response),
                Ok(Ok(Ok(Err(error)))) => Err(denial_of(&error).map_or(Failure::Network(error), Failure::Own)),
                Ok(Ok(Err(_))) => Err(Failure::Own(FetchError::TimedOut)),
                Ok(Err(_)) | Err(_) => Err(Failure::Own(FetchError::Cancelled)),
            }
        }
    };
    let request = Request { response: Box::pin(response), url, limits, deadline, cancel_all };
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
    let Request { response, url, limits, deadline, cancel_all } = request;
    let response = match response.await {
        Ok(response) => response,
        Err(Failure::Own(error)) => return Err(error),
        Err(Failure::Network(error)) => {
            // JavaScript throws `TypeError: fetch failed` with the second text as its cause.
            let error = error.without_url();
            let error = Some((error.to_string(), explain(&error)));
            return Ok(FetchResponse { error, ..FetchResponse::default() });
        }
    };
    let most = limits.highest();
    if response.content_length().is_some_and(|length| length > most.bytes) {
        return Err(FetchError::ResponseTooLarge(most));
    }
    let status = response.status();
    let headers = response.headers().iter();
    let headers = headers.map(|(name, value)| (name.as_str().into(), value.as_bytes().into())).collect();
    let content_length = response.content_length();
    let body = ResponseBody::new(response, limits, deadline, cancel_all);
    let response_rid = state.borrow_mut().resource_table.add(body);
    Ok(FetchResponse {
        status: status.as_u16(),
        status_text: status.canonical_reason().unwrap_or_default().to_owned(),
        headers,
        url: url.into(),
        response_rid,
        content_length,
        body_decoded: false,
        error: None,
    })
}

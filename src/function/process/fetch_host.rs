//! `fetch` of a worker process: the host checks, counts and sends the requests.

use std::collections::HashMap;
use std::task::{Context, Poll};

use bytes::Bytes;
use deno_core::futures::future::{AbortHandle, Abortable, LocalBoxFuture};
use deno_core::futures::stream::{self, FuturesUnordered, StreamExt};
use reqwest::Body;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{self, Receiver, Sender, UnboundedReceiver, UnboundedSender};
use url::Url;

use super::message::{FetchBody, FetchCommand, FetchEvent, ToWorker};
use crate::extension::{BodyLength, Fetch, FetchFailure, FetchSettings, PreparedRequest, RequestFailure};

/// Most bytes of a response that are sent at once.
const MAX_CHUNK: usize = 64 * 1024;

/// The worker sent a part of a body, or asked for one, again and again.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("it sends more of a request than it is asked for")]
pub(in crate::function) struct UnaskedFor;

/// The requests of an execution.
pub(in crate::function) struct Fetches {
    fetch: Fetch,
    requests: HashMap<u64, Request>,
    running: FuturesUnordered<Abortable<LocalBoxFuture<'static, ()>>>,
    sender: UnboundedSender<ToWorker>,
    /// Messages for the worker. At most two for each request wait.
    messages: UnboundedReceiver<ToWorker>,
}

/// A request that runs. Dropping it cancels the request.
struct Request {
    /// Asks for a part of the response. Holds one: a worker waits for the part before it asks again.
    reads: Sender<()>,
    /// Takes a part of the request's body. Holds one: a worker sends a part when it is asked.
    body: Option<Sender<Result<Bytes, ()>>>,
    abort: AbortHandle,
}

impl Drop for Request {
    fn drop(&mut self) {
        self.abort.abort();
    }
}

impl Fetches {
    pub(in crate::function) fn new(settings: FetchSettings) -> Self {
        let (sender, messages) = mpsc::unbounded_channel();
        Self {
            fetch: Fetch::new(settings),
            requests: HashMap::new(),
            running: FuturesUnordered::new(),
            sender,
            messages,
        }
    }

    /// Handles a message of the worker.
    ///
    /// # Errors
    ///
    /// Fails if no worker of this program sends such a message.
    pub(in crate::function) fn handle(&mut self, request: u64, command: FetchCommand) -> Result<(), UnaskedFor> {
        // Sending fails as well if the request has ended meanwhile.
        let is_full = match command {
            FetchCommand::Send { method, url, headers, length, body } => {
                if let Err(failure) = self.send(request, &method, &url, &headers, length, body) {
                    self.answer(request, FetchEvent::Head(Err(failure)));
                }
                false
            }
            FetchCommand::Body(chunk) => {
                let body = self.requests.get(&request).and_then(|request| request.body.as_ref());
                body.is_some_and(|body| matches!(body.try_send(chunk), Err(TrySendError::Full(_))))
            }
            FetchCommand::Read => {
                let request = self.requests.get(&request);
                request.is_some_and(|request| matches!(request.reads.try_send(()), Err(TrySendError::Full(()))))
            }
            FetchCommand::End => {
                self.requests.remove(&request);
                false
            }
        };
        if is_full { Err(UnaskedFor) } else { Ok(()) }
    }

    fn send(
        &mut self,
        request: u64,
        method: &[u8],
        url: &str,
        headers: &[(Vec<u8>, Vec<u8>)],
        length: Option<u64>,
        body: FetchBody,
    ) -> Result<(), FetchFailure> {
        let url = Url::parse(url).map_err(|error| FetchFailure::Refused(format!("Invalid URL: {error}")))?;
        let headers = headers.iter().map(|(name, value)| (&**name, &**value));
        let body_length = match &body {
            FetchBody::None => BodyLength::NoBody,
            FetchBody::Bytes(bytes) => BodyLength::InMemory(bytes.len() as u64),
            FetchBody::Stream => BodyLength::Stream(length),
        };
        let prepared = self.fetch.prepare(method, url, headers, body_length)?;
        let mut body_sender = None;
        let prepared = match body {
            FetchBody::None => prepared,
            FetchBody::Bytes(bytes) => prepared.body(Body::from(bytes)),
            FetchBody::Stream => {
                let (sender, chunks) = mpsc::channel(1);
                body_sender = Some(sender);
                let allowance = self.fetch.allowance(body_length);
                let out = self.sender.clone();
                let state = (chunks, allowance, out);
                let body = stream::try_unfold(state, move |(mut chunks, mut allowance, out)| async move {
                    let event = FetchEvent::Pull;
                    let asked = out.send(ToWorker::Fetch { request, event });
                    let cancelled = || std::io::Error::other("the request was cancelled");
                    asked.map_err(|_| cancelled())?;
                    let chunk: Result<Bytes, ()> = chunks.recv().await.ok_or_else(cancelled)?;
                    let chunk = chunk.map_err(|()| std::io::Error::other("the body of the request failed"))?;
                    if chunk.is_empty() {
                        return Ok::<_, std::io::Error>(None);
                    }
                    allowance.consume(chunk.len()).map_err(std::io::Error::other)?;
                    Ok(Some((chunk, (chunks, allowance, out))))
                });
                prepared.body(Body::wrap_stream(body))
            }
        };
        let (reads, reader) = mpsc::channel(1);
        let (abort, registration) = AbortHandle::new_pair();
        let exchange: LocalBoxFuture<'static, ()> = Box::pin(exchange(request, prepared, reader, self.sender.clone()));
        self.running.push(Abortable::new(exchange, registration));
        self.requests.insert(request, Request { reads, body: body_sender, abort });
        Ok(())
    }

    fn answer(&self, request: u64, event: FetchEvent) {
        // Cannot fail: the receiver is here.
        let _ = self.sender.send(ToWorker::Fetch { request, event });
    }

    /// The next message for the worker.
    pub(in crate::function) fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<ToWorker> {
        // Most executions make no request. A waker in the channel would be woken for nothing when it is dropped.
        if self.running.is_empty() && self.messages.is_empty() {
            return Poll::Pending;
        }
        while let Poll::Ready(Some(_)) = self.running.poll_next_unpin(cx) {}
        match self.messages.poll_recv(cx) {
            Poll::Ready(Some(message)) => Poll::Ready(message),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

/// Sends a request, and then a part of the response for each time that the worker asks.
async fn exchange(request: u64, prepared: PreparedRequest, mut reads: Receiver<()>, out: UnboundedSender<ToWorker>) {
    // Fails if the execution has ended.
    let answer = |event| drop(out.send(ToWorker::Fetch { request, event }));
    let (head, mut reader, check) = match prepared.exchange().await {
        Ok(exchange) => exchange,
        Err(failure) => return answer(FetchEvent::Head(Err(RequestFailure::into(failure)))),
    };
    answer(FetchEvent::Head(Ok(head)));
    while reads.recv().await.is_some() {
        let chunk = reader.next(MAX_CHUNK, |received| check.check(received)).await.map_err(FetchFailure::from);
        let is_end = chunk.as_ref().map_or(true, Bytes::is_empty);
        answer(FetchEvent::Chunk(chunk));
        if is_end {
            return;
        }
    }
}

//! `fetch` in a worker process: the requests go to the host.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytes::Bytes;
use deno_core::futures::StreamExt;
use deno_core::futures::future::LocalBoxFuture;
use deno_fetch::ResourceToBodyAdapter;
use tokio::sync::mpsc::{self, UnboundedReceiver};

use super::guest::Link;
use super::message::{FetchBody, FetchCommand, FetchEvent, FromWorker};
use crate::extension::{FetchFailure, FetchTransport, RemoteChunks, RemoteResponse, ScriptBody, ScriptRequest};

/// Sends requests to the host.
pub(super) struct HostFetch {
    link: Arc<Link>,
    /// Longest body in memory, in bytes. The host takes no longer message.
    max_body: u64,
    next_request: AtomicU64,
}

impl HostFetch {
    pub(super) fn new(link: Arc<Link>, max_body: u64) -> Self {
        Self { link, max_body, next_request: AtomicU64::new(0) }
    }
}

/// A request at the host. Dropping it cancels the request.
struct Exchange {
    request: u64,
    link: Arc<Link>,
    events: UnboundedReceiver<FetchEvent>,
    body: Option<ResourceToBodyAdapter>,
}

impl Exchange {
    fn tell(&self, command: FetchCommand) -> Result<(), FetchFailure> {
        let told = self.link.send(&FromWorker::Fetch { request: self.request, command });
        told.map_err(|_| FetchFailure::Refused("the execution has ended".to_owned()))
    }

    /// The next event that is not about the request's body, which is sent meanwhile.
    async fn next_event(&mut self) -> Result<FetchEvent, FetchFailure> {
        loop {
            match self.events.recv().await {
                Some(FetchEvent::Pull) => {
                    let chunk = match &mut self.body {
                        Some(body) => body.next().await.unwrap_or(Ok(Bytes::new())).map_err(drop),
                        None => Err(()),
                    };
                    self.tell(FetchCommand::Body(chunk))?;
                }
                Some(event) => return Ok(event),
                None => return Err(FetchFailure::Refused("the request was cancelled".to_owned())),
            }
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.link.forget_fetch(self.request);
        // Fails if the host is gone, which ends the worker.
        let _ = self.tell(FetchCommand::End);
    }
}

impl FetchTransport for HostFetch {
    fn send(&self, request: ScriptRequest) -> LocalBoxFuture<'static, Result<RemoteResponse, FetchFailure>> {
        let ScriptRequest { method, url, headers, body } = request;
        let request = self.next_request.fetch_add(1, Relaxed);
        let (sender, events) = mpsc::unbounded_channel();
        self.link.register_fetch(request, sender);
        let (body, stream, length) = match body {
            ScriptBody::None => (FetchBody::None, None, None),
            // The host refuses a body for its length, after it has checked and counted the request.
            ScriptBody::Bytes(bytes) if bytes.len() as u64 > self.max_body => {
                (FetchBody::Stream, None, Some(bytes.len() as u64))
            }
            ScriptBody::Bytes(bytes) => (FetchBody::Bytes(bytes.into()), None, None),
            ScriptBody::Stream(stream, length) => (FetchBody::Stream, Some(stream), length),
        };
        let mut exchange = Exchange { request, link: Arc::clone(&self.link), events, body: stream };
        let sent = exchange.tell(FetchCommand::Send { method, url: url.into(), headers, length, body });
        Box::pin(async move {
            sent?;
            match exchange.next_event().await? {
                FetchEvent::Head(head) => Ok(RemoteResponse { head: head?, chunks: Box::new(exchange) }),
                FetchEvent::Pull | FetchEvent::Chunk(_) => Err(out_of_turn()),
            }
        })
    }
}

impl RemoteChunks for Exchange {
    fn next(&mut self) -> LocalBoxFuture<'_, Result<Option<Bytes>, FetchFailure>> {
        Box::pin(async move {
            self.tell(FetchCommand::Read)?;
            match self.next_event().await? {
                FetchEvent::Chunk(chunk) => chunk.map(|chunk| Some(chunk).filter(|chunk| !chunk.is_empty())),
                FetchEvent::Pull | FetchEvent::Head(_) => Err(out_of_turn()),
            }
        })
    }
}

fn out_of_turn() -> FetchFailure {
    FetchFailure::Refused("a message of the host is out of turn".to_owned())
}

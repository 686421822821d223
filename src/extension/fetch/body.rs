//! Streamed bodies of requests and responses, with limits on their size and time.

use std::borrow::Cow;
use std::cell::Cell;
use std::rc::Rc;

use bytes::Bytes;
use deno_core::{
    AsyncRefCell, AsyncResult, BufMutView, BufView, CancelHandle, CancelTryFuture, OpState, RcRef, Resource,
    ResourceId, op2,
};
use deno_error::JsErrorBox;
use tokio::time::{Instant, timeout_at};

use super::error::FetchError;
use super::settings::{BodyLimit, BodyLimits};
use super::transport::RemoteChunks;

/// The body of a response, read by the script.
pub(super) struct ResponseBody {
    reader: AsyncRefCell<ResponseReader>,
    size: Option<u64>,
    limits: BodyLimits,
    /// Whether the script reads the body as a stream. Until it says so, the body counts as one in memory.
    is_streamed: Cell<bool>,
    closed: CancelHandle,
    /// Cancelled at the end of the execution.
    cancel_all: Rc<CancelHandle>,
}

/// Reads the body of a response, within a limit and until a deadline.
pub(crate) struct ResponseReader {
    source: Source,
    /// Received bytes that were not read yet.
    buffered: Bytes,
    received: u64,
    deadline: Instant,
}

/// Where the bytes come from.
enum Source {
    Response(reqwest::Response),
    Remote(Box<dyn RemoteChunks>),
}

impl ResponseReader {
    pub(super) fn new(response: reqwest::Response, deadline: Instant) -> Self {
        Self { source: Source::Response(response), buffered: Bytes::new(), received: 0, deadline }
    }

    pub(super) fn remote(chunks: Box<dyn RemoteChunks>, deadline: Instant) -> Self {
        Self { source: Source::Remote(chunks), buffered: Bytes::new(), received: 0, deadline }
    }

    /// The next bytes, at most `max` of them. Empty at the end. `check` gets the number of bytes received so far.
    pub(crate) async fn next(
        &mut self,
        max: usize,
        check: impl Fn(u64) -> Result<(), FetchError>,
    ) -> Result<Bytes, FetchError> {
        while self.buffered.is_empty() {
            let chunk = match &mut self.source {
                Source::Response(response) => {
                    let chunk = timeout_at(self.deadline, response.chunk()).await.map_err(|_| FetchError::TimedOut)?;
                    chunk.map_err(|error| FetchError::body(&error))?
                }
                Source::Remote(chunks) => chunks.next().await?,
            };
            let Some(chunk) = chunk else { return Ok(Bytes::new()) };
            self.received = self.received.saturating_add(chunk.len() as u64);
            check(self.received)?;
            self.buffered = chunk;
        }
        Ok(self.buffered.split_to(max.min(self.buffered.len())))
    }
}

/// The bytes that the body of a request may still have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowance {
    limit: BodyLimit,
    remaining: u64,
}

impl Allowance {
    pub(super) fn new(limit: BodyLimit) -> Self {
        Self { limit, remaining: limit.bytes }
    }

    /// Consumes bytes.
    ///
    /// # Errors
    ///
    /// Fails if the limit is exceeded.
    pub(crate) fn consume(&mut self, bytes: usize) -> Result<(), FetchError> {
        self.remaining = self.remaining.checked_sub(bytes as u64).ok_or(FetchError::RequestTooLarge(self.limit))?;
        Ok(())
    }
}

impl ResponseBody {
    pub(super) fn new(
        reader: ResponseReader,
        size: Option<u64>,
        limits: BodyLimits,
        cancel_all: Rc<CancelHandle>,
    ) -> Self {
        Self {
            size,
            reader: AsyncRefCell::new(reader),
            limits,
            is_streamed: Cell::new(false),
            closed: CancelHandle::default(),
            cancel_all,
        }
    }

    /// Fails if the limit is below this size.
    fn check(&self, size: u64) -> Result<(), FetchError> {
        let limit = self.limits.of(self.is_streamed.get());
        if size > limit.bytes { Err(FetchError::ResponseTooLarge(limit)) } else { Ok(()) }
    }
}

/// Says whether the script reads the body of a response as a stream. Called by `js/fetch_bodies.js`.
#[op2(fast)]
pub(super) fn op_fetch_stream_body(state: &mut OpState, #[smi] rid: ResourceId, is_streamed: bool) {
    // Not found: the stream has ended, or is no response.
    if let Ok(body) = state.resource_table.get::<ResponseBody>(rid) {
        body.is_streamed.set(is_streamed);
    }
}

impl Resource for ResponseBody {
    fn name(&self) -> Cow<'_, str> {
        "fetchResponse".into()
    }

    fn read(self: Rc<Self>, limit: usize) -> AsyncResult<BufView> {
        Box::pin(async move {
            let cancel_all = Rc::clone(&self.cancel_all);
            let closed = RcRef::map(&self, |body| &body.closed);
            let mut reader = RcRef::map(&self, |body| &body.reader).borrow_mut().await;
            let next = async {
                // Before anything is received, if the server says how much there is.
                self.check(self.size.unwrap_or(0)).map_err(JsErrorBox::from_err)?;
                let next = reader.next(limit, |received| self.check(received)).await;
                next.map(BufView::from).map_err(JsErrorBox::from_err)
            };
            next.try_or_cancel(cancel_all).try_or_cancel(closed).await
        })
    }

    fn size_hint(&self) -> (u64, Option<u64>) {
        // `op_read_all` allocates as much at once.
        let size = self.size.filter(|size| *size <= self.limits.whole);
        (size.unwrap_or(0), size)
    }

    fn close(self: Rc<Self>) {
        self.closed.cancel();
    }
}

/// The body of a request, streamed from the script.
pub(super) struct RequestBody {
    pub(super) inner: Rc<dyn Resource>,
    pub(super) allowance: Cell<Allowance>,
}

impl RequestBody {
    fn count(&self, bytes: usize) -> Result<(), JsErrorBox> {
        let mut allowance = self.allowance.get();
        let counted = allowance.consume(bytes).map_err(JsErrorBox::from_err);
        self.allowance.set(allowance);
        counted
    }
}

impl Resource for RequestBody {
    fn name(&self) -> Cow<'_, str> {
        "fetchRequestBody".into()
    }

    fn read(self: Rc<Self>, limit: usize) -> AsyncResult<BufView> {
        Box::pin(async move {
            let chunk = Rc::clone(&self.inner).read(limit).await?;
            self.count(chunk.len())?;
            Ok(chunk)
        })
    }

    fn read_byob(self: Rc<Self>, buffer: BufMutView) -> AsyncResult<(usize, BufMutView)> {
        Box::pin(async move {
            let (read, buffer) = Rc::clone(&self.inner).read_byob(buffer).await?;
            self.count(read)?;
            Ok((read, buffer))
        })
    }

    fn size_hint(&self) -> (u64, Option<u64>) {
        self.inner.size_hint()
    }

    fn close(self: Rc<Self>) {
        Rc::clone(&self.inner).close();
    }
}

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

/// The body of a response, read by the script.
pub(super) struct ResponseBody {
    reader: AsyncRefCell<Reader>,
    size: Option<u64>,
    limits: BodyLimits,
    /// Whether the script reads the body as a stream. Until it says so, the body counts as one in memory.
    is_streamed: Cell<bool>,
    closed: CancelHandle,
    /// Cancelled at the end of the execution.
    cancel_all: Rc<CancelHandle>,
}

struct Reader {
    response: reqwest::Response,
    /// Received bytes that the script has not read yet.
    buffered: Bytes,
    received: u64,
    deadline: Instant,
}

/// The bytes that the body of a request may still have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    limit: BodyLimit,
    remaining: u64,
}

impl Allowance {
    pub(super) fn new(limit: BodyLimit) -> Self {
        Self { limit, remaining: limit.bytes }
    }

    /// Consumes bytes. Fails with the limit if it is exceeded.
    fn consume(&mut self, bytes: usize) -> Result<(), BodyLimit> {
        self.remaining = self.remaining.checked_sub(bytes as u64).ok_or(self.limit)?;
        Ok(())
    }
}

impl ResponseBody {
    pub(super) fn new(
        response: reqwest::Response,
        limits: BodyLimits,
        deadline: Instant,
        cancel_all: Rc<CancelHandle>,
    ) -> Self {
        Self {
            size: response.content_length(),
            reader: AsyncRefCell::new(Reader { response, buffered: Bytes::new(), received: 0, deadline }),
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

impl Reader {
    async fn next(&mut self, body: &ResponseBody, limit: usize) -> Result<BufView, FetchError> {
        // Before anything is received, if the server says how much there is.
        body.check(body.size.unwrap_or(0))?;
        while self.buffered.is_empty() {
            let chunk = timeout_at(self.deadline, self.response.chunk()).await.map_err(|_| FetchError::TimedOut)?;
            let Some(chunk) = chunk.map_err(|error| FetchError::body(&error))? else {
                return Ok(BufView::empty());
            };
            self.received = self.received.saturating_add(chunk.len() as u64);
            body.check(self.received)?;
            self.buffered = chunk;
        }
        let length = limit.min(self.buffered.len());
        Ok(self.buffered.split_to(length).into())
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
            let next = async { reader.next(&self, limit).await.map_err(JsErrorBox::from_err) };
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
        let counted =
            allowance.consume(bytes).map_err(|limit| JsErrorBox::from_err(FetchError::RequestTooLarge(limit)));
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

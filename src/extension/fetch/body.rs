//! Bodies, counted and timed while they flow.

use std::borrow::Cow;
use std::rc::Rc;

use bytes::Bytes;
use deno_core::{AsyncRefCell, AsyncResult, BufMutView, BufView, CancelHandle, CancelTryFuture, RcRef, Resource};
use deno_error::JsErrorBox;
use tokio::time::{Instant, timeout_at};

use super::error::FetchError;

/// The body of an answer, as the script reads it.
pub(super) struct AnswerBody {
    reader: AsyncRefCell<Reader>,
    size: Option<u64>,
    closed: CancelHandle,
    /// Cancelled when the execution is over.
    end: Rc<CancelHandle>,
}

struct Reader {
    response: reqwest::Response,
    /// Arrived, and not read by the script.
    rest: Bytes,
    allowance: Allowance,
    deadline: Instant,
}

/// Bytes that may yet come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    limit: u64,
    left: u64,
}

impl Allowance {
    pub(super) fn new(limit: u64) -> Self {
        Self { limit, left: limit }
    }

    fn take(&mut self, bytes: usize) -> Result<(), u64> {
        self.left = self.left.checked_sub(bytes as u64).ok_or(self.limit)?;
        Ok(())
    }
}

impl AnswerBody {
    pub(super) fn new(response: reqwest::Response, limit: u64, deadline: Instant, end: Rc<CancelHandle>) -> Self {
        Self {
            size: response.content_length(),
            reader: AsyncRefCell::new(Reader {
                response,
                rest: Bytes::new(),
                allowance: Allowance::new(limit),
                deadline,
            }),
            closed: CancelHandle::default(),
            end,
        }
    }
}

impl Reader {
    async fn next(&mut self, limit: usize) -> Result<BufView, FetchError> {
        while self.rest.is_empty() {
            let chunk = timeout_at(self.deadline, self.response.chunk()).await.map_err(|_| FetchError::TimedOut)?;
            let Some(chunk) = chunk.map_err(|error| FetchError::body(&error))? else {
                return Ok(BufView::empty());
            };
            self.allowance.take(chunk.len()).map_err(FetchError::AnswerTooLarge)?;
            self.rest = chunk;
        }
        let length = limit.min(self.rest.len());
        Ok(self.rest.split_to(length).into())
    }
}

impl Resource for AnswerBody {
    fn name(&self) -> Cow<'_, str> {
        "fetchResponse".into()
    }

    fn read(self: Rc<Self>, limit: usize) -> AsyncResult<BufView> {
        Box::pin(async move {
            let end = Rc::clone(&self.end);
            let closed = RcRef::map(&self, |body| &body.closed);
            let mut reader = RcRef::map(&self, |body| &body.reader).borrow_mut().await;
            let next = async { reader.next(limit).await.map_err(JsErrorBox::from_err) };
            next.try_or_cancel(end).try_or_cancel(closed).await
        })
    }

    fn size_hint(&self) -> (u64, Option<u64>) {
        (self.size.unwrap_or(0), self.size)
    }

    fn close(self: Rc<Self>) {
        self.closed.cancel();
    }
}

/// The body of a request that the script writes while it is sent.
pub(super) struct CountedBody {
    pub(super) inner: Rc<dyn Resource>,
    pub(super) allowance: std::cell::Cell<Allowance>,
}

impl CountedBody {
    fn count(&self, bytes: usize) -> Result<(), JsErrorBox> {
        let mut allowance = self.allowance.get();
        let counted = allowance.take(bytes).map_err(|limit| JsErrorBox::from_err(FetchError::RequestTooLarge(limit)));
        self.allowance.set(allowance);
        counted
    }
}

impl Resource for CountedBody {
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

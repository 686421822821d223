//! The connection to a worker process.

use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::task::{Context, Poll, ready};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::calls::{Answered, Calls};
use crate::extension::ConsoleSink;
use crate::function::process::{
    Done, Fetches, FromWorker, Inbox, MAX_CALL_BYTES, Malformed, ToWorker, UnaskedFor, encode, max_result_bytes,
};

/// Bytes of answers that wait for the worker to read them, from which on no further call is answered.
const MAX_WAITING_ANSWERS: usize = 8 * 1024 * 1024;

/// Reason why a worker process cannot go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum WorkerError {
    #[error("its connection is closed")]
    Closed,
    #[error("{0}")]
    Malformed(#[from] Malformed),
    #[error("{0}")]
    Violation(&'static str),
    #[error(transparent)]
    UnaskedFor(#[from] UnaskedFor),
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// The connection to a worker process.
pub(super) struct Link {
    /// Registered for reading alone: the worker makes the socket writable with each message that it takes.
    socket: AsyncFd<UnixStream>,
    /// The socket, registered for writing while it takes no more.
    full: Option<AsyncFd<UnixStream>>,
    inbox: Inbox,
    outbox: Vec<u8>,
    /// Bytes of the outbox that are sent.
    sent: usize,
}

impl Link {
    pub(super) fn new(socket: UnixStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let socket = registered(socket, Interest::READABLE)?;
        Ok(Self { socket, full: None, inbox: Inbox::default(), outbox: Vec::new(), sent: 0 })
    }

    /// Puts a message into the outbox, which is sent while the link is polled.
    pub(super) fn send(&mut self, message: &ToWorker) -> Result<(), WorkerError> {
        Ok(encode(&mut self.outbox, message)?)
    }

    /// Sends what is in the outbox, and waits for a message.
    pub(super) async fn receive(&mut self, max: usize) -> Result<(FromWorker, usize), WorkerError> {
        poll_fn(|cx| {
            self.poll_flush(cx)?;
            self.poll_receive(cx, max)
        })
        .await
    }

    /// Writes what the socket takes.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Result<(), WorkerError> {
        while self.sent < self.outbox.len() {
            match self.socket.get_ref().write(&self.outbox[self.sent..]) {
                Ok(written) => self.sent += written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let full = match self.full.take() {
                        Some(full) => full,
                        None => registered(self.socket.get_ref().try_clone()?, Interest::WRITABLE)?,
                    };
                    // Registers the task. If the socket became writable meanwhile, it tries again.
                    match self.full.insert(full).poll_write_ready(cx) {
                        Poll::Ready(ready) => ready?.clear_ready(),
                        Poll::Pending => return Ok(()),
                    }
                }
                // A worker that has ended is noticed when it is read from.
                Err(_) => self.sent = self.outbox.len(),
            }
        }
        self.full = None;
        self.outbox.clear();
        self.sent = 0;
        if self.outbox.capacity() > MAX_WAITING_ANSWERS {
            self.outbox = Vec::new();
        }
        Ok(())
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>, max: usize) -> Poll<Result<(FromWorker, usize), WorkerError>> {
        loop {
            if let Some(message) = self.inbox.next(max)? {
                return Poll::Ready(Ok(message));
            }
            let Self { socket, inbox, .. } = self;
            let mut readable = ready!(socket.poll_read_ready(cx))?;
            let mut is_drained = true;
            let received: io::Result<usize> = inbox.receive(|buffer| {
                let received = socket.get_ref().read(buffer)?;
                is_drained = received < buffer.len();
                Ok(received)
            });
            match received {
                Ok(0) => return Poll::Ready(Err(WorkerError::Closed)),
                Ok(_) if is_drained => readable.clear_ready(),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => readable.clear_ready(),
                Err(error) => return Poll::Ready(Err(WorkerError::Io(error))),
            }
        }
    }

    /// Serves an execution until it is done.
    pub(super) async fn converse(
        &mut self,
        calls: &mut Calls<'_>,
        fetches: &mut Fetches,
        max_body: u64,
        sink: &ConsoleSink,
    ) -> Result<Done, WorkerError> {
        let limits = calls.limits;
        let max_body = usize::try_from(max_body).unwrap_or(usize::MAX);
        let longest = max_result_bytes(&limits.result).max(limits.log_bytes).max(max_body);
        let max = longest.saturating_add(MAX_CALL_BYTES);
        poll_fn(|cx| {
            loop {
                // Reads always, so that a worker that waits to write goes on and reads.
                let received = self.poll_receive(cx, max)?;
                let is_idle = received.is_pending();
                if let Poll::Ready((message, bytes)) = received {
                    match message {
                        FromWorker::Call { .. } if bytes > MAX_CALL_BYTES => {
                            return Poll::Ready(Err(WorkerError::Violation("the arguments of a call are too large")));
                        }
                        FromWorker::Call { call, namespace, operation } => {
                            calls.start(call, namespace, operation, bytes)?;
                        }
                        FromWorker::Log { level, text } => sink(level, &text),
                        FromWorker::Fetch { request, command } => fetches.handle(request, command)?,
                        FromWorker::Done(done) => return Poll::Ready(Ok(*done)),
                        FromWorker::Prepared(_) => {
                            return Poll::Ready(Err(WorkerError::Violation("a message is out of turn")));
                        }
                    }
                }
                let mut has_answered = false;
                while self.outbox.len() - self.sent < MAX_WAITING_ANSWERS
                    && let Poll::Ready(Some(Answered { call, answer, .. })) = calls.poll_answer(cx)
                {
                    self.send(&ToWorker::Answer { call, answer })?;
                    has_answered = true;
                }
                while self.outbox.len() - self.sent < MAX_WAITING_ANSWERS
                    && let Poll::Ready(message) = fetches.poll_message(cx)
                {
                    self.send(&message)?;
                    has_answered = true;
                }
                self.poll_flush(cx)?;
                if is_idle && !has_answered {
                    return Poll::Pending;
                }
            }
        })
        .await
    }
}

/// Registers a socket with the event loop.
fn registered(socket: UnixStream, interest: Interest) -> io::Result<AsyncFd<UnixStream>> {
    // SAFETY: a socket keeps its descriptor until it is dropped.
    unsafe { AsyncFd::register_with_interest(socket, interest) }.map_err(io::Error::from)
}

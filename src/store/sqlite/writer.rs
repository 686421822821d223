//! The one thread that writes.
//!
//! A durable commit waits for the disk, and SQLite has one writer at a time. So the writes of all callers go through
//! one queue; the thread takes all that have gathered there while the disk was busy, and commits them together. Each
//! write has a savepoint of its own: one that fails takes nothing else with it. A write that changes much has a commit of
//! its own instead: for a savepoint SQLite copies every page as it was.

use std::sync::Arc;
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot, watch};

use super::connection::Readers;
use crate::store::StoreError;

/// Writes that may wait in the queue; beyond it callers wait to get in.
const QUEUE: usize = 1024;

/// Writes in one commit at the most: bounds what one lost commit loses, and how long the first waits for the last.
const BATCH: usize = 512;

#[derive(Debug)]
pub(super) struct Writer {
    // `None` only while dropping: the thread ends when the queue is closed.
    queue: Option<mpsc::Sender<Box<dyn Write>>>,
    thread: Option<JoinHandle<()>>,
    commits: watch::Receiver<u64>,
}

impl Writer {
    pub(super) fn start(connection: Connection, readers: Arc<Readers>) -> Result<Self, StoreError> {
        let (queue, writes) = mpsc::channel(QUEUE);
        let (committed, commits) = watch::channel(0);
        let thread = std::thread::Builder::new()
            .name("tailor-idp-writer".to_owned())
            .spawn(move || serve(&connection, &readers, writes, &committed))
            .map_err(|error| StoreError::Other(format!("cannot start the writer thread: {error}")))?;
        Ok(Self { queue: Some(queue), thread: Some(thread), commits })
    }

    /// Counts the commits.
    pub(super) fn commits(&self) -> watch::Receiver<u64> {
        self.commits.clone()
    }

    /// Runs `work` in the next commit, and returns what it returned once that commit is on disk.
    ///
    /// A caller that stops waiting does not stop the write.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.queue(work, false).await
    }

    /// As [`run`](Self::run), in a commit that has no other write in it.
    pub(super) async fn run_alone<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.queue(work, true).await
    }

    async fn queue<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
        alone: bool,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let write = Job { work: Some(work), alone, outcome: None, reply };
        let queue = self.queue.as_ref().ok_or(StoreError::Closed)?;
        queue.send(Box::new(write)).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        // Waits until what is queued is on disk. A panic of the thread has been printed by then.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A write in the queue, whatever it returns.
trait Write: Send {
    /// Whether the write has a commit of its own.
    fn alone(&self) -> bool;
    /// Does the work in the open savepoint, or transaction; an error says not to keep it.
    fn apply(&mut self, connection: &Connection) -> Result<(), StoreError>;
    /// Tells the caller how it went: the outcome of the work, unless the commit failed.
    fn answer(self: Box<Self>, commit: Result<(), StoreError>);
}

struct Job<F, T> {
    work: Option<F>,
    alone: bool,
    outcome: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Write for Job<F, T>
where
    F: FnOnce(&Connection) -> Result<T, StoreError> + Send,
    T: Send,
{
    fn alone(&self) -> bool {
        self.alone
    }

    fn apply(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let work = self.work.take().ok_or(StoreError::Closed)?;
        let outcome = work(connection);
        let kept = outcome.as_ref().map(|_| ()).map_err(Clone::clone);
        self.outcome = Some(outcome);
        kept
    }

    fn answer(self: Box<Self>, commit: Result<(), StoreError>) {
        let outcome = match (commit, self.outcome) {
            // Of a commit that failed nothing is true: not even that a name was taken, by another write of it.
            (Err(error), _) => Err(error),
            (Ok(()), Some(outcome)) => outcome,
            (Ok(()), None) => Err(StoreError::Closed),
        };
        // A caller that has gone away needs no answer.
        let _ = self.reply.send(outcome);
    }
}

fn serve(
    connection: &Connection,
    readers: &Readers,
    mut writes: mpsc::Receiver<Box<dyn Write>>,
    committed: &watch::Sender<u64>,
) {
    let mut batch = Vec::new();
    while writes.blocking_recv_many(&mut batch, BATCH) > 0 {
        while !batch.is_empty() {
            let together = batch.iter().position(|write| write.alone()).unwrap_or(batch.len()).max(1);
            let commit = readers.shut_out(|| commit(connection, &mut batch[..together]));
            tracing::debug!(writes = together, error = commit.as_ref().err().map(tracing::field::display), "a commit");
            for write in batch.drain(..together) {
                write.answer(commit.clone());
            }
            committed.send_modify(|commits| *commits += 1);
        }
    }
}

/// All of them in one transaction.
fn commit(connection: &Connection, batch: &mut [Box<dyn Write>]) -> Result<(), StoreError> {
    let done = apply_all(connection, batch);
    if done.is_err() && !connection.is_autocommit() {
        // Nothing of a half-done batch may be seen by the next one.
        let _ = connection.execute_batch("ROLLBACK");
    }
    done
}

fn apply_all(connection: &Connection, batch: &mut [Box<dyn Write>]) -> Result<(), StoreError> {
    let execute = |sql| -> Result<usize, StoreError> { Ok(connection.prepare_cached(sql)?.execute([])?) };
    execute("BEGIN IMMEDIATE")?;
    for write in batch {
        if write.alone() {
            write.apply(connection)?;
            continue;
        }
        execute("SAVEPOINT one")?;
        if let Err(error) = write.apply(connection) {
            if connection.is_autocommit() {
                // On a full disk and the like SQLite rolls back all that is open, not just the one write.
                return Err(error);
            }
            execute("ROLLBACK TO one")?;
        }
        execute("RELEASE one")?;
    }
    execute("COMMIT")?;
    Ok(())
}

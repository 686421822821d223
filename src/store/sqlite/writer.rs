//! The one thread that writes.
//!
//! A durable commit waits for the disk, and SQLite has one writer at a time. So the writes of all callers go through
//! one queue; the thread takes all that have gathered there while the disk was busy, and commits them together. A
//! write that fails takes nothing else with it: see [`Undo`].

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot, watch};

use super::connection::Readers;
use crate::store::StoreError;

/// Writes that may wait in the queue; beyond it callers wait to get in.
const QUEUE: usize = 1024;

/// Writes in one commit at the most: bounds what one lost commit loses, and how long the first waits for the last.
const BATCH: usize = 512;

/// The longest that a write waits for others to come with it: far less than anybody notices, however slow the disk.
const LONGEST_GATHERING: Duration = Duration::from_millis(1);

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
        self.queue(Undo::Savepoint, work).await
    }

    /// As [`run`](Self::run), for work that changes something by one statement at the most, which leaves nothing behind where
    /// it fails.
    pub(super) async fn run_statement<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.queue(Undo::Statement, work).await
    }

    /// As [`run`](Self::run), in a commit that has no other write in it.
    pub(super) async fn run_alone<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.queue(Undo::Commit, work).await
    }

    async fn queue<T: Send + 'static>(
        &self,
        undo: Undo,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let write = Job { work: Some(work), undo, outcome: None, reply };
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

/// How a write that fails is undone, without the others of its commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Undo {
    /// Not at all: where a name is taken, the one statement that changes something has left nothing behind. With anything else
    /// that goes wrong the whole commit goes.
    Statement,
    /// By a savepoint of its own, which costs a small write as much again.
    Savepoint,
    /// With its commit, in which there is no other: of a write that changes much a savepoint would copy every page.
    Commit,
}

/// A write in the queue, whatever it returns.
trait Write: Send {
    /// How it is undone where it fails.
    fn undo(&self) -> Undo;
    /// Does the work; an error says not to keep it.
    fn apply(&mut self, connection: &Connection) -> Result<(), StoreError>;
    /// Tells the caller how it went: the outcome of the work, unless the commit failed.
    fn answer(self: Box<Self>, commit: Result<(), StoreError>);
}

struct Job<F, T> {
    work: Option<F>,
    undo: Undo,
    outcome: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Write for Job<F, T>
where
    F: FnOnce(&Connection) -> Result<T, StoreError> + Send,
    T: Send,
{
    fn undo(&self) -> Undo {
        self.undo
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
    // Of the last commit: how many writes it had, how long it took, and when they were answered.
    let (mut callers, mut took, mut answered) = (0, Duration::ZERO, Instant::now());
    while writes.blocking_recv_many(&mut batch, BATCH) > 0 {
        if answered.elapsed() < LONGEST_GATHERING {
            gather(&mut writes, &mut batch, callers, took);
        }
        callers = batch.len();
        while !batch.is_empty() {
            let alone = batch.iter().position(|write| write.undo() == Undo::Commit);
            let together = alone.unwrap_or(batch.len()).max(1);
            let began = Instant::now();
            let commit = readers.shut_out(|| commit(connection, &mut batch[..together]));
            took = began.elapsed();
            tracing::debug!(writes = together, error = commit.as_ref().err().map(tracing::field::display), "a commit");
            for write in batch.drain(..together) {
                write.answer(commit.clone());
            }
            committed.send_modify(|commits| *commits += 1);
        }
        answered = Instant::now();
    }
}

/// Waits for the callers of the last commit, who have just been answered and may be about to write again: a commit of all
/// of them costs the disk as much as one of the first that is back. Not for longer than half of a commit, in which the thread
/// yields rather than sleeps: it is about to be needed.
fn gather(
    writes: &mut mpsc::Receiver<Box<dyn Write>>,
    batch: &mut Vec<Box<dyn Write>>,
    callers: usize,
    last_commit: Duration,
) {
    let until = Instant::now() + (last_commit / 2).min(LONGEST_GATHERING);
    while batch.len() < callers.min(BATCH) && Instant::now() < until {
        match writes.try_recv() {
            Ok(write) => batch.push(write),
            Err(TryRecvError::Disconnected) => break,
            // A turn for whoever is on this core.
            Err(TryRecvError::Empty) => std::thread::yield_now(),
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
        match write.undo() {
            Undo::Commit => {
                write.apply(connection)?;
                continue;
            }
            Undo::Savepoint => drop(execute("SAVEPOINT one")?),
            Undo::Statement => {}
        }
        if let Err(error) = write.apply(connection) {
            if connection.is_autocommit() {
                // On a full disk and the like SQLite rolls back all that is open, not just the one write.
                return Err(error);
            }
            match write.undo() {
                Undo::Savepoint => drop(execute("ROLLBACK TO one")?),
                // What else it has left behind nobody knows: the commit goes.
                Undo::Statement if !matches!(error, StoreError::NameTaken) => return Err(error),
                Undo::Statement | Undo::Commit => {}
            }
        }
        if write.undo() == Undo::Savepoint {
            execute("RELEASE one")?;
        }
    }
    execute("COMMIT")?;
    Ok(())
}

//! The writer thread and its group commit.
//!
//! A durable commit waits for the disk, and SQLite has one writer at a time. So the writes of all callers go through one queue.
//! The thread takes all writes that were queued during the last commit, and commits them together. A write that fails does
//! not affect the others: see [`Undo`].

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot, watch};

use super::connection::Readers;
use crate::store::StoreError;

/// The capacity of the queue of writes. Callers wait when it is full.
const QUEUE: usize = 1024;

/// The maximum number of writes in one commit: bounds what a failed commit loses, and how long the first write waits.
const BATCH: usize = 512;

/// The maximum time that a write waits for others to join its commit. Not noticeable on any disk.
const MAX_GATHERING: Duration = Duration::from_millis(1);

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
            .map_err(StoreError::other)?;
        Ok(Self { queue: Some(queue), thread: Some(thread), commits })
    }

    /// The number of commits so far.
    pub(super) fn commits(&self) -> watch::Receiver<u64> {
        self.commits.clone()
    }

    /// Runs `work` in the next commit, and returns its result once that commit is on disk.
    ///
    /// A caller that stops waiting does not stop the write.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        undo: Undo,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let write = Job { work: Some(work), undo, outcome: None, reply };
        let queue = self.queue.as_ref().ok_or(StoreError::Closed)?;
        queue.send(Box::new(write)).await.map_err(|_| StoreError::Closed)?;
        // The write is queued: it may have been committed before the thread died.
        answer.await.map_err(|_| StoreError::UnknownOutcome("the writer thread died".to_owned()))?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        // Waits until the queued writes are on disk. A panic of the thread has been printed by then.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// How a failed write is undone, without the other writes of its commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Undo {
    /// Not needed: the only statement that changes rows is the last, and changes nothing if it fails. An error that the write
    /// does not foresee fails the whole commit.
    Statement,
    /// By a savepoint, which doubles the cost of a small write.
    Savepoint,
    /// With the commit, which has no other write. For large writes: a savepoint would copy every page.
    Commit,
}

/// A write in the queue, of any result type.
trait Write: Send {
    /// How it is undone if it fails.
    fn undo(&self) -> Undo;
    /// Executes the write. After an error it is undone.
    fn apply(&mut self, connection: &Connection) -> Result<(), StoreError>;
    /// Sends the caller the result of the write, or the error of the commit.
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
            // After a failed commit no result holds, not even a taken name: another write of the commit may have taken it.
            (Err(error), _) => Err(error),
            (Ok(()), Some(outcome)) => outcome,
            (Ok(()), None) => Err(StoreError::Closed),
        };
        // The caller may have stopped waiting.
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
    // Of the last commit: the number of its writes, its duration, and the time at which they were answered.
    let (mut callers, mut took, mut answered) = (0, Duration::ZERO, Instant::now());
    while writes.blocking_recv_many(&mut batch, BATCH) > 0 {
        if answered.elapsed() < MAX_GATHERING {
            gather(&mut writes, &mut batch, callers, took);
        }
        callers = batch.len();
        while !batch.is_empty() {
            let alone = batch.iter().position(|write| write.undo() == Undo::Commit);
            let together = alone.unwrap_or(batch.len()).max(1);
            let began = Instant::now();
            let commit = readers.exclude(|| commit(connection, &mut batch[..together]));
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

/// Waits for the callers of the last commit, which were just answered and may write again: one commit of all their writes costs
/// the disk as much as a commit of the first. Waits for half of a commit at most, and yields rather than sleeps, since the thread
/// is needed again soon.
fn gather(
    writes: &mut mpsc::Receiver<Box<dyn Write>>,
    batch: &mut Vec<Box<dyn Write>>,
    callers: usize,
    last_commit: Duration,
) {
    let until = Instant::now() + (last_commit / 2).min(MAX_GATHERING);
    while batch.len() < callers.min(BATCH) && Instant::now() < until {
        match writes.try_recv() {
            Ok(write) => batch.push(write),
            Err(TryRecvError::Disconnected) => break,
            // Lets the callers run if they share this core.
            Err(TryRecvError::Empty) => std::thread::yield_now(),
        }
    }
}

/// Applies the writes in one transaction.
fn commit(connection: &Connection, batch: &mut [Box<dyn Write>]) -> Result<(), StoreError> {
    let done = apply_all(connection, batch);
    if done.is_err() && !connection.is_autocommit() {
        // The next commit must not contain a part of this one.
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
                // On errors such as a full disk, SQLite rolls back the whole transaction.
                return Err(error);
            }
            match write.undo() {
                Undo::Savepoint => drop(execute("ROLLBACK TO one")?),
                // After any other error it is not known that the statement changed nothing.
                Undo::Statement if !is_foreseen(&error) => return Err(error),
                Undo::Statement | Undo::Commit => {}
            }
        }
        if write.undo() == Undo::Savepoint {
            execute("RELEASE one")?;
        }
    }
    execute("COMMIT").map(drop).map_err(|error| match error {
        // Nothing was written, and the transaction is still open.
        StoreError::Locked { .. } | StoreError::Full => error,
        other => StoreError::UnknownOutcome(other.to_string()),
    })
}

/// Whether a write returns the error before or instead of its change.
fn is_foreseen(error: &StoreError) -> bool {
    matches!(error, StoreError::NameTaken | StoreError::Conflict | StoreError::NoSuchConsumer(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::connection::Location;

    type Outcome = Result<(), StoreError>;

    /// Commits a write of this SQL, and returns what its caller is told.
    fn run(connection: &Connection, sql: &'static str) -> Outcome {
        let (reply, mut answer) = oneshot::channel();
        let work = move |connection: &Connection| -> Outcome { Ok(connection.execute_batch(sql)?) };
        let mut batch: Vec<Box<dyn Write>> =
            vec![Box::new(Job { work: Some(work), undo: Undo::Savepoint, outcome: None, reply })];
        let committed = commit(connection, &mut batch);
        batch.remove(0).answer(committed);
        answer.try_recv().unwrap()
    }

    #[tokio::test]
    async fn outcome_is_unknown_when_the_thread_dies() {
        let connection = Connection::open_in_memory().unwrap();
        let readers = Arc::new(Readers::new(Location::Memory("writer".to_owned())));
        let writer = Writer::start(connection, readers).unwrap();
        let error =
            writer.run(Undo::Savepoint, |_| -> Outcome { panic!("the test kills the thread") }).await.unwrap_err();
        assert!(matches!(error, StoreError::UnknownOutcome(_)), "{error:?}");
    }

    #[test]
    fn outcome_is_unknown_when_the_commit_itself_fails() {
        let connection = Connection::open_in_memory().unwrap();
        let tables = "PRAGMA foreign_keys = ON; CREATE TABLE a (id INTEGER PRIMARY KEY);
                      CREATE TABLE b (a INTEGER REFERENCES a DEFERRABLE INITIALLY DEFERRED)";
        connection.execute_batch(tables).unwrap();
        // Checked by COMMIT.
        let error = run(&connection, "INSERT INTO b VALUES (1)").unwrap_err();
        assert!(matches!(error, StoreError::UnknownOutcome(_)), "{error:?}");
        let error = run(&connection, "INSERT INTO nowhere VALUES (1)").unwrap_err();
        assert!(matches!(error, StoreError::Other(_)), "{error:?}");
        run(&connection, "INSERT INTO a VALUES (1)").unwrap();
    }
}

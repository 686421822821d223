//! Transactions: repeated where that is safe, and resolved if the connection is lost during the commit.
//!
//! Each transaction inserts its id into `batches` first. If the connection is lost during the commit, another connection inserts the
//! same id as given up. That waits for the first transaction to end, and then either finds its row, so it was committed, or takes its
//! place, so it never can be.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::attempts::{Attempts, MAX_PAUSE};
use super::commits::Commits;
use super::connection::Connection;
use super::error::{Failure, LOCK_WAIT, STATEMENT_TIMEOUT};
use super::pool::Connections;
use crate::model::Timestamp;
use crate::store::StoreError;
use crate::store::sql::new_id;

/// How long the reply to a short statement may take, such as a lookup or a commit.
pub(super) const SHORT_REPLY: Duration = Duration::from_secs(5);

/// How long the reply to any statement of a transaction may take: the server ends it before.
const TRANSACTION_REPLY: Duration = Duration::from_secs(STATEMENT_TIMEOUT.as_secs() + 5);

/// How long the reply to a statement of an import may take.
const IMPORT_REPLY: Duration = Duration::from_secs(3600);

/// How long after the deadline of a call the server ends its statement, if the program has not cancelled it.
const DEADLINE_MARGIN: Duration = Duration::from_millis(500);

/// How long the server keeps a transaction whose program is silent. Above the pauses of a program that runs, and below
/// [`RESOLVE_FOR`], so that a lost transaction ends while its program waits for that.
const SILENCE: Duration = Duration::from_secs(5);

/// How long to find out whether a transaction was committed.
const RESOLVE_FOR: Duration = Duration::from_secs(10);

/// How long the ids of transactions are kept. Far above [`RESOLVE_FOR`].
const KEEP_BATCHES: Duration = Duration::from_secs(3600);

/// One of so many transactions deletes old ids.
const PRUNE_ONE_OF: u8 = 255;

/// The rows of one namespace, on one connection.
pub(super) struct Scope {
    pub(super) connection: Connection,
    pub(super) namespace_id: i32,
    /// The time of the read or write, by the store's clock.
    pub(super) now: Timestamp,
    concerns_workers: AtomicBool,
}

impl Scope {
    fn new(connection: Connection, namespace_id: i32, now: Timestamp) -> Self {
        Self { connection, namespace_id, now, concerns_workers: AtomicBool::new(false) }
    }

    /// The transaction appends events or queues jobs: workers of other programs are told of its commit.
    pub(super) fn concerns_workers(&self) {
        self.concerns_workers.store(true, Ordering::Relaxed);
    }

    /// The time as the lowest tick of `next_tick`.
    pub(super) fn now_tick(&self) -> i64 {
        // 48 bits, as in a UUIDv7.
        self.now.unix_millis().clamp(0, (1 << 48) - 1) << 12
    }
}

/// The kind of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Limited by [`STATEMENT_TIMEOUT`].
    Short,
    /// May take long.
    Import,
}

impl Connections {
    /// Reads on a connection, and repeats it if the connection is lost. `reply_within` limits each statement.
    pub(super) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        namespace_id: i32,
        reply_within: Duration,
        work: impl for<'a> Fn(&'a Scope) -> BoxFuture<'a, Result<T, Failure>> + Send + Sync + 'static,
    ) -> Result<T, StoreError> {
        self.read_with(Attempts::begin(), namespace_id, reply_within, work).await
    }

    /// As [`read`](Self::read), with the time of these attempts.
    pub(super) async fn read_with<T: Send + 'static>(
        self: &Arc<Self>,
        attempts: Attempts,
        namespace_id: i32,
        reply_within: Duration,
        work: impl for<'a> Fn(&'a Scope) -> BoxFuture<'a, Result<T, Failure>> + Send + Sync + 'static,
    ) -> Result<T, StoreError> {
        let this = Arc::clone(self);
        self.run(async move {
            let reading = async {
                loop {
                    let outcome = async {
                        let connection = this.get(&attempts, reply_within).await?;
                        work(&Scope::new(connection, namespace_id, this.now())).await
                    };
                    match outcome.await {
                        Ok(found) => return Ok(found),
                        Err(failure) => attempts.pause_after(failure).await?,
                    }
                }
            };
            // A statement that is not waited for any more is cancelled.
            attempts.in_time(reading).await
        })
        .await
    }

    /// Writes in a transaction, and counts its commit. At the deadline, and when the caller stops waiting, it is rolled back, unless
    /// it is being committed: then its outcome is waited for.
    pub(super) async fn write<T: Send + 'static>(
        self: &Arc<Self>,
        namespace_id: i32,
        kind: Kind,
        commits: &Arc<Commits>,
        work: impl for<'a> Fn(&'a Scope) -> BoxFuture<'a, Result<T, Failure>> + Send + Sync + 'static,
    ) -> Result<T, StoreError> {
        let (this, commits) = (Arc::clone(self), Arc::clone(commits));
        let (caller, caller_waits) = watch::channel(());
        let attempts = Attempts::begin().while_open(caller_waits);
        let outcome = self
            .run_to_the_end(async move {
                loop {
                    match this.attempt(namespace_id, kind, &attempts, &commits, &work).await {
                        Ok(value) => return Ok(value),
                        Err(failure) => attempts.pause_after(failure).await?,
                    }
                }
            })
            .await;
        drop(caller);
        outcome
    }

    async fn attempt<T>(
        self: &Arc<Self>,
        namespace_id: i32,
        kind: Kind,
        attempts: &Attempts,
        commits: &Arc<Commits>,
        work: &(impl for<'a> Fn(&'a Scope) -> BoxFuture<'a, Result<T, Failure>> + Send + Sync),
    ) -> Result<T, Failure> {
        let reply_within = match kind {
            Kind::Short => TRANSACTION_REPLY,
            Kind::Import => IMPORT_REPLY,
        };
        let connection = attempts.in_time(self.get(attempts, reply_within)).await?;
        let batch_id = new_id(self.now());
        let begin = begin(batch_id, kind, attempts);
        attempts.in_time(connection.begin(&begin, attempts.reply_within(SHORT_REPLY))).await?;
        // The clock is read in the transaction.
        let scope = Scope::new(connection, namespace_id, self.now());
        let outcome = attempts.in_time(work(&scope)).await;
        let Scope { connection, concerns_workers, .. } = scope;
        let value = match outcome {
            Ok(value) => value,
            Err(failure) => {
                if !matches!(failure, Failure::Lost(_)) {
                    connection.rollback(SHORT_REPLY).await;
                }
                return Err(failure);
            }
        };
        let notification = concerns_workers.into_inner().then(|| commits.notification());
        let and_then = notification.as_ref().and_then(|notification| notification.now.as_deref());
        match connection.commit(SHORT_REPLY, and_then).await {
            Ok(()) => {}
            Err(Failure::Lost(error)) => {
                drop(connection);
                if !self.was_committed(batch_id, &error).await? {
                    return Err(Failure::Again(error));
                }
            }
            Err(failure) => return Err(failure),
        }
        commits.count_own();
        if notification.is_some_and(|notification| notification.now.is_none()) {
            commits.notify_later(self);
        }
        if batch_id.as_bytes()[15] == PRUNE_ONE_OF {
            self.prune_batches();
        }
        Ok(value)
    }

    /// Whether the transaction was committed, whose commit was not answered because of `lost`. If not, it never will be.
    async fn was_committed(self: &Arc<Self>, batch_id: Uuid, lost: &StoreError) -> Result<bool, Failure> {
        let until = Instant::now() + RESOLVE_FOR;
        loop {
            let attempt = async {
                let connection = self.get(&Attempts::begin(), SHORT_REPLY).await?;
                // Gives up in its place, or finds its row. It writes in both cases: its own commit comes behind in the log, so a
                // synchronous replica that has it has the transaction as well.
                let sql = "INSERT INTO tailor_idp.batches AS b (id, committed) VALUES ($1, false)
                           ON CONFLICT (id) DO UPDATE SET committed = b.committed RETURNING committed";
                connection.value::<bool>(sql, &[(&batch_id, Type::UUID)]).await
            };
            match attempt.await {
                Ok(committed) => return Ok(committed),
                Err(failure) if Instant::now() < until => {
                    tracing::debug!(?failure, "the outcome of a transaction is not known yet");
                    sleep(MAX_PAUSE).await;
                }
                Err(_) => {
                    let text = format!("the connection was lost during the commit, and the server is away ({lost})");
                    return Err(Failure::Final(StoreError::UnknownOutcome(text)));
                }
            }
        }
    }

    /// Deletes old ids of transactions, in the background.
    fn prune_batches(self: &Arc<Self>) {
        let this = Arc::clone(self);
        // Ids begin with their time.
        let before = Uuid::from_u128(new_id(self.now().before(KEEP_BATCHES)).as_u128() >> 80 << 80);
        self.detach(async move {
            let pruned = async {
                let sql = "DELETE FROM tailor_idp.batches WHERE id < $1";
                this.get(&Attempts::begin(), TRANSACTION_REPLY).await?.execute(sql, &[(&before, Type::UUID)]).await
            };
            if let Err(failure) = pruned.await {
                tracing::debug!(?failure, "cannot delete old ids of transactions: a later transaction will");
            }
        });
    }
}

/// The statements that begin a transaction. All in one round trip, and for this transaction only: a pooler may give the next one
/// another server process.
fn begin(batch_id: Uuid, kind: Kind, attempts: &Attempts) -> String {
    let statement_timeout = match kind {
        // The program gives up first, if it can.
        Kind::Short => (attempts.limited(STATEMENT_TIMEOUT) + DEADLINE_MARGIN).min(STATEMENT_TIMEOUT).as_millis(),
        Kind::Import => 0,
    };
    let silence = match kind {
        Kind::Short => SILENCE.as_millis(),
        // Between two statements of an import, its rows are made.
        Kind::Import => STATEMENT_TIMEOUT.as_millis(),
    };
    format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED;
         SET LOCAL statement_timeout = {statement_timeout};
         SET LOCAL lock_timeout = {};
         SET LOCAL idle_in_transaction_session_timeout = {silence};
         INSERT INTO tailor_idp.batches (id, committed) VALUES ('{batch_id}', true)",
        LOCK_WAIT.as_millis()
    )
}

//! A replica, for listings.
//!
//! It is asked only if it has replayed the log up to a position of the primary's that was read after the last commit of this program,
//! and within [`MAX_AGE`]. So a program sees its own writes, and those of others with a delay of at most [`MAX_AGE`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::time::timeout;
use tokio_postgres::types::{PgLsn, Type};

use super::attempts::Attempts;
use super::error::{Failure, STATEMENT_TIMEOUT};
use super::pool::Connections;
use super::transaction::SHORT_REPLY;
use super::{Database, NO_NAMESPACE, listing};
use crate::store::{Page, PageRequest, StoreError};

/// How long a position of the primary's log is used.
const MAX_AGE: Duration = Duration::from_secs(1);

/// How long to try to reach the replica, before the primary is asked.
const REACH_FOR: Duration = Duration::from_secs(1);

/// How long a replica that failed is not asked.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(5);

/// A replica of the server.
pub(super) struct Replica {
    connections: Arc<Connections>,
    position: Mutex<Option<Position>>,
    paused_until: Mutex<Option<Instant>>,
}

/// A position of the primary's log.
#[derive(Clone, Copy)]
struct Position {
    lsn: PgLsn,
    read_at: Instant,
    /// The number of commits of this program when it was read.
    own_commits: u64,
}

impl Replica {
    pub(super) fn new(connections: Connections) -> Self {
        Self { connections: Arc::new(connections), position: Mutex::default(), paused_until: Mutex::default() }
    }

    /// The address, for messages.
    pub(super) fn address(&self) -> String {
        self.connections.options().address()
    }

    /// The page, as [`listing::page`] on the primary reads it. `None` if the primary must be asked.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the primary does not tell its position, or the call is at its deadline.
    pub(super) async fn page(
        &self,
        database: &Database,
        namespace_id: i32,
        request: &Arc<PageRequest>,
    ) -> Result<Option<Page>, StoreError> {
        if self.paused_until.lock().is_some_and(|until| Instant::now() < until) {
            return Ok(None);
        }
        let position = self.position(database).await?;
        let request = Arc::clone(request);
        let attempts = Attempts::reaching_for(REACH_FOR);
        let reading = self.connections.read_with(attempts, namespace_id, STATEMENT_TIMEOUT, move |scope| {
            let request = Arc::clone(&request);
            Box::pin(async move {
                // A server that has been promoted replays nothing.
                let sql = "SELECT pg_is_in_recovery() AND coalesce(pg_last_wal_replay_lsn() >= $1, false)";
                let params = [(&position as _, Type::PG_LSN)];
                let asking = scope.connection.value::<bool>(sql, &params);
                let no_reply = |_| Failure::Lost(StoreError::Unavailable("no reply from the replica".to_owned()));
                if !timeout(REACH_FOR, asking).await.map_err(no_reply)?? {
                    return Ok(None);
                }
                listing::page(scope, &request).await.map(Some)
            })
        });
        match reading.await {
            Ok(page) => Ok(page),
            // The caller's own deadline says nothing of the replica.
            Err(error @ StoreError::TimedOut { .. }) => Err(error),
            Err(error) => {
                tracing::warn!(%error, "the replica is not asked for {} s", PAUSE_AFTER_FAILURE.as_secs());
                *self.paused_until.lock() = Some(Instant::now() + PAUSE_AFTER_FAILURE);
                Ok(None)
            }
        }
    }

    /// A position that the replica must have reached.
    async fn position(&self, database: &Database) -> Result<PgLsn, StoreError> {
        // Before the position is read.
        let own_commits = database.commits.own();
        let known = *self.position.lock();
        if let Some(known) = known.filter(|known| known.own_commits == own_commits && known.read_at.elapsed() < MAX_AGE)
        {
            return Ok(known.lsn);
        }
        let read_at = Instant::now();
        let reading = database.connections.read(NO_NAMESPACE, SHORT_REPLY, |scope| {
            Box::pin(async move { scope.connection.value::<PgLsn>("SELECT pg_current_wal_insert_lsn()", &[]).await })
        });
        let lsn = reading.await?;
        *self.position.lock() = Some(Position { lsn, read_at, own_commits });
        Ok(lsn)
    }

    /// How many bytes of the log the replica has not replayed yet. `None` if it is not a replica.
    pub(super) async fn bytes_behind(&self, database: &Database) -> Result<Option<u64>, StoreError> {
        let newest = {
            *self.position.lock() = None;
            self.position(database).await?
        };
        let reading = self.connections.read(NO_NAMESPACE, SHORT_REPLY, move |scope| {
            Box::pin(async move {
                let sql = "SELECT CASE WHEN pg_is_in_recovery()
                                  THEN greatest(pg_wal_lsn_diff($1, pg_last_wal_replay_lsn()), 0)::bigint END";
                scope.connection.value::<Option<i64>>(sql, &[(&newest, Type::PG_LSN)]).await
            })
        });
        Ok(reading.await?.map(i64::unsigned_abs))
    }
}

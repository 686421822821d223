//! Statements on one connection.

use std::borrow::Cow;
use std::convert::Infallible;
use std::future::{Future, pending};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool_postgres::Object;
use tokio::time::timeout;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{NoTls, Row};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::{Failure, RETRY_FOR, statement_failure};
use super::options::{DEFAULT_SCHEMA, PostgresOptions};
use super::pool::Connections;
use crate::store::StoreError;

/// Ends a transaction. Without a timeout: a server that cancels a commit which waits for a synchronous standby reports success.
const COMMIT: &str = "SET LOCAL statement_timeout = 0; COMMIT";

/// A parameter and its type. With the type, a statement needs no round trip that asks the server.
pub(super) type Param<'a> = (&'a (dyn ToSql + Sync), Type);

/// One connection, until it is dropped. It then goes back to the pool, unless a statement was not waited for: that one is cancelled
/// and its connection closed, so that the next user of the connection does not wait for it.
pub(super) struct Connection {
    /// `None` only while it is dropped.
    object: Option<Object>,
    reply_within: Duration,
    owner: Arc<Connections>,
    /// Whether the server waits for a statement.
    is_idle: AtomicBool,
    in_transaction: AtomicBool,
    /// Whether a commit was sent that has not been answered.
    is_committing: AtomicBool,
}

impl Connection {
    pub(super) fn new(object: Object, reply_within: Duration, owner: Arc<Connections>) -> Self {
        Self {
            object: Some(object),
            reply_within,
            owner,
            is_idle: AtomicBool::new(true),
            in_transaction: AtomicBool::new(false),
            is_committing: AtomicBool::new(false),
        }
    }

    pub(super) fn options(&self) -> &PostgresOptions {
        self.owner.options()
    }

    fn client(&self) -> Result<&Object, Failure> {
        self.object.as_ref().ok_or(Failure::Final(StoreError::Closed))
    }

    /// The SQL with the name of the schema.
    fn sql<'a>(&self, sql: &'a str) -> Cow<'a, str> {
        in_schema(sql, &self.owner.options().schema)
    }

    /// Waits for the reply to a statement.
    async fn reply<T>(
        &self,
        statement: impl Future<Output = Result<T, tokio_postgres::Error>>,
        within: Duration,
    ) -> Result<T, Failure> {
        self.is_idle.store(false, Ordering::Relaxed);
        let outcome = match timeout(within, statement).await {
            Ok(outcome) => outcome.map_err(statement_failure),
            // It is not marked as idle: the connection is closed.
            Err(_) => {
                return Err(Failure::Lost(StoreError::Unavailable(format!(
                    "no reply from {} within {} s",
                    self.owner.options().address(),
                    within.as_secs()
                ))));
            }
        };
        self.is_idle.store(!matches!(outcome, Err(Failure::Lost(_))), Ordering::Relaxed);
        outcome
    }

    /// The rows of a query.
    pub(super) async fn query(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Failure> {
        let (client, sql) = (self.client()?, self.sql(sql));
        let query = async {
            if self.owner.options().is_pooled {
                return client.query_typed(&sql, params).await;
            }
            let types: Vec<_> = params.iter().map(|(_, r#type)| r#type.clone()).collect();
            let values: Vec<_> = params.iter().map(|(value, _)| *value).collect();
            let statement = client.prepare_typed_cached(&sql, &types).await?;
            client.query(&statement, &values).await
        };
        self.reply(query, self.reply_within).await
    }

    /// The rows of a query whose text is not one of a few: it is not prepared.
    pub(super) async fn query_once(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Failure> {
        let (client, sql) = (self.client()?, self.sql(sql));
        self.reply(client.query_typed(&sql, params), self.reply_within).await
    }

    /// The only row of a query, if there is one.
    pub(super) async fn row(&self, sql: &str, params: &[Param<'_>]) -> Result<Option<Row>, Failure> {
        Ok(self.query(sql, params).await?.into_iter().next())
    }

    /// The only value of a query that always has a row.
    pub(super) async fn value<T>(&self, sql: &str, params: &[Param<'_>]) -> Result<T, Failure>
    where
        T: for<'a> tokio_postgres::types::FromSql<'a>,
    {
        match self.row(sql, params).await? {
            Some(row) => Ok(row.try_get(0)?),
            None => Err(Failure::Final(StoreError::other("a query that always has a row has none"))),
        }
    }

    /// Runs a statement, and returns the number of rows that it changed.
    pub(super) async fn execute(&self, sql: &str, params: &[Param<'_>]) -> Result<u64, Failure> {
        let (client, sql) = (self.client()?, self.sql(sql));
        let execute = async {
            if self.owner.options().is_pooled {
                return client.execute_typed(&sql, params).await;
            }
            let types: Vec<_> = params.iter().map(|(_, r#type)| r#type.clone()).collect();
            let values: Vec<_> = params.iter().map(|(value, _)| *value).collect();
            let statement = client.prepare_typed_cached(&sql, &types).await?;
            client.execute(&statement, &values).await
        };
        self.reply(execute, self.reply_within).await
    }

    /// Runs statements without parameters, in one round trip.
    pub(super) async fn script(&self, sql: &str, within: Duration) -> Result<(), Failure> {
        let (client, sql) = (self.client()?, self.sql(sql));
        self.reply(client.batch_execute(&sql), within).await
    }

    /// Begins to copy rows into a table.
    pub(super) async fn copy_in(&self, sql: &str) -> Result<tokio_postgres::CopyInSink<bytes::Bytes>, Failure> {
        let (client, sql) = (self.client()?, self.sql(sql));
        self.reply(client.copy_in(&*sql), self.reply_within).await
    }

    /// Runs the statements that begin a transaction. Until one ends it, the connection does not go back to the pool.
    pub(super) async fn begin(&self, sql: &str, within: Duration) -> Result<(), Failure> {
        self.in_transaction.store(true, Ordering::Relaxed);
        self.script(sql, within).await
    }

    /// Commits, and sends the statements `and_then` behind, whose outcome is not waited for.
    pub(super) async fn commit(&self, within: Duration, and_then: Option<&str>) -> Result<(), Failure> {
        let client = self.client()?;
        self.is_committing.store(true, Ordering::Relaxed);
        let following = async {
            if let Some(sql) = and_then {
                // Sent when it is polled first. The reply is read by the connection, and nobody waits for it.
                drop(client.batch_execute(sql).await);
            }
            pending::<Infallible>().await
        };
        let outcome = tokio::select! {
            biased;
            outcome = self.script(COMMIT, within) => outcome,
            never = following => match never {},
        };
        if !matches!(outcome, Err(Failure::Lost(_))) {
            self.is_committing.store(false, Ordering::Relaxed);
        }
        outcome?;
        self.in_transaction.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Ends a transaction. If that fails, or a statement is under way, the connection is closed, which ends it as well.
    pub(super) async fn rollback(&self, within: Duration) {
        if self.is_idle.load(Ordering::Relaxed) && self.script("ROLLBACK", within).await.is_ok() {
            self.in_transaction.store(false, Ordering::Relaxed);
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let Some(object) = self.object.take() else { return };
        if *self.is_idle.get_mut() && !*self.in_transaction.get_mut() {
            return;
        }
        let client = Object::take(object);
        // A commit is not cancelled: its outcome is looked up. PgBouncer 1.18, which is Debian's, ends with "bad client state" if a
        // connection is closed about when its cancel request is handled; it is told by the close alone.
        if client.is_closed() || *self.is_committing.get_mut() || self.owner.options().is_pooled {
            return;
        }
        let tls = self.owner.options().tls.clone();
        self.owner.detach(async move {
            let token = client.cancel_token();
            let cancel = async {
                match tls {
                    Some(tls) => token.cancel_query(MakeRustlsConnect::new((*tls).clone())).await,
                    None => token.cancel_query(NoTls).await,
                }
            };
            // The statement may have ended, and the server may be away: either way, nobody waits for it.
            let _ = timeout(RETRY_FOR, cancel).await;
            drop(client);
        });
    }
}

/// The SQL with the name of the schema in place of the default.
fn in_schema<'a>(sql: &'a str, schema: &str) -> Cow<'a, str> {
    if schema == DEFAULT_SCHEMA {
        return Cow::Borrowed(sql);
    }
    Cow::Owned(sql.replace(&format!("{DEFAULT_SCHEMA}."), &format!("{schema}.")))
}

//! Connections: the pool, statements on one connection, and the thread that drives them.
//!
//! Connections are shared by isolates, and the event loop of an isolate stops while it executes JavaScript. So they are driven by
//! threads of their own, and all work of the store runs there.

use std::borrow::Cow;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Object, PoolError, RecyclingMethod, Timeouts};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{NoTls, Row};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::{Failure, RETRY_FOR, with_sources};
use super::options::{DEFAULT_SCHEMA, PostgresOptions};
use crate::model::{Clock, Timestamp};
use crate::store::StoreError;

/// The threads that drive the connections.
const THREADS: usize = 2;

/// How long a call waits for a connection that another call uses.
const POOL_WAIT: Duration = Duration::from_secs(5);

/// A parameter and its type. With the type, a statement needs no round trip that asks the server.
pub(super) type Param<'a> = (&'a (dyn ToSql + Sync), Type);

/// The connections to one server.
pub(super) struct Connections {
    pool: deadpool_postgres::Pool,
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
    options: PostgresOptions,
    clock: Arc<dyn Clock>,
}

impl Connections {
    /// Starts the threads. Connects at the first call.
    pub(super) fn new(options: PostgresOptions) -> Result<Self, StoreError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("idp postgres")
            .enable_all()
            .build()
            .map_err(StoreError::other)?;
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let config = options.config.clone();
        let manager = match &options.tls {
            Some(tls) => Manager::from_config(config, MakeRustlsConnect::new((**tls).clone()), recycling),
            None => Manager::from_config(config, NoTls, recycling),
        };
        let timeouts = Timeouts { wait: Some(POOL_WAIT), create: Some(RETRY_FOR), recycle: Some(RETRY_FOR) };
        let server_clock = Arc::<ServerClock>::default();
        let measured = Arc::clone(&server_clock);
        let pool = deadpool_postgres::Pool::builder(manager)
            .max_size(options.max_connections)
            .runtime(deadpool_postgres::Runtime::Tokio1)
            .timeouts(timeouts)
            .post_create(Hook::async_fn(move |client, _| {
                let measured = Arc::clone(&measured);
                Box::pin(async move { measured.measure(client).await.map_err(HookError::Backend) })
            }))
            .build()
            .map_err(StoreError::other)?;
        let clock = options.clock.clone().unwrap_or(server_clock);
        Ok(Self { pool, runtime: Some(runtime), options, clock })
    }

    pub(super) fn options(&self) -> &PostgresOptions {
        &self.options
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Runs a future on the threads of the connections. It ends when the caller stops waiting.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let runtime = self.runtime.as_ref().ok_or(StoreError::Closed)?;
        // A set, because dropping it ends the task.
        let mut tasks = JoinSet::new();
        tasks.spawn_on(work, runtime.handle());
        match tasks.join_next().await {
            Some(Ok(outcome)) => outcome,
            Some(Err(error)) => Err(StoreError::other(error)),
            None => Err(StoreError::Closed),
        }
    }

    /// As [`run`](Self::run), but a caller that stops waiting does not stop it.
    pub(super) async fn run_to_the_end<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let runtime = self.runtime.as_ref().ok_or(StoreError::Closed)?;
        runtime.spawn(work).await.map_err(|error| StoreError::UnknownOutcome(error.to_string()))?
    }

    /// Starts a future on the threads of the connections, for nobody to wait for.
    pub(super) fn detach(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.runtime {
            runtime.spawn(work);
        }
    }

    /// A connection that nobody else uses. Statements on it wait for a reply up to `reply_within`.
    pub(super) async fn get(self: &Arc<Self>, reply_within: Duration) -> Result<Connection, Failure> {
        let object = self.pool.get().await.map_err(|error| self.pool_failure(error))?;
        Ok(Connection {
            object: Some(object),
            reply_within,
            owner: Arc::clone(self),
            is_idle: AtomicBool::new(true),
            in_transaction: AtomicBool::new(false),
        })
    }

    fn pool_failure(&self, error: PoolError) -> Failure {
        let away = |reason: String| {
            Failure::Again(StoreError::Unavailable(format!("cannot connect to {}: {reason}", self.options.address())))
        };
        match error {
            PoolError::Timeout(deadpool_postgres::TimeoutType::Wait) => {
                Failure::Final(StoreError::Unavailable(format!(
                    "all {} connections were busy for {} s: raise max_connections, or send fewer calls at once",
                    self.options.max_connections,
                    POOL_WAIT.as_secs()
                )))
            }
            PoolError::Timeout(_) => away(format!("no answer within {} s", RETRY_FOR.as_secs())),
            PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => {
                match Failure::from(error) {
                    Failure::Again(StoreError::Unavailable(text)) | Failure::Lost(StoreError::Unavailable(text)) => {
                        away(text)
                    }
                    Failure::Again(error) | Failure::Lost(error) => away(with_sources(&error)),
                    Failure::Final(error) => Failure::Final(error),
                }
            }
            PoolError::Closed => Failure::Final(StoreError::Closed),
            other => Failure::Final(StoreError::other(other)),
        }
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // A runtime must not wait for its tasks where it is dropped in another one.
            runtime.shutdown_background();
        }
    }
}

/// The server's clock: this machine's, and how far it differed when a connection was made.
#[derive(Debug, Default)]
struct ServerClock {
    ahead_millis: AtomicI64,
}

impl ServerClock {
    async fn measure(&self, client: &tokio_postgres::Client) -> Result<(), tokio_postgres::Error> {
        let (before, started) = (Timestamp::now(), Instant::now());
        let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
        let rows = client.query_typed(sql, &[]).await?;
        let Some(row) = rows.first() else { return Ok(()) };
        // The server read its clock about half way.
        let here = before.after(started.elapsed() / 2);
        self.ahead_millis.store(row.try_get::<_, i64>(0)? - here.unix_millis(), Ordering::Relaxed);
        Ok(())
    }
}

impl Clock for ServerClock {
    fn now(&self) -> Timestamp {
        let here = Timestamp::now().unix_millis();
        Timestamp::from_unix_millis(here.saturating_add(self.ahead_millis.load(Ordering::Relaxed)))
    }
}

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
}

impl Connection {
    pub(super) fn options(&self) -> &PostgresOptions {
        &self.owner.options
    }

    fn client(&self) -> Result<&Object, Failure> {
        self.object.as_ref().ok_or(Failure::Final(StoreError::Closed))
    }

    /// The SQL with the name of the schema.
    fn sql<'a>(&self, sql: &'a str) -> Cow<'a, str> {
        in_schema(sql, &self.owner.options.schema)
    }

    /// Waits for the reply to a statement.
    async fn reply<T>(
        &self,
        statement: impl Future<Output = Result<T, tokio_postgres::Error>>,
        within: Duration,
    ) -> Result<T, Failure> {
        self.is_idle.store(false, Ordering::Relaxed);
        let outcome = match timeout(within, statement).await {
            Ok(outcome) => outcome.map_err(Failure::from),
            // It is not marked as idle: the connection is closed.
            Err(_) => {
                return Err(Failure::Lost(StoreError::Unavailable(format!(
                    "no reply from {} within {} s",
                    self.owner.options.address(),
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
            if !self.owner.options.prepared_statements {
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
            if !self.owner.options.prepared_statements {
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

    pub(super) async fn commit(&self, within: Duration) -> Result<(), Failure> {
        self.script("COMMIT", within).await?;
        self.in_transaction.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Ends a transaction. If that fails, the connection is closed, which ends it as well.
    pub(super) async fn rollback(&self, within: Duration) {
        if self.script("ROLLBACK", within).await.is_ok() {
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
        if client.is_closed() {
            return;
        }
        let tls = self.owner.options.tls.clone();
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

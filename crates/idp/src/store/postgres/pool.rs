//! The pool of connections, and the threads that drive them.
//!
//! Connections are shared by isolates, and the event loop of an isolate stops while it executes JavaScript. So they are driven by
//! threads of their own, and all work of the store runs there.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, PoolError, RecyclingMethod, Timeouts};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_postgres::NoTls;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::attempts::Attempts;
use super::connection::Connection;
use super::error::{Failure, with_sources};
use super::options::PostgresOptions;
use crate::model::{Clock, Timestamp};
use crate::store::StoreError;

/// The threads that drive the connections.
const THREADS: usize = 2;

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
        let server_clock = Arc::<ServerClock>::default();
        let measured = Arc::clone(&server_clock);
        let pool = deadpool_postgres::Pool::builder(manager)
            .max_size(options.max_connections)
            .runtime(deadpool_postgres::Runtime::Tokio1)
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

    /// The clock of all times.
    pub(super) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
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

    /// As [`run`](Self::run), but it runs to its own end.
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
    pub(super) async fn get(
        self: &Arc<Self>,
        attempts: &Attempts,
        reply_within: Duration,
    ) -> Result<Connection, Failure> {
        let left = attempts.left();
        let timeouts = Timeouts { wait: Some(left), create: Some(left), recycle: Some(left) };
        // What is left is for all steps together.
        let object = match timeout(left, self.pool.timeout_get(&timeouts)).await {
            Ok(got) => got.map_err(|error| self.pool_failure(error, attempts))?,
            Err(_) => return Err(self.no_answer(attempts)),
        };
        Ok(Connection::new(object, attempts.reply_within(reply_within), Arc::clone(self)))
    }

    fn away(&self, reason: &str) -> Failure {
        Failure::Again(StoreError::Unavailable(format!("cannot connect to {}: {reason}", self.options.address())))
    }

    fn no_answer(&self, attempts: &Attempts) -> Failure {
        self.away(&format!("no answer within {} s", attempts.elapsed().as_secs()))
    }

    fn pool_failure(&self, error: PoolError, attempts: &Attempts) -> Failure {
        match error {
            PoolError::Timeout(deadpool_postgres::TimeoutType::Wait) => {
                Failure::Final(StoreError::Unavailable(format!(
                    "all {} connections were busy for {} s: raise max_connections, or send fewer calls at once",
                    self.options.max_connections,
                    attempts.elapsed().as_secs()
                )))
            }
            PoolError::Timeout(_) => self.no_answer(attempts),
            PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => {
                match Failure::from(error) {
                    Failure::Again(StoreError::Unavailable(text)) | Failure::Lost(StoreError::Unavailable(text)) => {
                        self.away(&text)
                    }
                    Failure::Again(error) | Failure::Lost(error) => self.away(&with_sources(&error)),
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

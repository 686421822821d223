//! The store for several machines: PostgreSQL.
//!
//! All times are by the server's clock. Rows of one user change under the lock on the user's row. Nothing that a namespace has
//! only once is written by every transaction: ids come from a sequence, the number of users is kept in slots, and readers of events
//! wait for writers instead of the reverse.

mod attempts;
mod batch;
mod claims;
mod commits;
mod connection;
mod counters;
mod error;
mod events;
mod factors;
mod import;
mod jobs;
mod listing;
mod options;
mod pool;
mod queues;
mod replica;
mod schema;
mod search;
mod status;
mod store;
mod text;
mod tokens;
mod transaction;
mod users;

use std::sync::Arc;

use futures::future::BoxFuture;
use tokio_postgres::types::Type;

pub use options::{InvalidPostgres, PostgresOptions};
pub use status::{NamespaceStatus, PostgresStatus, ReadReplicaStatus, ReplicaStatus};
pub use store::PostgresStore;

use self::attempts::Attempts;
use self::commits::Commits;
use self::connection::{Connection, Param};
use self::error::{Failure, STATEMENT_TIMEOUT};
use self::pool::Connections;
use self::replica::Replica;
use self::schema::Upgrade;
use self::text::{escape, unescape};
use self::transaction::{Kind, Scope};
use super::StoreError;
use crate::model::NamespaceName;
use crate::random;

/// The namespace of reads and writes that are about none.
const NO_NAMESPACE: i32 = 0;

/// A database with the users of any number of namespaces, on a PostgreSQL server, for any number of programs.
///
/// Cheap to clone; clones share connections.
///
/// ```no_run
/// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
/// use tailor_idp_core::NamespaceName;
/// use tailor_idp_core::store::{PostgresDatabase, PostgresOptions};
///
/// let options = PostgresOptions::new("postgres://idp@localhost/idp")?;
/// let database = PostgresDatabase::open(options).await?;
/// let store = database.namespace(&NamespaceName::new("builtin-idp")?).await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct PostgresDatabase(Arc<Database>);

struct Database {
    connections: Arc<Connections>,
    seal_key: [u8; 32],
    commits: Arc<Commits>,
    replica: Option<Replica>,
}

// Implemented by hand, to leave out the key.
impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("options", self.connections.options()).finish_non_exhaustive()
    }
}

impl Database {
    /// Writes in a transaction, and tells those who wait for commits.
    async fn write<T: Send + 'static>(
        &self,
        namespace_id: i32,
        kind: Kind,
        work: impl for<'a> Fn(&'a Scope) -> BoxFuture<'a, Result<T, Failure>> + Send + Sync + 'static,
    ) -> Result<T, StoreError> {
        self.connections.write(namespace_id, kind, &self.commits, work).await
    }
}

impl PostgresDatabase {
    /// Connects, and creates the tables in a database that has none.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if the server is away for 5 s, [`StoreError::OlderSchema`] if the tables are of an earlier
    /// version: see [`migrate`](Self::migrate).
    pub async fn open(options: PostgresOptions) -> Result<Self, StoreError> {
        Ok(Self::open_with(options, Upgrade::Refuse).await?.0)
    }

    /// Connects, and brings the tables to the current version. Returns the version before, 0 if there were none.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the server is away, or the user may not change the tables.
    pub async fn migrate(options: PostgresOptions) -> Result<(Self, i64), StoreError> {
        Self::open_with(options, Upgrade::Migrate).await
    }

    async fn open_with(options: PostgresOptions, upgrade: Upgrade) -> Result<(Self, i64), StoreError> {
        let commits = Arc::new(Commits::new(&options.schema));
        let replica = options.replica();
        let connections = Arc::new(Connections::new(options)?);
        let replica = match replica {
            Some(options) => Some(Replica::new(Connections::new(options.clock(connections.clock()))?)),
            None => None,
        };
        let on = Arc::clone(&connections);
        let (seal_key, version) = connections
            .run_to_the_end(async move {
                let attempts = Attempts::begin();
                loop {
                    match prepare(&on, &attempts, upgrade).await {
                        Ok(prepared) => return Ok(prepared),
                        Err(failure) => attempts.pause_after(failure).await?,
                    }
                }
            })
            .await?;
        Ok((Self(Arc::new(Database { connections, seal_key, commits, replica })), version))
    }

    /// The store of a namespace, which is created if it does not exist.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the server is away.
    pub async fn namespace(&self, name: &NamespaceName) -> Result<PostgresStore, StoreError> {
        const FIND: &str = "SELECT id FROM tailor_idp.namespaces WHERE name = $1";
        let name: Arc<str> = escape(name.as_str()).into();
        let wanted = Arc::clone(&name);
        let found = self.0.connections.read(NO_NAMESPACE, STATEMENT_TIMEOUT, move |scope| {
            let name = Arc::clone(&wanted);
            Box::pin(async move {
                match scope.connection.row(FIND, &[(&&*name, Type::TEXT)]).await? {
                    Some(row) => Ok(Some(row.try_get::<_, i32>(0)?)),
                    None => Ok(None),
                }
            })
        });
        let id = match found.await? {
            Some(id) => id,
            None => {
                let create = self.0.write(NO_NAMESPACE, Kind::Short, move |scope| {
                    let name = Arc::clone(&name);
                    Box::pin(async move {
                        let insert =
                            "INSERT INTO tailor_idp.namespaces (name) VALUES ($1) ON CONFLICT (name) DO NOTHING";
                        let params: [Param<'_>; 1] = [(&&*name, Type::TEXT)];
                        scope.connection.execute(insert, &params).await?;
                        scope.connection.value(FIND, &params).await
                    })
                });
                create.await?
            }
        };
        Ok(PostgresStore::new(Arc::clone(&self.0), id))
    }

    /// The names of the namespaces in the database, sorted.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the server is away.
    pub async fn namespaces(&self) -> Result<Vec<String>, StoreError> {
        let names = self.0.connections.read(NO_NAMESPACE, STATEMENT_TIMEOUT, |scope| {
            Box::pin(async move {
                let sql = "SELECT name FROM tailor_idp.namespaces ORDER BY name";
                let rows = scope.connection.query(sql, &[]).await?;
                rows.iter().map(|row| Ok(unescape(row.try_get(0)?))).collect()
            })
        });
        names.await
    }
}

/// Prepares the schema. Returns the seal key, and the version of the schema before.
async fn prepare(
    connections: &Arc<Connections>,
    attempts: &Attempts,
    upgrade: Upgrade,
) -> Result<([u8; 32], i64), Failure> {
    let connection = connections.get(attempts, STATEMENT_TIMEOUT).await?;
    let version = schema::migrate(&connection, &connections.options().schema, upgrade).await?;
    Ok((seal_key(&connection).await?, version))
}

async fn seal_key(connection: &Connection) -> Result<[u8; 32], Failure> {
    const FIND: &str = "SELECT value FROM tailor_idp.meta WHERE key = 'page-token-key'";
    let mut found = connection.row(FIND, &[]).await?;
    if found.is_none() {
        let key = random::bytes::<32>().map_err(StoreError::other)?;
        let sql = "INSERT INTO tailor_idp.meta (key, value) VALUES ('page-token-key', $1) ON CONFLICT (key) DO NOTHING";
        connection.execute(sql, &[(&key.as_slice(), Type::BYTEA)]).await?;
        found = connection.row(FIND, &[]).await?;
    }
    let malformed = || StoreError::Corrupt("the key of page tokens is malformed".to_owned());
    let key: Vec<u8> = found.ok_or_else(malformed)?.try_get(0)?;
    Ok(key.try_into().map_err(|_| malformed())?)
}

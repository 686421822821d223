//! The embedded store: SQLite, on disk or in memory.
//!
//! Reads run on the caller's thread, each on its own connection. With the write-ahead log they wait neither for one another nor
//! for writes. Writes go through one thread, which commits them in groups: see [`writer`].

mod batch;
mod claims;
mod connection;
mod counters;
mod error;
mod events;
mod factors;
mod import;
mod jobs;
mod listing;
mod queues;
mod schema;
mod scope;
mod search;
mod select_list;
mod snapshot;
mod store;
#[cfg(test)]
mod tests;
mod tokens;
mod users;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension};
use uuid::Uuid;

pub use snapshot::SqliteSnapshot;
pub use store::SqliteStore;

use self::connection::{Location, Readers};
use self::error::LOCK_WAIT;
use self::select_list::scalar;
use self::writer::{Undo, Writer};
use super::StoreError;
use crate::model::{Clock, NamespaceName, SystemClock};

/// The path of an in-memory database.
const IN_MEMORY: &str = ":memory:";

/// A database with the users of any number of namespaces.
///
/// Cheap to clone; clones share connections. When the last clone and the last store made from it are dropped, the queued writes
/// are finished and the file is closed.
///
/// ```no_run
/// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
/// use tailor_idp_core::NamespaceName;
/// use tailor_idp_core::store::SqliteDatabase;
///
/// let database = SqliteDatabase::open("users.db")?;
/// let store = database.namespace(&NamespaceName::new("builtin-idp")?).await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct SqliteDatabase(Arc<Database>);

struct Database {
    // Dropped before the readers: an in-memory database exists as long as one of its connections.
    writer: Writer,
    readers: Arc<Readers>,
    seal_key: [u8; 32],
    clock: Arc<dyn Clock>,
}

// Implemented by hand, to leave out the key.
impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("readers", &self.readers).finish_non_exhaustive()
    }
}

impl SqliteDatabase {
    /// Opens a database file, creates it if it does not exist, and migrates its schema. The path `:memory:` opens a database
    /// [in memory](Self::in_memory). Blocks on disk I/O.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the file cannot be opened or migrated.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with_clock(path, Arc::new(SystemClock))
    }

    /// As [`open`](Self::open), with the clock for all times that the stores assign or compare.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the file cannot be opened or migrated.
    pub fn open_with_clock(path: impl AsRef<Path>, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        if path == Path::new(IN_MEMORY) {
            return Self::in_memory_with_clock(clock);
        }
        // Absolute, so that a later change of the working directory does not matter.
        let absolute = std::path::absolute(path);
        let cannot_open =
            |error: std::io::Error| StoreError::CannotOpen { path: path.to_owned(), reason: error.to_string() };
        Self::start(Location::File(absolute.map_err(cannot_open)?), clock)
    }

    /// Opens a new database in memory. Its content is lost when it is dropped.
    ///
    /// # Errors
    ///
    /// [`StoreError::Other`] if a thread cannot be started or memory cannot be allocated.
    pub fn in_memory() -> Result<Self, StoreError> {
        Self::in_memory_with_clock(Arc::new(SystemClock))
    }

    /// As [`in_memory`](Self::in_memory), with the clock for all times that the stores assign or compare.
    ///
    /// # Errors
    ///
    /// [`StoreError::Other`] if a thread cannot be started or memory cannot be allocated.
    pub fn in_memory_with_clock(clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        Self::start(Location::Memory(format!("tailor-idp-{}", Uuid::now_v7())), clock)
    }

    fn start(location: Location, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let (connection, seal_key) = prepare(&location)?;
        Self::serve(location, connection, seal_key, clock)
    }

    fn serve(
        location: Location,
        connection: Connection,
        seal_key: [u8; 32],
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        tracing::debug!(?location, "database opened");
        let readers = Arc::new(Readers::new(location));
        let writer = Writer::start(connection, Arc::clone(&readers))?;
        Ok(Self(Arc::new(Database { writer, readers, seal_key, clock })))
    }

    /// The store of a namespace, which is created if it does not exist.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the database cannot be read or written.
    pub async fn namespace(&self, name: &NamespaceName) -> Result<SqliteStore, StoreError> {
        let find = {
            let name = name.clone();
            move |connection: &Connection| {
                let sql = "SELECT id FROM namespaces WHERE name = ?";
                connection.query_row(sql, [name.as_str()], scalar::<i64>).optional()
            }
        };
        // A read first: the common case takes no write lock.
        let found = find(&*self.0.readers.get()?)?;
        let id = match found {
            Some(id) => id,
            None => {
                let name = name.clone();
                let create = move |connection: &Connection| match find(connection)? {
                    Some(id) => Ok(id),
                    None => {
                        connection.execute("INSERT INTO namespaces (name) VALUES (?)", [name.as_str()])?;
                        Ok(connection.last_insert_rowid())
                    }
                };
                self.0.writer.run(Undo::Statement, create).await?
            }
        };
        Ok(SqliteStore::new(Arc::clone(&self.0), id))
    }

    /// The names of the namespaces in the database, sorted.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the database cannot be read.
    pub fn namespaces(&self) -> Result<Vec<String>, StoreError> {
        let reader = self.0.readers.get()?;
        let mut statement = reader.prepare_cached("SELECT name FROM namespaces ORDER BY name")?;
        Ok(statement.query_map([], scalar)?.collect::<Result<_, _>>()?)
    }
}

/// A connection to a database with the current schema, and the database's seal key.
fn prepare(location: &Location) -> Result<(Connection, [u8; 32]), StoreError> {
    let attempt = || {
        let mut connection = location.open_writer()?;
        schema::migrate(&mut connection)?;
        let key = seal_key(&connection)?;
        Ok((connection, key))
    };
    // Two programs that create the same database block each other for a moment: SQLite does not wait for a lock if waiting could
    // deadlock.
    let deadline = Instant::now() + LOCK_WAIT;
    loop {
        match attempt() {
            Err(StoreError::Locked { .. }) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(20));
            }
            outcome => return outcome,
        }
    }
}

fn seal_key(connection: &Connection) -> Result<[u8; 32], rusqlite::Error> {
    let key = || connection.query_row("SELECT value FROM meta WHERE key = 'page-token-key'", [], scalar);
    if let Some(key) = key().optional()? {
        return Ok(key);
    }
    connection.execute("INSERT OR IGNORE INTO meta (key, value) VALUES ('page-token-key', randomblob(32))", [])?;
    key()
}

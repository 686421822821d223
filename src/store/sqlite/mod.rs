//! The embedded store: SQLite, on disk or in memory.
//!
//! Reads run on the caller's thread, each on a connection of its own; with the write-ahead log they wait neither for
//! one another nor for writes. Writes go through one thread that commits them together ([`writer`]).

mod connection;
mod credentials;
mod deliveries;
mod error;
mod events;
mod factors;
mod import;
mod listing;
mod mails;
mod namespace;
mod rows;
mod schema;
mod search;
mod tokens;
mod users;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension};
use uuid::Uuid;

pub use namespace::SqliteStore;

use self::connection::{Location, Readers};
use self::error::LOCK_WAIT;
use self::writer::Writer;
use super::StoreError;
use crate::idp::NamespaceName;

/// The path that stands for no file.
const IN_MEMORY: &str = ":memory:";

/// A database that holds the users of any number of namespaces.
///
/// Cheap to clone; the clones share connections. When the last one is dropped, with all stores made from it, the
/// queued writes are finished and the file is closed.
///
/// ```no_run
/// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
/// use tailor_idp::idp::NamespaceName;
/// use tailor_idp::store::SqliteDatabase;
///
/// let database = SqliteDatabase::open("users.db")?;
/// let store = database.namespace(&NamespaceName::new("builtin-idp")?).await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct SqliteDatabase(Arc<Database>);

struct Database {
    // Ahead of the readers: an in-memory database lives while a connection does.
    writer: Writer,
    readers: Arc<Readers>,
    page_token_key: [u8; 32],
}

// By hand, and without the key.
impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("readers", &self.readers).finish_non_exhaustive()
    }
}

impl SqliteDatabase {
    /// Opens the database file (`:memory:`: see [`in_memory`](Self::in_memory)), makes it where it is not there, and brings its schema up to date.
    ///
    /// Blocks for as long as the disk takes.
    ///
    /// # Errors
    ///
    /// Each says what is wrong with the file: see [`StoreError`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        if path == Path::new(IN_MEMORY) {
            return Self::in_memory();
        }
        // Of one meaning from here on, wherever the process goes.
        let absolute = std::path::absolute(path);
        let cannot_open =
            |error: std::io::Error| StoreError::CannotOpen { path: path.to_owned(), reason: error.to_string() };
        Self::start(Location::File(absolute.map_err(cannot_open)?))
    }

    /// A database in memory, gone when it is dropped.
    ///
    /// # Errors
    ///
    /// [`StoreError::Other`] where threads or memory cannot be had.
    pub fn in_memory() -> Result<Self, StoreError> {
        Self::start(Location::Memory(format!("tailor-idp-{}", Uuid::now_v7())))
    }

    fn start(location: Location) -> Result<Self, StoreError> {
        let (connection, page_token_key) = prepare(&location)?;
        tracing::debug!(?location, "a database is open");
        let readers = Arc::new(Readers::new(location));
        let writer = Writer::start(connection, Arc::clone(&readers))?;
        Ok(Self(Arc::new(Database { writer, readers, page_token_key })))
    }

    /// The users of the namespace, which is made where it is not there.
    ///
    /// # Errors
    ///
    /// [`StoreError`] where the database can be neither read nor written.
    pub async fn namespace(&self, name: &NamespaceName) -> Result<SqliteStore, StoreError> {
        let find = {
            let name = name.clone();
            move |connection: &Connection| {
                let sql = "SELECT id FROM namespaces WHERE name = ?";
                connection.query_row(sql, [name.as_str()], |row| row.get::<_, i64>(0)).optional()
            }
        };
        // Looking first keeps the common case free of a write.
        let found = find(&*self.0.readers.get()?)?;
        let id = match found {
            Some(id) => id,
            None => {
                let name = name.clone();
                let make = move |connection: &Connection| match find(connection)? {
                    Some(id) => Ok(id),
                    None => {
                        connection.execute("INSERT INTO namespaces (name) VALUES (?)", [name.as_str()])?;
                        Ok(connection.last_insert_rowid())
                    }
                };
                self.0.writer.run(make).await?
            }
        };
        Ok(SqliteStore::new(Arc::clone(&self.0), id))
    }

    /// The names of the namespaces in the database, sorted.
    ///
    /// # Errors
    ///
    /// [`StoreError`] where the database cannot be read.
    pub fn namespaces(&self) -> Result<Vec<String>, StoreError> {
        let reader = self.0.readers.get()?;
        let mut statement = reader.prepare_cached("SELECT name FROM namespaces ORDER BY name")?;
        Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
    }
}

/// A connection to a database with the schema of today, and the key of its page tokens.
fn prepare(location: &Location) -> Result<(Connection, [u8; 32]), StoreError> {
    let attempt = || {
        let mut connection = location.open_writer()?;
        schema::migrate(&mut connection)?;
        let key = page_token_key(&connection)?;
        Ok((connection, key))
    };
    // Two programs that make one new database at once get into each other's way for a moment: SQLite does not wait
    // where waiting could deadlock.
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

fn page_token_key(connection: &Connection) -> Result<[u8; 32], rusqlite::Error> {
    let key = || connection.query_row("SELECT value FROM meta WHERE key = 'page-token-key'", [], |row| row.get(0));
    if let Some(key) = key().optional()? {
        return Ok(key);
    }
    connection.execute("INSERT OR IGNORE INTO meta VALUES ('page-token-key', randomblob(32))", [])?;
    key()
}

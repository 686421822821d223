//! Connections: opening, and the pool of readers.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::Duration;

use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior};

use super::error::LOCK_WAIT;
use crate::store::StoreError;

/// The application id of the database files: "tIdP".
const APPLICATION_ID: i64 = 0x7449_6450;

/// The maximum number of idle readers. A burst may open more; they are closed after use.
const IDLE_READERS: usize = 16;

/// The number of prepared statements cached per connection. There are fewer different ones.
const CACHED_STATEMENTS: usize = 128;

/// The number of pages in the write-ahead log at which it is copied to the file: 64 MB. Names come in random order, so nearly every
/// user changes another page of their index; the longer the log, the more changes of a page are copied at once. With SQLite's
/// default of 1,000 pages, many concurrent writers get two thirds of the commits. In return, a few commits take tens of
/// milliseconds, and the log file keeps its size while the database is open.
const LOG_PAGES: i64 = 16_000;

/// The location of a database.
#[derive(Debug, Clone)]
pub(super) enum Location {
    File(PathBuf),
    /// In the memory of this process, by a name that only SQLite uses.
    Memory(String),
}

impl Location {
    /// Opens a connection that can write. Creates and marks the database file if it does not exist.
    pub(super) fn open_writer(&self) -> Result<Connection, StoreError> {
        if let Self::File(path) = self {
            make_private(path);
        }
        let connection = self.open()?;
        connection.execute_batch("PRAGMA foreign_keys = ON")?;
        if let Self::File(path) = self {
            if connection.is_readonly("main")? {
                return Err(StoreError::ReadOnly);
            }
            claim(&connection, path)?;
            // Sync every commit: a write that was reported to a script survives a loss of power.
            connection.pragma_update(None, "synchronous", "FULL")?;
            // On macOS a plain fsync does not flush the drive's cache.
            connection.pragma_update(None, "fullfsync", true)?;
            connection.pragma_update(None, "checkpoint_fullfsync", true)?;
            connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
            let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
            if mode != "wal" {
                return Err(StoreError::other(format!("this file system does not support WAL (journal mode {mode})")));
            }
        }
        Ok(connection)
    }

    fn open_reader(&self) -> Result<Connection, StoreError> {
        let connection = self.open()?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    }

    fn open(&self) -> Result<Connection, StoreError> {
        // Each connection is used by one thread at a time: SQLite's own mutex is not needed.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = match self {
            Self::File(path) => Connection::open_with_flags(path, flags),
            Self::Memory(name) => {
                let uri = format!("file:/{name}?vfs=memdb");
                Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_URI)
            }
        };
        let connection = opened.map_err(|error| match (self, error.sqlite_error_code()) {
            (Self::File(path), Some(rusqlite::ErrorCode::CannotOpen)) => cannot_open(path),
            _ => error.into(),
        })?;
        connection.busy_handler(Some(wait_for_lock))?;
        connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
        rusqlite::vtab::array::load_module(&connection)?;
        Ok(connection)
    }
}

/// The busy handler: SQLite calls it while another connection holds the lock.
///
/// SQLite's own handler soon polls only ten times a second, and rarely finds the gap between two commits of a program that writes
/// continuously.
fn wait_for_lock(times: i32) -> bool {
    const PAUSE: Duration = Duration::from_millis(1);
    std::thread::sleep(PAUSE);
    PAUSE * times.unsigned_abs() < LOCK_WAIT
}

/// The error for a file that cannot be opened, with the reason of the operating system: SQLite gives none.
fn cannot_open(path: &Path) -> StoreError {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let reason = match OpenOptions::new().read(true).write(true).open(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => error.to_string(),
        Err(_) if !folder.is_dir() => format!("there is no folder {}", folder.display()),
        Err(_) => match OpenOptions::new().write(true).create_new(true).open(path) {
            Err(error) => format!("no file can be made in its folder: {error}"),
            Ok(_) => {
                let _ = std::fs::remove_file(path);
                "unable to open database file".to_owned()
            }
        },
        Ok(_) => "unable to open database file".to_owned(),
    };
    StoreError::CannotOpen { path: path.to_owned(), reason }
}

/// Creates the file with access for its owner only, since it contains password hashes.
///
/// Errors are ignored: SQLite fails with the same error when it opens the file.
fn make_private(path: &Path) {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let _ = options.open(path);
}

/// Marks a new file with the application id, and refuses a file with tables of another program.
fn claim(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let is_ours = || -> Result<bool, StoreError> {
        let id: i64 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
        Ok(id == APPLICATION_ID)
    };
    if is_ours()? {
        return Ok(());
    }
    // Check again under the lock: another program may be creating the same database.
    let lock = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    if !is_ours()? {
        let table: Option<String> =
            lock.query_row("SELECT name FROM sqlite_schema LIMIT 1", [], |row| row.get(0)).optional()?;
        if let Some(table) = table {
            let reason = format!("it is the database of another program (it has {table:?})");
            return Err(StoreError::CannotOpen { path: path.to_owned(), reason });
        }
        lock.pragma_update(None, "application_id", APPLICATION_ID)?;
    }
    Ok(lock.commit()?)
}

/// The pool of connections for reads. A read runs on the caller's thread, and never waits for another read.
#[derive(Debug)]
pub(super) struct Readers {
    location: Location,
    idle: Mutex<Vec<Connection>>,
    /// Only for in-memory databases, which have no WAL: keeps reads and writes apart.
    gate: Option<RwLock<()>>,
}

impl Readers {
    pub(super) fn new(location: Location) -> Self {
        let gate = matches!(location, Location::Memory(_)).then(RwLock::default);
        Self { location, idle: Mutex::default(), gate }
    }

    /// A connection for one read. It returns to the pool when dropped.
    pub(super) fn get(&self) -> Result<Reader<'_>, StoreError> {
        let gate = self.gate.as_ref().map(RwLock::read);
        // A separate statement, so that the lock is not held while a connection is opened.
        let idle = self.idle.lock().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.location.open_reader()?,
        };
        Ok(Reader { connection: Some(connection), readers: self, _gate: gate })
    }

    /// Runs a transaction of the writer. Excludes reads if the database requires it.
    pub(super) fn exclude<T>(&self, write: impl FnOnce() -> T) -> T {
        let _gate = self.gate.as_ref().map(RwLock::write);
        write()
    }
}

/// A connection borrowed from the pool.
pub(super) struct Reader<'a> {
    // Taken only by `drop`.
    connection: Option<Connection>,
    readers: &'a Readers,
    _gate: Option<RwLockReadGuard<'a, ()>>,
}

impl Deref for Reader<'_> {
    type Target = Connection;

    #[expect(clippy::expect_used, reason = "only `drop` takes the connection")]
    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("a reader has its connection until it is dropped")
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        let mut idle = self.readers.idle.lock();
        if idle.len() < IDLE_READERS {
            idle.extend(self.connection.take());
        }
    }
}

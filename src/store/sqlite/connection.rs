//! Connections: how one is opened, and the pool of those that read.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::Duration;

use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior};

use super::error::LOCK_WAIT;
use crate::store::StoreError;

/// Marks a file as ours: "tIdP".
const APPLICATION_ID: i64 = 0x7449_6450;

/// Readers that are kept open for the next read. A burst may open more; they are closed again.
const IDLE_READERS: usize = 16;

/// Prepared statements kept for each connection: there are fewer different ones.
const CACHED_STATEMENTS: usize = 32;

/// Pages that the write-ahead log gathers before they go to their places in the file: 64 MB. Names come in no order, so nearly
/// each user is written to another page of their index; the longer the log, the more of a page's changes are written back
/// at once. With SQLite's 1,000 pages many writers get two thirds of the commits that they get with this. The price is one
/// commit in so many that takes some tens of milliseconds, and a log file that stays as large while the database is open.
const LOG_PAGES: i64 = 16_000;

/// Where a database is.
#[derive(Debug, Clone)]
pub(super) enum Location {
    File(PathBuf),
    /// In this process only, under a name that is SQLite's.
    Memory(String),
}

impl Location {
    /// A connection that may write, to a database that is there and ours afterwards.
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
            // What a script was told has happened survives the loss of power: every commit is synced.
            connection.pragma_update(None, "synchronous", "FULL")?;
            // On macOS a plain sync does not reach the disk itself.
            connection.pragma_update(None, "fullfsync", true)?;
            connection.pragma_update(None, "checkpoint_fullfsync", true)?;
            connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
            let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
            if mode != "wal" {
                return Err(StoreError::Other(format!("this file system does not support WAL (journal mode {mode})")));
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
        // A connection is used by one thread at a time: SQLite need not lock it again.
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

/// Called by SQLite for as long as somebody else has the lock.
///
/// Its own handler soon looks but ten times a second, and hardly ever meets the moment between two commits of a program
/// that writes without pause.
fn wait_for_lock(times: i32) -> bool {
    const PAUSE: Duration = Duration::from_millis(1);
    std::thread::sleep(PAUSE);
    PAUSE * times.unsigned_abs() < LOCK_WAIT
}

/// SQLite says only that it cannot open the file; the system says why.
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

/// Makes a new file that its owner alone can read: there are password hashes in it.
///
/// What goes wrong here goes wrong again when SQLite opens the file, and is told then.
fn make_private(path: &Path) {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let _ = options.open(path);
}

/// Marks a new file as ours, and refuses one that holds another program's tables.
fn claim(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let is_ours = || -> Result<bool, StoreError> {
        let id: i64 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
        Ok(id == APPLICATION_ID)
    };
    if is_ours()? {
        return Ok(());
    }
    // Looks again under the lock: two programs may be making one new database.
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

/// The connections that read. A read runs on the caller's thread, and never waits for another read.
#[derive(Debug)]
pub(super) struct Readers {
    location: Location,
    idle: Mutex<Vec<Connection>>,
    /// SQLite's in-memory databases have no WAL: there, and only there, readers and the writer keep out of each
    /// other's way by this lock.
    gate: Option<RwLock<()>>,
}

impl Readers {
    pub(super) fn new(location: Location) -> Self {
        let gate = matches!(location, Location::Memory(_)).then(RwLock::default);
        Self { location, idle: Mutex::default(), gate }
    }

    /// A connection to read from; it goes back when dropped.
    pub(super) fn get(&self) -> Result<Reader<'_>, StoreError> {
        let gate = self.gate.as_ref().map(RwLock::read);
        // In two steps: the lock is not held while a connection is opened.
        let idle = self.idle.lock().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.location.open_reader()?,
        };
        Ok(Reader { connection: Some(connection), readers: self, _gate: gate })
    }

    /// Runs the writer's transaction while nobody reads, where that is needed.
    pub(super) fn shut_out<T>(&self, write: impl FnOnce() -> T) -> T {
        let _gate = self.gate.as_ref().map(RwLock::write);
        write()
    }
}

/// A borrowed connection.
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

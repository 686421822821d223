//! Copies of databases in memory.

use std::sync::Arc;

use rusqlite::backup::Backup;
use rusqlite::{Connection, MAIN_DB};
use uuid::Uuid;

use super::SqliteDatabase;
use super::connection::Location;
use crate::model::Clock;
use crate::store::StoreError;

/// The content of a database at one moment. Cheap to clone.
#[derive(Clone)]
pub struct SqliteSnapshot {
    content: Arc<[u8]>,
    /// Also in the content, where reading it would make the new connection parse the schema.
    seal_key: [u8; 32],
}

// Implemented by hand, to leave out the content.
impl std::fmt::Debug for SqliteSnapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteSnapshot").field("bytes", &self.content.len()).finish_non_exhaustive()
    }
}

impl SqliteDatabase {
    /// Copies the content of the database: all committed writes. Writes wait meanwhile if the database is in memory.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the database cannot be read.
    pub fn snapshot(&self) -> Result<SqliteSnapshot, StoreError> {
        let reader = self.0.readers.get()?;
        // SQLite reads page by page. On disk, another commit must not come between them.
        let read = reader.unchecked_transaction()?;
        let content = Arc::from(&*read.serialize(MAIN_DB)?);
        Ok(SqliteSnapshot { content, seal_key: self.0.seal_key })
    }

    /// Opens a new database in memory with this content. Several times as fast as creating an empty one.
    ///
    /// # Errors
    ///
    /// [`StoreError::Other`] if a thread cannot be started or memory cannot be allocated.
    pub fn in_memory_from(snapshot: &SqliteSnapshot, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let location = Location::Memory(format!("tailor-idp-{}", Uuid::now_v7()));
        let mut connection = location.open_writer()?;
        let mut content = Connection::open_in_memory()?;
        content.deserialize_read_exact(MAIN_DB, &*snapshot.content, snapshot.content.len(), true)?;
        // A deserialized database belongs to one connection; the copy is shared with the readers.
        Backup::new(&content, &mut connection)?.step(-1)?;
        Self::serve(location, connection, snapshot.seal_key, clock)
    }
}

//! One namespace of a database.

use std::sync::Arc;

use rusqlite::Connection;
use uuid::Uuid;

use super::Database;
use super::connection::Reader;
use super::rows::{by_id, parse_id};
use crate::store::{StoreError, WriteOptions};

/// The users of one namespace in a [`SqliteDatabase`](super::SqliteDatabase).
#[derive(Debug, Clone)]
pub struct SqliteStore {
    pub(super) database: Arc<Database>,
    pub(super) namespace_id: i64,
}

impl SqliteStore {
    pub(super) fn new(database: Arc<Database>, namespace_id: i64) -> Self {
        Self { database, namespace_id }
    }

    pub(super) fn read<T>(&self, work: impl FnOnce(&Reader<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        work(&self.database.readers.get()?)
    }

    /// Writes something of the user's, or answers `missing` where there is no such user. Asks the check first, in the
    /// write's own transaction.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        user_id: &str,
        missing: T,
        options: WriteOptions,
        work: impl FnOnce(&Connection, i64, Uuid) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let Some(id) = parse_id(user_id) else { return Ok(missing) };
        let namespace_id = self.namespace_id;
        let work = move |connection: &Connection| {
            let Some(user) = by_id(connection, namespace_id, id)? else { return Ok(missing) };
            if !(options.check)(&user, None) {
                return Err(StoreError::Denied);
            }
            work(connection, namespace_id, id)
        };
        self.database.writer.run(work).await
    }
}

//! Access to the rows of one namespace.

use rusqlite::{CachedStatement, Connection};

use crate::model::Timestamp;
use crate::store::StoreError;

/// The rows of one namespace, within one read or write.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) connection: &'a Connection,
    pub(super) namespace_id: i64,
    /// The time of the read or write, by the database's clock.
    pub(super) now: Timestamp,
}

impl<'a> Scope<'a> {
    pub(super) fn prepare(&self, sql: &str) -> Result<CachedStatement<'a>, StoreError> {
        Ok(self.connection.prepare_cached(sql)?)
    }

    /// Reads at one point in time, by several statements.
    pub(super) fn snapshot<T>(&self, read: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let transaction = self.connection.unchecked_transaction()?;
        let found = read()?;
        transaction.finish()?;
        Ok(found)
    }
}

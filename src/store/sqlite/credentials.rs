//! Password hashes.

use async_trait::async_trait;
use rusqlite::{OptionalExtension, Row, params};

use super::namespace::SqliteStore;
use super::rows::{columns, record};
use crate::idp::PasswordHash;
use crate::store::{Credential, CredentialStore, StoreError, UserRecord, WriteOptions};

/// The hash goes last: the columns before it are a user's.
const BY_NAME: &str =
    concat!("SELECT ", columns!(), ", u.password_hash FROM users AS u WHERE u.namespace_id = ?1 AND u.name = ?2");
const HASH_COLUMN: usize = 5;

#[async_trait]
impl CredentialStore for SqliteStore {
    async fn credential(&self, name: &str) -> Result<Option<Credential>, StoreError> {
        let found = self.read(|connection| {
            let row = |row: &Row<'_>| -> Result<(UserRecord, Option<String>), _> {
                Ok((record(row)?, row.get(HASH_COLUMN)?))
            };
            Ok(connection.prepare_cached(BY_NAME)?.query_row(params![self.namespace_id, name], row).optional()?)
        })?;
        let Some((user, hash)) = found else { return Ok(None) };
        let damaged = |_| StoreError::Corrupt(format!("the password hash of user {} is not in PHC form", user.id));
        let password = hash.map(PasswordHash::from_phc).transpose().map_err(damaged)?;
        Ok(Some(Credential { user, password }))
    }

    async fn rehash(&self, user_id: &str, old: &PasswordHash, new: PasswordHash) -> Result<bool, StoreError> {
        let old = old.clone();
        self.write(user_id, false, WriteOptions::unchecked(), move |connection, namespace_id, user_id| {
            let sql = "UPDATE users SET password_hash = ?4 WHERE namespace_id = ?1 AND id = ?2 AND password_hash = ?3";
            let values = params![namespace_id, user_id.as_bytes(), old.as_str(), new.as_str()];
            Ok(connection.prepare_cached(sql)?.execute(values)? > 0)
        })
        .await
    }
}

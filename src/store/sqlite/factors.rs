//! MFA factors.

use async_trait::async_trait;
use rusqlite::params;
use uuid::Uuid;

use super::events;
use super::users::{SqliteStore, parse_id};
use crate::store::{EventKind, MfaStore, StoreError, WriteOptions};

#[async_trait]
impl MfaStore for SqliteStore {
    async fn add_factor(&self, user_id: &str, publish: bool) -> Result<Option<String>, StoreError> {
        let options = WriteOptions { publish, ..WriteOptions::unchecked() };
        self.write(user_id, None, options, move |connection, namespace_id, user_id| {
            let id = Uuid::now_v7();
            let sql = "INSERT INTO mfa_factors VALUES (?, ?, ?)";
            connection.prepare_cached(sql)?.execute(params![namespace_id, user_id.as_bytes(), id.as_bytes()])?;
            if publish {
                events::append(connection, namespace_id, user_id, EventKind::Updated)?;
            }
            Ok(Some(id.to_string()))
        })
        .await
    }

    async fn remove_factor(
        &self,
        user_id: &str,
        factor_id: &str,
        options: WriteOptions,
    ) -> Result<Option<bool>, StoreError> {
        let (factor_id, publish) = (parse_id(factor_id), options.publish);
        self.write(user_id, None, options, move |connection, namespace_id, user_id| {
            let Some(factor_id) = factor_id else { return Ok(Some(false)) };
            let sql = "DELETE FROM mfa_factors WHERE namespace_id = ? AND user_id = ? AND id = ?";
            let values = params![namespace_id, user_id.as_bytes(), factor_id.as_bytes()];
            let removed = connection.prepare_cached(sql)?.execute(values)? > 0;
            if publish && removed {
                events::append(connection, namespace_id, user_id, EventKind::Updated)?;
            }
            Ok(Some(removed))
        })
        .await
    }
}

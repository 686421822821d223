//! The queue of password-reset mails.

use async_trait::async_trait;
use rusqlite::{Row, params};
use uuid::Uuid;

use super::users::SqliteStore;
use crate::store::{ResetMail, ResetMailStore, StoreError, WriteOptions};

#[async_trait]
impl ResetMailStore for SqliteStore {
    async fn queue(&self, mail: ResetMail, options: WriteOptions) -> Result<bool, StoreError> {
        let user_id = mail.user_id.clone();
        self.write(&user_id, false, options, move |connection, namespace_id, user_id| {
            let sql = "INSERT INTO reset_mails (namespace_id, user_id, redirect_uri, from_name, subject)
                       VALUES (?, ?, ?, ?, ?)";
            let ResetMail { redirect_uri, from_name, subject, .. } = mail;
            let values = params![namespace_id, user_id.as_bytes(), redirect_uri, from_name, subject];
            Ok(connection.prepare_cached(sql)?.execute(values)? > 0)
        })
        .await
    }

    async fn queued(&self) -> Result<Vec<ResetMail>, StoreError> {
        self.read(|connection| {
            let sql =
                "SELECT user_id, redirect_uri, from_name, subject FROM reset_mails WHERE namespace_id = ? ORDER BY id";
            let mail = |row: &Row<'_>| {
                Ok(ResetMail {
                    user_id: Uuid::from_bytes(row.get(0)?).to_string(),
                    redirect_uri: row.get(1)?,
                    from_name: row.get(2)?,
                    subject: row.get(3)?,
                })
            };
            Ok(connection.prepare_cached(sql)?.query_map([self.namespace_id], mail)?.collect::<Result<_, _>>()?)
        })
    }
}

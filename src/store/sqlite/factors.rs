//! MFA factors.

use async_trait::async_trait;
use rusqlite::{Row, params};
use uuid::Uuid;

use super::events;
use super::namespace::SqliteStore;
use super::rows::{by_id, parse_id};
use crate::idp::Timestamp;
use crate::store::{EventKind, Factor, MfaStore, NewFactor, StoreError, UserFactors, WriteOptions};

#[async_trait]
impl MfaStore for SqliteStore {
    async fn add_factor(&self, user_id: &str, factor: NewFactor) -> Result<bool, StoreError> {
        let NewFactor { id, secret, expires_at } = factor;
        let id = parse_id(&id).ok_or_else(|| StoreError::Other("the id of an MFA factor is not a UUID".to_owned()))?;
        self.write(user_id, false, WriteOptions::unchecked(), move |connection, namespace_id, user_id| {
            let sql = "DELETE FROM mfa_factors WHERE namespace_id = ? AND user_id = ? AND expires_at IS NOT NULL";
            connection.prepare_cached(sql)?.execute(params![namespace_id, user_id.as_bytes()])?;
            let sql = "INSERT INTO mfa_factors VALUES (?, ?, ?, ?, ?, NULL)";
            let values = params![namespace_id, user_id.as_bytes(), id.as_bytes(), secret, expires_at.unix_millis()];
            connection.prepare_cached(sql)?.execute(values)?;
            Ok(true)
        })
        .await
    }

    async fn factors(&self, user_id: &str) -> Result<Option<UserFactors>, StoreError> {
        let Some(user_id) = parse_id(user_id) else { return Ok(None) };
        self.read(|connection| {
            // One transaction: user and factors are of one moment.
            let moment = connection.unchecked_transaction()?;
            let Some(user) = by_id(&moment, self.namespace_id, user_id)? else { return Ok(None) };
            let sql = "SELECT id, secret, expires_at, last_step FROM mfa_factors
                       WHERE namespace_id = ? AND user_id = ? ORDER BY id";
            let key = params![self.namespace_id, user_id.as_bytes()];
            let factors = moment.prepare_cached(sql)?.query_map(key, factor)?.collect::<Result<_, _>>()?;
            moment.finish()?;
            Ok(Some(UserFactors { user, factors }))
        })
    }

    async fn confirm_factor(
        &self,
        user_id: &str,
        factor_id: &str,
        step: u64,
        now: Timestamp,
        options: WriteOptions,
    ) -> Result<bool, StoreError> {
        let Some(factor_id) = parse_id(factor_id) else { return Ok(false) };
        let publish = options.publish;
        self.write(user_id, false, options, move |connection, namespace_id, user_id| {
            let sql = "UPDATE mfa_factors SET expires_at = NULL, last_step = ?4
                       WHERE namespace_id = ?1 AND user_id = ?2 AND id = ?3 AND expires_at > ?5";
            let (user, factor_id) = (user_id.as_bytes(), factor_id.as_bytes());
            let values = params![namespace_id, user, factor_id, step as i64, now.unix_millis()];
            let confirmed = connection.prepare_cached(sql)?.execute(values)? > 0;
            if publish && confirmed {
                events::append(connection, namespace_id, user_id, EventKind::Updated)?;
            }
            Ok(confirmed)
        })
        .await
    }

    async fn use_factor(
        &self,
        user_id: &str,
        factor_id: &str,
        step: u64,
        secret: Option<Vec<u8>>,
        options: WriteOptions,
    ) -> Result<bool, StoreError> {
        let Some(factor_id) = parse_id(factor_id) else { return Ok(false) };
        self.write(user_id, false, options, move |connection, namespace_id, user_id| {
            let sql = "UPDATE mfa_factors SET last_step = ?4, secret = ifnull(?5, secret)
                       WHERE namespace_id = ?1 AND user_id = ?2 AND id = ?3
                         AND expires_at IS NULL AND (last_step IS NULL OR last_step < ?4)";
            let (user_id, factor_id) = (user_id.as_bytes(), factor_id.as_bytes());
            let values = params![namespace_id, user_id, factor_id, step as i64, secret];
            Ok(connection.prepare_cached(sql)?.execute(values)? > 0)
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
            let sql = "DELETE FROM mfa_factors
                       WHERE namespace_id = ? AND user_id = ? AND id = ? AND expires_at IS NULL";
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

fn factor(row: &Row<'_>) -> Result<Factor, rusqlite::Error> {
    Ok(Factor {
        id: Uuid::from_bytes(row.get(0)?).to_string(),
        secret: row.get(1)?,
        expires_at: row.get::<_, Option<i64>>(2)?.map(Timestamp::from_unix_millis),
        last_step: row.get::<_, Option<i64>>(3)?.map(|step| step as u64),
    })
}

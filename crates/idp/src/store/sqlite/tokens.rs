//! Reset tokens: at most one for each user, by their SHA-256.

use rusqlite::{OptionalExtension, Row, params};
use uuid::Uuid;

use super::scope::Scope;
use super::select_list::{scalar, select_list};
use crate::model::Timestamp;
use crate::store::{ResetToken, StoreError, TokenHash};

select_list! {
    /// The columns of [`record`].
    token_columns, column {
        USER_ID = "user_id",
        JOB_ID = "job_id",
        EXPIRES_AT = "expires_at",
    }
}

fn record(row: &Row<'_>) -> Result<ResetToken, rusqlite::Error> {
    Ok(ResetToken {
        user_id: Uuid::from_bytes(row.get(column::USER_ID)?).to_string(),
        job_id: row.get(column::JOB_ID)?,
        expires_at: Timestamp::from_unix_millis(row.get(column::EXPIRES_AT)?),
    })
}

pub(super) fn find(scope: Scope<'_>, hash: TokenHash) -> Result<Option<ResetToken>, StoreError> {
    let sql = concat!("SELECT ", token_columns!(), " FROM reset_tokens WHERE hash = ? AND namespace_id = ?");
    Ok(scope.prepare(sql)?.query_row(params![hash.0, scope.namespace_id], record).optional()?)
}

/// Whether this is the hash of the user's token.
pub(super) fn is_current(scope: Scope<'_>, user_id: Uuid, hash: TokenHash) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM reset_tokens WHERE namespace_id = ? AND user_id = ? AND hash = ?)";
    let values = params![scope.namespace_id, user_id.as_bytes(), hash.0];
    Ok(scope.prepare(sql)?.query_row(values, scalar)?)
}

/// Sets the token of the user, who must exist. Returns the number of rows changed: 0 if the job does not exist.
pub(super) fn put(
    scope: Scope<'_>,
    user_id: Uuid,
    hash: TokenHash,
    job_id: i64,
    expires_at: Timestamp,
) -> Result<u64, StoreError> {
    let sql = "INSERT OR REPLACE INTO reset_tokens (namespace_id, user_id, hash, job_id, expires_at)
               SELECT ?1, ?2, ?3, j.id, ?5 FROM jobs AS j JOIN queues AS q ON q.id = j.queue_id
               WHERE j.id = ?4 AND q.namespace_id = ?1";
    let values = params![scope.namespace_id, user_id.as_bytes(), hash.0, job_id, expires_at.unix_millis()];
    Ok(scope.prepare(sql)?.execute(values)? as u64)
}

pub(super) fn delete(scope: Scope<'_>, user_id: Uuid) -> Result<u64, StoreError> {
    let sql = "DELETE FROM reset_tokens WHERE namespace_id = ? AND user_id = ?";
    Ok(scope.prepare(sql)?.execute(params![scope.namespace_id, user_id.as_bytes()])? as u64)
}

//! Reset tokens: at most one for each user, by their SHA-256.

use tokio_postgres::types::Type;
use uuid::Uuid;

use super::connection::Param;
use super::error::Failure;
use super::transaction::Scope;
use crate::model::Timestamp;
use crate::store::{ResetToken, TokenHash};

pub(super) async fn find(scope: &Scope, hash: TokenHash) -> Result<Option<ResetToken>, Failure> {
    let sql = "SELECT user_id, job_id, expires_at FROM tailor_idp.reset_tokens WHERE hash = $1 AND namespace_id = $2";
    let params: [Param<'_>; 2] = [(&hash.0.as_slice(), Type::BYTEA), (&scope.namespace_id, Type::INT4)];
    let Some(row) = scope.connection.row(sql, &params).await? else { return Ok(None) };
    Ok(Some(ResetToken {
        user_id: row.try_get::<_, Uuid>(0)?.to_string(),
        job_id: row.try_get(1)?,
        expires_at: Timestamp::from_unix_millis(row.try_get(2)?),
    }))
}

/// Whether this is the hash of the user's token.
pub(super) async fn is_current(scope: &Scope, user_id: Uuid, hash: TokenHash) -> Result<bool, Failure> {
    let sql = "SELECT EXISTS (SELECT 1 FROM tailor_idp.reset_tokens
                              WHERE namespace_id = $1 AND user_id = $2 AND hash = $3)";
    let params: [Param<'_>; 3] =
        [(&scope.namespace_id, Type::INT4), (&user_id, Type::UUID), (&hash.0.as_slice(), Type::BYTEA)];
    scope.connection.value(sql, &params).await
}

/// Sets the token of the user, who must exist. Returns the number of rows changed: 0 if the job does not exist.
pub(super) async fn put(
    scope: &Scope,
    user_id: Uuid,
    hash: TokenHash,
    job_id: i64,
    expires_at: Timestamp,
) -> Result<u64, Failure> {
    let sql = "INSERT INTO tailor_idp.reset_tokens (namespace_id, user_id, hash, job_id, expires_at)
               SELECT $1, $2, $3, j.id, $5 FROM tailor_idp.jobs AS j JOIN tailor_idp.queues AS q ON q.id = j.queue_id
               WHERE j.id = $4 AND q.namespace_id = $1
               ON CONFLICT (namespace_id, user_id) DO UPDATE SET
                 hash = excluded.hash, job_id = excluded.job_id, expires_at = excluded.expires_at";
    let params: [Param<'_>; 5] = [
        (&scope.namespace_id, Type::INT4),
        (&user_id, Type::UUID),
        (&hash.0.as_slice(), Type::BYTEA),
        (&job_id, Type::INT8),
        (&expires_at.unix_millis(), Type::INT8),
    ];
    scope.connection.execute(sql, &params).await
}

pub(super) async fn delete(scope: &Scope, user_id: Uuid) -> Result<u64, Failure> {
    let sql = "DELETE FROM tailor_idp.reset_tokens WHERE namespace_id = $1 AND user_id = $2";
    scope.connection.execute(sql, &[(&scope.namespace_id, Type::INT4), (&user_id, Type::UUID)]).await
}

//! MFA factors.

use tokio_postgres::types::Type;
use uuid::Uuid;

use super::connection::Param;
use super::error::Failure;
use super::transaction::Scope;
use crate::model::Timestamp;
use crate::store::Factor;
use crate::store::sql::{malformed_factor_id, parse_id};

/// Whether the user has this factor, with exactly these values.
pub(super) async fn is_unchanged(scope: &Scope, user_id: Uuid, factor: &Factor) -> Result<bool, Failure> {
    let Some(id) = parse_id(&factor.id) else { return Ok(false) };
    let sql = "SELECT EXISTS (SELECT 1 FROM tailor_idp.mfa_factors
                              WHERE namespace_id = $1 AND user_id = $2 AND id = $3 AND secret = $4
                                AND expires_at IS NOT DISTINCT FROM $5 AND last_step IS NOT DISTINCT FROM $6)";
    let (expires_at, last_step) = values(factor);
    scope.connection.value(sql, &params(scope, &user_id, &id, factor, &expires_at, &last_step)).await
}

/// Inserts the factor, or replaces the one with its id. The user must exist.
pub(super) async fn put(scope: &Scope, user_id: Uuid, factor: &Factor) -> Result<u64, Failure> {
    let id = parse_id(&factor.id).ok_or_else(|| malformed_factor_id(&factor.id))?;
    let sql = "INSERT INTO tailor_idp.mfa_factors (namespace_id, user_id, id, secret, expires_at, last_step)
               VALUES ($1, $2, $3, $4, $5, $6)
               ON CONFLICT (namespace_id, user_id, id) DO UPDATE SET
                 secret = excluded.secret, expires_at = excluded.expires_at, last_step = excluded.last_step";
    let (expires_at, last_step) = values(factor);
    scope.connection.execute(sql, &params(scope, &user_id, &id, factor, &expires_at, &last_step)).await
}

fn values(factor: &Factor) -> (Option<i64>, Option<i64>) {
    (factor.expires_at.map(Timestamp::unix_millis), factor.last_step.map(u64::cast_signed))
}

fn params<'a>(
    scope: &'a Scope,
    user_id: &'a Uuid,
    id: &'a Uuid,
    factor: &'a Factor,
    expires_at: &'a Option<i64>,
    last_step: &'a Option<i64>,
) -> [Param<'a>; 6] {
    [
        (&scope.namespace_id, Type::INT4),
        (user_id, Type::UUID),
        (id, Type::UUID),
        (&factor.secret, Type::BYTEA),
        (expires_at, Type::INT8),
        (last_step, Type::INT8),
    ]
}

pub(super) async fn delete(scope: &Scope, user_id: Uuid, factor_id: &str) -> Result<u64, Failure> {
    let Some(factor_id) = parse_id(factor_id) else { return Ok(0) };
    let sql = "DELETE FROM tailor_idp.mfa_factors WHERE namespace_id = $1 AND user_id = $2 AND id = $3";
    let params: [Param<'_>; 3] = [(&scope.namespace_id, Type::INT4), (&user_id, Type::UUID), (&factor_id, Type::UUID)];
    scope.connection.execute(sql, &params).await
}

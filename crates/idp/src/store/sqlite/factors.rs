//! MFA factors.

use rusqlite::{OptionalExtension, Row, params};
use uuid::Uuid;

use super::scope::Scope;
use super::select_list::select_list;
use crate::model::Timestamp;
use crate::store::sql::{malformed_factor_id, parse_id};
use crate::store::{Factor, StoreError};

select_list! {
    /// The columns of [`record`].
    factor_columns, column {
        ID = "id",
        SECRET = "secret",
        EXPIRES_AT = "expires_at",
        LAST_STEP = "last_step",
    }
}

fn record(row: &Row<'_>) -> Result<Factor, rusqlite::Error> {
    Ok(Factor {
        id: Uuid::from_bytes(row.get(column::ID)?).to_string(),
        secret: row.get(column::SECRET)?,
        expires_at: row.get::<_, Option<i64>>(column::EXPIRES_AT)?.map(Timestamp::from_unix_millis),
        last_step: row.get::<_, Option<i64>>(column::LAST_STEP)?.map(i64::cast_unsigned),
    })
}

/// All factors of the user, oldest first.
pub(super) fn of_user(scope: Scope<'_>, user_id: &str) -> Result<Vec<Factor>, StoreError> {
    let Some(user_id) = parse_id(user_id) else { return Ok(Vec::new()) };
    let sql =
        concat!("SELECT ", factor_columns!(), " FROM mfa_factors WHERE namespace_id = ? AND user_id = ? ORDER BY id");
    let mut statement = scope.prepare(sql)?;
    let rows = statement.query_map(params![scope.namespace_id, user_id.as_bytes()], record)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whether the user has this factor, with exactly these values.
pub(super) fn is_unchanged(scope: Scope<'_>, user_id: Uuid, factor: &Factor) -> Result<bool, StoreError> {
    let Some(id) = parse_id(&factor.id) else { return Ok(false) };
    let sql =
        concat!("SELECT ", factor_columns!(), " FROM mfa_factors WHERE namespace_id = ? AND user_id = ? AND id = ?");
    let values = params![scope.namespace_id, user_id.as_bytes(), id.as_bytes()];
    let found = scope.prepare(sql)?.query_row(values, record).optional()?;
    Ok(found.as_ref() == Some(factor))
}

/// Inserts the factor, or replaces the one with its id. The user must exist.
pub(super) fn put(scope: Scope<'_>, user_id: Uuid, factor: Factor) -> Result<u64, StoreError> {
    let Factor { id, secret, expires_at, last_step } = factor;
    let id = parse_id(&id).ok_or_else(|| malformed_factor_id(&id))?;
    let sql = "INSERT INTO mfa_factors (namespace_id, user_id, id, secret, expires_at, last_step)
               VALUES (?, ?, ?, ?, ?, ?)
               ON CONFLICT (namespace_id, user_id, id) DO UPDATE SET
                 secret = excluded.secret, expires_at = excluded.expires_at, last_step = excluded.last_step";
    let values = params![
        scope.namespace_id,
        user_id.as_bytes(),
        id.as_bytes(),
        secret,
        expires_at.map(Timestamp::unix_millis),
        last_step.map(u64::cast_signed),
    ];
    Ok(scope.prepare(sql)?.execute(values)? as u64)
}

pub(super) fn delete(scope: Scope<'_>, user_id: Uuid, factor_id: &str) -> Result<u64, StoreError> {
    let Some(factor_id) = parse_id(factor_id) else { return Ok(0) };
    let sql = "DELETE FROM mfa_factors WHERE namespace_id = ? AND user_id = ? AND id = ?";
    Ok(scope.prepare(sql)?.execute(params![scope.namespace_id, user_id.as_bytes(), factor_id.as_bytes()])? as u64)
}

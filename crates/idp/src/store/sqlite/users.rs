//! Users.

use rusqlite::{OptionalExtension, Row, ToSql, params};
use uuid::Uuid;

use super::scope::Scope;
use super::select_list::{scalar, select_list};
use crate::model::{InvalidPasswordHash, PasswordHash, Timestamp, UserKey, UserRecord, Version};
use crate::store::sql::{FIRST_VERSION, following, parse_id, version_value};
use crate::store::{NewUser, PasswordChange, StoreError, UserPatch};

select_list! {
    /// The columns of [`record`], of `users AS u`.
    user_columns, column {
        ID = "u.id",
        NAME = "u.name",
        DISABLED = "u.disabled",
        CREATED_AT = "u.created_at",
        VERSION = "u.version",
        FACTORS = "(SELECT group_concat(hex(f.id)) FROM mfa_factors AS f \
                    WHERE f.namespace_id = u.namespace_id AND f.user_id = u.id AND f.expires_at IS NULL)",
    }
}

pub(super) use user_columns;

const BY_ID: &str = concat!("SELECT ", user_columns!(), " FROM users AS u WHERE u.namespace_id = ?1 AND u.id = ?2");
const BY_NAME: &str = concat!("SELECT ", user_columns!(), " FROM users AS u WHERE u.namespace_id = ?1 AND u.name = ?2");

const BY_ID_WITH_HASH: &str =
    concat!("SELECT ", user_columns!(), ", u.password_hash FROM users AS u WHERE u.namespace_id = ?1 AND u.id = ?2");
const BY_NAME_WITH_HASH: &str =
    concat!("SELECT ", user_columns!(), ", u.password_hash FROM users AS u WHERE u.namespace_id = ?1 AND u.name = ?2");

/// The user of a row of [`user_columns!`].
pub(super) fn record(row: &Row<'_>) -> Result<UserRecord, rusqlite::Error> {
    // Sorted here: sorting in SQLite costs as much as the rest of the query, for users without a factor too.
    let factors: Option<String> = row.get(column::FACTORS)?;
    let mut mfa_factor_ids: Vec<_> = factors.as_deref().unwrap_or_default().split(',').filter_map(factor_id).collect();
    mfa_factor_ids.sort_unstable();
    Ok(UserRecord {
        id: Uuid::from_bytes(row.get(column::ID)?).to_string(),
        name: row.get(column::NAME)?,
        disabled: row.get(column::DISABLED)?,
        created_at: Some(Timestamp::from_unix_millis(row.get(column::CREATED_AT)?)),
        mfa_factor_ids,
        version: Version(row.get::<_, i64>(column::VERSION)?.unsigned_abs()),
    })
}

fn factor_id(hex: &str) -> Option<String> {
    Uuid::try_parse(hex).ok().map(|id| id.to_string())
}

pub(super) fn get(scope: Scope<'_>, key: UserKey<'_>) -> Result<Option<UserRecord>, StoreError> {
    let found = match key {
        UserKey::Id(id) => {
            let Some(id) = parse_id(id) else { return Ok(None) };
            scope.prepare(BY_ID)?.query_row(params![scope.namespace_id, id.as_bytes()], record)
        }
        UserKey::Name(name) => scope.prepare(BY_NAME)?.query_row(params![scope.namespace_id, name], record),
    };
    Ok(found.optional()?)
}

/// The password hash, if there is one, or that it is malformed.
type StoredHash = Result<Option<PasswordHash>, InvalidPasswordHash>;

/// The user and the password hash.
pub(super) fn with_hash(scope: Scope<'_>, key: UserKey<'_>) -> Result<Option<(UserRecord, StoredHash)>, StoreError> {
    let row = |row: &Row<'_>| Ok((record(row)?, row.get::<_, Option<String>>(column::END)?));
    let found = match key {
        UserKey::Id(id) => {
            let Some(id) = parse_id(id) else { return Ok(None) };
            scope.prepare(BY_ID_WITH_HASH)?.query_row(params![scope.namespace_id, id.as_bytes()], row)
        }
        UserKey::Name(name) => scope.prepare(BY_NAME_WITH_HASH)?.query_row(params![scope.namespace_id, name], row),
    };
    Ok(found.optional()?.map(|(user, hash)| (user, hash.map(PasswordHash::from_phc).transpose())))
}

/// The version of the user, if the user exists.
pub(super) fn version(scope: Scope<'_>, id: Uuid) -> Result<Option<Version>, StoreError> {
    let sql = "SELECT version FROM users WHERE namespace_id = ? AND id = ?";
    let version = scope.prepare(sql)?.query_row(params![scope.namespace_id, id.as_bytes()], scalar::<i64>);
    Ok(version.optional()?.map(|version| Version(version.unsigned_abs())))
}

pub(super) fn has_password(scope: Scope<'_>, id: Uuid, hash: &PasswordHash) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM users WHERE namespace_id = ? AND id = ? AND password_hash = ?)";
    let values = params![scope.namespace_id, id.as_bytes(), hash.as_str()];
    Ok(scope.prepare(sql)?.query_row(values, scalar)?)
}

/// The newest id that was given to a user.
pub(super) fn newest_id(scope: Scope<'_>) -> Result<Uuid, StoreError> {
    let sql = "SELECT newest_id FROM namespaces WHERE id = ?";
    Ok(scope.prepare(sql)?.query_row([scope.namespace_id], scalar).map(Uuid::from_bytes)?)
}

pub(super) fn create(scope: Scope<'_>, user: NewUser) -> Result<UserRecord, StoreError> {
    let NewUser { name, password, disabled, created_at } = user;
    let created_at = created_at.unwrap_or(scope.now);
    let id = following(newest_id(scope)?, scope.now);
    // FAIL differs from ABORT only after the first row, and needs no journal for the statement.
    let sql = "INSERT OR FAIL INTO users (namespace_id, id, name, password_hash, disabled, created_at, version)
               VALUES (?, ?, ?, ?, ?, ?, ?)";
    scope.prepare(sql)?.execute(params![
        scope.namespace_id,
        id.as_bytes(),
        name,
        password.as_ref().map(PasswordHash::as_str),
        disabled,
        created_at.unix_millis(),
        version_value(FIRST_VERSION),
    ])?;
    Ok(UserRecord {
        id: id.to_string(),
        name,
        disabled,
        created_at: Some(created_at),
        mfa_factor_ids: Vec::new(),
        version: FIRST_VERSION,
    })
}

/// Changes the user and makes a new version. Returns the number of rows changed: 0 if the user does not exist, or does not have
/// the expected version.
pub(super) fn update(
    scope: Scope<'_>,
    id: Uuid,
    patch: &UserPatch,
    expected: Option<Version>,
) -> Result<u64, StoreError> {
    // Exhaustive: the compiler points here when a field is added.
    let UserPatch { name, disabled, password } = patch;
    let (namespace_id, id) = (scope.namespace_id, id.as_bytes());
    let mut values: Vec<&dyn ToSql> = params![namespace_id, id].to_vec();
    // Only what changes: a column that is set is also written to its indexes, even if the value stays.
    let mut sql = String::with_capacity(160);
    sql.push_str("UPDATE users SET version = version + 1");
    if let Some(name) = name {
        values.push(name);
        sql.push_str(", name = ?");
        sql.push_str(&values.len().to_string());
    }
    if let Some(disabled) = disabled {
        values.push(disabled);
        sql.push_str(", disabled = ?");
        sql.push_str(&values.len().to_string());
    }
    let hash = match password {
        PasswordChange::Keep => None,
        PasswordChange::Clear => Some(None),
        PasswordChange::Set(hash) => Some(Some(hash.as_str())),
    };
    if let Some(hash) = &hash {
        values.push(hash);
        sql.push_str(", password_hash = ?");
        sql.push_str(&values.len().to_string());
    }
    sql.push_str(" WHERE namespace_id = ?1 AND id = ?2");
    let expected = expected.map(version_value);
    if let Some(expected) = &expected {
        values.push(expected);
        sql.push_str(" AND version = ?");
        sql.push_str(&values.len().to_string());
    }
    Ok(scope.prepare(&sql)?.execute(&*values)? as u64)
}

/// Deletes the user. Factors and reset token go with the row, by foreign keys.
pub(super) fn delete(scope: Scope<'_>, id: Uuid, expected: Option<Version>) -> Result<u64, StoreError> {
    let sql = "DELETE FROM users WHERE namespace_id = ?1 AND id = ?2 AND (?3 IS NULL OR version = ?3)";
    let values = params![scope.namespace_id, id.as_bytes(), expected.map(version_value)];
    Ok(scope.prepare(sql)?.execute(values)? as u64)
}

/// Replaces the hash of the same password.
pub(super) fn replace_hash(scope: Scope<'_>, id: Uuid, hash: &PasswordHash) -> Result<u64, StoreError> {
    let sql = "UPDATE users SET password_hash = ?3 WHERE namespace_id = ?1 AND id = ?2";
    Ok(scope.prepare(sql)?.execute(params![scope.namespace_id, id.as_bytes(), hash.as_str()])? as u64)
}

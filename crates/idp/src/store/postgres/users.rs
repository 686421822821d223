//! Users.

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::connection::Param;
use super::error::Failure;
use super::text::{escape, unescape};
use super::transaction::Scope;
use crate::model::{PasswordHash, Timestamp, UserKey, UserRecord, Version};
use crate::store::sql::{FIRST_VERSION, parse_id, version_value};
use crate::store::{Credentials, Factor, NewUser, PasswordChange, UserPatch};

/// The columns of [`record`], of `users AS u`.
macro_rules! user_columns {
    () => {
        "u.id, u.name, u.disabled, u.created_at, u.version, \
         ARRAY(SELECT f.id FROM tailor_idp.mfa_factors AS f \
               WHERE f.namespace_id = u.namespace_id AND f.user_id = u.id AND f.expires_at IS NULL ORDER BY f.id) AS factors"
    };
}

pub(super) use user_columns;

/// The user of a row of [`user_columns!`], which begin at the column `first`.
pub(super) fn record(row: &Row, first: usize) -> Result<UserRecord, Failure> {
    let factors: Vec<Uuid> = row.try_get(first + 5)?;
    Ok(UserRecord {
        id: row.try_get::<_, Uuid>(first)?.to_string(),
        name: unescape(row.try_get(first + 1)?),
        disabled: row.try_get(first + 2)?,
        created_at: Some(Timestamp::from_unix_millis(row.try_get(first + 3)?)),
        version: Version(row.try_get::<_, i64>(first + 4)?.unsigned_abs()),
        mfa_factor_ids: factors.iter().map(Uuid::to_string).collect(),
    })
}

pub(super) async fn get(scope: &Scope, key: UserKey<'_>) -> Result<Option<UserRecord>, Failure> {
    const BY_ID: &str =
        concat!("SELECT ", user_columns!(), " FROM tailor_idp.users AS u WHERE u.namespace_id = $1 AND u.id = $2");
    const BY_NAME: &str =
        concat!("SELECT ", user_columns!(), " FROM tailor_idp.users AS u WHERE u.namespace_id = $1 AND u.name = $2");
    by_key(scope, key, BY_ID, BY_NAME).await?.map(|row| record(&row, 0)).transpose()
}

/// The row of a user, by one of two queries.
async fn by_key(scope: &Scope, key: UserKey<'_>, by_id: &str, by_name: &str) -> Result<Option<Row>, Failure> {
    let namespace = (&scope.namespace_id as _, Type::INT4);
    match key {
        UserKey::Id(id) => {
            let Some(id) = parse_id(id) else { return Ok(None) };
            scope.connection.row(by_id, &[namespace, (&id, Type::UUID)]).await
        }
        UserKey::Name(name) => scope.connection.row(by_name, &[namespace, (&escape(name), Type::TEXT)]).await,
    }
}

/// The user with the password hash and all factors. One statement: read at one point in time.
pub(super) async fn credentials(scope: &Scope, key: UserKey<'_>) -> Result<Option<Credentials>, Failure> {
    macro_rules! with_secrets {
        ($condition:literal) => {
            concat!(
                "SELECT ",
                user_columns!(),
                ", u.password_hash, f.ids, f.secrets, f.expire_at, f.last_steps
                 FROM tailor_idp.users AS u CROSS JOIN LATERAL (
                   SELECT coalesce(array_agg(id ORDER BY id), '{}') AS ids,
                          coalesce(array_agg(secret ORDER BY id), '{}') AS secrets,
                          coalesce(array_agg(expires_at ORDER BY id), '{}') AS expire_at,
                          coalesce(array_agg(last_step ORDER BY id), '{}') AS last_steps
                   FROM tailor_idp.mfa_factors WHERE namespace_id = u.namespace_id AND user_id = u.id
                 ) AS f WHERE u.namespace_id = $1 AND ",
                $condition
            )
        };
    }
    let row = by_key(scope, key, with_secrets!("u.id = $2"), with_secrets!("u.name = $2")).await?;
    let Some(row) = row else { return Ok(None) };
    let user = record(&row, 0)?;
    let password: Option<String> = row.try_get(6)?;
    let (ids, secrets): (Vec<Uuid>, Vec<Vec<u8>>) = (row.try_get(7)?, row.try_get(8)?);
    let (expire_at, last_steps): (Vec<Option<i64>>, Vec<Option<i64>>) = (row.try_get(9)?, row.try_get(10)?);
    let times = expire_at.into_iter().zip(last_steps);
    let factors = ids.into_iter().zip(secrets).zip(times).map(|((id, secret), (expires_at, last_step))| Factor {
        id: id.to_string(),
        secret,
        expires_at: expires_at.map(Timestamp::from_unix_millis),
        last_step: last_step.map(i64::cast_unsigned),
    });
    Ok(Some(Credentials {
        user,
        password: password.map(PasswordHash::from_phc).transpose(),
        factors: factors.collect(),
    }))
}

/// A user whose row the transaction has locked.
#[derive(Debug)]
pub(super) struct LockedUser {
    pub(super) id: Uuid,
    pub(super) version: Version,
    pub(super) password_hash: Option<String>,
}

/// Locks the rows of the users, as far as they exist, until the end of the transaction: what belongs to a user changes under this
/// lock. `deletes` if one of them is to be deleted.
pub(super) async fn lock(scope: &Scope, ids: &[Uuid], deletes: bool) -> Result<Vec<LockedUser>, Failure> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    // In the order of ids: transactions with the same users do not wait for each other in turn.
    macro_rules! select {
        ($strength:literal) => {
            concat!(
                "SELECT id, version, password_hash FROM tailor_idp.users WHERE namespace_id = $1 AND id = ANY($2)
                 ORDER BY id FOR ",
                $strength
            )
        };
    }
    let sql = if deletes { select!("UPDATE") } else { select!("NO KEY UPDATE") };
    let rows = scope.connection.query(sql, &[(&scope.namespace_id, Type::INT4), (&ids, Type::UUID_ARRAY)]).await?;
    let user = |row: &Row| {
        Ok(LockedUser {
            id: row.try_get(0)?,
            version: Version(row.try_get::<_, i64>(1)?.unsigned_abs()),
            password_hash: row.try_get(2)?,
        })
    };
    rows.iter().map(user).collect()
}

pub(super) async fn create(scope: &Scope, user: &NewUser) -> Result<UserRecord, Failure> {
    let NewUser { name, password, disabled, created_at } = user;
    let created_at = created_at.unwrap_or(scope.now);
    let sql = "INSERT INTO tailor_idp.users (namespace_id, id, name, password_hash, disabled, created_at, version)
               VALUES ($1, tailor_idp.id_at(tailor_idp.next_tick($2)), $3, $4, $5, $6, $7) RETURNING id";
    let id: Uuid = scope
        .connection
        .value(
            sql,
            &[
                (&scope.namespace_id, Type::INT4),
                (&scope.now_tick(), Type::INT8),
                (&escape(name), Type::TEXT),
                (&password.as_ref().map(PasswordHash::as_str), Type::TEXT),
                (disabled, Type::BOOL),
                (&created_at.unix_millis(), Type::INT8),
                (&version_value(FIRST_VERSION), Type::INT8),
            ],
        )
        .await?;
    Ok(UserRecord {
        id: id.to_string(),
        name: name.clone(),
        disabled: *disabled,
        created_at: Some(created_at),
        mfa_factor_ids: Vec::new(),
        version: FIRST_VERSION,
    })
}

/// Changes the user and makes a new version. Returns the number of rows changed: 0 if the user does not exist.
pub(super) async fn update(scope: &Scope, id: Uuid, patch: &UserPatch) -> Result<u64, Failure> {
    // Exhaustive: the compiler points here when a field is added.
    let UserPatch { name, disabled, password } = patch;
    let name = name.as_deref().map(escape);
    let hash = match password {
        PasswordChange::Keep => None,
        PasswordChange::Clear => Some(None),
        PasswordChange::Set(hash) => Some(Some(hash.as_str())),
    };
    // Only what changes: an index whose columns stay is not written to.
    let mut sql = "UPDATE tailor_idp.users SET version = version + 1".to_owned();
    let mut params: Vec<Param<'_>> = vec![(&scope.namespace_id, Type::INT4), (&id, Type::UUID)];
    if let Some(name) = &name {
        params.push((name, Type::TEXT));
        sql.push_str(&format!(", name = ${}", params.len()));
    }
    if let Some(disabled) = disabled {
        params.push((disabled, Type::BOOL));
        sql.push_str(&format!(", disabled = ${}", params.len()));
    }
    if let Some(hash) = &hash {
        params.push((hash, Type::TEXT));
        sql.push_str(&format!(", password_hash = ${}", params.len()));
    }
    sql.push_str(" WHERE namespace_id = $1 AND id = $2");
    scope.connection.execute(&sql, &params).await
}

/// Deletes the user. Factors and reset token go with the row, by foreign keys.
pub(super) async fn delete(scope: &Scope, id: Uuid) -> Result<u64, Failure> {
    let sql = "DELETE FROM tailor_idp.users WHERE namespace_id = $1 AND id = $2";
    scope.connection.execute(sql, &[(&scope.namespace_id, Type::INT4), (&id, Type::UUID)]).await
}

/// Replaces the hash of the same password.
pub(super) async fn replace_hash(scope: &Scope, id: Uuid, hash: &PasswordHash) -> Result<u64, Failure> {
    let sql = "UPDATE tailor_idp.users SET password_hash = $3 WHERE namespace_id = $1 AND id = $2";
    let params: [Param<'_>; 3] = [(&scope.namespace_id, Type::INT4), (&id, Type::UUID), (&hash.as_str(), Type::TEXT)];
    scope.connection.execute(sql, &params).await
}

/// The number of slots of the count: as many server processes as write at once do not wait for one another.
const COUNT_SLOTS: i32 = 64;

/// Adds to the number of users. The last statement of a transaction that may wait for another one: who holds a slot waits for
/// nobody.
pub(super) async fn add_to_count(scope: &Scope, by: i64) -> Result<(), Failure> {
    if by == 0 {
        return Ok(());
    }
    // Server processes that were started after one another have different slots.
    let sql = "INSERT INTO tailor_idp.user_counts AS c (namespace_id, slot, count)
               VALUES ($1, pg_backend_pid() % $2, $3)
               ON CONFLICT (namespace_id, slot) DO UPDATE SET count = c.count + excluded.count";
    let params: [Param<'_>; 3] = [(&scope.namespace_id, Type::INT4), (&COUNT_SLOTS, Type::INT4), (&by, Type::INT8)];
    scope.connection.execute(sql, &params).await?;
    Ok(())
}

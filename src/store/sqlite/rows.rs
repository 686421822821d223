//! Users and ids as they stand in the rows, for the queries of all tables.

use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use crate::idp::Timestamp;
use crate::store::{StoreError, UserRecord};

/// The columns of [`record`], of `users AS u`.
macro_rules! columns {
    () => {
        "u.id, u.name, u.disabled, u.created_at,
         (SELECT group_concat(hex(f.id)) FROM mfa_factors AS f WHERE f.namespace_id = u.namespace_id AND f.user_id = u.id AND f.expires_at IS NULL)"
    };
}

pub(super) use columns;

const BY_ID: &str = concat!("SELECT ", columns!(), " FROM users AS u WHERE u.namespace_id = ?1 AND u.id = ?2");

pub(super) fn by_id(connection: &Connection, namespace_id: i64, id: Uuid) -> Result<Option<UserRecord>, StoreError> {
    Ok(connection.prepare_cached(BY_ID)?.query_row(params![namespace_id, id.as_bytes()], record).optional()?)
}

/// The user of a row of [`columns!`].
pub(super) fn record(row: &Row<'_>) -> Result<UserRecord, rusqlite::Error> {
    // In the order of the ids; to have SQLite sort them costs as much as all the rest, for those without a factor too.
    let factors: Option<String> = row.get(4)?;
    let mut factors: Vec<_> = factors.as_deref().unwrap_or_default().split(',').filter_map(factor_id).collect();
    factors.sort_unstable();
    Ok(UserRecord {
        id: Uuid::from_bytes(row.get(0)?).to_string(),
        name: row.get(1)?,
        disabled: row.get(2)?,
        created_at: Some(Timestamp::from_unix_millis(row.get(3)?)),
        mfa_factor_ids: factors,
    })
}

fn factor_id(hex: &str) -> Option<String> {
    Uuid::try_parse(hex).ok().map(|id| id.to_string())
}

/// An id in the one form that we give ids in; a UUID in any other form is not an id of ours.
pub(super) fn parse_id(id: &str) -> Option<Uuid> {
    let uuid = Uuid::try_parse(id).ok()?;
    let mut buffer = Uuid::encode_buffer();
    (uuid.hyphenated().encode_lower(&mut buffer) == id).then_some(uuid)
}

/// The id of what is created now: made under the write lock and above all that were given, so that creation order is
/// id order, even where clocks disagree or one has been set back.
pub(super) fn following(newest: Uuid, now: Uuid) -> Uuid {
    // The next in line: the last 62 bits are random, and do not run over.
    if now > newest { now } else { Uuid::from_u128(newest.as_u128() + 1) }
}

pub(super) fn unix_millis(id: &Uuid) -> i64 {
    // The first 48 bits of a UUIDv7 (RFC 9562, section 5.7).
    (id.as_u128() >> 80) as i64
}

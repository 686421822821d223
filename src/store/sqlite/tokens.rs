//! Reset tokens: at most one a user, by their SHA-256.

use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::rows::parse_id;
use crate::idp::{PasswordHash, Timestamp};
use crate::store::{MailRecord, StoreError, TokenHash, TokenTarget};

/// Makes this the one token of the mail's user.
pub(super) fn replace(
    connection: &Connection,
    namespace_id: i64,
    mail: &MailRecord,
    token: TokenHash,
    expires_at: Timestamp,
) -> Result<(), StoreError> {
    let Some(user_id) = parse_id(&mail.mail.user_id) else { return Ok(()) };
    let sql = "INSERT OR REPLACE INTO reset_tokens VALUES (?, ?, ?, ?, ?)";
    let values = params![namespace_id, user_id.as_bytes(), token.0, mail.id, expires_at.unix_millis()];
    connection.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

/// Whom and what the token is for. One that is unknown, used, ended or run out is not found, all in the same way.
pub(super) fn find(
    connection: &Connection,
    namespace_id: i64,
    token: TokenHash,
    now: Timestamp,
) -> Result<Option<(Uuid, TokenTarget)>, StoreError> {
    let sql = "SELECT t.user_id, m.redirect_uri FROM reset_tokens AS t
               JOIN reset_mails AS m ON m.id = t.mail_id
               JOIN users AS u ON u.namespace_id = t.namespace_id AND u.id = t.user_id
               WHERE t.hash = ? AND t.namespace_id = ? AND t.expires_at > ? AND NOT u.disabled";
    let target = |row: &Row<'_>| {
        let user_id = Uuid::from_bytes(row.get(0)?);
        Ok((user_id, TokenTarget { user_id: user_id.to_string(), redirect_uri: row.get(1)? }))
    };
    let values = params![token.0, namespace_id, now.unix_millis()];
    Ok(connection.prepare_cached(sql)?.query_row(values, target).optional()?)
}

/// Sets the password, which ends the token and all that is under way for the user.
pub(super) fn spend(
    connection: &Connection,
    namespace_id: i64,
    token: TokenHash,
    password: &PasswordHash,
    now: Timestamp,
) -> Result<Option<(Uuid, TokenTarget)>, StoreError> {
    let Some((user_id, target)) = find(connection, namespace_id, token, now)? else { return Ok(None) };
    let sql = "UPDATE users SET password_hash = ? WHERE namespace_id = ? AND id = ?";
    connection.prepare_cached(sql)?.execute(params![password.as_str(), namespace_id, user_id.as_bytes()])?;
    super::mails::end(connection, namespace_id, user_id, now, "not sent: the password was set")?;
    Ok(Some((user_id, target)))
}

pub(super) fn end(connection: &Connection, namespace_id: i64, user_id: Uuid) -> Result<(), StoreError> {
    let sql = "DELETE FROM reset_tokens WHERE namespace_id = ? AND user_id = ?";
    connection.prepare_cached(sql)?.execute(params![namespace_id, user_id.as_bytes()])?;
    Ok(())
}

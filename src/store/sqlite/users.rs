//! The queries.

use std::rc::Rc;
use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::Database;
use super::connection::Reader;
use super::error::map;
use crate::idp::Timestamp;
use crate::store::{
    NewUser, Page, PageRequest, PasswordChange, ResetMail, StoreError, UserChange, UserKey, UserRecord, UserStore,
};

/// The columns of [`record`], of `users AS u`.
macro_rules! columns {
    () => {
        "u.id, u.name, u.disabled, u.created_at,
         (SELECT group_concat(hex(f.id) ORDER BY f.id) FROM mfa_factors AS f WHERE f.namespace_id = u.namespace_id AND f.user_id = u.id)"
    };
}

const BY_ID: &str = concat!("SELECT ", columns!(), " FROM users AS u WHERE u.namespace_id = ?1 AND u.id = ?2");
const BY_NAME: &str = concat!("SELECT ", columns!(), " FROM users AS u WHERE u.namespace_id = ?1 AND u.name = ?2");

/// The users of one namespace in a [`SqliteDatabase`](super::SqliteDatabase).
#[derive(Debug, Clone)]
pub struct SqliteStore {
    database: Arc<Database>,
    namespace_id: i64,
}

impl SqliteStore {
    pub(super) fn new(database: Arc<Database>, namespace_id: i64) -> Self {
        Self { database, namespace_id }
    }

    fn read<T>(&self, work: impl FnOnce(&Reader<'_>) -> Result<T, rusqlite::Error>) -> Result<T, StoreError> {
        work(&self.database.readers.get()?).map_err(|e| map(&e))
    }

    /// Writes something of the user's, or answers `missing` where the id is none that this store could have given.
    async fn write<T: Send + 'static>(
        &self,
        user_id: &str,
        missing: T,
        work: impl FnOnce(&Connection, Uuid) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        match parse_id(user_id) {
            Some(id) => self.database.writer.run(move |connection| work(connection, id)).await,
            None => Ok(missing),
        }
    }
}

#[async_trait]
impl UserStore for SqliteStore {
    async fn insert(&self, user: NewUser) -> Result<UserRecord, StoreError> {
        let namespace_id = self.namespace_id;
        let work = move |connection: &Connection| {
            let now = Uuid::now_v7();
            let created_at = Timestamp::from_unix_millis(unix_millis(&now));
            let id = following(connection, namespace_id, now)?;
            connection.prepare_cached("INSERT INTO users VALUES (?, ?, ?, ?, ?, ?)")?.execute(params![
                namespace_id,
                id.as_bytes(),
                user.name,
                user.password.as_ref().map(|hash| hash.as_str()),
                user.disabled,
                created_at.unix_millis(),
            ])?;
            Ok(UserRecord {
                id: id.to_string(),
                name: user.name,
                disabled: user.disabled,
                created_at: Some(created_at),
                mfa_factor_ids: Vec::new(),
            })
        };
        self.database.writer.run(work).await
    }

    async fn get(&self, key: UserKey<'_>) -> Result<Option<UserRecord>, StoreError> {
        self.read(|connection| match key {
            UserKey::Id(id) => match parse_id(id) {
                Some(id) => by_id(connection, self.namespace_id, id),
                None => Ok(None),
            },
            UserKey::Name(name) => {
                connection.prepare_cached(BY_NAME)?.query_row(params![self.namespace_id, name], record).optional()
            }
        })
    }

    async fn list(&self, request: PageRequest) -> Result<Page, StoreError> {
        self.read(|connection| {
            // One transaction: the page and the count are of one moment.
            let moment = connection.unchecked_transaction()?;
            let page = page(&moment, self.namespace_id, request)?;
            moment.finish()?;
            Ok(page)
        })
    }

    async fn update(&self, id: &str, change: UserChange) -> Result<Option<UserRecord>, StoreError> {
        let namespace_id = self.namespace_id;
        self.write(id, None, move |connection, id| update(connection, namespace_id, id, change)).await
    }

    async fn delete(&self, id: &str) -> Result<bool, StoreError> {
        let namespace_id = self.namespace_id;
        self.write(id, false, move |connection, id| {
            let sql = "DELETE FROM users WHERE namespace_id = ? AND id = ?";
            Ok(connection.prepare_cached(sql)?.execute(params![namespace_id, id.as_bytes()])? > 0)
        })
        .await
    }

    async fn add_mfa_factor(&self, user_id: &str) -> Result<Option<String>, StoreError> {
        let namespace_id = self.namespace_id;
        self.write(user_id, None, move |connection, user_id| {
            let id = Uuid::now_v7();
            let sql =
                "INSERT INTO mfa_factors SELECT namespace_id, id, ?3 FROM users WHERE namespace_id = ?1 AND id = ?2";
            let added = connection.execute(sql, params![namespace_id, user_id.as_bytes(), id.as_bytes()])?;
            Ok((added > 0).then(|| id.to_string()))
        })
        .await
    }

    async fn remove_mfa_factor(&self, user_id: &str, factor_id: &str) -> Result<bool, StoreError> {
        let namespace_id = self.namespace_id;
        let Some(factor_id) = parse_id(factor_id) else { return Ok(false) };
        self.write(user_id, false, move |connection, user_id| {
            let sql = "DELETE FROM mfa_factors WHERE namespace_id = ? AND user_id = ? AND id = ?";
            Ok(connection.execute(sql, params![namespace_id, user_id.as_bytes(), factor_id.as_bytes()])? > 0)
        })
        .await
    }

    async fn queue_reset_mail(&self, mail: ResetMail) -> Result<bool, StoreError> {
        let namespace_id = self.namespace_id;
        let user_id = mail.user_id.clone();
        self.write(&user_id, false, move |connection, user_id| {
            let sql = "INSERT INTO reset_mails (namespace_id, user_id, redirect_uri, from_name, subject)
                       SELECT namespace_id, id, ?3, ?4, ?5 FROM users WHERE namespace_id = ?1 AND id = ?2";
            let ResetMail { redirect_uri, from_name, subject, .. } = mail;
            let values = params![namespace_id, user_id.as_bytes(), redirect_uri, from_name, subject];
            Ok(connection.execute(sql, values)? > 0)
        })
        .await
    }

    async fn reset_mails(&self) -> Result<Vec<ResetMail>, StoreError> {
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
            connection.prepare_cached(sql)?.query_map([self.namespace_id], mail)?.collect()
        })
    }

    fn page_token_key(&self) -> [u8; 32] {
        self.database.page_token_key
    }
}

/// The id of a user who is created now: made under the write lock and above all that were given, so that creation order is
/// id order, even where clocks disagree or one has been set back.
fn following(connection: &Connection, namespace_id: i64, now: Uuid) -> Result<Uuid, rusqlite::Error> {
    let sql = "SELECT newest_id FROM namespaces WHERE id = ?";
    let newest = connection.prepare_cached(sql)?.query_row([namespace_id], |row| row.get(0)).map(Uuid::from_bytes)?;
    // The next in line: the last 62 bits are random, and do not run over.
    Ok(if now > newest { now } else { Uuid::from_u128(newest.as_u128() + 1) })
}

fn by_id(connection: &Connection, namespace_id: i64, id: Uuid) -> Result<Option<UserRecord>, rusqlite::Error> {
    connection.prepare_cached(BY_ID)?.query_row(params![namespace_id, id.as_bytes()], record).optional()
}

fn update(
    connection: &Connection,
    namespace_id: i64,
    id: Uuid,
    change: UserChange,
) -> Result<Option<UserRecord>, rusqlite::Error> {
    let (set_password, hash) = match &change.password {
        PasswordChange::Keep => (false, None),
        PasswordChange::Clear => (true, None),
        PasswordChange::Set(hash) => (true, Some(hash.as_str())),
    };
    let sql = "UPDATE users SET name = coalesce(?3, name), disabled = coalesce(?4, disabled),
                 password_hash = iif(?5, ?6, password_hash)
               WHERE namespace_id = ?1 AND id = ?2";
    let values = params![namespace_id, id.as_bytes(), change.name, change.disabled, set_password, hash];
    connection.prepare_cached(sql)?.execute(values)?;
    if set_password || change.disabled == Some(true) {
        let sql = "DELETE FROM reset_mails WHERE namespace_id = ? AND user_id = ?";
        connection.prepare_cached(sql)?.execute(params![namespace_id, id.as_bytes()])?;
    }
    by_id(connection, namespace_id, id)
}

/// A run of rows of the clustered table where there is no filter; with one, a look-up for each id or name in it.
fn page(connection: &Connection, namespace_id: i64, request: PageRequest) -> Result<Page, rusqlite::Error> {
    let PageRequest { query, after, limit } = request;
    // A cursor is an id that we gave; below the smallest id for the first page.
    let after = after.as_deref().and_then(parse_id).unwrap_or_else(Uuid::nil);
    let ids = query.ids.map(|ids| list(ids.iter().filter_map(|id| parse_id(id)).map(|id| Value::Blob(id.into()))));
    let names = query.names.map(|names| list(names.into_iter().map(Value::Text)));

    // CROSS JOIN is an order to the planner: from the filter to the users, never a walk over the users.
    let matching = match (&ids, &names) {
        (None, None) => "users AS u WHERE u.namespace_id = ?1 AND ?2 IS NULL AND ?3 IS NULL",
        (Some(_), None) => {
            "rarray(?2) AS i CROSS JOIN users AS u ON u.id = i.value WHERE u.namespace_id = ?1 AND ?3 IS NULL"
        }
        (None, Some(_)) => {
            "rarray(?3) AS n CROSS JOIN users AS u ON u.name = n.value WHERE u.namespace_id = ?1 AND ?2 IS NULL"
        }
        (Some(_), Some(_)) => {
            "rarray(?3) AS n CROSS JOIN users AS u ON u.name = n.value
             WHERE u.namespace_id = ?1 AND u.id IN (SELECT value FROM rarray(?2))"
        }
    };
    let total: i64 = if ids.is_none() && names.is_none() {
        let sql = "SELECT user_count FROM namespaces WHERE id = ?";
        connection.prepare_cached(sql)?.query_row([namespace_id], |row| row.get(0))?
    } else {
        let sql = format!("SELECT count(*) FROM {matching}");
        connection.prepare_cached(&sql)?.query_row(params![namespace_id, ids, names], |row| row.get(0))?
    };

    let sql = format!("SELECT {} FROM {matching} AND u.id > ?4 ORDER BY u.id LIMIT ?5", columns!());
    let mut statement = connection.prepare_cached(&sql)?;
    // One row more than asked for tells whether users follow.
    let values = params![namespace_id, ids, names, after.as_bytes(), i64::from(limit) + 1];
    let mut users: Vec<_> = statement.query_map(values, record)?.collect::<Result<_, _>>()?;
    let more = users.len() > limit as usize;
    users.truncate(limit as usize);
    Ok(Page { users, more, total: total.unsigned_abs() })
}

fn list(values: impl Iterator<Item = Value>) -> Rc<Vec<Value>> {
    Rc::new(values.collect())
}

/// The user of a row of [`columns!`].
fn record(row: &Row<'_>) -> Result<UserRecord, rusqlite::Error> {
    let factors: Option<String> = row.get(4)?;
    Ok(UserRecord {
        id: Uuid::from_bytes(row.get(0)?).to_string(),
        name: row.get(1)?,
        disabled: row.get(2)?,
        created_at: Some(Timestamp::from_unix_millis(row.get(3)?)),
        mfa_factor_ids: factors.map(|hex| hex.split(',').filter_map(factor_id).collect()).unwrap_or_default(),
    })
}

fn factor_id(hex: &str) -> Option<String> {
    Uuid::try_parse(hex).ok().map(|id| id.to_string())
}

/// An id in the one form that we give ids in; a UUID in any other form is not an id of ours.
fn parse_id(id: &str) -> Option<Uuid> {
    let uuid = Uuid::try_parse(id).ok()?;
    let mut buffer = Uuid::encode_buffer();
    (uuid.hyphenated().encode_lower(&mut buffer) == id).then_some(uuid)
}

fn unix_millis(id: &Uuid) -> i64 {
    // The first 48 bits of a UUIDv7 (RFC 9562, section 5.7).
    (id.as_u128() >> 80) as i64
}

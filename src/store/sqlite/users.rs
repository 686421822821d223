//! The queries.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::connection::Reader;
use super::{Database, events, listing};
use crate::idp::Timestamp;
use crate::store::{
    CredentialStore, EventKind, EventStore, MfaStore, NewUser, Page, PageRequest, PasswordChange, ResetMailStore,
    StoreError, UserChange, UserKey, UserRecord, UserStore, WriteOptions,
};

/// The columns of [`record`], of `users AS u`.
macro_rules! columns {
    () => {
        "u.id, u.name, u.disabled, u.created_at,
         (SELECT group_concat(hex(f.id) ORDER BY f.id) FROM mfa_factors AS f WHERE f.namespace_id = u.namespace_id AND f.user_id = u.id AND f.expires_at IS NULL)"
    };
}

pub(super) use columns;

const BY_ID: &str = concat!("SELECT ", columns!(), " FROM users AS u WHERE u.namespace_id = ?1 AND u.id = ?2");
const BY_NAME: &str = concat!("SELECT ", columns!(), " FROM users AS u WHERE u.namespace_id = ?1 AND u.name = ?2");

/// The users of one namespace in a [`SqliteDatabase`](super::SqliteDatabase).
#[derive(Debug, Clone)]
pub struct SqliteStore {
    pub(super) database: Arc<Database>,
    pub(super) namespace_id: i64,
}

impl SqliteStore {
    pub(super) fn new(database: Arc<Database>, namespace_id: i64) -> Self {
        Self { database, namespace_id }
    }

    pub(super) fn read<T>(&self, work: impl FnOnce(&Reader<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        work(&self.database.readers.get()?)
    }

    /// Writes something of the user's, or answers `missing` where there is no such user. Asks the check first, in the write's
    /// own transaction.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        user_id: &str,
        missing: T,
        options: WriteOptions,
        work: impl FnOnce(&Connection, i64, Uuid) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let Some(id) = parse_id(user_id) else { return Ok(missing) };
        let namespace_id = self.namespace_id;
        let work = move |connection: &Connection| {
            let Some(user) = by_id(connection, namespace_id, id)? else { return Ok(missing) };
            if !(options.check)(&user, None) {
                return Err(StoreError::Denied);
            }
            work(connection, namespace_id, id)
        };
        self.database.writer.run(work).await
    }
}

#[async_trait]
impl UserStore for SqliteStore {
    async fn insert(&self, user: NewUser, publish: bool) -> Result<UserRecord, StoreError> {
        let namespace_id = self.namespace_id;
        let work = move |connection: &Connection| {
            let now = Uuid::now_v7();
            let created_at = Timestamp::from_unix_millis(unix_millis(&now));
            let sql = "SELECT newest_id FROM namespaces WHERE id = ?";
            let newest = connection.prepare_cached(sql)?.query_row([namespace_id], |row| row.get(0))?;
            let id = following(Uuid::from_bytes(newest), now);
            connection.prepare_cached("INSERT INTO users VALUES (?, ?, ?, ?, ?, ?)")?.execute(params![
                namespace_id,
                id.as_bytes(),
                user.name,
                user.password.as_ref().map(|hash| hash.as_str()),
                user.disabled,
                created_at.unix_millis(),
            ])?;
            if publish {
                events::append(connection, namespace_id, id, EventKind::Created)?;
            }
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
                let mut by_name = connection.prepare_cached(BY_NAME)?;
                Ok(by_name.query_row(params![self.namespace_id, name], record).optional()?)
            }
        })
    }

    async fn list(&self, request: PageRequest) -> Result<Page, StoreError> {
        self.read(|connection| {
            // One transaction: the page and the count are of one moment.
            let moment = connection.unchecked_transaction()?;
            let page = listing::page(&moment, self.namespace_id, request)?;
            moment.finish()?;
            Ok(page)
        })
    }

    async fn update(
        &self,
        id: &str,
        change: UserChange,
        options: WriteOptions,
    ) -> Result<Option<UserRecord>, StoreError> {
        let Some(id) = parse_id(id) else { return Ok(None) };
        let namespace_id = self.namespace_id;
        let work = move |connection: &Connection| update(connection, namespace_id, id, change, options);
        self.database.writer.run(work).await
    }

    async fn delete(&self, id: &str, options: WriteOptions) -> Result<bool, StoreError> {
        let publish = options.publish;
        self.write(id, false, options, move |connection, namespace_id, id| {
            let sql = "DELETE FROM users WHERE namespace_id = ? AND id = ?";
            connection.prepare_cached(sql)?.execute(params![namespace_id, id.as_bytes()])?;
            if publish {
                events::append(connection, namespace_id, id, EventKind::Deleted)?;
            }
            Ok(true)
        })
        .await
    }

    fn page_token_key(&self) -> [u8; 32] {
        self.database.page_token_key
    }

    fn credentials(&self) -> Option<&dyn CredentialStore> {
        Some(self)
    }

    fn mfa(&self) -> Option<&dyn MfaStore> {
        Some(self)
    }

    fn reset_mails(&self) -> Option<&dyn ResetMailStore> {
        Some(self)
    }

    fn events(&self) -> Option<&dyn EventStore> {
        Some(self)
    }
}

/// The id of what is created now: made under the write lock and above all that were given, so that creation order is
/// id order, even where clocks disagree or one has been set back.
pub(super) fn following(newest: Uuid, now: Uuid) -> Uuid {
    // The next in line: the last 62 bits are random, and do not run over.
    if now > newest { now } else { Uuid::from_u128(newest.as_u128() + 1) }
}

pub(super) fn by_id(connection: &Connection, namespace_id: i64, id: Uuid) -> Result<Option<UserRecord>, StoreError> {
    Ok(connection.prepare_cached(BY_ID)?.query_row(params![namespace_id, id.as_bytes()], record).optional()?)
}

fn update(
    connection: &Connection,
    namespace_id: i64,
    id: Uuid,
    change: UserChange,
    options: WriteOptions,
) -> Result<Option<UserRecord>, StoreError> {
    let Some(old) = by_id(connection, namespace_id, id)? else { return Ok(None) };
    let mut new = old.clone();
    new.name = change.name.unwrap_or(new.name);
    new.disabled = change.disabled.unwrap_or(new.disabled);
    if !(options.check)(&old, Some(&new)) {
        return Err(StoreError::Denied);
    }
    let (set_password, hash) = match &change.password {
        PasswordChange::Keep => (false, None),
        PasswordChange::Clear => (true, None),
        PasswordChange::Set(hash) => (true, Some(hash.as_str())),
    };
    let differs = (&old.name, old.disabled) != (&new.name, new.disabled);
    let changes = differs || (set_password && !has_password(connection, namespace_id, id, hash)?);
    let sql = "UPDATE users SET name = ?3, disabled = ?4, password_hash = iif(?5, ?6, password_hash)
               WHERE namespace_id = ?1 AND id = ?2";
    let values = params![namespace_id, id.as_bytes(), new.name, new.disabled, set_password, hash];
    connection.prepare_cached(sql)?.execute(values)?;
    if set_password || change.disabled == Some(true) {
        super::mails::end(connection, namespace_id, id, "not sent: the password was changed or the user disabled")?;
    }
    if options.publish && changes {
        events::append(connection, namespace_id, id, EventKind::Updated)?;
    }
    Ok(Some(new))
}

/// Whether the user has this hash, or has none as well.
fn has_password(connection: &Connection, namespace_id: i64, id: Uuid, hash: Option<&str>) -> Result<bool, StoreError> {
    let sql = "SELECT password_hash IS ?3 FROM users WHERE namespace_id = ?1 AND id = ?2";
    Ok(connection.prepare_cached(sql)?.query_row(params![namespace_id, id.as_bytes(), hash], |row| row.get(0))?)
}

/// The user of a row of [`columns!`].
pub(super) fn record(row: &Row<'_>) -> Result<UserRecord, rusqlite::Error> {
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
pub(super) fn parse_id(id: &str) -> Option<Uuid> {
    let uuid = Uuid::try_parse(id).ok()?;
    let mut buffer = Uuid::encode_buffer();
    (uuid.hyphenated().encode_lower(&mut buffer) == id).then_some(uuid)
}

pub(super) fn unix_millis(id: &Uuid) -> i64 {
    // The first 48 bits of a UUIDv7 (RFC 9562, section 5.7).
    (id.as_u128() >> 80) as i64
}

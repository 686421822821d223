//! The users.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::namespace::SqliteStore;
use super::rows::{by_id, columns, following, parse_id, record, unix_millis};
use super::{events, listing, mails};
use crate::idp::Timestamp;
use crate::store::{
    CredentialStore, EventKind, EventStore, ImportStore, MfaStore, NewUser, Page, PageRequest, PasswordChange,
    ResetMailStore, StoreError, UserChange, UserKey, UserRecord, UserStore, WriteOptions,
};

const BY_NAME: &str = concat!("SELECT ", columns!(), " FROM users AS u WHERE u.namespace_id = ?1 AND u.name = ?2");

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
            // All is checked before anything is written, so FAIL does as ABORT would, without a journal for the statement.
            let sql = "INSERT OR FAIL INTO users VALUES (?, ?, ?, ?, ?, ?)";
            connection.prepare_cached(sql)?.execute(params![
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
        if publish { self.database.writer.run(work).await } else { self.database.writer.run_statement(work).await }
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

    fn import(&self) -> Option<&dyn ImportStore> {
        Some(self)
    }
}

fn update(
    connection: &Connection,
    namespace_id: i64,
    id: Uuid,
    change: UserChange,
    options: WriteOptions,
) -> Result<Option<UserRecord>, StoreError> {
    let Some(old) = by_id(connection, namespace_id, id)? else { return Ok(None) };
    let new = change.applied_to(&old);
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
        let why = "not sent: the password was changed or the user disabled";
        mails::end(connection, namespace_id, id, Timestamp::now(), why)?;
    } else if old.name != new.name {
        mails::redirect(connection, namespace_id, id, Timestamp::now())?;
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

//! Import: many users in one transaction.
//!
//! The cost is in the index of names: the names of a batch are spread over it, and each page that gets one is written to the log
//! and then to the file. So users are inserted in the order of their names, which touches each page once; the larger the batch,
//! the more users share a written page.

use rusqlite::config::DbConfig;
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::scope::Scope;
use super::select_list::scalar;
use super::{events, users};
use crate::store::sql::{FIRST_VERSION, following, report, version_value};
use crate::store::{ImportObserver, ImportProgress, Imported, NewUser, Skipped, StoreError};

/// The minimum size of a user's rows without name and hash, in bytes: both ids twice, the time, headers.
const ROW_OVERHEAD: usize = 64;

/// The size of the page cache, in bytes per byte of the rows to insert. In the order of names, rows go to random places of the
/// batch's own part of the table, whose pages are about two thirds full. They must stay in memory, or each is written many times.
const CACHE_BYTES_PER_ROW_BYTE: usize = 2;

/// The additional size of the page cache for the pages of the index, in bytes.
const CACHE_BASE_BYTES: usize = 64 * 1024 * 1024;

/// The number of users that are copied before they are inserted. In the order of names they are at random places in memory, and
/// cache misses between SQLite's own accesses add up.
const PREFETCH: usize = 256;

/// Inserts the users whose names are free.
pub(super) fn import(
    scope: Scope<'_>,
    users: Vec<NewUser>,
    publish: bool,
    observer: &ImportObserver,
) -> Result<Imported, StoreError> {
    let _cache = LargeCache::set(scope.connection, cache_size(&users))?;
    let _triggers = WithoutTriggers::set(scope.connection)?;
    let first = following(users::newest_id(scope)?, scope.now);
    // The random bits do not overflow: see `following`.
    let id = |index: usize| Uuid::from_u128(first.as_u128() + index as u128);

    let added = insert(scope, &users, id, observer)?;
    let indices = || (0..users.len()).filter(|index| added[*index]);
    if publish {
        events::append_created(scope, indices().map(id))?;
    }
    // In place of the trigger.
    if let Some(last) = indices().next_back() {
        let sql = "UPDATE namespaces SET user_count = user_count + ?2, newest_id = max(newest_id, ?3) WHERE id = ?1";
        let (count, newest) = (indices().count() as i64, id(last));
        scope.prepare(sql)?.execute(params![scope.namespace_id, count, newest.as_bytes()])?;
    }
    let skipped = users.into_iter().enumerate().filter(|(index, _)| !added[*index]);
    let skipped: Vec<_> = skipped.map(|(index, user)| Skipped { index, name: user.name }).collect();
    report(observer, ImportProgress::Committing)?;
    Ok(Imported { count: (added.len() - skipped.len()) as u64, skipped })
}

/// Inserts the users in the order of their names. Returns for each whether the name was free.
fn insert(
    scope: Scope<'_>,
    users: &[NewUser],
    id: impl Fn(usize) -> Uuid,
    observer: &ImportObserver,
) -> Result<Vec<bool>, StoreError> {
    let sql = "INSERT INTO users (namespace_id, id, name, password_hash, disabled, created_at, version)
               VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (namespace_id, name) DO NOTHING";
    let mut insert = scope.connection.prepare(sql)?;
    let version = version_value(FIRST_VERSION);
    let mut added = vec![false; users.len()];
    let mut written = 0;
    for indices in by_name(users).chunks(PREFETCH) {
        let copies: Vec<_> = indices.iter().map(|index| (*index, users[*index].clone())).collect();
        for (index, NewUser { name, password, disabled, created_at }) in copies {
            let created_at = created_at.unwrap_or(scope.now).unix_millis();
            let hash = password.as_ref().map(|hash| hash.as_str());
            let id = id(index);
            let values = params![scope.namespace_id, id.as_bytes(), name, hash, disabled, created_at, version];
            added[index] = insert.execute(values)? > 0;
        }
        written += indices.len();
        report(observer, ImportProgress::Written(written))?;
    }
    Ok(added)
}

/// The indices of the users in the order of their names. Users with the same name stay in the order of the batch: the first is
/// inserted.
fn by_name(users: &[NewUser]) -> Vec<usize> {
    // Names are at random places in memory. Their prefixes are next to each other, and decide most comparisons.
    let mut keys: Vec<_> = users.iter().map(|user| prefix(&user.name)).zip(0_usize..).collect();
    keys.sort_unstable_by(|(one, i), (other, j)| {
        let names = || users[*i].name.cmp(&users[*j].name);
        one.cmp(other).then_with(names).then(i.cmp(j))
    });
    keys.into_iter().map(|(_, index)| index).collect()
}

/// The first bytes of a name. They sort as names do.
fn prefix(name: &str) -> u128 {
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(name.bytes()) {
        *to = from;
    }
    u128::from_be_bytes(bytes)
}

/// The size of the page cache for an import, in bytes.
fn cache_size(users: &[NewUser]) -> usize {
    let hash = |user: &NewUser| user.password.as_ref().map_or(0, |hash| hash.as_str().len());
    let rows = users.iter().map(|user| ROW_OVERHEAD + user.name.len() + hash(user)).sum::<usize>();
    CACHE_BASE_BYTES + CACHE_BYTES_PER_ROW_BYTE * rows
}

/// Sets the size of the page cache until it is dropped.
struct LargeCache<'a> {
    connection: &'a Connection,
    before: i64,
}

impl<'a> LargeCache<'a> {
    fn set(connection: &'a Connection, bytes: usize) -> Result<Self, StoreError> {
        let before = connection.query_row("PRAGMA cache_size", [], scalar)?;
        // Negative: in KiB instead of pages.
        connection.pragma_update(None, "cache_size", -((bytes / 1024) as i64))?;
        Ok(Self { connection, before })
    }
}

impl Drop for LargeCache<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.connection.pragma_update(None, "cache_size", self.before) {
            tracing::warn!(%error, "cannot reset the size of the page cache after an import");
        }
    }
}

/// Disables triggers until it is dropped. Those on users and events keep the count and the newest ids, which an import updates once.
struct WithoutTriggers<'a>(&'a Connection);

impl<'a> WithoutTriggers<'a> {
    fn set(connection: &'a Connection) -> Result<Self, StoreError> {
        let guard = Self(connection);
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
        Ok(guard)
    }
}

impl Drop for WithoutTriggers<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.0.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, true) {
            tracing::error!(%error, "cannot enable triggers after an import: the count of users will be wrong");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;
    use std::sync::Arc;

    use pretty_assertions::assert_eq;

    use super::*;
    use crate::model::Timestamp;
    use crate::store::sqlite::schema;

    #[test]
    fn import_replaces_all_triggers_of_its_inserts() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection).unwrap();
        let sql = "SELECT name || ' on ' || tbl_name FROM sqlite_schema
                   WHERE type = 'trigger' AND tbl_name IN ('users', 'events', 'namespaces') ORDER BY 1";
        let mut statement = connection.prepare(sql).unwrap();
        let triggers = statement.query_map([], |row| row.get::<_, String>(0)).unwrap().collect::<Result<Vec<_>, _>>();
        assert_eq!(triggers.unwrap(), ["count_delete on users", "count_insert on users", "events_newest on events"]);
    }

    #[test]
    fn import_restores_cache_size_and_triggers_after_success_and_failure() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection).unwrap();
        connection.execute("INSERT INTO namespaces (name) VALUES ('home')", []).unwrap();
        let state = |connection: &Connection| {
            let cache: i64 = connection.query_row("PRAGMA cache_size", [], |row| row.get(0)).unwrap();
            (cache, connection.db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER).unwrap())
        };
        let before = state(&connection);
        let users = || vec![NewUser { name: "ana".into(), ..NewUser::default() }];
        let observer: ImportObserver = Arc::new(|_| ControlFlow::Continue(()));
        let scope = || Scope { connection: &connection, namespace_id: 1, now: Timestamp::now() };
        assert_eq!(import(scope(), users(), true, &observer).unwrap().count, 1);
        assert_eq!(state(&connection), before);
        connection.execute("ALTER TABLE users RENAME TO gone", []).unwrap();
        import(scope(), users(), true, &observer).unwrap_err();
        assert_eq!(state(&connection), before);
    }
}

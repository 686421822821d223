//! Many users in one transaction.
//!
//! What costs is the index of names: the names of a batch are all over it, and every page that one of them is put on is
//! written, to the log and then to the file. So a batch is put in by name, which touches each page once, and the larger
//! the batch, the more users share a page's way to the disk.

use async_trait::async_trait;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::events;
use super::namespace::SqliteStore;
use super::rows::{following, unix_millis};
use crate::store::{ImportStore, Imported, NewUser, Skipped, StoreError};

/// What a user takes in the rows beside the name and the hash, in bytes, at the least: both ids twice, the time, headers.
const ROW_OVERHEAD: usize = 64;

/// The page cache of a batch, in so many bytes a byte of its rows. Put in by name, rows go all over the batch's own part of the
/// table, which has pages that are about two thirds full: they have to stay in memory, or each is written many times.
const CACHE_A_ROW_BYTE: usize = 2;

/// And so many bytes more for the pages of the index that are passed through.
const CACHE_BASE: usize = 64 * 1024 * 1024;

/// Users that are fetched from memory at once: in the order of their names each is somewhere else, and waits for one after the
/// other, between SQLite's, add up.
const FETCHED: usize = 256;

#[async_trait]
impl ImportStore for SqliteStore {
    async fn import(&self, users: Vec<NewUser>, publish: bool) -> Result<Imported, StoreError> {
        let namespace_id = self.namespace_id;
        let work = move |connection: &Connection| import(connection, namespace_id, users, publish);
        self.database.writer.run_alone(work).await
    }
}

fn import(
    connection: &Connection,
    namespace_id: i64,
    users: Vec<NewUser>,
    publish: bool,
) -> Result<Imported, StoreError> {
    let _cache = LargeCache::of(connection, cache_for(&users))?;
    let _triggers = WithoutTriggers::of(connection)?;
    let now = Uuid::now_v7();
    let sql = "SELECT newest_id FROM namespaces WHERE id = ?";
    let newest = connection.prepare_cached(sql)?.query_row([namespace_id], |row| row.get(0)).map(Uuid::from_bytes)?;
    let first = following(newest, now);
    // The random bits do not run over: see `following`.
    let id = |index: usize| Uuid::from_u128(first.as_u128() + index as u128);

    let added = insert(connection, namespace_id, &users, unix_millis(&now), id)?;
    let indices = || (0..users.len()).filter(|index| added[*index]);
    if publish {
        events::append_created(connection, namespace_id, indices().map(id))?;
    }
    // What the trigger does for each user.
    if let Some(last) = indices().next_back() {
        let sql = "UPDATE namespaces SET user_count = user_count + ?2, newest_id = max(newest_id, ?3) WHERE id = ?1";
        let (count, newest) = (indices().count() as i64, id(last));
        connection.prepare_cached(sql)?.execute(params![namespace_id, count, newest.as_bytes()])?;
    }
    let skipped = users.into_iter().enumerate().filter(|(index, _)| !added[*index]);
    let skipped: Vec<_> = skipped.map(|(index, user)| Skipped { index, name: user.name }).collect();
    Ok(Imported { count: (added.len() - skipped.len()) as u64, skipped })
}

/// Puts the users in by name, and says of each whether the name was free.
fn insert(
    connection: &Connection,
    namespace_id: i64,
    users: &[NewUser],
    created_at: i64,
    id: impl Fn(usize) -> Uuid,
) -> Result<Vec<bool>, StoreError> {
    let sql = "INSERT INTO users VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (namespace_id, name) DO NOTHING";
    let mut insert = connection.prepare(sql)?;
    let mut added = vec![false; users.len()];
    for indices in by_name(users).chunks(FETCHED) {
        let fetched: Vec<_> = indices.iter().map(|index| (*index, users[*index].clone())).collect();
        for (index, NewUser { name, password, disabled }) in fetched {
            let hash = password.as_ref().map(|hash| hash.as_str());
            let id = id(index);
            let values = params![namespace_id, id.as_bytes(), name, hash, disabled, created_at];
            added[index] = insert.execute(values)? > 0;
        }
    }
    Ok(added)
}

/// The indices of the users in the order of their names; of one name, in that of the batch: the first has it.
fn by_name(users: &[NewUser]) -> Vec<usize> {
    // Names lie anywhere in memory: with their beginnings at hand hardly two need be looked up to be compared.
    let mut keys: Vec<_> = users.iter().map(|user| beginning(&user.name)).zip(0_usize..).collect();
    keys.sort_unstable_by(|(one, i), (other, j)| {
        let names = || users[*i].name.cmp(&users[*j].name);
        one.cmp(other).then_with(names).then(i.cmp(j))
    });
    keys.into_iter().map(|(_, index)| index).collect()
}

/// The first bytes of a name; they sort as names do, as far as they go.
fn beginning(name: &str) -> u128 {
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(name.bytes()) {
        *to = from;
    }
    u128::from_be_bytes(bytes)
}

/// As many bytes of page cache as the batch is well served with.
fn cache_for(users: &[NewUser]) -> usize {
    let hash = |user: &NewUser| user.password.as_ref().map_or(0, |hash| hash.as_str().len());
    let rows = users.iter().map(|user| ROW_OVERHEAD + user.name.len() + hash(user)).sum::<usize>();
    CACHE_BASE + CACHE_A_ROW_BYTE * rows
}

/// Another size of the page cache while it lives.
struct LargeCache<'a> {
    connection: &'a Connection,
    before: i64,
}

impl<'a> LargeCache<'a> {
    fn of(connection: &'a Connection, bytes: usize) -> Result<Self, StoreError> {
        let before = connection.query_row("PRAGMA cache_size", [], |row| row.get(0))?;
        // Negative: in KiB rather than in pages.
        connection.pragma_update(None, "cache_size", -((bytes / 1024) as i64))?;
        Ok(Self { connection, before })
    }
}

impl Drop for LargeCache<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.connection.pragma_update(None, "cache_size", self.before) {
            tracing::warn!(%error, "the page cache of an import was not given back");
        }
    }
}

/// No trigger runs while it lives. Those on users and events count and note the newest: for a batch that is done once.
struct WithoutTriggers<'a>(&'a Connection);

impl<'a> WithoutTriggers<'a> {
    fn of(connection: &'a Connection) -> Result<Self, StoreError> {
        let guard = Self(connection);
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
        Ok(guard)
    }
}

impl Drop for WithoutTriggers<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.0.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, true) {
            tracing::error!(%error, "the triggers that count users are still off");
        }
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;
    use crate::store::sqlite::schema;

    #[test]
    fn an_import_stands_in_for_all_the_triggers_that_its_inserts_would_run() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection).unwrap();
        let sql = "SELECT name || ' on ' || tbl_name FROM sqlite_schema
                   WHERE type = 'trigger' AND tbl_name IN ('users', 'events', 'namespaces') ORDER BY 1";
        let mut statement = connection.prepare(sql).unwrap();
        let triggers = statement.query_map([], |row| row.get::<_, String>(0)).unwrap().collect::<Result<Vec<_>, _>>();
        assert_eq!(triggers.unwrap(), ["count_delete on users", "count_insert on users", "events_newest on events"]);
    }

    #[test]
    fn the_connection_is_as_it_was_after_an_import_that_worked_and_one_that_did_not() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection).unwrap();
        connection.execute("INSERT INTO namespaces (name) VALUES ('home')", []).unwrap();
        let state = |connection: &Connection| {
            let cache: i64 = connection.query_row("PRAGMA cache_size", [], |row| row.get(0)).unwrap();
            (cache, connection.db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER).unwrap())
        };
        let before = state(&connection);
        let users = || vec![NewUser { name: "ana".into(), password: None, disabled: false }];
        assert_eq!(import(&connection, 1, users(), true).unwrap().count, 1);
        assert_eq!(state(&connection), before);
        connection.execute("ALTER TABLE users RENAME TO gone", []).unwrap();
        import(&connection, 1, users(), true).unwrap_err();
        assert_eq!(state(&connection), before);
    }
}

//! The schema and its migrations.

use tokio_postgres::types::Type;

use super::connection::Connection;
use super::error::{Failure, STATEMENT_TIMEOUT};
use super::transaction::SHORT_REPLY;
use crate::store::StoreError;

/// The migrations. The number of those that a database has is its schema version.
const MIGRATIONS: [&str; 1] = [include_str!("migrations/0001_schema.sql")];

/// The version that this program needs.
pub(super) const VERSION: i64 = MIGRATIONS.len() as i64;

/// What to do about a schema of an earlier version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Upgrade {
    /// Migrate it.
    Migrate,
    /// Refuse it, unless there is none yet: a program of the earlier version may be running.
    Refuse,
}

/// The version of the schema; 0 if there is none.
pub(super) async fn version(connection: &Connection, schema: &str) -> Result<i64, Failure> {
    // Not to_regclass: it may answer from a cache of before another program's migration.
    let exists = "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_class AS c
                                 JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
                                 WHERE n.nspname = $1 AND c.relname = 'meta')";
    if !connection.value::<bool>(exists, &[(&schema, Type::TEXT)]).await? {
        return Ok(0);
    }
    let sql = "SELECT convert_from(value, 'UTF8')::bigint FROM tailor_idp.meta WHERE key = 'schema-version'";
    match connection.row(sql, &[]).await? {
        Some(row) => Ok(row.try_get(0)?),
        None => Ok(0),
    }
}

/// Brings the schema to the current version. Returns the version before.
pub(super) async fn migrate(connection: &Connection, schema: &str, upgrade: Upgrade) -> Result<i64, Failure> {
    // Without a lock first: the common case needs no privileges.
    let found = version(connection, schema).await?;
    if is_current(found, upgrade)? {
        return Ok(found);
    }
    connection.begin("BEGIN ISOLATION LEVEL READ COMMITTED", SHORT_REPLY).await?;
    let outcome = migrate_locked(connection, schema, upgrade).await;
    match &outcome {
        Ok(_) => connection.commit(STATEMENT_TIMEOUT, None).await?,
        Err(_) => connection.rollback(SHORT_REPLY).await,
    }
    outcome
}

/// Whether there is nothing to migrate.
fn is_current(found: i64, upgrade: Upgrade) -> Result<bool, StoreError> {
    match found {
        VERSION => Ok(true),
        0 => Ok(false),
        found if found > VERSION => Err(StoreError::NewerSchema { found, known: VERSION }),
        _ if upgrade == Upgrade::Migrate => Ok(false),
        found => Err(StoreError::OlderSchema { found, known: VERSION }),
    }
}

async fn migrate_locked(connection: &Connection, schema: &str, upgrade: Upgrade) -> Result<i64, Failure> {
    // One program at a time. Until the end of the transaction.
    let lock = "SELECT pg_advisory_xact_lock(hashtextextended('tailor_idp.migrations', 0))";
    connection.query(lock, &[]).await?;
    let found = version(connection, schema).await?;
    if is_current(found, upgrade)? {
        return Ok(found);
    }
    if found == 0 {
        // `IF NOT EXISTS` needs the privilege to create schemas even if it exists.
        let exists = "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1)";
        if !connection.value::<bool>(exists, &[(&schema, Type::TEXT)]).await? {
            connection.script(&format!("CREATE SCHEMA {schema}"), STATEMENT_TIMEOUT).await?;
        }
    }
    let applied = usize::try_from(found).unwrap_or(0);
    for migration in &MIGRATIONS[applied..] {
        connection.script(migration, STATEMENT_TIMEOUT).await?;
    }
    let sql = "INSERT INTO tailor_idp.meta (key, value) VALUES ('schema-version', convert_to($1::bigint::text, 'UTF8'))
               ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    connection.execute(sql, &[(&VERSION, Type::INT8)]).await?;
    Ok(found)
}

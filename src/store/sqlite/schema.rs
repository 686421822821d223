//! The tables, and how older databases become newer ones.

use rusqlite::Connection;
use rusqlite_migration::{M, Migrations, SchemaVersion};

use super::error::map_migration;
use crate::store::StoreError;

/// Append only: a migration that has shipped is never edited.
const MIGRATIONS: &[M<'_>] = &[
    M::up(include_str!("0001_users.sql")),
    M::up(include_str!("0002_rules.sql")),
    M::up(include_str!("0004_sign_in.sql")),
    M::up(include_str!("0005_mail.sql")),
    M::up(include_str!("0006_events.sql")),
];

/// Brings the database up to this program's schema. A database of a newer schema is left alone.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let migrations = Migrations::from_slice(MIGRATIONS);
    // The common case takes no write lock.
    match migrations.current_version(connection).map_err(|error| map_migration(&error))? {
        SchemaVersion::Inside(version) if usize::from(version) == MIGRATIONS.len() => Ok(()),
        SchemaVersion::Outside(_) => {
            let found = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
            Err(StoreError::NewerSchema { found, known: MIGRATIONS.len() as i64 })
        }
        _ => migrations.to_latest(connection).or_else(|error| match migrations.current_version(connection) {
            // Another program did it in the meantime.
            Ok(SchemaVersion::Inside(version)) if usize::from(version) == MIGRATIONS.len() => Ok(()),
            _ => Err(map_migration(&error)),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_migrations_apply_in_order_to_an_empty_database() {
        Migrations::from_slice(MIGRATIONS).validate().unwrap();
    }

    #[test]
    fn factors_without_a_secret_are_gone_after_the_migration_and_their_users_are_not() {
        let mut connection = Connection::open_in_memory().unwrap();
        Migrations::from_slice(&MIGRATIONS[..2]).to_latest(&mut connection).unwrap();
        let rows = "INSERT INTO namespaces (name) VALUES ('home');
                    INSERT INTO users VALUES (1, x'01', 'ana', NULL, 0, 0);
                    INSERT INTO mfa_factors VALUES (1, x'01', x'02');";
        connection.execute_batch(rows).unwrap();
        migrate(&mut connection).unwrap();
        let count = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(count("SELECT count(*) FROM mfa_factors"), 0);
        assert_eq!(count("SELECT count(*) FROM users WHERE name = 'ana'"), 1);
        assert_eq!(count("SELECT user_count FROM namespaces"), 1);
    }

    #[test]
    fn mails_from_before_there_was_a_sender_are_not_sent_years_later() {
        let mut connection = Connection::open_in_memory().unwrap();
        Migrations::from_slice(&MIGRATIONS[..3]).to_latest(&mut connection).unwrap();
        let rows = "INSERT INTO namespaces (name) VALUES ('home');
                    INSERT INTO users VALUES (1, x'01', 'ana', NULL, 0, 0);
                    INSERT INTO reset_mails (namespace_id, user_id, redirect_uri) VALUES (1, x'01', 'https://example.com');";
        connection.execute_batch(rows).unwrap();
        migrate(&mut connection).unwrap();
        let sql = "SELECT state, finished_at > 0 FROM reset_mails";
        let row = connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)));
        assert_eq!(row, Ok(("ended".to_owned(), true)));
    }
}

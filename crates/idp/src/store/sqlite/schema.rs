//! The schema and its migrations.

use rusqlite::Connection;
use rusqlite_migration::{M, Migrations, SchemaVersion};

use super::select_list::scalar;
use crate::store::StoreError;

/// Append only: a migration that has shipped is never edited.
const MIGRATIONS: &[M<'_>] = &[
    M::up(include_str!("migrations/0001_users.sql")),
    M::up(include_str!("migrations/0002_disabled_users.sql")),
    M::up(include_str!("migrations/0003_sign_in.sql")),
    M::up(include_str!("migrations/0004_mail.sql")),
    M::up(include_str!("migrations/0005_events.sql")),
    M::up(include_str!("migrations/0006_jobs.sql")).foreign_key_check(),
];

/// Migrates the database to the current schema. Does not change a database with a newer schema.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let migrations = Migrations::from_slice(MIGRATIONS);
    // The common case takes no write lock.
    match migrations.current_version(connection)? {
        SchemaVersion::Inside(version) if usize::from(version) == MIGRATIONS.len() => Ok(()),
        SchemaVersion::Outside(_) => {
            let found = connection.query_row("PRAGMA user_version", [], scalar)?;
            Err(StoreError::NewerSchema { found, known: MIGRATIONS.len() as i64 })
        }
        _ => migrations.to_latest(connection).or_else(|error| match migrations.current_version(connection) {
            // Another program has migrated it in the meantime.
            Ok(SchemaVersion::Inside(version)) if usize::from(version) == MIGRATIONS.len() => Ok(()),
            _ => Err(error.into()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    /// A database after the first `count` migrations, with these rows.
    fn database(count: usize, rows: &str) -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        Migrations::from_slice(&MIGRATIONS[..count]).to_latest(&mut connection).unwrap();
        connection.execute_batch(rows).unwrap();
        connection
    }

    /// The rows of a query, with the columns separated by `|`.
    fn rows(connection: &Connection, sql: &str) -> Vec<String> {
        let columns = connection.prepare(sql).unwrap();
        let list: Vec<_> = columns.column_names().iter().map(|name| format!("ifnull(t.\"{name}\", '-')")).collect();
        let mut statement =
            connection.prepare(&format!("SELECT '' || {} FROM ({sql}) AS t", list.join(" || '|' || "))).unwrap();
        statement.query_map([], scalar).unwrap().collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn migrations_apply_in_order_to_an_empty_database() {
        Migrations::from_slice(MIGRATIONS).validate().unwrap();
    }

    #[test]
    fn migration_removes_factors_without_secret_and_keeps_their_users() {
        let mut connection = database(
            2,
            "INSERT INTO namespaces (name) VALUES ('home');
             INSERT INTO users VALUES (1, x'01', 'ana', NULL, 0, 0);
             INSERT INTO mfa_factors VALUES (1, x'01', x'02');",
        );
        migrate(&mut connection).unwrap();
        let count = |sql| connection.query_row(sql, [], scalar::<i64>).unwrap();
        assert_eq!(count("SELECT count(*) FROM mfa_factors"), 0);
        assert_eq!(count("SELECT count(*) FROM users WHERE name = 'ana'"), 1);
        assert_eq!(count("SELECT user_count FROM namespaces"), 1);
    }

    #[test]
    fn migration_ends_mails_from_before_mails_were_sent() {
        let mut connection = database(
            3,
            "INSERT INTO namespaces (name) VALUES ('home');
             INSERT INTO users VALUES (1, x'01', 'ana', NULL, 0, 0);
             INSERT INTO reset_mails (namespace_id, user_id, redirect_uri) VALUES (1, x'01', 'https://example.com');",
        );
        migrate(&mut connection).unwrap();
        let row = connection.query_row("SELECT state, finished_at > 0 FROM jobs", [], |row| row.try_into());
        assert_eq!(row, Ok(("ended".to_owned(), true)));
    }

    const BEFORE_JOBS: &str = "
        INSERT INTO namespaces (name) VALUES ('home'), ('work');
        INSERT INTO users (namespace_id, id, name, password_hash, disabled, created_at) VALUES
          (1, x'0a', 'ana', 'hash', 0, 11), (1, x'0b', 'ben', NULL, 1, 12), (2, x'0a', 'ana', NULL, 0, 13);
        INSERT INTO mfa_factors (namespace_id, user_id, id, secret, expires_at, last_step) VALUES
          (1, x'0a', x'f1', x'5e', NULL, 7), (1, x'0b', x'f2', x'5f', 99, NULL);

        INSERT INTO reset_mails (id, namespace_id, user_id, redirect_uri, from_name, subject, state, queued_at, due_at,
                                 finished_at, attempts, claims, last_error) VALUES
          (1, 1, x'0a', 'https://a', NULL, NULL, 'sent',    100, 101, 102, 1, 1, NULL),
          (2, 1, x'0a', 'https://b', 'Us', 'Hi', 'queued',  110, 111, NULL, 2, 2, 'refused'),
          (4, 1, x'0b', 'https://c', NULL, 'Hi', 'sending', 120, 121, NULL, 1, 1, NULL),
          (5, 2, x'0a', 'https://d', 'Us', NULL, 'dead',    130, 131, 132, 8, 8, 'gone'),
          (6, 1, x'0b', 'https://e', NULL, NULL, 'ended',   140, 141, 142, 0, 0, 'not sent'),
          (9, 1, x'0b', 'https://f', NULL, NULL, 'ended',   140, 141, 142, 0, 0, 'not sent');
        DELETE FROM reset_mails WHERE id = 9;
        INSERT INTO reset_tokens (namespace_id, user_id, hash, mail_id, expires_at) VALUES
          (1, x'0a', x'11', 1, 500), (1, x'0b', x'12', 4, 501);

        INSERT INTO events (namespace_id, id, user_id, kind, time) VALUES
          (1, x'e1', x'0a', 'created', 201), (1, x'e2', x'0a', 'updated', 202), (1, x'e3', x'0b', 'created', 203),
          (1, x'e4', x'0c', 'deleted', 204), (1, x'e5', x'0a', 'updated', 205), (2, x'e1', x'0a', 'created', 206);
        INSERT INTO event_consumers (id, namespace_id, name, taken_up) VALUES
          (3, 1, 'hook', x'e4'), (4, 1, 'audit', zeroblob(16)), (7, 2, 'hook', x'e1');
        INSERT INTO event_deliveries (consumer_id, event_id, user_id, state, due, lease, attempts, refusals, reason) VALUES
          (3, x'e1', x'0a', 1, 301, x'1e', 3, 2, 'status 500'), (3, x'e2', x'0a', 0, 302, NULL, 0, 0, NULL),
          (3, x'e3', x'0b', 1, 303, NULL, 1, 0, 'no answer'), (3, x'e4', x'0c', 2, 304, NULL, 9, 9, 'status 410'),
          (7, x'e1', x'0a', 1, 305, NULL, 0, 0, NULL);";

    #[test]
    fn migration_to_jobs_keeps_all_rows() {
        let mut connection = database(5, BEFORE_JOBS);
        migrate(&mut connection).unwrap();

        let users = "SELECT namespace_id, hex(id) AS i, name, password_hash, disabled, created_at, version FROM users";
        assert_eq!(rows(&connection, users), ["1|0A|ana|hash|0|11|1", "1|0B|ben|-|1|12|1", "2|0A|ana|-|0|13|1"]);
        let namespaces = "SELECT id, name, user_count, hex(newest_id) AS u, hex(newest_event_id) AS e FROM namespaces";
        assert_eq!(rows(&connection, namespaces), ["1|home|2|0B|E5", "2|work|1|0A|E1"]);
        let factors = "SELECT namespace_id, hex(user_id) AS u, hex(id) AS i, hex(secret) AS s, expires_at, last_step
                       FROM mfa_factors";
        assert_eq!(rows(&connection, factors), ["1|0A|F1|5E|-|7", "1|0B|F2|5F|99|-"]);

        let mails = "SELECT j.id, q.namespace_id, hex(j.user_id) AS u, j.payload, j.state, j.queued_at, j.due_at,
                       j.finished_at, j.lease IS NOT NULL AS l, j.attempts, j.refusals, j.reason
                     FROM jobs AS j JOIN queues AS q ON q.id = j.queue_id WHERE q.kind = 'reset-mails' ORDER BY j.id";
        let expected = [
            r#"1|1|0A|{"redirectUri":"https://a","fromName":null,"subject":null}|done|100|101|102|0|1|0|-"#,
            r#"2|1|0A|{"redirectUri":"https://b","fromName":"Us","subject":"Hi"}|queued|110|111|-|0|2|0|refused"#,
            r#"4|1|0B|{"redirectUri":"https://c","fromName":null,"subject":"Hi"}|leased|120|121|-|1|1|0|-"#,
            r#"5|2|0A|{"redirectUri":"https://d","fromName":"Us","subject":null}|dead|130|131|132|0|8|0|gone"#,
            r#"6|1|0B|{"redirectUri":"https://e","fromName":null,"subject":null}|ended|140|141|142|0|0|0|not sent"#,
        ];
        assert_eq!(rows(&connection, mails), expected);
        let tokens = "SELECT namespace_id, hex(user_id) AS u, hex(hash) AS h, job_id, expires_at FROM reset_tokens";
        assert_eq!(rows(&connection, tokens), ["1|0A|11|1|500", "1|0B|12|4|501"]);

        let events = "SELECT namespace_id, hex(id) AS i, hex(user_id) AS u, kind, time FROM events";
        let expected = [
            "1|E1|0A|created|201",
            "1|E2|0A|updated|202",
            "1|E3|0B|created|203",
            "1|E4|0C|deleted|204",
            "1|E5|0A|updated|205",
            "2|E1|0A|created|206",
        ];
        assert_eq!(rows(&connection, events), expected);
        let zeros = "00".repeat(16);
        let consumers = "SELECT namespace_id, name, hex(taken_up) AS t FROM queues WHERE kind = 'events' ORDER BY id";
        assert_eq!(
            rows(&connection, consumers),
            ["1|hook|E4".to_owned(), format!("1|audit|{zeros}"), "2|hook|E1".to_owned()]
        );
        // Above the ids of all mails, deleted ones too.
        let deliveries =
            "SELECT j.id, q.namespace_id, q.name, hex(j.event_id) AS e, hex(j.user_id) AS u, j.payload, j.state,
                            j.queued_at, j.due_at, j.finished_at, hex(j.lease) AS l, j.attempts, j.refusals, j.reason
                          FROM jobs AS j JOIN queues AS q ON q.id = j.queue_id WHERE q.kind = 'events' ORDER BY j.id";
        let expected = [
            "10|1|hook|E1|0A||leased|201|301|-|1E|3|2|status 500",
            "11|1|hook|E2|0A||waiting|202|302|-||0|0|-",
            "12|1|hook|E3|0B||queued|203|303|-||1|0|no answer",
            "13|1|hook|E4|0C||dead|204|304|304||9|9|status 410",
            "14|2|hook|E1|0A||queued|206|305|-||0|0|-",
        ];
        assert_eq!(rows(&connection, deliveries), expected);
        let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
        let expected =
            ["counters", "events", "jobs", "meta", "mfa_factors", "namespaces", "queues", "reset_tokens", "users"];
        assert_eq!(rows(&connection, tables), expected);
    }

    #[test]
    fn migration_to_jobs_does_not_reuse_ids_when_all_mails_were_deleted() {
        let mut connection = database(5, BEFORE_JOBS);
        connection.execute_batch("DELETE FROM reset_mails; DELETE FROM event_deliveries;").unwrap();
        migrate(&mut connection).unwrap();
        let insert = "INSERT INTO jobs (queue_id, user_id, payload, state, queued_at, due_at)
                      SELECT id, x'0a', '', 'queued', 0, 0 FROM queues LIMIT 1";
        connection.execute(insert, []).unwrap();
        assert_eq!(connection.last_insert_rowid(), 10);
    }

    #[test]
    fn deleting_a_job_after_the_migration_deletes_its_token() {
        let mut connection = database(5, BEFORE_JOBS);
        migrate(&mut connection).unwrap();
        connection.execute_batch("PRAGMA foreign_keys = ON; DELETE FROM jobs WHERE id = 1").unwrap();
        assert_eq!(rows(&connection, "SELECT job_id FROM reset_tokens"), ["4"]);
    }
}

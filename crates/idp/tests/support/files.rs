//! Database files as tests see them: damage, and whether they are intact. Shared by the tests of both packages.

use std::path::Path;

use rusqlite::Connection;

/// What a damaged database is reported as.
pub(crate) const DAMAGED: &str = "the database is damaged (database disk image is malformed): restore it from a backup";

/// Changes the bytes of a file.
pub(crate) fn overwrite(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(path).unwrap();
    change(&mut bytes);
    std::fs::write(path, bytes).unwrap();
}

/// Overwrites all leaf pages of the users and of the index of their names. The database can still be opened.
pub(crate) fn overwrite_users(path: &Path) {
    let raw = Connection::open(path).unwrap();
    let sql = "SELECT pageno FROM dbstat WHERE name IN ('users', 'users_by_name') AND pagetype = 'leaf'";
    let pages: Vec<u32> =
        raw.prepare(sql).unwrap().query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    drop(raw);
    assert!(pages.len() > 10, "{pages:?}");
    overwrite(path, |bytes| {
        for page in pages.into_iter().map(|page| page as usize) {
            bytes[(page - 1) * 4096..page * 4096].fill(0xab);
        }
    });
}

/// Checks that a database is intact, its counts of users are right, and it has an event for every user or for none. Returns the
/// number of events.
pub(crate) fn check_file(path: &Path) -> i64 {
    let file = Connection::open(path).unwrap();
    let intact: String = file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(intact, "ok");
    let sql = "SELECT total(user_count) = (SELECT count(*) FROM users)
                      AND min(user_count = (SELECT count(*) FROM users WHERE namespace_id = namespaces.id)) FROM namespaces";
    assert!(file.query_row(sql, [], |row| row.get::<_, bool>(0)).unwrap(), "a count of users is wrong");
    let sql = "SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM users)";
    let (events, users) = file.query_row(sql, [], |row| <(i64, i64)>::try_from(row)).unwrap();
    assert!(events == 0 || events == users, "{events} events of {users} users");
    events
}

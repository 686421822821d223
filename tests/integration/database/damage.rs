//! Files that are not intact databases: the program names what is wrong with the file, and exits with 1; with
//! 2 if the path cannot be that of a database.

use std::path::Path;

use pretty_assertions::assert_eq;
use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;

use super::{place, place_with_users, program_on};
use crate::database_files::{DAMAGED, overwrite, overwrite_users};
use crate::support::End;

/// Checks that commands that create missing databases refuse this file with this exit code and text.
fn check_refused(path: &Path, code: i32, expected: &str) {
    let scratch = TempDir::new().unwrap();
    let script = scratch.path().join("script.js");
    std::fs::write(&script, "export default () => 'never run'").unwrap();
    for arguments in [["users", "create", "ana@example.com"], ["run", script.to_str().unwrap(), "--arg={}"]] {
        let end = End::of(&mut program_on(path, &arguments));
        let stderr = format!("error: {}: {expected}\n", path.display());
        assert_eq!(end, End { code: Some(code), stdout: String::new(), stderr });
    }
}

#[tokio::test]
async fn users_commands_fail_when_pages_are_overwritten() {
    let (_folder, path) = place_with_users(600).await;
    overwrite_users(&path);
    for arguments in [["users", "list"].as_slice(), &["users", "create", "user300.5@example.com"]] {
        let end = End::of(&mut program_on(&path, arguments));
        assert_eq!((end.code, end.stdout.as_str()), (Some(1), ""), "{}", end.stderr);
        let last = end.stderr.lines().last();
        assert_eq!(last, Some(format!("error: internal error: {DAMAGED}").as_str()), "{}", end.stderr);
    }
}

#[tokio::test]
async fn script_gets_internal_error_without_detail_when_pages_are_overwritten() {
    let (folder, path) = place_with_users(600).await;
    overwrite_users(&path);
    let script = folder.path().join("script.js");
    let text = "export default async () => {
        try { await new tailor.idp.Client('builtin-idp').users(); } catch (e) { return [e.code, e.message]; }
    };";
    std::fs::write(&script, text).unwrap();
    let end = End::of(&mut program_on(&path, &["run", script.to_str().unwrap()]));
    let message = "users failed: code: 'Internal error', message: \"internal error\"";
    assert_eq!(end.json(), json!(["INTERNAL", message]));
    assert!(end.stderr.contains(DAMAGED), "the log has the detail: {}", end.stderr);
}

#[tokio::test]
async fn program_reports_truncated_file_as_damaged() {
    let (_folder, path) = place_with_users(600).await;
    overwrite(&path, |bytes| bytes.truncate(bytes.len() / 2));
    check_refused(&path, 1, DAMAGED);
}

#[test]
fn program_refuses_text_file() {
    let (_folder, path) = place();
    std::fs::write(&path, "short\n").unwrap();
    check_refused(&path, 2, "the file is not a SQLite database");
}

#[test]
fn program_refuses_database_of_another_program() {
    let (_folder, path) = place();
    let sql = "CREATE TABLE recipes (name); INSERT INTO recipes VALUES ('soup')";
    Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    check_refused(&path, 1, "cannot open the database: it is the database of another program (it has \"recipes\")");
}

#[tokio::test]
async fn program_refuses_newer_schema() {
    let (_folder, path) = place_with_users(1).await;
    let raw = Connection::open(&path).unwrap();
    let known: i64 = raw.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    raw.execute_batch("PRAGMA user_version = 99").unwrap();
    drop(raw);
    let text = format!(
        "the database has schema version 99, and this program knows versions up to {known}: use a newer program"
    );
    check_refused(&path, 1, &text);
}

#[cfg(unix)]
#[test]
fn program_names_missing_folders_and_paths_that_are_not_files() {
    let folder = TempDir::new().unwrap();
    let missing = folder.path().join("missing");
    let text = format!("cannot open the database: there is no folder {}", missing.display());
    check_refused(&missing.join("users.db"), 2, &text);
    check_refused(folder.path(), 2, "cannot open the database: Is a directory (os error 21)");
    assert!(!missing.exists(), "no folder is created");
}

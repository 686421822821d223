//! Files that are no sound database of ours: each says what it is, and the program says it on stderr and exits with 1.

use super::{Plain, Store};
use std::path::{Path, PathBuf};

use futures::future::join_all;
use pretty_assertions::assert_eq;
use rusqlite::Connection;
use tailor_idp::store::{PageRequest, Predicate, SqliteDatabase, StoreError};
use tempfile::TempDir;

use super::{insert, user};
use crate::support::{End, namespace, program};

const DAMAGED: &str = "the database is damaged (database disk image is malformed): restore it from a backup";

/// A folder with a sound database of several hundred users in it, and the path of the database.
async fn sound() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("users.db");
    let store: Store =
        Plain::of(SqliteDatabase::open(&path).unwrap().namespace(&namespace("builtin-idp")).await.unwrap());
    join_all((0..600).map(|n| insert(&store, format!("user{n}")))).await;
    (folder, path)
}

fn overwrite(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(path).unwrap();
    change(&mut bytes);
    std::fs::write(path, bytes).unwrap();
}

/// Overwrites what the file holds beyond an empty database, but for the last pages.
async fn overwrite_users(path: &Path) {
    let folder = TempDir::new().unwrap();
    let empty = folder.path().join("empty.db");
    SqliteDatabase::open(&empty).unwrap().namespace(&namespace("builtin-idp")).await.unwrap();
    let start = std::fs::metadata(&empty).unwrap().len() as usize;
    overwrite(path, |bytes| {
        let end = bytes.len() - 2 * 4096;
        bytes[start..end].fill(0xab);
    });
}

/// What the program says where the file cannot even be opened: the same for each command that may make a database.
fn refusals(path: &Path) -> Vec<String> {
    let scratch = TempDir::new().unwrap();
    let script = scratch.path().join("script.js");
    std::fs::write(&script, "export default () => 'never run'").unwrap();
    let commands = [["users", "create", "ana@example.com"], ["run", script.to_str().unwrap(), "--arg={}"]];
    let refusal = |arguments: [&str; 3]| {
        let End { code, stdout, stderr } = End::of(program().args(arguments).arg("--db").arg(path));
        assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
        stderr
    };
    let mut refusals: Vec<_> = commands.into_iter().map(refusal).collect();
    refusals.dedup();
    refusals
}

/// Checks what opening the file says, in the library and in the program.
fn check_refused(path: &Path, expected: &str) {
    let error = SqliteDatabase::open(path).unwrap_err();
    assert_eq!(error.to_string(), expected);
    assert_eq!(refusals(path), [format!("error: {}: {expected}\n", path.display())]);
}

#[tokio::test]
async fn pages_overwritten_in_the_middle_are_found_when_they_are_read_or_written() {
    let (_folder, path) = sound().await;
    overwrite_users(&path).await;
    let store = Plain::of(SqliteDatabase::open(&path).unwrap().namespace(&namespace("builtin-idp")).await.unwrap());
    let everyone = PageRequest { query: Default::default(), visible: Predicate::everybody(), after: None, limit: 1000 };
    let read = store.list(everyone).await.unwrap_err();
    let written = store.insert(user("user300.5")).await.unwrap_err();
    for error in [read, written] {
        assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
        assert_eq!(error.to_string(), DAMAGED);
    }
    drop(store);
    for arguments in [["users", "list"].as_slice(), &["users", "create", "user300.5@example.com"]] {
        let end = End::of(program().args(arguments).arg("--db").arg(&path));
        assert_eq!((end.code, end.stdout.as_str()), (Some(1), ""), "{}", end.stderr);
        let last = end.stderr.lines().last();
        assert_eq!(last, Some(format!("error: internal error: {DAMAGED}").as_str()), "{}", end.stderr);
    }
}

#[tokio::test]
async fn a_script_over_a_damaged_database_learns_no_more_than_that_something_failed() {
    let (folder, path) = sound().await;
    overwrite_users(&path).await;
    let script = folder.path().join("script.js");
    let text = "export default async () => {
        try { await new tailor.idp.Client('builtin-idp').users(); } catch (e) { return [e.code, e.message]; }
    };";
    std::fs::write(&script, text).unwrap();
    let end = End::of(program().arg("run").arg(&script).arg("--db").arg(&path));
    let message = "users failed: code: 'Internal error', message: \"internal error\"";
    assert_eq!(end.json(), serde_json::json!(["INTERNAL", message]));
    assert!(end.stderr.contains(DAMAGED), "the host's log says more: {}", end.stderr);
}

#[tokio::test]
async fn a_file_that_was_cut_off_is_damaged() {
    let (_folder, path) = sound().await;
    overwrite(&path, |bytes| bytes.truncate(bytes.len() / 2));
    check_refused(&path, DAMAGED);
}

#[tokio::test]
async fn a_file_with_an_overwritten_schema_is_damaged() {
    let (_folder, path) = sound().await;
    overwrite(&path, |bytes| bytes[100..4096].fill(0xab));
    check_refused(&path, DAMAGED);
}

#[tokio::test]
async fn a_file_without_sqlites_header_is_not_a_database() {
    let (_folder, path) = sound().await;
    overwrite(&path, |bytes| bytes[..100].fill(0xab));
    check_refused(&path, "the file is not a SQLite database");
}

#[test]
fn a_text_is_not_a_database() {
    let folder = TempDir::new().unwrap();
    for text in ["short\n".to_owned(), "a longer text\n".repeat(1000)] {
        let path = folder.path().join("text.db");
        std::fs::write(&path, &text).unwrap();
        check_refused(&path, "the file is not a SQLite database");
        assert!(std::fs::read_to_string(&path).unwrap() == text, "the text is left as it was");
    }
}

#[test]
fn an_empty_file_becomes_a_database() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("empty.db");
    std::fs::write(&path, "").unwrap();
    let create = End::of(program().args(["users", "create", "ana@example.com", "--db"]).arg(&path));
    assert_eq!((create.code, create.stderr.as_str()), (Some(0), ""));
}

#[test]
fn another_programs_database_is_left_alone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("other.db");
    let other = Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE recipes (name); INSERT INTO recipes VALUES ('soup')").unwrap();
    drop(other);
    let before = std::fs::read(&path).unwrap();
    let reason = "it is the database of another program (it has \"recipes\")";
    check_refused(&path, &format!("cannot open the database: {reason}"));
    assert!(std::fs::read(&path).unwrap() == before, "not a byte has changed");
}

#[tokio::test]
async fn a_database_of_a_newer_schema_is_left_alone() {
    let (_folder, path) = sound().await;
    Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    let before = std::fs::read(&path).unwrap();
    let error = SqliteDatabase::open(&path).unwrap_err();
    assert!(matches!(error, StoreError::NewerSchema { found: 99, known } if known < 99), "{error:?}");
    let StoreError::NewerSchema { known, .. } = error else { unreachable!("checked above") };
    let text = format!(
        "the database has schema version 99, and this program knows versions up to {known}: use a newer program"
    );
    check_refused(&path, &text);
    assert!(std::fs::read(&path).unwrap() == before, "not a byte has changed");
}

#[test]
fn a_missing_folder_and_what_is_no_folder_are_named() {
    let folder = TempDir::new().unwrap();
    let missing = folder.path().join("missing");
    let text = format!("cannot open the database: there is no folder {}", missing.display());
    check_refused(&missing.join("users.db"), &text);
    check_refused(folder.path(), "cannot open the database: Is a directory (os error 21)");
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    check_refused(&file.join("users.db"), "cannot open the database: Not a directory (os error 20)");
    assert!(!folder.path().join("missing").exists(), "no folder is made");
}

#[test]
fn a_look_into_a_database_that_is_not_there_makes_none() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("users.db");
    let list = End::of(program().args(["users", "list", "--db"]).arg(&path));
    let text = format!("error: there is no database at {}\n", path.display());
    assert_eq!(list, End { code: Some(2), stdout: String::new(), stderr: text });
    assert!(!path.exists());
}

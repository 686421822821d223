//! Files that are not intact databases of this program: each error names what is wrong with the file.

use std::path::{Path, PathBuf};

use futures::future::join_all;
use pretty_assertions::assert_eq;
use rusqlite::Connection;
use tailor_idp_core::store::{PageRequest, SqliteDatabase, StoreError};
use tailor_idp_core::{
    CallContext, Code, CreateUser, IdentityProvider, InvalidPasswordHash, NamespaceSettings, Predicate, Principal,
    Router, UpdateUser, UserKey,
};
use tempfile::TempDir;

use crate::database_files::{DAMAGED, overwrite, overwrite_users};
use crate::support::{add_factor, by_name, create, insert, namespace, open, place, total, user};

/// A folder with an intact database of several hundred users, and the path of the database.
async fn intact() -> (TempDir, PathBuf) {
    let (folder, path) = place();
    let store = open(&path, "builtin-idp").await;
    join_all((0..600).map(|n| insert(&store, format!("user{n}")))).await;
    (folder, path)
}

#[track_caller]
fn check_refused(path: &Path, expected: &str) {
    let error = SqliteDatabase::open(path).unwrap_err();
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn reads_and_writes_fail_when_pages_are_overwritten() {
    let (_folder, path) = intact().await;
    overwrite_users(&path);
    let store = open(&path, "builtin-idp").await;
    let everyone = PageRequest { filter: Predicate::everybody(), after: None, limit: 1000 };
    let read = store.list(everyone).await.unwrap_err();
    let written = create(&store, user("user300.5")).await.unwrap_err();
    for error in [read, written] {
        assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
        assert_eq!(error.to_string(), DAMAGED);
    }
}

#[tokio::test]
async fn malformed_hash_leaves_the_user_and_the_factors_readable() {
    let (_folder, path) = intact().await;
    let store = open(&path, "builtin-idp").await;
    let user = by_name(&store, "user7").await.unwrap();
    let factor = add_factor(&store, &user.id).await;
    let raw = Connection::open(&path).unwrap();
    raw.execute("UPDATE users SET password_hash = 'plain text' WHERE name = 'user7'", []).unwrap();
    let credentials = store.credentials(UserKey::Name("user7")).await.unwrap().unwrap();
    assert_eq!((credentials.user.id, credentials.factors), (user.id, vec![factor]));
    assert_eq!(credentials.password, Err(InvalidPasswordHash::Unknown));
}

#[tokio::test]
async fn malformed_hash_fails_sign_in_until_the_password_is_removed() {
    let (_folder, path) = place();
    let users = || namespace("users");
    let store = open(&path, "users").await;
    let idp = Router::builder().namespace(users(), store, NamespaceSettings::default()).build();
    let host = CallContext::new(users(), Principal::Host);
    let request = CreateUser { name: "ana@example.com".into(), ..CreateUser::default() };
    let ana = idp.create_user(&host, request).await.unwrap();
    let raw = Connection::open(&path).unwrap();
    raw.execute("UPDATE users SET password_hash = 'plain text'", []).unwrap();
    let sign_in = || idp.verify_password("users", "ana@example.com", "plain text".into());
    let error = sign_in().await.unwrap_err();
    assert_eq!((error.code(), error.detail()), (Code::Internal, "internal error"));
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains(&ana.id) && !source.contains("plain text"), "{source}");
    let clear = UpdateUser { id: ana.id, clear_password: true, ..UpdateUser::default() };
    idp.update_user(&host, clear).await.unwrap();
    assert!(sign_in().await.unwrap().is_none());
    let stored: Option<String> = raw.query_row("SELECT password_hash FROM users", [], |row| row.get(0)).unwrap();
    assert_eq!(stored, None);
}

#[tokio::test]
async fn open_reports_a_truncated_file_as_damaged() {
    let (_folder, path) = intact().await;
    overwrite(&path, |bytes| bytes.truncate(bytes.len() / 2));
    check_refused(&path, DAMAGED);
}

#[tokio::test]
async fn open_reports_an_overwritten_schema_as_damaged() {
    let (_folder, path) = intact().await;
    overwrite(&path, |bytes| bytes[100..4096].fill(0xab));
    check_refused(&path, DAMAGED);
}

#[tokio::test]
async fn open_refuses_a_file_without_a_sqlite_header() {
    let (_folder, path) = intact().await;
    overwrite(&path, |bytes| bytes[..100].fill(0xab));
    check_refused(&path, "the file is not a SQLite database");
}

#[test]
fn open_refuses_a_text_file_and_leaves_it_unchanged() {
    let (_folder, path) = place();
    for text in ["short\n".to_owned(), "a longer text\n".repeat(1000)] {
        std::fs::write(&path, &text).unwrap();
        check_refused(&path, "the file is not a SQLite database");
        assert!(std::fs::read_to_string(&path).unwrap() == text);
    }
}

#[tokio::test]
async fn open_turns_an_empty_file_into_a_database() {
    let (_folder, path) = place();
    std::fs::write(&path, "").unwrap();
    let store = open(&path, "builtin-idp").await;
    insert(&store, "ana").await;
    assert_eq!(total(&store).await, 1);
}

#[test]
fn open_refuses_a_database_of_another_program_and_leaves_it_unchanged() {
    let (_folder, path) = place();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE recipes (name); INSERT INTO recipes VALUES ('soup')").unwrap();
    drop(other);
    let before = std::fs::read(&path).unwrap();
    let reason = "it is the database of another program (it has \"recipes\")";
    check_refused(&path, &format!("cannot open the database: {reason}"));
    assert!(std::fs::read(&path).unwrap() == before);
}

#[tokio::test]
async fn open_refuses_a_newer_schema_and_leaves_it_unchanged() {
    let (_folder, path) = intact().await;
    Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    let before = std::fs::read(&path).unwrap();
    let error = SqliteDatabase::open(&path).unwrap_err();
    assert!(matches!(error, StoreError::NewerSchema { found: 99, known } if known < 99), "{error:?}");
    let StoreError::NewerSchema { known, .. } = error else { unreachable!("checked above") };
    let text = format!(
        "the database has schema version 99, and this program knows versions up to {known}: use a newer program"
    );
    check_refused(&path, &text);
    assert!(std::fs::read(&path).unwrap() == before);
}

#[cfg(unix)]
#[test]
fn open_names_missing_folders_and_paths_that_are_not_files() {
    let folder = TempDir::new().unwrap();
    let missing = folder.path().join("missing");
    let text = format!("cannot open the database: there is no folder {}", missing.display());
    check_refused(&missing.join("users.db"), &text);
    check_refused(folder.path(), "cannot open the database: Is a directory (os error 21)");
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    check_refused(&file.join("users.db"), "cannot open the database: Not a directory (os error 20)");
    assert!(!missing.exists(), "no folder is created");
}

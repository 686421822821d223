//! Databases that another program keeps locked.

use pretty_assertions::assert_eq;
use rusqlite::Connection;
use serde_json::json;

use super::{FILL, place_with_users, program_on};
use crate::support::End;

const LOCKED: &str = "the database is locked: another program has been writing to it for over 5 s";

/// Each write waits for five seconds, so one test checks all commands at once.
#[tokio::test]
async fn writes_fail_and_reads_succeed_while_another_program_holds_the_lock() {
    let (folder, path) = place_with_users(1).await;
    let script = folder.path().join("fill.js");
    std::fs::write(&script, FILL).unwrap();
    let raw = Connection::open(&path).unwrap();
    raw.execute_batch("BEGIN IMMEDIATE").unwrap();

    let run = |arguments: &[&str]| {
        let mut command = program_on(&path, arguments);
        std::thread::spawn(move || End::of(&mut command))
    };
    let create = run(&["users", "create", "bo@example.com"]);
    let create_namespace = run(&["users", "create", "bo@example.com", "--namespace", "new-one"]);
    let fill = run(&["run", script.to_str().unwrap(), "--arg", r#"{"to":1}"#]);
    let list = run(&["users", "list", "--json"]);

    let (create, create_namespace) = (create.join().unwrap(), create_namespace.join().unwrap());
    assert_eq!((create.code, create_namespace.code), (Some(1), Some(1)));
    let last = |end: &End| end.stderr.lines().last().unwrap_or_default().to_owned();
    assert_eq!(last(&create), format!("error: the user store is busy, try again: {LOCKED}"));
    assert_eq!(last(&create_namespace), format!("error: namespace new-one: {LOCKED}"));
    let message = "createUser failed: code: 'The service is currently unavailable', \
                   message: \"the user store is busy, try again\"";
    assert_eq!(fill.join().unwrap().json(), json!([0, "UNAVAILABLE", message]));
    assert_eq!(list.join().unwrap().json()["totalCount"], 1);

    raw.execute_batch("ROLLBACK").unwrap();
    let create = End::of(&mut program_on(&path, &["users", "create", "bo@example.com"]));
    assert_eq!((create.code, create.stderr.as_str()), (Some(0), ""));
}

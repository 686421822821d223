//! Several processes on one file. Each is this test binary, run for the one ignored test below.

use std::path::Path;
use std::process::Command;

use pretty_assertions::assert_eq;
use tailor_idp_core::store::SqliteDatabase;

use crate::support::{create, everyone, namespace, open, place, total, user};

/// The path of the database.
const DATABASE: &str = "TAILOR_IDP_TEST_DATABASE";
/// The name of the user to create.
const USER: &str = "TAILOR_IDP_TEST_USER";
/// The path of the file to which the process writes its outcome.
const OUTCOME: &str = "TAILOR_IDP_TEST_OUTCOME";

/// Runs `program`, a copy of this test binary, as a process that creates a user and writes the outcome to a file: `ok` or
/// the error.
pub(crate) fn creating(program: &Path, database: &Path, name: &str, outcome: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(["processes::child_creates_a_user", "--exact", "--ignored"]);
    command.env(DATABASE, database).env(USER, name).env(OUTCOME, outcome).env("RUST_BACKTRACE", "0");
    command
}

#[tokio::test]
#[ignore = "run as a process of its own by other tests"]
async fn child_creates_a_user() {
    let Some(path) = std::env::var_os(DATABASE) else { return };
    let name = std::env::var(USER).unwrap();
    let attempt = async {
        let store = SqliteDatabase::open(&path)?.namespace(&namespace("users")).await?;
        let store: crate::support::Shared = std::sync::Arc::new(store);
        create(&store, user(name)).await
    };
    let outcome = attempt.await.map_or_else(|error| error.to_string(), |_| "ok".to_owned());
    std::fs::write(std::env::var_os(OUTCOME).unwrap(), outcome).unwrap();
}

#[tokio::test]
async fn processes_that_create_one_new_database_at_once_all_succeed() {
    let program = std::env::current_exe().unwrap();
    for round in 0..6 {
        let (folder, path) = place();
        let outcome = |index: usize| folder.path().join(format!("outcome{index}"));
        let children: Vec<_> = (0..8)
            .map(|index| {
                let mut command = creating(&program, &path, &format!("user{index}"), &outcome(index));
                std::thread::spawn(move || command.output().unwrap())
            })
            .collect();
        for (index, child) in children.into_iter().enumerate() {
            let output = child.join().unwrap();
            assert!(output.status.success(), "round {round}: {}", String::from_utf8_lossy(&output.stdout));
            assert_eq!(std::fs::read_to_string(outcome(index)).unwrap(), "ok", "round {round}");
        }
        assert_eq!(total(&open(&path, "users").await).await, 8);
    }
}

#[tokio::test]
async fn users_of_another_process_are_seen_at_once() {
    let (folder, path) = place();
    let store = open(&path, "users").await;
    let outcome = folder.path().join("outcome");
    for (name, expected) in [("ana", "ok"), ("bo", "ok"), ("ana", "another user has that name")] {
        let output = creating(&std::env::current_exe().unwrap(), &path, name, &outcome).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        assert_eq!(std::fs::read_to_string(&outcome).unwrap(), expected);
    }
    let everyone = everyone(&store).await;
    assert_eq!(crate::support::names(&everyone), ["ana", "bo"]);
}

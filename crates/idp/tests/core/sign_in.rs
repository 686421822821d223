//! Limits on failed sign-in attempts across processes and restarts. Each process is this test binary, run for the one
//! ignored test below.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pretty_assertions::assert_eq;
use rusqlite::Connection;
use tailor_idp_core::store::SqliteDatabase;
use tailor_idp_core::{
    AttemptLimits, CallContext, Code, CreateUser, HashCost, IdentityProvider, NamespaceSettings, Principal, Router,
};

use crate::support::{namespace, place};

/// The path of the database.
const DATABASE: &str = "TAILOR_IDP_TEST_DATABASE";
/// The number of attempts to make.
const ATTEMPTS: &str = "TAILOR_IDP_TEST_ATTEMPTS";
/// The path of the file to which the process writes the number of attempts that were not refused.
const OUTCOME: &str = "TAILOR_IDP_TEST_OUTCOME";
/// A file that the process creates, and one that it waits for, before its first attempt.
const RENDEZVOUS: [&str; 2] = ["TAILOR_IDP_TEST_READY", "TAILOR_IDP_TEST_WAIT_FOR"];

/// The number of attempts that may fail.
const LIMIT: u32 = 20;

const NAME: &str = "ana@example.com";

async fn router(database: &Path) -> Router {
    let store = SqliteDatabase::open(database).unwrap().namespace(&namespace("users")).await.unwrap();
    let limits = AttemptLimits { per_user: LIMIT, ..AttemptLimits::default() };
    Router::builder()
        .namespace(namespace("users"), Arc::new(store), NamespaceSettings::default().attempt_limits(limits))
        .hash_cost(HashCost::danger_cheap_for_tests())
        .build()
}

/// A database with the user, whose password is `correct horse`.
async fn prepare(database: &Path) {
    let host = CallContext::new(namespace("users"), Principal::Host);
    let user = CreateUser { name: NAME.into(), password: Some("correct horse".into()), disabled: false };
    router(database).await.create_user(&host, user).await.unwrap();
}

/// The number of attempts, of so many, that failed and were not refused.
async fn fail(idp: &Router, attempts: u32) -> u32 {
    let mut failed = 0;
    for _ in 0..attempts {
        match idp.verify_password("users", NAME, "wrong".into()).await {
            Ok(user) => {
                assert_eq!(user, None);
                failed += 1;
            }
            Err(error) => assert_eq!(error.code(), Code::ResourceExhausted, "{error}"),
        }
    }
    failed
}

/// A process that makes attempts.
fn attempting(database: &Path, attempts: u32, outcome: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["sign_in::child_fails_attempts", "--exact", "--ignored"]);
    command.env(DATABASE, database).env(ATTEMPTS, attempts.to_string()).env(OUTCOME, outcome);
    command
}

/// Runs the process, and returns the number of its attempts that were not refused.
fn run(command: &mut Command, outcome: &Path) -> u32 {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    std::fs::read_to_string(outcome).unwrap().parse().unwrap()
}

#[tokio::test]
#[ignore = "run as a process of its own by other tests"]
async fn child_fails_attempts() {
    let Some(database) = std::env::var_os(DATABASE) else { return };
    let idp = router(Path::new(&database)).await;
    if let [Some(ready), Some(peer)] = RENDEZVOUS.map(|name| std::env::var_os(name).map(PathBuf::from)) {
        std::fs::write(ready, "").unwrap();
        let started = Instant::now();
        while !peer.exists() {
            assert!(started.elapsed() < Duration::from_secs(60), "the other process did not start");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    let failed = fail(&idp, std::env::var(ATTEMPTS).unwrap().parse().unwrap()).await;
    std::fs::write(std::env::var_os(OUTCOME).unwrap(), failed.to_string()).unwrap();
}

#[tokio::test]
async fn concurrent_processes_do_not_exceed_the_limit_together() {
    for round in 0..3 {
        let (folder, database) = place();
        prepare(&database).await;
        let file = |name: &str| folder.path().join(name);
        let children = [("one", "two"), ("two", "one")].map(|(name, peer)| {
            let outcome = file(&format!("{name}-outcome"));
            let mut command = attempting(&database, LIMIT, &outcome);
            command.env(RENDEZVOUS[0], file(name)).env(RENDEZVOUS[1], file(peer));
            std::thread::spawn(move || run(&mut command, &outcome))
        });
        let failed = children.map(|child| child.join().unwrap());
        assert_eq!(failed.iter().sum::<u32>(), LIMIT, "round {round}: {failed:?}");
        let error = router(&database).await.verify_password("users", NAME, "correct horse".into()).await.unwrap_err();
        assert_eq!(error.code(), Code::ResourceExhausted);
    }
}

#[tokio::test]
async fn count_continues_when_the_process_restarts() {
    let (folder, database) = place();
    prepare(&database).await;
    let outcome = folder.path().join("outcome");
    for expected in [7, 7, 6, 0] {
        assert_eq!(run(&mut attempting(&database, 7, &outcome), &outcome), expected);
    }
}

#[tokio::test]
async fn success_resets_the_count_of_other_processes() {
    let (folder, database) = place();
    prepare(&database).await;
    let outcome = folder.path().join("outcome");
    let idp = router(&database).await;
    for _ in 0..2 {
        assert_eq!(run(&mut attempting(&database, LIMIT - 1, &outcome), &outcome), LIMIT - 1);
        let signed_in = idp.verify_password("users", NAME, "correct horse".into()).await.unwrap();
        assert!(signed_in.is_some());
    }
    assert_eq!(fail(&idp, LIMIT + 1).await, LIMIT);
}

#[tokio::test]
async fn attempts_do_not_count_when_the_store_fails() {
    let (_folder, database) = place();
    prepare(&database).await;
    let idp = router(&database).await;
    assert_eq!(fail(&idp, LIMIT - 1).await, LIMIT - 1);
    let raw = Connection::open(&database).unwrap();
    let sql = "UPDATE users SET password_hash = ?";
    let hash: String = raw.query_row("SELECT password_hash FROM users", [], |row| row.get(0)).unwrap();
    raw.execute(sql, ["malformed"]).unwrap();
    for _ in 0..=LIMIT {
        let error = idp.verify_password("users", NAME, "correct horse".into()).await.unwrap_err();
        assert_eq!((error.code(), error.detail()), (Code::Internal, "internal error"));
    }
    raw.execute(sql, [hash]).unwrap();
    assert!(idp.verify_password("users", NAME, "correct horse".into()).await.unwrap().is_some());
}

/// Makes the database refuse to reset counters.
fn keep_counters(raw: &Connection) {
    let trigger = "CREATE TRIGGER keep_counters BEFORE DELETE ON counters BEGIN SELECT RAISE(ABORT, 'kept'); END";
    raw.execute_batch(trigger).unwrap();
}

#[tokio::test]
async fn right_password_signs_in_when_the_counters_cannot_be_written() {
    let (_folder, database) = place();
    prepare(&database).await;
    let idp = router(&database).await;
    keep_counters(&Connection::open(&database).unwrap());
    let signed_in = idp.verify_password("users", NAME, "correct horse".into()).await.unwrap();
    assert_eq!(signed_in.map(|signed_in| signed_in.user.name).as_deref(), Some(NAME));
}

//! Sound databases that take no writes for now: locked, read-only, full.

use super::{Plain, Store};
use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use pretty_assertions::assert_eq;
use rusqlite::Connection;
use serde_json::json;
use tailor_idp::store::{SqliteDatabase, StoreError};
use tempfile::TempDir;

use super::{insert, names, user};
use crate::support::{End, namespace, program};

/// Creates users until it cannot, and returns how many there are, and why.
const FILL: &str = "export default async ({ from = 0, to }) => {
  const idp = new tailor.idp.Client('builtin-idp');
  for (let n = from; n < to; n++) {
    try { await idp.createUser({ name: `user${n}@example.com` }); } catch (error) { return [n, error.code, error.message]; }
  }
  return [to];
};";

/// A folder that everyone may look into, with a database of one user and a script in it.
async fn prepared() -> (TempDir, PathBuf, PathBuf) {
    let folder = TempDir::new().unwrap();
    set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let (path, script) = (folder.path().join("users.db"), folder.path().join("fill.js"));
    std::fs::write(&script, FILL).unwrap();
    insert(&open(&path).await, "ana@example.com").await;
    (folder, path, script)
}

async fn open(path: &Path) -> Store {
    Plain::of(SqliteDatabase::open(path).unwrap().namespace(&namespace("builtin-idp")).await.unwrap())
}

/// Waits for five seconds, so everything that is about a lock is here.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_another_program_keeps_locked_refuses_writes_after_five_seconds() {
    let locked = "the database is locked: another program has been writing to it for over 5 s";
    let (_folder, path, script) = prepared().await;
    let store = open(&path).await;
    let raw = Connection::open(&path).unwrap();
    raw.execute_batch("BEGIN IMMEDIATE").unwrap();

    let run = |arguments: &[&str]| {
        let mut command = program();
        command.args(arguments).arg("--db").arg(&path);
        tokio::task::spawn_blocking(move || End::of(&mut command))
    };
    let create = run(&["users", "create", "bo@example.com"]);
    let make_namespace = run(&["users", "create", "bo@example.com", "--namespace", "new-one"]);
    let fill = run(&["run", script.to_str().unwrap(), "--arg", r#"{"to":1}"#]);
    let list = run(&["users", "list", "--json"]);
    let started = Instant::now();
    let error = store.insert(user("bo@example.com")).await.unwrap_err();
    let waited = started.elapsed().as_secs_f64();
    assert!(matches!(error, StoreError::Locked { waited_secs: 5 }), "{error:?}");
    assert_eq!(error.to_string(), locked);
    assert!((4.5..10.0).contains(&waited), "{waited}");

    let (create, make_namespace) = (create.await.unwrap(), make_namespace.await.unwrap());
    assert_eq!((create.code, make_namespace.code), (Some(1), Some(1)));
    let last = |end: &End| end.stderr.lines().last().unwrap_or_default().to_owned();
    assert_eq!(last(&create), format!("error: the user store is busy, try again: {locked}"));
    assert_eq!(last(&make_namespace), format!("error: namespace new-one: {locked}"));
    let message = "createUser failed: code: 'The service is currently unavailable', \
                   message: \"the user store is busy, try again\"";
    assert_eq!(fill.await.unwrap().json(), json!([0, "UNAVAILABLE", message]));
    assert_eq!(list.await.unwrap().json()["totalCount"], 1, "reads go on");

    raw.execute_batch("ROLLBACK").unwrap();
    insert(&store, "bo@example.com").await;
    assert_eq!(names(&super::everyone(&store).await), ["ana@example.com", "bo@example.com"]);
}

/// The program as somebody whom file permissions bind: they do not bind root.
fn bound_program(folder: &Path) -> Command {
    if std::fs::metadata(folder).unwrap().uid() != 0 {
        return program();
    }
    // Beside the database: where the program was built others may not look.
    let copy = folder.join("tailor-idp");
    if !copy.exists() && std::fs::hard_link(env!("CARGO_BIN_EXE_tailor-idp"), &copy).is_err() {
        std::fs::copy(env!("CARGO_BIN_EXE_tailor-idp"), &copy).unwrap();
    }
    let mut command = Command::new(copy);
    command.env("RUST_BACKTRACE", "0").uid(65534).gid(65534);
    command
}

fn check_read_only(folder: &Path, path: &Path, script: &Path) {
    let text = "the database is read-only: check who may write to the file and its folder";
    let before = std::fs::read(path).unwrap();
    for arguments in [["users", "create", "bo@example.com"], ["run", script.to_str().unwrap(), "--arg={}"]] {
        let end = End::of(bound_program(folder).args(arguments).arg("--db").arg(path));
        let stderr = format!("error: {}: {text}\n", path.display());
        assert_eq!(end, End { code: Some(1), stdout: String::new(), stderr });
    }
    assert!(std::fs::read(path).unwrap() == before, "not a byte has changed");
}

#[tokio::test]
async fn a_file_that_may_not_be_written_is_read_only() {
    let (folder, path, script) = prepared().await;
    set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    set_permissions(&path, Permissions::from_mode(0o444)).unwrap();
    check_read_only(folder.path(), &path, &script);
}

#[tokio::test]
async fn a_file_in_a_folder_that_takes_no_new_files_is_read_only() {
    let (folder, path, script) = prepared().await;
    set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
    bound_program(folder.path());
    set_permissions(folder.path(), Permissions::from_mode(0o555)).unwrap();
    check_read_only(folder.path(), &path, &script);
    set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn a_folder_that_takes_no_new_files_is_named_where_a_database_is_to_be_made() {
    let (folder, _, _) = prepared().await;
    bound_program(folder.path());
    set_permissions(folder.path(), Permissions::from_mode(0o555)).unwrap();
    let path = folder.path().join("new.db");
    let end = End::of(bound_program(folder.path()).args(["users", "create", "bo@example.com", "--db"]).arg(&path));
    set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    assert_eq!((end.code, end.stdout.as_str()), (Some(1), ""));
    let reason = "no file can be made in its folder: Permission denied (os error 13)";
    assert_eq!(end.stderr, format!("error: {}: cannot open the database: {reason}\n", path.display()));
}

#[tokio::test]
async fn a_file_that_may_not_be_read_says_so() {
    let (folder, path, _) = prepared().await;
    set_permissions(&path, Permissions::from_mode(0o000)).unwrap();
    let end = End::of(bound_program(folder.path()).args(["users", "list", "--db"]).arg(&path));
    let path = path.display();
    let stderr = format!("error: {path}: cannot open the database: Permission denied (os error 13)\n");
    assert_eq!(end, End { code: Some(1), stdout: String::new(), stderr });
}

/// A small file system of its own is needed: where none can be mounted, this is left out.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_refuses_writes_and_keeps_what_was_written() {
    const FULL: &str = "the database is full: the disk it lives on has no room left";
    // In a mount namespace, which takes its mounts along when it ends.
    const STEPS: &str = r#"
        mkdir disk && mount -t tmpfs -o size=1m tmpfs disk || exit 99
        head -c 400000 /dev/zero > disk/ballast
        step() { name=$1; shift; "$@" --db disk/users.db > $name.out 2> $name.err; echo $? > $name.code; }
        step fill "$0" run fill.js --arg '{"to":100000}'
        step create "$0" users create bo@example.com
        step list "$0" users list --json --first 1
        rm disk/ballast
        step again "$0" users create bo@example.com
        step total "$0" users list --json --first 1"#;
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("fill.js"), FILL).unwrap();
    let mut steps = Command::new("unshare");
    steps.args(["--map-root-user", "--mount", "sh", "-c", STEPS, env!("CARGO_BIN_EXE_tailor-idp")]);
    let ended = steps.current_dir(folder.path()).env("RUST_BACKTRACE", "0").output();
    if !ended.as_ref().is_ok_and(|output| output.status.success()) {
        eprintln!("left out: no file system can be mounted here: {ended:?}");
        return;
    }
    let end = |step: &str| {
        let read = |kind| std::fs::read_to_string(folder.path().join(format!("{step}.{kind}"))).unwrap();
        End { code: read("code").trim().parse().ok(), stdout: read("out"), stderr: read("err") }
    };

    let fill = end("fill");
    let result = fill.json();
    let message = "createUser failed: code: 'Internal error', message: \"internal error\"";
    assert_eq!((fill.code, &result[1], &result[2]), (Some(0), &json!("INTERNAL"), &json!(message)));
    assert!(fill.stderr.contains(FULL), "the host's log says more: {}", fill.stderr);
    let create = end("create");
    assert_eq!((create.code, create.stdout.as_str()), (Some(1), ""));
    let last = create.stderr.lines().last();
    assert_eq!(last, Some(format!("error: internal error: {FULL}").as_str()), "{}", create.stderr);
    let list = end("list");
    assert_eq!(list.json()["totalCount"], result[0], "every user that was created is there, and no other");

    let again = end("again");
    assert_eq!((again.code, again.stderr.as_str()), (Some(0), ""), "there is room again");
    assert_eq!(end("total").json()["totalCount"], json!(result[0].as_i64().unwrap() + 1));
}

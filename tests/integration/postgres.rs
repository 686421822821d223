//! The program over a PostgreSQL server.

use std::process::Command;

use pretty_assertions::assert_eq;
use serde_json::json;
use tempfile::TempDir;

use crate::postgres_server::{Server, is_left_out};
use crate::support::{End, program};

const SETTINGS: &str = r#"
[namespace.builtin-idp]
store = { postgres = { url_env = "DATABASE_URL", max_connections = 4 } }
permission = "allow-all"
"#;

const SETTINGS_WITH_REPLICA: &str = r#"
[namespace.builtin-idp]
store = { postgres = { url_env = "DATABASE_URL", read_url_env = "REPLICA_URL" } }
permission = "allow-all"
"#;

const HANDLER: &str = "export default async ({ name }) => {
  const idp = new tailor.idp.Client({ namespace: 'builtin-idp' });
  return (await idp.createUser({ name })).name;
};";

/// A folder with settings and a handler.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("tailor-idp.toml"), SETTINGS).unwrap();
    std::fs::write(folder.path().join("main.js"), HANDLER).unwrap();
    folder
}

fn run_with(folder: &TempDir, url: &str, arguments: &[&str], change: impl FnOnce(&mut Command)) -> End {
    let mut program = program();
    program.args(arguments).current_dir(folder.path()).env("DATABASE_URL", url);
    change(&mut program);
    End::of(&mut program)
}

#[test]
fn commands_share_users_through_a_server() {
    if is_left_out() {
        return;
    }
    let server = Server::start();
    let (folder, url) = (folder(), server.url("postgres"));
    let run = |arguments: &[&str]| run_with(&folder, &url, arguments, |_| ());
    let migrated = run(&["db", "migrate"]);
    assert!(migrated.stdout.ends_with(", schema tailor_idp: created, version 1\n"), "{migrated:#?}");
    let again = run(&["db", "migrate"]);
    assert!(again.stdout.ends_with(", schema tailor_idp: is at version 1\n"), "{again:#?}");

    assert_eq!(run(&["run", "main.js", "--arg", r#"{"name": "ana@example.com"}"#]).json(), json!("ana@example.com"));
    let taken = run(&["run", "main.js", "--arg", r#"{"name": "ana@example.com"}"#]);
    assert_eq!(taken.code, Some(1));
    assert!(taken.stderr.contains("ALREADY_EXISTS") || taken.stderr.contains("already exists"), "{taken:#?}");
    let users = run(&["users", "list", "--json"]).json();
    assert_eq!(users["users"][0]["name"], "ana@example.com");

    let status = run(&["db", "status", "--json"]).json();
    let expected = json!([{ "name": "builtin-idp", "users": 1, "jobs": 0, "oldestJobSeconds": null }]);
    assert_eq!(status["namespaces"], expected);
    assert_eq!((&status["replicas"], &status["readReplica"]), (&json!([]), &json!(null)));
    let text = run(&["db", "status"]).stdout;
    assert!(text.contains("schema tailor_idp: version 1") && text.contains("builtin-idp"), "{text}");
}

#[test]
fn db_status_shows_how_far_replicas_are_behind() {
    if is_left_out() {
        return;
    }
    let server = Server::start();
    let (folder, url, standby) = (folder(), server.url("postgres"), server.standby());
    std::fs::write(folder.path().join("tailor-idp.toml"), SETTINGS_WITH_REPLICA).unwrap();
    let missing = run_with(&folder, &url, &["db", "status"], |program| {
        program.env_remove("REPLICA_URL");
    });
    assert_eq!(missing.code, Some(1));
    assert!(missing.stderr.contains("REPLICA_URL is not set"), "{missing:#?}");

    let replica_url = standby.url("postgres");
    let run = |arguments: &[&str]| {
        run_with(&folder, &url, arguments, |program| {
            program.env("REPLICA_URL", &replica_url);
        })
    };
    assert_eq!(run(&["users", "create", "ana@example.com"]).code, Some(0));
    let users = run(&["users", "list", "--json"]).json();
    assert_eq!(users["users"][0]["name"], "ana@example.com");
    let status = run(&["db", "status", "--json"]).json();
    assert_eq!(status["replicas"][0]["synchronous"], false);
    assert!(status["replicas"][0]["bytesBehind"].is_u64(), "{status}");
    assert!(status["readReplica"]["bytesBehind"].is_u64(), "{status}");
    drop(standby);
}

#[test]
fn commands_name_the_server_that_is_away() {
    let folder = folder();
    let end = run_with(&folder, "postgres://idp:secret@127.0.0.1:1/idp", &["users", "list"], |_| ());
    assert_eq!(end.code, Some(1));
    assert!(end.stderr.contains("127.0.0.1:1/idp") && !end.stderr.contains("secret"), "{end:#?}");
}

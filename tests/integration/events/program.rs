//! `tailor-idp events`.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use pretty_assertions::assert_eq;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{End, program};

fn run(folder: &TempDir, args: &str) -> End {
    End::of(in_folder(folder, args))
}

fn in_folder(folder: &TempDir, args: &str) -> &'static mut Command {
    let mut program = program();
    program.args(args.split(' ')).args(["--db", "users.db"]).current_dir(folder.path()).env_remove("HOOK_SECRET");
    Box::leak(Box::new(program))
}

fn events(folder: &TempDir) -> Vec<Value> {
    run(folder, "events list --json").json().as_array().unwrap().clone()
}

const CREATE: &str = "users create --publish-user-events";

#[test]
fn events_of_published_changes_are_listed_and_shown() {
    let folder = TempDir::new().unwrap();
    let ana = run(&folder, &format!("{CREATE} ana@example.com --json")).json();
    run(&folder, "users create unpublished@example.com");
    let deleted = run(&folder, "users delete ana@example.com --publish-user-events");
    assert_eq!(deleted.code, Some(0), "{deleted:#?}");
    let listed = events(&folder);
    let told: Vec<_> = listed.iter().map(|event| (&event["type"], &event["userId"])).collect();
    let (created, deleted) = (Value::from("idp.user.created"), Value::from("idp.user.deleted"));
    assert_eq!(told, [(&created, &ana["id"]), (&deleted, &ana["id"])]);
    let id = listed[0]["id"].as_str().unwrap();
    let shown = run(&folder, &format!("events show {id} --json --workspace-id ws-1")).json();
    assert_eq!((&shown["workspaceId"], &shown["namespaceName"]), (&Value::from("ws-1"), &Value::from("builtin-idp")));
    let after = run(&folder, &format!("events list --json --after {id}")).json();
    assert_eq!(after, Value::from(&listed[1..]));
    let table = run(&folder, &format!("events show {id}"));
    assert!(table.stdout.contains("idp.user.created"), "{table:#?}");
    let unknown = run(&folder, "events show ghost");
    assert_eq!((unknown.code, unknown.stderr.as_str()), (Some(1), "error: event not found: ghost\n"));
}

#[test]
fn usage_errors_exit_with_2_and_failures_with_1() {
    let folder = TempDir::new().unwrap();
    run(&folder, &format!("{CREATE} ana@example.com"));
    let wrong = |args: &str| {
        let end = run(&folder, args);
        assert_eq!(end.code, Some(2), "{end:#?}");
        end.stderr
    };
    let neither = "error: one of --follow and a command is needed: see tailor-idp help events\n";
    assert_eq!(wrong("events"), neither);
    let deliver = "events deliver --secret-env HOOK_SECRET --webhook";
    assert_eq!(
        wrong(&format!("{deliver} https://example.com/")),
        "error: --secret-env HOOK_SECRET: environment variable not found\n"
    );
    assert_eq!(wrong(&format!("{deliver} nowhere")), "error: --webhook is not a URL: relative URL without a base\n");
    let no_id = wrong("events list --after ghost");
    assert!(no_id.starts_with("error: invalid value 'ghost' for '--after <ID>'"), "{no_id}");
    let none = run(&folder, "events retry");
    assert_eq!(
        (none.code, none.stderr.as_str()),
        (Some(1), "error: there is no consumer of events named \"webhook\"\n")
    );
}

#[test]
fn follow_prints_events_committed_by_another_process() {
    let folder = TempDir::new().unwrap();
    run(&folder, &format!("{CREATE} first@example.com"));
    let first = events(&folder)[0]["id"].as_str().unwrap().to_owned();
    let follow = in_folder(&folder, &format!("events --follow --json --since {first}"));
    let mut follow = follow.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines();
    for name in ["second", "third"] {
        run(&folder, &format!("{CREATE} {name}@example.com"));
        let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!(Some(&line), events(&folder).last());
    }
    follow.kill().unwrap();
    follow.wait().unwrap();
}

//! Databases on a full disk.

use std::process::Command;

use pretty_assertions::assert_eq;
use serde_json::json;
use tempfile::TempDir;

use super::FILL;
use crate::support::End;

const FULL: &str = "the database is full: the disk it lives on has no room left";

/// Steps of the test, in a mount namespace: its mounts end with it. Exit code 99: nothing can be mounted.
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

/// Skipped where no file system can be mounted.
#[test]
fn writes_fail_on_full_disk_and_existing_users_stay() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("fill.js"), FILL).unwrap();
    let mut steps = Command::new("unshare");
    steps.args(["--map-root-user", "--mount", "sh", "-c", STEPS, env!("CARGO_BIN_EXE_tailor-idp")]);
    let output = steps.current_dir(folder.path()).env("RUST_BACKTRACE", "0").output();
    if !output.as_ref().is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: no file system can be mounted: {output:?}");
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
    assert!(fill.stderr.contains(FULL), "the log has the detail: {}", fill.stderr);
    let create = end("create");
    assert_eq!((create.code, create.stdout.as_str()), (Some(1), ""));
    let last = create.stderr.lines().last();
    assert_eq!(last, Some(format!("error: internal error: {FULL}").as_str()), "{}", create.stderr);
    assert_eq!(end("list").json()["totalCount"], result[0], "all created users exist, and no others");

    let again = end("again");
    assert_eq!((again.code, again.stderr.as_str()), (Some(0), ""), "after space was freed");
    assert_eq!(end("total").json()["totalCount"], json!(result[0].as_i64().unwrap() + 1));
}

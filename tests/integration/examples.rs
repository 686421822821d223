//! Runs the examples, which `cargo test` builds.

use std::path::Path;
use std::process::Command;

use pretty_assertions::assert_eq;

/// Runs an example, and returns its stdout.
fn run(example: &str) -> String {
    let programs = Path::new(env!("CARGO_BIN_EXE_tailor-idp")).parent().unwrap();
    let output = Command::new(programs.join("examples").join(example)).output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{example} failed\n{stdout}\n{stderr}");
    stdout.into_owned()
}

#[test]
fn embed_example_runs_script_in_host_runtime() {
    assert_eq!(run("embed"), "2 users: ana@example.com, bo@example.com\n");
}

#[test]
fn host_example_runs_handlers() {
    let printed = run("host");
    let created = printed.lines().filter(|line| line.contains(r#""created":true"#)).count();
    assert_eq!(created, 2, "{printed}");
    assert!(printed.contains("nobody: createUser failed: code: 'Client specified an invalid argument'"), "{printed}");
}

//! Examples of docs/permission.md.
//!
//! A `toml` or `json` block with a file name is written to that file. A `console` block contains commands, each after `$ `,
//! and their output. `UPDATE_EXPECTED=1` rewrites the output.

use std::path::Path;
use std::process::Command;

use pretty_assertions::assert_eq;
use tempfile::TempDir;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/permission.md");

#[test]
fn examples_print_documented_output() {
    let document = std::fs::read_to_string(DOCUMENT).unwrap();
    let folder = TempDir::new().unwrap();
    let (mut actual, mut commands) = (String::new(), 0);
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        actual.push_str(&format!("{line}\n"));
        let Some(info) = line.strip_prefix("```") else { continue };
        let body: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
        match info.split_once(' ') {
            _ if info == "console" => {
                for command in body.iter().filter_map(|line| line.strip_prefix("$ ")) {
                    actual.push_str(&format!("$ {command}\n{}", run(folder.path(), command)));
                    commands += 1;
                }
            }
            Some((_, file)) => {
                std::fs::write(folder.path().join(file), body.join("\n")).unwrap();
                actual.extend(body.iter().map(|line| format!("{line}\n")));
            }
            None => panic!("a fence that is not run: {line}"),
        }
        actual.push_str("```\n");
    }
    assert!(commands > 10, "only {commands} commands");
    if std::env::var_os("UPDATE_EXPECTED").is_some_and(|value| value != "0") {
        std::fs::write(DOCUMENT, &actual).unwrap();
    }
    assert_eq!(actual, std::fs::read_to_string(DOCUMENT).unwrap());
}

/// The output of a command: stdout, then stderr.
fn run(folder: &Path, command: &str) -> String {
    let programs = Path::new(env!("CARGO_BIN_EXE_tailor-idp")).parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
    let output = Command::new("sh").args(["-c", command]).current_dir(folder).env("PATH", path).output().unwrap();
    let mut text = String::from_utf8(output.stdout).unwrap();
    text.push_str(&String::from_utf8(output.stderr).unwrap());
    text
}

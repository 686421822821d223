//! Every example of docs/permission.md is run.
//!
//! A fence `toml` or `json` with a file's name writes that file; a fence `console` holds commands behind `$ ` with what
//! they print. `UPDATE_EXPECTED=1` rewrites what they print.

use std::path::Path;
use std::process::Command;

use pretty_assertions::assert_eq;
use tempfile::TempDir;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/permission.md");

#[test]
fn every_example_does_what_the_document_says() {
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

/// What a command prints, on stdout and stderr.
fn run(folder: &Path, command: &str) -> String {
    let programs = Path::new(env!("CARGO_BIN_EXE_tailor-idp")).parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
    let output = Command::new("sh").args(["-c", command]).current_dir(folder).env("PATH", path).output().unwrap();
    let mut text = String::from_utf8(output.stdout).unwrap();
    text.push_str(&String::from_utf8(output.stderr).unwrap());
    text
}

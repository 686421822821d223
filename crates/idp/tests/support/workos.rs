//! WorkOS's own emulator on this machine: `tests/workos/server.mjs` of the workspace.

#![allow(dead_code, reason = "each package uses a part")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

/// `1` skips the tests that need the emulator.
const SKIP: &str = "TAILOR_IDP_SKIP_WORKOS";

pub(crate) struct Emulator {
    process: Child,
    stdout: BufReader<ChildStdout>,
    pub(crate) url: String,
    pub(crate) api_key: String,
}

fn folder() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = package.ancestors().map(|folder| folder.join("tests/workos"));
    folders.into_iter().find(|folder| folder.join("server.mjs").exists()).expect("tests/workos of the workspace")
}

impl Emulator {
    /// Starts an emulator without users. `None` if it is not installed and the environment allows to skip it.
    pub(crate) fn start() -> Option<Self> {
        let folder = folder();
        if !folder.join("node_modules/workos").exists() {
            let why = "the emulator of WorkOS is not installed: run `npm ci --ignore-scripts --omit=optional` in tests/workos";
            let skip = std::env::var_os(SKIP).is_some_and(|value| value == "1");
            assert!(skip, "{why}, or set {SKIP}=1 to skip its tests");
            eprintln!("skipped, since {SKIP} is set: {why}");
            return None;
        }
        let mut node = Command::new("node");
        node.arg(folder.join("server.mjs")).current_dir(&folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = node.spawn().unwrap_or_else(|error| panic!("node, which runs the emulator: {error}"));
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let started = next(&mut stdout);
        let text = |key: &str| started[key].as_str().unwrap().to_owned();
        Some(Self { process, stdout, url: text("url"), api_key: text("apiKey") })
    }

    /// Removes all users.
    pub(crate) fn reset(&mut self) {
        self.process.stdin.as_ref().unwrap().write_all(b"\n").unwrap();
        next(&mut self.stdout);
    }
}

/// The next line that the server prints.
fn next(stdout: &mut BufReader<ChildStdout>) -> Value {
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"))
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

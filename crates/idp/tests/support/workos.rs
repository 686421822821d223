//! WorkOS's own emulator on this machine: `tests/workos/server.mjs` of the workspace.

#![allow(dead_code, reason = "each package uses a part")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// `1` skips the tests that need the emulator.
const SKIP: &str = "TAILOR_IDP_SKIP_WORKOS";

pub(crate) struct Emulator {
    process: Child,
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
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let started: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"));
        let text = |key: &str| started[key].as_str().unwrap().to_owned();
        Some(Self { process, url: text("url"), api_key: text("apiKey") })
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

//! Servers in Node.js, each in a folder of the workspace's `tests`: `server.mjs` and the packages that it needs.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

/// How a server is installed and left out.
pub(super) struct Server {
    /// The name in messages.
    pub(super) name: &'static str,
    /// The folder below `tests`.
    pub(super) folder: &'static str,
    /// The package that it needs.
    pub(super) package: &'static str,
    /// The command that installs it.
    pub(super) install: &'static str,
    /// The environment variable that skips its tests if it is `1`.
    pub(super) skip: &'static str,
}

/// The lines that a server prints: JSON.
pub(super) struct Printed(Lines<BufReader<ChildStdout>>);

impl Iterator for Printed {
    type Item = Value;

    fn next(&mut self) -> Option<Value> {
        let line = self.0.next()?.ok()?;
        Some(serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}")))
    }
}

/// A running server. Ends when it is dropped.
pub(super) struct Running(Child);

impl Server {
    /// The folder, in the root of the workspace: of this package, or above it.
    pub(super) fn folder(&self) -> PathBuf {
        let folders =
            Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|root| root.join("tests").join(self.folder));
        folders.into_iter().find(|folder| folder.join("server.mjs").exists()).expect("the server's folder")
    }

    /// Starts the server. `None` if it is not installed and the environment allows to skip it.
    pub(super) fn start(&self, arguments: &[&str]) -> Option<(Running, Printed)> {
        let Self { name, folder: _, package, install, skip } = self;
        let folder = self.folder();
        if !folder.join("node_modules").join(package).exists() {
            let why = format!("{name} is not installed: run `{install}` in {}", folder.display());
            assert!(
                std::env::var_os(skip).is_some_and(|value| value == "1"),
                "{why}, or set {skip}=1 to skip its tests"
            );
            eprintln!("skipped, since {skip} is set: {why}");
            return None;
        }
        let mut node = Command::new("node");
        node.arg(folder.join("server.mjs")).args(arguments).current_dir(&folder);
        let started = node.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut process = started.unwrap_or_else(|error| panic!("node, which runs {name}: {error}"));
        let printed = Printed(BufReader::new(process.stdout.take().unwrap()).lines());
        Some((Running(process), printed))
    }
}

impl Running {
    /// Writes an empty line to the server's stdin.
    #[allow(dead_code, reason = "one of the servers reads lines")]
    pub(super) fn send_line(&self) {
        self.0.stdin.as_ref().unwrap().write_all(b"\n").unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

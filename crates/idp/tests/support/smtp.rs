//! A real SMTP server on this machine: `tests/mail/server.mjs` of the workspace.

#![allow(dead_code, reason = "each package uses a part")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

/// `1` skips the tests that need the server.
const SKIP: &str = "TAILOR_IDP_SKIP_SMTP";

pub(super) struct SmtpServer {
    process: Child,
    pub(super) port: u16,
    mails: Receiver<Value>,
}

/// A mail that the server accepted.
pub(super) struct Mail {
    pub(super) envelope: Value,
    pub(super) raw: String,
}

/// The folder of the server, in the root of the workspace: of this package, or above it.
pub(super) fn folder() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = package.ancestors().map(|folder| folder.join("tests/mail"));
    folders.into_iter().find(|folder| folder.join("server.mjs").exists()).expect("tests/mail of the workspace")
}

impl SmtpServer {
    /// Starts the server. `None` if it is not installed and the environment allows to skip it.
    pub(super) fn start(options: &Value) -> Option<Self> {
        let folder = folder();
        if !folder.join("node_modules/smtp-server").exists() {
            let why = "the SMTP server is not installed: run `npm ci --omit=optional` in tests/mail";
            let skip = std::env::var_os(SKIP).is_some_and(|value| value == "1");
            assert!(skip, "{why}, or set {SKIP}=1 to skip its tests");
            eprintln!("skipped, since {SKIP} is set: {why}");
            return None;
        }
        let mut server = Command::new("node");
        server.arg(folder.join("server.mjs")).arg(options.to_string());
        let started = server.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut process = started.unwrap_or_else(|error| panic!("node, which runs the SMTP server: {error}"));
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let first: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        let port = first["port"].as_u64().unwrap().try_into().unwrap();
        let (sender, mails) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = sender.send(serde_json::from_str(&line).unwrap());
            }
        });
        Some(Self { process, port, mails })
    }

    /// The URL, without encryption.
    pub(super) fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}?tls=none", self.port)
    }

    /// Waits for the next mail.
    pub(super) fn next(&self) -> Mail {
        mail(self.mails.recv_timeout(Duration::from_secs(30)).expect("a mail within 30 s"))
    }

    /// The mails that have arrived and were not read yet.
    pub(super) fn so_far(&self) -> Vec<Mail> {
        self.mails.try_iter().map(mail).collect()
    }
}

fn mail(envelope: Value) -> Mail {
    Mail { raw: envelope["raw"].as_str().unwrap().to_owned(), envelope }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

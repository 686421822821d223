//! A real mail server on this machine: `tests/mail/server.mjs`.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

/// Set to `1` where the server cannot be had.
const SKIP: &str = "TAILOR_IDP_SKIP_SMTP";

pub(super) struct SmtpServer {
    process: Child,
    pub(super) port: u16,
    mails: Receiver<Value>,
}

/// A mail that the server took.
pub(super) struct Mail {
    pub(super) envelope: Value,
    pub(super) raw: String,
}

impl SmtpServer {
    /// Starts it, or says `None` where the environment says to do without.
    pub(super) fn start(options: &Value) -> Option<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mail");
        if !folder.join("node_modules/smtp-server").exists() {
            let why = "the SMTP server is not installed: run `npm ci --omit=optional` in tests/mail";
            assert!(
                std::env::var_os(SKIP).is_some_and(|value| value == "1"),
                "{why}, or set {SKIP}=1 to do without it"
            );
            eprintln!("left out, since {SKIP} is set: {why}");
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

    pub(super) fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}?tls=none", self.port)
    }

    /// The next mail, for which it waits.
    pub(super) fn next(&self) -> Mail {
        let envelope = self.mails.recv_timeout(Duration::from_secs(30)).expect("a mail within 30 s");
        Mail { raw: envelope["raw"].as_str().unwrap().to_owned(), envelope }
    }

    /// All that has come so far.
    pub(super) fn so_far(&self) -> Vec<Mail> {
        let mails = self.mails.try_iter();
        mails.map(|envelope| Mail { raw: envelope["raw"].as_str().unwrap().to_owned(), envelope }).collect()
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

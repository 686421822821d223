//! A real SMTP server on this machine: `tests/mail/server.mjs` of the workspace.

#![allow(dead_code, reason = "each package uses a part")]

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

use crate::node::{Running, Server};

const SERVER: Server = Server {
    name: "the SMTP server",
    folder: "mail",
    package: "smtp-server",
    install: "npm ci --omit=optional",
    skip: "TAILOR_IDP_SKIP_SMTP",
};

pub(super) struct SmtpServer {
    _process: Running,
    pub(super) port: u16,
    mails: Receiver<Value>,
}

/// A mail that the server accepted.
pub(super) struct Mail {
    pub(super) envelope: Value,
    pub(super) raw: String,
}

/// The folder of the server.
pub(super) fn folder() -> PathBuf {
    SERVER.folder()
}

impl SmtpServer {
    /// Starts the server. `None` if it is not installed and the environment allows to skip it.
    pub(super) fn start(options: &Value) -> Option<Self> {
        let (process, mut printed) = SERVER.start(&[&options.to_string()])?;
        let port = printed.next().unwrap()["port"].as_u64().unwrap().try_into().unwrap();
        let (sender, mails) = channel();
        std::thread::spawn(move || printed.for_each(|mail| drop(sender.send(mail))));
        Some(Self { _process: process, port, mails })
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

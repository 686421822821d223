//! WorkOS's own emulator on this machine: `tests/workos/server.mjs` of the workspace.

#![allow(dead_code, reason = "each package uses a part")]

use crate::node::{Printed, Running, Server};

const SERVER: Server = Server {
    name: "the emulator of WorkOS",
    folder: "workos",
    package: "workos",
    install: "npm ci --ignore-scripts --omit=optional",
    skip: "TAILOR_IDP_SKIP_WORKOS",
};

pub(crate) struct Emulator {
    process: Running,
    printed: Printed,
    pub(crate) url: String,
    pub(crate) api_key: String,
}

impl Emulator {
    /// Starts an emulator without users. `None` if it is not installed and the environment allows to skip it.
    pub(crate) fn start() -> Option<Self> {
        let (process, mut printed) = SERVER.start(&[])?;
        let started = printed.next().expect("the address of the emulator");
        let text = |key: &str| started[key].as_str().unwrap().to_owned();
        Some(Self { process, printed, url: text("url"), api_key: text("apiKey") })
    }

    /// Removes all users.
    pub(crate) fn reset(&mut self) {
        self.process.send_line();
        self.printed.next().expect("an answer of the emulator");
    }
}

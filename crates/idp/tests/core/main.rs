//! The identity side without an engine: the contract of stores over SQLite, the rules, sign-in, mails, events, import, kills.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod backends;
mod child;
mod cost;
mod damage;
#[path = "../support/files.rs"]
mod database_files;
mod directory;
mod events;
mod files;
mod foreign_hashes;
mod fresh;
mod host;
mod import;
mod interposed;
mod kill;
mod locks;
mod mail;
mod mfa;
mod migration;
mod names;
#[path = "../support/node.rs"]
mod node;
mod permission;
#[cfg(unix)]
mod permissions;
#[cfg(unix)]
mod postgres;
#[cfg(unix)]
#[path = "../support/postgres.rs"]
mod postgres_server;
mod processes;
mod remote;
mod sign_in;
mod support;

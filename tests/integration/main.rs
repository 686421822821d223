//! All tests except unit tests and golden script tests. They share one binary, because linking V8 is slow.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod backends;
mod database;
#[path = "../../crates/idp/tests/support/files.rs"]
mod database_files;
mod events;
mod examples;
#[path = "../../src/cli/test/expectation/mod.rs"]
mod expectation;
mod fetch;
mod function;
mod golden_scripts;
mod help;
mod hostile;
mod import;
#[path = "../../src/cli/import/lines.rs"]
mod import_lines;
#[cfg(feature = "inspector")]
mod inspector;
mod live_program;
mod mail;
mod mfa;
#[path = "../../crates/idp/tests/support/node.rs"]
mod node;
mod permission;
#[cfg(unix)]
mod postgres;
#[cfg(unix)]
#[allow(dead_code, reason = "the tests of the store use the rest")]
#[path = "../../crates/idp/tests/support/postgres.rs"]
mod postgres_server;
#[cfg(target_os = "linux")]
mod processes;
mod providers;
mod record;
mod script_tests;
mod settings;
mod snapshot;
mod support;
#[cfg(unix)]
mod terminal;
mod types;
mod watch;
#[cfg(target_os = "linux")]
mod worker_processes;

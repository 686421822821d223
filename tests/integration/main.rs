//! Everything that is not a golden script test, in one binary: V8 links slowly.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod examples;
mod function;
mod kill;
mod mail;
mod snapshot;
mod store_contract;
mod support;
mod types;

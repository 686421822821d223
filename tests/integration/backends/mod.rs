//! The golden scripts of the eight methods over every backend: SQLite in a file and in memory, WorkOS's emulator, fakes of the
//! other services, and a directory of a host.
//!
//! The outcome over SQLite is the expected one. `tests/backends/<backend>.diff` has what differs, with the reason.

mod differences;
mod host;
mod services;
mod sqlite;

#[allow(dead_code, reason = "the tests of the other package use the rest")]
#[path = "../../../crates/idp/tests/support/remote/auth0.rs"]
pub(crate) mod auth0;
#[allow(dead_code, reason = "the tests of the other package use the rest")]
#[path = "../../../crates/idp/tests/support/remote/descope.rs"]
pub(crate) mod descope;
#[path = "../../../crates/idp/tests/support/workos.rs"]
pub(crate) mod emulator;
#[path = "../../../crates/idp/tests/support/openapi.rs"]
mod openapi;
#[path = "../../../crates/idp/tests/support/remote/peer.rs"]
mod peer;
#[allow(dead_code, reason = "the tests of the other package use the rest")]
#[path = "../../../crates/idp/tests/support/remote/tailor.rs"]
mod tailor;

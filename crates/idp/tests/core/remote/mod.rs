//! Directories of other identity services.

#[path = "../../support/workos.rs"]
mod emulator;
#[path = "../../support/remote/auth0.rs"]
mod fake_auth0;
#[path = "../../support/remote/descope.rs"]
mod fake_descope;
#[path = "../../support/remote/tailor.rs"]
mod fake_tailor;
#[path = "../../support/openapi.rs"]
mod openapi;
#[path = "../../support/remote/peer.rs"]
mod server;

mod access;
mod auth0;
mod capabilities_table;
mod descope;
mod faults;
mod hashes;
mod peer;
mod proxy;
mod tailor;
mod workos;

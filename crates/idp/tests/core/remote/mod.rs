//! Directories of other identity services.

#[path = "../../support/workos.rs"]
mod emulator;
#[path = "../../support/openapi.rs"]
mod openapi;

mod faults;
mod peer;
mod proxy;
mod workos;

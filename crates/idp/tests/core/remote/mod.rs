//! Directories of other identity services.

#[path = "../../support/openapi.rs"]
mod openapi;

mod peer;
mod workos;

//! Directories of other identity services, over HTTP.
//!
//! A [`Directory`](crate::directory::Directory) for each service maps the operations to its API. The rules of the namespace
//! (names, password policy, permission) are applied before, by [`Enforced`](crate::directory::Enforced), as over a store.
//!
//! ```no_run
//! use std::sync::Arc;
//! use tailor_idp_core::remote::WorkOs;
//! use tailor_idp_core::{NamespaceName, NamespaceSettings, Router};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let workos = WorkOs::builder(std::env::var("WORKOS_KEY")?).build()?;
//! let name = NamespaceName::new("staff")?;
//! let router = Router::builder().directory(name, Arc::new(workos), NamespaceSettings::default()).build();
//! # Ok(()) }
//! ```
//!
//! What all services have in common is in [`RemoteOptions`]: the time of a call, the requests in flight, retries. A request is
//! repeated only where that has no second effect: reads and absolute values after lost connections and errors of the service,
//! all others only if the service has not seen them or has refused them for now. Requests to a service that cannot be connected
//! to repeatedly fail at once for a moment.

mod auth0;
mod backend;
mod circuit;
mod descope;
mod failure;
mod foreign_hash;
mod listing;
mod options;
mod request;
mod scramble;
mod tailor;
mod token;
mod workos;

pub use auth0::{Auth0, Auth0Builder};
pub use descope::{Descope, DescopeBuilder};
pub use options::{Count, DEFAULT_MAX_REQUESTS, DEFAULT_RETRIES, DEFAULT_TIMEOUT, InvalidRemote, RemoteOptions};
pub use tailor::{Tailor, TailorBuilder};
pub use workos::{WorkOs, WorkOsBuilder};

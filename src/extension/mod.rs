//! The deno_core extensions: the bridge between scripts and Rust.
//!
//! - [`tailor_idp`] puts `tailor.idp.Client` on `globalThis`. A host adds it to a runtime of its own.
//! - [`tailor_fetch`] is `fetch`, within what the host allows.
//! - [`tailor_function`] makes the global scope of function scripts: web APIs and `console`.
//!
//! A host with a runtime of its own:
//!
//! ```no_run
//! # fn f(idp: tailor_idp::idp::Idp) {
//! use std::sync::Arc;
//! use tailor_idp::deno_core::{JsRuntime, RuntimeOptions};
//! use tailor_idp::extension;
//! use tailor_idp::idp::Principal;
//!
//! let mut runtime = JsRuntime::new(RuntimeOptions {
//!     extensions: vec![extension::tailor_idp::init(Arc::new(idp), Principal::Anonymous)],
//!     ..Default::default()
//! });
//! # }
//! ```
//!
//! V8 shares its read-only heap among the isolates of a process, so all of them have to start from one snapshot, or all from
//! none. A process that has such a runtime cannot at the same time have a [`FunctionRuntime`](crate::function), whose isolates
//! start from a snapshot of their own: V8 ends the process.
//!
//! The build script compiles this module too, to bake the startup snapshot: so it may know the interface of the
//! identity provider, and nothing of how it is implemented.

mod blobs;
mod call;
mod call_budget;
mod closed_ops;
mod compression;
mod console;
mod error;
mod fetch;
mod function;
mod idp;
mod input;
mod kept;
mod output;
mod ports;
mod scripts;
mod stack;
mod user;

use deno_core::Extension;

pub(crate) use blobs::CountedBlobStore;
pub(crate) use call_budget::{CallBudget, CallLimit, CallLimits};
pub(crate) use console::tailor_console;
pub(crate) use fetch::Fetch;
pub use fetch::{
    DEFAULT_FETCH_MAX_BODY, DEFAULT_FETCH_MAX_REQUESTS, DEFAULT_FETCH_TIMEOUT, FetchPolicy, FetchSettings,
    InvalidFetchHost, tailor_fetch,
};
pub use function::{ConsoleSink, LogLevel, tailor_function};
pub use idp::tailor_idp;
pub(crate) use input::{is_array, well_formed};
pub(crate) use kept::{Keeper, Kept, TimerBound};
pub(crate) use scripts::{Give, KeepsCode};
pub use stack::hide_extension_frames;

/// The extensions of a function's runtime, in the order of the snapshot, still without their state.
///
/// The build script and the runtime both call this, so that snapshot and program cannot differ.
pub(crate) fn function_extensions() -> Vec<Extension> {
    vec![
        deno_webidl::deno_webidl::lazy_init(),
        closed_ops::only_open(deno_web::deno_web::lazy_init()),
        closed_ops::only_open(deno_crypto::deno_crypto::lazy_init()),
        tailor_console::lazy_init(),
        tailor_fetch::lazy_init(),
        tailor_idp::lazy_init(),
        tailor_function::lazy_init(),
    ]
}

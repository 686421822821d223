//! The deno_core extensions that connect scripts to Rust.
//!
//! | extension | defines |
//! | --- | --- |
//! | [`tailor_idp`] | `tailor.idp.Client` and `tailor.context` on `globalThis` |
//! | [`tailor_fetch`] | `fetch`, restricted to the hosts that a [`FetchPolicy`] allows |
//! | [`tailor_function`] | the global scope of function scripts: web APIs and `console` |
//!
//! # Embedding `tailor.idp` in another runtime
//!
//! Add [`tailor_idp`] to a [`JsRuntime`](deno_core::JsRuntime). It needs an [`IdentityProvider`](crate::idp::IdentityProvider)
//! and the [`Principal`](crate::idp::Principal) on whose behalf the scripts call it:
//!
//! ```no_run
//! # fn f(idp: tailor_idp::idp::Router) {
//! use std::sync::Arc;
//! use tailor_idp::deno_core::{JsRuntime, RuntimeOptions};
//! use tailor_idp::extension;
//! use tailor_idp::idp::Principal;
//!
//! let mut runtime = JsRuntime::new(RuntimeOptions {
//!     extensions: vec![extension::tailor_idp::init(Arc::new(idp), Principal::Anonymous)],
//!     ..Default::default()
//! });
//! extension::hide_extension_frames(&mut runtime); // optional: shorter stack traces
//! # }
//! ```
//!
//! - Run scripts on a `current_thread` tokio runtime. On any other, calls that have to wait are rejected with `INTERNAL`.
//! - To act for another principal, put it into the runtime's [`OpState`](deno_core::OpState). It applies to later calls.
//! - No limits apply to the number of calls or to memory. The [function runtime](crate::function) has both.
//! - All isolates of a process must start from the same snapshot, or all from none, because V8 shares its read-only heap
//!   among them. A process with such a runtime cannot have a [`FunctionRuntime`](crate::function::FunctionRuntime) at the
//!   same time, whose isolates start from a snapshot of their own: V8 aborts the process.

// The build script compiles this module too, to create the startup snapshot. It may depend on the interface of the identity
// provider, but not on its implementation.

mod blobs;
mod call;
mod call_budget;
mod caller;
mod compression;
mod console;
mod crypto_calls;
mod error;
mod external_memory;
mod fetch;
mod function;
mod host_memory;
mod idp;
mod input;
mod json_text;
mod lazy_scripts;
mod message_ports;
mod op_allowlist;
mod output;
mod stack_trace;
mod structured_clone;
mod timers;
mod user;

use deno_core::Extension;

pub(crate) use blobs::TrackedBlobStore;
pub(crate) use call_budget::CallBudget;
pub(crate) use caller::{CallScope, Caller};
pub(crate) use console::tailor_console;
pub(crate) use external_memory::{ExternalMemory, MemoryTracker};
#[allow(unused_imports, reason = "not used by the build script")]
pub(crate) use fetch::{
    Allowance, BodyLength, Fetch, FetchFailure, FetchTransport, PreparedRequest, RemoteChunks, RemoteResponse,
    RequestFailure, ResponseHead, ResponseReader, ScriptBody, ScriptRequest,
};
pub use fetch::{
    CertificateAuthorities, DEFAULT_FETCH_MAX_BODY, DEFAULT_FETCH_MAX_REQUESTS, DEFAULT_FETCH_MAX_STREAMED_BODY,
    DEFAULT_FETCH_TIMEOUT, FetchPolicy, FetchSettings, InvalidCertificates, InvalidFetchHost, tailor_fetch,
};
pub use function::{ConsoleSink, LogLevel, tailor_function};
pub use idp::tailor_idp;
pub(crate) use input::{is_array, well_formed};
pub(crate) use json_text::JsonText;
#[allow(unused_imports, reason = "used by the build script alone")]
pub(crate) use lazy_scripts::sources as lazy_script_sources;
#[cfg(all(test, feature = "v8"))]
pub(crate) use lazy_scripts::words as lazy_script_words;
pub(crate) use lazy_scripts::{LazyGlobals, UseCodeCache, embed as embed_lazy_scripts};
pub use stack_trace::hide_extension_frames;
pub(crate) use timers::TimerLimit;

/// The extensions of an isolate for function scripts, in the order of the snapshot, without their state.
///
/// Used by the build script and by the runtime, which must agree.
pub(crate) fn function_extensions() -> Vec<Extension> {
    let extensions = vec![
        deno_webidl::deno_webidl::lazy_init(),
        op_allowlist::without_denied(deno_web::deno_web::lazy_init()),
        op_allowlist::without_denied(deno_crypto::deno_crypto::lazy_init()),
        tailor_console::lazy_init(),
        tailor_fetch::lazy_init(),
        tailor_idp::lazy_init(),
        tailor_function::lazy_init(),
    ];
    lazy_scripts::register(&extensions);
    extensions
}

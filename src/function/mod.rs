//! The function runtime: runs function scripts in V8 isolates, within limits.
//!
//! ```no_run
//! use std::sync::Arc;
//! use std::time::Duration;
//! use tailor_idp::function::{FunctionRuntime, Invocation, Limits, Script};
//! # async fn f(idp: tailor_idp::idp::Idp) -> Result<(), Box<dyn std::error::Error>> {
//! let limits = Limits { time: Duration::from_secs(5), ..Limits::default() };
//! let runtime = FunctionRuntime::builder(Arc::new(idp)).limits(limits).build();
//! let script = Script::from_file("handler.js")?;
//! let execution = runtime.run(&script, Invocation::new(serde_json::json!({ "email": "ana@example.com" }))).await;
//! println!("{:?} in {:?}", execution.result, execution.usage.wall_time);
//! runtime.shutdown(Duration::from_secs(10)).await;
//! # Ok(()) }
//! ```
//!
//! | module | what it owns |
//! | --- | --- |
//! | `pool` | worker threads, the queue, which isolate runs what |
//! | `isolate` | one isolate: making it, loading a script, calling its handler |
//! | `limits`, `stop`, `watchdog`, `memory`, `console` | what an execution may use, and how it ends where it uses more |
//! | `script`, `loader` | a script's modules, and how the engine gets them |
//! | `inspector` | debuggers, and what they hold up |
//! | `json`, `failure` | results and errors, from the engine's values to ours |

mod clock;
mod code_frame;
mod console;
mod execution;
mod failure;
#[cfg(feature = "inspector")]
mod inspector;
mod isolate;
mod json;
mod limits;
mod loader;
mod memory;
mod pool;
mod runtime;
mod script;
mod stop;
mod watchdog;

pub use crate::extension::{
    DEFAULT_FETCH_MAX_BODY, DEFAULT_FETCH_MAX_REQUESTS, DEFAULT_FETCH_TIMEOUT, FetchPolicy, FetchSettings,
    InvalidFetchHost,
};
#[cfg(test)]
pub(crate) use pool::on_its_thread;

pub use code_frame::CodeFrame;
pub use execution::{ErrorKind, Execution, ExecutionError, Invocation, LogLine, Status, Usage};
#[cfg(feature = "inspector")]
pub use inspector::{Inspector, InspectorStart};
pub use limits::{Limit, Limits, ResultLimits};
pub use pool::Isolation;
pub use runtime::{FunctionRuntime, FunctionRuntimeBuilder};
pub use script::{MAX_MODULES, MAX_SOURCE_LEN, Script, ScriptFileError};

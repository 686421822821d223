//! Function runtime: runs function scripts in V8 isolates, within limits.
//!
//! ```no_run
//! use std::sync::Arc;
//! use std::time::Duration;
//! use tailor_idp::function::{FunctionRuntime, Invocation, Limits, Script};
//! # async fn f(idp: tailor_idp::idp::Router) -> Result<(), Box<dyn std::error::Error>> {
//! let limits = Limits { time: Duration::from_secs(5), ..Limits::default() };
//! let runtime = FunctionRuntime::builder(Arc::new(idp)).limits(limits).build();
//! let script = Script::from_file("handler.js")?;
//! let execution = runtime.run(&script, Invocation::new(serde_json::json!({ "email": "ana@example.com" }))).await;
//! println!("{:?} in {:?}", execution.result, execution.usage.wall_time);
//! runtime.shutdown(Duration::from_secs(10)).await;
//! # Ok(()) }
//! ```
//!
//! | module | responsibility |
//! | --- | --- |
//! | `runtime` | interface for hosts: builder, `run`, shutdown |
//! | `pool` | worker threads, the queue, choice and reuse of isolates |
//! | `runner` | runs executions one after the other, in an isolate of the thread or in a worker process |
//! | `isolate` | one isolate: creation, loading a script, calling its handler |
//! | `limits`, `termination`, `watchdog`, `memory`, `console` | limits of an execution and their enforcement |
//! | `crash` | crashes of the engine, which end the execution rather than the process |
//! | `script`, `loader` | modules of a script, and how V8 gets them |
//! | `inspector` | debuggers |
//! | `argument`, `json`, `stringified`, `script_error`, `missing_globals`, `code_frame` | conversion of arguments, results and errors |
//! | `execution` | invocations and execution records |

mod argument;
mod clock;
mod code_frame;
mod console;
mod crash;
mod execution;
#[cfg(feature = "inspector")]
mod inspector;
mod isolate;
mod json;
mod limits;
mod loader;
mod memory;
mod missing_globals;
mod pool;
#[cfg(all(target_os = "linux", feature = "v8"))]
mod process;
mod runner;
mod runtime;
mod script;
mod script_error;
mod stringified;
mod termination;
mod watchdog;
mod workers;

pub use crate::extension::{
    CertificateAuthorities, DEFAULT_FETCH_MAX_BODY, DEFAULT_FETCH_MAX_REQUESTS, DEFAULT_FETCH_MAX_STREAMED_BODY,
    DEFAULT_FETCH_TIMEOUT, FetchPolicy, FetchSettings, InvalidCertificates, InvalidFetchHost,
};
#[cfg(test)]
pub(crate) use pool::run_on_isolate_thread;

pub use argument::{InvalidArgument, MAX_ARGUMENT_DEPTH, parse_argument};
pub use code_frame::CodeFrame;
pub use execution::{ErrorKind, Execution, ExecutionError, Invocation, LogLine, Status, Usage};
#[cfg(feature = "inspector")]
pub use inspector::{Inspector, InspectorStart};
pub use isolate::BuiltinGuards;
pub use limits::{Limit, Limits, ResultLimits};
pub use pool::Isolation;
#[cfg(all(target_os = "linux", feature = "v8"))]
pub use process::{Attempt, AttemptOutcome, ProbeError, SandboxStatus, sandbox_status};
pub use runtime::{FunctionRuntime, FunctionRuntimeBuilder};
pub use script::{MAX_MODULES, MAX_SOURCE_LEN, Script, ScriptFileError};
pub use stringified::Stringified;
pub use workers::{ProcessOptions, Share, Workers, worker_entry};

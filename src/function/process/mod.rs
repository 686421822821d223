//! Worker processes: executions behind the operating system's protection.
//!
//! ```text
//! host                                     zygote                      worker
//!   launcher  ── fork, with a socket ──▶   zygote  ── fork ──▶  guest, in the sandbox
//!   runner::process  ◀────────────── messages in frames ──────────▶  guest
//! ```
//!
//! The zygote is this program, started again: it initializes V8 and never runs a script. A worker is a fork of it, so that all
//! workers share the memory of the initialized engine. A worker holds one socket and nothing else.
//!
//! | module | responsibility |
//! | --- | --- |
//! | `message`, `frame` | what host and worker tell each other |
//! | `result` | reading results, within limits |
//! | `control` | what launcher and zygote tell each other |
//! | `launcher` | the host's side of the zygote |
//! | `zygote`, `inherit` | forks workers, with the memory of V8, and reports how they ended |
//! | `guest` | the worker's side of executions |
//! | `fetch_host`, `fetch_guest` | `fetch`, on both sides |
//! | `sandbox` | what a worker gives up before a script runs |
//! | `usage` | memory of a worker, as the host sees it |

mod control;
mod fetch_guest;
mod fetch_host;
mod frame;
mod guest;
mod inherit;
mod launcher;
mod message;
mod result;
mod sandbox;
mod usage;
mod zygote;

pub(super) use self::control::Exit;
pub(super) use self::fetch_host::{Fetches, UnaskedFor};
pub(super) use self::frame::{Inbox, Malformed, encode};
pub(super) use self::launcher::{LaunchError, WorkerProcess, launch};
pub(super) use self::message::{
    Answer, Done, FromWorker, MAX_CALL_BYTES, Operation, Preparation, Run, ToWorker, max_result_bytes,
};
#[cfg(test)]
pub(super) use self::message::{FetchBody, FetchCommand};
pub(super) use self::result::parse_result;
pub(super) use self::sandbox::UNKNOWN_CALL_STATUS;
pub use self::sandbox::{Attempt, Outcome as AttemptOutcome, ProbeError, SandboxStatus, sandbox_status};
pub(super) use self::usage::ProcessMemory;
pub(super) use self::zygote::worker_entry;

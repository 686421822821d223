//! The settings file, `tailor-idp.toml`: the package `tailor-idp-settings`, and the function runtime's side of it.
//!
//! ```
//! use tailor_idp::function::Limits;
//! use tailor_idp::settings::Settings;
//!
//! let text = "
//! [namespace.builtin-idp]
//! store = \"memory\"
//! [function]
//! timeout = \"5s\"
//! ";
//! let settings = Settings::parse(text, "tailor-idp.toml".as_ref())?;
//! assert_eq!(Limits::from(&settings.function).time.as_secs(), 5);
//! # Ok::<_, tailor_idp::settings::SettingsError>(())
//! ```

pub use tailor_idp_settings::*;

use crate::function::{FetchSettings, Limits, ProcessOptions, Workers};

impl From<&FunctionLimits> for Limits {
    /// Limits that are not in the file keep their defaults.
    fn from(limits: &FunctionLimits) -> Self {
        // A limit beyond the address space is no limit.
        let memory = usize::try_from(limits.memory).unwrap_or(usize::MAX);
        let calls = usize::try_from(limits.max_calls).unwrap_or(usize::MAX);
        Self { time: limits.timeout, calls, ..Self::default() }.memory(memory)
    }
}

impl From<ScriptIsolation> for Workers {
    fn from(isolation: ScriptIsolation) -> Self {
        match isolation {
            ScriptIsolation::Thread => Self::Threads,
            ScriptIsolation::Process => Self::Processes(ProcessOptions::default()),
        }
    }
}

impl From<&FetchEntry> for FetchSettings {
    /// Limits that are not in the file keep their defaults.
    fn from(entry: &FetchEntry) -> Self {
        let mut fetch = Self::default().allow(entry.policy.clone()).trust(&entry.authorities);
        if let Some(timeout) = entry.timeout {
            fetch = fetch.timeout(timeout);
        }
        if let Some(bytes) = entry.max_body {
            fetch = fetch.max_body(bytes);
        }
        if let Some(bytes) = entry.max_streamed_body {
            fetch = fetch.max_streamed_body(bytes);
        }
        if let Some(requests) = entry.max_requests {
            fetch = fetch.max_requests(requests);
        }
        fetch
    }
}

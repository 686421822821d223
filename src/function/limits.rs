//! Limits of an execution, and their names and messages in execution records.

use std::time::Duration;

use serde::{Deserialize, Serialize};

const MIB: usize = 1024 * 1024;

/// Resource limits of an execution. An execution that exceeds one is terminated, and its record names the [`Limit`]. The limits
/// of the log and of calls do not terminate it.
///
/// Defaults are the platform's limits for functions where it documents them. The others are far above the needs of a function.
///
/// ```
/// use std::time::Duration;
/// use tailor_idp::function::Limits;
///
/// let limits = Limits { time: Duration::from_secs(5), ..Limits::default() };
/// assert_eq!(limits.memory, 32 * 1024 * 1024);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Wall-clock time from the start of the execution, waiting included. Default: 60 s.
    pub time: Duration,
    /// CPU time of the execution's thread. Waiting, such as for a store, does not count. Default: none.
    ///
    /// Enforced on Linux, which lets other threads read the clock of a thread; elsewhere it has no effect.
    pub cpu_time: Option<Duration>,
    /// JavaScript heap, in bytes. Default: 32 MiB. An isolate uses 2 to 3 MiB before the script starts; values below 8 MiB are
    /// raised to 8 MiB.
    pub memory: usize,
    /// Memory outside of the heap, in bytes: ArrayBuffers, blobs, queued messages and WebAssembly memories. Default: 32 MiB.
    pub buffers: usize,
    /// Total size of the script's modules, in bytes. Default: 20 MiB.
    pub source: usize,
    /// Argument as JSON, in bytes. Default: 32 MiB.
    pub argument: usize,
    /// Size and depth of the result.
    pub result: ResultLimits,
    /// Log lines. Default: 10,000. Beyond this and [`log_bytes`](Self::log_bytes), the log is cut off with a line that says so; the
    /// script continues.
    pub log_lines: usize,
    /// Text of all log lines, in bytes. Default: 8 MiB.
    pub log_bytes: usize,
    /// Calls of `tailor.idp` that run at the same time, at least 1. Default: 1,000. Further calls wait for their turn, in order.
    pub calls_in_flight: usize,
    /// Total calls of `tailor.idp`. Default: 100,000. Each further call rejects with `RESOURCE_EXHAUSTED`.
    pub calls: usize,
    /// Pending timers. Default: 10,000.
    pub timers: usize,
}

/// Limits of the result of an execution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultLimits {
    /// Nesting depth. Default: 100, which is also the maximum: larger values are lowered to 100. A `toJSON` method or a getter
    /// at each level re-enters V8, whose stack suffices for about 200 levels.
    pub depth: usize,
    /// Number of values. Default: 1,000,000. A small script can produce an unbounded result, for example by a proxy.
    pub values: usize,
    /// Text, in bytes. Default: 32 MiB.
    pub text: usize,
}

impl Limits {
    /// The platform's limits for job functions: 24 hours and 256 MiB.
    pub fn job() -> Self {
        Self {
            time: Duration::from_secs(24 * 60 * 60),
            memory: 256 * MIB,
            buffers: 256 * MIB,
            log_lines: 1_000_000,
            log_bytes: 256 * MIB,
            calls: 10_000_000,
            ..Self::default()
        }
    }

    /// Sets [`memory`](Self::memory) and [`buffers`](Self::buffers), each to `bytes`.
    #[must_use]
    pub fn memory(mut self, bytes: usize) -> Self {
        (self.memory, self.buffers) = (bytes, bytes);
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(60),
            cpu_time: None,
            memory: 32 * MIB,
            buffers: 32 * MIB,
            source: 20 * MIB,
            argument: 32 * MIB,
            result: ResultLimits::default(),
            log_lines: 10_000,
            log_bytes: 8 * MIB,
            calls_in_flight: 1_000,
            calls: 100_000,
            timers: 10_000,
        }
    }
}

impl Default for ResultLimits {
    fn default() -> Self {
        Self { depth: 100, values: 1_000_000, text: 32 * MIB }
    }
}

/// The limit that terminated or prevented an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Limit {
    /// [`Limits::time`].
    Time,
    /// [`Limits::cpu_time`].
    CpuTime,
    /// [`Invocation::deadline`](crate::function::Invocation::deadline).
    Deadline,
    /// [`Limits::memory`].
    Memory,
    /// [`Limits::buffers`].
    Buffers,
    /// [`Limits::source`].
    Source,
    /// [`Limits::argument`].
    Argument,
    /// [`Limits::result`].
    Result,
    /// [`Limits::timers`].
    Timers,
    /// [`FunctionRuntimeBuilder::queue`](crate::function::FunctionRuntimeBuilder::queue).
    Queue,
    /// Not a limit that can be set: the engine failed while it ran the script, or the worker process ended abnormally.
    Crash,
}

impl Limit {
    /// Name of the limit in execution records, such as `time` or `cpuTime`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::CpuTime => "cpuTime",
            Self::Deadline => "deadline",
            Self::Memory => "memory",
            Self::Buffers => "buffers",
            Self::Source => "source",
            Self::Argument => "argument",
            Self::Result => "result",
            Self::Timers => "timers",
            Self::Queue => "queue",
            Self::Crash => "crash",
        }
    }

    /// Error message. `used` is the amount used, in the limit's unit.
    pub(super) fn message(self, limits: &Limits, used: usize) -> String {
        let time = |limit: Duration| format!("{} limit", seconds(limit));
        match self {
            Self::Time => format!("Time limit exceeded: ran longer than the {}", time(limits.time)),
            Self::CpuTime => {
                let limit = limits.cpu_time.unwrap_or(limits.time);
                format!("CPU time limit exceeded: computed longer than the {}", time(limit))
            }
            Self::Deadline => "Deadline exceeded: the caller wanted the result earlier".to_owned(),
            Self::Memory => {
                format!("Memory limit exceeded: used {} of {} limit", megabytes(used), megabytes(limits.memory))
            }
            Self::Buffers => format!(
                "Memory limit exceeded: used {} of {} limit for ArrayBuffers, blobs and WebAssembly",
                megabytes(used),
                megabytes(limits.buffers)
            ),
            Self::Source => format!("Source limit exceeded: the script has {used} bytes, of at most {}", limits.source),
            Self::Argument => {
                format!("Argument limit exceeded: {used} bytes of JSON, of at most {}", limits.argument)
            }
            // `json::from_v8` replaces this by a message with the path of the value.
            Self::Result => "Result limit exceeded".to_owned(),
            Self::Timers => format!("Timer limit exceeded: more than {} timers at once", limits.timers),
            Self::Queue => format!("Too many executions: {used} wait for their turn, try again later"),
            // `ProcessRunner` replaces this by a message with the signal or the exit status.
            Self::Crash => "The engine failed while it ran the script: the execution was ended".to_owned(),
        }
    }
}

/// Whole megabytes, rounded up so that usage above a limit never prints as equal to it.
fn megabytes(bytes: usize) -> String {
    format!("{} MB", bytes.div_ceil(MIB))
}

/// Seconds, such as `60 s` and `0.25 s`.
fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_contains_usage_and_limit() {
        let limits = Limits { time: Duration::from_millis(250), ..Limits::default() };
        assert_eq!(Limit::Memory.message(&limits, 50 * MIB - 7), "Memory limit exceeded: used 50 MB of 32 MB limit");
        assert_eq!(Limit::Time.message(&limits, 0), "Time limit exceeded: ran longer than the 0.25 s limit");
        assert_eq!(Limit::Timers.message(&limits, 0), "Timer limit exceeded: more than 10000 timers at once");
    }
}

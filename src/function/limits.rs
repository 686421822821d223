//! What an execution may use, and which limit ended one.

use std::time::Duration;

const MIB: usize = 1024 * 1024;

/// What an execution may use. Each limit ends the script where it stands, and has its own [`Limit`] in the record.
///
/// The defaults are the platform's for functions, where it names them; the others are far above what a function needs,
/// and far below what a host minds.
///
/// ```
/// use std::time::Duration;
/// use tailor_idp::function::Limits;
///
/// let limits = Limits { time: Duration::from_secs(5), ..Limits::default() };
/// assert_eq!(limits.memory, 32 * 1024 * 1024);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// How long an execution may take in all, waiting included: 60 s.
    pub time: Duration,
    /// How long it may compute, on the clock of its thread. What it waits for, such as a store, does not count. Without a
    /// value, `time` is the bound.
    ///
    /// Enforced on Linux, whose clocks can be read from another thread; elsewhere only reported.
    pub cpu_time: Option<Duration>,
    /// Bytes of the JavaScript heap: 32 MiB. An isolate has 2 to 3 MiB of it in use before a script begins; less than 8 MiB
    /// is taken as 8 MiB.
    pub memory: usize,
    /// Bytes beside that heap: ArrayBuffers, blobs, messages on their way and the memories of WebAssembly. 32 MiB.
    pub buffers: usize,
    /// Bytes of the script's modules: 20 MiB.
    pub source: usize,
    /// Bytes of the argument as JSON: 32 MiB.
    pub argument: usize,
    /// What a result may be.
    pub result: ResultLimits,
    /// Lines that a script may log: 10,000.
    pub log_lines: usize,
    /// Bytes of text that it may log: 8 MiB.
    pub log_bytes: usize,
    /// Calls of `tailor.idp` that may be under way at once: 1,000. Each waits with its answer's promise and its arguments.
    pub calls_in_flight: usize,
    /// Calls of `tailor.idp` in all: 100,000.
    pub calls: usize,
    /// Timers that may be waiting at once: 10,000.
    pub timers: usize,
}

/// What a result may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultLimits {
    /// How deep it may nest: 100, deeper than data gets. With a `toJSON` or a getter at each level the engine is entered as
    /// often, on a stack of its own that bears about twice this: more than 100 is taken as 100.
    pub depth: usize,
    /// Values in it: 1,000,000, more than a script's memory holds, and few enough for the host's. Without a limit a small
    /// script can stand for a result without end.
    pub values: usize,
    /// Bytes of text in it: 32 MiB, for the same reason.
    pub text: usize,
}

impl Limits {
    /// The platform's, for job functions: 24 hours and 256 MiB.
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

    /// With this much memory, on the heap and as much again beside it.
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

/// The limit that ended an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// [`Limits::time`].
    Time,
    /// [`Limits::cpu_time`].
    CpuTime,
    /// The moment that the invocation named: [`Invocation::deadline`](super::Invocation::deadline).
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
    /// [`Limits::log_lines`].
    LogLines,
    /// [`Limits::log_bytes`].
    LogBytes,
    /// [`Limits::calls_in_flight`].
    CallsInFlight,
    /// [`Limits::calls`].
    Calls,
    /// [`Limits::timers`].
    Timers,
    /// Executions that wait for their turn: [`queue`](super::FunctionRuntimeBuilder::queue).
    Queue,
}

impl Limit {
    /// The limit's name in records: `time`, `cpuTime`, `memory`, ….
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
            Self::LogLines => "logLines",
            Self::LogBytes => "logBytes",
            Self::CallsInFlight => "callsInFlight",
            Self::Calls => "calls",
            Self::Timers => "timers",
            Self::Queue => "queue",
        }
    }

    /// What the record says where `used` of the limit's own unit was asked for.
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
            // The reader of results says where.
            Self::Result => "Result limit exceeded".to_owned(),
            Self::LogLines => format!("Log limit exceeded: more than {} lines", limits.log_lines),
            Self::LogBytes => format!("Log limit exceeded: more than {} bytes", limits.log_bytes),
            Self::CallsInFlight => {
                format!("Call limit exceeded: more than {} calls of tailor.idp at once", limits.calls_in_flight)
            }
            Self::Calls => format!("Call limit exceeded: more than {} calls of tailor.idp", limits.calls),
            Self::Timers => format!("Timer limit exceeded: more than {} timers at once", limits.timers),
            Self::Queue => format!("Too many executions: {used} wait for their turn, try again later"),
        }
    }
}

/// As whole megabytes, rounded up: what was used is never said to be less than it was.
fn megabytes(bytes: usize) -> String {
    format!("{} MB", bytes.div_ceil(MIB))
}

/// Such as `60 s` and `0.25 s`.
fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_carry_what_was_used_and_the_limit() {
        let limits = Limits { time: Duration::from_millis(250), ..Limits::default() };
        assert_eq!(Limit::Memory.message(&limits, 50 * MIB - 7), "Memory limit exceeded: used 50 MB of 32 MB limit");
        assert_eq!(Limit::Time.message(&limits, 0), "Time limit exceeded: ran longer than the 0.25 s limit");
        assert_eq!(Limit::LogLines.message(&limits, 0), "Log limit exceeded: more than 10000 lines");
    }
}

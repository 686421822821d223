//! Invocation of a script, and the record of its execution.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

use super::code_frame::CodeFrame;
use super::limits::{Limit, Limits};
use super::stringified::Stringified;
use crate::extension::LogLevel;
use crate::idp::{Invoker, Principal};

/// Callback for log lines. Called on the thread that runs the script.
pub(super) type OnLog = Arc<dyn Fn(&LogLine) + Send + Sync>;

/// Where the log lines of an execution go.
pub(super) type LogOutput = Arc<dyn Fn(LogLine) + Send + Sync>;

/// Parameters of one execution: argument, invoker, limits and deadline.
#[derive(Clone, Default)]
pub struct Invocation {
    pub(super) argument: serde_json::Value,
    pub(super) principal: Principal,
    pub(super) on_log: Option<OnLog>,
    pub(super) limits: Option<Limits>,
    pub(super) deadline: Option<Instant>,
}

impl Invocation {
    /// Creates an invocation with an argument and an anonymous invoker.
    pub fn new(argument: serde_json::Value) -> Self {
        Self { argument, ..Self::default() }
    }

    /// Sets the invoker, on whose behalf the script calls the identity provider.
    #[must_use]
    pub fn invoker(mut self, invoker: Invoker) -> Self {
        self.principal = Principal::from(Some(invoker));
        self
    }

    /// Sets limits that replace the runtime's.
    ///
    /// Prepared isolates have the runtime's memory limits. An execution with other memory limits has to wait for a new isolate.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Sets the time at which the execution is terminated, or is removed from the queue.
    #[must_use]
    pub fn deadline(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Sets a callback that gets each log line immediately. It runs on the script's thread.
    #[must_use]
    pub fn on_log(mut self, on_log: impl Fn(&LogLine) + Send + Sync + 'static) -> Self {
        self.on_log = Some(Arc::new(on_log));
        self
    }
}

/// Record of an execution: result, log and resource usage.
///
/// Serializes as the platform's record (`status`, `result`, `error`, `errorKind`, `logs`, `startedAt`, `finishedAt`) with the
/// additional members `usage` and, if a limit was exceeded, `limit`.
///
/// The record is JSON: serialize it with `serde_json`, which writes the numbers of the result as `JSON.stringify` does. Other
/// formats, which have no notation for such numbers, take the value that [`serde_json::to_value`] makes of the record.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Execution {
    /// Return value of the handler, or the error. [`Stringified`] writes the value as `JSON.stringify` does.
    pub result: Result<serde_json::Value, ExecutionError>,
    /// Log lines in order.
    pub logs: Vec<LogLine>,
    /// Time at which [`FunctionRuntime::run`](crate::function::FunctionRuntime::run) was called.
    pub started_at: SystemTime,
    /// Time at which the result was available.
    pub finished_at: SystemTime,
    /// Resource usage.
    pub usage: Usage,
}

/// Outcome of an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// The handler returned a value.
    Success,
    /// There is no result.
    Failed,
}

/// Resource usage of an execution.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Time in the queue.
    pub queued: Duration,
    /// Time to create the isolate; zero if one was ready. Included in `wall_time`.
    pub isolate: Duration,
    /// Time from the end of queueing to the result, including waits of the script.
    pub wall_time: Duration,
    /// CPU time of the execution's thread. None if the system does not provide it.
    pub cpu_time: Option<Duration>,
    /// Largest heap size that was observed, in bytes. Observed at garbage collections and at the end.
    pub peak_heap: usize,
}

impl Execution {
    /// Outcome of the execution.
    pub fn status(&self) -> Status {
        if self.result.is_ok() { Status::Success } else { Status::Failed }
    }

    /// Kind of the error, if the execution failed.
    pub fn error_kind(&self) -> Option<ErrorKind> {
        self.result.as_ref().err().map(|error| error.kind)
    }
}

impl Serialize for Execution {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let logs: Vec<_> = self.logs.iter().map(ToString::to_string).collect();
        let error = self.result.as_ref().err();
        let usage = serde_json::json!({
            "queuedMs": milliseconds(self.usage.queued),
            "isolateMs": milliseconds(self.usage.isolate),
            "wallTimeMs": milliseconds(self.usage.wall_time),
            "cpuTimeMs": self.usage.cpu_time.map(milliseconds),
            "peakHeapBytes": self.usage.peak_heap,
        });
        let mut record = serializer.serialize_struct("Execution", 9)?;
        record.serialize_field("status", &self.status())?;
        record.serialize_field("result", &self.result.as_ref().ok().map(Stringified))?;
        match error {
            Some(error) => record.serialize_field("error", error)?,
            None => record.skip_field("error")?,
        }
        record.serialize_field("errorKind", self.error_kind().map_or("NONE", ErrorKind::as_str))?;
        match error.and_then(|error| error.limit) {
            Some(limit) => record.serialize_field("limit", limit.name())?,
            None => record.skip_field("limit")?,
        }
        record.serialize_field("logs", &logs)?;
        record.serialize_field("startedAt", &rfc3339(self.started_at))?;
        record.serialize_field("finishedAt", &rfc3339(self.finished_at))?;
        record.serialize_field("usage", &usage)?;
        record.end()
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// RFC 3339 timestamp in UTC, with nanoseconds.
fn rfc3339(at: SystemTime) -> String {
    format!("{:.9}", jiff::Timestamp::try_from(at).unwrap_or_default())
}

/// A log line of a script. The `Display` implementation prints `2025-02-14T07:16:31.590771150Z INFO text`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Time logged.
    pub at: SystemTime,
    /// Level.
    pub level: LogLevel,
    /// Text. Can contain line breaks.
    pub text: String,
}

impl fmt::Display for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", rfc3339(self.at), self.level.as_str(), self.text)
    }
}

/// Kind of an execution error, by cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The script threw, its promise was rejected, or it exceeded a limit.
    UserRuntime,
    /// The script cannot be run: it does not parse, has no handler, or its result is not JSON.
    UserNonRuntime,
    /// The host failed, is overloaded, or is shutting down.
    Platform,
}

impl ErrorKind {
    /// Name in execution records: `USER_RUNTIME`, `USER_NON_RUNTIME` or `PLATFORM`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UserRuntime => "USER_RUNTIME",
            Self::UserNonRuntime => "USER_NON_RUNTIME",
            Self::Platform => "PLATFORM",
        }
    }
}

/// Error of an execution. The `Display` implementation prints name, message and stack as JavaScript engines do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExecutionError {
    /// Kind, by cause.
    pub kind: ErrorKind,
    /// `name` of the JavaScript error, such as `TypeError`. Empty if the thrown value was not an error.
    pub name: String,
    /// `message` of the JavaScript error.
    pub message: String,
    /// `stack` of the JavaScript error, if any: name, message and frames.
    pub stack_trace: Option<String>,
    /// The exceeded limit, if any.
    pub limit: Option<Limit>,
    /// Source around the location of the error, if known.
    pub code_frame: Option<CodeFrame>,
}

impl ExecutionError {
    /// Error of an exceeded limit. `used` is the amount used, in the limit's unit.
    pub(super) fn limit(limit: Limit, limits: &Limits, used: usize) -> Self {
        let kind = match limit {
            // The script was not started.
            Limit::Source | Limit::Argument => ErrorKind::UserNonRuntime,
            Limit::Queue | Limit::Deadline => ErrorKind::Platform,
            _ => ErrorKind::UserRuntime,
        };
        Self { limit: Some(limit), ..Self::new(kind, "Error", limit.message(limits, used)) }
    }

    /// Error of the host.
    pub(super) fn platform(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Platform, "Error", message)
    }

    /// Error of a script that cannot be run.
    pub(super) fn invalid_script(name: &str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::UserNonRuntime, name, message)
    }

    fn new(kind: ErrorKind, name: &str, message: impl Into<String>) -> Self {
        Self::with_stack(kind, name.to_owned(), message.into(), None)
    }

    pub(super) fn with_stack(kind: ErrorKind, name: String, message: String, stack_trace: Option<String>) -> Self {
        Self { kind, name, message, stack_trace, limit: None, code_frame: None }
    }
}

impl ExecutionError {
    /// Formats the error with the code frame between message and stack. `render` is `CodeFrame::to_string` or
    /// [`CodeFrame::coloured`].
    pub fn with_code_frame(&self, render: impl FnOnce(&CodeFrame) -> String) -> String {
        let text = self.to_string();
        let Some(frame) = &self.code_frame else { return text };
        // V8's stacks start with name and message. Skip them first: a message can contain text that looks like a frame.
        let head = if self.name.is_empty() { self.message.clone() } else { format!("{}: {}", self.name, self.message) };
        let head = if text.starts_with(&head) { head.len() } else { text.find("\n    at ").unwrap_or(text.len()) };
        let (head, stack) = text.split_at(head);
        // The first line of a stack can continue after the message.
        let (rest_of_line, stack) = stack.split_at(stack.find('\n').unwrap_or(stack.len()));
        format!("{head}{rest_of_line}\n{}{stack}", render(frame))
    }
}

impl Serialize for ExecutionError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut error = serializer.serialize_struct("ExecutionError", 3)?;
        error.serialize_field("name", &self.name)?;
        error.serialize_field("message", &self.message)?;
        error.serialize_field("stackTrace", &self.stack_trace)?;
        error.end()
    }
}

impl fmt::Display for ExecutionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.stack_trace {
            Some(stack) => f.write_str(stack),
            None if self.name.is_empty() => f.write_str(&self.message),
            None => write!(f, "{}: {}", self.name, self.message),
        }
    }
}

impl std::error::Error for ExecutionError {}

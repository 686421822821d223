//! What goes into an execution, and the record that comes out.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::code_frame::CodeFrame;
use super::limits::{Limit, Limits};
use crate::extension::LogLevel;
use crate::idp::{Invoker, Principal};

/// Takes the log lines of a script, on the script's thread.
pub(super) type OnLog = Arc<dyn Fn(&LogLine) + Send + Sync>;

/// One call of a script's handler.
#[derive(Clone, Default)]
pub struct Invocation {
    pub(super) argument: serde_json::Value,
    pub(super) principal: Principal,
    pub(super) on_log: Option<OnLog>,
    pub(super) limits: Option<Limits>,
    pub(super) deadline: Option<Instant>,
}

impl Invocation {
    /// A call with this argument, on behalf of nobody.
    pub fn new(argument: serde_json::Value) -> Self {
        Self { argument, ..Self::default() }
    }

    /// On behalf of this invoker.
    #[must_use]
    pub fn invoker(mut self, invoker: Invoker) -> Self {
        self.principal = Principal::from(Some(invoker));
        self
    }

    /// Within these limits, rather than the runtime's.
    ///
    /// An isolate that was prepared ahead has the runtime's memory: other limits of memory cost the time to make one.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Ends at this moment, even if the execution has to wait for its turn until then.
    #[must_use]
    pub fn deadline(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Also hands every log line to `on_log` as soon as the script has logged it.
    #[must_use]
    pub fn on_log(mut self, on_log: impl Fn(&LogLine) + Send + Sync + 'static) -> Self {
        self.on_log = Some(Arc::new(on_log));
        self
    }
}

/// What became of a call.
///
/// Serializes as the platform's record: `status`, `result`, `error`, `errorKind`, `logs`, `startedAt`, `finishedAt`, and beside
/// them `limit`, where one ended it, and `usage`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Execution {
    /// What the handler returned, or why there is no result.
    pub result: Result<serde_json::Value, ExecutionError>,
    /// What the script logged, in order.
    pub logs: Vec<LogLine>,
    /// When the call came in.
    pub started_at: SystemTime,
    /// When the result was there.
    pub finished_at: SystemTime,
    /// What it took.
    pub usage: Usage,
}

/// Whether there is a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// The handler returned.
    Success,
    /// It did not.
    Failed,
}

/// What an execution took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// How long it waited for its turn.
    pub queued: Duration,
    /// How long its isolate took to be made: nothing where one was ready. Part of `wall_time`.
    pub isolate: Duration,
    /// How long it ran, waiting for its own calls and timers included.
    pub wall_time: Duration,
    /// How long its thread computed; nothing where the system does not say.
    pub cpu_time: Option<Duration>,
    /// The most that was seen of its heap, in bytes: at its collections, and at its end.
    pub peak_heap: usize,
}

impl Execution {
    /// Whether there is a result.
    pub fn status(&self) -> Status {
        if self.result.is_ok() { Status::Success } else { Status::Failed }
    }

    /// Whose fault the failure is, if there is one.
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
        record.serialize_field("result", &self.result.as_ref().ok())?;
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
        record.serialize_field("startedAt", &moment(self.started_at))?;
        record.serialize_field("finishedAt", &moment(self.finished_at))?;
        record.serialize_field("usage", &usage)?;
        record.end()
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// RFC 3339, in UTC, with nanoseconds.
fn moment(at: SystemTime) -> String {
    format!("{:.9}", jiff::Timestamp::try_from(at).unwrap_or_default())
}

/// A line that a script logged. Prints as `2025-02-14T07:16:31.590771150Z INFO text`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When.
    pub at: SystemTime,
    /// How.
    pub level: LogLevel,
    /// What; can have line breaks in it.
    pub text: String,
}

impl fmt::Display for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", moment(self.at), self.level.as_str(), self.text)
    }
}

/// Whose fault a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The script threw, or its promise was rejected.
    UserRuntime,
    /// The script cannot be run as it is: it does not parse, has no handler, or returns what is not JSON.
    UserNonRuntime,
    /// The host's: it is too busy, is shutting down, or something in it broke.
    Platform,
}

impl ErrorKind {
    /// The kind as records carry it: `USER_RUNTIME`, `USER_NON_RUNTIME` or `PLATFORM`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UserRuntime => "USER_RUNTIME",
            Self::UserNonRuntime => "USER_NON_RUNTIME",
            Self::Platform => "PLATFORM",
        }
    }
}

/// Why there is no result. Prints as a JavaScript engine would print it: name, message and stack.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExecutionError {
    /// Whose fault.
    pub kind: ErrorKind,
    /// The error's `name`, such as `TypeError`.
    pub name: String,
    /// The error's `message`.
    pub message: String,
    /// The error's `stack`, where it has one: name, message, and the script's lines.
    pub stack_trace: Option<String>,
    /// The limit that ended the execution, where one did.
    pub limit: Option<Limit>,
    /// Where it was thrown, in the author's source, if that is known.
    pub code_frame: Option<CodeFrame>,
}

impl ExecutionError {
    /// A limit ended it, with `used` of what it counts.
    pub(super) fn limit(limit: Limit, limits: &Limits, used: usize) -> Self {
        let kind = match limit {
            // The script never ran.
            Limit::Source | Limit::Argument => ErrorKind::UserNonRuntime,
            Limit::Queue | Limit::Deadline => ErrorKind::Platform,
            _ => ErrorKind::UserRuntime,
        };
        Self { limit: Some(limit), ..Self::new(kind, "Error", limit.message(limits, used)) }
    }

    pub(super) fn platform(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Platform, "Error", message)
    }

    pub(super) fn unusable(name: &str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::UserNonRuntime, name, message)
    }

    fn new(kind: ErrorKind, name: &str, message: impl Into<String>) -> Self {
        Self::of(kind, name.to_owned(), message.into(), None)
    }

    pub(super) fn of(kind: ErrorKind, name: String, message: String, stack_trace: Option<String>) -> Self {
        Self { kind, name, message, stack_trace, limit: None, code_frame: None }
    }
}

impl ExecutionError {
    /// The error as it prints, with the code frame between message and stack. `draw` is `CodeFrame::to_string` or
    /// [`CodeFrame::coloured`].
    pub fn with_code_frame(&self, draw: impl FnOnce(&CodeFrame) -> String) -> String {
        let text = self.to_string();
        let Some(frame) = &self.code_frame else { return text };
        // A message can look like a stack; where it begins the stack, as it does in V8's, the rest is the lines.
        let head = if self.name.is_empty() { self.message.clone() } else { format!("{}: {}", self.name, self.message) };
        let head = if text.starts_with(&head) { head.len() } else { text.find("\n    at ").unwrap_or(text.len()) };
        let (head, stack) = text.split_at(head);
        // To the end of the line, in which a stack can say more.
        let (more, stack) = stack.split_at(stack.find('\n').unwrap_or(stack.len()));
        format!("{head}{more}\n{}{stack}", draw(frame))
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

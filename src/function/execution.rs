//! What goes into an execution, and the record that comes out.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use super::code_frame::CodeFrame;
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

    /// Also hands every log line to `on_log` as soon as the script has logged it.
    #[must_use]
    pub fn on_log(mut self, on_log: impl Fn(&LogLine) + Send + Sync + 'static) -> Self {
        self.on_log = Some(Arc::new(on_log));
        self
    }
}

/// What became of a call.
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
        let at = jiff::Timestamp::try_from(self.at).unwrap_or_default();
        write!(f, "{at:.9} {} {}", self.level.as_str(), self.text)
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
    /// The host's.
    Platform,
}

/// Why there is no result. Prints as a JavaScript engine would print it: name, message and stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionError {
    /// Whose fault.
    pub kind: ErrorKind,
    /// The error's `name`, such as `TypeError`.
    pub name: String,
    /// The error's `message`.
    pub message: String,
    /// The error's `stack`, where it has one: name, message, and the script's lines.
    pub stack_trace: Option<String>,
    /// Where it was thrown, in the author's source, if that is known.
    pub code_frame: Option<CodeFrame>,
}

impl ExecutionError {
    pub(super) fn platform(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Platform, "Error", message)
    }

    pub(super) fn unusable(name: &str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::UserNonRuntime, name, message)
    }

    fn new(kind: ErrorKind, name: &str, message: impl Into<String>) -> Self {
        Self { kind, name: name.to_owned(), message: message.into(), stack_trace: None, code_frame: None }
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

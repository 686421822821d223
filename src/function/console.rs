//! Log output of a script, within limits.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::Mutex;

use super::execution::{LogLine, LogOutput, OnLog};
use super::limits::Limits;
use crate::extension::{ConsoleSink, LogLevel};

/// Output that appends log lines to `logs` and passes each to `on_log`.
pub(super) fn collect_lines(logs: Arc<Mutex<Vec<LogLine>>>, on_log: Option<OnLog>) -> LogOutput {
    Arc::new(move |line| {
        if let Some(on_log) = &on_log
            // Unwinding through V8 aborts the process.
            && catch_unwind(AssertUnwindSafe(|| on_log(&line))).is_err()
        {
            tracing::error!("the host's on_log callback panicked");
        }
        logs.lock().push(line);
    })
}

/// Sink that passes log lines to `output`. At the first line beyond the log limits it adds a line that says so, and drops all
/// further lines.
pub(super) fn log_sink(output: LogOutput, limits: &Limits) -> ConsoleSink {
    let (max_lines, max_bytes) = (limits.log_lines, limits.log_bytes);
    let (lines, bytes) = (Cell::new(0_usize), Cell::new(0_usize));
    let is_cut_off = Cell::new(false);
    let write = move |level, text: &str| output(LogLine { at: SystemTime::now(), level, text: text.to_owned() });
    Box::new(move |level, text| {
        if is_cut_off.get() {
            return;
        }
        lines.set(lines.get() + 1);
        bytes.set(bytes.get().saturating_add(text.len()));
        let limit = if lines.get() > max_lines {
            format!("{max_lines} lines")
        } else if bytes.get() > max_bytes {
            format!("{max_bytes} bytes")
        } else {
            return write(level, text);
        };
        is_cut_off.set(true);
        write(LogLevel::Warn, &format!("the log is cut off here: it is over its limit of {limit}"));
    })
}

//! Log output of a script, within limits.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::Mutex;

use super::execution::{LogLine, OnLog};
use super::limits::{Limit, Limits};
use super::termination::{TerminationHandle, TerminationReason};
use crate::extension::ConsoleSink;

/// Sink that appends log lines to `logs` and passes each to `on_log`, and that terminates the execution beyond its log
/// limits.
pub(super) fn log_sink(
    logs: Arc<Mutex<Vec<LogLine>>>,
    on_log: Option<OnLog>,
    limits: &Limits,
    termination: Arc<TerminationHandle>,
) -> ConsoleSink {
    let (max_lines, max_bytes) = (limits.log_lines, limits.log_bytes);
    let (lines, bytes) = (Cell::new(0_usize), Cell::new(0_usize));
    Box::new(move |level, text| {
        lines.set(lines.get() + 1);
        bytes.set(bytes.get().saturating_add(text.len()));
        let exceeded = if lines.get() > max_lines {
            Some(Limit::LogLines)
        } else {
            (bytes.get() > max_bytes).then_some(Limit::LogBytes)
        };
        if let Some(limit) = exceeded {
            termination.terminate(TerminationReason::Limit(limit, 0));
            return;
        }
        let line = LogLine { at: SystemTime::now(), level, text: text.to_owned() };
        if let Some(on_log) = &on_log
            // Unwinding through V8 aborts the process.
            && catch_unwind(AssertUnwindSafe(|| on_log(&line))).is_err()
        {
            tracing::error!("the host's on_log callback panicked");
        }
        logs.lock().push(line);
    })
}

//! Where a script's log goes, and how much of it there may be.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::Mutex;

use super::execution::{LogLine, OnLog};
use super::limits::{Limit, Limits};
use super::stop::{Reason, Stop};
use crate::extension::ConsoleSink;

/// A log into `logs`, and to `on_log` as it comes, until the limits are reached.
pub(super) fn log(
    logs: Arc<Mutex<Vec<LogLine>>>,
    on_log: Option<OnLog>,
    limits: &Limits,
    stop: Arc<Stop>,
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
            stop.stop(Reason::Limit(limit, 0));
            return;
        }
        let line = LogLine { at: SystemTime::now(), level, text: text.to_owned() };
        if let Some(on_log) = &on_log
            // A panic must not go through the engine: that would end the process.
            && catch_unwind(AssertUnwindSafe(|| on_log(&line))).is_err()
        {
            tracing::error!("what the host does with log lines panicked");
        }
        logs.lock().push(line);
    })
}

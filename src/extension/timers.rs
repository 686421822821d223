//! Limit on pending timers. See `js/timers.js`.

use deno_core::{OpState, op2};

/// Limit on the pending timers of an execution. Kept in the [`OpState`]; without it there is no limit.
pub(crate) struct TimerLimit {
    /// Maximum pending timers.
    pub(crate) max: usize,
    /// Terminates the script.
    pub(crate) on_exceeded: Box<dyn Fn()>,
}

/// Checks the number of pending timers, including the one that is about to be created.
#[op2(fast)]
pub(super) fn op_function_check_timers(state: &mut OpState, #[smi] timers: u32) {
    if let Some(limit) = state.try_borrow::<TimerLimit>()
        && timers as usize > limit.max
    {
        (limit.on_exceeded)();
    }
}

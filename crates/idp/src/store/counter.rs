//! Counters: numbers that count up within a window of time, then start anew.

use crate::model::Timestamp;

/// The key of a counter.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CounterKey {
    /// The kind of attempts or requests counted, such as `password`.
    pub scope: &'static str,
    /// A digest of the subject, such as a user name. Empty for a counter of the whole namespace.
    pub subject: Vec<u8>,
}

/// The state of a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counter {
    /// The count in the current window.
    pub count: u64,
    /// The start of the window; now, for a counter that is zero.
    pub since: Timestamp,
}

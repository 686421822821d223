//! Points in time, and clocks.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::fmt::StdFmtWrite;
use jiff::fmt::temporal::DateTimePrinter;

/// A point in time with millisecond precision. Displays as RFC 3339 in UTC, with milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The time `millis` milliseconds after the Unix epoch.
    pub const fn from_unix_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// The current time by the system clock.
    pub fn now() -> Self {
        Self(jiff::Timestamp::now().as_millisecond())
    }

    /// The time `duration` later. Saturates.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The time `duration` earlier. Saturates.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The duration since `earlier`; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0).max(0).unsigned_abs())
    }

    /// Milliseconds since the Unix epoch.
    pub const fn unix_millis(self) -> i64 {
        self.0
    }
}

/// The error of parsing a [`Timestamp`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 time, such as 2025-02-14T07:16:31.590Z")]
pub struct InvalidTimestamp;

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    /// Parses an RFC 3339 time with an offset. Digits after the milliseconds are dropped.
    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        // jiff also takes years with a sign, and names of time zones in brackets.
        let plain = text.starts_with(|first: char| first.is_ascii_digit()) && !text.ends_with(']');
        let parsed = text.parse::<jiff::Timestamp>().ok().filter(|_| plain);
        parsed.map(|time| Self(time.as_millisecond())).ok_or(InvalidTimestamp)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Several times as fast as formatting a `jiff::Timestamp`, with the same result.
        const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(timestamp) => PRINTER.print_timestamp(&timestamp, StdFmtWrite(f)).map_err(|_| fmt::Error),
            // Years beyond 9999: only in a damaged row.
            Err(_) => write!(f, "{} ms after 1970", self.0),
        }
    }
}

/// A source of the current time. Any `Fn() -> Timestamp` is one.
pub trait Clock: Send + Sync {
    /// The current time.
    fn now(&self) -> Timestamp;
}

impl<F: Fn() -> Timestamp + Send + Sync> Clock for F {
    fn now(&self) -> Timestamp {
        self()
    }
}

/// The system clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

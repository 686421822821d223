//! Points in time, and clocks.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::fmt::StdFmtWrite;
use jiff::fmt::temporal::DateTimePrinter;

/// The start of the year 0 in UTC, in seconds since the Unix epoch: RFC 3339 has no earlier years.
const YEAR_0: i64 = -62_167_219_200;

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
        parse(text).ok_or(InvalidTimestamp)
    }
}

fn parse(text: &str) -> Option<Timestamp> {
    let (seconds, rest) = text.split_at_checked("0000-00-00T00:00:00".len())?;
    let (fraction, offset) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?),
        None => ("0", rest),
    };
    // jiff also takes a space for the T, offsets without minutes and beyond a day, and names of time zones.
    let is_offset = offset.eq_ignore_ascii_case("Z") || (has_shape(offset, "+00:00") && &offset[1..3] < "24");
    if !has_shape(seconds, "0000-00-00T00:00:00") || fraction.is_empty() || !is_offset {
        return None;
    }
    let whole = format!("{seconds}{offset}").parse::<jiff::Timestamp>().ok()?.as_second();
    let millis = format!("{fraction:0<3}")[..3].parse::<i64>().ok()?;
    // A fraction counts forward, also before 1970.
    (whole >= YEAR_0).then(|| Timestamp(whole * 1000 + millis))
}

/// Whether the text has the characters of the shape, in which `0` is any digit, `T` a letter of either case, and `+` either sign.
fn has_shape(text: &str, shape: &str) -> bool {
    let fits = |(byte, shape): (u8, u8)| match shape {
        b'0' => byte.is_ascii_digit(),
        b'+' => matches!(byte, b'+' | b'-'),
        _ => byte.eq_ignore_ascii_case(&shape),
    };
    text.len() == shape.len() && text.bytes().zip(shape.bytes()).all(fits)
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

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    fn shown(text: &str) -> String {
        text.parse::<Timestamp>().map_or_else(|error| error.to_string(), |time| time.to_string())
    }

    #[test]
    fn rfc_3339_times_are_parsed_and_rounded_down_to_milliseconds() {
        for (text, expected) in [
            ("2025-02-14T07:16:31Z", "2025-02-14T07:16:31.000Z"),
            ("2025-02-14t07:16:31.59z", "2025-02-14T07:16:31.590Z"),
            ("2025-02-14T07:16:31.5909999999999999+09:00", "2025-02-13T22:16:31.590Z"),
            ("2025-02-14T07:16:31-00:00", "2025-02-14T07:16:31.000Z"),
            ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.000Z"),
            ("1969-12-31T23:59:59.9999Z", "1969-12-31T23:59:59.999Z"),
            ("0000-01-01T00:00:00.0005Z", "0000-01-01T00:00:00.000Z"),
            ("0000-01-01T00:00:00-23:59", "0000-01-01T23:59:00.000Z"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
            assert_eq!(shown(expected), expected);
        }
    }

    #[test]
    fn times_that_rfc_3339_does_not_have_are_refused() {
        for text in [
            "",
            "2025-02-14",
            "2025-02-14T07:16:31",
            "2025-02-14 07:16:31Z",
            "2020-01-01 00:00:00+00",
            "2020-01-01T00+01",
            "2020-01-01T00:00+01:00",
            "2020-01-01T00:00:00+01",
            "2020-01-01T00:00:00+0100",
            "2020-01-01T00:00:00+24:00",
            "2020-01-01T00:00:00+01:60",
            "2020-01-01T00:00:00.Z",
            "2020-01-01T00:00:00,5Z",
            "2020-01-01T00:00:00Z[UTC]",
            "2020-01-01T24:00:00Z",
            "2020-02-30T00:00:00Z",
            "20200101T000000Z",
            "+02020-01-01T00:00:00Z",
            "-00001-01-01T00:00:00Z",
            "0000-01-01T00:00:00+00:01",
            "0000-01-01T00:00:00+23:59",
            "9999-12-31T23:59:59-23:59",
            "２020-01-01T00:00:00Z",
        ] {
            assert_eq!(shown(text), "not an RFC 3339 time, such as 2025-02-14T07:16:31.590Z", "{text}");
        }
    }
}

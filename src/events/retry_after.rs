//! `Retry-After`, as a receiver says it (RFC 9110, section 10.2.3).

use std::time::Duration;

use jiff::fmt::rfc2822;

use crate::idp::Timestamp;

/// How long to wait: of seconds, or until a date. `None` for anything else.
pub(super) fn parse(value: &str) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are a very long time.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::from(u32::MAX))));
    }
    let date = rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
    Some(Timestamp::from_unix_millis(date.as_millisecond()).since(Timestamp::now()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_read_and_nothing_else() {
        assert_eq!(parse("0"), Some(Duration::ZERO));
        assert_eq!(parse(" 120 "), Some(Duration::from_secs(120)));
        assert_eq!(parse("99999999999999999999999"), Some(Duration::from_secs(u64::from(u32::MAX))));
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO), "long past");
        let distant = parse("Mon, 30 Dec 2999 23:59:59 GMT");
        assert!(distant.is_some_and(|wait| wait > Duration::from_secs(3_000_000_000)), "{distant:?}");
        for nonsense in ["", "-1", "1.5", "soon", "1994-11-06"] {
            assert_eq!(parse(nonsense), None, "{nonsense:?}");
        }
    }
}

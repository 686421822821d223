//! Expected output: text with matchers for what differs from run to run.
//!
//! | matcher      | matches                                    |
//! | ------------ | ------------------------------------------ |
//! | `[WILDCARD]` | anything, over several lines, even nothing |
//! | `[WILDLINE]` | anything to the end of the line            |
//! | `[UUID]`     | a UUID                                     |
//! | `[TIME]`     | a moment in RFC 3339, in UTC               |
//! | `[DIR]`      | the case's folder                          |
//! | `[TEMP]`     | the temporary folder of its store          |
//!
//! The runner replaces the folders before it compares. CRLF line breaks are treated as LF, so that checkouts on Windows
//! pass.

mod difference;
mod pattern;

use std::borrow::Cow;

pub(crate) use difference::{Line, Sign, difference};
use pattern::{Pattern, TIME, UUID, time_length, uuid_length};

/// Whether an output matches the expected one.
pub(crate) fn matches(expected: &str, actual: &str) -> bool {
    Pattern::new(&normalize_line_breaks(expected)).matches(&normalize_line_breaks(actual))
}

/// Returns an expected output that matches `actual`: ids and times are replaced by matchers.
pub(crate) fn generalize(actual: &str) -> String {
    let bytes = actual.as_bytes();
    let (mut text, mut copied, mut at) = (String::with_capacity(actual.len()), 0, 0);
    while at < bytes.len() {
        let found = uuid_length(&bytes[at..]).map(|length| (UUID, length));
        let Some((name, length)) = found.or_else(|| time_length(&bytes[at..]).map(|length| (TIME, length))) else {
            at += 1;
            continue;
        };
        // UUIDs and times are ASCII, so these offsets are character boundaries.
        text.push_str(&actual[copied..at]);
        text.push_str(name);
        at += length;
        copied = at;
    }
    text.push_str(&actual[copied..]);
    text
}

fn normalize_line_breaks(text: &str) -> Cow<'_, str> {
    if text.contains("\r\n") { text.replace("\r\n", "\n").into() } else { text.into() }
}

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
//! The folders are replaced in the output before it gets here. Line breaks of Windows count as plain ones, so that a
//! checkout there passes.

mod difference;
mod pattern;

use std::borrow::Cow;

pub(crate) use difference::{Line, Sign, difference};
use pattern::{Pattern, TIME, UUID, time_length, uuid_length};

/// Whether an output is what was expected.
pub(crate) fn matches(expected: &str, actual: &str) -> bool {
    Pattern::new(&plain_breaks(expected)).matches(&plain_breaks(actual))
}

/// An expectation for an output: ids and times become matchers. It matches the output.
pub(crate) fn generalize(actual: &str) -> String {
    let bytes = actual.as_bytes();
    let (mut text, mut copied, mut at) = (String::with_capacity(actual.len()), 0, 0);
    while at < bytes.len() {
        let found = uuid_length(&bytes[at..]).map(|length| (UUID, length));
        let Some((name, length)) = found.or_else(|| time_length(&bytes[at..]).map(|length| (TIME, length))) else {
            at += 1;
            continue;
        };
        // Both are ASCII: these are no places within a character.
        text.push_str(&actual[copied..at]);
        text.push_str(name);
        at += length;
        copied = at;
    }
    text.push_str(&actual[copied..]);
    text
}

fn plain_breaks(text: &str) -> Cow<'_, str> {
    if text.contains("\r\n") { text.replace("\r\n", "\n").into() } else { text.into() }
}

//! Expected output: text with matchers for what differs from run to run.
//!
//! | matcher      | matches                                    |
//! | ------------ | ------------------------------------------ |
//! | `[WILDCARD]` | anything, over several lines, even nothing |
//! | `[WILDLINE]` | anything to the end of the line            |
//! | `[UUID]`     | a UUID                                     |
//! | `[TIME]`     | a moment in RFC 3339, in UTC               |
//! | `[DIR]`      | the case's folder                          |

use regex::Regex;
use similar::TextDiff;

const UUID: &str = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
const TIME: &str = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]+Z";

/// Each matcher with its pattern. `[DIR]` is in both texts already.
const MATCHERS: [(&str, &str); 4] =
    [("[WILDCARD]", "(?s:.*?)"), ("[WILDLINE]", "[^\n]*"), ("[UUID]", UUID), ("[TIME]", TIME)];

pub(crate) fn matches(expected: &str, actual: &str) -> bool {
    let pattern = MATCHERS
        .iter()
        .fold(regex::escape(expected), |pattern, (name, matcher)| pattern.replace(&regex::escape(name), matcher));
    Regex::new(&format!("^{pattern}$")).is_ok_and(|pattern| pattern.is_match(actual))
}

/// An expectation for an output: ids and times become matchers.
pub(crate) fn generalize(actual: &str) -> String {
    let varying = [(UUID, "[UUID]"), (TIME, "[TIME]")];
    varying.iter().fold(actual.to_owned(), |text, (pattern, name)| {
        Regex::new(pattern).map_or(text.clone(), |pattern| pattern.replace_all(&text, *name).into_owned())
    })
}

/// Line by line; lines that differ in a matcher only are shown as different, too.
pub(crate) fn diff(expected: &str, actual: &str) -> String {
    let actual = generalize(actual);
    TextDiff::from_lines(expected, &actual).unified_diff().context_radius(3).header("expected", "actual").to_string()
}

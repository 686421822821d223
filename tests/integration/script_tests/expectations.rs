//! Matching of output against expectations, and the displayed difference.

use pretty_assertions::assert_eq;
use proptest::prelude::*;

use crate::expectation::{Line, Sign, difference, generalize, matches};

const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
const TIME: &str = "2026-01-31T09:30:00.123Z";

fn shown(expected: &str, actual: &str) -> String {
    difference(expected, actual).iter().map(|line| format!("{line}\n")).collect()
}

#[test]
fn matchers_match_documented_texts() {
    let cases = [
        ("plain\n", "plain\n", true),
        ("plain\n", "plain", false),
        ("", "", true),
        ("", "x", false),
        ("x", "", false),
        ("[WILDCARD]", "", true),
        ("[WILDCARD]", "a\nb\n", true),
        ("a[WILDCARD]b", "a\n\nxb", true),
        ("a[WILDCARD]b", "a\n\nxbc", false),
        ("a\n[WILDCARD]\nb\n", "a\nb\n", false),
        ("a\n[WILDCARD]\nb\n", "a\nx\ny\nb\n", true),
        ("[WILDLINE]", "", true),
        ("[WILDLINE]", "a\n", false),
        ("a[WILDLINE]c\n", "abcbc\n", true),
        ("a[WILDLINE]c[WILDLINE]e\n", "abcdcde\n", true),
        ("a[WILDLINE]c\n", "ab\nc\n", false),
        ("[WILDCARD]a[WILDLINE]b\n[WILDCARD]c", "a\nab ab\nx\nc", true),
        ("[WILDCARD]a[WILDLINE]b\nc", "ab\nx\nab\nc", true),
        ("[UUID]", ID, true),
        ("[UUID]", &ID.to_uppercase(), false),
        ("[UUID]", &ID[1..], false),
        ("<[UUID]>", &format!("<{ID}>"), true),
        ("[UUID]", "[UUID]", true),
        ("[TIME]", TIME, true),
        ("[TIME]", "2026-01-31T09:30:00Z", false),
        ("[TIME]", "2026-01-31T09:30:00.1+01:00", false),
        ("at [TIME].", &format!("at {TIME}."), true),
        ("[DIR]/main.js", "[DIR]/main.js", true),
        ("[OTHER] (.*) \\n", "[OTHER] (.*) \\n", true),
        ("[[WILDLINE]]", "[x]", true),
        ("é[WILDLINE]ü", "éàü", true),
        ("a\r\nb\r\n", "a\nb\n", true),
    ];
    for (expected, actual, result) in cases {
        assert_eq!(matches(expected, actual), result, "{expected:?} and {actual:?}");
        assert_eq!(shown(expected, actual).is_empty(), result, "{expected:?} and {actual:?}");
    }
}

#[test]
fn long_outputs_are_compared_quickly() {
    let lines = |count: usize| (0..count).map(|line| format!("line {line} aaaaaaaaaaaaaaaaaaaa\n")).collect::<String>();
    assert!(matches(&format!("[WILDCARD]{}[WILDCARD]", "line 49999 aaaa"), &lines(50_000)));
    let (expected, actual) =
        (lines(30_000).replace("line 7 ", "other "), lines(30_000).replace("line 20000 ", "other "));
    let text = shown(&expected, &actual);
    assert!(text.contains("-other aaaaaaaaaaaaaaaaaaaa\n+line 7 aaaa"), "{text:.2000}");
    assert_eq!(text.lines().filter(|line| line.starts_with(['-', '+'])).count(), 4, "{text:.2000}");
}

#[test]
fn difference_keeps_lines_that_matchers_match() {
    let expected = "id [UUID]\nat [TIME]\n[WILDCARD]\nname ana\nat [WILDLINE] main.js\n[DIR]/main.js\n";
    let actual = format!("id {ID}\nat {TIME}\nx\ny\nz\nname bo\nat x main.js\n[DIR]/main.js\n");
    assert_eq!(
        shown(expected, &actual),
        " id [UUID]\n at [TIME]\n [WILDCARD]\n-name ana\n+name bo\n at [WILDLINE] main.js\n [DIR]/main.js\n"
    );
}

#[test]
fn difference_lets_wildcard_in_line_span_lines() {
    let expected = "first\nError: [WILDCARD] at main.js[WILDCARD]!\nlast\n";
    let actual = "other\nError: a\n b\n at main.js:1\n!\nlast\n";
    assert_eq!(shown(expected, actual), "-first\n+other\n Error: [WILDCARD] at main.js[WILDCARD]!\n last\n");
}

#[test]
fn difference_shows_three_context_lines_and_marks_omissions() {
    let text = |name: &str| format!("1\n2\n3\n4\n5\n{name}\n6\n7\n8\n9\n10\n11\n12\n13\n{name}\n");
    assert_eq!(shown(&text("a"), &text("b")), "…\n 3\n 4\n 5\n-a\n+b\n 6\n 7\n 8\n…\n 11\n 12\n 13\n-a\n+b\n");
}

#[test]
fn difference_shows_missing_line_break_and_control_characters() {
    assert_eq!(shown("a\n", "a"), "-a\n+a (no line break at the end)\n");
    assert_eq!(shown("a\n", "\u{1b}[31ma\t\u{0}\r\n\n"), "-a\n+\\u{1b}[31ma\t\\u{0}\n+\n");
}

/// Random text with many parts of matchers, ids and times.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just(ID.to_owned()),
        Just(TIME.to_owned()),
        Just(ID[..20].to_owned()),
        Just("[UUID]".to_owned()),
        Just("[TIME]".to_owned()),
        Just("[WILDCARD]".to_owned()),
        Just("[WILDLINE]".to_owned()),
        Just("[".to_owned()),
        Just("\n".to_owned()),
        Just("\r\n".to_owned()),
        "[a-c\n]{0,6}",
        ".{0,6}",
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// A second implementation of `matches`, with a regular expression.
fn by_regex(expected: &str, actual: &str) -> bool {
    let uuid = r"(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\[UUID\])";
    let time = r"(?:[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]+Z|\[TIME\])";
    let matchers = [("[WILDCARD]", "(?s:.*)"), ("[WILDLINE]", "[^\n]*"), ("[UUID]", uuid), ("[TIME]", time)];
    let plain = |text: &str| text.replace("\r\n", "\n");
    let pattern = matchers.iter().fold(regex::escape(&plain(expected)), |pattern, (name, matcher)| {
        pattern.replace(&regex::escape(name), matcher)
    });
    regex::Regex::new(&format!("^{pattern}$")).unwrap().is_match(&plain(actual))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn generalized_output_matches_output(actual in text()) {
        prop_assert!(matches(&generalize(&actual), &actual));
    }

    #[test]
    fn matches_agrees_with_regular_expression(expected in text(), actual in text()) {
        prop_assert_eq!(matches(&expected, &actual), by_regex(&expected, &actual));
    }

    #[test]
    fn wildcards_match_any_replacement(pieces in prop::collection::vec(("[ab\n]{0,4}", "[ab\n]{0,5}"), 0..5)) {
        let expected: String = pieces.iter().map(|(text, _)| format!("{text}[WILDCARD]")).collect();
        let actual: String = pieces.iter().map(|(text, filling)| format!("{text}{filling}")).collect();
        prop_assert!(matches(&expected, &actual));
        prop_assert_eq!(difference(&expected, &actual), []);
    }

    #[test]
    fn difference_is_empty_only_for_matches(expected in text(), actual in text()) {
        let difference = difference(&expected, &actual);
        prop_assert_eq!(difference.is_empty(), matches(&expected, &actual), "{:#?}", difference);
        prop_assert!(difference.is_empty() || difference.iter().any(|line: &Line| matches!(line.sign, Sign::Missing | Sign::Unexpected)));
    }

    #[test]
    fn difference_finds_changed_line(lines in prop::collection::vec("[a-z]{1,5}", 1..12), at in any::<prop::sample::Index>()) {
        let at = at.index(lines.len());
        let mut changed = lines.clone();
        changed[at] = "CHANGED".to_owned();
        let joined = |lines: &[String]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        let difference = difference(&joined(&lines), &joined(&changed));
        let of = |sign| difference.iter().filter(|line| line.sign == sign).map(|line| line.text.clone()).collect::<Vec<_>>();
        prop_assert_eq!(of(Sign::Missing), [lines[at].clone()]);
        prop_assert_eq!(of(Sign::Unexpected), ["CHANGED".to_owned()]);
    }
}

//! What differs between the outcome over SQLite and that over another backend.
//!
//! A file has a paragraph for each case that differs: its name, lines that start with `why:`, and the difference. `-` is a line of
//! SQLite, `+` one of the backend, `@@` a gap. `UPDATE_EXPECTED=1` writes the differences anew, and keeps the reasons.

use std::collections::BTreeMap;
use std::path::Path;

use pretty_assertions::assert_eq;
use similar::{ChangeTag, TextDiff};
use tokio::sync::OnceCell;

use crate::golden_scripts::GoldenScript;

const WHY: &str = "why: ";
/// The reason of a new difference, to be replaced.
const UNKNOWN: &str = "?";

static SQLITE: OnceCell<Vec<(GoldenScript, String)>> = OnceCell::const_new();

/// All cases, with their outcomes over SQLite in memory.
pub(super) async fn sqlite_outcomes() -> &'static [(GoldenScript, String)] {
    let run = async || {
        let mut outcomes = Vec::new();
        for case in GoldenScript::all() {
            let outcome = case.run_over_sqlite(None).await;
            outcomes.push((case, outcome));
        }
        outcomes
    };
    SQLITE.get_or_init(run).await
}

/// Runs all cases over a backend, and compares what differs with its file. Returns the reasons. `left_out` are cases whose outcome
/// over the backend is a matter of chance.
pub(super) async fn compare(
    backend: &str,
    left_out: &[&str],
    mut run: impl AsyncFnMut(&GoldenScript) -> String,
) -> Vec<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/backends/{backend}.diff"));
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    let reasons = reasons(&expected);
    let header: String = expected.split_inclusive('\n').take_while(|line| line.starts_with('#')).collect();
    let (mut text, mut given) = (header, Vec::new());
    let cases = sqlite_outcomes().await.iter().filter(|(case, _)| !left_out.contains(&&*case.name));
    for (case, sqlite) in cases {
        let outcome = run(case).await;
        if outcome == *sqlite {
            continue;
        }
        let why = reasons.get(&case.name).cloned().unwrap_or_else(|| vec![UNKNOWN.to_owned()]);
        text.push_str(&format!("\n{}\n", case.name));
        why.iter().for_each(|why| text.push_str(&format!("{WHY}{why}\n")));
        text.push_str(&difference(sqlite, &outcome));
        given.extend(why);
    }
    update_or_compare(&file, &expected, &text);
    let unknown = given.iter().filter(|why| *why == UNKNOWN).count();
    assert_eq!(unknown, 0, "{}: differences without a reason: write it after `{WHY}`", file.display());
    given
}

fn update_or_compare(file: &Path, expected: &str, actual: &str) {
    if std::env::var_os("UPDATE_EXPECTED").is_some_and(|value| value != "0") {
        std::fs::write(file, actual).unwrap();
    } else if actual != expected {
        let difference = TextDiff::from_lines(expected, actual);
        panic!("UPDATE_EXPECTED=1 writes {} anew:\n{}", file.display(), difference.unified_diff());
    }
}

/// The reasons in a file, by case.
fn reasons(text: &str) -> BTreeMap<String, Vec<String>> {
    let paragraph = |text: &str| {
        let mut lines = text.lines();
        let name = lines.next()?.to_owned();
        Some((name, lines.map_while(|line| line.strip_prefix(WHY)).map(ToOwned::to_owned).collect()))
    };
    text.split("\n\n").filter_map(|text| paragraph(text.trim_start())).collect()
}

/// The lines that differ.
fn difference(sqlite: &str, outcome: &str) -> String {
    let (mut text, mut is_same) = (String::new(), false);
    for change in TextDiff::from_lines(sqlite, outcome).iter_all_changes() {
        let sign = match change.tag() {
            ChangeTag::Equal => {
                is_same = true;
                continue;
            }
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
        };
        if is_same && !text.is_empty() {
            text.push_str("@@\n");
        }
        is_same = false;
        text.push_str(&format!("{sign}{}\n", change.value().trim_end_matches('\n')));
    }
    text
}

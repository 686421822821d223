//! JUnit XML report, for CI servers.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::report::{self, CaseResult};
use super::runner::{Failure, Verdict};

const NAME: &str = "tailor-idp test";

/// Writes a report with one suite per folder and one test per case. `results` must be sorted by name.
pub(super) fn write(path: &Path, results: &[CaseResult<'_>], time: Duration) -> anyhow::Result<()> {
    let mut report = Report::new(NAME);
    report.set_time(time);
    let mut suites: Vec<TestSuite> = Vec::new();
    for result in results {
        let (area, name) = result.case.name.rsplit_once('/').unwrap_or((".", &result.case.name));
        let mut test = TestCase::new(escape(name), status(result));
        test.set_classname(escape(area)).set_time(result.time);
        if let Verdict::Failed(Failure::Differs { actual, .. } | Failure::Unexpected { actual }) = &result.verdict {
            test.set_system_out(escape(actual));
        }
        let area = escape(area);
        let known = suites.iter().position(|suite| suite.name.as_str() == area);
        let suite = known.unwrap_or_else(|| {
            suites.push(TestSuite::new(area));
            suites.len() - 1
        });
        suites[suite].add_test_case(test);
    }
    for suite in &mut suites {
        let time = suite.test_cases.iter().filter_map(|test| test.time).sum();
        suite.set_time(time);
    }
    report.add_test_suites(suites);
    let text = report.to_string().context("the JUnit report cannot be made")?;
    let written = std::fs::File::create(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.with_context(|| format!("cannot write --junit {}", path.display()))
}

fn status(result: &CaseResult<'_>) -> TestCaseStatus {
    match &result.verdict {
        Verdict::Passed | Verdict::Updated(_) => TestCaseStatus::success(),
        Verdict::Skipped(reason) => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(escape(reason));
            status
        }
        Verdict::NotRun => {
            let mut status = TestCaseStatus::skipped();
            status.set_message("not run");
            status
        }
        Verdict::Failed(failure) => {
            let kind = match failure {
                Failure::Error(_) => NonSuccessKind::Error,
                _ => NonSuccessKind::Failure,
            };
            let mut status = TestCaseStatus::non_success(kind);
            status.set_message(escape(&report::headline(result.case, failure)));
            let lines = report::detail(failure).iter().map(ToString::to_string).collect::<Vec<_>>();
            status.set_description(escape(&lines.join("\n")));
            status
        }
    }
}

/// Escapes the characters that XML cannot represent, such as most control characters.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\t' | '\n' => escaped.push(character),
            '\u{fffe}' | '\u{ffff}' => escaped.extend(character.escape_unicode()),
            _ if character.is_control() => escaped.extend(character.escape_unicode()),
            _ => escaped.push(character),
        }
    }
    escaped
}

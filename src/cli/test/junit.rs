//! The report that CI servers read: JUnit's XML.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::report::{self, Ended};
use super::runner::{Failure, Verdict};

const NAME: &str = "tailor-idp test";

/// A suite a folder, a test a case. The cases are in the order of their names.
pub(super) fn write(path: &Path, all: &[Ended<'_>], time: Duration) -> anyhow::Result<()> {
    let mut report = Report::new(NAME);
    report.set_time(time);
    let mut suites: Vec<TestSuite> = Vec::new();
    for ended in all {
        let (area, name) = ended.case.name.rsplit_once('/').unwrap_or((".", &ended.case.name));
        let mut test = TestCase::new(held(name), status(ended));
        test.set_classname(held(area)).set_time(ended.time);
        if let Verdict::Failed(Failure::Differs { actual, .. } | Failure::Unexpected { actual }) = &ended.verdict {
            test.set_system_out(held(actual));
        }
        let area = held(area);
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

fn status(ended: &Ended<'_>) -> TestCaseStatus {
    match &ended.verdict {
        Verdict::Passed | Verdict::Updated => TestCaseStatus::success(),
        Verdict::LeftOut(reason) => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(held(reason));
            status
        }
        Verdict::NotRun => {
            let mut status = TestCaseStatus::skipped();
            status.set_message("not run");
            status
        }
        Verdict::Failed(failure) => {
            let kind = match failure {
                Failure::Broken(_) => NonSuccessKind::Error,
                _ => NonSuccessKind::Failure,
            };
            let mut status = TestCaseStatus::non_success(kind);
            status.set_message(held(&report::headline(ended.case, failure)));
            let lines = report::detail(failure).iter().map(ToString::to_string).collect::<Vec<_>>();
            status.set_description(held(&lines.join("\n")));
            status
        }
    }
}

/// Text as XML can hold it: it has no way to write most control characters, so they are written out.
fn held(text: &str) -> String {
    let mut held = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\t' | '\n' => held.push(character),
            '\u{fffe}' | '\u{ffff}' => held.extend(character.escape_unicode()),
            _ if character.is_control() => held.extend(character.escape_unicode()),
            _ => held.push(character),
        }
    }
    held
}

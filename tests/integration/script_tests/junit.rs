//! The JUnit report.

use pretty_assertions::assert_eq;
use quick_junit::{NonSuccessKind, Report, TestCaseStatus};

use super::{Folder, HELLO, HELLO_EXPECTED};

#[test]
fn report_has_status_of_each_case() {
    let folder = Folder::new(&[
        ("area/good/main.js", HELLO),
        ("area/good/expected.txt", HELLO_EXPECTED),
        ("area/bad/main.js", "export default () => { console.log(\"<b>\\x1b[31mred & \\u0000]]>\"); };"),
        ("area/bad/expected.txt", HELLO_EXPECTED),
        ("endless/main.js", "export default () => { for (;;); };"),
        ("endless/expected.txt", HELLO_EXPECTED),
    ]);
    let end = folder.test(&["--junit", "report.xml", "--timeout", "3s"]);
    assert_eq!(end.code, Some(1), "{end:#?}");
    let report = Report::deserialize_from_str(&folder.read("report.xml")).unwrap();
    assert_eq!(
        (report.name.as_ref().unwrap().as_str(), report.tests, report.failures, report.errors),
        ("tailor-idp test", 3, 1, 1)
    );
    let names = report.test_suites.iter().map(|suite| suite.name.as_str()).collect::<Vec<_>>();
    assert_eq!(names, ["area", "."]);

    let area = &report.test_suites[0];
    let [bad, good] = &area.test_cases[..] else { panic!("{area:#?}") };
    assert_eq!((good.name.as_str(), good.classname.as_ref().unwrap().as_str()), ("good", "area"));
    assert!(matches!(good.status, TestCaseStatus::Success { .. }), "{good:#?}");
    let TestCaseStatus::NonSuccess { kind: NonSuccessKind::Failure, message, description, .. } = &bad.status else {
        panic!("{bad:#?}")
    };
    let message = message.as_ref().unwrap().as_str();
    assert_eq!(message, "the output is not what area/bad/expected.txt expects (--update rewrites it)");
    let description = description.as_ref().unwrap().as_str();
    assert!(description.contains("-hello\n+<b>\\u{1b}[31mred & \\u{0}]]>"), "{description}");
    let printed = bad.system_out.as_ref().unwrap().as_str();
    assert!(printed.contains("--- stderr\n<b>\\u{1b}[31mred & \\u{0}]]>"), "{printed}");

    let endless = &report.test_suites[1].test_cases[0];
    let TestCaseStatus::NonSuccess { kind: NonSuccessKind::Error, message, .. } = &endless.status else {
        panic!("{endless:#?}")
    };
    assert!(message.as_ref().unwrap().as_str().starts_with("still running after 3 s"), "{endless:#?}");
}

#[test]
fn unwritable_report_is_an_error() {
    let folder = Folder::new(&[("good/main.js", HELLO), ("good/expected.txt", HELLO_EXPECTED)]);
    let end = folder.test(&["--junit", "nowhere/report.xml"]);
    assert_eq!(end.code, Some(1));
    assert!(end.stderr.starts_with("error: cannot write --junit nowhere/report.xml: "), "{}", end.stderr);
}

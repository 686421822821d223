//! `--update`.

use pretty_assertions::assert_eq;

use super::{Folder, HELLO, HELLO_EXPECTED, verdicts, without_durations};

#[test]
fn update_writes_and_lists_expectations_that_do_not_match() {
    let loose = "--- exit code\n0\n--- stdout\n1\n--- stderr\n[WILDCARD]";
    let folder = Folder::new(&[
        ("matches/main.js", HELLO),
        ("matches/expected.txt", loose),
        ("new/main.js", HELLO),
        ("new/args.json", "{}"),
        ("old/main.js", HELLO),
        ("old/expected.txt", "what it was"),
    ]);
    let end = folder.test(&["--update", "--jobs", "1"]);
    assert_eq!(
        without_durations(&end.stdout),
        "ok        matches (TIME)\nupdated   new (TIME): wrote new/expected.txt\n\
         updated   old (TIME): wrote old/expected.txt\n\n3 cases: 1 passed, 2 updated, in TIME\n"
    );
    assert_eq!((end.code, end.stderr.as_str()), (Some(0), ""));
    assert_eq!(folder.read("new/expected.txt"), HELLO_EXPECTED);
    assert_eq!(folder.read("old/expected.txt"), HELLO_EXPECTED);
    assert_eq!(folder.read("matches/expected.txt"), loose, "a matching expectation is not changed");
    assert_eq!(verdicts(&folder.test(&[])), ["matches ok", "new ok", "old ok"]);
}

#[test]
fn update_writes_matchers_for_ids_and_times() {
    let folder = Folder::new(&[
        (
            "it/main.js",
            "export default async () => {
               const idp = new tailor.idp.Client(\"builtin-idp\");
               console.log(\"a literal [UUID] as well\");
               return idp.createUser({ name: \"ana@example.com\" });
             };",
        ),
        ("it/args.json", "{}"),
    ]);
    assert_eq!(folder.test(&["--update"]).code, Some(0));
    let expected = folder.read("it/expected.txt");
    assert!(expected.contains("\"id\": \"[UUID]\"") && expected.contains("\"createdAt\": \"[TIME]\""), "{expected}");
    assert_eq!(verdicts(&folder.test(&[])), ["it ok"]);
}

#[test]
fn named_folder_with_only_a_script_is_a_case() {
    let folder = Folder::new(&[("handlers/new/main.js", HELLO)]);
    assert_eq!(folder.test(&["handlers"]).code, Some(2), "main.js alone is not a case");
    let missing = folder.test(&["handlers/new"]);
    assert_eq!(missing.code, Some(1));
    let text = "handlers/new: there is no handlers/new/expected.txt (--update writes it)\n+--- exit code\n+0\n";
    assert!(missing.stdout.contains(text), "{}", missing.stdout);
    assert_eq!(folder.test(&["handlers/new", "--update"]).code, Some(0));
    assert_eq!(verdicts(&folder.test(&["handlers"])), ["handlers/new ok"]);
}

#[cfg(unix)]
#[test]
fn unwritable_expectation_fails_case() {
    let folder = Folder::new(&[("it/main.js", HELLO), ("it/args.json", "{}")]);
    // A link into a missing folder: not even root can write there.
    std::os::unix::fs::symlink("nowhere/expected.txt", folder.path("it/expected.txt")).unwrap();
    let end = folder.test(&["--update"]);
    assert_eq!(end.code, Some(1));
    assert!(end.stdout.contains("it: it/expected.txt cannot be written: "), "{}", end.stdout);
}

#[test]
fn update_says_that_the_script_failed() {
    let folder =
        Folder::new(&[("bad/main.js", "export default () => { throw new Error('no'); };"), ("bad/args.json", "{}")]);
    let end = folder.test(&["--update"]);
    assert_eq!(
        without_durations(&end.stdout),
        "updated   bad (TIME): wrote bad/expected.txt (exit code 1)\n\n1 case: 0 passed, 1 updated, in TIME\n"
    );
    assert_eq!(end.code, Some(0));
}

#[test]
fn update_refuses_to_expect_wrong_usage() {
    for (file, text) in
        [("case.json", r#"{"flags": ["--bogus"]}"#), ("case.json", r#"{"invoker": {"id": 1}}"#), ("args.json", "{")]
    {
        let folder =
            Folder::new(&[("it/main.js", HELLO), ("it/expected.txt", HELLO_EXPECTED), (&format!("it/{file}"), text)]);
        let end = folder.test(&["--update"]);
        let headline = "it: the script was not run, so nothing is written to it/expected.txt: mend the case\n";
        assert!(end.stdout.contains(headline) && end.stdout.contains("error: "), "{}", end.stdout);
        assert_eq!((end.code, folder.read("it/expected.txt").as_str()), (Some(1), HELLO_EXPECTED));
    }
}

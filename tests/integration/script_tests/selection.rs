//! Discovery and selection of cases.

use pretty_assertions::assert_eq;

use super::{Folder, HELLO, HELLO_EXPECTED, verdicts};

fn passing(folder: &Folder, case: &str) {
    folder.write(&format!("{case}/main.js"), HELLO);
    folder.write(&format!("{case}/expected.txt"), HELLO_EXPECTED);
}

fn failing(folder: &Folder, case: &str) {
    folder.write(&format!("{case}/main.js"), HELLO);
    folder.write(&format!("{case}/expected.txt"), "");
}

#[test]
fn cases_are_found_at_any_depth_by_file_names() {
    let folder = Folder::new(&[
        ("with-argument/main.mts", HELLO),
        ("with-argument/args.json", "{}"),
        ("with-case/case.json", "{\"script\": \"../src/main.js\"}"),
        ("with-quickjs/main.ts", HELLO),
        ("with-quickjs/expected.quickjs.txt", ""),
        ("src/main.js", HELLO),
        ("data/args.json", "{}"),
    ]);
    for case in ["a", "deep/er/and/er", "a/below", "target"] {
        passing(&folder, case);
    }
    for skipped in ["node_modules/x", ".hidden/x", "target/debug", "deep/node_modules/y"] {
        passing(&folder, skipped);
    }
    // `target` is a case here, so it is searched.
    let all = "a\na/below\ndeep/er/and/er\ntarget\ntarget/debug\nwith-argument\nwith-case\nwith-quickjs\n";
    assert_eq!(folder.test(&["--list"]).stdout, all);
    std::fs::remove_file(folder.path("target/expected.txt")).unwrap();
    assert_eq!(folder.test(&["--list"]).stdout, all.replace("target\ntarget/debug\n", ""));
}

#[test]
fn overlapping_paths_run_each_case_once() {
    let folder = Folder::new(&[]);
    for case in ["a/one", "a/two", "b/three"] {
        passing(&folder, case);
    }
    assert_eq!(verdicts(&folder.test(&["a/two", "b"])), ["a/two ok", "b/three ok"]);
    assert_eq!(verdicts(&folder.test(&["a", "a/two", "./a/../a"])), ["a/one ok", "a/two ok"]);
}

#[test]
fn filters_select_by_name() {
    let folder = Folder::new(&[]);
    for case in ["sign-up", "sign-up-twice", "reset", "other"] {
        passing(&folder, case);
    }
    let list = |arguments: &[&str]| folder.test(&[&["--list"], arguments].concat()).stdout;
    assert_eq!(list(&["--filter", "sign"]), "sign-up\nsign-up-twice\n");
    assert_eq!(list(&["--filter", "sign", "--filter", "reset"]), "reset\nsign-up\nsign-up-twice\n");
    assert_eq!(list(&["--filter", "sign-up", "--exact"]), "sign-up\n");
    assert_eq!(list(&["--filter", "sign", "--skip", "twice"]), "sign-up\n");
    assert_eq!(verdicts(&folder.test(&["--filter", "reset"])), ["reset ok"]);
}

#[test]
fn unselected_case_is_not_validated() {
    let folder = Folder::new(&[("bad/case.json", "{")]);
    passing(&folder, "good");
    assert_eq!(folder.test(&["--filter", "good"]).code, Some(0));
    assert_eq!(folder.test(&[]).code, Some(2));
}

#[test]
fn empty_selection_is_a_usage_error() {
    let folder = Folder::new(&[("src/main.js", HELLO), ("empty/x", "")]);
    let none = folder.test(&["empty"]);
    assert_eq!(none.stderr, "error: there is no case in empty: see tailor-idp help test\n");
    assert_eq!(none.code, Some(2));
    assert_eq!(folder.test(&["empty", "--pass-with-no-tests"]).code, Some(0));
    let missing = folder.test(&["nowhere"]);
    assert!(missing.stderr.starts_with("error: cannot read nowhere: "), "{missing:#?}");
    assert_eq!(missing.code, Some(2));
    assert_eq!(folder.test(&["src/main.js"]).stderr, "error: src/main.js is a file: a case is a folder\n");
    passing(&folder, "hello");
    let filtered = folder.test(&["--filter", "x"]);
    assert_eq!(
        filtered.stderr,
        "error: no case in . has a name that is asked for: --list without --filter shows all\n"
    );
    assert_eq!(filtered.code, Some(2));
    for timeout in ["0s", "3", "25h"] {
        assert_eq!(folder.test(&["--timeout", timeout]).code, Some(2), "{timeout}");
    }
    assert_eq!(folder.test(&["--exact"]).code, Some(2));
}

#[test]
fn fail_fast_starts_no_case_after_failure() {
    let folder = Folder::new(&[]);
    passing(&folder, "a");
    failing(&folder, "b");
    passing(&folder, "c");
    let end = folder.test(&["--jobs", "1", "--fail-fast"]);
    assert_eq!((end.code, verdicts(&end)), (Some(1), vec!["a ok".to_owned(), "b FAILED".to_owned()]));
    assert!(end.stdout.contains("3 cases: 1 passed, 1 failed, 1 not run, in"), "{}", end.stdout);
    let all = folder.test(&["--jobs", "1"]);
    assert_eq!((all.code, verdicts(&all).len()), (Some(1), 3));
}

#[test]
fn slowest_lists_slowest_cases() {
    let folder = Folder::new(&[]);
    passing(&folder, "quick");
    folder.write("slow/main.js", "export default () => new Promise((done) => setTimeout(() => done(1), 1500));");
    folder.write("slow/expected.txt", "--- exit code\n0\n--- stdout\n1\n--- stderr\n");
    let end = folder.test(&["--slowest", "1"]);
    let (_, slowest) = end.stdout.split_once("\nslowest:\n").unwrap();
    assert!(slowest.lines().next().unwrap().ends_with(" s  slow"), "{}", end.stdout);
    assert_eq!(slowest.lines().filter(|line| line.starts_with("  ")).count(), 1, "{}", end.stdout);
}

#[cfg(unix)]
#[test]
fn linked_folders_are_not_followed() {
    let folder = Folder::new(&[]);
    passing(&folder, "a/case");
    std::os::unix::fs::symlink(folder.path("a"), folder.path("a/case/up")).unwrap();
    std::os::unix::fs::symlink(folder.root(), folder.path("a/root")).unwrap();
    std::os::unix::fs::symlink("nowhere", folder.path("a/dangling")).unwrap();
    assert_eq!(verdicts(&folder.test(&[])), ["a/case ok"]);
    std::os::unix::fs::symlink("a", folder.path("link")).unwrap();
    assert_eq!(verdicts(&folder.test(&["link"])), ["a/case ok"], "a link that is named is followed");
}

//! Failed, slow, crashed and interrupted cases.

use pretty_assertions::assert_eq;
#[cfg(target_os = "linux")]
use rustix::process::Signal;

use super::{Folder, HELLO, HELLO_EXPECTED, verdicts, without_durations};
#[cfg(target_os = "linux")]
use crate::support::send_signal;

const LOOP: &str = "console.log(\"before\"); export default () => { for (;;); };";

#[test]
fn failed_case_shows_only_different_lines() {
    let folder = Folder::new(&[
        (
            "users/main.js",
            "export default () => ({ id: crypto.randomUUID().replace(/^.{15}./, \"$&\"), name: \"bo\", at: new Date().toISOString() });",
        ),
        (
            "users/expected.txt",
            "--- exit code\n0\n--- stdout\n{\n  \"id\": \"[UUID]\",\n  \"name\": \"ana\",\n  \"at\": \"[TIME]\"\n}\n--- stderr\n",
        ),
    ]);
    let end = folder.test(&[]);
    assert_eq!(
        without_durations(&end.stdout),
        "FAILED    users (TIME)\n\n\
         users: the output is not what users/expected.txt expects (--update rewrites it)\n\
         - expected\n+ printed\n…\n --- stdout\n {\n   \"id\": \"[UUID]\",\n-  \"name\": \"ana\",\n+  \"name\": \"bo\",\n   \"at\": \"[TIME]\"\n \
         }\n --- stderr\n\n1 case: 0 passed, 1 failed, in TIME\n"
    );
    assert_eq!((end.code, end.stderr.as_str()), (Some(1), ""));
}

#[test]
fn control_characters_in_output_are_escaped() {
    let folder = Folder::new(&[
        ("it/main.js", "export default () => { console.log(\"\\x1b[2Jgone\\u0007\"); };"),
        ("it/expected.txt", "--- exit code\n0\n--- stdout\nnull\n--- stderr\n"),
    ]);
    let end = folder.test(&[]);
    assert!(end.stdout.contains("+\\u{1b}[2Jgone\\u{7}\n"), "{}", end.stdout);
    assert!(!end.stdout.contains(['\u{1b}', '\u{7}']), "{:?}", end.stdout);
}

#[test]
fn endless_case_times_out_and_others_pass() {
    let folder = Folder::new(&[
        ("endless/main.js", LOOP),
        ("endless/expected.txt", HELLO_EXPECTED),
        ("hello/main.js", HELLO),
        ("hello/expected.txt", HELLO_EXPECTED),
    ]);
    let end = folder.test(&["--timeout", "3s", "--update"]);
    assert_eq!((end.code, verdicts(&end)), (Some(1), vec!["endless FAILED".to_owned(), "hello ok".to_owned()]));
    let text =
        "endless: still running after 3 s (--timeout); until then it printed\n --- stdout\n --- stderr\n before\n";
    assert!(end.stdout.contains(text), "{}", end.stdout);
    assert_eq!(folder.read("endless/expected.txt"), HELLO_EXPECTED, "--update keeps the file of an unfinished case");
}

#[test]
fn case_with_too_much_output_is_ended() {
    let folder = Folder::new(&[
        ("flood/main.js", "export default () => \"x\".repeat(17 * 1024 * 1024);"),
        ("flood/args.json", "{}"),
    ]);
    let end = folder.test(&["--update"]);
    assert_eq!(end.code, Some(1));
    assert!(end.stdout.contains("flood: it printed more than 16 MiB\n"), "{:.500}", end.stdout);
}

#[cfg(target_os = "linux")]
#[test]
fn crashed_case_fails_alone() {
    // No known script crashes the program. Kill the case's process instead, as the kernel does when memory is exhausted.
    let folder = Folder::new(&[
        ("crash/main.js", LOOP),
        ("crash/expected.txt", HELLO_EXPECTED),
        ("hello/main.js", HELLO),
        ("hello/expected.txt", HELLO_EXPECTED),
    ]);
    let running = running(&folder, &[]);
    let child = child_of(running.id());
    send_signal(child, Signal::KILL);
    let output = running.wait_with_output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stdout}");
    assert!(stdout.contains("-0\n+signal: 9 (SIGKILL)\n"), "{stdout}");
    assert!(stdout.contains("2 cases: 1 passed, 1 failed"), "{stdout}");
}

#[cfg(target_os = "linux")]
#[test]
fn interrupt_ends_cases_and_removes_temporary_files() {
    let folder = Folder::new(&[("endless/main.js", LOOP), ("endless/expected.txt", HELLO_EXPECTED)]);
    let running = running(&folder, &["--update"]);
    let child = child_of(running.id());
    send_signal(running.id(), Signal::INT);
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert_eq!(
        without_durations(&String::from_utf8(output.stdout).unwrap()),
        "\n1 case: 0 passed, 1 not run, in TIME\n"
    );
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "error: interrupted\n");
    assert!(!std::path::Path::new(&format!("/proc/{child}")).exists(), "the case's process is still there");
    assert_eq!(std::fs::read_dir(folder.path(".tmp")).unwrap().count(), 0, "temporary files were left");
    assert_eq!(folder.read("endless/expected.txt"), HELLO_EXPECTED);
}

/// Starts the program on the cases of the folder.
#[cfg(target_os = "linux")]
fn running(folder: &Folder, arguments: &[&str]) -> std::process::Child {
    use std::process::Stdio;
    std::fs::create_dir_all(folder.path(".tmp")).unwrap();
    let mut program = crate::support::program();
    program.current_dir(folder.root()).env("TMPDIR", folder.path(".tmp")).arg("test").args(arguments);
    program.args(["--jobs", "1"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits for the first case's process, and returns its id.
#[cfg(target_os = "linux")]
fn child_of(parent: u32) -> u32 {
    use std::time::{Duration, Instant};
    let deadline = Instant::now() + Duration::from_secs(30);
    while Instant::now() < deadline {
        if let Some(child) = std::fs::read_dir("/proc").unwrap().find_map(|entry| {
            let process = entry.unwrap().file_name().to_str()?.parse().ok()?;
            let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
            status.lines().any(|line| line == format!("PPid:\t{parent}")).then_some(process)
        }) {
            return child;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("the program has started no case");
}

#[test]
fn expectation_that_is_not_utf8_fails_case_and_is_kept() {
    let folder = Folder::new(&[("it/main.js", HELLO)]);
    folder.write("it/expected.txt", b"--- exit code\n\xff\xfe");
    let end = folder.test(&["--update"]);
    assert_eq!(end.code, Some(1));
    let text = "it: it/expected.txt cannot be read: stream did not contain valid UTF-8\n";
    assert!(end.stdout.contains(text), "{}", end.stdout);
    assert_eq!(std::fs::read(folder.path("it/expected.txt")).unwrap(), b"--- exit code\n\xff\xfe");
}

#[cfg(target_os = "linux")]
#[test]
fn folder_with_name_that_is_not_utf8_is_a_case() {
    use std::os::unix::ffi::OsStrExt;
    let folder = Folder::new(&[("it/main.js", HELLO), ("it/args.json", "{}")]);
    let strange = std::ffi::OsStr::from_bytes(b"bad\xff");
    std::fs::rename(folder.path("it"), folder.root().join(strange)).unwrap();
    assert_eq!(folder.test(&["--update"]).code, Some(0));
    assert_eq!(verdicts(&folder.test(&[])), ["bad\u{fffd} ok"]);
}

#[test]
fn output_of_concurrent_cases_is_not_mixed() {
    let folder = Folder::new(&[]);
    for index in 0..12 {
        let script = format!(
            "export default async () => {{ for (let i = 0; i < 40; i++) {{ console.log(\"case {index}\"); await new Promise((done) => setTimeout(done, 1)); }} }};"
        );
        folder.write(&format!("case-{index:02}/main.js"), script);
        folder.write(&format!("case-{index:02}/expected.txt"), "");
    }
    let end = folder.test(&["--jobs", "6"]);
    let sections = end.stdout.split("\n\n").filter(|section| section.starts_with("case-")).collect::<Vec<_>>();
    assert_eq!(sections.len(), 12);
    for (index, section) in sections.iter().enumerate() {
        assert!(section.starts_with(&format!("case-{index:02}: ")), "in the order of their names: {section}");
        let own = section.lines().filter(|line| *line == format!("+case {index}")).count();
        let all = section.lines().filter(|line| line.starts_with("+case ")).count();
        assert_eq!((own, all), (40, 40), "{section}");
    }
}

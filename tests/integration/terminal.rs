//! What the program prints to a terminal.

use std::fs::{File, OpenOptions, write};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Stdio;

use pretty_assertions::assert_eq;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::support::{End, OPEN_SETTINGS, program};

/// Sets the clipboard by OSC 52, clears the screen by a C1 character, and reverses the text after it.
const HOSTILE: &str = r"\x1b]52;c;aGk=\x07\x9b2J\u202e";
const ESCAPED: &str = r"\u{1b}]52;c;aGk=\u{7}\u{9b}2J\u{202e}";

/// The exit code, and what the program prints to a terminal that is stdout and stderr.
fn on_terminal(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let name = Path::new(std::ffi::OsStr::from_bytes(name.as_bytes()));
    let output = OpenOptions::new().read(true).write(true).open(name).unwrap();
    let mut program = program();
    program.current_dir(folder).args(arguments).env("NO_COLOR", "1");
    program.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
    let mut child = program.spawn().unwrap();
    // The command holds the other end of the terminal.
    drop(program);
    let (mut text, mut chunk) = (Vec::new(), [0; 4096]);
    let mut terminal = File::from(terminal);
    // An error: all programs have closed the other end.
    while let Ok(read @ 1..) = terminal.read(&mut chunk) {
        text.extend_from_slice(&chunk[..read]);
    }
    let code = child.wait().unwrap().code();
    (code, String::from_utf8(text).unwrap().replace("\r\n", "\n"))
}

#[test]
fn text_of_scripts_cannot_control_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let script = |name: &str, body: &str| {
        write(folder.path().join(name), format!("export default () => {{ {body} }};")).unwrap();
    };
    script("log.js", &format!("console.log('a\\tb\\n{HOSTILE}'); return null"));
    script("throw.js", &format!("const error = new Error('{HOSTILE}'); error.stack = undefined; throw error"));
    script("object.js", &format!("throw {{ a: '{HOSTILE}' }}"));
    script("result.js", &format!("return {{ '{HOSTILE}': '\\x7f' }}"));
    let run = |name: &str| on_terminal(folder.path(), &["run", name, "--config", OPEN_SETTINGS]);
    assert_eq!(run("log.js"), (Some(0), format!("a\tb\n{ESCAPED}\nnull\n")));
    for name in ["throw.js", "object.js"] {
        let (code, text) = run(name);
        assert_eq!(code, Some(1));
        assert!(!text.contains(|c: char| c.is_control() && c != '\n') && !text.contains('\u{202e}'), "{text:?}");
        assert!(text.contains(r"2J"), "{text:?}");
    }
    let json = r#"{
  "\u001b]52;c;aGk=\u0007\u009b2J\u202e": "\u007f"
}
"#;
    assert_eq!(run("result.js"), (Some(0), json.to_owned()));
}

#[test]
fn text_of_scripts_is_unchanged_where_it_goes_into_a_file() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path().join("main.js"),
        format!("export default () => {{ console.log('{HOSTILE}'); return '\\x9b' }}"),
    )
    .unwrap();
    let end = End::of(program().current_dir(folder.path()).args(["run", "main.js", "--config", OPEN_SETTINGS]));
    let expected = ("\"\u{9b}\"\n", "\u{1b}]52;c;aGk=\u{7}\u{9b}2J\u{202e}\n");
    assert_eq!((end.stdout.as_str(), end.stderr.as_str()), expected);
}

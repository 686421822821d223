//! The program's help, and hints of its error messages.

use pretty_assertions::assert_eq;

use crate::support::{End, program};

/// The width at which help is wrapped.
const WIDTH: usize = 100;

const COMMANDS: [&str; 22] = [
    "",
    "run",
    "test",
    "init",
    "check",
    "db",
    "db migrate",
    "db status",
    "users",
    "users import",
    "users export",
    "users copy",
    "explain",
    "events",
    "events deliver",
    "mail",
    "mail send",
    "sandbox-status",
    "serve",
    "users enroll-mfa",
    "users create",
    "types",
];

fn help(command: &str) -> String {
    End::of(program().args(command.split_whitespace()).arg("--help")).stdout
}

/// The help in one line: where it is wrapped does not matter.
fn unwrapped(command: &str) -> String {
    help(command).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Runs the command in an empty folder, and returns the end without the usage that clap appends.
fn error(command: &str) -> (Option<i32>, String) {
    let folder = tempfile::TempDir::new().unwrap();
    let end = End::of(program().args(command.split(' ')).current_dir(folder.path()));
    (end.code, end.stderr.split("\n\nUsage:").next().unwrap_or_default().to_owned())
}

#[test]
fn examples_of_help_are_not_wrapped() {
    for command in COMMANDS {
        let help = help(command);
        let Some((_, examples)) = help.split_once("Examples:\n") else { continue };
        for paragraph in examples.trim_end().split("\n\n").take_while(|paragraph| paragraph.starts_with("  ")) {
            let mut continues = false;
            for line in paragraph.lines() {
                assert!(line.starts_with("  ") && line.chars().count() <= WIDTH, "{command}: {line}");
                assert_eq!(
                    line.starts_with("    "),
                    continues,
                    "{command}: {line}: a continued line ends with a backslash"
                );
                continues = line.ends_with('\\');
            }
            assert!(!continues, "{command}: {paragraph}");
        }
    }
}

#[test]
fn help_names_only_flags_that_the_command_has() {
    let send = unwrapped("mail send");
    assert!(send.contains("--base-url") && !send.contains("--listen"), "{send}");
    let deliver = unwrapped("events deliver");
    assert!(deliver.contains("those of --namespace, else of every namespace that the settings publish"), "{deliver}");
    let namespace = deliver.split("--namespace <NAME>").nth(1).unwrap_or_default();
    assert!(
        namespace.trim_start().starts_with("The namespace [default, unless the command says otherwise"),
        "{deliver}"
    );
}

#[test]
fn help_of_import_says_which_hashes_are_taken_and_their_bounds() {
    let help = unwrapped("users import");
    for part in [
        "argon2id, argon2i, argon2d, scrypt, pbkdf2-sha256",
        "$2a$, $2b$ or $2y$",
        "256 MiB",
        "20 passes",
        "memory times parallelism 1 GiB",
        "cost 15",
        "2000000",
    ] {
        assert!(help.contains(part), "{part}: {help}");
    }
}

#[test]
fn run_says_how_the_address_of_a_debugger_is_given() {
    for flag in ["--inspect", "--inspect-brk"] {
        let (code, text) = error(&format!("run handler.js {flag} 19230"));
        assert_eq!(code, Some(2));
        assert!(text.contains("as in --inspect=19230"), "{text}");
    }
    let (code, text) = error("run handler.js {}");
    assert_eq!(code, Some(2));
    assert!(text.contains("--arg and --arg-file give the argument"), "{text}");
}

#[test]
fn explain_without_a_user_names_both_flags_for_it() {
    let (code, text) = error("explain --operation read");
    assert_eq!(code, Some(2));
    assert!(text.contains("--user <ID|NAME>") && text.contains("--user-json <JSON>"), "{text}");
    let (code, text) = error("explain --operation read --user ana --user-json {}");
    assert_eq!(code, Some(2));
    assert!(text.contains("cannot be used with"), "{text}");
}

#[test]
fn help_names_all_exit_codes() {
    for command in ["", "users import", "test", "run"] {
        let help = unwrapped(command);
        let (_, codes) = help.split_once("Exit codes:").unwrap_or_default();
        for code in ["0 ", "1 ", "2 wrong use", "130 "] {
            assert!(codes.contains(code), "{command}: {code}: {codes}");
        }
    }
}

#[test]
fn wrong_values_on_the_command_line_exit_with_2() {
    let folder = tempfile::TempDir::new().unwrap();
    std::fs::write(folder.path().join("main.js"), "export default () => 1").unwrap();
    std::fs::write(folder.path().join("text.txt"), "not a database").unwrap();
    let run = |command: &str| End::of(program().args(command.split(' ')).current_dir(folder.path()));
    assert_eq!(run("users create ana@example.com --db users.db").code, Some(0));
    for command in [
        "run main.js --db .",
        "run main.js --db nowhere/users.db",
        "run main.js --db text.txt",
        "users list --db .",
        "users list --db text.txt",
        "run main.js --config .",
        "check .",
        "users import . --db users.db",
        "users import nowhere.jsonl --db users.db",
        "users list --db users.db --first 0",
        "users list --db users.db --after x",
        "users create ana --db users.db",
        "serve --db users.db --listen 8787",
        "serve --db users.db --listen 127.0.0.1",
    ] {
        let end = run(command);
        assert_eq!((end.code, end.stdout.as_str()), (Some(2), ""), "{command}: {}", end.stderr);
        assert!(end.stderr.contains("error: "), "{command}: {}", end.stderr);
    }
    let listen = run("serve --db users.db --listen 8787").stderr;
    assert!(listen.ends_with(": give ADDRESS:PORT, such as 127.0.0.1:8787\n"), "{listen}");
}

#[test]
fn byte_order_marks_of_files_are_skipped() {
    let folder = tempfile::TempDir::new().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), format!("\u{feff}{text}")).unwrap();
    write("main.js", "export default (args) => [args, tailor.context.getInvoker().id];");
    write("args.json", "[1]");
    write("invoker.json", r#"{"id": "ana", "type": "user"}"#);
    write("tailor-idp.toml", "[namespace.main]\nstore = { sqlite = \"users.db\" }\npermission = \"allow-all\"\n");
    write("permission.toml", "read = [{ conditions = [] }]\n");
    write("users.jsonl", "{\"name\": \"ana@example.com\"}\n");
    for (command, expected) in [
        ("check", "tailor-idp.toml is valid\n"),
        ("run main.js --arg-file args.json --invoker invoker.json", "[\n  [\n    1\n  ],\n  \"ana\"\n]\n"),
        ("users import users.jsonl", "imported 1 user"),
        ("explain --operation read --permission permission.toml --user ana@example.com", "read: allowed"),
    ] {
        let end = End::of(program().args(command.split(' ')).current_dir(folder.path()));
        assert!(end.code == Some(0) && end.stdout.starts_with(expected), "{command}: {end:#?}");
    }
}

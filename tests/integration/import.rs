//! `tailor-idp users import`.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use pretty_assertions::assert_eq;
use rusqlite::Connection;
#[cfg(unix)]
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::database_files::check_file;
#[cfg(unix)]
use crate::support::send_signal;
use crate::support::{End, password_hash, program};

/// A folder with these lines in the file `users.jsonl`.
fn place(lines: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("users.jsonl"), lines).unwrap();
    folder
}

fn run(folder: &TempDir, args: &str) -> End {
    End::of(program().args(args.split(' ')).args(["--db", "users.db"]).current_dir(folder.path()))
}

/// The names of all users, in creation order.
fn listed(folder: &TempDir) -> Vec<String> {
    let end = run(folder, "users list --json --first 1000");
    let end = end.json();
    end["users"].as_array().unwrap().iter().map(|user| user["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn import_adds_users_in_order_of_lines() {
    let hash = password_hash("x");
    let lines = [
        json!({ "name": "Zoe@example.com", "passwordHash": hash.as_str() }).to_string(),
        String::new(),
        json!({ "name": "ana@example.com", "disabled": true, "passwordHash": null }).to_string(),
        "  \r".into(),
        "{\"name\": \"b\\u006f@example.com\"}\r".into(),
    ];
    // The last line has no line break.
    let folder = place(&lines.join("\n"));
    let end = run(&folder, "users import users.jsonl --publish-user-events");
    let stdout = "imported 3 users, skipped 0 whose names were taken\n".to_owned();
    assert_eq!(end, End { code: Some(0), stdout, stderr: String::new() });
    assert_eq!(listed(&folder), ["zoe@example.com", "ana@example.com", "bo@example.com"]);
    assert_eq!(run(&folder, "users get ana@example.com --json").json()["disabled"], Value::Bool(true));
    assert_eq!(run(&folder, "events list --json").json().as_array().unwrap().len(), 3);
    check_file(&folder.path().join("users.db"));
    let file = Connection::open(folder.path().join("users.db")).unwrap();
    let hashes = "SELECT group_concat(name || password_hash) FROM users WHERE password_hash IS NOT NULL";
    let hashes: String = file.query_row(hashes, [], |row| row.get(0)).unwrap();
    assert_eq!(hashes, format!("zoe@example.com{}", hash.as_str()));
}

#[test]
fn import_skips_taken_names_and_shows_first_twenty() {
    let mut lines = String::new();
    for index in 0..30 {
        writeln!(lines, "{{\"name\": \"user{index}@example.com\"}}").unwrap();
    }
    let folder = place(&lines);
    let first = run(&folder, "users import users.jsonl --json");
    assert_eq!(first.json(), json!({ "imported": 30, "skipped": 0, "faulty": 0 }));
    // The lines contain one new user, twice.
    writeln!(lines, "{{\"name\": \"new@example.com\"}}\n{{\"name\": \"NEW@example.com\"}}").unwrap();
    std::fs::write(folder.path().join("users.jsonl"), &lines).unwrap();
    let again = run(&folder, "users import users.jsonl --batch 7");
    let shown: String = (0..20).map(|index| format!("skipped: user{index}@example.com\n")).collect();
    let stdout = "imported 1 user, skipped 31 whose names were taken\n".to_owned();
    assert_eq!(again, End { code: Some(0), stdout, stderr: format!("{shown}skipped: … and 11 more\n") });
    assert_eq!(run(&folder, "users list --json --first 1").json()["totalCount"], 31);
    // The user count is still updated for single users.
    run(&folder, "users create single@example.com");
    assert_eq!(run(&folder, "users list --json --first 1").json()["totalCount"], 32);
    check_file(&folder.path().join("users.db"));
}

#[test]
fn import_adds_nobody_and_shows_first_errors_when_lines_are_invalid() {
    let mut lines =
        String::from("{\"name\": \"ana@example.com\"}\n\n{\"name\": \"ana\"}\n{\"name\": 5}\nana@example.com\n");
    lines.push_str("{\"name\": \"bo@example.com\", \"passwordHash\": \"hunter2\"}\n{\"name\": \"cy@example.com\", \"pass\\u001bword\": 1}\n");
    let folder = place(&lines);
    let end = run(&folder, "users import users.jsonl");
    let stderr = "\
users.jsonl:3: name must be an e-mail address: got \"ana\"
users.jsonl:4: invalid type: a number, expected a string (column 10)
users.jsonl:5: not a JSON object
users.jsonl:6: passwordHash: neither a PHC string nor a bcrypt hash
users.jsonl:7: unknown field `pass\\u{1b}word`, expected one of `name`, `password`, `passwordHash`, `disabled`, `createdAt` (column 43)
error: 5 lines are wrong: nobody was imported (--skip-faulty imports the others)
";
    assert_eq!(end, End { code: Some(1), stdout: String::new(), stderr: stderr.to_owned() });
    assert_eq!(listed(&folder), Vec::<String>::new());

    // The errors of several blocks are counted, and the first are shown.
    let many: String = (0..30_000).map(|index| format!("{{\"name\": \"{index:060}\"}}\n")).collect();
    std::fs::write(folder.path().join("users.jsonl"), many).unwrap();
    let end = run(&folder, "users import users.jsonl");
    let shown: Vec<_> = end.stderr.lines().collect();
    assert_eq!((shown.len(), shown[20]), (22, "… and 29980 more"));
    assert_eq!(shown[21], "error: 30000 lines are wrong: nobody was imported (--skip-faulty imports the others)");
    for (line, shown) in (1..=20).zip(shown) {
        assert!(shown.starts_with(&format!("users.jsonl:{line}: name must be an e-mail address: ")), "{shown}");
    }
    // The rules of the namespace apply.
    let end = run(&folder, "users import users.jsonl --use-non-email-identifier --batch 8000");
    assert_eq!(end.stdout, "imported 30000 users, skipped 0 whose names were taken\n", "{end:#?}");
}

#[test]
fn import_leaves_out_faulty_lines_when_asked() {
    let mut lines = String::from("{\"name\": \"ana@example.com\"}\n{\"name\": \"bo\"}\n\nno JSON\n");
    lines.push_str("{\"name\": \"cy@example.com\", \"passwordHash\": \"$argon2id$v=19$m=19456\"}\n");
    lines.push_str("{\"name\": \"ana@example.com\"}\n{\"name\": \"di@example.com\"}\n");
    let folder = place(&lines);
    let end = run(&folder, "users import users.jsonl --skip-faulty --batch 1");
    let stderr = "\
users.jsonl:2: name must be an e-mail address: got \"bo\"
users.jsonl:4: not a JSON object
users.jsonl:5: passwordHash: the argon2id hash is incomplete: it has no t
skipped: ana@example.com
";
    let stdout = "imported 2 users, skipped 1 whose name was taken, left out 3 faulty lines\n".to_owned();
    assert_eq!(end, End { code: Some(0), stdout, stderr: stderr.to_owned() });
    assert_eq!(listed(&folder), ["ana@example.com", "di@example.com"]);
    let again = run(&folder, "users import users.jsonl --skip-faulty --json");
    assert_eq!(again.json(), json!({ "imported": 0, "skipped": 3, "faulty": 3 }));
}

#[test]
fn import_takes_passwords_and_creation_times() {
    let user =
        json!({ "name": "ana@example.com", "password": "correct horse", "createdAt": "2012-03-04T06:06:07+01:00" });
    let folder = place(&user.to_string());
    let end = run(&folder, "users import users.jsonl");
    assert_eq!(end.stdout, "imported 1 user, skipped 0 whose names were taken\n", "{end:#?}");
    let ana = run(&folder, "users get ana@example.com --json").json();
    assert_eq!(ana["createdAt"], "2012-03-04T05:06:07.000Z");
    let file = Connection::open(folder.path().join("users.db")).unwrap();
    let hash: String = file.query_row("SELECT password_hash FROM users", [], |row| row.get(0)).unwrap();
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
}

#[test]
fn examples_of_the_documentation_and_the_help_can_be_imported() {
    let page = include_str!("../../docs/import.md");
    let (_, json) = page.split_once("```json\n").unwrap();
    let (lines, _) = json.split_once("```").unwrap();
    let folder = place(lines);
    let end = run(&folder, "users import users.jsonl --json");
    assert_eq!(end.json(), json!({ "imported": lines.lines().count(), "skipped": 0, "faulty": 0 }), "{end:#?}");

    let help = End::of(program().args(["users", "import", "--help"])).stdout;
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = &help[help.find('{').unwrap()..=help.find('}').unwrap()];
    let end = run(&place(line), "users import users.jsonl --json");
    assert_eq!(end.json(), json!({ "imported": 1, "skipped": 0, "faulty": 0 }), "{end:#?}");
}

#[cfg(unix)]
#[test]
fn interrupted_import_says_how_many_users_were_stored() {
    let lines: String = (0..400)
        .map(|index| format!("{{\"name\": \"user{index}@example.com\", \"password\": \"correct horse\"}}\n"))
        .collect();
    let folder = place(&lines);
    let path = folder.path().join("users.db");
    let mut import = program();
    import.args(["users", "import", "users.jsonl", "--db", "users.db", "--batch", "2"]).current_dir(folder.path());
    let import = import.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while count(&path) < 4 {
        assert!(Instant::now() < deadline, "two batches take over a minute");
        std::thread::sleep(Duration::from_millis(1));
    }
    send_signal(import.id(), Signal::INT);
    let output = import.wait_with_output().unwrap();
    let stored = count(&path);
    let expected = format!("interrupted: {stored} users were stored; the same import again adds the rest\n");
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(130), expected));
    assert_eq!((output.stdout, stored % 2), (Vec::new(), 0));
    assert!(stored < 400);
}

#[cfg(unix)]
#[test]
fn import_interrupted_while_it_reads_stdin_says_that_nobody_was_imported() {
    let folder = place("");
    let mut import = program();
    import.args(["users", "import", "-", "--db", "users.db"]).current_dir(folder.path());
    let mut import = import.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Stays open: the program waits for the rest.
    let stdin = import.stdin.take().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    // The handler is installed after the database has been opened.
    while !folder.path().join("users.db").exists() {
        assert!(Instant::now() < deadline, "the program did not start");
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_millis(500));
    send_signal(import.id(), Signal::INT);
    let output = import.wait_with_output().unwrap();
    drop(stdin);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), stderr.as_str()), (Some(130), "interrupted: nobody was imported\n"));
}

#[test]
fn import_reads_stdin_and_reports_unreadable_file_as_usage_error() {
    let folder = place("{\"name\": \"ana@example.com\"}\n{\"name\": \"bo@example.com\"}\n");
    let stdin = || Stdio::from(std::fs::File::open(folder.path().join("users.jsonl")).unwrap());
    let mut import = program();
    import.args(["users", "import", "-", "--db", "users.db"]).current_dir(folder.path()).stdin(stdin());
    assert_eq!(End::of(&mut import).stdout, "imported 2 users, skipped 0 whose names were taken\n");
    assert_eq!(listed(&folder), ["ana@example.com", "bo@example.com"]);
    let missing = run(&folder, "users import ghost.jsonl");
    assert_eq!(missing.code, Some(2), "{missing:#?}");
    assert!(missing.stderr.starts_with("error: cannot read ghost.jsonl: "), "{missing:#?}");
    let none = run(&folder, "users import users.jsonl --batch 0");
    assert_eq!(none.code, Some(2), "{none:#?}");
}

/// The number of users that another process sees. Zero until the database and its namespace exist.
fn count(path: &Path) -> u64 {
    let count = || {
        let file = Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        file.query_row("SELECT user_count FROM namespaces", [], |row| row.get::<_, i64>(0))
    };
    count().unwrap_or_default().unsigned_abs()
}

#[test]
fn killed_import_keeps_committed_batches_and_next_import_adds_the_rest() {
    const USERS: usize = 20_000;
    const BATCH: u64 = 100;
    // Lines are not sorted by name.
    let name = |index: usize| format!("user{}@example.com", index * 7919 % USERS);
    let lines: String = (0..USERS).map(|index| format!("{{\"name\": \"{}\"}}\n", name(index))).collect();
    let folder = place(&lines);
    let path: PathBuf = folder.path().join("users.db");
    let args = ["users", "import", "users.jsonl", "--publish-user-events", "--db", "users.db", "--batch"];
    let mut before = 0;
    for _ in 0..3 {
        let mut import = program();
        import.args(args).arg(BATCH.to_string()).current_dir(folder.path());
        let mut import = import.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        while count(&path) < before + 10 * BATCH {
            assert!(import.try_wait().unwrap().is_none(), "the import ended by itself");
            assert!(Instant::now() < deadline, "ten batches take over a minute");
            std::thread::sleep(Duration::from_millis(1));
        }
        import.kill().unwrap();
        import.wait().unwrap();
        check_file(&path);
        let after = count(&path);
        assert!(after >= before + 10 * BATCH && after < USERS as u64, "{before}, then {after}");
        assert_eq!(after % BATCH, 0, "half a batch");
        before = after;
    }
    let end = run(&folder, "users import users.jsonl --publish-user-events --json");
    assert_eq!(end.json(), json!({ "imported": USERS as u64 - before, "skipped": before, "faulty": 0 }));
    check_file(&path);
    let file = Connection::open(&path).unwrap();
    let mut by_id = file.prepare("SELECT name FROM users ORDER BY id").unwrap();
    let there = by_id.query_map([], |row| row.get(0)).unwrap().collect::<Result<Vec<String>, _>>().unwrap();
    assert!(there.iter().eq((0..USERS).map(name).collect::<Vec<_>>().iter()), "the order of ids is that of the lines");
}

#[test]
fn import_fails_when_every_line_is_left_out() {
    let folder = place("{\"name\": \"ana\"}\n[]\n");
    let end = run(&folder, "users import users.jsonl --skip-faulty");
    let stderr = "\
users.jsonl:1: name must be an e-mail address: got \"ana\"
users.jsonl:2: not a JSON object
error: every line is wrong: nobody was imported
";
    assert_eq!(end, End { code: Some(1), stdout: String::new(), stderr: stderr.to_owned() });
    std::fs::write(folder.path().join("users.jsonl"), "\n").unwrap();
    assert_eq!(run(&folder, "users import users.jsonl --skip-faulty").code, Some(0), "no line is wrong");
}

/// Needs Node.js; set the variable to 1 to skip the test.
#[test]
fn recipe_for_node_writes_hashes_that_are_imported() {
    if std::env::var_os("TAILOR_IDP_SKIP_TYPES").is_some_and(|value| value == "1") {
        return;
    }
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/import.md")).unwrap();
    let (_, rest) = page.split_once("```js\n").unwrap();
    let (recipe, _) = rest.split_once("```").unwrap();
    let use_of_it = r#"
        const { pbkdf2Sync, scryptSync } = require("node:crypto");
        const salt = Buffer.from("sodium chloride!");
        const print = (name, passwordHash) => console.log(JSON.stringify({ name, passwordHash }));
        print("a@example.com", scryptHash(salt, scryptSync("correct horse", salt, 64)));
        print("b@example.com", scryptHash(salt, scryptSync("correct horse", salt, 32, { N: 1024, r: 4, p: 2 }), { N: 1024, r: 4, p: 2 }));
        print("c@example.com", pbkdf2Hash(salt, pbkdf2Sync("correct horse", salt, 1000, 64, "sha512"), 1000, "sha512"));
        print("d@example.com", pbkdf2Hash(salt, pbkdf2Sync("correct horse", salt, 1000, 20, "sha256"), 1000, "sha256"));
    "#;
    let output = std::process::Command::new("node").args(["-e", &format!("{recipe}{use_of_it}")]).output();
    let output = output.unwrap_or_else(|error| panic!("node (TAILOR_IDP_SKIP_TYPES=1 skips this): {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let folder = place(&String::from_utf8(output.stdout).unwrap());
    let end = run(&folder, "users import users.jsonl");
    assert_eq!((end.code, end.stderr.as_str()), (Some(0), ""));
    assert_eq!(listed(&folder).len(), 4);
}

//! `serve`, `mail` and `events deliver` by the settings.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, ChildStderr, Stdio};

use pretty_assertions::assert_eq;

use super::commands::{Folder, OPEN, end};
use crate::support::program;

const SMTP: &str = "[mail]\nfrom = \"no-reply@example.com\"\n\
    smtp = { host = \"smtp.invalid\", username = \"idp\", password_env = \"NO_SUCH_PASSWORD\" }\n";
const UNSET: &str = "the environment variable NO_SUCH_PASSWORD is not set: mail.smtp.password_env names it\n";
const NONE_SENT: &str = "0 sent, 0 failed\n";

fn with(more: &str) -> Folder {
    Folder::new(&[("tailor-idp.toml", &format!("{OPEN}{more}"))])
}

/// A program that runs until it is stopped, and what it says.
struct Running {
    process: Child,
    stderr: BufReader<ChildStderr>,
}

impl Running {
    fn start(folder: &Folder, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut program = program();
        program.current_dir(folder.path()).args(arguments).envs(environment.iter().copied());
        let mut process = program.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(process.stderr.take().unwrap());
        Self { process, stderr }
    }

    fn serve(folder: &Folder, arguments: &[&str]) -> Self {
        Self::start(folder, &[&["serve", "--listen", "127.0.0.1:0"], arguments].concat(), &[])
    }

    /// The lines up to the one that begins so, and that.
    fn notes_until(&mut self, start: &str) -> String {
        let mut notes = String::new();
        loop {
            let before = notes.len();
            assert!(self.stderr.read_line(&mut notes).unwrap() > 0, "it ended: {notes}");
            if notes[before..].starts_with(start) {
                return notes;
            }
        }
    }

    #[cfg(unix)]
    fn terminate(&mut self) -> Option<i32> {
        crate::support::send_signal(self.process.id(), rustix::process::Signal::TERM);
        self.process.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[cfg(unix)]
#[test]
fn a_signal_right_after_the_listening_note_ends_serve_with_success() {
    let folder = with("");
    for _ in 0..5 {
        let mut serve = Running::serve(&folder, &[]);
        serve.notes_until("listening: ");
        assert_eq!(serve.terminate(), Some(0));
    }
}

#[test]
fn a_secret_is_asked_for_only_where_no_flag_takes_its_place() {
    let folder = with(SMTP);
    folder.run(&["users", "create", "ana@example.com"]);
    for instead in [&["--mail-dir", "m"], &["--smtp-url", "smtp://localhost"]] {
        assert_eq!(folder.run(&[&["mail", "send"], &instead[..]].concat()), end(0, NONE_SENT, ""), "{instead:?}");
    }
    for instead in [&["--mail-dir", "m"][..], &["--no-mail"]] {
        Running::serve(&folder, instead).notes_until("listening: ");
    }
    for arguments in [&["mail", "send"][..], &["serve", "--listen", "127.0.0.1:0"]] {
        assert_eq!(folder.run(arguments), end(1, "", &format!("error: {UNSET}")), "{arguments:?}");
    }
}

#[test]
fn a_key_file_takes_the_place_of_the_settings_mfa_key() {
    let text = format!(
        "mfa_key_env = \"NO_SUCH_KEY\"\n{OPEN}userAuthPolicy = {{ enableMfa = true, allowedReturnOrigins = [\"https://a.example.com\"] }}\n"
    );
    let folder = Folder::new(&[("tailor-idp.toml", &text), ("key", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")]);
    folder.run(&["users", "create", "ana@example.com"]);
    let enroll = ["users", "enroll-mfa", "ana@example.com"];
    let unset = "error: the environment variable NO_SUCH_KEY is not set: mfa_key_env names it\n";
    assert_eq!(folder.run(&enroll), end(1, "", unset));
    assert_eq!(folder.run(&[&enroll[..], &["--mfa-key-file", "key"]].concat()).code, Some(0));
}

#[test]
fn a_certificate_holds_for_the_settings_mail_server_and_is_refused_for_a_folder() {
    let folder = with(&SMTP.replace(", username = \"idp\", password_env = \"NO_SUCH_PASSWORD\"", ""));
    folder.run(&["users", "create", "ana@example.com"]);
    let missing = folder.run(&["mail", "send", "--smtp-ca", "missing.pem"]);
    assert_eq!(missing.code, Some(2), "{missing:#?}");
    assert!(missing.stderr.starts_with("error: the root certificate cannot be used: missing.pem: "), "{missing:#?}");
    let text = "error: --smtp-ca is for a mail server, and mails go into m: leave it out, or give --smtp-url\n";
    assert_eq!(folder.run(&["mail", "send", "--smtp-ca", "c.pem", "--mail-dir", "m"]), end(2, "", text));
}

#[test]
fn without_a_way_in_the_settings_mails_stay_in_the_queue() {
    let folder = with("");
    folder.run(&["users", "create", "ana@example.com"]);
    let nowhere = "the settings have no [mail]: add it, or give --mail-dir or --smtp-url\n";
    assert_eq!(folder.run(&["mail", "send"]), end(2, "", &format!("error: no mail was sent: {nowhere}")));
    let notes = Running::serve(&folder, &[]).notes_until("listening: ");
    assert!(notes.starts_with(&format!("note: mails stay in the queue: {nowhere}")), "{notes}");
    assert_eq!(folder.run(&["mail", "send", "--no-config", "--db", "users.db"]), end(0, NONE_SENT, ""));
    assert!(!folder.path().join("mails").exists());
}

#[test]
fn serve_makes_what_the_settings_declare_and_mail_leaves_it_out() {
    let more = "[mail]\nfolder = \"m\"\n[namespace.passing]\nstore = \"memory\"\n";
    let folder = with(more);
    let left_out = "note: namespace passing is left out: its users live in memory\n";
    let not_there = "note: namespace main is left out: it is not there yet\n";
    assert_eq!(folder.run(&["mail", "send"]), end(0, NONE_SENT, &format!("{left_out}{not_there}")));
    assert!(!folder.path().join("users.db").exists());
    let named = folder.run(&["mail", "send", "--namespace", "main"]);
    assert_eq!(named, end(2, "", "error: there is no database at users.db\n"));

    assert!(Running::serve(&folder, &[]).notes_until("listening: ").starts_with(left_out));
    assert_eq!(folder.run(&["mail", "send"]), end(0, NONE_SENT, left_out));
    let memory = "error: the users of namespace passing live in memory: --db PATH names a database\n";
    assert_eq!(folder.run(&["mail", "send", "--namespace", "passing"]), end(2, "", memory));
}

#[test]
fn check_refuses_a_secret_that_is_set_and_cannot_be_used() {
    let webhook = "[events.webhook]\nurl = \"https://ana.example.com/hook?key=hunter2\"\nsecret_env = \"HOOK\"\n";
    let text = format!("mfa_key_env = \"KEY\"\n{OPEN}publishUserEvents = true\n{webhook}");
    let folder = Folder::new(&[("tailor-idp.toml", &text)]);
    let check = |hook, key| folder.run_with(&["check"], |program| program.env("HOOK", hook).env("KEY", key));
    let wrong = check("short", "short");
    let text = "error: HOOK (events.webhook.secret_env): a webhook's secret has at least 16 bytes: got 5\n\
                KEY (mfa_key_env): an MFA key is 32 random bytes in base64\n";
    assert_eq!(wrong, end(1, "", text));
    let right = check("sixteen and more", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    assert_eq!((right.code, right.stderr.as_str()), (Some(0), ""));
    assert!(right.stdout.contains("published to https://ana.example.com/hook\n"), "{}", right.stdout);
}

#[test]
fn check_warns_of_what_is_allowed_and_most_likely_not_meant() {
    let webhook = "[events.webhook]\nurl = \"https://ana.example.com/hook\"\nsecret_env = \"HOOK\"\n";
    let folder = Folder::new(&[("tailor-idp.toml", &format!("{OPEN}{webhook}"))]);
    let checked = folder.run_with(&["check"], |program| program.env("HOOK", "sixteen and more"));
    let warning = "warning: events.webhook gets nothing: no namespace has publishUserEvents\n";
    assert_eq!((checked.code, checked.stderr.as_str()), (Some(0), warning));
}

#[test]
fn events_of_all_publishing_namespaces_are_delivered_with_the_secret_of_the_command_line() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let publishing = OPEN.replace("[namespace.main]", "[namespace.other]") + "publishUserEvents = true\n";
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let webhook = format!("[events.webhook]\nurl = \"{url}\"\nsecret_env = \"NO_SUCH_SECRET\"\n");
    let quiet = "[namespace.quiet]\nstore = \"memory\"\n";
    let folder = with(&format!("publishUserEvents = true\n{publishing}{quiet}{webhook}"));
    for namespace in ["main", "other"] {
        let created = folder.run(&["users", "create", "ana@example.com", "--namespace", namespace]);
        assert_eq!(created.code, Some(0), "{created:#?}");
    }
    let deliver = ["events", "deliver", "--secret-env", "NEW_SECRET"];
    let mut deliver = Running::start(&folder, &deliver, &[("NEW_SECRET", "sixteen and more")]);
    let mut told: Vec<_> = (0..2).map(|_| namespace_told(&listener)).collect();
    told.sort();
    assert_eq!(told, ["main", "other"]);
    let note = "note: delivering from namespaces main, other; interrupt to stop\n";
    assert_eq!(deliver.notes_until("note: delivering"), note);
}

/// The namespace of the next event that is posted, which is taken.
fn namespace_told(listener: &TcpListener) -> String {
    let (stream, _) = listener.accept().unwrap();
    let mut stream = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        match line.trim().split_once(": ") {
            Some((key, value)) if key.eq_ignore_ascii_case("content-length") => length = value.parse().unwrap(),
            None if line.trim().is_empty() => break,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    let answer = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
    stream.get_mut().write_all(answer).unwrap();
    let event: serde_json::Value = serde_json::from_slice(&body).unwrap();
    event["namespaceName"].as_str().unwrap().to_owned()
}

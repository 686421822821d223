//! `serve`, `mail` and `events deliver` with settings.

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

/// A running program and its stderr. Killed when dropped.
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

    /// Reads lines up to and including the first that starts with `start`.
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
fn serve_exits_with_success_on_signal_right_after_start() {
    let folder = with("");
    for _ in 0..5 {
        let mut serve = Running::serve(&folder, &[]);
        serve.notes_until("listening: ");
        assert_eq!(serve.terminate(), Some(0));
    }
}

#[test]
fn serve_says_where_mails_go_and_which_links_no_browser_reaches() {
    let folder = with("");
    let mut local = Running::serve(&folder, &["--mail-dir", "letters"]);
    assert_eq!(local.notes_until("mails: "), "mails: are written into letters\n");
    let mut all = Running::start(&folder, &["serve", "--listen", "0.0.0.0:0", "--mail-dir", "letters"], &[]);
    let notes = all.notes_until("note: ");
    assert!(notes.ends_with("--base-url URL is the one that links start with\n"), "{notes}");
}

#[test]
fn secret_is_read_only_if_no_flag_replaces_it() {
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
fn mfa_key_file_flag_overrides_key_of_settings() {
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
fn smtp_ca_flag_applies_to_server_of_settings_and_is_rejected_for_folder() {
    let folder = with(&SMTP.replace(", username = \"idp\", password_env = \"NO_SUCH_PASSWORD\"", ""));
    folder.run(&["users", "create", "ana@example.com"]);
    let missing = folder.run(&["mail", "send", "--smtp-ca", "missing.pem"]);
    assert_eq!(missing.code, Some(2), "{missing:#?}");
    assert!(missing.stderr.starts_with("error: the root certificate cannot be used: missing.pem: "), "{missing:#?}");
    let text = "error: --smtp-ca is for a mail server, and mails go into m: leave it out, or give --smtp-url\n";
    assert_eq!(folder.run(&["mail", "send", "--smtp-ca", "c.pem", "--mail-dir", "m"]), end(2, "", text));
}

#[test]
fn mails_stay_queued_without_mail_settings() {
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
fn serve_creates_stores_of_settings_and_mail_skips_missing_ones() {
    let more = "[mail]\nfolder = \"m\"\n[namespace.passing]\nstore = \"memory\"\n";
    let folder = with(more);
    let left_out = "note: namespace passing is left out: its users live in memory\n";
    let not_there = "note: namespace main is left out: it is not there yet\n";
    assert_eq!(folder.run(&["mail", "send"]), end(0, NONE_SENT, &format!("{left_out}{not_there}")));
    assert!(!folder.path().join("users.db").exists());
    let named = folder.run(&["mail", "send", "--namespace", "main"]);
    assert_eq!(
        named,
        end(2, "", "error: there is no database at users.db: `users create`, `users import` and `run` create one\n")
    );

    assert!(Running::serve(&folder, &[]).notes_until("listening: ").starts_with(left_out));
    assert_eq!(folder.run(&["mail", "send"]), end(0, NONE_SENT, left_out));
    let memory = "error: the users of namespace passing live in memory: --db PATH names a database\n";
    assert_eq!(folder.run(&["mail", "send", "--namespace", "passing"]), end(2, "", memory));
}

#[test]
fn check_rejects_unusable_secrets() {
    let webhook = "[events.webhook]\nurl = \"https://ana.example.com/hook?key=hunter2\"\nsecret_env = \"HOOK\"\n";
    let text = format!("mfa_key_env = \"KEY\"\n{OPEN}publishUserEvents = true\n{webhook}");
    let folder = Folder::new(&[("tailor-idp.toml", &text)]);
    let check = |hook, key| folder.run_with(&["check"], |program| program.env("HOOK", hook).env("KEY", key));
    let wrong = check("short", "short");
    let text = "error: HOOK (events.webhook.secret_env): a webhook's secret has at least 16 bytes: got 5\n\
                error: KEY (mfa_key_env): an MFA key is 32 random bytes in base64\n";
    assert_eq!(wrong, end(1, "", text));
    let right = check("sixteen and more", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    assert_eq!((right.code, right.stderr.as_str()), (Some(0), ""));
    assert!(right.stdout.contains("published to https://ana.example.com/hook\n"), "{}", right.stdout);
}

#[test]
fn check_warns_of_missing_secrets_of_services_and_rejects_malformed_ones() {
    let folder =
        Folder::new(&[("tailor-idp.toml", "[namespace.main.store]\nworkos = { api_key_env = \"WORKOS_KEY\" }\n")]);
    let missing = folder.run_with(&["check"], |program| program.env_remove("WORKOS_KEY"));
    let key = "namespace.main.store.workos.api_key_env";
    let warning = format!("warning: the environment variable WORKOS_KEY is not set: {key} names it\n");
    assert_eq!((missing.code, missing.stderr), (Some(0), warning));
    let malformed = folder.run_with(&["check"], |program| program.env("WORKOS_KEY", "sk_test hidden"));
    let text = format!("error: WORKOS_KEY ({key}): must be the secret key of a WorkOS environment, without spaces\n");
    assert_eq!(malformed, end(1, "", &text));
}

#[test]
fn postgres_is_named_without_its_url_and_refused_if_that_is_malformed() {
    let text = OPEN.replace("{ sqlite = \"users.db\" }", "{ postgres = { url_env = \"URL\", schema = \"idp_2\" } }");
    let folder = Folder::new(&[("tailor-idp.toml", &text)]);
    let with_url = |args: &[&str], url| folder.run_with(args, |program| program.env("URL", url));
    let right = with_url(&["check"], "postgres://idp:hunter2@db.example.com/idp");
    assert_eq!((right.code, right.stderr.as_str()), (Some(0), ""));
    assert!(right.stdout.contains("PostgreSQL at the URL in URL, schema idp_2\n"), "{}", right.stdout);
    let wrong = with_url(&["check"], "mysql://idp:hunter2@db.example.com/idp");
    let key = "URL (namespace.main.store.postgres.url_env): the URL of the PostgreSQL server is malformed: it must begin with \
               postgres:// or postgresql://";
    assert_eq!(wrong, end(1, "", &format!("error: {key}\n")));
    // Nothing listens there.
    let away = with_url(&["db", "status"], "postgres://idp:hunter2@127.0.0.1:1/idp");
    assert_eq!((away.code, away.stdout.as_str()), (Some(1), ""));
    assert!(away.stderr.contains("unavailable: cannot connect to 127.0.0.1:1/idp: "), "{}", away.stderr);
    assert!(!away.stderr.contains("hunter2"), "{}", away.stderr);
    let unset = folder.run(&["users", "list"]);
    let text = "error: namespace main: the environment variable URL is not set: namespace.main.store.postgres.url_env names it\n";
    assert_eq!(unset, end(1, "", text));
    let sqlite = Folder::new(&[("tailor-idp.toml", OPEN)]).run(&["db", "migrate"]);
    let text = "error: tailor-idp.toml: no namespace has a store = { postgres = { url_env = \"DATABASE_URL\" } }\n";
    assert_eq!(sqlite, end(2, "", text));
}

#[test]
fn check_warns_of_webhook_without_publishing_namespace() {
    let webhook = "[events.webhook]\nurl = \"https://ana.example.com/hook\"\nsecret_env = \"HOOK\"\n";
    let folder = Folder::new(&[("tailor-idp.toml", &format!("{OPEN}{webhook}"))]);
    let checked = folder.run_with(&["check"], |program| program.env("HOOK", "sixteen and more"));
    let warning = "warning: events.webhook gets nothing: no namespace has publishUserEvents\n";
    assert_eq!((checked.code, checked.stderr.as_str()), (Some(0), warning));
}

#[test]
fn events_deliver_serves_all_publishing_namespaces_with_secret_of_flag() {
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
    let mut delivered: Vec<_> = (0..2).map(|_| next_event_namespace(&listener)).collect();
    delivered.sort();
    assert_eq!(delivered, ["main", "other"]);
    let note = "note: delivering from namespaces main, other; interrupt to stop\n";
    assert_eq!(deliver.notes_until("note: delivering"), note);
}

/// Accepts the next event that is posted. Returns its namespace.
fn next_event_namespace(listener: &TcpListener) -> String {
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

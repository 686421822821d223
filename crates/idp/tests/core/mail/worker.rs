//! The worker: mails in files and to a real SMTP server.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pretty_assertions::assert_eq;
use serde_json::json;
use tailor_idp_core::local::{MailRecord, MailState};
use tailor_idp_core::mail::{
    MailSettings, MailTransport, MailWorker, SmtpServer as SmtpSettings, SmtpTls, StartError, Tally,
};
use tailor_idp_core::store::{SqliteDatabase, StoreError};
use tailor_idp_core::{
    Code, EmailConfig, IdentityProvider, Lang, NamespaceSettings, Principal, Router, SendPasswordResetEmail,
};
use tempfile::TempDir;
use tokio::sync::watch;

use super::smtp::{self, SmtpServer};
use super::text;
use crate::host::{Host, NAMESPACE, REDIRECT, context};
use crate::interposed::Interposed;
use crate::support::{namespace, open, place};

/// A database on disk, and a folder for mails.
struct Place {
    folder: TempDir,
    path: PathBuf,
    host: Host,
}

impl Place {
    async fn new() -> Self {
        Self::with(NamespaceSettings::default()).await
    }

    async fn with(settings: NamespaceSettings) -> Self {
        let (folder, path) = place();
        let host = Host::over(open(&path, NAMESPACE).await, settings);
        Self { folder, path, host }
    }

    fn mails(&self) -> PathBuf {
        self.folder.path().join("mails")
    }

    /// Creates a user and queues a mail.
    async fn queue(&self, name: &str) {
        let user = self.host.create(name).await;
        self.host.request_mail(&user.id).await.unwrap();
    }

    /// Sends all due mails into the folder.
    async fn send(&self) -> Tally {
        self.send_with(&settings(MailTransport::Folder(self.mails()))).await
    }

    /// Sends all due mails to the server.
    async fn send_to(&self, server: SmtpSettings) -> Tally {
        self.send_with(&settings(MailTransport::Smtp(server))).await
    }

    async fn send_with(&self, settings: &MailSettings) -> Tally {
        let (_sender, stop) = watch::channel(false);
        let worker = MailWorker::new(self.host.router.clone(), settings.clone()).unwrap();
        worker.send_due(&stop, |_| ()).await.unwrap()
    }

    /// All mails, oldest first.
    async fn records(&self) -> Vec<MailRecord> {
        let mut mails = self.host.reset_mails(None, u32::MAX).await.unwrap();
        mails.reverse();
        mails
    }

    /// The states and numbers of attempts of all mails, oldest first.
    async fn states(&self) -> Vec<(MailState, u32)> {
        self.records().await.iter().map(|mail| (mail.state, mail.attempts)).collect()
    }
}

fn settings(transport: MailTransport) -> MailSettings {
    let base_url = "https://id.example.com/auth/".parse().unwrap();
    MailSettings { transport, from_address: "id@example.com".into(), base_url }
}

/// The mails in a folder, by the name of their file.
fn read(folder: &Path) -> Vec<String> {
    let Ok(entries) = folder.read_dir() else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| String::from_utf8(std::fs::read(path).unwrap()).unwrap()).collect()
}

const fn tally(sent: u64, failed: u64) -> Tally {
    Tally { sent, failed }
}

#[tokio::test]
async fn folder_transport_writes_a_file_readable_by_its_owner_only() {
    let place = Place::new().await;
    place.queue("ana@example.com").await;
    assert_eq!(place.send().await, tally(1, 0));
    let mails = read(&place.mails());
    assert_eq!(mails.len(), 1);
    assert_eq!(text::header(&mails[0], "From"), r#""Tailor Platform IdP" <id@example.com>"#);
    assert_eq!(text::header(&mails[0], "To"), "ana@example.com");
    assert_eq!(text::header(&mails[0], "Subject"), "Reset your password");
    assert_eq!(text::header(&mails[0], "Auto-Submitted"), "auto-generated");
    assert!(text::header(&mails[0], "Message-ID").ends_with("@example.com>"));
    let link = text::link(&mails[0]);
    let (url, token) = link.split_once("token=").unwrap();
    assert_eq!(url, "https://id.example.com/auth/reset-password/builtin-idp?");
    // HTML may contain a slash as a reference.
    assert!(text::part(&mails[0], "text/html").replace("&#x2f;", "/").contains(&link));
    #[cfg(unix)]
    {
        let path = place.mails().join(format!("{NAMESPACE}-000001-1.eml"));
        let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
    }
    // The database does not contain the token.
    for name in ["users.db", "users.db-wal"] {
        let bytes = std::fs::read(place.path.with_file_name(name)).unwrap_or_default();
        assert!(!bytes.windows(token.len()).any(|window| window == token.as_bytes()), "{name} has the token");
    }
    let token = tailor_idp_core::ResetToken::parse(token).unwrap();
    assert_eq!(place.host.reset_link(&token).await.unwrap().redirect_uri.as_deref(), Some(REDIRECT));
    assert_eq!(place.send().await, tally(0, 0));
}

#[tokio::test]
async fn mails_have_the_texts_and_language_of_the_namespace() {
    let mut texts = EmailConfig::default();
    texts.from_name = Some("Shop".into());
    let place = Place::with(NamespaceSettings::default().lang(Lang::Ja).email_config(texts)).await;
    place.queue("ana@example.com").await;
    assert_eq!(place.send().await, tally(1, 0));
    let mail = read(&place.mails()).remove(0);
    assert_eq!(text::header(&mail, "From"), r#""Shop" <id@example.com>"#);
    assert_eq!(text::header(&mail, "Subject"), "パスワードの再設定");
    assert_eq!(text::header(&mail, "Content-Language"), "ja");
    assert!(text::part(&mail, "text/plain").contains("パスワードの再設定"));
    assert!(text::part(&mail, "text/html").contains(r#"lang="ja""#));
}

#[tokio::test]
async fn sender_names_and_subjects_add_no_header_and_no_markup() {
    // The text of a request, and as mail programs show it.
    let texts = [
        ("a\0Bcc: x@example.com", "a Bcc: x@example.com"),
        ("a\u{2028}Bcc: x\u{2029}y\u{85}z", "a Bcc: x y z"),
        ("=?utf-8?Q?=0D=0ABcc:_x?=", "=?utf-8?Q?=0D=0ABcc:_x?="),
        ("名前、\"社\" <b@example.com>", "名前、\"社\" <b@example.com>"),
        ("\u{202e}evil\u{b}\u{c}", "evil"),
        ("<script>alert('x')</script> & \"co\"", "<script>alert('x')</script> & \"co\""),
        (&"✉".repeat(200), &"✉".repeat(200)),
        (&"a".repeat(200), &"a".repeat(200)),
    ];
    let place = Place::new().await;
    for (n, (requested, _)) in texts.iter().enumerate() {
        let user_id = place.host.create(&format!("user{n}@example.com")).await.id;
        let text = Some((*requested).to_owned());
        let mail =
            SendPasswordResetEmail { user_id, redirect_uri: REDIRECT.into(), from_name: text.clone(), subject: text };
        place.host.router.send_password_reset_email(&context(Principal::Host), mail).await.unwrap();
    }
    assert_eq!(place.send().await, tally(8, 0));
    for (mail, (_, shown)) in read(&place.mails()).iter().zip(texts) {
        let head = mail.split("\r\n\r\n").next().unwrap();
        assert!(head.bytes().all(|byte| byte.is_ascii_graphic() || b" \r\n".contains(&byte)), "{head}");
        assert!(mail.lines().all(|line| line.len() <= 998), "{mail}");
        let mut names: Vec<_> = text::headers(mail).into_iter().map(|(name, _)| name).collect();
        names.sort();
        let expected = [
            "Auto-Submitted",
            "Content-Language",
            "Content-Type",
            "Date",
            "From",
            "MIME-Version",
            "Message-ID",
            "Subject",
            "To",
        ];
        assert_eq!(names, expected);
        assert_eq!(text::header(mail, "Subject"), shown);
        let from = text::header(mail, "From");
        let name = from.strip_suffix(" <id@example.com>").unwrap();
        let quoted = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).filter(|_| shown.is_ascii());
        assert_eq!(quoted.map_or_else(|| name.to_owned(), |name| name.replace("\\\"", "\"")), shown, "{from}");
        assert!(!text::part(mail, "text/html").contains("<script>"), "{mail}");
    }
}

/// The settings for a server that requires encryption and a password.
fn secured(server: &SmtpServer, tls: SmtpTls, password: &str, trusted: bool) -> SmtpSettings {
    let scheme = if tls == SmtpTls::Implicit { "smtps" } else { "smtp" };
    let url = format!("{scheme}://ana:{password}@localhost:{}", server.port);
    let root_certificate = trusted.then(|| smtp::folder().join("certificate.pem"));
    SmtpSettings { root_certificate, ..SmtpSettings::from_url(&url).unwrap() }
}

#[tokio::test]
async fn mails_are_sent_encrypted_and_authenticated_or_not_at_all() {
    for (tls, name) in [(SmtpTls::StartTls, "starttls"), (SmtpTls::Implicit, "implicit")] {
        let Some(server) = SmtpServer::start(&json!({ "tls": name, "user": "ana", "password": "p:w" })) else { return };
        let place = Place::new().await;
        place.queue("ana@example.com").await;
        assert_eq!(place.send_to(secured(&server, tls, "p%3Aw", false)).await, tally(0, 1), "unknown certificate");
        place.queue("bo@example.com").await;
        assert_eq!(place.send_to(secured(&server, tls, "secret", true)).await, tally(0, 1), "wrong password");
        let error = place.records().await[1].last_error.clone().unwrap();
        assert!(error.contains("535") && !error.contains("secret"), "{error}");
        place.queue("cy@example.com").await;
        assert_eq!(place.send_to(secured(&server, tls, "p%3Aw", true)).await, tally(1, 0));
        let mut mail = server.next();
        mail.envelope["raw"].take();
        let expected =
            json!({ "from": "id@example.com", "to": ["cy@example.com"], "secure": true, "user": "ana", "raw": null });
        assert_eq!(mail.envelope, expected);
        // The settings can be corrected while mails wait.
        let queued = (MailState::Queued, 1);
        assert_eq!(place.states().await, [queued, queued, (MailState::Sent, 1)]);
    }
}

#[tokio::test]
async fn mails_wait_when_the_server_offers_no_starttls() {
    let Some(server) = SmtpServer::start(&json!({})) else { return };
    let place = Place::new().await;
    place.queue("ana@example.com").await;
    let url = format!("smtp://localhost:{}", server.port);
    assert_eq!(place.send_to(SmtpSettings::from_url(&url).unwrap()).await, tally(0, 1));
    assert_eq!(server.so_far().len(), 0);
    assert_eq!(place.states().await, [(MailState::Queued, 1)]);
}

#[tokio::test]
async fn mails_wait_when_the_server_is_unreachable() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let place = Place::new().await;
    place.queue("ana@example.com").await;
    let url = format!("smtp://127.0.0.1:{port}?tls=none");
    assert_eq!(place.send_to(SmtpSettings::from_url(&url).unwrap()).await, tally(0, 1));
    assert_eq!(place.states().await, [(MailState::Queued, 1)]);
}

#[tokio::test]
async fn refusals_are_retried_or_final_by_their_code() {
    let Some(server) = SmtpServer::start(&json!({ "replies": [451, 550] })) else { return };
    let place = Place::new().await;
    let send = async || place.send_to(SmtpSettings::from_url(&server.url()).unwrap()).await;
    place.queue("ana@example.com").await;
    assert_eq!(send().await, tally(0, 1));
    place.queue("bo@example.com").await;
    assert_eq!(send().await, tally(0, 1));
    assert_eq!(place.states().await, [(MailState::Queued, 1), (MailState::Dead, 1)]);
    let refused = &place.records().await[1];
    assert_eq!(refused.last_error.as_deref(), Some("permanent error (550): refused, of token [token]"));
    place.host.retry_reset_mail(refused.id).await.unwrap();
    assert_eq!(send().await, tally(1, 0));
    assert_eq!(server.next().envelope["to"], json!(["bo@example.com"]));
    assert_eq!(place.states().await, [(MailState::Queued, 1), (MailState::Sent, 1)]);
}

#[tokio::test]
async fn link_of_a_mail_from_an_smtp_server_sets_the_password() {
    let Some(server) = SmtpServer::start(&json!({})) else { return };
    let place = Place::new().await;
    place.queue("ana@example.com").await;
    assert_eq!(place.send_to(SmtpSettings::from_url(&server.url()).unwrap()).await, tally(1, 0));
    let link = text::link(&server.next().raw);
    let token = tailor_idp_core::ResetToken::parse(link.split_once("token=").unwrap().1).unwrap();
    place.host.reset_password(&token, "the new ✉ one".into()).await.unwrap();
    assert!(place.host.signs_in("ana@example.com", "the new ✉ one").await);
}

#[tokio::test]
async fn worker_does_not_start_with_invalid_settings() {
    let place = Place::new().await;
    let error = |settings: MailSettings| match MailWorker::new(place.host.router.clone(), settings) {
        Err(StartError::Settings(error)) => error.to_string(),
        other => panic!("{other:?}"),
    };
    let folder = || settings(MailTransport::Folder(place.mails()));
    let injected = MailSettings { from_address: "a@example.com\r\nBcc: b@example.com".into(), ..folder() };
    let text = "the sender's address is no e-mail address: got \"a@example.com\\r\\nBcc: b@example.com\"";
    assert_eq!(error(injected), text);
    let query = MailSettings { base_url: "https://example.com?x=1".parse().unwrap(), ..folder() };
    let text = "the base URL is an absolute http or https URL without query and fragment: got https://example.com";
    assert_eq!(error(query), text);
    let server = SmtpSettings::from_url("smtps://ana:secret@mail.example.com").unwrap();
    let clear = SmtpSettings { tls: SmtpTls::None, ..server.clone() };
    let text = "user and password would travel in the clear to mail.example.com: use starttls or smtps";
    assert_eq!(error(settings(MailTransport::Smtp(clear))), text);
    let missing = SmtpSettings { root_certificate: Some("missing.pem".into()), ..server };
    let text = error(settings(MailTransport::Smtp(missing)));
    assert!(text.starts_with("the root certificate cannot be used: missing.pem: "), "{text}");
}

#[tokio::test]
async fn worker_runs_until_it_is_stopped() {
    let place = Place::new().await;
    let worker = MailWorker::new(place.host.router.clone(), settings(MailTransport::Folder(place.mails()))).unwrap();
    let (stop, stopped) = watch::channel(false);
    let run = tokio::spawn(async move { worker.run(stopped).await });
    for (index, name) in ["ana@example.com", "bo@example.com"].into_iter().enumerate() {
        place.queue(name).await;
        let deadline = Instant::now() + Duration::from_secs(30);
        while place.states().await.get(index) != Some(&(MailState::Sent, 1)) {
            assert!(Instant::now() < deadline, "no mail within 30 s");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    stop.send(true).unwrap();
    tokio::time::timeout(Duration::from_secs(30), run).await.expect("the worker stops").unwrap();
    place.queue("cy@example.com").await;
    assert_eq!(read(&place.mails()).len(), 2);
}

#[tokio::test]
async fn send_due_stops_between_two_mails() {
    let place = Place::new().await;
    for name in ["ana@example.com", "bo@example.com", "cy@example.com"] {
        place.queue(name).await;
    }
    let worker = MailWorker::new(place.host.router.clone(), settings(MailTransport::Folder(place.mails()))).unwrap();
    let (stop, stopped) = watch::channel(false);
    let mut deliveries = Vec::new();
    let tally_of_two = worker
        .send_due(&stopped, |delivery| {
            deliveries.push((delivery.to.clone(), delivery.attempt, delivery.outcome.clone()));
            stop.send(deliveries.len() == 2).unwrap();
        })
        .await;
    assert_eq!(tally_of_two.unwrap(), tally(2, 0));
    assert_eq!(deliveries, ["ana@example.com", "bo@example.com"].map(|to| (to.to_owned(), 1, Ok(()))));
    assert_eq!(place.states().await[2], (MailState::Queued, 0));
}

#[tokio::test]
async fn failing_namespace_does_not_hold_up_others() {
    let (folder, path) = place();
    let database = SqliteDatabase::open(&path).unwrap();
    let mut builder = Router::builder();
    let mut stores = Vec::new();
    for name in ["aaa", "bbb", "ccc"] {
        let store = Arc::new(database.namespace(&namespace(name)).await.unwrap());
        let store = Arc::new(Interposed::new(&(store as crate::support::Shared)));
        builder = builder.namespace(namespace(name), store.clone(), NamespaceSettings::default());
        stores.push(store);
    }
    let router = builder.build();
    for name in ["aaa", "bbb", "ccc"] {
        let context = tailor_idp_core::CallContext::new(namespace(name), Principal::Host);
        let user = tailor_idp_core::CreateUser { name: "ana@example.com".into(), ..Default::default() };
        let user_id = router.create_user(&context, user).await.unwrap().id;
        let mail = SendPasswordResetEmail { user_id, redirect_uri: REDIRECT.into(), ..Default::default() };
        router.send_password_reset_email(&context, mail).await.unwrap();
    }
    stores[1].fail_claims(StoreError::Locked { waited_secs: 5 });
    let mails = folder.path().join("mails");
    let worker = MailWorker::new(router, settings(MailTransport::Folder(mails.clone()))).unwrap();
    let (_sender, stop) = watch::channel(false);
    let error = worker.send_due(&stop, |_| ()).await.unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
    let sent: Vec<_> = read(&mails).iter().map(|mail| text::link(mail)).collect();
    assert!(sent.len() == 2 && sent[0].contains("/aaa?") && sent[1].contains("/ccc?"), "{sent:?}");
}

#[tokio::test]
async fn folder_that_cannot_be_written_makes_mails_wait() {
    let place = Place::new().await;
    place.queue("ana@example.com").await;
    std::fs::write(place.mails(), "a file").unwrap();
    assert_eq!(place.send().await, tally(0, 1));
    let record = place.records().await.remove(0);
    assert_eq!(record.state, MailState::Queued);
    let error = record.last_error.unwrap();
    assert!(error.starts_with("cannot write the mail's file: "), "{error}");
}

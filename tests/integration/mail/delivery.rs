//! `tailor-idp mail` with an SMTP server and with a folder.

use pretty_assertions::assert_eq;
use serde_json::json;

use super::smtp::SmtpServer;
use super::{Place, text};
use crate::support::{End, program};

fn send(place: &Place, arguments: &[&str]) -> End {
    let mut arguments = arguments.to_vec();
    arguments.insert(0, "send");
    place.mail(&arguments)
}

fn eml(place: &Place) -> Vec<String> {
    let mut paths: Vec<_> =
        place.folder.path().join("mails").read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| String::from_utf8(std::fs::read(path).unwrap()).unwrap()).collect()
}

#[test]
fn mails_are_files_readable_by_their_owner_only_without_smtp_server() {
    let place = Place::new();
    place.ask("ana@example.com");
    let end = send(&place, &["--base-url", "https://id.example.com/auth/"]);
    assert_eq!((end.code, end.stdout.as_str()), (Some(0), "1 sent, 0 failed\n"), "{}", end.stderr);
    let mails = eml(&place);
    assert_eq!(mails.len(), 1);
    let link = text::link(&mails[0]);
    assert_eq!(link.split("token=").next(), Some("https://id.example.com/auth/reset-password/builtin-idp?"));
    assert_eq!(text::header(&mails[0], "From"), r#""Tailor Platform IdP" <no-reply@localhost.localdomain>"#);
    assert_eq!(text::header(&mails[0], "To"), "ana@example.com");
    assert_eq!(text::header(&mails[0], "Subject"), "Reset your password");
    // Slashes may be escaped in HTML.
    assert!(text::part(&mails[0], "text/html").replace("&#x2f;", "/").contains(&link));
    #[cfg(unix)]
    {
        let path = place.folder.path().join("mails/builtin-idp-000001-1.eml");
        let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
    }
    // The database does not contain the token.
    let token = link.split_once("token=").unwrap().1;
    for name in ["users.db", "users.db-wal"] {
        let bytes = std::fs::read(place.folder.path().join(name)).unwrap_or_default();
        assert!(!bytes.windows(token.len()).any(|window| window == token.as_bytes()), "{name} has the token");
    }
    assert_eq!(send(&place, &[]).stdout, "0 sent, 0 failed\n");
}

#[test]
fn mails_are_sent_encrypted_and_authenticated_or_not_at_all() {
    let certificate = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mail/certificate.pem");
    for (tls, scheme) in [("starttls", "smtp"), ("implicit", "smtps")] {
        let Some(server) = SmtpServer::start(&json!({ "tls": tls, "user": "ana", "password": "p:w" })) else { return };
        let place = Place::new();
        place.ask("ana@example.com");
        let url = |password: &str| format!("{scheme}://ana:{password}@localhost:{}", server.port);
        // The certificate is not trusted without `--smtp-ca`.
        let end = send(&place, &["--smtp-url", &url("p%3Aw")]);
        assert_eq!((end.code, end.stdout.as_str()), (Some(1), "0 sent, 1 failed\n"), "{}", end.stderr);
        place.ask("bo@example.com");
        let end = send(&place, &["--smtp-url", &url("secret"), "--smtp-ca", certificate]);
        assert_eq!((end.code, end.stdout.as_str()), (Some(1), "0 sent, 1 failed\n"), "{}", end.stderr);
        assert!(end.stderr.contains("535") && !end.stderr.contains("secret"), "{}", end.stderr);
        place.ask("cy@example.com");
        let end =
            send(&place, &["--smtp-url", &url("p%3Aw"), "--smtp-ca", certificate, "--mail-from", "id@example.com"]);
        assert_eq!((end.code, end.stdout.as_str()), (Some(0), "1 sent, 0 failed\n"), "{}", end.stderr);
        let mut mail = server.next();
        mail.envelope["raw"].take();
        let expected =
            json!({ "from": "id@example.com", "to": ["cy@example.com"], "secure": true, "user": "ana", "raw": null });
        assert_eq!(mail.envelope, expected);
        assert_eq!(place.states(), ["queued 1", "queued 1", "sent 1"]);
    }
}

#[test]
fn mails_are_retried_after_temporary_refusals_and_dead_after_permanent_ones() {
    let Some(server) = SmtpServer::start(&json!({ "replies": [451, 550] })) else { return };
    let place = Place::new();
    place.ask("ana@example.com");
    assert_eq!(send(&place, &["--smtp-url", &server.url()]).stdout, "0 sent, 1 failed\n");
    place.ask("bo@example.com");
    assert_eq!(send(&place, &["--smtp-url", &server.url()]).stdout, "0 sent, 1 failed\n");
    assert_eq!(place.states(), ["queued 1", "dead 1"]);
    let shown = place.mail(&["show", "2", "--json"]).json();
    assert_eq!(shown["lastError"], "permanent error (550): refused, of token [token]");
    assert_eq!(place.mail(&["retry", "1"]).stderr, "error: only dead mails are retried: mail 1 is queued\n");
    assert_eq!(place.mail(&["retry", "2"]).stdout, "mail 2 to bo@example.com is queued\n");
    assert_eq!(send(&place, &["--smtp-url", &server.url()]).stdout, "1 sent, 0 failed\n");
    assert_eq!(server.next().envelope["to"], json!(["bo@example.com"]));
    assert_eq!(place.states(), ["queued 1", "sent 1"]);
}

#[test]
fn invalid_settings_are_usage_errors_without_passwords() {
    let place = Place::new();
    place.ask("ana@example.com");
    let end = send(&place, &["--smtp-url", "smtp://ana:secret@mail.example.com?tls=none"]);
    assert_eq!(end.code, Some(2));
    assert_eq!(
        end.stderr,
        "error: user and password would travel in the clear to mail.example.com: use starttls or smtps\n"
    );
    let end = send(&place, &["--mail-from", "a@example.com\r\nBcc: b@example.com"]);
    assert_eq!(end.code, Some(2), "{end:?}");
    let end = End::of(program().args(["mail", "list", "--db"]).arg(place.folder.path().join("none.db")));
    assert_eq!(end.code, Some(2), "{end:?}");
}

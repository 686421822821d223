//! Mails on their way, to a real mail server and into a folder.

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
fn without_a_mail_server_mails_become_files_for_their_owner_alone() {
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
    // HTML may spell a slash as a reference.
    assert!(text::part(&mails[0], "text/html").replace("&#x2f;", "/").contains(&link));
    #[cfg(unix)]
    {
        let path = place.folder.path().join("mails/builtin-idp-000001-1.eml");
        let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
    }
    // Nothing of the token is at rest.
    let token = link.split_once("token=").unwrap().1;
    for name in ["users.db", "users.db-wal"] {
        let bytes = std::fs::read(place.folder.path().join(name)).unwrap_or_default();
        assert!(!bytes.windows(token.len()).any(|window| window == token.as_bytes()), "{name} has the token");
    }
    assert_eq!(send(&place, &[]).stdout, "0 sent, 0 failed\n");
}

#[test]
fn no_name_or_subject_adds_a_header_or_escapes_from_the_page() {
    let place = Place::new();
    place.run(
        r#"const texts = ["a\0Bcc: x@example.com", "a\u2028Bcc: x\u2029y\u0085z", "=?utf-8?Q?=0D=0ABcc:_x?=", "名前、\"社\" <b@example.com>",
             "\u202eevil\u000b\u000c", "<script>alert('x')</script> & \"co\"", "✉".repeat(200), "a".repeat(200)];
           for (const [n, text] of texts.entries()) {
             const { id: userId } = await idp.createUser({ name: `user${n}@example.com` });
             await idp.sendPasswordResetEmail({ userId, redirectUri, fromName: text, subject: text });
           }
           return null;"#,
    );
    assert_eq!(send(&place, &["--lang", "ja"]).stdout, "8 sent, 0 failed\n");
    let shown = [
        "a Bcc: x@example.com".to_owned(),
        "a Bcc: x y z".into(),
        "=?utf-8?Q?=0D=0ABcc:_x?=".into(),
        "名前、\"社\" <b@example.com>".into(),
        "evil".into(),
        "<script>alert('x')</script> & \"co\"".into(),
        "✉".repeat(200),
        "a".repeat(200),
    ];
    for (mail, shown) in eml(&place).iter().zip(&shown) {
        assert!(
            mail.split("\r\n\r\n")
                .next()
                .unwrap()
                .bytes()
                .all(|byte| byte.is_ascii_graphic() || b" \r\n".contains(&byte))
        );
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
        assert_eq!(&text::header(mail, "Subject"), shown);
        let from = text::header(mail, "From");
        let name = from.strip_suffix(" <no-reply@localhost.localdomain>").unwrap();
        let name = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).filter(|_| shown.is_ascii());
        assert_eq!(name.map_or_else(|| shown.clone(), |name| name.replace("\\\"", "\"")), *shown, "{from}");
        let html = text::part(mail, "text/html");
        assert!(html.contains("lang=\"ja\"") && !html.contains("<script>"), "{html}");
        assert!(text::part(mail, "text/plain").contains("パスワードの再設定"));
    }
}

#[test]
fn a_mail_travels_encrypted_and_signed_in_or_not_at_all() {
    let certificate = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mail/certificate.pem");
    for (tls, scheme) in [("starttls", "smtp"), ("implicit", "smtps")] {
        let Some(server) = SmtpServer::start(&json!({ "tls": tls, "user": "ana", "password": "p:w" })) else { return };
        let place = Place::new();
        place.ask("ana@example.com");
        let url = |password: &str| format!("{scheme}://ana:{password}@localhost:{}", server.port);
        // Nobody vouches for its certificate.
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
fn a_server_that_offers_no_starttls_gets_no_mail() {
    let Some(server) = SmtpServer::start(&json!({})) else { return };
    let place = Place::new();
    place.ask("ana@example.com");
    let end = send(&place, &["--smtp-url", &format!("smtp://localhost:{}", server.port)]);
    assert_eq!(end.stdout, "0 sent, 1 failed\n", "{}", end.stderr);
    assert_eq!(server.so_far().len(), 0);
    // The settings can be mended while it waits.
    assert_eq!(place.states(), ["queued 1"]);
}

#[test]
fn a_refusal_for_now_is_tried_again_and_one_for_good_is_a_dead_letter_that_can_be_retried() {
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
fn wrong_settings_are_wrong_use_and_tell_no_password() {
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

//! The reset page over HTTP, and a complete reset from the script to the new password.

use std::time::{Duration, Instant};

use pretty_assertions::assert_eq;
use regex::Regex;
use reqwest::{Client, Response, StatusCode, redirect};
use serde_json::json;

use super::smtp::SmtpServer;
use super::{Place, REDIRECT, Serve, text};

/// A minimal browser: one cookie, no redirects.
struct Browser {
    client: Client,
    cookie: Option<String>,
}

struct Page {
    status: StatusCode,
    location: Option<String>,
    body: String,
    headers: reqwest::header::HeaderMap,
}

impl Browser {
    fn new() -> Self {
        Self { client: Client::builder().redirect(redirect::Policy::none()).build().unwrap(), cookie: None }
    }

    async fn send(&mut self, mut request: reqwest::RequestBuilder) -> Page {
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        let response: Response = request.send().await.unwrap();
        if let Some(cookie) = response.headers().get("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            assert!(cookie.contains("; HttpOnly; SameSite=Lax"), "{cookie}");
            self.cookie = Some(cookie.split(';').next().unwrap().to_owned());
        }
        let (status, headers) = (response.status(), response.headers().clone());
        let location = headers.get("location").map(|uri| uri.to_str().unwrap().to_owned());
        for (name, value) in
            [("cache-control", "no-store"), ("referrer-policy", "no-referrer"), ("x-frame-options", "DENY")]
        {
            assert_eq!(headers.get(name).map(|value| value.to_str().unwrap()), Some(value), "{name}");
        }
        assert!(headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
        Page { status, location, body: response.text().await.unwrap(), headers }
    }

    async fn get(&mut self, url: &str) -> Page {
        self.send(self.client.get(url)).await
    }

    /// Opens a link, and follows its redirect to the page.
    async fn open(&mut self, link: &str) -> Page {
        let moved = self.get(link).await;
        assert_eq!(moved.status, StatusCode::SEE_OTHER);
        let bare = link.split('?').next().unwrap();
        assert_eq!(moved.location.as_deref(), Some(&bare[bare.find("/reset").unwrap()..]));
        self.get(bare).await
    }

    async fn submit(&mut self, url: &str, proof: &str, password: &str, confirmation: &str) -> Page {
        let fields = [("proof", proof), ("password", password), ("confirmation", confirmation)];
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let form = "application/x-www-form-urlencoded";
        self.send(self.client.post(url).header("content-type", form).body(body)).await
    }
}

fn proof(page: &Page) -> String {
    let proof = Regex::new(r#"name="proof" value="([^"]+)""#).unwrap();
    proof.captures(&page.body).unwrap_or_else(|| panic!("{}", page.body))[1].to_owned()
}

/// Queues a mail, and starts a server that writes mails to a folder. Returns the link of the mail.
fn mailed(arguments: &[&str]) -> (Place, Serve, String) {
    let place = Place::new();
    place.ask("ana@example.com");
    let (serve, link) = served(&place, arguments);
    (place, serve, link)
}

/// Starts a server that writes mails to a folder. Returns the link of the first mail.
fn served(place: &Place, arguments: &[&str]) -> (Serve, String) {
    let serve = Serve::start(&place.db(), arguments);
    let path = place.folder.path().join("mails/builtin-idp-000001-1.eml");
    let deadline = Instant::now() + Duration::from_secs(30);
    while !path.exists() {
        assert!(Instant::now() < deadline, "no mail within 30 s");
        std::thread::sleep(Duration::from_millis(20));
    }
    let link = text::link(&std::fs::read_to_string(path).unwrap());
    (serve, link)
}

#[tokio::test]
async fn user_resets_password_with_link_of_mail_from_smtp_server() {
    let Some(server) = SmtpServer::start(&json!({})) else { return };
    let place = Place::new();
    place.ask("ana@example.com");
    let _serve = Serve::start(&place.db(), &["--smtp-url", &server.url()]);
    let link = text::link(&server.next().raw);
    let bare = link.split('?').next().unwrap();
    let mut browser = Browser::new();
    // Mail scanners open links, possibly several times.
    for _ in 0..3 {
        Browser::new().open(&link).await;
    }
    let page = browser.open(&link).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains("6 to 4096 characters"), "{}", page.body);
    let token = link.split_once("token=").unwrap().1;
    assert!(!page.body.contains(token), "the page has the token");
    let done = browser.submit(bare, &proof(&page), "the new ✉ one", "the new ✉ one").await;
    assert_eq!((done.status, done.location.as_deref()), (StatusCode::SEE_OTHER, Some(REDIRECT)));
    assert!(place.verifies("ana@example.com", "the new ✉ one").await);
    assert!(!place.verifies("ana@example.com", "the old one").await);
    // The link is used up: it can neither be opened nor submitted again.
    let mut other = Browser::new();
    let again = other.open(&link).await;
    assert_eq!(again.status, StatusCode::GONE);
    let again = other.submit(bare, &proof(&page), "a third one", "a third one").await;
    assert_eq!(again.status, StatusCode::GONE);
    assert!(place.verifies("ana@example.com", "the new ✉ one").await);
}

#[tokio::test]
async fn page_shows_error_and_link_stays_valid_when_form_is_invalid() {
    let (place, _serve, link) = mailed(&[]);
    let bare = link.split('?').next().unwrap();
    let mut browser = Browser::new();
    let proof = proof(&browser.open(&link).await);
    let page = browser.submit(bare, &proof, "short", "short").await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        page.body.contains(r#"aria-describedby="password-error rules" aria-invalid="true" autofocus"#),
        "{}",
        page.body
    );
    assert!(page.body.contains("This password is not allowed") && !page.body.contains("short"));
    let page = browser.submit(bare, &proof, "long enough", "long enouhg").await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        page.body.contains(r#"aria-describedby="confirmation-error" aria-invalid="true" autofocus"#),
        "{}",
        page.body
    );
    assert!(!page.body.contains("long enou"));
    assert!(place.verifies("ana@example.com", "the old one").await);
    let longest = "🦀".repeat(4096);
    let page = browser.submit(bare, &proof, &longest, &longest).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER);
    assert!(place.verifies("ana@example.com", &longest).await);
}

#[tokio::test]
async fn page_sets_password_without_redirect_when_origin_is_not_allowed_any_more() {
    let place = Place::new();
    place.ask("ana@example.com");
    let settings = "[namespace.builtin-idp]\nstore = \"memory\"\n\
                    userAuthPolicy.allowedReturnOrigins = [\"https://www.example.com\"]\n";
    std::fs::write(place.folder.path().join("tailor-idp.toml"), settings).unwrap();
    let (_serve, link) = served(&place, &["--mail-dir", "mails"]);
    let mut browser = Browser::new();
    let page = browser.open(&link).await;
    assert_eq!(page.status, StatusCode::OK);
    let csp = page.headers["content-security-policy"].to_str().unwrap();
    assert!(csp.contains("form-action 'self';"), "{csp}");
    let done = browser.submit(link.split('?').next().unwrap(), &proof(&page), "long enough", "long enough").await;
    assert_eq!((done.status, done.location), (StatusCode::OK, None));
    assert!(done.body.contains("Your password is set") && !done.body.contains("app.example.com"), "{}", done.body);
    let removed = done.headers["set-cookie"].to_str().unwrap();
    assert!(removed.contains("Max-Age=0"), "{removed}");
    assert!(place.verifies("ana@example.com", "long enough").await);
}

#[tokio::test]
async fn page_rejects_form_without_proof_without_cookie_or_from_another_site() {
    let (place, _serve, link) = mailed(&[]);
    let bare = link.split('?').next().unwrap();
    let mut browser = Browser::new();
    let proof = proof(&browser.open(&link).await);
    let forbidden = browser.submit(bare, "", "long enough", "long enough").await;
    assert_eq!(forbidden.status, StatusCode::FORBIDDEN);
    let body = format!("proof={proof}&password=long+enough&confirmation=long+enough");
    for site in ["cross-site", "same-site"] {
        let form = browser.client.post(bare).header("content-type", "application/x-www-form-urlencoded");
        let page = browser.send(form.header("sec-fetch-site", site).body(body.clone())).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{site}");
    }
    let without_cookie = Browser::new().submit(bare, &proof, "long enough", "long enough").await;
    assert_eq!(without_cookie.status, StatusCode::GONE);
    assert!(place.verifies("ana@example.com", "the old one").await);
}

#[tokio::test]
async fn page_is_the_same_for_all_invalid_links() {
    let (place, serve, link) = mailed(&[]);
    let bare = link.split('?').next().unwrap();
    let made_up = format!("{bare}?token={}", "A".repeat(43));
    let (unknown, no_token) =
        (Browser::new().open(&made_up).await, Browser::new().open(&format!("{bare}?token=x")).await);
    let no_cookie = Browser::new().get(bare).await;
    let file = rusqlite::Connection::open(place.db()).unwrap();
    file.execute("UPDATE reset_tokens SET expires_at = 1", []).unwrap();
    let expired = Browser::new().open(&link).await;
    for page in [&unknown, &no_token, &no_cookie, &expired] {
        assert_eq!(page.status, StatusCode::GONE);
        assert_eq!(page.body, unknown.body);
        assert_eq!(page.headers["content-security-policy"], unknown.headers["content-security-policy"]);
    }
    assert!(unknown.body.contains("Ask for a new mail"), "{}", unknown.body);
    let nowhere = Browser::new().get(&format!("{}/reset-password/no-such-one", serve.base)).await;
    assert_eq!((nowhere.status, &nowhere.body), (StatusCode::GONE, &unknown.body));
    assert_eq!(Browser::new().get(&format!("{}/other", serve.base)).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn page_rejects_oversized_body_in_configured_language() {
    let (_place, _serve, link) = mailed(&["--lang", "ja"]);
    let bare = link.split('?').next().unwrap();
    let mut browser = Browser::new();
    let page = browser.open(&link).await;
    assert!(
        page.body.contains(r#"<html lang="ja">"#) && page.body.contains("6 文字以上 4096 文字以下"),
        "{}",
        page.body
    );
    let page = browser.submit(bare, &proof(&page), &"x".repeat(200_000), "x").await;
    assert_eq!(page.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(page.body.contains("フォームを正しく受け取れませんでした"), "{}", page.body);
}

#[tokio::test]
async fn cookie_is_secure_and_limited_to_path_of_page_when_base_url_is_https() {
    let (_place, serve, link) = mailed(&["--base-url", "https://id.example.com/auth"]);
    let token = link.strip_prefix("https://id.example.com/auth/reset-password/builtin-idp?token=").unwrap();
    let here = format!("{}/reset-password/builtin-idp?token={token}", serve.base_here());
    let moved = Browser::new().get(&here).await;
    assert_eq!(moved.location.as_deref(), Some("/auth/reset-password/builtin-idp"));
    let cookie = moved.headers["set-cookie"].to_str().unwrap();
    let rest = "Path=/auth/reset-password/builtin-idp; Max-Age=3600; HttpOnly; SameSite=Lax; Secure";
    assert_eq!(cookie, format!("tailor-idp-reset-builtin-idp={token}; {rest}"));
}

#[tokio::test]
async fn log_contains_neither_token_nor_password_at_trace_level() {
    let (place, mut serve, link) = mailed(&[]);
    let bare = link.split('?').next().unwrap();
    let mut browser = Browser::new();
    let page = browser.open(&link).await;
    browser.submit(bare, &proof(&page), "hunter", "hunter two").await;
    assert_eq!(browser.submit(bare, &proof(&page), "hunter two", "hunter two").await.status, StatusCode::SEE_OTHER);
    let log = serve.kill();
    assert!(log.contains("sent"), "nothing is logged: {log}");
    assert!(!log.contains(link.split_once("token=").unwrap().1) && !log.contains("hunter"), "{log}");
    assert!(place.verifies("ana@example.com", "hunter two").await);
}

#[cfg(unix)]
#[tokio::test]
async fn server_exits_successfully_when_signalled() {
    let (_place, mut serve, _) = mailed(&[]);
    crate::support::send_signal(serve.process.id(), rustix::process::Signal::TERM);
    assert_eq!(serve.process.wait().unwrap().code(), Some(0));
}

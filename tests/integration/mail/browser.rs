//! The reset page in a browser: `tests/mail/browser.mjs` drives a headless Chromium.
//!
//! `TAILOR_IDP_SCREENSHOTS`: the folder for screenshots [default: a temporary folder].

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use pretty_assertions::assert_eq;
use serde_json::{Value, json};

use super::{Place, Serve, text};

/// Environment variable: `1` skips these tests if no browser is installed.
const SKIP: &str = "TAILOR_IDP_SKIP_BROWSER";

fn chromium() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found =
        std::env::split_paths(&path).flat_map(|folder| names.map(|name| folder.join(name))).find(|at| at.exists());
    if found.is_none() {
        let why = "no Chromium is installed: on Debian, run `apt-get install chromium`";
        assert!(std::env::var_os(SKIP).is_some_and(|value| value == "1"), "{why}, or set {SKIP}=1 to skip this test");
        eprintln!("skipped, because {SKIP} is set: {why}");
    }
    found
}

/// Starts an app that redirects to another origin, as an app with an external sign-in page does. Returns its URL.
fn app() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap_or(0);
            let onward = format!("HTTP/1.1 303 See Other\r\nlocation: http://localhost:{port}/home\r\n");
            let start = request[..length].starts_with(b"GET /start");
            let head = if start { onward } else { "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n".into() };
            let _ = write!(stream, "{head}connection: close\r\ncontent-length: 22\r\n\r\n<title>The app</title>");
        }
    });
    format!("http://127.0.0.1:{port}/start")
}

/// Resets a password in the browser. Returns the steps, the requests of the browser, and the base URL of the server.
async fn walk(chromium: &Path, lang: &str) -> (Vec<Value>, Vec<Value>, String) {
    let place = Place::new();
    let app = app();
    place.run(&format!(
        "const {{ id: userId }} = await idp.createUser({{ name: 'ana@example.com' }});
         return await idp.sendPasswordResetEmail({{ userId, redirectUri: '{app}' }});"
    ));
    let serve = Serve::start(&place.db(), &["--lang", lang]);
    let path = place.folder.path().join("mails/builtin-idp-000001-1.eml");
    let deadline = Instant::now() + Duration::from_secs(30);
    while !path.exists() {
        assert!(Instant::now() < deadline, "no mail within 30 s");
        std::thread::sleep(Duration::from_millis(20));
    }
    let link = text::link(&std::fs::read_to_string(path).unwrap());
    let kept = std::env::var_os("TAILOR_IDP_SCREENSHOTS").map(|folder| PathBuf::from(folder).join(lang));
    let folder = kept.unwrap_or_else(|| place.folder.path().join("screenshots"));
    std::fs::create_dir_all(&folder).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mail/browser.mjs");
    let output = Command::new("node")
        .arg(script)
        .arg(chromium)
        .arg(&link)
        .arg(folder)
        .arg(place.folder.path().join("browser"))
        .output();
    let output = output.unwrap_or_else(|error| panic!("node, which drives the browser: {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let requests = lines.pop().unwrap()["requests"].take().as_array().unwrap().clone();
    assert!(place.verifies("ana@example.com", "long enough").await);
    (lines, requests, serve.base.clone())
}

#[tokio::test]
async fn page_works_by_keyboard_without_javascript_and_exposes_errors_to_assistive_technology() {
    let Some(chromium) = chromium() else { return };
    let (steps, requests, base) = walk(&chromium, "en").await;
    let page = format!("{base}/reset-password/builtin-idp");
    let field = |name: &str, description: &str, invalid: bool, focused: bool| json!({ "name": name, "description": description, "invalid": invalid, "focused": focused });
    let (one, two, rules) = ("New password", "New password once more", "6 to 4096 characters");
    let refused = format!("This password is not allowed. Choose one by the rules below. {rules}");
    let expected = [
        json!(["form", page, "Set a new password", [field(one, rules, false, true), field(two, "", false, false)]]),
        json!([
            "refused",
            page,
            "Error: Set a new password",
            [field(one, &refused, true, true), field(two, "", false, false)]
        ]),
        json!([
            "differs",
            page,
            "Error: Set a new password",
            [field(one, rules, false, false), field(two, "The two passwords are not the same.", true, true)]
        ]),
    ];
    let seen = |step: &Value| json!([step["step"], step["url"], step["title"], step["fields"]]);
    assert_eq!(steps[..3].iter().map(seen).collect::<Vec<_>>(), expected);
    assert_eq!(steps[0]["headings"], json!(["1 Set a new password"]));
    // The browser followed the redirect of the app.
    assert_eq!(steps[3]["title"], "The app");
    assert!(steps[3]["url"].as_str().unwrap().starts_with("http://localhost:"), "{}", steps[3]);
    assert_eq!(steps[4]["headings"], json!(["1 This link does not work, or no longer"]));
    // Neither the history nor a Referer header contains the token.
    let history = steps[4]["history"].to_string();
    assert!(!history.contains("token="), "{history}");
    for request in &requests {
        // The request for the icon of the app may have the app as its referrer.
        let referer = request["headers"]["Referer"].as_str().unwrap_or_default();
        assert!(!referer.starts_with(&base) && !referer.contains("token"), "{request}");
        let url = request["url"].as_str().unwrap();
        assert!(
            url.starts_with(&base) || url.ends_with("/start") || url.contains("//localhost:"),
            "a third party: {url}"
        );
    }
}

#[tokio::test]
async fn page_is_japanese_when_language_is_ja() {
    let Some(chromium) = chromium() else { return };
    let (steps, ..) = walk(&chromium, "ja").await;
    let headings: Vec<_> = steps.iter().map(|step| step["headings"][0].clone()).collect();
    let form = "1 新しいパスワードの設定";
    assert_eq!(headings, [json!(form), json!(form), json!(form), Value::Null, json!("1 このリンクは使えません")]);
    assert_eq!(steps[2]["fields"][1]["description"], "二つのパスワードが一致しません。");
}

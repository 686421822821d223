//! Which hosts `fetch` can reach: names, addresses, redirects, pooled connections and proxies.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pretty_assertions::assert_eq;
use serde_json::json;
use tailor_idp::function::FetchSettings;

use super::{Server, names, run, settings};
use crate::support::{End, program};

const OFF: &str = "TypeError: fetch is not allowed: this function may fetch from no host (function.fetch.allow in the settings, or --allow-fetch, allow some)";

fn not_listed(host: &str) -> String {
    format!(
        "TypeError: fetch is not allowed from \"{host}\": it is not among the hosts that this function may fetch from (function.fetch.allow in the settings, or --allow-fetch, allow more)"
    )
}

fn not_public(host: &str) -> String {
    format!(
        "TypeError: fetch is not allowed from \"{host}\": it has an address outside the public internet, and is not itself among the hosts that this function may fetch from"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn fetch_is_denied_by_default() {
    let server = Server::start().await;
    let body = "return attempt(() => text(`http://127.0.0.1:${port}/`));";
    assert_eq!(run(&server, FetchSettings::default(), body).await, json!(OFF));
    assert_eq!(server.lines(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn fetch_reaches_listed_name_at_loopback_address() {
    let server = Server::start().await;
    let body = "return attempt(() => text(`http://api.example:${port}/a?b#c`));";
    assert_eq!(run(&server, settings(&["api.example"]), body).await, json!("200 hello"));
    let one_port = settings(&[&format!("api.example:{}", server.port())]);
    assert_eq!(run(&server, one_port, body).await, json!("200 hello"));
    assert_eq!(server.lines(), ["GET /a?b", "GET /a?b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn fetch_sends_nothing_to_unlisted_host() {
    let server = Server::start().await;
    let body = "return attempt(() => text(`http://api.example:${port}/`));";
    let refused = json!(not_listed(&format!("api.example:{}", server.port())));
    assert_eq!(run(&server, settings(&["other.example", "*.api.example", "api.example:1"]), body).await, refused);
    assert_eq!(server.lines(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn wildcards_do_not_match_private_names_and_addresses() {
    let server = Server::start().await;
    let body = "
        const hosts = ['api.example.com', 'mixed.example.com', 'six.example.com', '127.0.0.1', '2130706433', '0x7f.1',
            '[::1]', '[::ffff:127.0.0.1]', '[64:ff9b::7f00:1]', '0.0.0.0', '[::]'];
        const all = {};
        for (const host of hosts) all[host] = await attempt(() => text(`http://${host}:${port}/`));
        return all;";
    let port = server.port();
    let refused = json!({
        // Rejected by the resolved addresses.
        "api.example.com": not_public("api.example.com"),
        "mixed.example.com": not_public("mixed.example.com"),
        "six.example.com": not_public("six.example.com"),
        // Rejected by the address in the URL.
        "127.0.0.1": not_public(&format!("127.0.0.1:{port}")),
        "2130706433": not_public(&format!("127.0.0.1:{port}")),
        "0x7f.1": not_public(&format!("127.0.0.1:{port}")),
        "[::1]": not_public(&format!("[::1]:{port}")),
        "[::ffff:127.0.0.1]": not_public(&format!("[::ffff:7f00:1]:{port}")),
        "[64:ff9b::7f00:1]": not_public(&format!("[64:ff9b::7f00:1]:{port}")),
        "0.0.0.0": not_public(&format!("0.0.0.0:{port}")),
        "[::]": not_public(&format!("[::]:{port}")),
    });
    assert_eq!(run(&server, settings(&["*", "*.example.com"]), body).await, refused);
    assert_eq!(server.lines(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn fetch_reaches_listed_address_in_every_notation() {
    let server = Server::start().await;
    let body = "
        const all = [];
        for (const host of ['127.0.0.1', '127.1', '[::ffff:127.0.0.1]']) all.push(await attempt(() => text(`http://${host}:${port}/`)));
        return all;";
    let answers = json!(["200 hello", "200 hello", "200 hello"]);
    assert_eq!(run(&server, settings(&["127.0.0.1"]), body).await, answers);
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_are_subject_to_the_policy() {
    let server = Server::start().await;
    let port = server.port();
    let body = "
        const all = [];
        const targets = [`http://api.example:${port}/there`, `http://other.example:${port}/`, 'http://169.254.169.254/latest/meta-data/',
            `http://inner.example.com:${port}/`, 'file:///etc/passwd', 'data:,text'];
        for (const target of targets) all.push(await attempt(() => text(`http://api.example:${port}/to/${target}`)));
        return all;";
    let expected = json!([
        "200 hello",
        not_listed(&format!("other.example:{port}")),
        not_listed("169.254.169.254"),
        not_public("inner.example.com"),
        "TypeError: Fetch failed: Can not redirect to a non HTTP(s) url",
        "TypeError: Fetch failed: Can not redirect to a non HTTP(s) url",
    ]);
    assert_eq!(run(&server, settings(&["api.example", "*.example.com"]), body).await, expected);
    assert_eq!(server.lines().iter().filter(|line| !line.starts_with("GET /to/")).collect::<Vec<_>>(), ["GET /there"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn pooled_connection_is_not_reused_for_host_matched_by_wildcard() {
    let server = Server::start().await;
    let body = "return [await attempt(() => text(`http://inner.example.com:${port}/`)),
        await attempt(() => text(`http://outer.example.com:${port}/`))];";
    let expected = json!(["200 hello", not_public("outer.example.com")]);
    assert_eq!(run(&server, settings(&["*.example.com", "inner.example.com"]), body).await, expected);
    assert_eq!(server.lines().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn fetch_connects_to_checked_address_after_dns_rebinding() {
    let server = Server::start().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    // A second lookup would return another address, as in DNS rebinding.
    let rebinding = settings(&["api.example"]).resolve_names(move |name| match count.fetch_add(1, Ordering::SeqCst) {
        0 => names(name),
        _ => Ok(vec!["192.0.2.1".parse().unwrap()]),
    });
    let body = "return attempt(() => text(`http://api.example:${port}/`));";
    assert_eq!(run(&server, rebinding, body).await, json!("200 hello"));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn fetch_rejects_schemes_other_than_http_and_https() {
    let server = Server::start().await;
    let body = "
        const all = {};
        for (const url of ['file:///etc/passwd', 'data:,text', 'ftp://api.example/', 'blob:null/1', 'unix:/tmp/socket', 'about:blank'])
            all[url] = await attempt(() => text(url));
        all.client = await attempt(() => text(`http://api.example:${port}/`, { client: { rid: 1 } }));
        return all;";
    let scheme = |scheme: &str| format!("TypeError: fetch supports http: and https: only: got \"{scheme}\"");
    let expected = json!({
        "file:///etc/passwd": scheme("file"),
        "data:,text": scheme("data"),
        "ftp://api.example/": scheme("ftp"),
        "blob:null/1": scheme("blob"),
        "unix:/tmp/socket": scheme("unix"),
        "about:blank": scheme("about"),
        "client": "TypeError: Failed to construct 'Request': Argument 2 `client` must be a Deno.HttpClient",
    });
    let result = run(&server, settings(&["*", "api.example"]), body).await;
    assert_eq!(result, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn fetch_ignores_proxy_environment_variables() {
    let server = Server::start().await;
    let proxy = Server::start().await;
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("main.js");
    std::fs::write(&script, "export default async ({ url }) => (await fetch(url)).text();").unwrap();
    let url = format!("http://127.0.0.1:{}/", server.port());
    let proxy_url = format!("http://127.0.0.1:{}", proxy.port());
    let end = tokio::task::spawn_blocking(move || {
        let mut program = program();
        for variable in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
            program.env(variable, &proxy_url);
        }
        program.env_remove("NO_PROXY").env_remove("no_proxy").args(["run", "--allow-fetch", "127.0.0.1", "--arg"]);
        End::of(program.arg(json!({ "url": url }).to_string()).arg(script))
    });
    assert_eq!(end.await.unwrap().stdout, "\"hello\"\n");
    assert_eq!((server.lines().len(), proxy.lines().len()), (1, 0));
}

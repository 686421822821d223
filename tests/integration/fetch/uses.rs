//! Requests, responses, streams and event sources in scripts.

use pretty_assertions::assert_eq;
use serde_json::json;

use super::{Server, run, settings};

#[tokio::test(flavor = "multi_thread")]
async fn response_has_status_headers_and_body_that_reads_once() {
    let server = Server::start().await;
    let body = "
        const response = await fetch(`http://api.example:${port}/a`);
        const { status, statusText, ok, url, redirected, type, bodyUsed } = response;
        const answer = response.headers.get('x-answer');
        return { status, statusText, ok, path: new URL(url).pathname, redirected, type, bodyUsed, answer,
            first: await response.text(), second: await attempt(() => response.text()), empty: (await fetch(url, { method: 'HEAD' })).body };";
    let expected = json!({
        "status": 200, "statusText": "OK", "ok": true, "path": "/a", "redirected": false, "type": "basic", "bodyUsed": false,
        "answer": "yes", "first": "hello", "second": "TypeError: Body already consumed", "empty": null,
    });
    assert_eq!(run(&server, settings(&["api.example"]), body).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn request_sends_only_default_and_permitted_headers() {
    let server = Server::start().await;
    let body = "
        await text(`http://api.example:${port}/cookie`);
        await text(`http://ana:pass%20word@api.example:${port}/`, { headers: { 'x-mine': 'a', 'user-agent': 'mine', host: 'other.example',
            'transfer-encoding': 'gzip', connection: 'upgrade', upgrade: 'websocket', 'proxy-authorization': 'Basic x', 'content-length': '5' } });
        return null;";
    run(&server, settings(&["api.example"]), body).await;
    let requests = server.requests();
    let [first, second] = &requests[..] else { panic!("{requests:#?}") };
    let names = |headers: &axum::http::HeaderMap| {
        let mut names: Vec<_> = headers.keys().map(|name| name.as_str().to_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&first.headers), ["accept", "accept-encoding", "accept-language", "host", "user-agent"]);
    assert_eq!(first.header("user-agent"), Some(concat!("tailor-idp/", env!("CARGO_PKG_VERSION"))));
    let more = ["accept", "accept-encoding", "accept-language", "authorization", "host", "user-agent", "x-mine"];
    assert_eq!(names(&second.headers), more);
    let host = format!("api.example:{}", server.port());
    let said = ["host", "user-agent", "x-mine", "authorization"].map(|name| second.header(name).unwrap());
    assert_eq!(said, [&host, "mine", "a", "Basic YW5hOnBhc3Mgd29yZA=="]);
}

#[tokio::test(flavor = "multi_thread")]
async fn request_body_takes_text_bytes_forms_and_streams() {
    let server = Server::start().await;
    let body = "
        const url = `http://api.example:${port}/echo`;
        const post = async (body, headers) => (await fetch(url, { method: 'POST', body, headers })).text();
        const parts = ['a', 'b', 'c'];
        const stream = new ReadableStream({ pull(controller) {
            if (parts.length === 0) controller.close(); else controller.enqueue(new TextEncoder().encode(parts.shift()));
        } });
        const form = new FormData();
        form.append('name', 'Ana');
        form.append('file', new File(['content'], 'a.txt', { type: 'text/plain' }));
        return [await post('text'), await post(new Uint8Array([65, 66])), await post(new URLSearchParams({ a: 'b c' })),
            await post(JSON.stringify({ a: 1 }), { 'content-type': 'application/json' }), await post(stream),
            (await post(form)).replaceAll(/-{4,}[0-9a-zA-Z]+/g, '--B').split('\\r\\n')];";
    let expected = json!([
        "text",
        "AB",
        "a=b+c",
        "{\"a\":1}",
        "abc",
        [
            "--B",
            "Content-Disposition: form-data; name=\"name\"",
            "",
            "Ana",
            "--B",
            "Content-Disposition: form-data; name=\"file\"; filename=\"a.txt\"",
            "Content-Type: text/plain",
            "",
            "content",
            "--B--",
        ]
    ]);
    assert_eq!(run(&server, settings(&["api.example"]), body).await, expected);
    let requests = server.requests();
    let types: Vec<_> = requests
        .iter()
        .map(|request| request.header("content-type").map(|kind| kind.split(['=']).next().unwrap()))
        .collect();
    let text = Some("text/plain;charset");
    let form = Some("application/x-www-form-urlencoded;charset");
    assert_eq!(types, [text, None, form, Some("application/json"), None, Some("multipart/form-data; boundary")]);
    assert_eq!(requests[4].header("transfer-encoding"), Some("chunked"));
    assert_eq!(requests[0].body, "text");
}

#[tokio::test(flavor = "multi_thread")]
async fn abort_signal_cancels_request_and_body() {
    let server = Server::start().await;
    let body = "
        const url = `http://api.example:${port}`;
        const early = attempt(() => fetch(url, { signal: AbortSignal.abort() }));
        const waiting = new AbortController();
        setTimeout(() => waiting.abort(new Error('enough')), 10);
        const late = attempt(() => fetch(url + '/never', { signal: waiting.signal }));
        const reading = new AbortController();
        const response = await fetch(url + '/trickle', { signal: reading.signal });
        const reader = response.body.getReader();
        await reader.read();
        const rest = attempt(async () => { for (;;) await reader.read(); });
        reading.abort();
        return [await early, await late, await rest];";
    let expected =
        json!(["AbortError: The signal has been aborted", "Error: enough", "AbortError: The signal has been aborted"]);
    assert_eq!(run(&server, settings(&["api.example"]), body).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn redirect_modes_follow_error_and_manual() {
    let server = Server::start().await;
    let body = "
        const url = `http://api.example:${port}`;
        const followed = await fetch(`${url}/to//there`, { method: 'POST', body: 'x' });
        const shown = await fetch(`${url}/to//there`, { redirect: 'manual' });
        return [followed.redirected, new URL(followed.url).pathname, shown.status, shown.headers.get('location'),
            await attempt(() => fetch(`${url}/to//there`, { redirect: 'error' }))];";
    let refused = "TypeError: Fetch failed: Encountered redirect while redirect mode is set to 'error'";
    let result = run(&server, settings(&["api.example"]), body).await;
    assert_eq!(result, json!([true, "/there", 302, "/there", refused]));
    assert_eq!(server.lines(), ["POST /to//there", "GET /there", "GET /to//there", "GET /to//there"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn event_source_receives_events() {
    let server = Server::start().await;
    let body = "
        const source = new EventSource(`http://api.example:${port}/events`);
        const seen = [];
        await new Promise((resolve) => {
            source.onopen = () => seen.push('open');
            source.addEventListener('greeting', (event) => seen.push([event.data, event.lastEventId]));
            source.onmessage = (event) => { seen.push([event.data, event.lastEventId]); source.close(); resolve(); };
        });
        return [seen, source.readyState];";
    let expected = json!([["open", ["hello", "7"], ["one\ntwo", "7"]], 2]);
    assert_eq!(run(&server, settings(&["api.example"]), body).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn event_source_fires_error_for_unlisted_host() {
    let server = Server::start().await;
    let body = "
        const source = new EventSource(`http://other.example:${port}/events`);
        const type = await new Promise((resolve) => { source.onerror = (event) => { source.close(); resolve(event.type); }; });
        return [type, source.readyState];";
    assert_eq!(run(&server, settings(&["api.example"]), body).await, json!(["error", 2]));
    assert_eq!(server.lines(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn network_error_names_cause_without_url() {
    let server = Server::start().await;
    let body = "return [await attempt(() => fetch('http://nowhere.example/secret')), await attempt(() => fetch(`http://api.example:${port - port + 4}/`))];";
    let result = run(&server, settings(&["nowhere.example", "api.example"]), body).await;
    let errors = result.as_array().unwrap().iter().map(|error| error.as_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(errors[0], "TypeError: fetch failed (Error: no such name)");
    assert!(errors[1].starts_with("TypeError: fetch failed (Error: Connection refused"), "{errors:?}");
}

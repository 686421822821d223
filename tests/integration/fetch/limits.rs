//! Limits on time, size and number of requests, and cancellation at the end of a script.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pretty_assertions::assert_eq;
use serde_json::json;
use tailor_idp::function::{FetchPolicy, FetchSettings, FunctionRuntime, Invocation, ProcessOptions, Script, Workers};
use tailor_idp::idp::Router;

use super::{Server, run, run_on, settings};

const RESPONSE_TOO_LARGE: &str =
    "TypeError: the body of the response is over the limit of 1000 bytes (function.fetch.max_body in the settings)";
const STREAM_TOO_LARGE: &str = "TypeError: the body of the response is over the limit of 100000 bytes (function.fetch.max_streamed_body in the settings)";
const REQUEST_TOO_LARGE: &str =
    "TypeError: the body of the request is over the limit of 1000 bytes (function.fetch.max_body in the settings)";

fn small() -> FetchSettings {
    settings(&["api.example"]).max_body(1000).max_streamed_body(100_000)
}

#[tokio::test(flavor = "multi_thread")]
async fn response_body_is_limited_in_size() {
    let server = Server::start().await;
    let body = "
        const url = `http://api.example:${port}`;
        const length = async (path, init) => (await (await fetch(url + path, init)).arrayBuffer()).byteLength;
        const streamed = async (path) => { let sum = 0; for await (const chunk of (await fetch(url + path)).body) sum += chunk.length; return sum; };
        return [await length('/bytes/1000'), await attempt(() => length('/bytes/1001')),
            await streamed('/bytes/100000'), await attempt(() => length('/flood')), await attempt(() => streamed('/flood')),
            await attempt(() => streamed('/bytes/100001'))];";
    let expected = json!([1000, RESPONSE_TOO_LARGE, 100_000, RESPONSE_TOO_LARGE, STREAM_TOO_LARGE, STREAM_TOO_LARGE]);
    assert_eq!(run(&server, small(), body).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_read_a_body_as_a_whole_has_the_limit_of_bodies_in_memory() {
    let server = Server::start().await;
    let body = "
        const get = (path) => fetch(`http://api.example:${port}${path}`);
        const ends = {};
        for (const method of ['text', 'json', 'arrayBuffer', 'bytes', 'blob', 'formData']) {
            ends[method] = await attempt(async () => (await get('/flood'))[method]());
        }
        // The stream was handed out, but is not what is read.
        ends.touched = await attempt(async () => { const response = await get('/flood'); response.body; return response.text(); });
        ends.wrapped = await attempt(async () => new Response((await get('/flood')).body).text());
        ends.clone = await attempt(async () => (await get('/flood')).clone().text());
        ends.cloned = await attempt(async () => { const response = await get('/flood'); response.body; response.clone(); return response.text(); });
        return [Object.keys(ends).length, [...new Set(Object.values(ends))]];";
    assert_eq!(run(&server, small(), body).await, json!([10, [RESPONSE_TOO_LARGE]]));
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_that_is_being_read_keeps_its_limit() {
    let server = Server::start().await;
    let body = "
        const response = await fetch(`http://api.example:${port}/bytes/50000`);
        let sum = 0;
        for await (const chunk of response.body) {
            sum += chunk.length;
            await attempt(() => response.text());
            attempt(() => response.clone());
        }
        const piped = await fetch(`http://api.example:${port}/bytes/50000`);
        await piped.body.pipeTo(new WritableStream({ write(chunk) { sum += chunk.length; } }));
        return sum;";
    assert_eq!(run(&server, small(), body).await, json!(100_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn response_body_limit_counts_decompressed_bytes() {
    let server = Server::start().await;
    let body = "
        const gzip = (bytes) => new Response(new Blob([bytes]).stream().pipeThrough(new CompressionStream('gzip'))).arrayBuffer();
        const there = async (size) => {
            const body = await gzip(new Uint8Array(size));
            const response = await fetch(`http://api.example:${port}/gunzip`, { method: 'POST', body });
            return (await response.arrayBuffer()).byteLength;
        };
        return [await there(1000), await attempt(() => there(200_000))];";
    assert_eq!(run(&server, small(), body).await, json!([1000, RESPONSE_TOO_LARGE]));
    // The server received both: compressed, the request bodies are below the limit.
    assert_eq!(server.lines().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn request_body_is_limited_in_size_whole_and_streamed() {
    let server = Server::start().await;
    let body = "
        const post = (body) => text(`http://api.example:${port}/`, { method: 'POST', body });
        const endless = new ReadableStream({ pull(controller) { controller.enqueue(new Uint8Array(300)); } });
        return [await post(new Uint8Array(1000)), await attempt(() => post(new Uint8Array(1001))),
            await attempt(() => post('\u{e9}'.repeat(501))), await attempt(() => post(new Blob([new Uint8Array(1001)]))),
            await attempt(() => post(endless))];";
    let result = run(&server, small(), body).await;
    let streamed = "TypeError: fetch failed (Error: the body of the request is over the limit of 100000 bytes (function.fetch.max_streamed_body in the settings))";
    assert_eq!(result, json!(["200 hello", REQUEST_TOO_LARGE, REQUEST_TOO_LARGE, REQUEST_TOO_LARGE, streamed]));
}

#[tokio::test(flavor = "multi_thread")]
async fn timeout_covers_response_headers_and_body() {
    let server = Server::start().await;
    let body = "
        const url = `http://api.example:${port}`;
        return [await attempt(() => text(url + '/never')), await attempt(() => text(url + '/trickle'))];";
    let settings = settings(&["api.example"]).timeout(Duration::from_millis(100));
    let expected = "TimeoutError: fetch took longer than it may";
    assert_eq!(run(&server, settings, body).await, json!([expected, expected]));
}

#[tokio::test(flavor = "multi_thread")]
async fn request_limit_counts_redirects_per_execution() {
    let server = Server::start().await;
    let idp = std::sync::Arc::new(tailor_idp::idp::Router::builder().build());
    let runtime = tailor_idp::function::FunctionRuntime::builder(idp);
    let runtime = runtime.fetch(settings(&["api.example"]).max_requests(3)).build();
    let body = "
        const url = `http://api.example:${port}`;
        return [await text(url), await text(`${url}/to/${url}/there`), await attempt(() => text(url)),
            await attempt(() => fetch('http://not.example/')).then((error) => error.slice(0, 28))];";
    let expected = json!([
        "200 hello",
        "200 hello",
        "TypeError: fetch is over its limit of 3 requests (function.fetch.max_requests in the settings)",
        "TypeError: fetch is not allo"
    ]);
    assert_eq!(run_on(&runtime, &server, body).await, expected);
    assert_eq!(run_on(&runtime, &server, body).await, expected);
    assert_eq!(server.lines().len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_cancelled_when_script_ends() {
    let server = Server::start().await;
    let body = "
        fetch(`http://api.example:${port}/never`).catch(() => {});
        const { body } = await fetch(`http://api.example:${port}/trickle`);
        const { value } = await body.getReader().read();
        return new TextDecoder().decode(value);";
    let started = Instant::now();
    assert_eq!(run(&server, settings(&["api.example"]), body).await, json!("one"));
    let mut abandoned = server.abandoned.lock().await;
    for _ in 0..2 {
        let gone = tokio::time::timeout(Duration::from_secs(20), abandoned.recv()).await;
        assert_eq!(gone, Ok(Some(())), "after {:?}", started.elapsed());
    }
}

#[test]
fn defaults_match_platform() {
    assert_eq!(tailor_idp::function::DEFAULT_FETCH_MAX_BODY, 10 * 1024 * 1024);
    assert_eq!(tailor_idp::function::DEFAULT_FETCH_MAX_STREAMED_BODY, 100 * 1024 * 1024);
    assert_eq!(FetchSettings::default().allowed(), &FetchPolicy::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_of_fetch_show_the_frames_of_the_script_only() {
    let server = Server::start().await;
    let body = "
        const stack = (fail) => fail().catch(({ stack }) => stack.split('\\n').slice(1).map((line) => line.trim()));
        const get = (path) => fetch(`http://api.example:${port}${path}`);
        return [
            await stack(async () => (await get('/flood')).text()),
            await stack(async () => { for await (const chunk of (await get('/flood')).body); }),
            await stack(function refused() { return fetch('http://other.example/'); }),
            await stack(function mapped() { return Promise.all([1].map(function one() { return fetch('http://other.example/'); })); }),
            await stack(async () => new Function('return fetch(\"http://other.example/\")')()),
        ];";
    let stacks = run(&server, small(), body).await;
    let functions = |index: usize| -> Vec<String> {
        let frames = stacks[index].as_array().unwrap().iter().map(|frame| frame.as_str().unwrap());
        frames.map(|frame| frame.split_whitespace().nth(1).unwrap_or_default().to_owned()).collect()
    };
    let text = stacks.to_string();
    assert!(!text.contains("ext:") && !text.contains("new Promise"), "{text}");
    assert_eq!(functions(1), [""; 0], "a chunk is read by the runtime alone: {text}");
    assert_eq!(functions(2)[0], "refused", "{text}");
    assert_eq!(functions(3)[..3], ["one", "Array.map", "mapped"], "{text}");
    assert_eq!(functions(4)[0], "new", "a built-in that the script calls: {text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn uncaught_error_of_a_body_names_no_file_of_the_runtime() {
    let server = Server::start().await;
    let runtime = FunctionRuntime::builder(Arc::new(Router::builder().build())).fetch(small()).build();
    let url = format!("http://api.example:{}/flood", server.port());
    let text = format!("export default async () => {{ for await (const chunk of (await fetch('{url}')).body); }};");
    let script = Script::new("file:///handler.js".parse().unwrap(), text);
    let error = runtime.run(&script, Invocation::new(json!({}))).await.result.unwrap_err();
    assert_eq!(error.stack_trace.as_deref(), Some(STREAM_TOO_LARGE));
}

#[tokio::test(flavor = "multi_thread")]
async fn request_with_a_large_body_is_checked_against_the_policy_and_counted_first() {
    let server = Server::start().await;
    let body = "
        const post = (host, length) => attempt(() => text(`http://${host}:${port}/`, { method: 'POST', body: new Uint8Array(length) }));
        return [await post('other.example', 1001), await post('api.example', 1001), await post('api.example', 1)];";
    let mut workers = vec![Workers::Threads];
    if Workers::has_processes() {
        workers.push(Workers::Processes(ProcessOptions::default().program(env!("CARGO_BIN_EXE_tailor-idp"))));
    }
    for workers in workers {
        let builder = FunctionRuntime::builder(Arc::new(Router::builder().build())).fetch(small().max_requests(1));
        let ends = run_on(&builder.workers(workers.clone()).build(), &server, body).await;
        assert!(ends[0].as_str().unwrap().contains("other.example"), "{workers:?}: {ends}");
        assert_eq!(ends[1], REQUEST_TOO_LARGE, "{workers:?}");
        assert!(ends[2].as_str().unwrap().contains("its limit of 1 requests"), "{workers:?}: {ends}");
    }
}

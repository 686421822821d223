//! Limits on memory and CPU time that scripts use outside of V8's heap and their own thread.

use std::time::Duration;

use pretty_assertions::assert_eq;
use serde_json::json;
use tailor_idp::function::{Invocation, Isolation, Limit, Limits};

use super::{ended_by, run, script};

#[tokio::test]
async fn timer_limit_counts_pending_timers_only() {
    let limits = Limits { timers: 3, ..Limits::default() };
    let text = "Timer limit exceeded: more than 3 timers at once";
    for body in [
        "for (let i = 0; i < 4; i++) setTimeout(() => {}, 1e6)",
        "for (let i = 0; i < 4; i++) setInterval(() => {}, 1e6)",
        "for (let i = 0; i < 4; i++) AbortSignal.timeout(1e6)",
        "const next = () => { setTimeout(next); setTimeout(next) }; next(); await new Promise(() => {})",
        "try { for (;;) setTimeout(() => {}, 1e6) } catch {} for (;;) ;",
    ] {
        assert_eq!(ended_by(&run(limits.clone(), body).await), (Some(Limit::Timers), text.to_owned()), "{body}");
    }
    for body in [
        "for (let i = 0; i < 10; i++) clearTimeout(setTimeout(() => {}, 1e6)); return 1",
        "for (let i = 0; i < 10; i++) clearInterval(setInterval(() => {}, 1e6)); return 1",
        "for (let i = 0; i < 10; i++) await new Promise((done) => setTimeout(done)); return 1",
        "for (let i = 0; i < 3; i++) setTimeout(() => {}, 1e6); return 1",
        // One interval that fires repeatedly.
        "let i = 0; await new Promise((done) => setInterval(() => { if (++i > 9) done() })); return 1",
    ] {
        assert_eq!(ended_by(&run(limits.clone(), body).await), (None, "1".to_owned()), "{body}");
    }
}

#[tokio::test]
async fn buffer_limit_counts_host_memory_of_blobs_messages_streams_and_keys() {
    for body in [
        "const bytes = new Uint8Array(4e6), kept = []; for (;;) kept.push(new Blob([bytes]))",
        "const bytes = new Uint8Array(4e6); for (;;) URL.createObjectURL(new Blob([bytes]))",
        "const blob = new Blob(['x']); for (;;) URL.createObjectURL(blob)",
        "const { port1 } = new MessageChannel(), text = 'x'.repeat(1e6); for (;;) port1.postMessage(text)",
        "const { port1 } = new MessageChannel(); for (;;) port1.postMessage(1, { transfer: [] })",
        "const { port1 } = new MessageChannel(); for (;;) port1.postMessage(null, [new MessageChannel().port2])",
        "for (;;) new MessageChannel()",
        "const kept = []; for (;;) kept.push(new CompressionStream('brotli'))",
        "const data = new Uint8Array(1e7); await Promise.all([1, 2, 3, 4].map(() => crypto.subtle.digest('SHA-256', data)))",
        "const kept = [], data = new Uint8Array(16_000);
         for (;;) kept.push(await crypto.subtle.importKey('raw', data, { name: 'HMAC', hash: 'SHA-1' }, false, ['sign']))",
    ] {
        let execution = run(Limits::default(), body).await;
        let (limit, message) = ended_by(&execution);
        assert_eq!(limit, Some(Limit::Buffers), "{body}: {message}");
        assert!(message.contains(" of 32 MB limit for ArrayBuffers, blobs and WebAssembly"), "{message}");
    }
}

#[tokio::test]
async fn buffer_limit_does_not_count_released_host_memory() {
    for body in [
        "const bytes = new Uint8Array(1e6);
         for (let i = 0; i < 100; i++) { new Blob([bytes]).size; if (i % 4 === 0) await new Promise((done) => setTimeout(done)) }
         return 1",
        "const blob = new Blob([new Uint8Array(1e6)]);
         for (let i = 0; i < 100_000; i++) URL.revokeObjectURL(URL.createObjectURL(blob));
         return blob.slice(0, 1).size",
        "const { port1, port2 } = new MessageChannel(), text = 'x'.repeat(1e6);
         for (let i = 0; i < 50; i++) {
           const got = new Promise((done) => port2.onmessage = done);
           port1.postMessage(text);
           await got;
         }
         port2.close();
         // These messages have no receiver.
         for (let i = 0; i < 50; i++) port1.postMessage(text);
         port1.close();
         return 1",
        "for (let i = 0; i < 100; i++) { const { port1, port2 } = new MessageChannel(); port1.postMessage('x'.repeat(1e6)); port1.close(); port2.close() }
         return 1",
        "const data = new Uint8Array(1e7); for (let i = 0; i < 5; i++) await crypto.subtle.digest('SHA-1', data); return 1",
        "for (let i = 0; i < 20; i++) {
           const text = 'x'.repeat(3e6);
           const packed = await new Response(new Blob([text]).stream().pipeThrough(new CompressionStream('gzip'))).arrayBuffer();
           const stream = new Response(packed).body.pipeThrough(new DecompressionStream('gzip'));
           if ((await new Response(stream).arrayBuffer()).byteLength !== text.length) return 0;
           // The blob's memory is released in the event loop.
           await new Promise((done) => setTimeout(done));
         }
         return 1",
    ] {
        assert_eq!(ended_by(&run(Limits::default(), body).await), (None, "1".to_owned()), "{body}");
    }
}

#[tokio::test]
async fn warm_isolate_releases_messages_and_timers_between_executions() {
    let isolation = Isolation::Reuse { max_runs: 100, max_age: Duration::from_secs(60) };
    let runtime = super::builder().await.isolation(isolation).prepared(1).build();
    let script = script(
        "export default async () => {
           const { port1, port2 } = new MessageChannel();
           port1.postMessage('x'.repeat(4e6));
           port1.close();
           port2.close();
           await Promise.all([1, 2].map(() => new Promise((done) => setTimeout(done))));
           return 1;
         }",
    );
    let limits = Limits { timers: 2, ..Limits::default() };
    for _ in 0..20 {
        let execution = runtime.run(&script, Invocation::new(json!(null)).limits(limits.clone())).await;
        assert_eq!(ended_by(&execution), (None, "1".to_owned()));
    }
}

#[tokio::test]
async fn decompression_bomb_is_ended_by_buffer_limit() {
    for format in ["deflate", "deflate-raw", "gzip", "brotli"] {
        let body = format!(
            "const packing = new CompressionStream('{format}'), writer = packing.writable.getWriter();
             const zeros = new Uint8Array(1e6);
             const write = async () => {{ for (let i = 0; i < 64; i++) await writer.write(zeros); await writer.close() }};
             const [packed] = await Promise.all([new Response(packing.readable).arrayBuffer(), write()]);
             const unpacking = new DecompressionStream('{format}');
             unpacking.writable.getWriter().write(packed).catch(() => {{}});
             await unpacking.readable.getReader().read()"
        );
        let (limit, message) = ended_by(&run(Limits::default(), &body).await);
        assert_eq!(limit, Some(Limit::Buffers), "{format}: {message}");
    }
}

#[tokio::test]
async fn rope_string_is_ended_by_memory_limit_before_it_is_flattened() {
    for body in [
        "console.log(long('x'))",
        "console.error('%s', long('\\u4e2d'))",
        "new URL('http://x/' + long('a'))",
        "new URL('http://x/').search = long('a')",
        "new URLSearchParams(long('&'))",
        "new URLPattern('http://x/' + long('a'))",
        "new URLPattern({ pathname: '/' + long('a') })",
        "atob(long('A'))",
        "btoa(long('A'))",
        "new TextEncoder().encode(long('A'))",
    ] {
        let long = "const long = (text) => { for (let i = 0; i < 28; i++) text += text; return text };";
        let (limit, message) = ended_by(&run(Limits::default(), &format!("{long} {body}")).await);
        assert!(matches!(limit, Some(Limit::Buffers | Limit::Memory)), "{body}: {limit:?} {message}");
    }
}

#[tokio::test]
async fn slow_url_pattern_is_ended_by_time_limit() {
    let limits = Limits { time: Duration::from_millis(150), ..Limits::default() };
    let body = "new URLPattern({ pathname: '/' + '(a+)+'.repeat(30) + 'b' }).test('http://x/' + 'a'.repeat(1000))";
    let (limit, message) = ended_by(&run(limits, body).await);
    assert_eq!(limit, Some(Limit::Time), "{message}");
}

/// JavaScript that imports a key as `key` and then runs `body`.
fn with_key(algorithm: &str, body: &str) -> String {
    let format = if algorithm == "PBKDF2" { "raw" } else { "raw-secret" };
    format!(
        "const key = await crypto.subtle.importKey('{format}', new Uint8Array(16), '{algorithm}', false, ['deriveBits', 'deriveKey']);
         const salt = new Uint8Array(16), hash = 'SHA-256';
         try {{ {body} }} catch (error) {{ return `${{error.name}}: ${{error.message}}` }}"
    )
}

#[tokio::test]
async fn web_crypto_rejects_parameters_over_limits() {
    let pbkdf2 = |members: &str, length: &str| {
        let call =
            format!("await crypto.subtle.deriveBits({{ name: 'PBKDF2', salt, hash, {members} }}, key, {length})");
        with_key("PBKDF2", &format!("let reads = 0; {call}; return reads"))
    };
    let argon2 = |members: &str| {
        let call = format!("crypto.subtle.deriveBits({{ name: 'argon2id', nonce: salt, {members} }}, key, 256)");
        with_key("Argon2id", &format!("return (await {call}).byteLength"))
    };
    let derived_key = "await crypto.subtle.deriveKey({ name: 'PBKDF2', salt, hash, iterations: 1e6 }, key,
        { name: 'HMAC', hash, length: 1024 }, false, ['sign'])";
    let caught =
        |call: &str| format!("try {{ {call} }} catch (error) {{ return `${{error.name}}: ${{error.message}}` }}");
    let rsa = "await crypto.subtle.generateKey({ name: 'RSA-PSS', hash: 'SHA-256', modulusLength: 8192,
        publicExponent: new Uint8Array([1, 0, 1]) }, false, ['sign'])";
    for (body, expected) in [
        (pbkdf2("iterations: 2_000_001", "256"), "OperationError: PBKDF2's iterations: 2000001, of at most 2000000"),
        (
            pbkdf2("iterations: 1_000_001", "512"),
            "OperationError: PBKDF2's iterations for 2 blocks: 2000002, of at most 2000000",
        ),
        (pbkdf2("get iterations() { reads += 1; return reads > 1 ? 4e9 : 10 }", "256"), "1"),
        (pbkdf2("iterations: 10", "{ valueOf() { reads += 1; return reads > 1 ? 1e9 : 64 } }"), "1"),
        (pbkdf2("iterations: 1", "2 ** 31"), "OperationError: length: 2147483648, of at most 131072"),
        (
            with_key("PBKDF2", derived_key),
            "OperationError: PBKDF2's iterations for 4 blocks: 4000000, of at most 2000000",
        ),
        (argon2("memory: 64, passes: 1, parallelism: 1"), "32"),
        (
            argon2("memory: 65_537, passes: 1, parallelism: 1"),
            "OperationError: Argon2's memory in KiB: 65537, of at most 65536",
        ),
        (
            argon2("memory: 64, passes: 1e6, parallelism: 1"),
            "OperationError: Argon2's memory in KiB times its passes: 64000000, of at most 262144",
        ),
        (caught(rsa), "OperationError: modulusLength: 8192, of at most 4096"),
        (
            caught("await crypto.subtle.digest({ name: 'cSHAKE128', outputLength: 2 ** 32 - 8 }, new Uint8Array(1))"),
            "OperationError: outputLength: 4294967288, of at most 8388608",
        ),
        (
            caught(
                "await crypto.subtle.importKey('spki', new Uint8Array(16_385), { name: 'RSA-PSS', hash: 'SHA-1' }, true, ['verify'])",
            ),
            "OperationError: the key data in bytes: 16385, of at most 16384",
        ),
        (
            caught(
                "await Promise.all(Array.from({ length: 1001 }, () => crypto.subtle.digest('SHA-1', new Uint8Array(1))))",
            ),
            "OperationError: 1001 calls of crypto.subtle at once, of at most 1000",
        ),
    ] {
        let execution = run(Limits::default(), &body).await;
        let expected = serde_json::from_str(expected).unwrap_or_else(|_| json!(expected));
        assert_eq!(execution.result.map_err(|error| error.to_string()), Ok(expected), "{body}");
    }
}

#[tokio::test]
async fn web_crypto_rejects_import_of_oversized_rsa_key() {
    // A modulus of 8192 bits. The import does not check that it has two factors.
    let body = "const n = 'v' + 'A'.repeat(1364) + 'B';
        const jwk = { kty: 'RSA', e: 'AQAB', n };
        try { await crypto.subtle.importKey('jwk', jwk, { name: 'RSA-PSS', hash: 'SHA-256' }, true, ['verify']) }
        catch (error) { return error.message }";
    let expected = "\"modulusLength: 8192, of at most 4096\"".to_owned();
    assert_eq!(ended_by(&run(Limits::default(), body).await), (None, expected));
}

#[tokio::test]
async fn pending_web_crypto_calls_do_not_delay_next_execution() {
    let runtime = super::builder().await.max_workers(1.try_into().unwrap()).build();
    let flood = script(&format!(
        "export default async () => {{ {} }}",
        with_key(
            "PBKDF2",
            "await Promise.all(Array.from({ length: 500 }, () =>
                crypto.subtle.deriveBits({ name: 'PBKDF2', salt, hash, iterations: 1e5 }, key, 256)))"
        )
    ));
    let limits = Limits { time: Duration::from_millis(150), ..Limits::default() };
    let execution = runtime.run(&flood, Invocation::default().limits(limits)).await;
    assert_eq!(ended_by(&execution).0, Some(Limit::Time));
    // Behind the rest of the 500 calls, this execution would exceed its time limit.
    let next = script("export default async () => (await crypto.subtle.digest('SHA-1', new Uint8Array(1))).byteLength");
    let limits = Limits { time: Duration::from_secs(5), ..Limits::default() };
    let execution = runtime.run(&next, Invocation::default().limits(limits)).await;
    assert_eq!(ended_by(&execution), (None, "20".to_owned()));
}

//! Limits of an execution.

use std::time::{Duration, Instant};

use pretty_assertions::assert_eq;
use serde_json::json;
use tailor_idp::function::{ErrorKind, Invocation, Limit, Limits, ResultLimits, Status};

use super::{ended_by, run, runtime, script};

const SHORT: Duration = Duration::from_millis(150);

#[tokio::test]
async fn time_limit_ends_computing_and_waiting_scripts() {
    let limits = Limits { time: SHORT, ..Limits::default() };
    let text = "Time limit exceeded: ran longer than the 0.15 s limit";
    for body in [
        "for (;;) ;",
        "await new Promise((done) => setTimeout(done, 3_600_000))",
        // With loop unrolling, V8 could not terminate this loop: the runtime turns unrolling off.
        "for (;;) new Array(1000).fill(1.5)",
        "const next = () => queueMicrotask(next); next(); await new Promise(() => {})",
        "return { get a() { for (;;) ; } }",
        "try { for (;;) ; } finally { for (;;) ; }",
    ] {
        let execution = run(limits.clone(), body).await;
        assert_eq!(ended_by(&execution), (Some(Limit::Time), text.to_owned()), "{body}");
        assert_eq!((execution.status(), execution.error_kind()), (Status::Failed, Some(ErrorKind::UserRuntime)));
        assert!(execution.usage.wall_time >= SHORT, "{body}: {:?}", execution.usage);
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn cpu_time_limit_does_not_count_waiting() {
    let limits = Limits { cpu_time: Some(SHORT), ..Limits::default() };
    let waits = run(limits.clone(), "await new Promise((done) => setTimeout(done, 400)); return 1").await;
    assert_eq!(ended_by(&waits), (None, "1".to_owned()));
    assert!(waits.usage.cpu_time.unwrap() < SHORT, "{:?}", waits.usage);
    let computes = run(limits, "for (;;) ;").await;
    let text = "CPU time limit exceeded: computed longer than the 0.15 s limit";
    assert_eq!(ended_by(&computes), (Some(Limit::CpuTime), text.to_owned()));
}

#[tokio::test]
async fn deadline_includes_time_in_queue() {
    let runtime = super::builder().await.max_workers(1.try_into().unwrap()).build();
    let slow = script("export default () => new Promise((done) => setTimeout(done, 400))");
    let first = runtime.run(&slow, Invocation::default());
    let second = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let deadline = Instant::now() + Duration::from_millis(100);
        runtime.run(&slow, Invocation::default().deadline(deadline)).await
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!(ended_by(&first), (None, "null".to_owned()));
    let text = "Deadline exceeded: the caller wanted the result earlier";
    assert_eq!(ended_by(&second), (Some(Limit::Deadline), text.to_owned()));
    assert_eq!(second.usage.wall_time, Duration::ZERO, "it never ran");
}

#[tokio::test]
async fn memory_limits_bound_heap_and_buffers() {
    for (body, limit) in [
        ("const kept = []; for (;;) kept.push(new Array(1000).fill({}))", Limit::Memory),
        ("const kept = []; for (;;) kept.push(String(kept.length).repeat(100) + Math.random())", Limit::Memory),
        ("const flood = () => Promise.resolve().then(flood); await flood()", Limit::Memory),
        ("const kept = []; for (;;) kept.push(new Uint8Array(100_000))", Limit::Buffers),
        ("for (;;) try { new Uint8Array(1e9) } catch {}", Limit::Buffers),
        ("globalThis.kept = new SharedArrayBuffer(33 * 1024 * 1024); return 1", Limit::Buffers),
        ("globalThis.kept = new Uint8Array(1e9); return 1", Limit::Buffers),
    ] {
        let execution = run(Limits::default(), body).await;
        let (ended_by, message) = ended_by(&execution);
        assert_eq!(ended_by, Some(limit), "{body}: {message}");
        assert!(message.starts_with("Memory limit exceeded: used "), "{message}");
        assert!(message.contains(" of 32 MB limit"), "{message}");
    }
    let body = "for (let i = 0; i < 100; i++) new Uint8Array(10_000_000).fill(1); return 'garbage is no matter'";
    assert_eq!(ended_by(&run(Limits::default(), body).await), (None, "\"garbage is no matter\"".to_owned()));
    let body =
        "const [a, b] = [new Array(2_500_000).fill(0.5), new Uint8Array(24_000_000)]; return a.length + b.length";
    assert_eq!(ended_by(&run(Limits::default(), body).await), (None, "26500000".to_owned()), "each has its own limit");
    let body = "return new Uint8Array(60_000_000).length";
    assert_eq!(ended_by(&run(Limits::job(), body).await), (None, "60000000".to_owned()));
}

#[tokio::test]
async fn memory_limit_too_small_for_isolate_does_not_abort_process() {
    for bytes in [0, 1, 1024 * 1024, 4 * 1024 * 1024] {
        let execution = run(Limits::default().memory(bytes), "return 1").await;
        assert!(matches!(ended_by(&execution).0, None | Some(Limit::Memory | Limit::Buffers)), "{execution:?}");
    }
}

#[tokio::test]
async fn size_limits_bound_source_argument_and_result() {
    let runtime = runtime().await;
    let small = Limits { source: 100, argument: 20, ..Limits::default() };
    let long = script(&format!("export default () => 1 // {}", "x".repeat(100)));
    let execution = runtime.run(&long, Invocation::default().limits(small.clone())).await;
    let text = format!("Source limit exceeded: the script has {} bytes, of at most 100", long.text().len());
    assert_eq!(ended_by(&execution), (Some(Limit::Source), text));
    assert_eq!(execution.error_kind(), Some(ErrorKind::UserNonRuntime));

    let short = script("export default (argument) => argument");
    let invocation = |argument| Invocation::new(json!(argument)).limits(small.clone());
    assert_eq!(ended_by(&runtime.run(&short, invocation("x".repeat(18))).await).0, None);
    let text = "Argument limit exceeded: 21 bytes of JSON, of at most 20";
    let execution = runtime.run(&short, invocation("x".repeat(19))).await;
    assert_eq!(ended_by(&execution), (Some(Limit::Argument), text.to_owned()));

    let result = ResultLimits { depth: 2, values: 4, text: 5 };
    let limits = Limits { result, ..Limits::default() };
    for (body, text) in [
        ("return [[[1]]]", "result[0][0] is not JSON: it is nested more than 2 levels deep"),
        ("return [1, 2, 3, 4]", "result[3] is not JSON: it is in a result of more than 4 values"),
        ("return 'sixsix'", "result is not JSON: it is in a result with more than 5 bytes of text"),
    ] {
        let execution = run(limits.clone(), body).await;
        assert_eq!(ended_by(&execution), (Some(Limit::Result), text.to_owned()));
    }
    assert_eq!(ended_by(&run(limits, "return [['five']]").await), (None, "[[\"five\"]]".to_owned()));
}

#[tokio::test]
async fn argument_nested_too_deep_is_refused_with_its_depth() {
    let script = script("export default (argument) => argument[0].length");
    let nested = |levels| (1..levels).fold(json!([]), |value, _| json!([value]));
    let runtime = runtime().await;
    assert_eq!(ended_by(&runtime.run(&script, Invocation::new(nested(500))).await), (None, "1".to_owned()));
    let execution = runtime.run(&script, Invocation::new(nested(501))).await;
    let text = "the argument is nested 501 levels deep, of at most 500";
    assert_eq!(ended_by(&execution), (Some(Limit::Argument), text.to_owned()));
}

#[tokio::test]
async fn log_is_cut_off_at_its_limits_and_script_continues() {
    let limits = Limits { log_lines: 3, log_bytes: 10, ..Limits::default() };
    for (body, lines) in [
        (
            "for (let i = 0; i < 100; i++) console.log('ab'); return 1",
            ["ab", "ab", "ab", "the log is cut off here: it is over its limit of 3 lines"].as_slice(),
        ),
        // A line that would fit is dropped too.
        (
            "console.log('0123456'); console.log('789a'); console.log('b'); return 1",
            &["0123456", "the log is cut off here: it is over its limit of 10 bytes"],
        ),
        ("console.log('0123456789'); return 1", &["0123456789"]),
    ] {
        let execution = run(limits.clone(), body).await;
        assert_eq!(ended_by(&execution), (None, "1".to_owned()));
        assert_eq!(execution.logs.iter().map(|line| line.text.as_str()).collect::<Vec<_>>(), lines);
    }
}

#[tokio::test]
async fn calls_beyond_the_limit_reject_and_script_continues() {
    let limits = Limits { calls: 5, ..Limits::default() };
    let body = "const idp = new tailor.idp.Client('builtin-idp');
        const call = () => idp.users().then(() => 'ok', (error) => `${error.code}: ${error.message}`);
        const all = await Promise.all([1, 2, 3, 4, 5, 6].map(call));
        return [all.filter((end) => end === 'ok').length, all[5], (await call()) === all[5]]";
    let text = "RESOURCE_EXHAUSTED: users failed: code: 'Some resource has been exhausted', \
                message: \"an execution makes at most 5 calls of tailor.idp (function.max_calls in the settings): use several executions\"";
    let execution = run(limits, body).await;
    assert_eq!(execution.result.unwrap(), json!([5, text, true]));
}

#[tokio::test]
async fn text_of_waiting_calls_counts_as_memory() {
    // A password is hashed on another thread: the other calls wait, and their names are not on the heap.
    let body = "const idp = new tailor.idp.Client('builtin-idp'), text = 'x'.repeat(1e6);
        await Promise.allSettled(Array.from({ length: 100 }, () => idp.createUser({ name: text, password: text })))";
    let limits = Limits { calls_in_flight: 1, ..Limits::default() };
    let block = "const first = idp.createUser({ name: 'ana@example.com', password: 'correct horse battery' });";
    let body = body.replace("await Promise", &format!("{block} await Promise"));
    assert_eq!(ended_by(&run(limits, &body).await).0, Some(Limit::Buffers));
}

#[tokio::test]
async fn infinite_recursion_throws_range_error() {
    let execution =
        run(Limits::default(), "const f = () => f(); try { f() } catch (error) { return error.name }").await;
    assert_eq!(ended_by(&execution), (None, "\"RangeError\"".to_owned()));
}

#[tokio::test]
async fn promise_that_cannot_settle_fails_without_waiting_for_time_limit() {
    let execution = run(Limits::default(), "await new Promise(() => {})").await;
    let text = "the handler's promise never settles: nothing is left to run that could settle it";
    assert_eq!(ended_by(&execution), (None, text.to_owned()));
    assert!(execution.usage.wall_time < Duration::from_secs(30), "long before its time is up");
}

#[tokio::test]
async fn record_writes_numbers_as_json_stringify_does() {
    let record = run(Limits::default(), "return [1e20, 1e21, 0.1 + 0.2, 5e-324]").await;
    let text = serde_json::to_string(&record).unwrap();
    let result = r#""result":[100000000000000000000,1e+21,0.30000000000000004,5e-324]"#;
    assert!(text.contains(result), "{text}");
    let value = serde_json::to_value(&record).unwrap();
    assert_eq!(value["result"], json!([1e20, 1e21, 0.1 + 0.2, 5e-324]));
}

#[tokio::test]
async fn record_serializes_in_platform_format() {
    let limits = Limits { time: SHORT, ..Limits::default() };
    let failed = serde_json::to_value(run(limits.clone(), "console.warn('w'); for (;;) ;").await).unwrap();
    assert_eq!(failed["status"], "FAILED");
    assert_eq!(failed["result"], json!(null));
    assert_eq!(
        failed["error"],
        json!({ "name": "Error", "message": "Time limit exceeded: ran longer than the 0.15 s limit", "stackTrace": null })
    );
    assert_eq!((&failed["errorKind"], &failed["limit"]), (&json!("USER_RUNTIME"), &json!("time")));
    let line = failed["logs"][0].as_str().unwrap();
    let form = regex::Regex::new(r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{9}Z WARN w$").unwrap();
    assert!(form.is_match(line), "{line}");
    let done = serde_json::to_value(run(limits, "return { a: 1 }").await).unwrap();
    assert_eq!((&done["status"], &done["result"]), (&json!("SUCCESS"), &json!({ "a": 1 })));
    assert_eq!((&done["errorKind"], done.get("error"), done.get("limit")), (&json!("NONE"), None, None));
    assert!(done["startedAt"].as_str() <= done["finishedAt"].as_str());
    assert!(done["usage"]["peakHeapBytes"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn texts_of_an_error_are_shortened() {
    for throws in [
        "throw new Error('x'.repeat(2 << 20));",
        "throw Object.assign(new Error('no'), { name: 'x'.repeat(2 << 20) });",
        "throw Object.assign(new Error('no'), { stack: 'x'.repeat(2 << 20) });",
        "throw 'x'.repeat(2 << 20);",
        "throw { text: 'x'.repeat(2 << 20) };",
        "let error; for (let i = 0; i < 50; i++) error = Object.assign(new Error('no', { cause: error }), { stack: 'x'.repeat(200_000) }); throw error;",
        "throw new AggregateError(Array.from({ length: 50 }, () => Object.assign(new Error('no'), { stack: 'x'.repeat(200_000) })));",
    ] {
        let error = run(Limits::default(), throws).await.result.unwrap_err();
        let most = |length: usize| length + 100;
        assert!(error.name.len() <= most(64 * 1024), "{throws}: a name of {}", error.name.len());
        assert!(error.message.len() <= most(64 * 1024), "{throws}: a message of {}", error.message.len());
        let stack = error.stack_trace.map_or(0, |stack| stack.len());
        assert!(stack <= most(256 * 1024), "{throws}: a stack of {stack}");
    }
}

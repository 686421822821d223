//! Crashes of the engine end the execution, not the process.

use std::fs;
use std::time::Duration;

use pretty_assertions::assert_eq;
use serde_json::json;
use tailor_idp::function::{ErrorKind, Invocation, Limit, Script};

use super::{builder, ended_by, script};

/// Modules whose errors make deno_core panic when they are imported.
const MODULES: [&str; 3] = [
    "Error.stackTraceLimit = 0; const error = new Error(); error.message = 1; throw error;",
    "throw Object.create(Error.prototype, { message: { get() { throw 1; } } });",
    "throw Object.create(Error.prototype, { message: { value: 1 } });",
];

#[tokio::test(flavor = "multi_thread")]
async fn panic_of_the_engine_ends_the_execution_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = builder().await.build();
    let slow = script("export default async () => { await new Promise((done) => setTimeout(done, 500)); return 1; };");
    let beside = tokio::spawn({
        let runtime = runtime.clone();
        async move { runtime.run(&slow, Invocation::default()).await }
    });
    for (index, module) in MODULES.into_iter().enumerate() {
        fs::write(folder.path().join("thrower.js"), module).unwrap();
        let main = "export default async () => { try { await import('./thrower.js'); } catch (error) { return typeof error; } };";
        let path = folder.path().join(format!("main{index}.js"));
        fs::write(&path, main).unwrap();
        let execution = runtime.run(&Script::from_file(&path).unwrap(), Invocation::default()).await;
        let message = "The engine failed while it ran the script: the execution was ended";
        assert_eq!(ended_by(&execution), (Some(Limit::Crash), message.to_owned()), "{module}");
        assert_eq!(execution.error_kind(), Some(ErrorKind::UserRuntime));
        assert_eq!(serde_json::to_value(&execution).unwrap()["limit"], "crash");
        assert!(execution.usage.wall_time < Duration::from_secs(10), "{:?}", execution.usage);
    }
    assert_eq!(beside.await.unwrap().result.unwrap(), json!(1));
    let next = runtime.run(&script("export default () => 2;"), Invocation::default()).await;
    assert_eq!(next.result.unwrap(), json!(2));
    assert!(runtime.shutdown(Duration::from_secs(10)).await);
}

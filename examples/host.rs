//! A host that runs function scripts: opens a store, runs a handler for each request, and reads the execution record.
//!
//! `cargo run --example host -- [HANDLER.js]`

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use serde_json::json;
use tailor_idp::function::{FunctionRuntime, Invocation, Limits, ProcessOptions, Script, Workers};
use tailor_idp::idp::store::SqliteDatabase;
use tailor_idp::idp::{NamespaceName, NamespaceSettings, Permission, Router};

const HANDLER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/handlers/sign-up.js");

fn main() -> anyhow::Result<()> {
    // Returns at once, except in the worker processes of the runtime below.
    tailor_idp::function::worker_entry();
    serve()
}

#[tokio::main]
async fn serve() -> anyhow::Result<()> {
    let name = NamespaceName::new("builtin-idp")?;
    let store = SqliteDatabase::in_memory()?.namespace(&name).await?;
    let idp = Router::builder()
        .namespace(name, Arc::new(store), NamespaceSettings::default().permission(Permission::allow_all()))
        .build();

    // Limits of each execution. By default, isolates are prepared ahead and used once. Processes contain scripts of strangers, on
    // Linux; without this line, scripts run in threads.
    let limits = Limits { time: Duration::from_secs(5), ..Limits::default() };
    let mut builder = FunctionRuntime::builder(Arc::new(idp)).limits(limits);
    if Workers::has_processes() {
        builder = builder.workers(Workers::Processes(ProcessOptions::default()));
    }
    let runtime = builder.build();
    let script = Script::from_file(std::env::args().nth(1).as_deref().unwrap_or(HANDLER))?;

    // The requests run concurrently, each in its own isolate.
    let requests = ["ana@example.com", "bo@example.com", "ana@example.com", "nobody"].map(|email| {
        let (runtime, script) = (runtime.clone(), script.clone());
        let invocation = Invocation::new(json!({ "email": email, "password": "correct horse battery staple" }));
        tokio::spawn(async move { (email, runtime.run(&script, invocation).await) })
    });
    for request in requests {
        let (email, execution) = request.await.context("the task of a request")?;
        let took = execution.usage.wall_time;
        match &execution.result {
            Ok(value) => println!("{email}: {value} ({} log lines, {took:?})", execution.logs.len()),
            Err(error) => println!("{email}: {} ({took:?})", error.message),
        }
    }

    // The record names the limit that ended the script.
    let endless = Script::new("file:///endless.js".parse()?, "export default () => { for (;;) ; }");
    let limits = Limits { time: Duration::from_millis(100), ..Limits::default() };
    let execution = runtime.run(&endless, Invocation::default().limits(limits)).await;
    println!("{}", serde_json::to_string(&execution)?);

    // Waits for running executions. Afterwards no worker thread holds the stores.
    runtime.shutdown(Duration::from_secs(10)).await;
    Ok(())
}

//! `fetch` against local servers. A resolver of the tests maps host names to addresses.

mod limits;
mod reach;
mod server;
mod tls;
mod uses;

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::{Value, json};
use tailor_idp::function::{FetchPolicy, FetchSettings, FunctionRuntime, Invocation, Script};
use tailor_idp::idp::Router;

use self::server::Server;

/// JavaScript before the handler. `attempt` returns the result of a function, or the text of its error.
const PRELUDE: &str = "
    const describe = (error) => String(error) + (error.cause === undefined ? '' : ` (${error.cause})`);
    const attempt = async (work) => { try { return await work(); } catch (error) { return describe(error); } };
    const text = async (...all) => { const response = await fetch(...all); return `${response.status} ${await response.text()}`; };
";

/// Resolves `*.example.com` and `api.example` to this machine, `mixed.example.com` also to a public address, and no other names.
fn names(name: &str) -> std::io::Result<Vec<IpAddr>> {
    let addresses: &[&str] = match name {
        "mixed.example.com" => &["1.1.1.1", "127.0.0.1"],
        "six.example.com" => &["::ffff:127.0.0.1"],
        name if name == "api.example" || name.ends_with(".example.com") => &["127.0.0.1"],
        _ => return Err(std::io::Error::other("no such name")),
    };
    Ok(addresses.iter().map(|address| address.parse().unwrap()).collect())
}

fn settings(hosts: &[&str]) -> FetchSettings {
    FetchSettings::default().allow(FetchPolicy::allow(hosts.iter().copied()).unwrap()).resolve_names(names)
}

/// Runs a handler with this body, and returns its result. `port` is the server's port.
async fn run(server: &Server, settings: FetchSettings, body: &str) -> Value {
    let runtime = FunctionRuntime::builder(Arc::new(Router::builder().build())).fetch(settings).build();
    run_on(&runtime, server, body).await
}

async fn run_on(runtime: &FunctionRuntime, server: &Server, body: &str) -> Value {
    let text = format!("{PRELUDE}\nexport default async ({{ port }}) => {{ {body} }};");
    let script = Script::new("file:///handler.js".parse().unwrap(), text);
    let execution = runtime.run(&script, Invocation::new(json!({ "port": server.port() }))).await;
    execution.result.unwrap_or_else(|error| panic!("{error}"))
}

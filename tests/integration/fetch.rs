//! `fetch` against real servers on this machine, under names that only these tests know.

mod limits;
mod reach;
mod server;
mod uses;

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::{Value, json};
use tailor_idp::function::{FetchPolicy, FetchSettings, FunctionRuntime, Invocation, Script};
use tailor_idp::idp::Idp;

use self::server::Server;

/// Runs in the handler's body; what `attempt` is given becomes the result, or the error's text.
const PRELUDE: &str = "
    const told = (error) => String(error) + (error.cause === undefined ? '' : ` (${error.cause})`);
    const attempt = async (work) => { try { return await work(); } catch (error) { return told(error); } };
    const text = async (...all) => { const response = await fetch(...all); return `${response.status} ${await response.text()}`; };
";

/// `*.example.com` and `api.example` are this machine, `mixed.example.com` is partly so; other names there are none.
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

/// What the body of a handler returns, whose `port` is the server's.
async fn run(server: &Server, settings: FetchSettings, body: &str) -> Value {
    let runtime = FunctionRuntime::builder(Arc::new(Idp::builder().build())).fetch(settings).build();
    run_on(&runtime, server, body).await
}

async fn run_on(runtime: &FunctionRuntime, server: &Server, body: &str) -> Value {
    let text = format!("{PRELUDE}\nexport default async ({{ port }}) => {{ {body} }};");
    let script = Script::new("file:///handler.js".parse().unwrap(), text);
    let execution = runtime.run(&script, Invocation::new(json!({ "port": server.port() }))).await;
    execution.result.unwrap_or_else(|error| panic!("{error}"))
}

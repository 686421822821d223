//! Users at another service, over servers on this machine: the reads of WorkOS's API beside the bare request and beside WorkOS's
//! own client for Node.js, and a query by names over Auth0.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use axum::Router as Server;
use axum::http::header;
use axum::routing::get;
use serde::Deserialize;
use serde_json::json;
use tailor_idp::function::{FunctionRuntime, Invocation, Isolation, Script};
use tailor_idp::idp::directory::Directory;
use tailor_idp::idp::remote::{Auth0, RemoteOptions, WorkOs};
use tailor_idp::idp::{NamespaceName, NamespaceSettings, Permission, Router};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use self::fake_auth0::{CLIENT_ID, CLIENT_SECRET, CONNECTION, DOMAIN, FakeAuth0};
use super::invoke::{self, Handler};
use crate::figure::{Bound, Line, Lines, Unit};
use crate::measure::interleaved;
use crate::plan::Plan;
use crate::{fixture, handlers, peers};

#[allow(dead_code, unused_imports, clippy::unwrap_used, reason = "the tests use the rest")]
#[path = "../../crates/idp/tests/support/remote/auth0.rs"]
mod fake_auth0;

/// Reads of one user, one after another.
const READS: usize = 2_000;
/// Handlers that read a user, and the number of them that run at once: as many as requests are in flight by default.
const HANDLERS: usize = 1_000;
const AT_ONCE: usize = 16;
const ROUNDS: usize = 7;

/// The names of one query, and the time that each answer takes.
const NAMES: usize = 100;
const LATENCY: Duration = Duration::from_millis(20);

/// The user of the stub, as WorkOS's description has it.
const ID: &str = "user_01E4ZCR3C56J083X43JQXF3JK5";
const USER: &str = r#"{"object":"user","id":"user_01E4ZCR3C56J083X43JQXF3JK5","email":"ana@example.com","first_name":"Ana",
"last_name":null,"name":"Ana","email_verified":true,"profile_picture_url":null,"external_id":null,"metadata":{},"locale":null,
"last_sign_in_at":"2026-01-15T12:00:00.000Z","created_at":"2026-01-15T12:00:00.000Z","updated_at":"2026-01-15T12:00:00.000Z"}"#;

/// Serves on a thread of its own, so that all contenders have the same peer. Returns the port.
fn serve(server: Server) -> anyhow::Result<u16> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let port = listener.local_addr()?.port();
    std::thread::spawn(move || {
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener)?;
            axum::serve(listener, server).await
        })
    });
    Ok(port)
}

fn options(port: u16) -> anyhow::Result<RemoteOptions> {
    let mut options = RemoteOptions::default();
    options.base_url = Some(format!("http://127.0.0.1:{port}").parse()?);
    // A hundred calls in turn, each as late as the latency, are one execution.
    options.timeout = Duration::from_secs(60);
    Ok(options)
}

fn idp(directory: impl Directory) -> anyhow::Result<Router> {
    let settings = NamespaceSettings::default().permission(Permission::allow_all());
    Ok(Router::builder().directory(NamespaceName::new(fixture::NAMESPACE)?, Arc::new(directory), settings).build())
}

pub(super) async fn run(plan: &Plan) -> anyhow::Result<Vec<Line>> {
    let mut lines = Lines::new("remote");
    let answer = ([(header::CONTENT_TYPE, "application/json")], USER);
    let port = serve(Server::new().route("/user_management/users/{id}", get(move || async move { answer })))?;
    reads(plan, port, &mut lines)?;
    executions(plan, port, &mut lines).await?;
    if !plan.quick {
        names(&mut lines)?;
    }
    Ok(lines.into_lines())
}

fn rounds(plan: &Plan) -> usize {
    if plan.quick { 3 } else { ROUNDS }
}

/// One `client.user`, beside the bare request.
fn reads(plan: &Plan, port: u16, lines: &mut Lines) -> anyhow::Result<()> {
    let idp = idp(WorkOs::builder("sk_test").options(options(port)?).build()?)?;
    let mut client = Timed::new(idp, handlers::READ_OFTEN, json!({ "id": ID, "times": READS }))?;
    let bare = Bare { client: reqwest::Client::builder().no_proxy().build()?, port };
    bare.nanoseconds()?;
    let values =
        interleaved(rounds(plan), &mut [&mut || Ok(client.nanoseconds()? / READS as f64), &mut || bare.nanoseconds()])?;
    let [user, bare] = values[..] else { unreachable!("two contenders") };
    lines.figure("client.user over WorkOS's API", "a call", user, Unit::Nanoseconds);
    lines.peer("reqwest, the same request", "a call", bare, Unit::Nanoseconds);
    lines.goal("`client.user` over WorkOS's API, over the bare request", user / bare, Unit::Times, Bound::AtMost(1.3));
    lines.goal(
        "`client.user` over WorkOS's API: more than the bare request",
        user - bare,
        Unit::Nanoseconds,
        Bound::AtMost(60_000.0),
    );
    Ok(())
}

/// Handlers that read a user each, beside WorkOS's own client in one process of Node.js.
async fn executions(plan: &Plan, port: u16, lines: &mut Lines) -> anyhow::Result<()> {
    let idp = idp(WorkOs::builder("sk_test").options(options(port)?).build()?)?;
    let runtime = fixture::runtime(idp).isolation(Isolation::reuse()).build();
    let handler =
        Handler { name: "reads a user", script: handlers::script(handlers::LOOKUP)?, argument: json!({ "id": ID }) };
    let rate = || {
        block_in_place(|| {
            Handle::current().block_on(async {
                let began = Instant::now();
                invoke::run_callers(&runtime, &handler, AT_ONCE, HANDLERS).await?;
                anyhow::Ok(HANDLERS as f64 / began.elapsed().as_secs_f64())
            })
        })
    };
    rate()?;
    let sdk = if plan.quick { None } else { Sdk::installed() };
    let values = interleaved(
        rounds(plan),
        &mut [&mut || rate(), &mut || sdk.as_ref().map_or(Ok(f64::NAN), |sdk| sdk.rate(port))],
    )?;
    let [ours, sdks] = values[..] else { unreachable!("two contenders") };
    runtime.shutdown(Duration::from_secs(1)).await;
    lines.figure("handlers that read a user over WorkOS's API", "reads", ours, Unit::PerSecond);
    if sdks.is_finite() {
        lines.peer("node, WorkOS's client", "reads", sdks, Unit::PerSecond);
        let what = "handlers that read a user over WorkOS's API, over WorkOS's client in node";
        lines.goal(what, ours / sdks, Unit::Times, Bound::AtLeast(3.0));
    } else if !plan.quick {
        eprintln!("note: WorkOS's client for Node.js is not installed and is not measured");
    }
    Ok(())
}

/// One query by many names over Auth0, beside as many calls in turn.
fn names(lines: &mut Lines) -> anyhow::Result<()> {
    let fake = FakeAuth0::default();
    let names: Vec<_> = (0..NAMES).map(fixture::name).collect();
    for name in &names {
        fake.tenant().add(CONNECTION, json!({ "email": name }));
    }
    let port = serve(fake.front(fake.api()))?;
    fake.tenant().latency = LATENCY;
    let open = || {
        let auth0 = Auth0::builder(DOMAIN, CLIENT_ID, CLIENT_SECRET, CONNECTION).options(options(port)?).build()?;
        idp(auth0)
    };
    let argument = json!({ "names": names });
    let mut query = Timed::new(open()?, handlers::LIST_NAMED, argument.clone())?;
    let mut calls = Timed::new(open()?, handlers::READ_EACH, argument)?;
    let values = interleaved(3, &mut [&mut || query.nanoseconds(), &mut || calls.nanoseconds()])?;
    let [query, calls] = values[..] else { unreachable!("two contenders") };
    lines.figure(format!("users with {NAMES} names over Auth0 at 20 ms"), "all", query, Unit::Nanoseconds);
    lines.peer(format!("userByName {NAMES} times in turn"), "all", calls, Unit::Nanoseconds);
    let what = format!("`users` with {NAMES} names over Auth0 at 20 ms, over {NAMES} calls in turn");
    lines.goal(what, query / calls, Unit::Times, Bound::AtMost(0.1));
    Ok(())
}

/// A warm script.
struct Timed {
    runtime: FunctionRuntime,
    script: Script,
    argument: serde_json::Value,
}

impl Timed {
    fn new(idp: Router, script: &str, argument: serde_json::Value) -> anyhow::Result<Self> {
        let runtime = fixture::runtime(idp).isolation(Isolation::reuse()).build();
        let mut timed = Self { runtime, script: handlers::script(script)?, argument };
        timed.nanoseconds()?;
        Ok(timed)
    }

    /// The time of one execution.
    fn nanoseconds(&mut self) -> anyhow::Result<f64> {
        let run = self.runtime.run(&self.script, Invocation::new(self.argument.clone()));
        let execution = block_in_place(|| Handle::current().block_on(run));
        execution.result?;
        Ok(execution.usage.wall_time.as_nanos() as f64)
    }
}

/// The request with reqwest alone.
struct Bare {
    client: reqwest::Client,
    port: u16,
}

#[derive(Deserialize)]
struct BareUser {
    id: String,
    #[serde(rename = "email")]
    _email: String,
    #[serde(rename = "created_at")]
    _created_at: String,
}

impl Bare {
    /// Mean time of one request, its answer parsed.
    fn nanoseconds(&self) -> anyhow::Result<f64> {
        let url = format!("http://127.0.0.1:{}/user_management/users/{ID}", self.port);
        let run = async {
            let began = Instant::now();
            for _ in 0..READS {
                let answer = self.client.get(&url).bearer_auth("sk_test").send().await?.error_for_status()?;
                let user: BareUser = serde_json::from_slice(&answer.bytes().await?)?;
                ensure!(user.id == ID, "the wrong user was read");
            }
            Ok(began.elapsed().as_nanos() as f64 / READS as f64)
        };
        block_in_place(|| Handle::current().block_on(run))
    }
}

/// WorkOS's client for Node.js: `benches/workos`.
struct Sdk {
    script: PathBuf,
}

impl Sdk {
    fn installed() -> Option<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/workos");
        let is_installed = folder.join("node_modules/@workos-inc/node").is_dir() && peers::node().is_some();
        is_installed.then(|| Self { script: folder.join("reads.mjs") })
    }

    /// Reads in a second.
    fn rate(&self, port: u16) -> anyhow::Result<f64> {
        let node = peers::node().context("node is not installed")?;
        let mut command = node.run_command(&self.script);
        let output = command.args([&port.to_string(), ID, &HANDLERS.to_string(), &AT_ONCE.to_string()]).output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        text.trim().parse().with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

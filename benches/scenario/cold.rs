//! A whole process, from start to exit. Other runtimes run the same handler in one file, with a stub of `tailor.idp`.

use std::path::{Path, PathBuf};
use std::process::Command;

use tailor_idp::idp::store::SqliteDatabase;

use super::floor;
use crate::contender::{self, Contender};
use crate::figure::{Bound, Line, Lines, Unit};
use crate::peers::{self, Peer};
use crate::plan::Plan;
use crate::{fixture, handlers};

const RUNS: usize = 60;
const WARM_UP: usize = 3;

const STUB: &str = r#"globalThis.tailor = { idp: { Client: class { async user(id) { return { id, name: "ana@example.com" }; } } } };
"#;

pub(super) async fn run(plan: &Plan) -> anyhow::Result<Vec<Line>> {
    let database = plan.scratch.join("cold.db");
    fixture::remove_database(&database)?;
    let id = {
        let idp = fixture::idp(fixture::store(&SqliteDatabase::open(&database)?).await?)?;
        fixture::add_users(&idp, fixture::USERS).await?
    };
    let argument = format!(r#"{{"id":"{id}"}}"#);
    let peers = if plan.quick { vec![] } else { peers::installed() };
    let snapshot = if plan.quick { None } else { Some(floor::make_snapshot(plan)?) };

    let mut lines = Lines::new("cold");
    for (name, handler, needs_users) in
        [("trivial", handlers::TRIVIAL, false), ("reads a user", handlers::LOOKUP, true)]
    {
        let file = plan.scratch.join(format!("cold-{}.js", if needs_users { "reader" } else { "trivial" }));
        std::fs::write(&file, handler)?;
        let mut ours = Command::new(&plan.program);
        ours.args(["run", "--no-config", "--arg", &argument]).arg(&file);
        if needs_users {
            ours.arg("--db").arg(&database);
        }
        let mut contenders = vec![Contender::new(format!("tailor-idp run, {name}"), false, ours)?];
        if let (false, Some(snapshot)) = (needs_users, &snapshot) {
            let what = "deno_core alone: an isolate from its snapshot".to_owned();
            contenders.push(Contender::new(what, true, floor::start_command(snapshot)?)?);
        }
        for peer in &peers {
            let file = standalone_file(handler, needs_users, &argument, &file)?;
            contenders.push(Contender::new(label(peer, name), true, peer.run_command(&file))?);
        }
        let runs = if plan.quick { RUNS / 3 } else { RUNS };
        contender::run_interleaved(&mut contenders, WARM_UP, runs)?;
        for contender in &contenders {
            contender.report(&[("p50", 0.5), ("p90", 0.9)], &mut lines);
        }
        if let Some(deno) = contenders.iter().find(|contender| contender.what.starts_with("deno run")) {
            let ratio = contenders[0].times.median() / deno.times.median();
            let what = format!("whole process, {name} handler, over `deno run`");
            lines.goal(what, ratio, Unit::Times, Bound::AtMost(0.5));
        }
    }
    Ok(lines.into_lines())
}

fn label(peer: &Peer, handler: &str) -> String {
    let run = if peer.name == "deno" { "deno run" } else { peer.name };
    format!("{run}, {handler}")
}

/// Writes a file that defines the handler and calls it, for other runtimes.
fn standalone_file(handler: &str, needs_users: bool, argument: &str, file: &Path) -> anyhow::Result<PathBuf> {
    let handler = handler.replacen("export default", "const handler =", 1);
    let stub = if needs_users { STUB } else { "" };
    let path = file.with_extension("mjs");
    std::fs::write(&path, format!("{stub}{handler}console.log(JSON.stringify(await handler({argument})));\n"))?;
    Ok(path)
}

//! A whole process, from its start to its end: ours, and other runtimes on the same handler with a stub in the place of
//! `tailor.idp`, all in one file each.

use std::path::{Path, PathBuf};
use std::process::Command;

use tailor_idp::store::SqliteDatabase;

use super::{Plan, floor};
use crate::contender::{self, Contender};
use crate::figure::{Bound, Line, Lines, Unit};
use crate::peers::{self, Peer};
use crate::{fixture, handlers};

const RUNS: usize = 60;
const WARM_UP: usize = 3;

const STUB: &str = r#"globalThis.tailor = { idp: { Client: class { async user(id) { return { id, name: "ana@example.com" }; } } } };
"#;

pub(super) async fn run(plan: &Plan) -> anyhow::Result<Vec<Line>> {
    let database = plan.scratch.join("cold.db");
    fixture::fresh_file(&database)?;
    let id = {
        let idp = fixture::idp(fixture::store(&SqliteDatabase::open(&database)?).await?)?;
        fixture::with_users(&idp, fixture::USERS).await?
    };
    let argument = format!(r#"{{"id":"{id}"}}"#);
    let peers: Vec<_> =
        if plan.quick { vec![] } else { [peers::deno(), peers::node()].into_iter().flatten().collect() };

    let snapshot = if plan.quick { None } else { Some(floor::snapshot(plan)?) };

    let mut lines = Lines::of("cold");
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
            contenders.push(Contender::new(what, true, floor::process(snapshot)?)?);
        }
        for peer in &peers {
            let file = stand_alone(handler, needs_users, &argument, &file)?;
            contenders.push(Contender::new(what(peer, name), true, peer.run(&file))?);
        }
        let runs = if plan.quick { RUNS / 3 } else { RUNS };
        contender::by_turns(&mut contenders, WARM_UP, runs)?;
        for contender in &contenders {
            contender.tell(&[("p50", 0.5), ("p90", 0.9)], &mut lines);
        }
        if let Some(deno) = contenders.iter().find(|contender| contender.what.starts_with("deno run")) {
            let ratio = contenders[0].taken.median() / deno.taken.median();
            let what = format!("whole process, {name} handler, over `deno run`");
            lines.goal(what, ratio, Unit::Times, Bound::AtMost(0.5));
        }
    }
    Ok(lines.done())
}

fn what(peer: &Peer, handler: &str) -> String {
    let run = if peer.name == "deno" { "deno run" } else { peer.name };
    format!("{run}, {handler}")
}

/// The handler in a file that calls it, for a runtime that does not.
fn stand_alone(handler: &str, needs_users: bool, argument: &str, file: &Path) -> anyhow::Result<PathBuf> {
    let handler = handler.replacen("export default", "const handler =", 1);
    let stub = if needs_users { STUB } else { "" };
    let path = file.with_extension("mjs");
    std::fs::write(&path, format!("{stub}{handler}console.log(JSON.stringify(await handler({argument})));\n"))?;
    Ok(path)
}

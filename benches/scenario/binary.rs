//! The program's size, and how long it takes to say its version.

use std::process::Command;

use super::Plan;
use crate::contender::{self, Contender};
use crate::figure::{Line, Lines, Unit};
use crate::peers;

const RUNS: usize = 60;

pub(super) fn run(plan: &Plan) -> anyhow::Result<Vec<Line>> {
    let mut lines = Lines::of("binary");
    let mut ours = Command::new(&plan.program);
    ours.arg("--version");
    let peers: Vec<_> = [peers::deno(), peers::node()].into_iter().flatten().collect();
    let mut contenders = vec![Contender::new("tailor-idp", false, ours)?];
    for peer in &peers {
        contenders.push(Contender::new(peer.name, true, peer.version_command())?);
    }
    contender::by_turns(&mut contenders, 0, RUNS)?;
    for contender in &contenders {
        let size = std::fs::metadata(contender.command.get_program())?.len() as f64;
        lines.push(contender.what.as_str(), "size", size, Unit::Bytes, contender.is_peer);
        contender.tell(&[("to `--version`, p50", 0.5)], &mut lines);
    }
    Ok(lines.done())
}

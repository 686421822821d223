//! The program's size, and the time of `--version`.

use std::process::Command;

use crate::contender::{self, Contender};
use crate::figure::{Line, Lines, Unit};
use crate::peers;
use crate::plan::Plan;

const RUNS: usize = 60;

pub(super) fn run(plan: &Plan) -> anyhow::Result<Vec<Line>> {
    let mut lines = Lines::new("binary");
    let mut ours = Command::new(&plan.program);
    ours.arg("--version");
    let mut contenders = vec![Contender::new("tailor-idp", false, ours)?];
    for peer in peers::installed() {
        contenders.push(Contender::new(peer.name, true, peer.version_command())?);
    }
    contender::run_interleaved(&mut contenders, 0, RUNS)?;
    for contender in &contenders {
        let size = std::fs::metadata(contender.command.get_program())?.len() as f64;
        lines.push(contender.what.as_str(), "size", size, Unit::Bytes, contender.is_peer);
        contender.report(&[("to `--version`, p50", 0.5)], &mut lines);
    }
    Ok(lines.into_lines())
}

//! The program's size, and how long it takes to say its version.

use std::process::{Command, Stdio};
use std::time::Instant;

use super::Plan;
use crate::figure::{Line, Lines, Unit};
use crate::measure::Latencies;
use crate::peers;

const RUNS: usize = 60;

pub(super) fn run(plan: &Plan) -> anyhow::Result<Vec<Line>> {
    let mut lines = Lines::of("binary");
    let mut ours = Command::new(&plan.program);
    ours.arg("--version");
    let peers: Vec<_> = [peers::deno(), peers::node()].into_iter().flatten().collect();
    let peers = peers.iter().map(|peer| (peer.name, true, peer.version_command()));
    let mut contenders: Vec<_> = std::iter::once(("tailor-idp", false, ours)).chain(peers).collect();
    let mut latencies = vec![];
    latencies.resize_with(contenders.len(), Latencies::new);
    let mut latencies = latencies.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    for _ in 0..RUNS {
        for ((_, _, command), latencies) in contenders.iter_mut().zip(&mut latencies) {
            let began = Instant::now();
            command.stdout(Stdio::null()).status()?;
            latencies.record(began.elapsed());
        }
    }
    for ((name, is_peer, command), latencies) in contenders.iter().zip(&latencies) {
        let size = std::fs::metadata(command.get_program())?.len() as f64;
        for (figure, value, unit) in
            [("size", size, Unit::Bytes), ("to `--version`, p50", latencies.median(), Unit::Nanoseconds)]
        {
            if *is_peer {
                lines.peer(*name, figure, value, unit);
            } else {
                lines.figure(*name, figure, value, unit);
            }
        }
    }
    Ok(lines.done())
}

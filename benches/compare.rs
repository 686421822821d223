//! Two builds, by turns in one run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};

use crate::figure::{self, Figure, Line};
use crate::measure::median;

/// Rounds of both builds. The first of each also warms the machine's caches.
const ROUNDS: usize = 3;

/// A figure that is worse by more than this, in every round, fails the comparison: twice what two runs of one build differ by
/// on a machine that does nothing else.
const TOLERANCE: f64 = 0.15;

/// What is shown and not judged: a few runs of many decide on it.
const TAILS: [&str; 2] = ["p90", "p99"];

/// A build: its benchmarks, and its program.
struct Build {
    name: &'static str,
    bench: PathBuf,
    program: PathBuf,
    /// The values of each figure, a round each.
    figures: BTreeMap<(String, String, String), (Figure, Vec<f64>)>,
}

/// Compares this build with the one in `base`, and fails where something has become slower.
pub(crate) fn compare(base: &Path, program: &Path, scratch: &Path) -> anyhow::Result<()> {
    let build = |name, bench, program| Build { name, bench, program, figures: BTreeMap::new() };
    let mut before = build("base", base.join("bench"), base.join("tailor-idp"));
    let mut after = build("this build", std::env::current_exe()?, program.to_owned());
    ensure!(before.bench.is_file(), "there is no {}: `make bench-base` keeps a build", before.bench.display());
    for round in 1..=ROUNDS {
        for build in [&mut before, &mut after] {
            eprintln!("round {round} of {ROUNDS}: {}", build.name);
            build.measure(scratch)?;
        }
    }

    let mut worse = 0;
    println!("{:<44} {:>12} {:>12} {:>8}", "", before.name, after.name, "");
    for (key, (figure, values)) in after.figures {
        let Some((_, base)) = before.figures.remove(&key) else {
            println!("{}: {} {}: only in {}", figure.scenario, figure.what, figure.figure, after.name);
            continue;
        };
        // On a machine that is not quiet, single rounds differ by more than the tolerance: only where no round of the one was as
        // good as any of the other is it the build.
        let is_apart = bounds(&values).0 > bounds(&base).1 || bounds(&values).1 < bounds(&base).0;
        let (base, value) = (median(base), median(values));
        let slower = if figure.less_is_better() { value / base } else { base / value } - 1.0;
        let is_noise = !is_apart || TAILS.contains(&figure.figure.as_str());
        // What is not ours tells how steady the machine is.
        let verdict = if figure.peer {
            "(peer)"
        } else if is_noise {
            ""
        } else if slower > TOLERANCE {
            worse += 1;
            "WORSE"
        } else if slower < -TOLERANCE {
            "better"
        } else {
            ""
        };
        let what = format!("{}: {} {}", figure.scenario, figure.what, figure.figure);
        let (base, value) = (figure.unit.show(base), figure.unit.show(value));
        println!("{what:<44} {base:>12} {value:>12} {:>+7.1}% {verdict}", slower * 100.0);
    }
    if worse > 0 {
        bail!("{worse} figures are worse by more than {:.0} %", TOLERANCE * 100.0);
    }
    Ok(())
}

/// The least and the most.
fn bounds(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), value| (least.min(*value), most.max(*value)))
}

impl Build {
    fn measure(&mut self, scratch: &Path) -> anyhow::Result<()> {
        let results = scratch.join("compare.jsonl");
        let mut bench = Command::new(&self.bench);
        bench.arg("--quick").arg("--program").arg(&self.program).arg("--scratch").arg(scratch);
        let output = bench.arg("--json").arg(&results).stdout(Stdio::null()).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{} failed: {}\n{said}", self.bench.display(), output.status);
        let text = std::fs::read(&results).with_context(|| results.display().to_string())?;
        for line in figure::read(&text)? {
            if let Line::Figure(figure) = line {
                let key = (figure.scenario.clone(), figure.what.clone(), figure.figure.clone());
                let value = figure.value;
                self.figures.entry(key).or_insert_with(|| (figure, vec![])).1.push(value);
            }
        }
        Ok(())
    }
}

//! Compares two builds in one run, with interleaved rounds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};

use crate::figure::{self, Figure, Line};
use crate::measure::median;

/// Rounds of each build.
const ROUNDS: usize = 3;

/// The comparison fails if a figure is worse by more than this ratio in every round. It is twice the difference between two runs
/// of one build on an idle machine.
const TOLERANCE: f64 = 0.15;

/// Statistics that are shown but never fail the comparison: they depend on few runs.
const TAILS: [&str; 2] = ["p90", "p99"];

/// A build: the benchmarks' executable and the measured program.
struct Build {
    name: &'static str,
    bench: PathBuf,
    program: PathBuf,
    /// The values of each figure, one for each round.
    figures: BTreeMap<(String, String, String), (Figure, Vec<f64>)>,
}

/// Compares this build with the one in the folder `base`.
///
/// # Errors
///
/// A figure is worse than in `base` by more than [`TOLERANCE`] in every round, or a build fails.
pub(crate) fn compare(base: &Path, program: &Path, scratch: &Path) -> anyhow::Result<()> {
    let build = |name, bench, program| Build { name, bench, program, figures: BTreeMap::new() };
    let mut before = build("base", base.join("bench"), base.join("tailor-idp"));
    let mut after = build("this build", std::env::current_exe()?, program.to_owned());
    ensure!(before.bench.is_file(), "{} does not exist: `make bench-base` keeps a build", before.bench.display());
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
        // On a busy machine, rounds of one build differ by more than the tolerance. The builds differ only if all rounds of one
        // are better than all rounds of the other.
        let is_disjoint = bounds(&values).0 > bounds(&base).1 || bounds(&values).1 < bounds(&base).0;
        let (base, value) = (median(base), median(values));
        let slower = if figure.less_is_better() { value / base } else { base / value } - 1.0;
        let is_noise = !is_disjoint || TAILS.contains(&figure.figure.as_str());
        // Baselines show how steady the machine is; they have no verdict.
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
        let (base, value) = (figure.unit.format(base), figure.unit.format(value));
        println!("{what:<44} {base:>12} {value:>12} {:>+7.1}% {verdict}", slower * 100.0);
    }
    if worse > 0 {
        bail!("{worse} figures are worse by more than {:.0} %", TOLERANCE * 100.0);
    }
    Ok(())
}

/// The minimum and the maximum.
fn bounds(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), value| (least.min(*value), most.max(*value)))
}

impl Build {
    /// Runs one round, and adds its figures.
    fn measure(&mut self, scratch: &Path) -> anyhow::Result<()> {
        let results = scratch.join("compare.jsonl");
        let mut bench = Command::new(&self.bench);
        bench.arg("--quick").arg("--program").arg(&self.program).arg("--scratch").arg(scratch);
        let output = bench.arg("--json").arg(&results).stdout(Stdio::null()).output()?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{} failed: {}\n{stderr}", self.bench.display(), output.status);
        let text = std::fs::read(&results).with_context(|| results.display().to_string())?;
        for line in figure::parse(&text)? {
            if let Line::Figure(figure) = line {
                let key = (figure.scenario.clone(), figure.what.clone(), figure.figure.clone());
                let value = figure.value;
                self.figures.entry(key).or_insert_with(|| (figure, vec![])).1.push(value);
            }
        }
        Ok(())
    }
}

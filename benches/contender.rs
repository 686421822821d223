//! Whole programs, run in turn.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::ensure;

use crate::figure::{Lines, Unit};
use crate::measure::Latencies;

/// A program with the run times measured so far.
pub(crate) struct Contender {
    pub(crate) what: String,
    pub(crate) is_peer: bool,
    pub(crate) command: Command,
    pub(crate) times: Latencies,
}

impl Contender {
    pub(crate) fn new(what: impl Into<String>, is_peer: bool, mut command: Command) -> anyhow::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self { what: what.into(), is_peer, command, times: Latencies::new()? })
    }

    /// Runs the program once. Warm-up runs are not counted.
    fn run(&mut self, is_counted: bool) -> anyhow::Result<()> {
        let began = Instant::now();
        let status = self.command.status()?;
        let time = began.elapsed();
        ensure!(status.success(), "{}: {status}", self.what);
        if is_counted {
            self.times.record(time);
        }
        Ok(())
    }

    /// Adds quantiles, given with their names, to the results.
    pub(crate) fn report(&self, quantiles: &[(&str, f64)], lines: &mut Lines) {
        for (name, quantile) in quantiles {
            lines.push(self.what.as_str(), *name, self.times.at(*quantile), Unit::Nanoseconds, self.is_peer);
        }
    }
}

/// Runs all programs in turn, `warm_up` and then `runs` times each. With interleaved runs, load from other programs affects all
/// contenders.
pub(crate) fn run_interleaved(contenders: &mut [Contender], warm_up: usize, runs: usize) -> anyhow::Result<()> {
    for run in 0..warm_up + runs {
        for contender in contenders.iter_mut() {
            contender.run(run >= warm_up)?;
        }
    }
    Ok(())
}

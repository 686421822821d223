//! Programs that are run by turns.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::ensure;

use crate::figure::{Lines, Unit};
use crate::measure::Latencies;

/// A program, and what its runs took.
pub(crate) struct Contender {
    pub(crate) what: String,
    pub(crate) is_peer: bool,
    pub(crate) command: Command,
    pub(crate) taken: Latencies,
}

impl Contender {
    pub(crate) fn new(what: impl Into<String>, is_peer: bool, mut command: Command) -> anyhow::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self { what: what.into(), is_peer, command, taken: Latencies::new()? })
    }

    fn run(&mut self, is_counted: bool) -> anyhow::Result<()> {
        let began = Instant::now();
        let status = self.command.status()?;
        let time = began.elapsed();
        ensure!(status.success(), "{}: {status}", self.what);
        if is_counted {
            self.taken.record(time);
        }
        Ok(())
    }

    /// Tells these quantiles, by their names.
    pub(crate) fn tell(&self, quantiles: &[(&str, f64)], lines: &mut Lines) {
        for (name, quantile) in quantiles {
            lines.push(self.what.as_str(), *name, self.taken.at(*quantile), Unit::Nanoseconds, self.is_peer);
        }
    }
}

/// Runs each so many times, one after the other: what disturbs the machine for a while disturbs all of them.
pub(crate) fn by_turns(contenders: &mut [Contender], warm_up: usize, runs: usize) -> anyhow::Result<()> {
    for run in 0..warm_up + runs {
        for contender in contenders.iter_mut() {
            contender.run(run >= warm_up)?;
        }
    }
    Ok(())
}

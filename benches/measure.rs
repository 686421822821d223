//! Interleaved rounds, medians and percentiles.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::figure::{Lines, Unit};

/// Runs the contenders in turn for a number of rounds, and returns the median of each. With interleaved rounds, load from other
/// programs affects all contenders.
pub(crate) fn interleaved(
    rounds: usize,
    contenders: &mut [&mut dyn FnMut() -> anyhow::Result<f64>],
) -> anyhow::Result<Vec<f64>> {
    let mut values = vec![vec![]; contenders.len()];
    for _ in 0..rounds {
        for (contender, values) in contenders.iter_mut().zip(&mut values) {
            values.push(contender()?);
        }
    }
    Ok(values.into_iter().map(median).collect())
}

/// The median, or NaN of no values.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Runs `work` a number of times and returns the mean time of one, in nanoseconds.
pub(crate) fn mean_nanoseconds<E>(times: usize, mut work: impl FnMut() -> Result<(), E>) -> Result<f64, E> {
    let began = Instant::now();
    for _ in 0..times {
        work()?;
    }
    Ok(began.elapsed().as_nanos() as f64 / times as f64)
}

/// One minute in nanoseconds. Longer latencies are recorded as this.
const MAX_LATENCY: u64 = 60_000_000_000;

/// The reported quantiles of latencies, with their names.
pub(crate) const QUANTILES: [(&str, f64); 3] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99)];

/// A histogram of latencies, to three significant digits.
pub(crate) struct Latencies(Histogram<u64>);

impl Latencies {
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self(Histogram::new_with_bounds(1, MAX_LATENCY, 3)?))
    }

    pub(crate) fn record(&mut self, time: Duration) {
        self.0.saturating_record(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Adds the latencies of another histogram.
    pub(crate) fn add(&mut self, others: &Self) -> anyhow::Result<()> {
        Ok(self.0.add(&others.0)?)
    }

    /// The latency at a quantile, in nanoseconds.
    pub(crate) fn at(&self, quantile: f64) -> f64 {
        self.0.value_at_quantile(quantile) as f64
    }

    /// In nanoseconds.
    pub(crate) fn median(&self) -> f64 {
        self.at(0.5)
    }

    /// Adds [`QUANTILES`] to the results.
    pub(crate) fn report(&self, what: &str, lines: &mut Lines) {
        for (name, quantile) in QUANTILES {
            lines.figure(what, name, self.at(quantile), Unit::Nanoseconds);
        }
    }
}

//! What is measured, and what it is to be.

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::machine::Machine;

/// A line of the results.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "lowercase")]
pub(crate) enum Line {
    Machine(Machine),
    Figure(Figure),
    Goal(Goal),
}

/// Something measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Figure {
    pub(crate) scenario: String,
    /// What was measured, such as `client.user, SQLite on disk`.
    pub(crate) what: String,
    /// Which figure of it, such as `p50`.
    pub(crate) figure: String,
    pub(crate) value: f64,
    pub(crate) unit: Unit,
    /// Whether it is another program's, or the machine's own: what ours is held against.
    #[serde(default)]
    pub(crate) peer: bool,
}

/// A figure, or a ratio of two, and the bound that it is to keep.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Goal {
    pub(crate) scenario: String,
    pub(crate) what: String,
    pub(crate) value: f64,
    pub(crate) unit: Unit,
    pub(crate) bound: Bound,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Unit {
    #[serde(rename = "ns")]
    Nanoseconds,
    #[serde(rename = "1/s")]
    PerSecond,
    #[serde(rename = "bytes")]
    Bytes,
    #[serde(rename = "times")]
    Times,
}

impl Figure {
    /// Whether less of it is better.
    pub(crate) fn less_is_better(&self) -> bool {
        self.unit != Unit::PerSecond
    }
}

impl Goal {
    pub(crate) fn is_met(&self) -> bool {
        match self.bound {
            Bound::AtMost(most) => self.value <= most,
            Bound::AtLeast(least) => self.value >= least,
        }
    }
}

impl Unit {
    /// The value with its unit, to three digits.
    pub(crate) fn show(self, value: f64) -> String {
        let scaled = |scale: &[(f64, &str)]| {
            let fits = scale.iter().rev().find(|(from, _)| value.abs() >= *from).or(scale.first());
            fits.map_or_else(String::new, |(from, name)| format!("{} {name}", digits(value / from)))
        };
        match self {
            Self::Nanoseconds => scaled(&[(1.0, "ns"), (1e3, "µs"), (1e6, "ms"), (1e9, "s")]),
            Self::PerSecond => format!("{}/s", grouped(value)),
            Self::Bytes => scaled(&[(1.0, "bytes"), (1e3, "kB"), (1e6, "MB"), (1e9, "GB")]),
            Self::Times => format!("{} ×", digits(value)),
        }
    }
}

fn digits(value: f64) -> String {
    match value.abs() {
        0.0..10.0 => format!("{value:.2}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// A whole number with a comma every three digits.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Reads lines of results.
pub(crate) fn read(text: &[u8]) -> anyhow::Result<Vec<Line>> {
    let text = str::from_utf8(text)?;
    text.lines().map(|line| serde_json::from_str(line).with_context(|| line.to_owned())).collect()
}

/// The lines of one scenario.
pub(crate) struct Lines {
    scenario: &'static str,
    lines: Vec<Line>,
}

impl Lines {
    pub(crate) fn of(scenario: &'static str) -> Self {
        Self { scenario, lines: vec![] }
    }

    pub(crate) fn figure(&mut self, what: impl Into<String>, figure: impl Into<String>, value: f64, unit: Unit) {
        self.push(what, figure, value, unit, false);
    }

    pub(crate) fn peer(&mut self, what: impl Into<String>, figure: impl Into<String>, value: f64, unit: Unit) {
        self.push(what, figure, value, unit, true);
    }

    pub(crate) fn push(
        &mut self,
        what: impl Into<String>,
        figure: impl Into<String>,
        value: f64,
        unit: Unit,
        peer: bool,
    ) {
        let (scenario, what, figure) = (self.scenario.to_owned(), what.into(), figure.into());
        self.lines.push(Line::Figure(Figure { scenario, what, figure, value, unit, peer }));
    }

    pub(crate) fn goal(&mut self, what: impl Into<String>, value: f64, unit: Unit, bound: Bound) {
        let scenario = self.scenario.to_owned();
        self.lines.push(Line::Goal(Goal { scenario, what: what.into(), value, unit, bound }));
    }

    pub(crate) fn done(self) -> Vec<Line> {
        self.lines
    }
}

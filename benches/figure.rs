//! Result types: measured figures, goals, and the machine they were measured on.

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

/// One line of the results, which are JSON lines.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "lowercase")]
pub(crate) enum Line {
    Machine(Machine),
    Figure(Figure),
    Goal(Goal),
}

/// The machine and the software of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// UTC.
    pub(crate) date: String,
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) memory_bytes: u64,
    pub(crate) system: String,
    /// Names and versions of programs and libraries. The measured program comes first.
    pub(crate) versions: Vec<String>,
}

/// A measured value.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Figure {
    pub(crate) scenario: String,
    /// The measured operation, such as `client.user, SQLite on disk`.
    pub(crate) what: String,
    /// The statistic, such as `p50`.
    pub(crate) figure: String,
    pub(crate) value: f64,
    pub(crate) unit: Unit,
    /// Whether this is a baseline: measured on another program, or on the machine alone.
    #[serde(default)]
    pub(crate) peer: bool,
}

/// A figure, or a ratio of two figures, with its required bound.
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
    /// Whether lower values are better.
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
    /// Formats the value with its unit, to three significant digits. Rates are whole numbers.
    pub(crate) fn format(self, value: f64) -> String {
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

/// Formats a whole number with a comma between groups of three digits.
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

/// Parses result lines.
pub(crate) fn parse(text: &[u8]) -> anyhow::Result<Vec<Line>> {
    let text = str::from_utf8(text)?;
    text.lines().map(|line| serde_json::from_str(line).with_context(|| line.to_owned())).collect()
}

/// Collects the result lines of one scenario.
pub(crate) struct Lines {
    scenario: &'static str,
    lines: Vec<Line>,
}

impl Lines {
    pub(crate) fn new(scenario: &'static str) -> Self {
        Self { scenario, lines: vec![] }
    }

    /// Adds a figure of this program.
    pub(crate) fn figure(&mut self, what: impl Into<String>, figure: impl Into<String>, value: f64, unit: Unit) {
        self.push(what, figure, value, unit, false);
    }

    /// Adds a figure of a baseline.
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

    pub(crate) fn into_lines(self) -> Vec<Line> {
        self.lines
    }
}

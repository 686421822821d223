//! Terminal report of a test run: one line per case, failures, and a summary.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tailor_idp::terminal::escape;

use super::case::Case;
use super::expectation::{Line, Sign};
use super::runner::{Failure, Verdict};

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const NOTABLE: Style = AnsiColor::Yellow.on_default();
const FAINT: Style = AnsiColor::Cyan.on_default();

/// The outcome of a case.
pub(super) struct CaseResult<'a> {
    pub(super) case: &'a Case,
    pub(super) verdict: Verdict,
    pub(super) time: Duration,
}

pub(super) struct Report {
    bar: ProgressBar,
}

impl Report {
    pub(super) fn new(cases: usize) -> Self {
        // Draw on terminals only.
        let target =
            if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(cases as u64), target);
        if let Ok(style) = ProgressStyle::with_template("[{bar:30}] {pos}/{len}  {elapsed}") {
            bar.set_style(style.progress_chars("=> "));
        }
        Self { bar }
    }

    /// Prints the line of a case.
    pub(super) fn case(&self, CaseResult { case, verdict, time }: &CaseResult<'_>) {
        let (style, word, more) = match verdict {
            Verdict::Passed => (GOOD, "ok", String::new()),
            Verdict::Updated(code) => {
                let exit = if *code == 0 { String::new() } else { format!(" (exit code {code})") };
                (NOTABLE, "updated", format!(": wrote {}{exit}", case.expectation_name()))
            }
            Verdict::Failed(_) => (BAD, "FAILED", String::new()),
            Verdict::Skipped(reason) => (NOTABLE, "left out", format!(": {reason}")),
            Verdict::NotRun => return,
        };
        let time =
            if matches!(verdict, Verdict::Skipped(_)) { String::new() } else { format!(" ({})", seconds(*time)) };
        self.print(&format!("{style}{word:<8}{style:#}  {}{time}{more}", case.name));
        self.bar.inc(1);
    }

    /// Prints the failures, the slowest cases, and the totals.
    pub(super) fn finish(&self, results: &[CaseResult<'_>], slowest: usize, time: Duration) {
        self.bar.finish_and_clear();
        let failed = results.iter().filter_map(|result| match &result.verdict {
            Verdict::Failed(failure) => Some((result.case, failure)),
            _ => None,
        });
        for (case, failure) in failed {
            let what = headline(case, failure);
            let mut text = format!("\n{BAD}{}{BAD:#}: {}", case.name, escape(&what, &['\t']));
            for line in detail(failure) {
                text.push('\n');
                text.push_str(&coloured(&line));
            }
            self.print(&text);
        }
        if slowest > 0 {
            let mut by_time = results.iter().collect::<Vec<_>>();
            by_time.sort_by_key(|result| std::cmp::Reverse(result.time));
            let lines = by_time
                .iter()
                .take(slowest)
                .map(|result| format!("\n  {:>8}  {}", seconds(result.time), result.case.name));
            self.print(&format!("\nslowest:{}", lines.collect::<String>()));
        }
        self.print(&format!("\n{}, in {}", summary(results), seconds(time)));
    }

    /// Ignores write errors: a closed pipe is not a failure of the cases.
    fn print(&self, text: &str) {
        self.bar.suspend(|| {
            let _ = writeln!(anstream::stdout().lock(), "{text}");
        });
    }
}

/// Totals: the number of cases, and of each verdict.
fn summary(results: &[CaseResult<'_>]) -> String {
    type IsKind = fn(&Verdict) -> bool;
    const KINDS: [(&str, Style, IsKind); 5] = [
        ("passed", GOOD, |verdict| matches!(verdict, Verdict::Passed)),
        ("updated", NOTABLE, |verdict| matches!(verdict, Verdict::Updated(_))),
        ("failed", BAD, |verdict| matches!(verdict, Verdict::Failed(_))),
        ("left out", NOTABLE, |verdict| matches!(verdict, Verdict::Skipped(_))),
        ("not run", NOTABLE, |verdict| matches!(verdict, Verdict::NotRun)),
    ];
    let counts = KINDS.iter().filter_map(|(name, style, is_kind)| {
        let count = results.iter().filter(|result| is_kind(&result.verdict)).count();
        (count > 0 || *name == "passed").then(|| format!("{style}{count} {name}{style:#}"))
    });
    let counts = counts.collect::<Vec<_>>().join(", ");
    format!("{} case{}: {counts}", results.len(), if results.len() == 1 { "" } else { "s" })
}

/// One-line description of a failure.
pub(super) fn headline(case: &Case, failure: &Failure) -> String {
    match failure {
        Failure::Differs { .. } => {
            format!("the output is not what {} expects (--update rewrites it)", case.expectation_name())
        }
        Failure::Unexpected { .. } => format!("there is no {} (--update writes it)", case.expectation_name()),
        Failure::Error(text) => text.lines().next().unwrap_or_default().to_owned(),
    }
}

/// Details of a failure.
pub(super) fn detail(failure: &Failure) -> Vec<Line> {
    let lines = |text: &str, sign| {
        text.lines().map(|line| Line { sign, text: escape(line, &['\t']).into_owned() }).collect::<Vec<_>>()
    };
    match failure {
        Failure::Differs { difference, .. } => {
            let mut all = vec![
                Line { sign: Sign::Missing, text: " expected".to_owned() },
                Line { sign: Sign::Unexpected, text: " printed".to_owned() },
            ];
            all.extend_from_slice(difference);
            all
        }
        Failure::Unexpected { actual } => lines(actual, Sign::Unexpected),
        Failure::Error(text) => {
            let rest = text.split_once('\n').map_or("", |(_, rest)| rest);
            lines(rest, Sign::Same)
        }
    }
}

fn coloured(line: &Line) -> String {
    let style = match line.sign {
        Sign::Missing => BAD,
        Sign::Unexpected => GOOD,
        Sign::Gap => FAINT,
        Sign::Same => Style::new(),
    };
    format!("{style}{line}{style:#}")
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

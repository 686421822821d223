//! What is shown of a run: a line a case, what failed, and a summary.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::case::Case;
use super::expectation::{Line, Sign};
use super::runner::{Failure, Verdict};

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const NOTABLE: Style = AnsiColor::Yellow.on_default();
const FAINT: Style = AnsiColor::Cyan.on_default();

/// A case that has ended.
pub(super) struct Ended<'a> {
    pub(super) case: &'a Case,
    pub(super) verdict: Verdict,
    pub(super) time: Duration,
}

pub(super) struct Report {
    bar: ProgressBar,
}

impl Report {
    pub(super) fn new(cases: usize) -> Self {
        // Where nobody sees it move, a bar is noise.
        let target =
            if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(cases as u64), target);
        if let Ok(style) = ProgressStyle::with_template("[{bar:30}] {pos}/{len}  {elapsed}") {
            bar.set_style(style.progress_chars("=> "));
        }
        Self { bar }
    }

    /// A line for a case that has just ended.
    pub(super) fn case(&self, Ended { case, verdict, time }: &Ended<'_>) {
        let (style, word, more) = match verdict {
            Verdict::Passed => (GOOD, "ok", String::new()),
            Verdict::Updated => (NOTABLE, "updated", format!(": wrote {}", case.expectation_name())),
            Verdict::Failed(_) => (BAD, "FAILED", String::new()),
            Verdict::LeftOut(reason) => (NOTABLE, "left out", format!(": {reason}")),
            Verdict::NotRun => return,
        };
        let time =
            if matches!(verdict, Verdict::LeftOut(_)) { String::new() } else { format!(" ({})", seconds(*time)) };
        self.print(&format!("{style}{word:<8}{style:#}  {}{time}{more}", case.name));
        self.bar.inc(1);
    }

    /// What failed and why, the slowest cases, and how many of each kind there were.
    pub(super) fn end(&self, all: &[Ended<'_>], slowest: usize, time: Duration) {
        self.bar.finish_and_clear();
        let failed = all.iter().filter_map(|ended| match &ended.verdict {
            Verdict::Failed(failure) => Some((ended.case, failure)),
            _ => None,
        });
        for (case, failure) in failed {
            let what = headline(case, failure);
            let mut text = format!("\n{BAD}{}{BAD:#}: {}", case.name, shown(&what));
            for line in detail(failure) {
                text.push('\n');
                text.push_str(&coloured(&line));
            }
            self.print(&text);
        }
        if slowest > 0 {
            let mut by_time = all.iter().collect::<Vec<_>>();
            by_time.sort_by_key(|ended| std::cmp::Reverse(ended.time));
            let lines = by_time
                .iter()
                .take(slowest)
                .map(|ended| format!("\n  {:>8}  {}", seconds(ended.time), ended.case.name));
            self.print(&format!("\nslowest:{}", lines.collect::<String>()));
        }
        self.print(&format!("\n{}, in {}", summary(all), seconds(time)));
    }

    /// A reader of the output who has gone away is no failure of the cases.
    fn print(&self, text: &str) {
        self.bar.suspend(|| {
            let _ = writeln!(anstream::stdout().lock(), "{text}");
        });
    }
}

/// How many cases there were, and how many of each kind.
fn summary(all: &[Ended<'_>]) -> String {
    type IsKind = fn(&Verdict) -> bool;
    const KINDS: [(&str, Style, IsKind); 5] = [
        ("passed", GOOD, |verdict| matches!(verdict, Verdict::Passed)),
        ("updated", NOTABLE, |verdict| matches!(verdict, Verdict::Updated)),
        ("failed", BAD, |verdict| matches!(verdict, Verdict::Failed(_))),
        ("left out", NOTABLE, |verdict| matches!(verdict, Verdict::LeftOut(_))),
        ("not run", NOTABLE, |verdict| matches!(verdict, Verdict::NotRun)),
    ];
    let counts = KINDS.iter().filter_map(|(name, style, is_kind)| {
        let count = all.iter().filter(|ended| is_kind(&ended.verdict)).count();
        (count > 0 || *name == "passed").then(|| format!("{style}{count} {name}{style:#}"))
    });
    let counts = counts.collect::<Vec<_>>().join(", ");
    format!("{} case{}: {counts}", all.len(), if all.len() == 1 { "" } else { "s" })
}

/// What is wrong, in a line.
pub(super) fn headline(case: &Case, failure: &Failure) -> String {
    match failure {
        Failure::Differs { .. } => {
            format!("the output is not what {} expects (--update rewrites it)", case.expectation_name())
        }
        Failure::Unexpected { .. } => format!("there is no {} (--update writes it)", case.expectation_name()),
        Failure::Broken(text) => text.lines().next().unwrap_or_default().to_owned(),
    }
}

/// What is wrong, line by line.
pub(super) fn detail(failure: &Failure) -> Vec<Line> {
    let lines = |text: &str, sign| text.lines().map(|line| Line { sign, text: shown(line) }).collect::<Vec<_>>();
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
        Failure::Broken(text) => {
            let rest = text.split_once('\n').map_or("", |(_, rest)| rest);
            lines(rest, Sign::Same)
        }
    }
}

/// What a script printed does nothing to a terminal.
fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() && character != '\t' {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
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

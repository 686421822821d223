//! The difference between an output and the expected one, line by line.

use std::ops::Range;

use similar::{ChangeTag, TextDiff};
use tailor_idp::terminal::escape;

use super::pattern::{Pattern, Token};
use super::{generalize, normalize_line_breaks};

/// Number of unchanged lines to show around a difference.
const CONTEXT: usize = 3;

/// Maximum number of line comparisons of an alignment. Longer outputs are compared by a plain text diff, which ignores
/// matchers.
const MAX_COMPARISONS: usize = 4_000_000;

/// Cost of a line matched by a wildcard. It is higher than the extra cost of replacing a line (1), so that a wildcard above a
/// changed line does not absorb it. A differing line costs more than all of these together.
const WILDCARD_LINE_COST: u64 = 2;

/// A line of a difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) sign: Sign,
    /// Without the line break, with control characters escaped.
    pub(crate) text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    /// Expected and present, possibly through a matcher.
    Same,
    /// Expected and absent.
    Missing,
    /// Present and not expected.
    Unexpected,
    /// Stands for omitted lines that are the same.
    Gap,
}

impl std::fmt::Display for Line {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = match self.sign {
            Sign::Same => " ",
            Sign::Missing => "-",
            Sign::Unexpected => "+",
            Sign::Gap => "",
        };
        write!(formatter, "{sign}{}", self.text)
    }
}

/// The differing lines with context; empty if the output matches. Ids and times of the output are shown as matchers.
pub(crate) fn difference(expected: &str, actual: &str) -> Vec<Line> {
    let (expected, actual) = (normalize_line_breaks(expected), normalize_line_breaks(actual));
    with_context(aligned(&expected, &actual))
}

fn line(sign: Sign, text: &str) -> Line {
    let (text, end) = match text.strip_suffix('\n') {
        Some(text) => (text, ""),
        None => (text, " (no line break at the end)"),
    };
    let mut shown = escape(text, &['\t']).into_owned();
    if sign != Sign::Same {
        shown.push_str(end);
    }
    Line { sign, text: shown }
}

fn with_context(lines: Vec<Line>) -> Vec<Line> {
    let mut near = vec![false; lines.len()];
    for (at, _) in lines.iter().enumerate().filter(|(_, line)| line.sign != Sign::Same) {
        near[at.saturating_sub(CONTEXT)..lines.len().min(at + CONTEXT + 1)].fill(true);
    }
    if !near.contains(&true) {
        return Vec::new();
    }
    let mut shown = Vec::new();
    for (line, near) in lines.into_iter().zip(near) {
        match shown.last() {
            _ if near => shown.push(line),
            Some(Line { sign: Sign::Gap, .. }) => {}
            _ => shown.push(Line { sign: Sign::Gap, text: "…".to_owned() }),
        }
    }
    shown
}

/// All lines of both texts; matching lines appear once.
fn aligned(expected: &str, actual: &str) -> Vec<Line> {
    let wanted = expected.split_inclusive('\n').collect::<Vec<_>>();
    let patterns = wanted.iter().map(|line| Pattern::new(line)).collect::<Vec<_>>();
    let got = actual.split_inclusive('\n').collect::<Vec<_>>();

    let same = |(pattern, line): &(&Pattern<'_>, &&str)| !pattern.spans_lines() && pattern.matches(line);
    let head = patterns.iter().zip(&got).take_while(same).count();
    let tail = patterns[head..].iter().rev().zip(got[head..].iter().rev()).take_while(same).count();
    let (wanted_end, got_end) = (wanted.len() - tail, got.len() - tail);

    let kept = |lines: &[&str]| lines.iter().map(|text| line(Sign::Same, text)).collect::<Vec<_>>();
    let mut lines = kept(&wanted[..head]);
    if comparisons(&patterns[head..wanted_end], got_end - head) > MAX_COMPARISONS {
        let (expected, actual) = (wanted[head..wanted_end].concat(), got[head..got_end].concat());
        lines.extend(by_text(&expected, &actual));
    } else {
        let table = Table::new(&patterns[head..wanted_end], &got[head..got_end]);
        lines.extend(table.lines(&wanted[head..wanted_end], &got[head..got_end]));
    }
    lines.extend(kept(&wanted[wanted_end..]));
    lines
}

/// Number of comparisons of an alignment: each pattern with each line, and each wildcard with each run of lines.
fn comparisons(patterns: &[Pattern<'_>], lines: usize) -> usize {
    let spans = patterns.iter().filter(|pattern| pattern.spans_lines()).count();
    spans.saturating_mul(lines).saturating_add(patterns.len()).saturating_mul(lines)
}

fn by_text(expected: &str, actual: &str) -> Vec<Line> {
    let actual = generalize(actual);
    let diff = TextDiff::from_lines(expected, &actual);
    let changes = diff.iter_all_changes().map(|change| {
        let sign = match change.tag() {
            ChangeTag::Equal => Sign::Same,
            ChangeTag::Delete => Sign::Missing,
            ChangeTag::Insert => Sign::Unexpected,
        };
        line(sign, change.value())
    });
    changes.collect()
}

/// Alignment of output lines with expected lines by dynamic programming. Minimises the number of differing lines; a replaced
/// line counts once.
struct Table<'a> {
    patterns: &'a [Pattern<'a>],
    spans: Vec<Option<Span<'a>>>,
    /// Start of each line in `actual`, followed by the length of `actual`.
    starts: Vec<usize>,
    actual: String,
    /// For each pair of an expected and an actual line, the cost from there to the end.
    costs: Vec<u64>,
    columns: usize,
    /// Cost of a differing line.
    differs: u64,
}

/// An expected line that can match several lines, with patterns for the first and the last of them.
struct Span<'a> {
    first: Pattern<'a>,
    last: Pattern<'a>,
    /// Whether it has more than one wildcard, so that matching ends are not sufficient.
    complex: bool,
}

impl<'a> Span<'a> {
    fn new(pattern: &Pattern<'a>) -> Option<Self> {
        let tokens = pattern.tokens();
        let wildcards = tokens.iter().filter(|token| **token == Token::Anything).count();
        let first = tokens.iter().position(|token| *token == Token::Anything)?;
        let last = tokens.iter().rposition(|token| *token == Token::Anything)?;
        Some(Self {
            first: Pattern::from_tokens(tokens[..=first].to_vec()),
            last: Pattern::from_tokens(tokens[last..].to_vec()),
            complex: wildcards > 1,
        })
    }
}

impl<'a> Table<'a> {
    fn new(patterns: &'a [Pattern<'a>], got: &[&str]) -> Self {
        let lengths = got.iter().scan(0, |end, line| {
            *end += line.len();
            Some(*end)
        });
        let mut table = Self {
            patterns,
            spans: patterns.iter().map(Span::new).collect(),
            starts: std::iter::once(0).chain(lengths).collect(),
            actual: got.concat(),
            costs: vec![0; (patterns.len() + 1) * (got.len() + 1)],
            columns: got.len() + 1,
            differs: WILDCARD_LINE_COST * (got.len() + patterns.len() + 1) as u64,
        };
        for row in (0..=patterns.len()).rev() {
            let firsts_and_lasts = table.ends_of_span(row, got);
            for column in (0..=got.len()).rev() {
                let cost = table.best(row, column, got, &firsts_and_lasts);
                table.costs[row * table.columns + column] = cost;
            }
        }
        table
    }

    fn cost(&self, row: usize, column: usize) -> u64 {
        self.costs[row * self.columns + column]
    }

    /// Cost if this row matches the lines from `column` to `end`.
    fn cost_of_same(&self, row: usize, column: usize, end: usize) -> u64 {
        let wildcard = if self.spans[row].is_some() { (end - column) as u64 * WILDCARD_LINE_COST } else { 0 };
        wildcard + self.cost(row + 1, end)
    }

    /// For each line of the output, whether a span of this row can start there, and whether it can end there.
    fn ends_of_span(&self, row: usize, got: &[&str]) -> Vec<(bool, bool)> {
        match self.spans.get(row) {
            Some(Some(span)) => got.iter().map(|line| (span.first.matches(line), span.last.matches(line))).collect(),
            _ => Vec::new(),
        }
    }

    fn best(&self, row: usize, column: usize, got: &[&str], ends: &[(bool, bool)]) -> u64 {
        let (more_rows, more_lines) = (row < self.patterns.len(), column < got.len());
        let mut costs = Vec::new();
        if more_rows {
            costs.push(self.differs + self.cost(row + 1, column));
            costs.extend(self.matching_ends(row, column, got, ends).map(|end| self.cost_of_same(row, column, end)));
        }
        if more_lines {
            costs.push(self.differs + self.cost(row, column + 1));
        }
        if more_rows && more_lines {
            costs.push(self.differs + 1 + self.cost(row + 1, column + 1));
        }
        costs.into_iter().min().unwrap_or_default()
    }

    /// Possible ends of the lines that the expected line matches from `column` on.
    fn matching_ends<'s>(
        &'s self,
        row: usize,
        column: usize,
        got: &'s [&str],
        ends: &'s [(bool, bool)],
    ) -> impl Iterator<Item = usize> + 's {
        let pattern = &self.patterns[row];
        let none = pattern.matches("").then_some(column);
        let one = got.get(column).filter(|line| pattern.matches(line)).map(|_| column + 1);
        let span = self.spans[row].as_ref().filter(|_| ends.get(column).is_some_and(|(starts, _)| *starts));
        let several = span.into_iter().flat_map(move |span| {
            let ends = (column + 2..=got.len()).filter(|end| ends[end - 1].1);
            ends.filter(move |end| !span.complex || pattern.matches(self.text(column..*end)))
        });
        none.into_iter().chain(one).chain(several)
    }

    fn text(&self, lines: Range<usize>) -> &str {
        &self.actual[self.starts[lines.start]..self.starts[lines.end]]
    }

    /// Traces the cheapest path through the table. Missing lines come before unexpected ones.
    fn lines(&self, wanted: &[&str], got: &[&str]) -> Vec<Line> {
        let (mut row, mut column) = (0, 0);
        let mut lines = Vec::new();
        let mut unexpected = Vec::new();
        while row < wanted.len() || column < got.len() {
            let cost = self.cost(row, column);
            if row < wanted.len() {
                let ends = self.ends_of_span(row, got);
                let mut taken = self.matching_ends(row, column, got, &ends);
                if let Some(end) = taken.find(|end| self.cost_of_same(row, column, *end) == cost) {
                    lines.append(&mut unexpected);
                    lines.push(line(Sign::Same, wanted[row]));
                    (row, column) = (row + 1, end);
                    continue;
                }
                let missing = self.differs + self.cost(row + 1, column) == cost;
                if missing || (column < got.len() && self.differs + 1 + self.cost(row + 1, column + 1) == cost) {
                    lines.push(line(Sign::Missing, wanted[row]));
                    row += 1;
                    if missing {
                        continue;
                    }
                }
            }
            unexpected.push(line(Sign::Unexpected, &generalize(got[column])));
            column += 1;
        }
        lines.append(&mut unexpected);
        lines
    }
}

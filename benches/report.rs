//! Renders results as Markdown tables.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, bail};

use crate::figure::{Bound, Figure, Line, Machine, Unit};

const BEGIN: &str = "<!-- results: written by `make bench` -->";
const END: &str = "<!-- end of results -->";

/// Replaces the text between the page's markers with the tables.
pub(crate) fn write_into(page: &Path, tables: &str) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(page).with_context(|| page.display().to_string())?;
    let (Some(begin), Some(end)) = (text.find(BEGIN), text.find(END)) else {
        bail!("{} does not contain {BEGIN} and {END}", page.display());
    };
    let text = format!("{}{BEGIN}\n\n{tables}\n{}", &text[..begin], &text[end..]);
    std::fs::write(page, text).with_context(|| page.display().to_string())
}

/// The machine, the goals and all figures, as Markdown.
pub(crate) fn tables(lines: &[Line]) -> String {
    let mut text = String::new();
    for line in lines {
        if let Line::Machine(machine) = line {
            write_machine(&mut text, machine);
        }
    }
    write_goals(&mut text, lines);
    let figures: Vec<_> =
        lines.iter().filter_map(|line| if let Line::Figure(figure) = line { Some(figure) } else { None }).collect();
    for scenario in figures.chunk_by(|one, other| one.scenario == other.scenario) {
        write_figures(&mut text, scenario);
    }
    text
}

// Here and below, results of `writeln!` are ignored: writing to a string does not fail.
fn write_machine(text: &mut String, machine: &Machine) {
    let Machine { date, processor, cores, memory_bytes, system, versions } = machine;
    let memory = Unit::Bytes.format(*memory_bytes as f64);
    let _ = writeln!(text, "Measured on {date}: {processor}, {cores} cores, {memory}, {system}.");
    let _ = writeln!(text, "With {}.", versions.join(", "));
}

fn write_goals(text: &mut String, lines: &[Line]) {
    let goals: Vec<_> =
        lines.iter().filter_map(|line| if let Line::Goal(goal) = line { Some(goal) } else { None }).collect();
    if goals.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n| what | measured | goal | |\n| --- | ---: | ---: | --- |");
    for goal in goals {
        let bound = match goal.bound {
            Bound::AtMost(most) => format!("at most {}", goal.unit.format(most)),
            Bound::AtLeast(least) => format!("at least {}", goal.unit.format(least)),
        };
        let met = if goal.is_met() { "met" } else { "**missed**" };
        let _ = writeln!(text, "| {} | {} | {bound} | {met} |", goal.what, goal.unit.format(goal.value));
    }
}

/// One row for each operation, one column for each statistic. Baselines are in italics.
fn write_figures(text: &mut String, figures: &[&Figure]) {
    let Some(first) = figures.first() else { return };
    let mut columns: Vec<&str> = vec![];
    for figure in figures {
        if !columns.contains(&figure.figure.as_str()) {
            columns.push(&figure.figure);
        }
    }
    let _ = writeln!(text, "\n### {}\n", first.scenario);
    let _ = writeln!(text, "| | {} |\n| --- |{}", columns.join(" | "), " ---: |".repeat(columns.len()));
    for row in figures.chunk_by(|one, other| one.what == other.what) {
        let what = if row[0].peer { format!("*{}*", row[0].what) } else { row[0].what.clone() };
        let cell = |column: &&str| {
            let figure = row.iter().find(|figure| figure.figure == *column);
            figure.map_or_else(String::new, |figure| figure.unit.format(figure.value))
        };
        let cells: Vec<_> = columns.iter().map(cell).collect();
        let _ = writeln!(text, "| {what} | {} |", cells.join(" | "));
    }
}

//! The benchmarks: where the time and the memory go, beside peers that run in the same minute on the same machine.
//!
//! `make bench` runs everything and writes the tables of docs/performance.md; `make bench-quick` compares two builds.
//! Each scenario runs in a process of its own, so that none finds what another has left in memory.

mod compare;
mod contender;
mod figure;
mod fixture;
mod handlers;
mod machine;
mod measure;
mod peers;
mod report;
mod scenario;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, ensure};
use clap::{Parser, ValueEnum};

use figure::Line;
use scenario::{Plan, Scenario};

/// Measure tailor-idp, beside its peers
#[derive(Parser)]
struct Args {
    /// What to measure: all scenarios, where none is named
    #[arg(value_enum)]
    scenarios: Vec<Scenario>,

    /// Fewer rounds and no peers: a minute's look at what has changed
    #[arg(long)]
    quick: bool,

    /// Compare with the build in this folder: its `bench` and its `tailor-idp`, run by turns with this one
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["json", "page"])]
    compare: Option<PathBuf>,

    /// Write the figures to this file, a line of JSON each
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Put the tables into this page, between the marks that it has for them
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,

    /// The program that is measured as a whole
    #[arg(long, value_name = "FILE", default_value = env!("CARGO_BIN_EXE_tailor-idp"))]
    program: PathBuf,

    /// Where databases are put, several GB: on the disk that is to be measured
    #[arg(long, value_name = "FOLDER", default_value = concat!(env!("CARGO_TARGET_TMPDIR"), "/bench"))]
    scratch: PathBuf,

    /// Run one scenario in this process, and print its figures as JSON
    #[arg(long, hide = true)]
    here: bool,

    /// What `cargo bench` says to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    if let Some(base) = &args.compare {
        return compare::compare(base, &args.program, &args.scratch);
    }
    std::fs::create_dir_all(&args.scratch).with_context(|| args.scratch.display().to_string())?;
    let all = || Scenario::value_variants().iter().copied().filter(|scenario| !args.quick || scenario.is_quick());
    let scenarios: Vec<_> = if args.scenarios.is_empty() { all().collect() } else { args.scenarios.clone() };
    let plan = Plan { quick: args.quick, program: args.program.clone(), scratch: args.scratch.clone() };
    if args.here {
        for scenario in scenarios {
            for line in scenario.run(&plan)? {
                println!("{}", serde_json::to_string(&line)?);
            }
        }
        return Ok(());
    }

    let mut lines = vec![Line::Machine(machine::Machine::here(&plan)?)];
    for scenario in scenarios {
        let began = Instant::now();
        eprint!("{:<14}", scenario.name());
        std::io::stderr().flush()?;
        lines.extend(apart(scenario, &plan)?);
        eprintln!("{:5.1} s", began.elapsed().as_secs_f64());
    }
    if let Some(path) = &args.json {
        let text: String =
            lines.iter().map(|line| serde_json::to_string(line).map(|line| line + "\n")).collect::<Result<_, _>>()?;
        std::fs::write(path, text).with_context(|| path.display().to_string())?;
    }
    let tables = report::tables(&lines);
    match &args.page {
        Some(path) => report::write_into(path, &tables)?,
        None => println!("{tables}"),
    }
    Ok(())
}

/// Runs the scenario in a process of its own.
fn apart(scenario: Scenario, plan: &Plan) -> anyhow::Result<Vec<Line>> {
    let mut child = Command::new(std::env::current_exe()?);
    child.args([scenario.name(), "--here"]).args(plan.quick.then_some("--quick"));
    child.arg("--program").arg(&plan.program).arg("--scratch").arg(&plan.scratch);
    let output = child.stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "{} failed: {}", scenario.name(), output.status);
    figure::read(&output.stdout)
}

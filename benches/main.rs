//! Benchmarks of time and memory, with peers measured in the same run on the same machine.
//!
//! `make bench` runs all scenarios and writes the tables of docs/performance.md. `make bench-quick` compares two builds.
//! Each scenario runs in its own process, so that scenarios do not affect each other's memory.

mod compare;
mod contender;
mod figure;
mod fixture;
mod handlers;
mod machine;
mod measure;
mod peers;
mod plan;
mod report;
mod scenario;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, ensure};
use clap::{Parser, ValueEnum};

use figure::Line;
use plan::Plan;
use scenario::Scenario;

/// Measure tailor-idp and its peers
#[derive(Parser)]
struct Args {
    /// Scenarios to run; default: all
    #[arg(value_enum)]
    scenarios: Vec<Scenario>,

    /// Run fewer rounds and no peers; takes a minute
    #[arg(long)]
    quick: bool,

    /// Compare with the build in this folder, which contains its `bench` and its `tailor-idp`; rounds are interleaved
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["json", "page"])]
    compare: Option<PathBuf>,

    /// Write the results to this file, as JSON lines
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Write the tables into this page, between its markers
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,

    /// The measured program
    #[arg(long, value_name = "FILE", default_value = env!("CARGO_BIN_EXE_tailor-idp"))]
    program: PathBuf,

    /// Folder for several GB of databases, on the disk to measure
    #[arg(long, value_name = "FOLDER", default_value = concat!(env!("CARGO_TARGET_TMPDIR"), "/bench"))]
    scratch: PathBuf,

    /// Run the scenarios in this process, and print their results as JSON lines
    #[arg(long, hide = true)]
    here: bool,

    /// `cargo bench` passes this to every benchmark.
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

    let mut lines = vec![Line::Machine(machine::describe(&plan)?)];
    for scenario in scenarios {
        let began = Instant::now();
        eprint!("{:<14}", scenario.name());
        std::io::stderr().flush()?;
        lines.extend(run_in_child(scenario, &plan)?);
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

/// Runs the scenario in a child process.
fn run_in_child(scenario: Scenario, plan: &Plan) -> anyhow::Result<Vec<Line>> {
    let mut child = Command::new(std::env::current_exe()?);
    child.args([scenario.name(), "--here"]).args(plan.quick.then_some("--quick"));
    child.arg("--program").arg(&plan.program).arg("--scratch").arg(&plan.scratch);
    let output = child.stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "{} failed: {}", scenario.name(), output.status);
    figure::parse(&output.stdout)
}

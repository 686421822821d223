//! The lower bound: an isolate of deno_core alone, from a snapshot without extensions.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::ensure;
use tailor_idp::deno_core::snapshot::{CreateSnapshotOptions, create_snapshot};
use tailor_idp::deno_core::{JsRuntime, RuntimeOptions};

use crate::figure::{Line, Lines, Unit};
use crate::measure::{Latencies, QUANTILES};
use crate::plan::Plan;

const ISOLATES: usize = 500;
const WARM_UP: usize = 20;

/// Environment variable with the path of the snapshot to write. Snapshots are made in a child process, because V8 needs other
/// process-wide flags for that.
const MAKE: &str = "TAILOR_IDP_BENCH_MAKE_SNAPSHOT";
/// Environment variable with the path of a snapshot, for a child process that makes one isolate from it and exits.
const START: &str = "TAILOR_IDP_BENCH_START_SNAPSHOT";

pub(super) async fn run(plan: &Plan) -> anyhow::Result<Vec<Line>> {
    let tokio = tokio::runtime::Handle::current();
    if let Some(path) = std::env::var_os(MAKE) {
        return on_new_thread(move || write_snapshot(path.as_ref())).map(|()| vec![]);
    }
    if let Some(path) = std::env::var_os(START) {
        let start = move || {
            let _context = tokio.enter();
            isolate(read(path.as_ref())?)?.execute_script("one.js", "1")?;
            Ok(vec![])
        };
        return on_new_thread(start);
    }
    let snapshot = read(&make_snapshot(plan)?)?;
    on_new_thread(move || {
        let _context = tokio.enter();
        measure(snapshot)
    })
}

/// The command of a process that makes one isolate from this snapshot, runs one line of JavaScript, and exits.
pub(super) fn start_command(snapshot: &Path) -> anyhow::Result<Command> {
    let mut process = Command::new(std::env::current_exe()?);
    process.args(["floor", "--here"]).env(START, snapshot);
    Ok(process)
}

/// Makes the snapshot in a child process, and returns its path.
pub(super) fn make_snapshot(plan: &Plan) -> anyhow::Result<PathBuf> {
    let path = plan.scratch.join("floor.snapshot");
    let mut maker = Command::new(std::env::current_exe()?);
    let made = maker.args(["floor", "--here"]).env(MAKE, &path).stdout(Stdio::null()).status()?;
    ensure!(made.success(), "cannot make the snapshot: {made}");
    Ok(path)
}

/// Reads the snapshot into memory for the rest of the process, as V8 requires.
fn read(snapshot: &Path) -> anyhow::Result<&'static [u8]> {
    Ok(Box::leak(std::fs::read(snapshot)?.into_boxed_slice()))
}

fn isolate(snapshot: &'static [u8]) -> anyhow::Result<JsRuntime> {
    let options = RuntimeOptions { startup_snapshot: Some(snapshot), skip_op_registration: true, ..Default::default() };
    Ok(JsRuntime::try_new(options)?)
}

/// Runs `work` on a new thread, outside this thread's event loop.
fn on_new_thread<T: Send + 'static>(work: impl FnOnce() -> anyhow::Result<T> + Send + 'static) -> anyhow::Result<T> {
    std::thread::spawn(work).join().map_err(|_| anyhow::anyhow!("the thread with the isolates panicked"))?
}

fn write_snapshot(path: &Path) -> anyhow::Result<()> {
    let options = CreateSnapshotOptions {
        cargo_manifest_dir: env!("CARGO_MANIFEST_DIR"),
        startup_snapshot: None,
        skip_op_registration: false,
        extensions: vec![],
        extension_transpiler: None,
        with_runtime_cb: None,
    };
    Ok(std::fs::write(path, create_snapshot(options, None)?.output)?)
}

fn measure(snapshot: &'static [u8]) -> anyhow::Result<Vec<Line>> {
    let mut latencies = Latencies::new()?;
    for turn in 0..WARM_UP + ISOLATES {
        let began = Instant::now();
        let runtime = isolate(snapshot)?;
        if turn >= WARM_UP {
            latencies.record(began.elapsed());
        }
        drop(runtime);
    }
    let mut lines = Lines::new("floor");
    let what = "an isolate of deno_core alone, from its snapshot";
    for (figure, quantile) in QUANTILES {
        lines.peer(what, figure, latencies.at(quantile), Unit::Nanoseconds);
    }
    Ok(lines.into_lines())
}

//! What cannot be had for less: an isolate of deno_core alone, from a snapshot in which nothing of ours is.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::ensure;
use tailor_idp::deno_core::snapshot::{CreateSnapshotOptions, create_snapshot};
use tailor_idp::deno_core::{JsRuntime, RuntimeOptions};

use super::Plan;
use crate::figure::{Line, Lines, Unit};
use crate::measure::{Latencies, QUANTILES};

const ISOLATES: usize = 500;
const WARM_UP: usize = 20;

/// Where the snapshot is to be written, in the process that makes it: V8 is set differently there, for the whole process.
const MAKE: &str = "TAILOR_IDP_BENCH_MAKE_SNAPSHOT";
/// Where it is, in a process that is to make one isolate of it, and to end.
const START: &str = "TAILOR_IDP_BENCH_START_SNAPSHOT";

pub(super) async fn run(plan: &Plan) -> anyhow::Result<Vec<Line>> {
    let tokio = tokio::runtime::Handle::current();
    if let Some(path) = std::env::var_os(MAKE) {
        return on_its_thread(move || make_snapshot(path.as_ref())).map(|()| vec![]);
    }
    if let Some(path) = std::env::var_os(START) {
        let start = move || {
            let _context = tokio.enter();
            isolate(read(path.as_ref())?)?.execute_script("one.js", "1")?;
            Ok(vec![])
        };
        return on_its_thread(start);
    }
    let snapshot = read(&snapshot(plan)?)?;
    on_its_thread(move || {
        let _context = tokio.enter();
        measure(snapshot)
    })
}

/// A process that makes one isolate of the snapshot in this file, runs a line in it, and ends.
pub(super) fn process(snapshot: &Path) -> anyhow::Result<Command> {
    let mut process = Command::new(std::env::current_exe()?);
    process.args(["floor", "--here"]).env(START, snapshot);
    Ok(process)
}

/// Makes the snapshot, and says where it is.
pub(super) fn snapshot(plan: &Plan) -> anyhow::Result<PathBuf> {
    let path = plan.scratch.join("floor.snapshot");
    let mut maker = Command::new(std::env::current_exe()?);
    let made = maker.args(["floor", "--here"]).env(MAKE, &path).stdout(Stdio::null()).status()?;
    ensure!(made.success(), "the snapshot was not made: {made}");
    Ok(path)
}

fn read(snapshot: &Path) -> anyhow::Result<&'static [u8]> {
    Ok(Box::leak(std::fs::read(snapshot)?.into_boxed_slice()))
}

fn isolate(snapshot: &'static [u8]) -> anyhow::Result<JsRuntime> {
    let options = RuntimeOptions { startup_snapshot: Some(snapshot), skip_op_registration: true, ..Default::default() };
    Ok(JsRuntime::try_new(options)?)
}

/// Without the event loop of this one.
fn on_its_thread<T: Send + 'static>(work: impl FnOnce() -> anyhow::Result<T> + Send + 'static) -> anyhow::Result<T> {
    std::thread::spawn(work).join().map_err(|_| anyhow::anyhow!("the thread with the isolates panicked"))?
}

fn make_snapshot(path: &Path) -> anyhow::Result<()> {
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
    let mut lines = Lines::of("floor");
    let what = "an isolate of deno_core alone, from its snapshot";
    for (figure, quantile) in QUANTILES {
        lines.peer(what, figure, latencies.at(quantile), Unit::Nanoseconds);
    }
    Ok(lines.done())
}

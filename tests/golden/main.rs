//! Golden script tests: runs `tailor-idp test` on the cases `tests/scripts/<area>/<case>/`. docs/testing.md describes the format
//! of cases.
//!
//! `cargo test --test golden NAME` runs cases with NAME in their name. `UPDATE_EXPECTED=1` rewrites expectations that do not match.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let mut program = Command::new(env!("CARGO_BIN_EXE_tailor-idp"));
    // `cargo test NAME` passes the filter to every test binary, so that no case may match it.
    program.current_dir(&root).args(["test", "--pass-with-no-tests", "."]).args(new_cases(&root));
    if let Some(filter) = &arguments.filter {
        program.args(["--filter", filter]);
        program.args(arguments.exact.then_some("--exact"));
    }
    for skip in &arguments.skip {
        program.args(["--skip", skip]);
    }
    if let Some(threads) = arguments.test_threads {
        program.args(["--jobs", &threads.to_string()]);
    }
    let update = std::env::var_os("UPDATE_EXPECTED").is_some_and(|value| value != "0");
    program.args(update.then_some("--update")).args(arguments.list.then_some("--list"));
    // No case is ignored.
    if arguments.ignored {
        return ExitCode::SUCCESS;
    }
    let status = program.status().unwrap_or_else(|error| panic!("{program:?}: {error}"));
    status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// Folders with a script only. `tailor-idp test` takes them as cases only if they are named: name them, so that none is forgotten.
fn new_cases(root: &Path) -> Vec<PathBuf> {
    let cases = folders(root).into_iter().flat_map(|area| folders(&area));
    let has_more = |case: &Path| ["args.json", "case.json", "expected.txt"].iter().any(|name| case.join(name).exists());
    cases.filter(|case| case.join("main.js").exists() && !has_more(case)).collect()
}

fn folders(parent: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(parent).unwrap_or_else(|error| panic!("{}: {error}", parent.display()));
    entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

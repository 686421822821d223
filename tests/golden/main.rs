//! Golden script tests: each folder `tests/scripts/<area>/<case>/` is a test.
//!
//! - `main.js`: the script. The program runs it in a process of its own, over a fresh database.
//! - `args.json`, if there: the handler's argument.
//! - `case.json`, if there: a settings file, an invoker, more flags, and commands to run before and after. See
//!   [`case::Settings`].
//! - `expected.txt`: exit code, stdout and stderr, with matchers. See [`expectation`].
//!
//! `UPDATE_EXPECTED=1 cargo test --test golden` rewrites what does not match.

mod case;
mod expectation;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use crate::case::Case;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let update = std::env::var_os("UPDATE_EXPECTED").is_some_and(|value| value != "0");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let trials = folders(&root).into_iter().flat_map(|area| folders(&area)).map(|folder| {
        let name = folder.strip_prefix(&root).unwrap_or(&folder).display().to_string();
        let case = Case::load(&folder).unwrap_or_else(|error| panic!("{name}: {error}"));
        let ignored = case.is_left_out();
        Trial::test(name, move || case.check(update).map_err(Into::into)).with_ignored_flag(ignored)
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

fn folders(parent: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(parent).unwrap_or_else(|error| panic!("{}: {error}", parent.display()));
    let mut folders: Vec<_> = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

//! Runs a case in a child process over a fresh store, and compares its output.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use rusqlite::Connection;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::sync::watch;
use tokio::time::Instant;
use url::Url;

use super::case::{ARGUMENT_FILE, Case};
use super::expectation::{self, Line};
use super::process::{self, Output, ProcessError};
use crate::cli::error::USAGE_EXIT_CODE;

/// The beginning of the expected output of a case that is meant to be wrong usage, with [`USAGE_EXIT_CODE`].
const EXPECTED_USAGE_ERROR: &str = "--- exit code\n2\n";

/// Outcome of a case.
pub(super) enum Verdict {
    Passed,
    /// The expected output did not match or was missing, and was written. The script ended with this exit code.
    Updated(i32),
    Failed(Failure),
    /// Not run with this engine, for this reason.
    Skipped(String),
    /// The test run ended before the case did.
    NotRun,
}

pub(super) enum Failure {
    /// The output differs from the expected one.
    Differs { difference: Vec<Line>, actual: String },
    /// There is no expected output.
    Unexpected { actual: String },
    /// The case could not be run.
    Error(String),
}

/// Parameters of a test run.
#[derive(Clone)]
pub(super) struct Runner {
    pub(super) program: PathBuf,
    pub(super) update: bool,
    /// Time limit of a case.
    pub(super) timeout: Duration,
    pub(super) stop: watch::Receiver<bool>,
}

impl Runner {
    /// Runs the case and compares its output. With `update`, writes an expected output that does not match.
    pub(super) async fn check(&self, case: &Case) -> Verdict {
        match self.compare(case).await {
            Ok(verdict) => verdict,
            Err(CaseError::Stopped) => Verdict::NotRun,
            Err(CaseError::Failed(text)) => Verdict::Failed(Failure::Error(text)),
        }
    }

    async fn compare(&self, case: &Case) -> Result<Verdict, CaseError> {
        let mut run = Run::new(self.clone(), case)?;
        let (status, actual) = run.script().await?;
        drop(run);
        let path = case.expectation();
        let expected = match std::fs::read_to_string(&path) {
            Ok(expected) => Some(expected),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(format!("{} cannot be read: {error}", case.expectation_name()))),
        };
        if expected.as_ref().is_some_and(|expected| expectation::matches(expected, &actual)) {
            return Ok(Verdict::Passed);
        }
        // Do not write the output of a crash, which has no exit code, as the expected output.
        if let Some(code) = status.code().filter(|_| self.update) {
            let is_expected = expected.as_ref().is_some_and(|expected| expected.starts_with(EXPECTED_USAGE_ERROR));
            if code == i32::from(USAGE_EXIT_CODE) && !is_expected {
                return Err(failed(format!(
                    "the script was not run, so nothing is written to {}: mend the case\n{actual}",
                    case.expectation_name()
                )));
            }
            let written = std::fs::write(&path, expectation::generalize(&actual));
            written.map_err(|error| failed(format!("{} cannot be written: {error}", case.expectation_name())))?;
            return Ok(Verdict::Updated(code));
        }
        Ok(Verdict::Failed(match expected {
            Some(expected) => Failure::Differs { difference: expectation::difference(&expected, &actual), actual },
            None => Failure::Unexpected { actual },
        }))
    }
}

/// Why a case has no output to compare.
enum CaseError {
    Stopped,
    Failed(String),
}

fn failed(text: impl std::fmt::Display) -> CaseError {
    CaseError::Failed(text.to_string())
}

/// A case in progress.
struct Run<'a> {
    runner: Runner,
    case: &'a Case,
    scratch: TempDir,
    deadline: Instant,
}

impl<'a> Run<'a> {
    fn new(runner: Runner, case: &'a Case) -> Result<Self, CaseError> {
        let scratch = tempfile::Builder::new().prefix("tailor-idp-test-").tempdir().map_err(failed)?;
        let deadline = Instant::now() + runner.timeout;
        let run = Self { runner, case, scratch, deadline };
        if let Some(prepared) = &case.database {
            copy_database(prepared, &run.database())
                .map_err(|error| failed(format!("{} cannot be copied: {error}", prepared.display())))?;
        }
        Ok(run)
    }

    fn database(&self) -> PathBuf {
        self.scratch.path().join("users.db")
    }

    /// Runs the commands and the script. Returns the exit status of the script and the text to compare.
    async fn script(&mut self) -> Result<(ExitStatus, String), CaseError> {
        let file = &self.case.file;
        for arguments in &file.before {
            let (status, output) = self.command(arguments).await?;
            if !status.success() {
                return Err(failed(format!("{arguments:?} failed:\n{}", self.text(status, &output))));
            }
        }
        let invoker = match &file.invoker {
            Some(invoker) => Some(self.with_ids(invoker.to_string()).await?),
            None => None,
        };
        let argument = self.argument().await?;
        let lock = file.locked.then(|| lock(&self.database())).transpose().map_err(failed)?;
        let mut command = self.program();
        command.arg("run").arg(&self.case.script).arg("--db").arg(self.database());
        command.args(&self.case.config).args(&file.flags);
        if let Some(invoker) = &invoker {
            command.arg("--invoker").arg(invoker);
        }
        if let Some(argument) = &argument {
            command.arg("--arg-file").arg(argument);
        }
        let (status, output) = self.run(command).await?;
        drop(lock);
        let mut text = self.text(status, &output);
        for arguments in &file.after {
            let mut all = arguments.clone();
            if let (Some("explain"), Some(invoker)) = (arguments.first().map(String::as_str), &invoker) {
                all.extend(["--invoker".to_owned(), invoker.clone()]);
            }
            let (status, output) = self.command(&all).await?;
            text.push_str(&format!("--- after: {}\n{}", arguments.join(" "), self.text(status, &output)));
        }
        Ok((status, text))
    }

    /// Runs a command on the case's database, with the case's settings unless it selects its own.
    async fn command(&mut self, arguments: &[String]) -> Result<(ExitStatus, Output), CaseError> {
        let mut command = self.program();
        command.args(arguments).arg("--db").arg(self.database());
        let selects_settings = |argument: &String| argument == "--no-config" || argument.starts_with("--config");
        if !arguments.iter().any(selects_settings) {
            command.args(&self.case.config);
        }
        self.run(command).await
    }

    /// The program, without environment variables that change its output.
    fn program(&self) -> Command {
        let mut command = Command::new(&self.runner.program);
        command.current_dir(&self.case.folder).env("RUST_BACKTRACE", "0").env("NO_COLOR", "1");
        command.env_remove("TAILOR_IDP_LOG").env_remove("CLICOLOR_FORCE").env_remove("FORCE_COLOR");
        command
    }

    async fn run(&mut self, command: Command) -> Result<(ExitStatus, Output), CaseError> {
        match process::run(command, self.deadline, &mut self.runner.stop).await {
            Ok(end) => Ok(end),
            Err(ProcessError::Stopped) => Err(CaseError::Stopped),
            Err(ProcessError::TimedOut(output)) => {
                let Output { stdout, stderr } = output;
                let printed = format!("--- stdout\n{stdout}--- stderr\n{stderr}");
                let seconds = self.runner.timeout.as_secs_f64();
                Err(failed(format!("still running after {seconds} s (--timeout); until then it printed\n{printed}")))
            }
            Err(error @ (ProcessError::TooMuch | ProcessError::Failed(_))) => Err(failed(error)),
        }
    }

    /// Path of the file with the handler's argument, with user ids filled in, if the case has one.
    async fn argument(&mut self) -> Result<Option<PathBuf>, CaseError> {
        let file = self.case.folder.join(ARGUMENT_FILE);
        if !file.exists() {
            return Ok(None);
        }
        // Pass on invalid UTF-8 unchanged: a case may test that.
        let bytes = std::fs::read(&file).map_err(|error| failed(format!("{ARGUMENT_FILE} cannot be read: {error}")))?;
        let Ok(text) = String::from_utf8(bytes) else { return Ok(Some(file)) };
        let filled = self.with_ids(text.clone()).await?;
        if filled == text {
            return Ok(Some(file));
        }
        let elsewhere = self.scratch.path().join(ARGUMENT_FILE);
        std::fs::write(&elsewhere, filled).map_err(failed)?;
        Ok(Some(elsewhere))
    }

    /// Replaces each `<id of NAME>` by the id of that user.
    async fn with_ids(&mut self, mut text: String) -> Result<String, CaseError> {
        const START: &str = "<id of ";
        while let Some((before, rest)) = text.split_once(START) {
            let (name, after) = rest.split_once('>').ok_or_else(|| failed(format!("{START:?} has no end")))?;
            let (status, output) = self.command(&["users", "get", name, "--json"].map(str::to_owned)).await?;
            let user = serde_json::from_str::<serde_json::Value>(&output.stdout);
            let id = user.ok().and_then(|user| Some(user.get("id")?.as_str()?.to_owned()));
            let id = id.ok_or_else(|| failed(format!("no id of {name}:\n{}", self.text(status, &output))))?;
            text = format!("{before}{id}{after}");
        }
        Ok(text)
    }

    /// Text to compare of a process, with the case's folder as `[DIR]` and that of the store as `[TEMP]`.
    fn text(&self, status: ExitStatus, Output { stdout, stderr }: &Output) -> String {
        let exit = status.code().map_or_else(|| status.to_string(), |code| code.to_string());
        let text = format!("--- exit code\n{exit}\n--- stdout\n{stdout}--- stderr\n{stderr}");
        let folder = &self.case.folder;
        let mut text = replace_folder(replace_folder(text, self.scratch.path(), "[TEMP]"), folder, "[DIR]");
        // A script outside of the case's folder is named relative to it.
        if let Some(from_here) = self.case.script.parent().filter(|parent| !parent.as_os_str().is_empty())
            && let Ok(holder) = folder.join(from_here).canonicalize()
        {
            text = replace_folder(text, &holder, &format!("[DIR]/{}", from_here.display()));
        }
        text
    }
}

/// Replaces a folder by a name, also in file URLs such as those of stack traces.
fn replace_folder(text: String, folder: &Path, name: &str) -> String {
    let text = text.replace(&folder.display().to_string(), name);
    match Url::from_file_path(folder) {
        Ok(url) => text.replace(url.path(), name),
        Err(()) => text,
    }
}

/// Copies a database with its write-ahead log. The copy is writable even if the original is not.
fn copy_database(from: &Path, to: &Path) -> std::io::Result<()> {
    const LOG: &str = "-wal";
    let log = |path: &Path| {
        let mut name = path.as_os_str().to_owned();
        name.push(LOG);
        PathBuf::from(name)
    };
    let copy = |from: &Path, to: &Path| std::io::copy(&mut File::open(from)?, &mut File::create(to)?).map(drop);
    copy(from, to)?;
    if log(from).exists() { copy(&log(from), &log(to)) } else { Ok(()) }
}

/// Takes the write lock of the database until the connection is dropped.
fn lock(database: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(database)?;
    connection.execute_batch("BEGIN IMMEDIATE")?;
    Ok(connection)
}

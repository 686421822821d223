//! Running a case: a fresh store, a process of its own, and the comparison.

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
use super::process::{self, Cut, Output};

/// How a case ended.
pub(super) enum Verdict {
    Passed,
    /// The expectation did not match, or was not there, and was written.
    Updated,
    Failed(Failure),
    LeftOut(String),
    /// The run ended before it was its turn.
    NotRun,
}

pub(super) enum Failure {
    /// The output is not the expected one.
    Differs { difference: Vec<Line>, actual: String },
    /// Nothing says what is expected.
    Unexpected { actual: String },
    /// There is no output to compare.
    Broken(String),
}

/// What all cases of a run share.
#[derive(Clone)]
pub(super) struct Runner {
    pub(super) program: PathBuf,
    pub(super) update: bool,
    pub(super) limit: Duration,
    pub(super) stop: watch::Receiver<bool>,
}

impl Runner {
    /// Runs the case and compares; with `update`, rewrites an expectation that does not match.
    pub(super) async fn check(&self, case: &Case) -> Verdict {
        match self.compare(case).await {
            Ok(verdict) => verdict,
            Err(Trouble::Stopped) => Verdict::NotRun,
            Err(Trouble::Broken(text)) => Verdict::Failed(Failure::Broken(text)),
        }
    }

    async fn compare(&self, case: &Case) -> Result<Verdict, Trouble> {
        let mut run = Run::new(self.clone(), case)?;
        let (status, actual) = run.script().await?;
        drop(run);
        let path = case.expectation();
        let expected = match std::fs::read_to_string(&path) {
            Ok(expected) => Some(expected),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(broken(format!("{} cannot be read: {error}", case.expectation_name()))),
        };
        if expected.as_ref().is_some_and(|expected| expectation::matches(expected, &actual)) {
            return Ok(Verdict::Passed);
        }
        // A crash is not to become what is expected unseen.
        if self.update && status.code().is_some() {
            let written = std::fs::write(&path, expectation::generalize(&actual));
            written.map_err(|error| broken(format!("{} cannot be written: {error}", case.expectation_name())))?;
            return Ok(Verdict::Updated);
        }
        Ok(Verdict::Failed(match expected {
            Some(expected) => Failure::Differs { difference: expectation::difference(&expected, &actual), actual },
            None => Failure::Unexpected { actual },
        }))
    }
}

/// Why there is no output to compare.
enum Trouble {
    Stopped,
    Broken(String),
}

fn broken(text: impl std::fmt::Display) -> Trouble {
    Trouble::Broken(text.to_string())
}

/// A case that is running.
struct Run<'a> {
    runner: Runner,
    case: &'a Case,
    scratch: TempDir,
    until: Instant,
}

impl<'a> Run<'a> {
    fn new(runner: Runner, case: &'a Case) -> Result<Self, Trouble> {
        let scratch = tempfile::Builder::new().prefix("tailor-idp-test-").tempdir().map_err(broken)?;
        let until = Instant::now() + runner.limit;
        let run = Self { runner, case, scratch, until };
        if let Some(prepared) = &case.database {
            copy_database(prepared, &run.database())
                .map_err(|error| broken(format!("{} cannot be copied: {error}", prepared.display())))?;
        }
        Ok(run)
    }

    fn database(&self) -> PathBuf {
        self.scratch.path().join("users.db")
    }

    /// All there is to compare, and how the script's process ended.
    async fn script(&mut self) -> Result<(ExitStatus, String), Trouble> {
        let file = &self.case.file;
        for arguments in &file.before {
            let (status, output) = self.command(arguments).await?;
            if !status.success() {
                return Err(broken(format!("{arguments:?} failed:\n{}", self.text(status, &output))));
            }
        }
        let invoker = match &file.invoker {
            Some(invoker) => Some(self.with_ids(invoker.to_string()).await?),
            None => None,
        };
        let argument = self.argument().await?;
        let lock = file.locked.then(|| locked(&self.database())).transpose().map_err(broken)?;
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

    /// A command beside the script: on its database, and with its settings unless it says itself which hold.
    async fn command(&mut self, arguments: &[String]) -> Result<(ExitStatus, Output), Trouble> {
        let mut command = self.program();
        command.args(arguments).arg("--db").arg(self.database());
        let says = |argument: &String| argument == "--no-config" || argument.starts_with("--config");
        if !arguments.iter().any(says) {
            command.args(&self.case.config);
        }
        self.run(command).await
    }

    /// The program, with nothing in its environment that changes what it prints.
    fn program(&self) -> Command {
        let mut command = Command::new(&self.runner.program);
        command.current_dir(&self.case.folder).env("RUST_BACKTRACE", "0").env("NO_COLOR", "1");
        command.env_remove("TAILOR_IDP_LOG").env_remove("CLICOLOR_FORCE").env_remove("FORCE_COLOR");
        command
    }

    async fn run(&mut self, command: Command) -> Result<(ExitStatus, Output), Trouble> {
        match process::run(command, self.until, &mut self.runner.stop).await {
            Ok(end) => Ok(end),
            Err(Cut::Stopped) => Err(Trouble::Stopped),
            Err(Cut::TimedOut(output)) => {
                let Output { stdout, stderr } = output;
                let printed = format!("--- stdout\n{stdout}--- stderr\n{stderr}");
                let seconds = self.runner.limit.as_secs_f64();
                Err(broken(format!("still running after {seconds} s (--timeout); until then it printed\n{printed}")))
            }
            Err(cut @ (Cut::TooMuch | Cut::Failed(_))) => Err(broken(cut)),
        }
    }

    /// The file with the handler's argument, if there is one.
    async fn argument(&mut self) -> Result<Option<PathBuf>, Trouble> {
        let file = self.case.folder.join(ARGUMENT_FILE);
        if !file.exists() {
            return Ok(None);
        }
        // The program need not get text.
        let bytes = std::fs::read(&file).map_err(|error| broken(format!("{ARGUMENT_FILE} cannot be read: {error}")))?;
        let Ok(text) = String::from_utf8(bytes) else { return Ok(Some(file)) };
        let filled = self.with_ids(text.clone()).await?;
        if filled == text {
            return Ok(Some(file));
        }
        let elsewhere = self.scratch.path().join(ARGUMENT_FILE);
        std::fs::write(&elsewhere, filled).map_err(broken)?;
        Ok(Some(elsewhere))
    }

    /// The text with the ids of the users whom it names.
    async fn with_ids(&mut self, mut text: String) -> Result<String, Trouble> {
        const START: &str = "<id of ";
        while let Some((before, rest)) = text.split_once(START) {
            let (name, after) = rest.split_once('>').ok_or_else(|| broken(format!("{START:?} has no end")))?;
            let (status, output) = self.command(&["users", "get", name, "--json"].map(str::to_owned)).await?;
            let user = serde_json::from_str::<serde_json::Value>(&output.stdout);
            let id = user.ok().and_then(|user| Some(user.get("id")?.as_str()?.to_owned()));
            let id = id.ok_or_else(|| broken(format!("no id of {name}:\n{}", self.text(status, &output))))?;
            text = format!("{before}{id}{after}");
        }
        Ok(text)
    }

    /// All there is to compare of a process, with the case's folder as `[DIR]`, and the store's as `[TEMP]`.
    fn text(&self, status: ExitStatus, Output { stdout, stderr }: &Output) -> String {
        let exit = status.code().map_or_else(|| status.to_string(), |code| code.to_string());
        let text = format!("--- exit code\n{exit}\n--- stdout\n{stdout}--- stderr\n{stderr}");
        let folder = &self.case.folder;
        let mut text = replaced(replaced(text, self.scratch.path(), "[TEMP]"), folder, "[DIR]");
        // A script that lies elsewhere is named from the case's folder.
        if let Some(from_here) = self.case.script.parent().filter(|parent| !parent.as_os_str().is_empty())
            && let Ok(holder) = folder.join(from_here).canonicalize()
        {
            text = replaced(text, &holder, &format!("[DIR]/{}", from_here.display()));
        }
        text
    }
}

/// With a folder replaced, also where it is part of a URL, as in stacks.
fn replaced(text: String, folder: &Path, name: &str) -> String {
    let text = text.replace(&folder.display().to_string(), name);
    match Url::from_file_path(folder) {
        Ok(url) => text.replace(url.path(), name),
        Err(()) => text,
    }
}

/// With what has been written to it and not yet moved into it. The copy can be written, whatever the file's permissions.
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

/// Keeps others from writing until it is dropped.
fn locked(database: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(database)?;
    connection.execute_batch("BEGIN IMMEDIATE")?;
    Ok(connection)
}

//! One case: a folder, and how it is run.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde::Deserialize;
use tempfile::TempDir;

use crate::expectation;

/// A case that runs longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// Flags for runs without a settings file.
const STAND_INS: [&str; 3] = ["--namespace", "--enable-mfa", "--use-non-email-identifier"];

/// What `case.json` says.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    /// The script from the top of the repository, where it is not the folder's `main.js`.
    script: Option<String>,
    /// More flags of `tailor-idp run`, such as `["--enable-mfa"]`.
    flags: Vec<String>,
    /// The settings file in the folder, such as `tailor-idp.toml`, where the case is about settings. Without it, and without
    /// flags that stand in for settings, `tests/golden/open.toml` holds.
    config: Option<String>,
    /// Who the script runs for, and what `explain` explains. `<id of ana@example.com>` stands for a user's id, as it does in
    /// `args.json`.
    invoker: Option<serde_json::Value>,
    /// Commands of the program that prepare the database, such as `["users", "create", "ana@example.com"]`.
    before: Vec<Vec<String>>,
    /// Whether somebody else is writing to the database for as long as the script runs.
    locked: bool,
    /// Commands of the program that look at what the script left, on the same database and settings. What they print is part
    /// of what is compared.
    after: Vec<Vec<String>>,
    /// Why QuickJS cannot run the case, where it cannot.
    not_on_quickjs: Option<String>,
}

pub(crate) struct Case {
    folder: PathBuf,
    settings: Settings,
}

impl Case {
    pub(crate) fn load(folder: &Path) -> Result<Self, String> {
        let path = folder.join("case.json");
        let settings = match std::fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).map_err(|error| format!("case.json: {error}"))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Settings::default(),
            Err(error) => return Err(format!("case.json: {error}")),
        };
        Ok(Self { folder: folder.to_owned(), settings })
    }

    pub(crate) fn is_left_out(&self) -> bool {
        self.settings.not_on_quickjs.is_some() && runs_on_quickjs()
    }

    /// Runs the case and compares; with `update`, rewrites an expectation that does not match.
    pub(crate) fn check(&self, update: bool) -> Result<(), String> {
        let actual = self.run()?;
        let path = self.expectation();
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        if expectation::matches(&expected, &actual) {
            return Ok(());
        }
        if update {
            return std::fs::write(&path, expectation::generalize(&actual)).map_err(|error| error.to_string());
        }
        Err(format!(
            "the output is not what {} expects (UPDATE_EXPECTED=1 rewrites it):\n{}",
            path.display(),
            expectation::diff(&expected, &actual)
        ))
    }

    /// `expected.quickjs.txt` where QuickJS words things differently.
    fn expectation(&self) -> PathBuf {
        let quickjs = self.folder.join("expected.quickjs.txt");
        if runs_on_quickjs() && quickjs.exists() { quickjs } else { self.folder.join("expected.txt") }
    }

    fn script(&self) -> PathBuf {
        let elsewhere = self.settings.script.as_ref();
        elsewhere.map_or("main.js".into(), |script| Path::new(env!("CARGO_MANIFEST_DIR")).join(script))
    }

    /// The flags that say which settings hold.
    fn config(&self) -> Vec<String> {
        let stands_in = |flag: &String| STAND_INS.contains(&flag.as_str());
        match &self.settings.config {
            Some(config) => vec!["--config".to_owned(), config.clone()],
            None if self.settings.flags.iter().any(stands_in) => vec!["--no-config".to_owned()],
            None => {
                vec!["--config".to_owned(), concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/open.toml").to_owned()]
            }
        }
    }

    fn run(&self) -> Result<String, String> {
        let scratch = TempDir::new().map_err(|error| error.to_string())?;
        let database = scratch.path().join("users.db");
        for arguments in &self.settings.before {
            let end = self.command(&scratch, arguments)?;
            if !end.status.success() {
                return Err(format!("{arguments:?} failed: {}", end.text(&self.folder)));
            }
        }
        let invoker = self.settings.invoker.as_ref();
        let invoker = invoker.map(|invoker| self.with_ids(&scratch, invoker.to_string())).transpose()?;
        let argument = self.argument(&scratch)?;
        let lock = self.settings.locked.then(|| locked(&database)).transpose().map_err(|error| error.to_string())?;
        let end = self.program(&scratch, |program| {
            program
                .arg("run")
                .arg(self.script())
                .arg("--db")
                .arg(&database)
                .args(self.config())
                .args(&self.settings.flags);
            if let Some(invoker) = &invoker {
                program.arg("--invoker").arg(invoker);
            }
            if let Some(argument) = &argument { program.arg("--arg-file").arg(argument) } else { program }
        })?;
        drop(lock);
        let mut text = end.text(&self.folder);
        for arguments in &self.settings.after {
            let mut all = arguments.clone();
            if let (Some("explain"), Some(invoker)) = (arguments.first().map(String::as_str), &invoker) {
                all.extend(["--invoker".to_owned(), invoker.clone()]);
            }
            let end = self.command(&scratch, &all)?;
            text.push_str(&format!("--- after: {}\n{}", arguments.join(" "), end.text(&self.folder)));
        }
        Ok(text)
    }

    /// A command beside the script: on its database, and with its settings where the case brings some.
    fn command(&self, scratch: &TempDir, arguments: &[String]) -> Result<End, String> {
        self.program(scratch, |program| {
            program.args(arguments).arg("--db").arg(scratch.path().join("users.db"));
            if self.settings.config.is_some() { program.args(self.config()) } else { program }
        })
    }

    /// The file with the handler's argument, if there is one.
    fn argument(&self, scratch: &TempDir) -> Result<Option<PathBuf>, String> {
        let file = self.folder.join("args.json");
        if !file.exists() {
            return Ok(None);
        }
        // The program need not get text.
        let bytes = std::fs::read(&file).map_err(|error| error.to_string())?;
        let Ok(text) = String::from_utf8(bytes) else { return Ok(Some(file)) };
        let filled = self.with_ids(scratch, text.clone())?;
        if filled == text {
            return Ok(Some(file));
        }
        let elsewhere = scratch.path().join("args.json");
        std::fs::write(&elsewhere, filled).map_err(|error| error.to_string())?;
        Ok(Some(elsewhere))
    }

    /// The text with the ids of the users whom it names.
    fn with_ids(&self, scratch: &TempDir, mut text: String) -> Result<String, String> {
        const START: &str = "<id of ";
        while let Some((before, rest)) = text.split_once(START) {
            let (name, after) = rest.split_once('>').ok_or_else(|| format!("{START:?} has no end"))?;
            let end = self.command(scratch, &["users", "get", name, "--json"].map(str::to_owned))?;
            let user = serde_json::from_str::<serde_json::Value>(&end.stdout);
            let id = user.ok().and_then(|user| Some(user.get("id")?.as_str()?.to_owned()));
            let id = id.ok_or_else(|| format!("no id of {name}: {}", end.text(&self.folder)))?;
            text = format!("{before}{id}{after}");
        }
        Ok(text)
    }

    fn program(&self, scratch: &TempDir, arguments: impl FnOnce(&mut Command) -> &mut Command) -> Result<End, String> {
        // Files rather than pipes: nobody need read along.
        let file = |name: &str| File::create(scratch.path().join(name)).map_err(|error| error.to_string());
        let mut program = Command::new(env!("CARGO_BIN_EXE_tailor-idp"));
        arguments(program.current_dir(&self.folder).stdin(Stdio::null()));
        program.stdout(file("stdout")?).stderr(file("stderr")?).env("RUST_BACKTRACE", "0");
        let mut child = program.spawn().map_err(|error| error.to_string())?;
        let deadline = Instant::now() + LIMIT;
        let status = loop {
            match child.try_wait().map_err(|error| error.to_string())? {
                Some(status) => break status,
                None if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(5)),
                None => {
                    let _ = child.kill().and_then(|()| child.wait().map(drop));
                    return Err(format!("still running after {} s", LIMIT.as_secs()));
                }
            }
        };
        let read = |name| std::fs::read_to_string(scratch.path().join(name)).map_err(|error| error.to_string());
        Ok(End { status, stdout: read("stdout")?, stderr: read("stderr")? })
    }
}

struct End {
    status: ExitStatus,
    stdout: String,
    stderr: String,
}

impl End {
    /// All there is to compare, with the case's folder as `[DIR]`.
    fn text(&self, folder: &Path) -> String {
        let exit = self.status.code().map_or_else(|| self.status.to_string(), |code| code.to_string());
        let Self { stdout, stderr, .. } = self;
        let text = format!("--- exit code\n{exit}\n--- stdout\n{stdout}--- stderr\n{stderr}");
        text.replace(&folder.display().to_string(), "[DIR]")
    }
}

/// Keeps others from writing until it is dropped.
fn locked(database: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(database)?;
    connection.execute_batch("BEGIN IMMEDIATE")?;
    Ok(connection)
}

fn runs_on_quickjs() -> bool {
    static QUICKJS: OnceLock<bool> = OnceLock::new();
    *QUICKJS.get_or_init(|| {
        let version = Command::new(env!("CARGO_BIN_EXE_tailor-idp")).arg("--version").output();
        version.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("QuickJS"))
    })
}

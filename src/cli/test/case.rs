//! One case: a folder, and what its `case.json` says.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use tailor_idp::settings::{FILE_NAME, Settings};

/// The names of a case's script.
pub(super) const SCRIPTS: [&str; 3] = ["main.js", "main.ts", "main.mts"];
pub(super) const CASE_FILE: &str = "case.json";
pub(super) const ARGUMENT_FILE: &str = "args.json";
pub(super) const EXPECTATION: &str = "expected.txt";
/// Where QuickJS words things differently.
pub(super) const QUICKJS_EXPECTATION: &str = "expected.quickjs.txt";

/// The commands that can prepare a store, or look at what a script left: those that take a database and end.
const COMMANDS: [&str; 5] = ["users", "run", "explain", "events", "mail"];

/// What `case.json` says. Paths are relative to the case's folder.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct CaseFile {
    /// The script, where it is not the folder's own.
    script: Option<PathBuf>,
    /// More flags of `tailor-idp run`, such as `["--namespace", "staff"]`.
    pub(super) flags: Vec<String>,
    /// The settings file, in place of the nearest; or `false`: none.
    config: Option<Value>,
    /// A database that is copied for the case, in place of an empty one.
    db: Option<PathBuf>,
    /// Who the script runs for, and what `explain` explains. `<id of ana@example.com>` stands for a user's id, as it does in
    /// `args.json`.
    pub(super) invoker: Option<Value>,
    /// Commands of the program that prepare the database, such as `["users", "create", "ana@example.com"]`.
    pub(super) before: Vec<Vec<String>>,
    /// Whether somebody else is writing to the database for as long as the script runs.
    pub(super) locked: bool,
    /// Commands of the program that look at what the script left, on the same database and settings. What they print is part
    /// of what is compared.
    pub(super) after: Vec<Vec<String>>,
    /// Why QuickJS cannot run the case, where it cannot.
    not_on_quickjs: Option<String>,
}

pub(super) struct Case {
    /// The folder, as it is seen from here.
    pub(super) name: String,
    /// The folder's full path.
    pub(super) folder: PathBuf,
    /// The script, from the folder.
    pub(super) script: PathBuf,
    /// The flags that say which settings hold.
    pub(super) config: Vec<String>,
    /// The prepared database.
    pub(super) database: Option<PathBuf>,
    pub(super) file: CaseFile,
}

impl Case {
    /// Reads a case. The error says in which file something is wrong, and what.
    pub(super) fn load(name: String, folder: PathBuf) -> Result<Self, String> {
        let file = read(&folder).map_err(|error| format!("{name}/{CASE_FILE}: {error}"))?;
        let wrong = |error: String| format!("{name}/{CASE_FILE}: {error}");
        let there = |key: &str, path: &Path| {
            let is_there = folder.join(path).is_file();
            if is_there { Ok(()) } else { Err(wrong(format!("{key}: there is no file {}", path.display()))) }
        };
        let script = match &file.script {
            Some(script) => {
                there("script", script)?;
                script.clone()
            }
            None => script_in(&folder).map_err(|error| format!("{name}: {error}"))?,
        };
        if let Some(database) = &file.db {
            there("db", database)?;
        }
        let config = match &file.config {
            Some(Value::String(path)) => {
                there("config", Path::new(path))?;
                vec!["--config".to_owned(), path.clone()]
            }
            Some(Value::Bool(false)) => vec!["--no-config".to_owned()],
            Some(other) => return Err(wrong(format!("config must be the name of a file, or false: got {other}"))),
            None => nearest_config(&folder),
        };
        for command in file.before.iter().chain(&file.after) {
            if !command.first().is_some_and(|first| COMMANDS.contains(&first.as_str())) {
                let (commands, got) = (COMMANDS.join(", "), command.join(" "));
                return Err(wrong(format!("before and after take the commands {commands}: got {got:?}")));
            }
        }
        let database = file.db.as_ref().map(|path| folder.join(path));
        Ok(Self { name, folder, script, config, database, file })
    }

    /// Why the case is left out, if it is.
    pub(super) fn left_out(&self) -> Option<&str> {
        self.file.not_on_quickjs.as_deref().filter(|_| cfg!(not(feature = "v8")))
    }

    /// The file that says what is expected.
    pub(super) fn expectation(&self) -> PathBuf {
        let quickjs = self.folder.join(QUICKJS_EXPECTATION);
        if cfg!(not(feature = "v8")) && quickjs.exists() { quickjs } else { self.folder.join(EXPECTATION) }
    }

    /// That file, as it is seen from here.
    pub(super) fn expectation_name(&self) -> String {
        let path = self.expectation();
        let file = path.file_name().map(|file| file.to_string_lossy().into_owned()).unwrap_or_default();
        format!("{}/{file}", self.name)
    }
}

fn read(folder: &Path) -> Result<CaseFile, String> {
    match std::fs::read_to_string(folder.join(CASE_FILE)) {
        Ok(text) => serde_json::from_str(&text).map_err(|error| error.to_string()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(CaseFile::default()),
        Err(error) => Err(format!("cannot be read: {error}")),
    }
}

fn script_in(folder: &Path) -> Result<PathBuf, String> {
    let there = SCRIPTS.into_iter().filter(|name| folder.join(name).is_file()).collect::<Vec<_>>();
    match there[..] {
        [script] => Ok(script.into()),
        [] => Err(format!("there is no {}, and no \"script\" in {CASE_FILE}", SCRIPTS.join(", "))),
        _ => Err(format!("there are {}: say in {CASE_FILE} which is the \"script\"", there.join(" and "))),
    }
}

/// The flags for the nearest settings file, named from the folder, so that no error text has a full path.
fn nearest_config(folder: &Path) -> Vec<String> {
    let Some(path) = Settings::find(folder) else { return vec!["--no-config".to_owned()] };
    let above = path.parent().and_then(|holder| folder.strip_prefix(holder).ok());
    let path =
        above.map_or(path.clone(), |below| below.components().map(|_| "..").collect::<PathBuf>().join(FILE_NAME));
    vec!["--config".to_owned(), path.display().to_string()]
}

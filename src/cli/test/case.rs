//! A test case: its folder and its `case.json`.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use tailor_idp::settings::{FILE_NAME, Settings};

use crate::cli::files;

/// File names of a case's script.
pub(super) const SCRIPTS: [&str; 3] = ["main.js", "main.ts", "main.mts"];
pub(super) const CASE_FILE: &str = "case.json";
pub(super) const ARGUMENT_FILE: &str = "args.json";
pub(super) const EXPECTATION: &str = "expected.txt";
/// Expected output with QuickJS, if it differs from that with V8.
pub(super) const QUICKJS_EXPECTATION: &str = "expected.quickjs.txt";

/// Commands allowed in `before` and `after`: those that take a database and end by themselves.
const COMMANDS: [&str; 5] = ["users", "run", "explain", "events", "mail"];

/// Content of `case.json`. Paths are relative to the case's folder.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct CaseFile {
    /// The script, if it is not in the folder.
    script: Option<PathBuf>,
    /// Additional flags of `tailor-idp run`, such as `["--namespace", "staff"]`.
    pub(super) flags: Vec<String>,
    /// The settings file, instead of the nearest one; `false` for none.
    config: Option<Value>,
    /// A database to copy for the case, instead of an empty one.
    db: Option<PathBuf>,
    /// The invoker for the script and for `explain`. `<id of ana@example.com>` is replaced by the user's id, as in
    /// `args.json`.
    pub(super) invoker: Option<Value>,
    /// Commands that prepare the database, such as `["users", "create", "ana@example.com"]`.
    pub(super) before: Vec<Vec<String>>,
    /// Whether another connection holds the write lock of the database while the script runs.
    pub(super) locked: bool,
    /// Commands that inspect the database after the script, with the same settings. Their output is compared as well.
    pub(super) after: Vec<Vec<String>>,
    /// Reason why QuickJS cannot run the case, if so.
    not_on_quickjs: Option<String>,
}

pub(super) struct Case {
    /// Path of the folder, relative to the working directory.
    pub(super) name: String,
    /// Absolute path of the folder.
    pub(super) folder: PathBuf,
    /// Path of the script, relative to the folder.
    pub(super) script: PathBuf,
    /// Flags that select the settings.
    pub(super) config: Vec<String>,
    /// The prepared database.
    pub(super) database: Option<PathBuf>,
    pub(super) file: CaseFile,
}

impl Case {
    /// Reads a case. The error text starts with the name of the invalid file.
    pub(super) fn load(name: String, folder: PathBuf) -> Result<Self, String> {
        let file = read(&folder).map_err(|error| format!("{name}/{CASE_FILE}: {error}"))?;
        let invalid = |error: String| format!("{name}/{CASE_FILE}: {error}");
        let require = |key: &str, path: &Path| {
            let exists = folder.join(path).is_file();
            if exists { Ok(()) } else { Err(invalid(format!("{key}: there is no file {}", path.display()))) }
        };
        let script = match &file.script {
            Some(script) => {
                require("script", script)?;
                script.clone()
            }
            None => script_in(&folder).map_err(|error| format!("{name}: {error}"))?,
        };
        if let Some(database) = &file.db {
            require("db", database)?;
        }
        let config = match &file.config {
            Some(Value::String(path)) => {
                require("config", Path::new(path))?;
                vec!["--config".to_owned(), path.clone()]
            }
            Some(Value::Bool(false)) => vec!["--no-config".to_owned()],
            Some(other) => return Err(invalid(format!("config must be the name of a file, or false: got {other}"))),
            None => nearest_config(&folder),
        };
        for command in file.before.iter().chain(&file.after) {
            if !command.first().is_some_and(|first| COMMANDS.contains(&first.as_str())) {
                let (commands, got) = (COMMANDS.join(", "), command.join(" "));
                return Err(invalid(format!("before and after take the commands {commands}: got {got:?}")));
            }
        }
        let database = file.db.as_ref().map(|path| folder.join(path));
        Ok(Self { name, folder, script, config, database, file })
    }

    /// Reason why the case is skipped, if it is.
    pub(super) fn skip_reason(&self) -> Option<&str> {
        self.file.not_on_quickjs.as_deref().filter(|_| cfg!(not(feature = "v8")))
    }

    /// Path of the file with the expected output.
    pub(super) fn expectation(&self) -> PathBuf {
        let quickjs = self.folder.join(QUICKJS_EXPECTATION);
        if cfg!(not(feature = "v8")) && quickjs.exists() { quickjs } else { self.folder.join(EXPECTATION) }
    }

    /// Path of the file with the expected output, relative to the working directory.
    pub(super) fn expectation_name(&self) -> String {
        let path = self.expectation();
        let file = path.file_name().map(|file| file.to_string_lossy().into_owned()).unwrap_or_default();
        format!("{}/{file}", self.name)
    }
}

fn read(folder: &Path) -> Result<CaseFile, String> {
    match files::read_text(&folder.join(CASE_FILE)) {
        Ok(text) => serde_json::from_str(&text).map_err(|error| error.to_string()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(CaseFile::default()),
        Err(error) => Err(format!("cannot be read: {error}")),
    }
}

fn script_in(folder: &Path) -> Result<PathBuf, String> {
    let scripts = SCRIPTS.into_iter().filter(|name| folder.join(name).is_file()).collect::<Vec<_>>();
    match scripts[..] {
        [script] => Ok(script.into()),
        [] => Err(format!("there is no {}, and no \"script\" in {CASE_FILE}", SCRIPTS.join(", "))),
        _ => Err(format!("there are {}: say in {CASE_FILE} which is the \"script\"", scripts.join(" and "))),
    }
}

/// Flags for the nearest settings file. The path is relative to the folder, so that no error text has an absolute path.
fn nearest_config(folder: &Path) -> Vec<String> {
    let Some(path) = Settings::find(folder) else { return vec!["--no-config".to_owned()] };
    let above = path.parent().and_then(|holder| folder.strip_prefix(holder).ok());
    let path =
        above.map_or(path.clone(), |below| below.components().map(|_| "..").collect::<PathBuf>().join(FILE_NAME));
    vec!["--config".to_owned(), path.display().to_string()]
}

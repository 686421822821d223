//! The golden scripts of the eight methods, for runs over other directories than the program's: the outcomes are compared with
//! those over SQLite, which the golden tests compare with the expectations.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use regex::{Captures, Regex};
use serde::Deserialize;
use tailor_idp::function::{FunctionRuntime, Invocation, Script};
use tailor_idp::idp::store::SqliteDatabase;
use tailor_idp::idp::{CallContext, CreateUser, HashCost, IdentityProvider, Invoker, NamespaceName, Principal, Router};
use tailor_idp::settings::Settings;

/// The areas of the eight methods. Cases that need flags, or a database prepared by more than creating users, are not run here.
const AREAS: [&str; 14] = [
    "concurrency",
    "constructor",
    "create-user",
    "delete-user",
    "errors",
    "examples",
    "invoker",
    "list-users",
    "paging",
    "permission",
    "read-user",
    "reset-email",
    "settings",
    "update-user",
];

/// The namespace of commands that name none.
const DEFAULT_NAMESPACE: &str = "builtin-idp";

/// A part of the log line about calls that were not awaited.
const UNDER_WAY: &str = " still under way ";

/// The keys of `case.json` that cases run here can have.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct CaseFile {
    script: Option<PathBuf>,
    invoker: Option<serde_json::Value>,
    before: Vec<Vec<String>>,
    #[serde(rename = "after")]
    _after: Vec<Vec<String>>,
    #[serde(rename = "not_on_quickjs")]
    _not_on_quickjs: Option<String>,
}

/// A user who is there before the script runs.
struct Prepared {
    namespace: NamespaceName,
    name: String,
    disabled: bool,
}

impl Prepared {
    /// The user of a command `users create`. `None` for other commands.
    fn parse(command: &[String]) -> Option<Self> {
        let [users, create, name, flags @ ..] = command else { return None };
        let mut user =
            Self { namespace: NamespaceName::new(DEFAULT_NAMESPACE).unwrap(), name: name.clone(), disabled: false };
        let mut flags = flags.iter().map(String::as_str);
        while let Some(flag) = flags.next() {
            match flag {
                "--disabled" => user.disabled = true,
                "--namespace" => user.namespace = NamespaceName::new(flags.next()?).ok()?,
                _ => return None,
            }
        }
        (users == "users" && create == "create" && !name.starts_with('-')).then_some(user)
    }
}

/// One case.
pub(crate) struct GoldenScript {
    /// The folder below `tests/scripts`.
    pub(crate) name: String,
    pub(crate) settings: Settings,
    folder: PathBuf,
    script: PathBuf,
    before: Vec<Prepared>,
    invoker: Option<String>,
}

impl GoldenScript {
    /// All cases that can be run over any directory, by name.
    pub(crate) fn all() -> Vec<Self> {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
        let mut cases: Vec<_> = AREAS
            .iter()
            .flat_map(|area| std::fs::read_dir(scripts.join(area)).unwrap())
            .map(|folder| folder.unwrap().path())
            .filter(|folder| folder.is_dir())
            .filter_map(|folder| Self::load(&scripts, folder))
            .collect();
        cases.sort_by(|one, other| one.name.cmp(&other.name));
        assert!(cases.len() >= 90, "only {} cases", cases.len());
        cases
    }

    fn load(scripts: &Path, folder: PathBuf) -> Option<Self> {
        let name = folder.strip_prefix(scripts).unwrap().display().to_string();
        let file = match std::fs::read_to_string(folder.join("case.json")) {
            Ok(text) => serde_json::from_str(&text).ok()?,
            Err(_) => CaseFile::default(),
        };
        // Those in TypeScript test the engine, not the users.
        let script = folder.join(file.script.unwrap_or_else(|| "main.js".into()));
        if !script.is_file() {
            return None;
        }
        let before = file.before.iter().map(|command| Prepared::parse(command)).collect::<Option<_>>()?;
        let settings = Settings::load(&Settings::find(&folder)?).unwrap();
        let invoker = file.invoker.map(|invoker| invoker.to_string());
        Some(Self { name, settings, folder, script, before, invoker })
    }

    /// Prepares the users and runs the script. The outcome is the result and the log, with ids, times and page tokens replaced by
    /// the order of their appearance.
    pub(crate) async fn run(&self, router: Router) -> String {
        let mut ids = BTreeMap::new();
        for Prepared { namespace, name, disabled } in &self.before {
            let context = CallContext::new(namespace.clone(), Principal::Host);
            let user = CreateUser { name: name.clone(), password: None, disabled: *disabled };
            match router.create_user(&context, user).await {
                Ok(user) => ids.insert(name.clone(), user.id),
                Err(error) => return format!("before: users create {name}: {:?} {}\n", error.code(), error.detail()),
            };
        }
        let with_ids = |text: &str| {
            ids.iter().fold(text.to_owned(), |text, (name, id)| text.replace(&format!("<id of {name}>"), id))
        };
        let argument = std::fs::read_to_string(self.folder.join("args.json")).unwrap_or_else(|_| "null".to_owned());
        let mut invocation = Invocation::new(serde_json::from_str(&with_ids(&argument)).unwrap());
        if let Some(invoker) = &self.invoker {
            let invoker: Invoker = serde_json::from_str(&with_ids(invoker)).unwrap();
            invocation = invocation.invoker(invoker);
        }
        let runtime = FunctionRuntime::builder(Arc::new(router)).build();
        let script = Script::from_file(&self.script).unwrap();
        let execution = runtime.run(&script, invocation).await;
        let mut outcome = match &execution.result {
            Ok(value) => format!("{value:#}\n"),
            // Without the stack.
            Err(error) => format!("{:?} {}\n", error.kind, error.to_string().lines().next().unwrap_or_default()),
        };
        for line in &execution.logs {
            // How many calls an error leaves behind is a matter of chance.
            if execution.result.is_ok() || !line.text.contains(UNDER_WAY) {
                outcome.push_str(&format!("{}\n", line.text));
            }
        }
        normalized(&outcome)
    }

    /// The outcome over SQLite, in a database in memory or in the file.
    pub(crate) async fn run_over_sqlite(&self, file: Option<&Path>) -> String {
        let database = file.map_or_else(SqliteDatabase::in_memory, SqliteDatabase::open).unwrap();
        let mut router = Router::builder().hash_cost(HashCost::danger_cheap_for_tests());
        for (name, entry) in &self.settings.namespaces {
            let store = database.namespace(name).await.unwrap();
            router = router.namespace(name.clone(), Arc::new(store), entry.settings.clone());
        }
        self.run(router.build()).await
    }
}

/// A text in which ids, times and page tokens are replaced by their order of appearance.
fn normalized(text: &str) -> String {
    let uuid = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}";
    let other_ids = r"\b0{4}\d{4}\b|auth0\|[0-9a-f]{24}|\b[Uu]2\d{4}n\d+\b|\buser_[0-9A-Za-z]{26}\b";
    let pattern = format!(r"{uuid}|{other_ids}|\d{{4}}-\d\d-\d\dT[\d:.]+Z|\b[\w-]{{34,}}\b");
    let mut seen = BTreeMap::new();
    let replaced = Regex::new(&pattern).unwrap().replace_all(text, |found: &Captures<'_>| {
        let next = seen.len();
        format!("[{}]", seen.entry(found[0].to_owned()).or_insert(next))
    });
    replaced.into_owned()
}

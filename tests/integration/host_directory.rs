//! The golden scripts of the eight methods over a custom directory, the one of `examples/embed.rs`.
//!
//! Scripts behave as over SQLite. [`DIFFERENCES`] lists the exceptions.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pretty_assertions::{assert_eq, assert_ne};
use regex::{Captures, Regex};
use tailor_idp::function::{FunctionRuntime, Invocation, Script};
use tailor_idp::idp::store::SqliteDatabase;
use tailor_idp::idp::{HashCost, Router};
use tailor_idp::settings::Settings;

use self::embed::StaffList;

#[allow(dead_code, unreachable_pub, reason = "the example is a program with a `main`")]
#[path = "../../examples/embed.rs"]
mod embed;

/// The areas of the eight methods. Cases that prepare a database or need flags are not run here.
const AREAS: [&str; 12] = [
    "concurrency",
    "constructor",
    "create-user",
    "delete-user",
    "errors",
    "list-users",
    "paging",
    "permission",
    "read-user",
    "reset-email",
    "settings",
    "update-user",
];

/// Cases whose outcome differs, in order, with the reason.
const DIFFERENCES: [(&str, &str); 6] = [
    ("concurrency/not-awaited", "the map answers immediately: no call is pending when the handler is done"),
    ("create-user/returns-the-user", "ids are not UUIDs"),
    ("reset-email/has-a-limit", NO_RESET_MAILS),
    ("reset-email/queues-a-mail", NO_RESET_MAILS),
    ("reset-email/redirect-uri-is-absolute-http", NO_RESET_MAILS),
    ("settings/return-origins", NO_RESET_MAILS),
];

const NO_RESET_MAILS: &str = "sending password-reset mails is UNIMPLEMENTED";

/// A text in which ids, times and page tokens are replaced by their order of appearance.
fn normalized(text: &str) -> String {
    let pattern = Regex::new(
        r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}|\b0{4}\d{4}\b|\d{4}-\d\d-\d\dT[\d:.]+Z|\b[\w-]{34,}\b",
    )
    .unwrap();
    let mut seen = BTreeMap::new();
    let replaced = pattern.replace_all(text, |found: &Captures<'_>| {
        let next = seen.len();
        format!("[{}]", seen.entry(found[0].to_owned()).or_insert(next))
    });
    replaced.into_owned()
}

/// The settings of a case that needs no preparation: its own, else those of all cases.
fn settings(case: &Path) -> Option<Settings> {
    let case_file = std::fs::read_to_string(case.join("case.json")).unwrap_or_default();
    if !case_file.is_empty() && !case_file.contains("not_on_quickjs") {
        return None;
    }
    Some(Settings::load(&Settings::find(case)?).unwrap())
}

async fn outcome(router: Router, case: &Path) -> String {
    let runtime = FunctionRuntime::builder(Arc::new(router)).build();
    let script = Script::from_file(case.join("main.js")).unwrap();
    let argument = std::fs::read_to_string(case.join("args.json")).unwrap_or_else(|_| "null".to_owned());
    let execution = runtime.run(&script, Invocation::new(serde_json::from_str(&argument).unwrap())).await;
    let result = match &execution.result {
        Ok(value) => format!("{value:#}"),
        Err(error) => format!("{:?} {error}", error.kind),
    };
    let logs: Vec<_> = execution.logs.iter().map(|line| line.text.as_str()).collect();
    normalized(&format!("{result}\n{}", logs.join("\n")))
}

async fn over_sqlite(settings: &Settings) -> Router {
    let database = SqliteDatabase::in_memory().unwrap();
    let mut router = Router::builder().hash_cost(HashCost::danger_cheap_for_tests());
    for (name, entry) in &settings.namespaces {
        let store = database.namespace(name).await.unwrap();
        router = router.namespace(name.clone(), Arc::new(store), entry.settings.clone());
    }
    router.build()
}

fn over_staff_lists(settings: &Settings) -> Router {
    let namespaces = settings.namespaces.iter();
    let add = |router: tailor_idp::idp::RouterBuilder, (name, entry): (_, &tailor_idp::settings::NamespaceEntry)| {
        let name: &tailor_idp::idp::NamespaceName = name;
        router.directory(name.clone(), Arc::new(StaffList::default()), entry.settings.clone())
    };
    namespaces.fold(Router::builder(), add).build()
}

fn cases() -> Vec<(String, PathBuf)> {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let mut cases: Vec<_> = AREAS
        .iter()
        .flat_map(|area| {
            let folders = std::fs::read_dir(scripts.join(area)).unwrap();
            folders.map(|folder| folder.unwrap().path()).filter(|folder| folder.join("main.js").is_file())
        })
        .map(|folder| (folder.strip_prefix(&scripts).unwrap().display().to_string(), folder))
        .collect();
    cases.sort();
    cases
}

#[tokio::test(flavor = "multi_thread")]
async fn golden_scripts_behave_over_a_host_directory_as_over_sqlite() {
    let (mut same, mut different) = (0, Vec::new());
    for (name, folder) in cases() {
        let Some(settings) = settings(&folder) else { continue };
        let sqlite = outcome(over_sqlite(&settings).await, &folder).await;
        let staff_list = outcome(over_staff_lists(&settings), &folder).await;
        if let Some((_, reason)) = DIFFERENCES.iter().find(|(known, _)| *known == name) {
            assert_ne!(staff_list, sqlite, "{name} does not differ, although {reason}");
            different.push(name);
            continue;
        }
        assert_eq!(staff_list, sqlite, "{name}");
        same += 1;
    }
    assert_eq!(different, DIFFERENCES.map(|(name, _)| name.to_owned()), "cases that differ");
    assert!(same >= 50, "only {same} cases were compared");
}

//! The public API of the function runtime.

mod bounds;
mod calls;
mod crashes;
mod fuzz;
mod limits;
mod pool;
#[cfg(target_os = "linux")]
mod soak;

use std::sync::{Arc, Mutex};

use pretty_assertions::assert_eq;
use serde_json::json;
use tailor_idp::function::{
    ErrorKind, Execution, FunctionRuntime, FunctionRuntimeBuilder, Invocation, Limit, Limits, Script,
};
use tailor_idp::idp::store::SqliteDatabase;
use tailor_idp::idp::{HashCost, NamespaceName, NamespaceSettings, Permission, Router};

async fn idp() -> Router {
    let name = NamespaceName::new("builtin-idp").unwrap();
    let store = SqliteDatabase::in_memory().unwrap().namespace(&name).await.unwrap();
    let idp = Router::builder().hash_cost(HashCost::danger_cheap_for_tests());
    idp.namespace(name, Arc::new(store), NamespaceSettings::default().permission(Permission::allow_all())).build()
}

async fn builder() -> FunctionRuntimeBuilder {
    FunctionRuntime::builder(Arc::new(idp().await))
}

async fn runtime() -> FunctionRuntime {
    builder().await.build()
}

/// Number of executions in stress tests. `TAILOR_IDP_TEST_ROUNDS=11000` also finds rare failures.
fn rounds() -> usize {
    std::env::var("TAILOR_IDP_TEST_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(880)
}

fn script(text: &str) -> Script {
    Script::new("file:///handler.js".parse().unwrap(), text)
}

/// Runs a handler with this body and these limits.
async fn run(limits: Limits, body: &str) -> Execution {
    let script = script(&format!("export default async (argument) => {{ {body} }}"));
    runtime().await.run(&script, Invocation::default().limits(limits)).await
}

fn ended_by(execution: &Execution) -> (Option<Limit>, String) {
    match &execution.result {
        Ok(value) => (None, value.to_string()),
        Err(error) => (error.limit, error.message.clone()),
    }
}

fn outcome(execution: &Execution) -> (String, Vec<String>) {
    let result = match &execution.result {
        Ok(value) => value.to_string(),
        Err(error) => format!("{:?} {error}", error.kind),
    };
    (result, execution.logs.iter().map(|line| format!("{} {}", line.level.as_str(), line.text)).collect())
}

#[tokio::test]
async fn changes_to_global_scope_do_not_reach_next_execution() {
    let runtime = runtime().await;
    let vandal = script(
        "Array.prototype.push = Array.prototype.map = () => { throw new Error('patched'); };
         Object.prototype.code = Object.prototype.message = 'patched';
         Object.defineProperty(Object.prototype, 'namespace', { get() { throw new Error('patched'); } });
         Promise.prototype.then = () => { throw new Error('patched'); };
         JSON.stringify = () => 'patched';
         globalThis.tailor.idp.Client.prototype.user = () => 'patched';
         globalThis.seen = true;
         export default async () => {
           const idp = new tailor.idp.Client('builtin-idp');
           const { id } = await idp.createUser({ name: 'ana@example.com' });
           return typeof id;
         }",
    );
    let next = script(
        "export default async () => {
           const idp = new tailor.idp.Client({ namespace: 'builtin-idp' });
           const list = []; list.push(1);
           const error = await idp.user('ghost').then(String, ({ code }) => code);
           return { error, list, seen: typeof seen, json: JSON.stringify({}), plain: {}.code ?? null };
         }",
    );
    let vandalism = runtime.run(&vandal, Invocation::default()).await;
    assert_eq!(outcome(&vandalism).0, "\"string\"");
    let execution = runtime.run(&next, Invocation::default()).await;
    let unharmed = json!({ "error": "NOT_FOUND", "list": [1], "seen": "undefined", "json": "{}", "plain": null });
    assert_eq!(execution.result.unwrap(), unharmed);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_executions_share_users_and_no_globals() {
    let runtime = runtime().await;
    let script = script(
        "globalThis.runs = (globalThis.runs ?? 0) + 1;
         export default async ({ name }) => {
           const idp = new tailor.idp.Client('builtin-idp');
           const user = await idp.createUser({ name });
           return [runs, (await idp.user(user.id)).name];
         }",
    );
    let runs = (0..24).map(|index| {
        let (runtime, script) = (runtime.clone(), script.clone());
        let name = format!("user-{index}@example.com");
        tokio::spawn(
            async move { (name.clone(), runtime.run(&script, Invocation::new(json!({ "name": name }))).await) },
        )
    });
    for run in futures::future::join_all(runs).await {
        let (name, execution) = run.unwrap();
        assert_eq!(execution.result.unwrap(), json!([1, name]));
    }
}

#[tokio::test]
async fn log_lines_reach_callback_and_record() {
    let live = Arc::new(Mutex::new(Vec::new()));
    let invocation = Invocation::default().on_log({
        let live = Arc::clone(&live);
        move |line| live.lock().unwrap().push(line.clone())
    });
    let text = "export default () => { console.debug('a'); console.warn('b\\nc'); console.error('d'); throw 1 }";
    let execution = runtime().await.run(&script(text), invocation).await;
    assert_eq!(
        outcome(&execution),
        ("UserRuntime Uncaught 1".into(), vec!["DEBUG a".into(), "WARN b\nc".into(), "ERROR d".into()])
    );
    assert_eq!(*live.lock().unwrap(), execution.logs);
    assert!(execution.logs.iter().all(|line| execution.started_at <= line.at && line.at <= execution.finished_at));
    let printed = execution.logs[0].to_string();
    let (time, rest) = printed.split_at("2025-02-14T07:16:31.590771150Z".len());
    assert!(time.ends_with('Z') && time.contains('.') && rest == " DEBUG a", "{printed}");
}

#[tokio::test]
async fn error_kind_tells_handler_failure_from_invalid_script() {
    let runtime = runtime().await;
    let kind = async |text: &str| runtime.run(&script(text), Invocation::default()).await.result.unwrap_err().kind;
    assert_eq!(kind("export default () => { throw new Error('no') }").await, ErrorKind::UserRuntime);
    assert_eq!(kind("export default async () => { await null; nothing.there }").await, ErrorKind::UserRuntime);
    assert_eq!(kind("export default () => {").await, ErrorKind::UserNonRuntime);
    assert_eq!(kind("export const handler = () => 1").await, ErrorKind::UserNonRuntime);
    assert_eq!(kind("export default () => 1n").await, ErrorKind::UserNonRuntime);
}

#[tokio::test]
async fn cached_code_runs_and_reports_original_positions() {
    let runtime = runtime().await;
    let text = "type Argument = { fail?: boolean };\n\nexport default ({ fail }: Argument) => {\n  if (fail) throw new Error('no');\n  return 1;\n};";
    let script = Script::new("file:///handler.ts".parse().unwrap(), text);
    assert_eq!(script.source_len(), text.len());
    for _ in 0..3 {
        assert_eq!(runtime.run(&script, Invocation::new(json!({}))).await.result.unwrap(), json!(1));
        let error = runtime.run(&script, Invocation::new(json!({ "fail": true }))).await.result.unwrap_err();
        assert_eq!(error.to_string(), "Error: no\n    at default (file:///handler.ts:4:19)");
        let frame = error.code_frame.unwrap();
        assert_eq!((frame.file(), frame.line(), frame.column()), ("file:///handler.ts", 4, 19));
    }
}

#[tokio::test]
async fn imports_are_read_at_load_and_only_below_root() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let inner = folder.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    write("inner/main.js", "import { a } from '../a.js'; export default () => a;");
    write("a.js", "export const a = 'a';");
    let main = inner.join("main.js");
    let narrow = Script::from_file(&main).unwrap();
    let wide = Script::from_file_in_root(&main, folder.path()).unwrap();
    write("package.json", "{}");
    let project = Script::from_file(&main).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    assert!(
        Script::from_file_in_root(&main, elsewhere.path()).unwrap_err().to_string().contains("not in the root folder")
    );
    std::fs::write(elsewhere.path().join("secret.js"), "export const a = 'secret';").unwrap();
    std::fs::remove_file(folder.path().join("a.js")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(elsewhere.path().join("secret.js"), folder.path().join("a.js")).unwrap();
    let linked = Script::from_file(&main).unwrap();
    let runtime = runtime().await;
    for script in [&wide, &project] {
        assert_eq!(runtime.run(script, Invocation::default()).await.result.unwrap(), json!("a"));
    }
    for script in [&narrow, &linked] {
        let error = runtime.run(script, Invocation::default()).await.result.unwrap_err();
        assert_eq!(
            error.message,
            "\"../a.js\" is not available: it is outside of the script's root folder, which a tailor-idp.toml or package.json further up would make larger"
        );
        assert_eq!(error.kind, ErrorKind::UserNonRuntime);
    }
}

//! Worker processes.

mod deaths;

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use pretty_assertions::assert_eq;
use rustix::process::Signal;
use serde_json::{Value, json};
use tailor_idp::function::{
    Attempt, AttemptOutcome, Execution, FunctionRuntime, FunctionRuntimeBuilder, Invocation, Isolation, Limit, Limits,
    ProcessOptions, Script, Share, Workers, sandbox_status,
};
use tailor_idp::idp::store::SqliteDatabase;
use tailor_idp::idp::{HashCost, Invoker, InvokerType, NamespaceName, NamespaceSettings, Permission, Router};

use crate::support::{program, send_signal};
use crate::worker_processes::{is_alive, program_alone, unknown_call, worker_processes, workers_of};

fn options() -> ProcessOptions {
    ProcessOptions::default().program(env!("CARGO_BIN_EXE_tailor-idp")).report_unknown_calls()
}

async fn idp() -> Router {
    let name = NamespaceName::new("builtin-idp").unwrap();
    let store = SqliteDatabase::in_memory().unwrap().namespace(&name).await.unwrap();
    let idp = Router::builder().hash_cost(HashCost::danger_cheap_for_tests());
    idp.namespace(name, Arc::new(store), NamespaceSettings::default().permission(Permission::allow_all())).build()
}

async fn builder(options: ProcessOptions) -> FunctionRuntimeBuilder {
    FunctionRuntime::builder(Arc::new(idp().await)).workers(Workers::Processes(options))
}

fn script(body: &str) -> Script {
    Script::new("file:///handler.js".parse().unwrap(), format!("export default async (argument) => {{ {body} }}"))
}

fn invoker(workspace: &str) -> Invoker {
    Invoker {
        id: "ana".to_owned(),
        kind: InvokerType::User,
        workspace_id: workspace.to_owned(),
        attributes: Vec::new(),
        attribute_map: serde_json::Map::new(),
    }
}

/// Result, or limit and error; and the log.
type Summary = (Result<Value, (Option<Limit>, String)>, Vec<String>);

fn summary(execution: &Execution) -> Summary {
    let result = execution.result.clone().map_err(|error| (error.limit, error.to_string()));
    (result, execution.logs.iter().map(|line| format!("{} {}", line.level.as_str(), line.text)).collect())
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started_at = Instant::now();
    while !is_so() {
        assert!(started_at.elapsed() < Duration::from_secs(60), "still not so: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn executions_have_the_same_records_in_processes_as_in_threads() {
    let threads = FunctionRuntime::builder(Arc::new(idp().await)).build();
    let processes = builder(options()).await.build();
    for body in [
        "return argument;",
        "return [tailor.context.invoker.id, typeof crypto.subtle, new Date(0).toString()];",
        "console.log('a', { b: 1 }); console.error('c'); return undefined;",
        "throw new TypeError('no');",
        "const x = 1; x.y.z();",
        "for (;;) ;",
        "return NaN;",
        "return 10n;",
        "await new Promise(() => {});",
        "const all = []; for (;;) all.push(new Array(1000).fill(1));",
        "for (let i = 0; i < 20_000; i++) console.log(i);",
        "const idp = new tailor.idp.Client({ namespace: 'builtin-idp' });
         const { id } = await idp.createUser({ name: 'ana', password: 'correct horse battery' });
         const same = (await idp.user(id)).name === (await idp.userByName('ana')).name;
         await idp.updateUser({ id, name: 'bo', disabled: true });
         const { users, totalCount } = await idp.users({ first: 1, query: { names: ['bo'] } });
         await idp.deleteUser(id);
         return [same, users[0].disabled, totalCount, (await idp.users()).totalCount];",
        "const idp = new tailor.idp.Client({ namespace: 'builtin-idp' });
         const codes = await Promise.allSettled([
           idp.user('nobody'), idp.createUser({ name: '' }), idp.users({ first: -1 }),
           new tailor.idp.Client({ namespace: 'other-idp' }).users(),
           idp.unenrollMfa({ userId: 'a', mfaFactorId: 'b' }),
           idp.sendPasswordResetEmail({ userId: 'a', redirectUri: 'https://a.example' }),
         ]);
         return codes.map(({ reason }) => [reason.code, reason.message]);",
        "const idp = new tailor.idp.Client({ namespace: 'builtin-idp' });
         const calls = Array.from({ length: 3000 }, () => idp.users());
         return (await Promise.all(calls)).length;",
    ] {
        let limits = Limits { time: Duration::from_secs(2), ..Limits::default() };
        let invocation = || {
            let argument = json!({ "a": ["\u{0}é\\", -0.0, 1e300, null] });
            Invocation::new(argument).invoker(invoker("w")).limits(limits.clone())
        };
        let script = script(body);
        let [mut expected, mut actual] =
            [&threads.run(&script, invocation()).await, &processes.run(&script, invocation()).await].map(summary);
        for (result, _) in [&mut expected, &mut actual] {
            // The amount that was used differs.
            if let Err((Some(Limit::Memory), text)) = result {
                text.clear();
            }
        }
        assert_eq!(actual, expected, "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_are_shared_as_the_options_say() {
    const COUNT: &str = "globalThis.runs = (globalThis.runs ?? 0) + 1; return globalThis.runs;";
    for (share, expected) in [
        (Share::Execution, [1, 1, 1, 1]),
        // An isolate has one script and one workspace.
        (Share::Script, [1, 2, 1, 1]),
        (Share::Workspace, [1, 2, 1, 1]),
    ] {
        let runtime = builder(options().share(share))
            .await
            .isolation(Isolation::reuse())
            .max_workers(1.try_into().unwrap())
            .build();
        let (one, other) = (script(COUNT), script(COUNT));
        let mut runs = Vec::new();
        for (script, workspace) in [(&one, "a"), (&one, "a"), (&one, "b"), (&other, "b")] {
            let execution = runtime.run(script, Invocation::default().invoker(invoker(workspace))).await;
            runs.push(execution.result.unwrap());
        }
        assert_eq!(runs, expected, "{share:?}");
        runtime.shutdown(Duration::from_secs(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forked_isolates_have_random_numbers_of_their_own() {
    let runtime = builder(options().share(Share::Execution)).await.build();
    let script = script("return [Math.random(), crypto.randomUUID()];");
    let mut seen = Vec::new();
    for _ in 0..5 {
        let values = runtime.run(&script, Invocation::default()).await.result.unwrap();
        assert!(!seen.contains(&values[0]) && !seen.contains(&values[1]), "{values} again: {seen:?}");
        seen.extend(values.as_array().unwrap().iter().cloned());
    }
}

#[test]
fn sandbox_refuses_everything_with_each_layer_alone() {
    let status = sandbox_status(&ProcessOptions::default().program(env!("CARGO_BIN_EXE_tailor-idp"))).unwrap();
    let allowed = |outcomes: &[(Attempt, AttemptOutcome)]| -> Vec<_> {
        let allowed = outcomes.iter().filter(|(_, outcome)| *outcome == AttemptOutcome::Allowed);
        allowed.map(|(attempt, _)| attempt.description()).collect()
    };
    assert_eq!(status.in_force.len(), Attempt::ALL.len());
    assert_eq!(allowed(&status.in_force), Vec::<&str>::new());
    assert_eq!(allowed(&status.seccomp), Vec::<&str>::new());
    if fs::read_to_string("/sys/kernel/security/lsm").is_ok_and(|modules| modules.contains("landlock")) {
        assert_eq!(allowed(&status.landlock), Vec::<&str>::new());
    }
}

#[test]
fn system_call_that_the_sandbox_does_not_know_is_named() {
    let error = sandbox_status(&options()).unwrap_err().to_string();
    // Which one comes first is up to the standard library.
    let call = unknown_call(&error).unwrap_or_else(|| panic!("{error}"));
    assert!(["fcntl", "socket", "statx"].contains(&&*call), "{call}");
}

/// Kills workers in the midst of executions: each execution has a right record, and no other is affected.
#[tokio::test(flavor = "multi_thread")]
async fn killed_workers_fail_their_execution_alone() {
    const EXECUTIONS: usize = 200;
    let folder = tempfile::TempDir::new().unwrap();
    let alone = program_alone(folder.path());
    let runtime = builder(options().program(&alone)).await.max_workers(4.try_into().unwrap()).build();
    let script = script(
        "const idp = new tailor.idp.Client({ namespace: 'builtin-idp' });
         for (let i = 0; i < 100; i++) await idp.users();
         return argument.number;",
    );
    let (done, kills) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let killer = {
        let (done, kills) = (Arc::clone(&done), Arc::clone(&kills));
        thread::spawn(move || {
            let signals = [Signal::KILL, Signal::SEGV, Signal::ABORT];
            while done.load(Relaxed) < EXECUTIONS {
                let workers = workers_of(&alone);
                let number = kills.load(Relaxed);
                if let Some(worker) = workers.get(number % workers.len().max(1)) {
                    let process = rustix::process::Pid::from_raw(i32::try_from(*worker).unwrap()).unwrap();
                    // Fails if it has just ended.
                    if rustix::process::kill_process(process, signals[number % signals.len()]).is_ok() {
                        kills.fetch_add(1, Relaxed);
                    }
                }
                thread::sleep(Duration::from_millis(20));
            }
        })
    };
    let executions = (0..EXECUTIONS).map(|number| {
        let (runtime, script, done) = (runtime.clone(), script.clone(), Arc::clone(&done));
        tokio::spawn(async move {
            let execution = runtime.run(&script, Invocation::new(json!({ "number": number }))).await;
            done.fetch_add(1, Relaxed);
            (number, execution)
        })
    });
    let mut crashes = 0;
    for execution in executions.collect::<Vec<_>>() {
        let (number, execution) = execution.await.unwrap();
        match execution.result {
            Ok(value) => assert_eq!(value, json!(number)),
            Err(error) => {
                // Two processes in a row can be killed while they start.
                let did_not_start = error.message.starts_with("cannot start a worker process");
                assert!(did_not_start || error.message.contains("ended abnormally"), "{error}");
                assert_eq!(error.limit, Some(Limit::Crash).filter(|_| !did_not_start), "{error}");
                crashes += 1;
            }
        }
    }
    killer.join().unwrap();
    // The last signal takes effect.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let kills = kills.load(Relaxed);
    assert!(crashes <= kills && crashes > 0, "{crashes} executions failed of {kills} killed workers");
    assert_eq!(runtime.run(&script, Invocation::new(json!({ "number": 7 }))).await.result.unwrap(), json!(7));
    assert!(runtime.shutdown(Duration::from_secs(10)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled_execution_ends_its_process() {
    let folder = tempfile::TempDir::new().unwrap();
    let alone = program_alone(folder.path());
    let runtime = builder(options().program(&alone)).await.prepared(0).build();
    let script = script("for (;;) ;");
    let run = tokio::time::timeout(Duration::from_millis(300), runtime.run(&script, Invocation::default())).await;
    assert!(run.is_err());
    wait_until("the worker has ended", || workers_of(&alone).is_empty());
    assert!(runtime.shutdown(Duration::from_secs(10)).await);
}

#[test]
fn workers_end_with_their_host() {
    let folder = tempfile::TempDir::new().unwrap();
    let handler = folder.path().join("handler.js");
    fs::write(&handler, "export default () => { console.log('started'); for (;;) ; };").unwrap();
    let mut host = program();
    // Not a child of a shell that reaps it.
    host.arg("run").arg(&handler).args(["--isolation", "process"]).process_group(0);
    let mut host = host.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut processes = (Vec::new(), Vec::new());
    wait_until("a worker runs", || {
        processes = worker_processes(host.id());
        !processes.1.is_empty()
    });
    send_signal(host.id(), Signal::KILL);
    host.wait().unwrap();
    let (zygotes, workers) = processes;
    wait_until("zygote and workers have ended", || !zygotes.iter().chain(&workers).any(|process| is_alive(*process)));
}

#[tokio::test(flavor = "multi_thread")]
async fn program_without_an_entry_for_workers_is_reported() {
    let runtime = builder(ProcessOptions::default().program("/bin/true")).await.prepared(0).build();
    let error = runtime.run(&script("return 1;"), Invocation::default()).await.result.unwrap_err();
    assert!(error.message.contains("call tailor_idp::function::worker_entry() first"), "{error}");
}

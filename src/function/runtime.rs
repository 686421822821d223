//! [`FunctionRuntime`], the interface of the function runtime for hosts.

use std::future::{Future, poll_fn};
use std::num::NonZero;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::argument::check_depth;
use super::console::collect_lines;
use super::execution::{Execution, ExecutionError, Invocation, LogLine, Usage};
#[cfg(feature = "inspector")]
use super::inspector::Inspector;
use super::isolate::{BuiltinGuards, GlobalScopeSource, IsolateConfig};
use super::limits::{Limit, Limits};
use super::memory::MIN_HEAP_BYTES;
use super::pool::{self, Isolation, Pool, PoolConfig, SubmitError};
use super::runner::{Outcome, Request, WarmKey, termination_error};
use super::script::Script;
use super::termination::{TerminationHandle, TerminationReason};
use super::watchdog::{self, Watch, WatchTarget};
use super::workers::{Share, Workers};
use crate::extension::{FetchSettings, JsonText};
use crate::idp::{IdentityProvider, Principal};

/// Default of [`FunctionRuntimeBuilder::max_workers`]. More than most machines have cores, since functions mostly wait.
const DEFAULT_MAX_WORKERS: usize = 64;
/// Default of [`FunctionRuntimeBuilder::queue`].
const DEFAULT_QUEUE_CAPACITY: usize = 1_000;
/// Default of [`FunctionRuntimeBuilder::idle_timeout`].
const DEFAULT_IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Time that a shutdown waits for the workers of executions that it has terminated.
const SHUTDOWN_GRACE_PERIOD: Duration = Duration::from_secs(2);

/// Runtime for function scripts, over an identity provider.
///
/// Cheap to clone, and callable from any tokio task. Isolates run on threads of their own, which are started and stopped as
/// needed.
///
/// V8 shares its read-only heap among all isolates of a process, so that all of them have to start from the same snapshot. A
/// process with a `FunctionRuntime` cannot at the same time have isolates from another snapshot, or from none.
#[derive(Clone)]
pub struct FunctionRuntime(Arc<PoolOwner>);

/// Closes the pool when the last clone of the runtime is dropped. Workers hold the pool but not its owner.
struct PoolOwner(Arc<Pool>);

impl Drop for PoolOwner {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Builder of a [`FunctionRuntime`].
#[derive(Clone)]
#[must_use]
pub struct FunctionRuntimeBuilder(PoolConfig);

impl FunctionRuntimeBuilder {
    /// Sets how executions share isolates. Default: [`Isolation::Fresh`].
    pub fn isolation(mut self, isolation: Isolation) -> Self {
        self.0.isolation = isolation;
        self
    }

    /// Sets where executions run. Default: [`Workers::Threads`].
    ///
    /// Worker processes need Linux and V8. The host's `main` has to call
    /// [`worker_entry`](crate::function::worker_entry) first.
    pub fn workers(mut self, workers: Workers) -> Self {
        self.0.workers = workers;
        self
    }

    /// Sets the limits of invocations that have none of their own. Default: [`Limits::default`].
    pub fn limits(mut self, limits: Limits) -> Self {
        self.0.limits = limits;
        self
    }

    /// Sets the number of idle workers that are kept ready, with [`Isolation::Fresh`] each with a prepared isolate. Default: the
    /// number of cores. Use 0 for a program that runs one script and exits.
    pub fn prepared(mut self, workers: usize) -> Self {
        self.0.prepared_workers = workers;
        self
    }

    /// Sets the maximum number of workers, and thus of concurrent executions. Default: 64.
    pub fn max_workers(mut self, workers: NonZero<usize>) -> Self {
        self.0.max_workers = workers.get();
        self
    }

    /// Sets the maximum number of executions that wait for a worker. Default: 1,000. Further executions fail with
    /// [`Limit::Queue`].
    pub fn queue(mut self, executions: NonZero<usize>) -> Self {
        self.0.queue_capacity = executions.get();
        self
    }

    /// Sets the time after which an idle worker exits, unless it is one of those that are kept ready. Default: 30 s.
    pub fn idle_timeout(mut self, time: Duration) -> Self {
        self.0.idle_timeout = time;
        self
    }

    /// Sets the hosts and limits of `fetch`. Default: no host is allowed.
    pub fn fetch(mut self, settings: FetchSettings) -> Self {
        self.0.isolate.fetch = settings;
        self
    }

    /// Sets whether ECMAScript built-ins have guards. Default: [`BuiltinGuards::Enabled`].
    ///
    /// The guards bound built-ins that V8 runs without a check for termination, or whose result can abort the process. They
    /// make these built-ins slower, and are optional where the operating system limits the process: see [`BuiltinGuards`].
    pub fn builtin_guards(mut self, guards: BuiltinGuards) -> Self {
        self.0.isolate.builtin_guards = guards;
        self
    }

    /// Lets debuggers attach. For script authors, not for production.
    ///
    /// The runtime then runs one script at a time, each in a fresh isolate. Time limits and deadlines do not apply, since a
    /// debugger can pause a script for any time; memory limits do. A paused script is terminated as any other, when its future
    /// is dropped or the runtime shuts down.
    #[cfg(feature = "inspector")]
    pub fn inspector(mut self, inspector: Inspector) -> Self {
        self.0.isolate.inspector = Some(inspector);
        // Debuggers must not see prepared isolates, or several at once.
        (self.0.isolation, self.0.prepared_workers, self.0.max_workers) = (Isolation::Fresh, 0, 1);
        self.0.workers = Workers::Threads;
        self
    }

    /// Allows scripts to compile text with `eval` and `new Function`. The platform does not allow it.
    pub fn allow_code_from_strings(mut self) -> Self {
        self.0.isolate.allow_code_from_strings = true;
        self
    }

    /// Loads the global scope of every isolate from JavaScript sources instead of the snapshot. Slow, and works only where the
    /// program was built. For tests that both are equal. Applies to all runtimes of a process or to none.
    #[doc(hidden)]
    pub fn without_snapshot(mut self) -> Self {
        self.0.isolate.global_scope = GlobalScopeSource::JavaScript;
        self
    }

    /// Creates the runtime. The first runtime of a process initializes V8.
    #[must_use]
    pub fn build(self) -> FunctionRuntime {
        FunctionRuntime(Arc::new(PoolOwner(Pool::new(self.0))))
    }
}

impl FunctionRuntime {
    /// Builder of a runtime whose scripts manage the users of `idp`.
    pub fn builder(idp: Arc<dyn IdentityProvider>) -> FunctionRuntimeBuilder {
        FunctionRuntimeBuilder(PoolConfig {
            isolate: IsolateConfig {
                global_scope: GlobalScopeSource::Snapshot,
                builtin_guards: BuiltinGuards::default(),
                idp,
                fetch: FetchSettings::default(),
                allow_code_from_strings: false,
                #[cfg(feature = "inspector")]
                inspector: None,
            },
            limits: Limits::default(),
            isolation: Isolation::Fresh,
            workers: Workers::Threads,
            prepared_workers: thread::available_parallelism().map_or(1, NonZero::get),
            max_workers: DEFAULT_MAX_WORKERS,
            queue_capacity: DEFAULT_QUEUE_CAPACITY,
            idle_timeout: DEFAULT_IDLE_TIMEOUT,
        })
    }

    /// Starts to initialize V8 in the background and returns at once. Optional: for programs that do other work, such as opening
    /// stores, before they create a runtime.
    pub fn start_engine() {
        pool::start_engine();
    }

    /// Runs a script: loads its modules, calls its handler with the invocation's argument, and awaits the result.
    ///
    /// All errors are part of the record. Work that the handler has started but not awaited is abandoned when the handler
    /// returns: such calls of `tailor.idp` may or may not happen, and the log has a warning.
    ///
    /// Dropping the future terminates the script.
    pub async fn run(&self, script: &Script, invocation: Invocation) -> Execution {
        let started_at = SystemTime::now();
        let logs = Arc::new(Mutex::new(Vec::new()));
        let outcome = match self.execute(script, invocation, Arc::clone(&logs)).await {
            Ok(outcome) => outcome,
            Err(error) => Outcome { result: Err(error), usage: Usage::default() },
        };
        let logs = std::mem::take(&mut *logs.lock());
        let Outcome { result, usage } = outcome;
        tracing::debug!(script = %script.specifier(), ok = result.is_ok(), took = ?usage.wall_time, "a script has run");
        Execution { result, logs, started_at, finished_at: SystemTime::now(), usage }
    }

    /// Submits an execution and waits for its outcome.
    ///
    /// # Errors
    ///
    /// Fails if the execution is not accepted.
    async fn execute(
        &self,
        script: &Script,
        invocation: Invocation,
        logs: Arc<Mutex<Vec<LogLine>>>,
    ) -> Result<Outcome, ExecutionError> {
        let pool = &self.0.0;
        let Invocation { argument, principal, on_log, limits, deadline } = invocation;
        let mut limits = limits.unwrap_or_else(|| pool.config().limits.clone());
        limits.memory = limits.memory.max(MIN_HEAP_BYTES);
        check_depth(&argument).map_err(|error| ExecutionError {
            limit: Some(Limit::Argument),
            ..ExecutionError::invalid_script("RangeError", format!("the argument {error}"))
        })?;
        let argument = JsonText::new(argument);
        check_sizes(script, &argument, &limits)?;
        // The deadline applies in the queue as well as in a worker.
        let deadline = deadline.filter(|_| !pool.config().isolate.is_inspected());
        let termination = Arc::new(TerminationHandle::default());
        let submitted_at = Instant::now();
        let request = Request {
            script: script.clone(),
            argument,
            warm_key: self.warm_key(script, &principal),
            principal,
            limits: limits.clone(),
            termination: Arc::clone(&termination),
            log: collect_lines(logs, on_log),
            submitted_at,
            deadline,
        };
        let _watch = deadline.map(|at| watch_deadline(at, &termination)).transpose()?;
        let (sender, receiver) = oneshot::channel();
        let id = pool.submit(request, sender).map_err(|error| submit_error(error, &limits))?;
        let pending = PendingExecution { pool, id, termination: &termination, receiver, is_done: false };
        Ok(pending.wait(&limits, submitted_at).await)
    }

    /// Key of the isolates or processes that the execution can share. None if it shares none.
    fn warm_key(&self, script: &Script, principal: &Principal) -> Option<WarmKey> {
        let workspace = principal.invoker().map(|invoker| Arc::from(invoker.workspace_id.as_str()));
        let config = self.0.0.config();
        let script = match (&config.workers, config.isolation) {
            (Workers::Threads, Isolation::Fresh) => return None,
            (Workers::Threads, Isolation::Reuse { .. }) => Some(script.id()),
            (Workers::Processes(options), _) => match options.share {
                Share::Execution => return None,
                Share::Script => Some(script.id()),
                Share::Workspace => None,
            },
        };
        Some(WarmKey { script, workspace })
    }

    /// Shuts down the runtime, including all clones: refuses further executions, waits until `timeout` for running and queued
    /// ones, then terminates them. Returns whether all ended before the timeout.
    ///
    /// Afterwards all threads have exited and have released the identity provider and its stores. A program should call it
    /// before it exits: V8 can crash if the process ends while isolates run.
    pub async fn shutdown(&self, timeout: Duration) -> bool {
        self.0.0.close();
        // The thread holds no pool, and thus no stores.
        let shared = Arc::clone(self.0.0.shared());
        let (sender, receiver) = oneshot::channel();
        let wait = move || {
            let in_time = shared.wait_for_workers(Instant::now().checked_add(timeout));
            if !in_time {
                shared.terminate_all(TerminationReason::ShuttingDown);
                if !shared.wait_for_workers(Instant::now().checked_add(SHUTDOWN_GRACE_PERIOD)) {
                    tracing::warn!("a function's thread does not end: it is in a store or another part of the host");
                }
            }
            // Fails if the caller has dropped its future.
            let _ = sender.send(in_time);
        };
        match thread::Builder::new().name("tailor-idp-shutdown".to_owned()).spawn(wait) {
            Ok(_) => receiver.await.unwrap_or(false),
            Err(error) => {
                tracing::warn!(%error, "cannot wait for functions to end");
                self.0.0.shared().terminate_all(TerminationReason::ShuttingDown);
                false
            }
        }
    }
}

fn check_sizes(script: &Script, argument: &JsonText, limits: &Limits) -> Result<(), ExecutionError> {
    let sizes =
        [(Limit::Source, script.source_len(), limits.source), (Limit::Argument, argument.len(), limits.argument)];
    match sizes.iter().find(|(_, used, limit)| used > limit) {
        Some((limit, used, _)) => Err(ExecutionError::limit(*limit, limits, *used)),
        None => Ok(()),
    }
}

fn watch_deadline(at: Instant, termination: &Arc<TerminationHandle>) -> Result<Watch, ExecutionError> {
    let deadline = Some((at, Limit::Deadline));
    let target = WatchTarget { termination: Arc::clone(termination), deadline, cpu: None, memory: None };
    watchdog::watch(target).map_err(|error| ExecutionError::platform(format!("cannot keep the deadline: {error}")))
}

fn submit_error(error: SubmitError, limits: &Limits) -> ExecutionError {
    match error {
        SubmitError::QueueFull(waiting) => ExecutionError::limit(Limit::Queue, limits, waiting),
        SubmitError::TooManyStuckWorkers(stuck) => ExecutionError::platform(format!(
            "{stuck} threads do not come back from scripts that were ended: restart the process"
        )),
        SubmitError::ShuttingDown => termination_error(TerminationReason::ShuttingDown, limits),
        SubmitError::Spawn(error) => {
            ExecutionError::platform(format!("cannot start a thread for the function: {error}"))
        }
    }
}

/// A submitted execution. Terminates the execution when it is dropped before the outcome.
struct PendingExecution<'a> {
    pool: &'a Arc<Pool>,
    id: u64,
    termination: &'a TerminationHandle,
    receiver: oneshot::Receiver<Outcome>,
    is_done: bool,
}

impl PendingExecution<'_> {
    async fn wait(mut self, limits: &Limits, submitted_at: Instant) -> Outcome {
        let outcome = poll_fn(|cx| {
            self.termination.register_caller(cx.waker());
            if let Some(reason) = self.termination.reason()
                && self.pool.cancel_queued(self.id)
            {
                return Poll::Ready(Outcome::not_run(termination_error(reason, limits), submitted_at.elapsed()));
            }
            if let Some(reason) = self.termination.reason()
                && self.termination.is_overdue()
                && self.pool.abandon(self.id)
            {
                let usage = Usage { wall_time: submitted_at.elapsed(), ..Usage::default() };
                return Poll::Ready(Outcome { result: Err(termination_error(reason, limits)), usage });
            }
            Pin::new(&mut self.receiver).poll(cx).map(|outcome| {
                outcome.unwrap_or_else(|_| {
                    let error = ExecutionError::platform("the function's thread died");
                    Outcome::not_run(error, submitted_at.elapsed())
                })
            })
        })
        .await;
        self.is_done = true;
        outcome
    }
}

impl Drop for PendingExecution<'_> {
    fn drop(&mut self) {
        if !self.is_done {
            self.termination.terminate(TerminationReason::Cancelled);
            self.pool.cancel_queued(self.id);
        }
    }
}

#[cfg(all(test, feature = "v8"))]
mod tests {
    use std::error::Error;

    use pretty_assertions::assert_eq;
    use serde_json::json;

    use super::*;
    use crate::idp::Router;

    fn builder() -> FunctionRuntimeBuilder {
        FunctionRuntime::builder(Arc::new(Router::builder().build()))
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn lazy_loading_triggers_no_accessor_on_a_prototype() {
        const TRAPS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/traps.js"));
        crate::extension::function_extensions();
        let words = crate::extension::lazy_script_words();
        assert!(words.contains("DOMString") && words.len() > 1_000, "{}", words.len());
        let runtime = builder().limits(Limits { memory: 512 << 20, ..Limits::default() }).build();
        let script = Script::new("file:///traps.js".parse().unwrap(), TRAPS);
        let execution = runtime.run(&script, Invocation::new(json!(words))).await;
        assert_eq!(execution.result.map_err(|error| error.to_string()), Ok(json!([])));
    }

    #[tokio::test]
    async fn run_reuses_and_replaces_the_code_cache_of_a_module() {
        let runtime = builder().build();
        let script = Script::new("file:///a.js".parse().unwrap(), "export default async () => (await null, 1);");
        let module = Arc::clone(script.module("file:///a.js").unwrap());
        let run = async || runtime.run(&script, Invocation::default()).await.result.unwrap();
        // The first load creates no cache.
        assert_eq!(run().await, json!(1));
        assert_eq!(module.code_cache(), None);
        assert_eq!(run().await, json!(1));
        let cache = module.code_cache().unwrap();
        assert_eq!(run().await, json!(1));
        // V8 would have replaced a cache that it had rejected.
        assert!(Arc::ptr_eq(&cache, &module.code_cache().unwrap()));
        module.set_code_cache(b"invalid cache");
        assert_eq!(run().await, json!(1));
        assert_ne!(&*module.code_cache().unwrap(), b"invalid cache");
    }

    #[tokio::test]
    async fn run_resolves_imports_of_files() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.js"), "export * from './b.js'; export const a = 1 / 2; // ' /").unwrap();
        std::fs::write(folder.path().join("b.js"), "export const b = 2;").unwrap();
        let main = "import { a, b } from './a.js';\nexport default async () => [a, b, (await import('./b.js')).b];";
        std::fs::write(folder.path().join("main.js"), main).unwrap();
        let script = Script::from_file(folder.path().join("main.js")).unwrap();
        let execution = builder().build().run(&script, Invocation::default()).await;
        assert_eq!(execution.result.unwrap(), json!([0.5, 2, 2]));
    }

    #[cfg(not(feature = "typescript"))]
    #[tokio::test]
    async fn run_names_the_missing_feature_for_typescript() {
        use crate::function::execution::ErrorKind;

        let script = Script::new("file:///main.ts".parse().unwrap(), "export default (): number => 1;");
        let error = builder().build().run(&script, Invocation::default()).await.result.unwrap_err();
        assert_eq!((error.kind, &*error.name), (ErrorKind::UserNonRuntime, "SyntaxError"));
        assert!(error.message.contains("built without the cargo feature `typescript`"), "{error}");
    }

    /// Lists the functions of ECMAScript's global objects that are not native, and tries some built-ins.
    const INSPECT_BUILT_INS: &str = r#"
        const NAMES = [
          "Array", "ArrayBuffer", "Atomics", "BigInt", "Boolean", "DataView", "Date", "Error", "Function", "Iterator", "JSON",
          "Map", "Math", "Number", "Object", "Promise", "Proxy", "Reflect", "RegExp", "Set", "SharedArrayBuffer", "String",
          "Symbol", "Uint8Array", "WeakMap", "WeakRef", "WeakSet", "decodeURI", "decodeURIComponent", "encodeURI",
          "encodeURIComponent", "escape", "parseFloat", "parseInt", "unescape",
        ];
        const attempt = (work) => { try { return work(); } catch (error) { return error.name; } };
        export default () => {
          const replaced = [];
          const inspect = (path, value) => {
            // A proxy of a function has no name in its source text.
            if (typeof value === "function" && !/^function .+\(\) \{ \[native code\] \}$/.test(Function.prototype.toString.call(value))) {
              replaced.push(path);
            }
          };
          for (const name of NAMES) {
            const object = globalThis[name];
            inspect(name, object);
            for (const [path, holder] of [[name, object], [`${name}.prototype`, object.prototype ?? {}]]) {
              for (const key of Reflect.ownKeys(holder)) {
                const { value, get, set } = Reflect.getOwnPropertyDescriptor(holder, key);
                if (key !== "prototype") [value, get, set].forEach((value) => inspect(`${path}.${String(key)}`, value));
              }
            }
          }
          return {
            replaced,
            sameFunctions: Number.parseInt === parseInt && "".trimLeft === "".trimStart,
            longArrayLike: attempt(() => [].lastIndexOf.call({ length: 2 ** 24, [2 ** 24 - 1]: 1 }, 1)),
            growableBuffer: attempt(() => new SharedArrayBuffer(1, { maxByteLength: 2 }).growable),
            largeClone: attempt(() => structuredClone(new Array(100).fill("x".repeat(2 ** 20))).length),
          };
        };
    "#;

    async fn inspect_built_ins(builder: FunctionRuntimeBuilder) -> Result<serde_json::Value, Box<dyn Error>> {
        let script = Script::new("file:///main.js".parse()?, INSPECT_BUILT_INS);
        Ok(builder.build().run(&script, Invocation::default()).await.result?)
    }

    #[tokio::test]
    async fn builtin_guards_are_enabled_by_default() {
        let found = inspect_built_ins(builder()).await.unwrap();
        let replaced: Vec<_> = found["replaced"].as_array().unwrap().iter().filter_map(|path| path.as_str()).collect();
        for path in ["Array.prototype.indexOf", "JSON.parse", "Proxy", "SharedArrayBuffer", "String.prototype.split"] {
            assert!(replaced.contains(&path), "{path} is not guarded: {replaced:?}");
        }
        assert_eq!(found["sameFunctions"], json!(true));
        let outcomes = ["longArrayLike", "growableBuffer", "largeClone"].map(|name| &found[name]);
        assert_eq!(outcomes, ["RangeError"; 3]);
    }

    #[tokio::test]
    async fn disabled_builtin_guards_leave_native_built_ins_and_limits_of_web_apis() {
        let found = inspect_built_ins(builder().builtin_guards(BuiltinGuards::Disabled)).await.unwrap();
        let expected = json!({
            // Withholds symbols of the engine.
            "replaced": ["Symbol.for"],
            "sameFunctions": true,
            "longArrayLike": 2_u32.pow(24) - 1,
            "growableBuffer": true,
            "largeClone": "RangeError",
        });
        assert_eq!(found, expected);
    }
}

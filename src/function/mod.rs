//! The function runtime: runs function scripts, each in a V8 isolate of its own.
//!
//! ```no_run
//! use std::sync::Arc;
//! use tailor_idp::function::{FunctionRuntime, Invocation, Script};
//! # async fn f(idp: tailor_idp::idp::Idp) -> Result<(), Box<dyn std::error::Error>> {
//! let runtime = FunctionRuntime::builder(Arc::new(idp)).build();
//! let script = Script::from_file("handler.js")?;
//! let execution = runtime.run(&script, Invocation::new(serde_json::json!({ "email": "ana@example.com" }))).await;
//! println!("{:?}", execution.result);
//! # Ok(()) }
//! ```

mod execution;
mod failure;
mod isolate;
mod json;
mod loader;
mod script;
mod threads;

use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::Mutex;
use tokio::sync::oneshot;

pub use execution::{ErrorKind, Execution, ExecutionError, Invocation, LogLine};
pub use script::{Script, ScriptFileError};

use self::isolate::{Isolate, Startup};
use crate::extension::ConsoleSink;
pub use crate::extension::{
    DEFAULT_FETCH_MAX_BODY, DEFAULT_FETCH_MAX_REQUESTS, DEFAULT_FETCH_TIMEOUT, FetchPolicy, FetchSettings,
    InvalidFetchHost,
};
use crate::idp::IdentityProvider;

/// Threads for what WebCrypto computes, for each running script: more of them would only slow the others down.
const BLOCKING_THREADS: usize = 4;

/// Runs function scripts over an identity provider.
///
/// Cheap to clone, and callable from any tokio task: isolates live on threads of their own, one each.
///
/// V8 shares its read-only heap among the isolates of a process, so all of them have to start from one snapshot. A
/// process that runs function scripts here cannot at the same time have isolates from another snapshot, or from none.
#[derive(Clone)]
pub struct FunctionRuntime {
    idp: Arc<dyn IdentityProvider>,
    startup: Startup,
    fetch: FetchSettings,
}

/// Makes a [`FunctionRuntime`].
pub struct FunctionRuntimeBuilder(FunctionRuntime);

impl FunctionRuntimeBuilder {
    /// Loads the global scope of every isolate from source rather than from the snapshot: slow, and only where the
    /// program was built. Shows that the two agree. For all runtimes of a process, or for none.
    #[doc(hidden)]
    #[must_use]
    pub fn without_snapshot(mut self) -> Self {
        self.0.startup = Startup::Sources;
        self
    }

    /// What `fetch` may do; nothing by default.
    #[must_use]
    pub fn fetch(mut self, settings: FetchSettings) -> Self {
        self.0.fetch = settings;
        self
    }

    /// The runtime. The first one of a process starts V8.
    pub fn build(self) -> FunctionRuntime {
        self.0
    }
}

impl FunctionRuntime {
    /// Starts a runtime whose scripts manage the users of `idp`.
    pub fn builder(idp: Arc<dyn IdentityProvider>) -> FunctionRuntimeBuilder {
        FunctionRuntimeBuilder(Self { idp, startup: Startup::Snapshot, fetch: FetchSettings::default() })
    }

    /// Runs the script: loads its module, calls its handler with the invocation's argument, and waits for the result.
    ///
    /// Never fails itself: whatever goes wrong is in the record. What the script has started and not awaited when its
    /// handler is done is left where it is: a call may have happened, or not, and the log says so. To drop the future is to stop waiting; the
    /// script runs on.
    pub async fn run(&self, script: &Script, invocation: Invocation) -> Execution {
        let started_at = SystemTime::now();
        let logs = Arc::new(Mutex::new(Vec::new()));
        let (done, result) = oneshot::channel();
        let task = {
            let (runtime, script, logs) = (self.clone(), script.clone(), Arc::clone(&logs));
            move || {
                let result = runtime.run_here(&script, invocation, logs);
                // Before the caller goes on: it may want to be the last to hold the stores.
                drop(runtime);
                // A caller that has gone away needs no result.
                let _ = done.send(result);
            }
        };
        let result = match threads::spawn(task) {
            Ok(()) => result.await.unwrap_or_else(|_| Err(ExecutionError::platform("the function's thread died"))),
            Err(error) => Err(ExecutionError::platform(format!("cannot start a thread for the function: {error}"))),
        };
        let logs = std::mem::take(&mut *logs.lock());
        tracing::debug!(script = %script.specifier(), ok = result.is_ok(), took = ?started_at.elapsed(), "a script has run");
        Execution { result, logs, started_at, finished_at: SystemTime::now() }
    }

    /// On this thread, which no other isolate uses.
    fn run_here(
        &self,
        script: &Script,
        invocation: Invocation,
        logs: Arc<Mutex<Vec<LogLine>>>,
    ) -> Result<serde_json::Value, ExecutionError> {
        let tokio = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(BLOCKING_THREADS)
            .build()
            .map_err(|error| ExecutionError::platform(format!("cannot start the event loop: {error}")))?;
        let Invocation { argument, principal, on_log } = invocation;
        let console: ConsoleSink = Box::new(move |level, text| {
            let line = LogLine { at: SystemTime::now(), level, text: text.to_owned() };
            if let Some(on_log) = &on_log {
                on_log(&line);
            }
            logs.lock().push(line);
        });
        let result = tokio.block_on(async {
            let mut isolate =
                Isolate::new(self.startup, Arc::clone(&self.idp), principal, console, self.fetch.clone(), script)?;
            let handler = isolate.load(script).await?;
            let result = isolate.call(&handler, &argument).await;
            isolate.warn_of_calls_under_way();
            result
        });
        // Without waiting for what the script has left to a thread, such as a key derivation.
        tokio.shutdown_background();
        result
    }
}

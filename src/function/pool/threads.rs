//! Threads with isolates.
//!
//! On some processors V8 protects its memory with protection keys, which a thread inherits from the thread that starts it. V8
//! is therefore initialized on a dedicated thread, which also starts all threads with isolates.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{self, Sender};
use std::thread::Builder;

use deno_core::JsRuntime;
#[cfg(feature = "v8")]
use deno_core::v8;

use crate::function::crash;

/// Stack of an isolate thread, in bytes. V8 uses at most 1 MiB of it for recursion of the script; the rest is for reading
/// results of the largest permitted depth.
pub(in crate::function) const STACK_BYTES: usize = 16 * 1024 * 1024;

/// V8 flags of the process.
#[cfg(feature = "v8")]
const V8_FLAGS: [&str; 2] = [
    // Unrolled loops lose their termination check: `for (;;) new Array(1000).fill(1.5)` could not be terminated.
    "--no-turboshaft-loop-unrolling",
    // Size of a WebAssembly memory, in pages of 64 KiB: 256 MiB, the memory limit of job functions.
    "--wasm-max-mem-pages=4096",
];

type Task = Box<dyn FnOnce() + Send>;
type Request = (Task, Sender<io::Result<()>>);

/// Starts to initialize V8 in the background, if that has not happened yet.
pub(in crate::function) fn start_engine() {
    engine_thread();
}

/// Runs a task on a new thread that can have an isolate.
///
/// # Errors
///
/// Fails if a thread cannot be started. The task is dropped in that case.
pub(super) fn spawn(task: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let engine_thread_died = || io::Error::other("the thread that starts isolates has died");
    let (started, outcome) = mpsc::channel();
    engine_thread().send((Box::new(task), started)).map_err(|_| engine_thread_died())?;
    outcome.recv().map_err(|_| engine_thread_died())?
}

/// Runs a task on a new thread that has no isolate.
///
/// # Errors
///
/// Fails if a thread cannot be started. The task is dropped in that case.
pub(super) fn spawn_without_engine(task: impl FnOnce() + Send + 'static) -> io::Result<()> {
    Builder::new().name("tailor-idp-worker".to_owned()).spawn(task).map(drop)
}

/// Requests to the thread that initializes V8 and starts the other threads.
fn engine_thread() -> &'static Sender<Request> {
    static ENGINE_THREAD: OnceLock<Sender<Request>> = OnceLock::new();
    ENGINE_THREAD.get_or_init(start_engine_thread)
}

/// Starts the thread. If that fails, sending a request fails.
fn start_engine_thread() -> Sender<Request> {
    let (sender, requests) = mpsc::channel::<Request>();
    let serve = move || {
        crash::install();
        initialize_engine();
        for (task, started) in requests {
            let thread = Builder::new().name("tailor-idp-function".to_owned()).stack_size(STACK_BYTES).spawn(task);
            // Cannot fail: the caller waits for the answer.
            let _ = started.send(thread.map(drop));
        }
    };
    if let Err(error) = Builder::new().name("tailor-idp-isolates".to_owned()).spawn(serve) {
        tracing::error!(%error, "cannot start the thread that starts isolates");
    }
    sender
}

/// Initializes the engine for this process.
fn initialize_engine() {
    #[cfg(feature = "v8")]
    configure_engine(&[]);
    JsRuntime::init_platform(None);
}

/// Initializes V8 for this process without any thread of its own, so that the process can fork.
///
/// V8's tasks then run only in [`run_engine_tasks`].
#[cfg(all(target_os = "linux", feature = "v8"))]
pub(in crate::function) fn initialize_engine_without_threads() {
    configure_engine(&["--single-threaded"]);
    JsRuntime::init_platform(Some(v8::new_single_threaded_default_platform(false).make_shared()));
    IS_SINGLE_THREADED.store(true, Relaxed);
}

/// Whether V8 has no threads, and its tasks have to be run by [`run_engine_tasks`].
static IS_SINGLE_THREADED: AtomicBool = AtomicBool::new(false);

/// Whether the embedder runs V8's tasks: see [`run_engine_tasks`].
pub(in crate::function) fn has_engine_tasks() -> bool {
    IS_SINGLE_THREADED.load(Relaxed)
}

/// Runs the tasks of V8 for an isolate that are due, such as garbage collections. Returns whether there were any.
#[cfg(feature = "v8")]
pub(in crate::function) fn run_engine_tasks(isolate: &v8::Isolate) -> bool {
    let platform = v8::V8::get_current_platform();
    let mut has_run = false;
    while v8::Platform::pump_message_loop(&platform, isolate, false) {
        has_run = true;
    }
    has_run
}

#[cfg(feature = "v8")]
fn configure_engine(flags: &[&str]) {
    set_flags(flags);
    // By default V8 opens and reads /dev/urandom several times for each isolate.
    v8::V8::set_entropy_source(|buffer| getrandom::fill(buffer).is_ok());
}

#[cfg(feature = "v8")]
fn set_flags(further: &[&str]) {
    // The first argument is the program's name.
    let flags = ["tailor-idp"].iter().chain(&V8_FLAGS).chain(further).map(|flag| (*flag).to_owned()).collect();
    let unknown = deno_core::v8_set_flags(flags);
    if unknown.len() > 1 {
        tracing::error!(?unknown, "V8 does not know these flags");
    }
}

/// Runs a test on a thread that can have an isolate.
#[cfg(test)]
pub(crate) fn run_on_isolate_thread(test: impl FnOnce() + Send + 'static) {
    let (done, is_done) = mpsc::channel();
    let run = move || {
        test();
        let _ = done.send(());
    };
    assert!(spawn(run).is_ok());
    assert!(is_done.recv().is_ok(), "the test failed on its thread");
}

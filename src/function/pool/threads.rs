//! The threads that isolates live on.
//!
//! On some processors V8 protects its memory with keys that a thread has from the one that started it. So V8 is started
//! on a thread of its own, and that thread starts all others, whichever thread a host calls from.

use std::io;
use std::sync::OnceLock;
use std::sync::mpsc::{self, Sender};
use std::thread::Builder;

use deno_core::JsRuntime;

/// The stack of a function's thread. The engine takes at most 1 MiB of it for a script's own recursion; the rest is for
/// reading a result that nests as deep as results may.
const STACK: usize = 16 * 1024 * 1024;

/// How V8 is set, for the whole process.
#[cfg(feature = "v8")]
const V8_FLAGS: [&str; 2] = [
    // An unrolled loop loses the check by which it can be terminated: `for (;;) new Array(1000).fill(1.5)` never ends.
    "--no-turboshaft-loop-unrolling",
    // Pages of 64 KiB that a WebAssembly memory can have: 256 MiB, as much as a job function may use.
    "--wasm-max-mem-pages=4096",
];

type Task = Box<dyn FnOnce() + Send>;
type Request = (Task, Sender<io::Result<()>>);

/// Starts V8, if it has not been started, and does not wait until it has.
pub(in crate::function) fn start_engine() {
    parent();
}

/// Runs the task on a new thread that may have an isolate.
pub(super) fn spawn(task: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let gone = || io::Error::other("the thread that starts isolates has died");
    let (started, outcome) = mpsc::channel();
    parent().send((Box::new(task), started)).map_err(|_| gone())?;
    outcome.recv().map_err(|_| gone())?
}

/// The thread that starts V8 and the others.
fn parent() -> &'static Sender<Request> {
    static PARENT: OnceLock<Sender<Request>> = OnceLock::new();
    PARENT.get_or_init(start_parent)
}

/// Without the thread, requests go nowhere and say so.
fn start_parent() -> Sender<Request> {
    let (sender, requests) = mpsc::channel::<Request>();
    let serve = move || {
        #[cfg(feature = "v8")]
        {
            set_flags();
            // V8 itself would open and read /dev/urandom for each isolate, more than once.
            deno_core::v8::V8::set_entropy_source(|buffer| getrandom::fill(buffer).is_ok());
        }
        JsRuntime::init_platform(None);
        for (task, started) in requests {
            let thread = Builder::new().name("tailor-idp-function".to_owned()).stack_size(STACK).spawn(task);
            // The caller waits for this.
            let _ = started.send(thread.map(drop));
        }
    };
    if let Err(error) = Builder::new().name("tailor-idp-isolates".to_owned()).spawn(serve) {
        tracing::error!(%error, "cannot start the thread that starts isolates");
    }
    sender
}

#[cfg(feature = "v8")]
fn set_flags() {
    // The first is the program's name.
    let flags = std::iter::once("tailor-idp").chain(V8_FLAGS).map(str::to_owned).collect();
    let unknown = deno_core::v8_set_flags(flags);
    if unknown.len() > 1 {
        tracing::error!(?unknown, "V8 does not know these flags");
    }
}

/// Runs a test with an isolate of its own.
#[cfg(test)]
pub(crate) fn on_its_thread(test: impl FnOnce() + Send + 'static) {
    let (done, is_done) = mpsc::channel();
    let run = move || {
        test();
        let _ = done.send(());
    };
    assert!(spawn(run).is_ok());
    assert!(is_done.recv().is_ok(), "it has failed on its thread");
}

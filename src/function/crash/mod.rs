//! Crashes of the engine on the thread of an execution.
//!
//! A panic in a function that V8 has called cannot unwind through V8's frames: Rust aborts the process. The panic hook, which
//! runs first, recognizes such panics, and the handler of SIGABRT ends the execution with [`Limit::Crash`] and parks the thread
//! forever. The isolate leaks with its thread, and the process lives on. The hook itself must not park the thread: it runs under a
//! lock that `std::panic::set_hook` and `take_hook` need.
//!
//! V8 aborts the process when an allocation fails, and calls a handler before, which does the same.
//!
//! A failed check of V8 itself still aborts the process, because memory may be corrupt then. So does a failed allocation in Rust,
//! and an overflow of a native stack.
//!
//! [`Limit::Crash`]: super::limits::Limit::Crash

#[cfg(target_os = "linux")]
mod handlers;
#[cfg(unix)]
mod signal;

use std::cell::{Cell, RefCell};
use std::panic::{self, PanicHookInfo};
use std::sync::{Arc, Once};
use std::thread;

use super::termination::TerminationHandle;
use super::watchdog;

/// Messages of the panics after which Rust aborts the process. `PanicHookInfo::can_unwind` is not stable.
const ABORTING_PANICS: [&str; 2] = ["panic in a function that cannot unwind", "panic in a destructor during cleanup"];

/// What gives up the worker of a thread whose execution has already been completed.
type GiveUp = Box<dyn FnOnce()>;

/// The code of a script that a thread runs.
struct Running {
    termination: Arc<TerminationHandle>,
    /// None if the caller waits for the execution, and gives up the worker when it sees the crash.
    give_up: Option<GiveUp>,
}

thread_local! {
    static RUNNING: RefCell<Option<Running>> = const { RefCell::new(None) };
    /// Whether Rust is about to abort the process because of a panic in an execution.
    static IS_ABORTING: Cell<bool> = const { Cell::new(false) };
}

/// Installs the panic hook and the handler of SIGABRT, once in a process. Both call the previous ones for all that they do not
/// contain.
pub(super) fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        #[cfg(unix)]
        signal::install();
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let is_aborting = is_aborting(info) && is_running();
            if !is_aborting {
                previous(info);
            }
            if is_aborting || is_running() && !is_handled() {
                IS_ABORTING.set(true);
                // Without signals there is no later opportunity.
                #[cfg(not(unix))]
                abandon_thread();
            }
        }));
    });
}

fn is_aborting(info: &PanicHookInfo<'_>) -> bool {
    info.payload_as_str().is_some_and(|message| ABORTING_PANICS.contains(&message))
}

/// Whether unwinding will find a handler. Without one, Rust aborts the process.
fn is_handled() -> bool {
    #[cfg(target_os = "linux")]
    {
        handlers::is_any_reached()
    }
    #[cfg(not(target_os = "linux"))]
    {
        true
    }
}

fn is_running() -> bool {
    RUNNING.try_with(|running| running.try_borrow().is_ok_and(|running| running.is_some())).unwrap_or(false)
}

/// Marks the thread as one that runs an execution, until the guard is dropped.
pub(super) fn enter(termination: &Arc<TerminationHandle>, give_up: Option<GiveUp>) -> CrashGuard {
    RUNNING.with(|running| *running.borrow_mut() = Some(Running { termination: Arc::clone(termination), give_up }));
    CrashGuard(())
}

/// Guard of [`enter`].
pub(super) struct CrashGuard(());

impl Drop for CrashGuard {
    fn drop(&mut self) {
        RUNNING.with(|running| *running.borrow_mut() = None);
    }
}

/// Ends the execution on this thread and never returns. Returns if there is none: the process is about to abort then.
pub(super) fn abandon_thread() {
    let running = RUNNING.try_with(|running| running.try_borrow_mut().ok()?.take()).ok().flatten();
    let Some(Running { termination, give_up }) = running else { return };
    tracing::error!("the engine crashed in an execution, whose thread is given up");
    watchdog::forget(&termination);
    if let Some(give_up) = give_up {
        give_up();
    }
    termination.crash();
    drop(termination);
    loop {
        thread::park();
    }
}

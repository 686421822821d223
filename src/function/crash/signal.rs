//! Handler of SIGABRT.

use std::mem::MaybeUninit;
use std::ptr;
use std::sync::OnceLock;

use super::{IS_ABORTING, abandon_thread};

/// The handler before this one.
static PREVIOUS: OnceLock<libc::sigaction> = OnceLock::new();

/// Installs the handler.
pub(super) fn install() {
    // SAFETY: all members of `sigaction` can be zero. The handler has the signature that goes without SA_SIGINFO.
    unsafe {
        let mut action = MaybeUninit::<libc::sigaction>::zeroed().assume_init();
        action.sa_sigaction = on_abort as extern "C" fn(libc::c_int) as libc::sighandler_t;
        let mut previous = MaybeUninit::<libc::sigaction>::zeroed().assume_init();
        if libc::sigaction(libc::SIGABRT, &raw const action, &raw mut previous) == 0 {
            let _ = PREVIOUS.set(previous);
        }
    }
}

/// Parks the thread if a panic in an execution has led here. This is no asynchronous signal then: Rust has called `abort`, outside of
/// any lock, so that the handler may allocate and lock.
extern "C" fn on_abort(signal: libc::c_int) {
    if IS_ABORTING.try_with(|is_aborting| is_aborting.get()).unwrap_or(false) {
        abandon_thread();
    }
    // SAFETY: restores the handler that was there, and raises the signal for it, which is blocked until this one returns.
    unsafe {
        if let Some(previous) = PREVIOUS.get() {
            libc::sigaction(signal, previous, ptr::null_mut());
        }
        libc::raise(signal);
    }
}

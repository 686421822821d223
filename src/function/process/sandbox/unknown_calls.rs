//! Reports of system calls that the filters do not know, in tests.

use std::io;
use std::ptr;

/// Status with which a process ends after a report.
pub(in crate::function) const UNKNOWN_CALL_STATUS: i32 = 103;

/// Start of a report. The number of the call follows.
const REPORT: &[u8] = b"a worker made a system call that the sandbox does not know: number ";

/// Offset of the number of the call in the kernel's `siginfo_t` of a SIGSYS, which the crate `libc` has no field for: after three
/// integers, padding and the address of the call.
const CALL_OFFSET: usize = 24;

/// Most digits of a number.
const MAX_DIGITS: usize = 10;

/// Handles the signal that seccomp sends for an unknown call.
pub(super) fn install_handler() -> io::Result<()> {
    // SAFETY: all zeros are a valid value.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = report as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO;
    // SAFETY: the handler calls only what is safe in handlers of signals.
    if unsafe { libc::sigaction(libc::SIGSYS, &raw const action, ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Writes a report to standard error and ends the process.
extern "C" fn report(_signal: libc::c_int, info: *mut libc::siginfo_t, _context: *mut libc::c_void) {
    // SAFETY: the kernel passes the information on a SIGSYS, whose size is 128 bytes.
    let mut number = unsafe { info.cast::<u8>().add(CALL_OFFSET).cast::<u32>().read_unaligned() };
    let mut text = [0; REPORT.len() + MAX_DIGITS];
    text[..REPORT.len()].copy_from_slice(REPORT);
    let digits = number.checked_ilog10().unwrap_or(0) as usize + 1;
    let length = REPORT.len() + digits;
    for digit in text[REPORT.len()..length].iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
    // SAFETY: the text is valid for reads. The filters allow both calls.
    unsafe {
        libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), length);
        libc::_exit(UNKNOWN_CALL_STATUS);
    }
}

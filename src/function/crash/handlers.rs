//! Search for the handler of a panic, as the unwinder does it in its first phase.
//!
//! The unwinder stops at V8's generated code, for which it has no tables. If no frame above that code has a handler, Rust aborts
//! the process without calling the panic hook again: the functions through which the `v8` crate passes Rust callbacks to V8 have
//! none.

use std::ffi::{c_int, c_void};

#[repr(C)]
struct Context {
    _private: [u8; 0],
}

type Trace = extern "C" fn(*mut Context, *mut c_void) -> c_int;

/// `_URC_NO_REASON`: continue with the next frame.
const CONTINUE: c_int = 0;
/// `_URC_NORMAL_STOP`.
const STOP: c_int = 4;

// Of the unwinder that the standard library uses.
unsafe extern "C" {
    fn _Unwind_Backtrace(trace: Trace, argument: *mut c_void) -> c_int;
    fn _Unwind_GetLanguageSpecificData(context: *mut Context) -> *const u8;
    fn _Unwind_GetIPInfo(context: *mut Context, is_before_instruction: *mut c_int) -> usize;
    fn _Unwind_GetRegionStart(context: *mut Context) -> usize;
}

/// Whether a frame of this thread that the unwinder reaches catches panics, or aborts on them after it has called the panic hook.
pub(super) fn is_any_reached() -> bool {
    let mut is_found = false;
    // SAFETY: `visit` gets the pointer to `is_found`, which outlives the call.
    unsafe { _Unwind_Backtrace(visit, (&raw mut is_found).cast()) };
    is_found
}

extern "C" fn visit(context: *mut Context, is_found: *mut c_void) -> c_int {
    // SAFETY: the unwinder passes a valid context, and the argument of `_Unwind_Backtrace`.
    unsafe {
        let lsda = _Unwind_GetLanguageSpecificData(context);
        if lsda.is_null() {
            return CONTINUE;
        }
        let mut is_before_instruction = 0;
        let ip = _Unwind_GetIPInfo(context, &raw mut is_before_instruction);
        let ip = if is_before_instruction == 0 { ip.wrapping_sub(1) } else { ip };
        let offset = ip.wrapping_sub(_Unwind_GetRegionStart(context));
        if !has_handler(Reader(lsda), offset) {
            return CONTINUE;
        }
        *is_found.cast::<bool>() = true;
    }
    STOP
}

/// `DW_EH_PE_omit`.
const OMITTED: u8 = 0xff;
/// `DW_EH_PE_uleb128`.
const ULEB128: u8 = 0x01;

/// Whether the table of a function has a handler for panics of the call at `offset`. True if it cannot be read.
///
/// # Safety
///
/// The reader is at the start of a language-specific data area of the Itanium ABI.
unsafe fn has_handler(mut table: Reader, offset: usize) -> bool {
    // SAFETY: as above.
    unsafe {
        if table.byte() != OMITTED {
            return true;
        }
        if table.byte() != OMITTED {
            table.uleb128();
        }
        if table.byte() != ULEB128 {
            return true;
        }
        let len = table.uleb128();
        let actions = table.0.wrapping_add(len);
        while table.0 < actions {
            let (start, len, landing_pad, action) =
                (table.uleb128(), table.uleb128(), table.uleb128(), table.uleb128());
            if offset < start {
                return false;
            }
            if offset < start + len {
                // A record of zero is a clean-up, as is the absence of one.
                return landing_pad != 0 && action != 0 && *actions.wrapping_add(action - 1) != 0;
            }
        }
        false
    }
}

/// Reads the numbers of a table.
struct Reader(*const u8);

impl Reader {
    /// # Safety
    ///
    /// The table continues.
    unsafe fn byte(&mut self) -> u8 {
        // SAFETY: as above.
        let byte = unsafe { *self.0 };
        self.0 = self.0.wrapping_add(1);
        byte
    }

    /// # Safety
    ///
    /// The table continues with a number.
    unsafe fn uleb128(&mut self) -> usize {
        let (mut value, mut shift) = (0, 0);
        loop {
            // SAFETY: as above.
            let byte = unsafe { self.byte() };
            value |= usize::from(byte & 0x7f).checked_shl(shift).unwrap_or_default();
            shift += 7;
            if byte & 0x80 == 0 {
                return value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    #[test]
    fn is_any_reached_finds_the_handler_of_a_caller() {
        assert_eq!(catch_unwind(is_any_reached).ok(), Some(true));
    }

    #[test]
    fn has_handler_tells_handlers_from_clean_ups() {
        // No landing pads' base, no types; calls at 0..4 without landing pad, 4..8 with a clean-up, 8..12 with a handler, 12..16
        // with a record of a clean-up; the records.
        let table = [OMITTED, OMITTED, ULEB128, 16, 0, 4, 0, 0, 4, 4, 9, 0, 8, 4, 9, 1, 12, 4, 9, 3, 1, 0, 0, 0];
        for (offset, expected) in [(0, false), (5, false), (9, true), (13, false), (20, false)] {
            // SAFETY: the table is complete.
            assert_eq!(unsafe { has_handler(Reader(table.as_ptr()), offset) }, expected, "{offset}");
        }
    }
}

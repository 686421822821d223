//! Limit on concurrent WebCrypto calls, which run on threads of the host. See `js/crypto.js`.

use deno_core::{OpState, op2};
use deno_error::JsErrorBox;

use super::external_memory::ExternalMemory;

/// Maximum concurrent calls. Their memory is tracked; this limits their number.
const MAX_CRYPTO_CALLS: usize = 1_000;

/// The number of calls in progress. Kept in the [`OpState`].
#[derive(Default)]
pub(super) struct CryptoCalls(usize);

/// Counts the start of a call that allocates `bytes` until its end.
#[op2(fast)]
pub(super) fn op_function_crypto_begin(state: &mut OpState, bytes: f64) -> Result<(), JsErrorBox> {
    let calls = state.borrow_mut::<CryptoCalls>();
    if calls.0 >= MAX_CRYPTO_CALLS {
        let text = format!("{} calls of crypto.subtle at once, of at most {MAX_CRYPTO_CALLS}", calls.0 + 1);
        return Err(JsErrorBox::new("DOMExceptionOperationError", text));
    }
    calls.0 += 1;
    ExternalMemory::of(state).add(bytes as usize);
    Ok(())
}

/// Counts the end of a call.
#[op2(fast)]
pub(super) fn op_function_crypto_end(state: &mut OpState, bytes: f64) {
    let calls = state.borrow_mut::<CryptoCalls>();
    calls.0 = calls.0.saturating_sub(1);
    ExternalMemory::of(state).release(bytes as usize);
}

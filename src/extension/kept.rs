//! What the host keeps for a script outside of the engine's memory: blobs, messages on their way, the data of keys and of
//! WebCrypto's calls.

use std::fmt;
use std::sync::Arc;

use deno_core::{OpState, op2};
use deno_error::JsErrorBox;

/// Counts what is kept, and ends the script where it is too much.
pub(crate) trait Keeper: Send + Sync {
    /// So many bytes more are kept.
    fn keep(&self, bytes: usize);
    /// So many bytes are kept no longer.
    fn release(&self, bytes: usize);
    /// Whether there is too much: the script is being ended.
    fn is_exceeded(&self) -> bool;
}

/// The keeper of a runtime. One without, as a host may have it, does not count.
#[derive(Clone, Default)]
pub(crate) struct Kept(Option<Arc<dyn Keeper>>);

impl Kept {
    pub(crate) fn by(keeper: Arc<dyn Keeper>) -> Self {
        Self(Some(keeper))
    }

    pub(super) fn of(state: &OpState) -> Self {
        state.try_borrow::<Self>().cloned().unwrap_or_default()
    }

    /// Counts these bytes until the charge is dropped.
    pub(super) fn charge(&self, bytes: usize) -> Charge {
        self.keep(bytes);
        Charge { kept: self.clone(), bytes }
    }

    pub(super) fn keep(&self, bytes: usize) {
        if let Some(keeper) = &self.0 {
            keeper.keep(bytes);
        }
    }

    pub(super) fn is_exceeded(&self) -> bool {
        self.0.as_ref().is_some_and(|keeper| keeper.is_exceeded())
    }

    pub(super) fn release(&self, bytes: usize) {
        if let Some(keeper) = &self.0 {
            keeper.release(bytes);
        }
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kept")
    }
}

/// Bytes that count while it lives.
#[derive(Debug)]
pub(super) struct Charge {
    kept: Kept,
    bytes: usize,
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.kept.release(self.bytes);
    }
}

/// Calls of WebCrypto that may be under way at once. What they keep counts; this bounds their number.
const CRYPTO_CALLS: usize = 1_000;

/// How many there are.
#[derive(Default)]
pub(super) struct CryptoCalls(usize);

/// Counts a call that keeps these bytes until it is done.
#[op2(fast)]
pub(super) fn op_function_crypto_begin(state: &mut OpState, bytes: f64) -> Result<(), JsErrorBox> {
    let calls = state.borrow_mut::<CryptoCalls>();
    if calls.0 >= CRYPTO_CALLS {
        let text = format!("{} calls of crypto.subtle at once, of at most {CRYPTO_CALLS}", calls.0 + 1);
        return Err(JsErrorBox::new("DOMExceptionOperationError", text));
    }
    calls.0 += 1;
    Kept::of(state).keep(bytes as usize);
    Ok(())
}

#[op2(fast)]
pub(super) fn op_function_crypto_end(state: &mut OpState, bytes: f64) {
    let calls = state.borrow_mut::<CryptoCalls>();
    calls.0 = calls.0.saturating_sub(1);
    Kept::of(state).release(bytes as usize);
}

/// Counts bytes on behalf of JavaScript, which gives them back with [`op_function_release`].
#[op2(fast)]
pub(super) fn op_function_keep(state: &mut OpState, #[smi] bytes: u32) {
    Kept::of(state).keep(bytes as usize);
}

#[op2(fast)]
pub(super) fn op_function_release(state: &mut OpState, #[smi] bytes: u32) {
    Kept::of(state).release(bytes as usize);
}

/// Says how much text, in bytes at the most, the host is about to have copies of. Throws where it is too much, by when the
/// script is being ended.
#[op2(fast)]
pub(super) fn op_function_text(state: &mut OpState, bytes: f64) -> Result<(), JsErrorBox> {
    let charge = Kept::of(state).charge(bytes as usize);
    match charge.kept.is_exceeded() {
        true => Err(JsErrorBox::range_error("the text is too long")),
        false => Ok(()),
    }
}

/// How many timers may be waiting, and what ends the script.
pub(crate) struct TimerBound {
    pub(crate) most: usize,
    pub(crate) exceeded: Box<dyn Fn()>,
}

/// Says how many timers there are about to be.
#[op2(fast)]
pub(super) fn op_function_timers(state: &mut OpState, #[smi] timers: u32) {
    if let Some(bound) = state.try_borrow::<TimerBound>()
        && timers as usize > bound.most
    {
        (bound.exceeded)();
    }
}

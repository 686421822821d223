//! Memory that the host allocates for a script outside of the V8 heap: blobs, queued messages, data of keys and of WebCrypto
//! calls, copies of strings.

use std::fmt;
use std::sync::Arc;

use deno_core::{OpState, op2};
use deno_error::JsErrorBox;

/// Tracks external memory, and terminates the script if it exceeds its limit.
pub(crate) trait MemoryTracker: Send + Sync {
    /// Adds allocated bytes.
    fn add(&self, bytes: usize);
    /// Subtracts freed bytes.
    fn release(&self, bytes: usize);
    /// Whether the limit is exceeded, in which case the script is being terminated.
    fn is_exceeded(&self) -> bool;
}

/// The external memory of an isolate. Kept in its [`OpState`].
///
/// The default tracks nothing, which is what a host with its own runtime gets.
#[derive(Clone, Default)]
pub(crate) struct ExternalMemory(Option<Arc<dyn MemoryTracker>>);

impl ExternalMemory {
    pub(crate) fn with_tracker(tracker: Arc<dyn MemoryTracker>) -> Self {
        Self(Some(tracker))
    }

    pub(super) fn of(state: &OpState) -> Self {
        state.try_borrow::<Self>().cloned().unwrap_or_default()
    }

    /// Adds bytes until the guard is dropped.
    pub(super) fn charge(&self, bytes: usize) -> Charge {
        self.add(bytes);
        Charge { memory: self.clone(), bytes }
    }

    pub(super) fn add(&self, bytes: usize) {
        if let Some(tracker) = &self.0 {
            tracker.add(bytes);
        }
    }

    pub(super) fn release(&self, bytes: usize) {
        if let Some(tracker) = &self.0 {
            tracker.release(bytes);
        }
    }

    pub(super) fn is_exceeded(&self) -> bool {
        self.0.as_ref().is_some_and(|tracker| tracker.is_exceeded())
    }
}

impl fmt::Debug for ExternalMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExternalMemory")
    }
}

/// Bytes of external memory, released on drop.
#[derive(Debug)]
pub(super) struct Charge {
    memory: ExternalMemory,
    bytes: usize,
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.memory.release(self.bytes);
    }
}

/// Adds bytes on behalf of JavaScript, which releases them with [`op_function_memory_release`].
#[op2(fast)]
pub(super) fn op_function_memory_add(state: &mut OpState, #[smi] bytes: u32) {
    ExternalMemory::of(state).add(bytes as usize);
}

#[op2(fast)]
pub(super) fn op_function_memory_release(state: &mut OpState, #[smi] bytes: u32) {
    ExternalMemory::of(state).release(bytes as usize);
}

/// Checks the size of the strings that an op is about to copy, as an upper bound in bytes.
///
/// Throws if they exceed the limit, in which case the script is being terminated.
#[op2(fast)]
pub(super) fn op_function_check_text(state: &mut OpState, bytes: f64) -> Result<(), JsErrorBox> {
    let memory = ExternalMemory::of(state);
    let _charge = memory.charge(bytes as usize);
    match memory.is_exceeded() {
        true => Err(JsErrorBox::range_error("the text is too long")),
        false => Ok(()),
    }
}

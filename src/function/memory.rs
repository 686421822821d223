//! Memory accounting and memory limits of one isolate.
//!
//! - V8 limits its heap itself, and calls back before it fails.
//! - ArrayBuffers come from a counting allocator, implemented here.
//! - External memory held by the host for the script, such as blobs, is reported by the extensions.
//! - Other external memory, such as WebAssembly memories, is known to V8 but not limited by it. It is checked periodically while
//!   the script runs.

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc};
use std::ffi::{c_char, c_void};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use deno_core::JsRuntime;
use deno_core::v8::{self, CreateParams, GCCallbackFlags, GCType, Isolate, IsolateHandle, UnsafeRawIsolatePtr};
use parking_lot::Mutex;

use super::crash;
use super::limits::{Limit, Limits};
use super::termination::{TerminationHandle, TerminationReason};
use crate::extension::MemoryTracker;

/// Added to the heap limit when it is reached, until the script has terminated. V8 aborts the process if an allocation fails,
/// and a single array can need a gigabyte.
const HEAP_HEADROOM_BYTES: usize = 4 * 1024 * 1024 * 1024;

/// Multiple of the heap limit from which an execution is terminated without a garbage collection. Below it, the excess can be
/// garbage.
const HEAP_HARD_LIMIT_FACTOR: usize = 2;

/// Garbage collections that are forced while host memory grows to the limit. V8 does not know of host memory, and would not
/// collect the small objects that hold it.
const HOST_MEMORY_COLLECTIONS: usize = 4;

/// Smallest heap limit. An isolate needs some MiB before a script runs, and V8 aborts the process if it cannot have them.
pub(super) const MIN_HEAP_BYTES: usize = 8 * 1024 * 1024;

/// Bytes beyond the limit that the allocator still grants. V8 and ops can need buffers until the script has terminated, and V8
/// aborts the process if some of them are refused.
const ALLOCATOR_SLACK_BYTES: usize = 64 * 1024 * 1024;

/// Alignment of `malloc`.
const ALIGNMENT: usize = 16;

/// Memory account of one isolate.
pub(super) struct MemoryAccount {
    heap_limit: usize,
    buffer_limit: usize,
    /// Bytes granted by the allocator.
    allocated: AtomicUsize,
    /// Bytes held by the host for the script, such as blobs and queued messages.
    host_memory: AtomicUsize,
    /// Value of `host_memory` at which the next garbage collection is forced.
    collect_at: AtomicUsize,
    /// Total that a refused allocation would have reached, until V8 has retried it; else 0.
    refused: AtomicUsize,
    /// Heap limit before it was raised for the garbage collections that follow a refusal; else 0.
    heap_limit_to_restore: AtomicUsize,
    peak_heap: AtomicUsize,
    /// Whether a requested check has not run yet.
    is_check_pending: AtomicBool,
    isolate: OnceLock<IsolateHandle>,
    /// Of the current execution.
    termination: Mutex<Option<Arc<TerminationHandle>>>,
}

impl MemoryAccount {
    pub(super) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            heap_limit: limits.memory.max(MIN_HEAP_BYTES),
            buffer_limit: limits.buffers,
            allocated: AtomicUsize::new(0),
            host_memory: AtomicUsize::new(0),
            collect_at: AtomicUsize::new(limits.buffers / HOST_MEMORY_COLLECTIONS),
            refused: AtomicUsize::new(0),
            heap_limit_to_restore: AtomicUsize::new(0),
            peak_heap: AtomicUsize::new(0),
            is_check_pending: AtomicBool::new(false),
            isolate: OnceLock::new(),
            termination: Mutex::new(None),
        })
    }

    /// Whether the account enforces these memory limits.
    pub(super) fn matches(&self, limits: &Limits) -> bool {
        (self.heap_limit, self.buffer_limit) == (limits.memory.max(MIN_HEAP_BYTES), limits.buffers)
    }

    /// Parameters for an isolate with this account's heap limit and allocator.
    pub(super) fn create_params(self: &Arc<Self>) -> CreateParams {
        let handle = Arc::into_raw(Arc::clone(self));
        // SAFETY: `handle` has the type that the vtable expects, and `ALLOCATOR.drop` releases it.
        let allocator = unsafe { v8::new_rust_allocator(handle, &ALLOCATOR) };
        CreateParams::default().heap_limits(0, self.heap_limit).array_buffer_allocator(allocator.make_shared())
    }

    /// Installs the callbacks in an isolate that was created with [`create_params`](Self::create_params).
    pub(super) fn install(self: &Arc<Self>, runtime: &mut JsRuntime) {
        // Each account belongs to one isolate.
        let _ = self.isolate.set(runtime.v8_isolate().thread_safe_handle());
        // The isolate holds the allocator, and the allocator holds the account, for as long as callbacks can happen.
        let data = Arc::as_ptr(self).cast_mut().cast::<c_void>();
        let isolate = runtime.v8_isolate();
        isolate.add_near_heap_limit_callback(on_near_heap_limit, data);
        isolate.set_oom_error_handler(on_out_of_memory);
        isolate.add_gc_prologue_callback(on_gc_prologue, data, GCType::kGCTypeAll);
    }

    /// Starts accounting for an execution, which exceeded limits terminate.
    pub(super) fn attach(&self, termination: &Arc<TerminationHandle>) {
        self.peak_heap.store(0, Relaxed);
        *self.termination.lock() = Some(Arc::clone(termination));
    }

    /// Ends accounting for the execution.
    pub(super) fn detach(&self, isolate: &mut Isolate) {
        // A script that exceeded a limit at its very end was not checked since.
        self.terminate_on_refusal();
        self.terminate_on_hard_limit(isolate);
        if self.allocated.load(Relaxed) > self.buffer_limit {
            self.check(isolate);
        }
        *self.termination.lock() = None;
    }

    fn terminate_on_refusal(&self) {
        let used = self.refused.swap(0, Relaxed);
        if used > 0 {
            self.terminate(Limit::Buffers, used);
        }
    }

    /// Terminates the execution if the heap is far beyond its limit. V8 compares with the limit only when it collects garbage,
    /// which does not have to happen after one large allocation.
    fn terminate_on_hard_limit(&self, isolate: &mut Isolate) {
        let used = Self::heap_bytes(isolate);
        // QuickJS does not report the heap size.
        if cfg!(feature = "v8") && used > self.heap_limit.saturating_mul(HEAP_HARD_LIMIT_FACTOR) {
            self.terminate(Limit::Memory, used);
        }
    }

    /// Largest heap size observed since [`attach`](Self::attach), in bytes.
    pub(super) fn peak_heap(&self, isolate: &mut Isolate) -> usize {
        self.record_heap(isolate);
        self.peak_heap.load(Relaxed)
    }

    /// Requests a [`check`](Self::check) on the isolate's thread while the script runs. Callable from any thread.
    pub(super) fn request_check(&self) {
        if let Some(isolate) = self.isolate.get()
            && !self.is_check_pending.swap(true, Relaxed)
        {
            isolate.request_interrupt(on_check, ptr::from_ref(self).cast_mut().cast());
        }
    }

    /// Terminates the execution if it exceeds a memory limit. Callable only on the isolate's thread.
    pub(super) fn check(&self, isolate: &mut Isolate) {
        self.record_heap(isolate);
        self.terminate_on_hard_limit(isolate);
        if self.external_bytes(isolate) > self.buffer_limit {
            // Some of it can be garbage.
            isolate.low_memory_notification();
            let used = self.external_bytes(isolate);
            if used > self.buffer_limit {
                self.terminate(Limit::Buffers, used);
            }
        }
    }

    fn external_bytes(&self, isolate: &mut Isolate) -> usize {
        // V8's heap statistics exclude WebAssembly memories. The total that an adjustment by 0 returns includes them.
        let external = isolate.adjust_amount_of_external_allocated_memory(0);
        let external = usize::try_from(external).unwrap_or(0);
        external.max(self.allocated.load(Relaxed)).saturating_add(self.host_memory.load(Relaxed))
    }

    /// Whether more than half of a limit is used, or the heap limit is still raised.
    pub(super) fn is_half_full(&self, isolate: &mut Isolate) -> bool {
        let heap = isolate.get_heap_statistics();
        let is_raised = heap.heap_size_limit() > self.heap_limit.saturating_add(HEAP_HEADROOM_BYTES / 2);
        is_raised || heap.used_heap_size() > self.heap_limit / 2 || self.external_bytes(isolate) > self.buffer_limit / 2
    }

    fn heap_bytes(isolate: &mut Isolate) -> usize {
        isolate.get_heap_statistics().used_heap_size()
    }

    fn record_heap(&self, isolate: &mut Isolate) {
        self.peak_heap.fetch_max(Self::heap_bytes(isolate), Relaxed);
    }

    fn terminate(&self, limit: Limit, used: usize) {
        if let Some(termination) = &*self.termination.lock() {
            termination.terminate(TerminationReason::Limit(limit, used));
        }
    }

    fn allocate(&self, bytes: usize, allocate: unsafe fn(Layout) -> *mut u8) -> *mut c_void {
        let used = self.allocated.fetch_add(bytes, Relaxed).saturating_add(bytes);
        let is_refused = used > self.buffer_limit.saturating_add(ALLOCATOR_SLACK_BYTES);
        let layout = if is_refused { None } else { layout(bytes) };
        // SAFETY: `layout` returns no layout of size 0.
        let memory = layout.map_or(ptr::null_mut(), |layout| unsafe { allocate(layout) });
        if memory.is_null() {
            self.allocated.fetch_sub(bytes, Relaxed);
            // V8 collects garbage and retries. The limit is exceeded only if the retry fails as well, which the interrupt
            // detects when the script continues.
            if self.refused.swap(used, Relaxed) == 0
                && let Some(isolate) = self.isolate.get()
            {
                isolate.request_interrupt(on_refusal, ptr::from_ref(self).cast_mut().cast());
            }
        } else {
            self.refused.store(0, Relaxed);
            if used > self.buffer_limit {
                self.request_check();
            }
        }
        memory.cast()
    }
}

impl MemoryTracker for MemoryAccount {
    /// Compares with the limit immediately: a single call can add many bytes, for example by copying a blob.
    fn add(&self, bytes: usize) {
        let held = self.host_memory.fetch_add(bytes, Relaxed).saturating_add(bytes);
        if held > self.buffer_limit {
            self.terminate(Limit::Buffers, held);
        } else if held.saturating_add(self.allocated.load(Relaxed)) > self.buffer_limit {
            // Some of the buffers can be garbage.
            self.request_check();
        } else if held > self.collect_at.load(Relaxed) {
            self.collect_at.store(held.saturating_add(self.buffer_limit / HOST_MEMORY_COLLECTIONS), Relaxed);
            if let Some(isolate) = self.isolate.get() {
                isolate.request_interrupt(on_collect, ptr::null_mut());
            }
        }
    }

    fn release(&self, bytes: usize) {
        // Saturating, since some of the reports come from JavaScript.
        let held = self.host_memory.fetch_update(Relaxed, Relaxed, |held| Some(held.saturating_sub(bytes)));
        let held = held.unwrap_or_default().saturating_sub(bytes);
        self.collect_at.fetch_min(held.saturating_add(self.buffer_limit / HOST_MEMORY_COLLECTIONS), Relaxed);
    }

    fn is_exceeded(&self) -> bool {
        self.host_memory.load(Relaxed) > self.buffer_limit
    }
}

fn layout(bytes: usize) -> Option<Layout> {
    Layout::from_size_align(bytes.max(1), ALIGNMENT).ok()
}

static ALLOCATOR: v8::RustAllocatorVtable<MemoryAccount> =
    v8::RustAllocatorVtable { allocate: allocate_zeroed, allocate_uninitialized, free: deallocate, drop: drop_account };

unsafe extern "C" fn allocate_zeroed(account: &MemoryAccount, bytes: usize) -> *mut c_void {
    account.allocate(bytes, alloc_zeroed)
}

unsafe extern "C" fn allocate_uninitialized(account: &MemoryAccount, bytes: usize) -> *mut c_void {
    account.allocate(bytes, alloc)
}

unsafe extern "C" fn deallocate(account: &MemoryAccount, memory: *mut c_void, bytes: usize) {
    account.allocated.fetch_sub(bytes, Relaxed);
    if let Some(layout) = layout(bytes) {
        // SAFETY: `allocate` has allocated this memory with this layout.
        unsafe { dealloc(memory.cast(), layout) };
    }
}

unsafe extern "C" fn drop_account(account: *const MemoryAccount) {
    // SAFETY: `create_params` has created the pointer with `Arc::into_raw`.
    drop(unsafe { Arc::from_raw(account) });
}

/// The account and the isolate of a V8 callback.
///
/// # Safety
///
/// `data` has been passed to V8 by a `MemoryAccount`, and the isolate still has its allocator.
unsafe fn callback_parameters(isolate: &mut UnsafeRawIsolatePtr, data: *mut c_void) -> (&MemoryAccount, &mut Isolate) {
    // SAFETY: the allocator holds the account, and V8 calls back on the isolate's thread.
    unsafe { (&*data.cast::<MemoryAccount>(), Isolate::ref_from_raw_isolate_ptr_mut(isolate)) }
}

/// Records the heap size, which is at a local maximum before a garbage collection.
unsafe extern "C" fn on_gc_prologue(
    mut isolate: UnsafeRawIsolatePtr,
    _type: GCType,
    _flags: GCCallbackFlags,
    data: *mut c_void,
) {
    // SAFETY: registered by `install`.
    let (account, isolate) = unsafe { callback_parameters(&mut isolate, data) };
    account.record_heap(isolate);
}

unsafe extern "C" fn on_check(mut isolate: UnsafeRawIsolatePtr, data: *mut c_void) {
    // SAFETY: requested by `MemoryAccount::request_check`.
    let (account, isolate) = unsafe { callback_parameters(&mut isolate, data) };
    account.is_check_pending.store(false, Relaxed);
    account.check(isolate);
}

/// Collects garbage. Host memory held by garbage is released later, by finalizers in the event loop.
unsafe extern "C" fn on_collect(mut isolate: UnsafeRawIsolatePtr, _data: *mut c_void) {
    // SAFETY: V8 calls back on the isolate's thread.
    unsafe { Isolate::ref_from_raw_isolate_ptr_mut(&mut isolate) }.low_memory_notification();
}

/// V8 is about to exceed the heap limit, or could not collect enough after a refused allocation.
unsafe extern "C" fn on_near_heap_limit(data: *mut c_void, current: usize, initial: usize) -> usize {
    // SAFETY: registered by `install`; the allocator holds the account.
    let account = unsafe { &*data.cast::<MemoryAccount>() };
    if account.refused.load(Relaxed) == 0 {
        account.terminate(Limit::Memory, current);
    } else {
        // The garbage collections that V8 tries next can free enough.
        account.heap_limit_to_restore.store(initial, Relaxed);
    }
    current.saturating_add(HEAP_HEADROOM_BYTES)
}

/// V8 is about to abort the process, because an allocation failed that it cannot do without.
unsafe extern "C" fn on_out_of_memory(_location: *const c_char, _details: &v8::OomDetails) {
    crash::abandon_thread();
}

unsafe extern "C" fn on_refusal(mut isolate: UnsafeRawIsolatePtr, data: *mut c_void) {
    // SAFETY: requested by `MemoryAccount::allocate`.
    let (account, isolate) = unsafe { callback_parameters(&mut isolate, data) };
    let heap_limit = account.heap_limit_to_restore.swap(0, Relaxed);
    if heap_limit > 0 {
        isolate.remove_near_heap_limit_callback(on_near_heap_limit, heap_limit);
        isolate.add_near_heap_limit_callback(on_near_heap_limit, data);
    }
    account.terminate_on_refusal();
}

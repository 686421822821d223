//! What an isolate uses of memory, on V8's heap and beside it.
//!
//! V8 bounds its own heap, and asks before it gives up. ArrayBuffers it takes from an allocator, which is ours and counts.
//! What else a script keeps beside the heap, such as a WebAssembly memory, V8 knows of but does not bound: that is looked
//! at from time to time while the script computes.

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc};
use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use deno_core::JsRuntime;
use deno_core::v8::{self, CreateParams, GCCallbackFlags, GCType, Isolate, IsolateHandle, UnsafeRawIsolatePtr};
use parking_lot::Mutex;

use super::limits::{Limit, Limits};
use super::stop::{Reason, Stop};
use crate::extension::MemoryTracker;

/// What V8 may take beyond the limit, for the moment until the script stands still. It would end the process where it
/// cannot have what it needs, and a single array can need a gigabyte.
const HEADROOM: usize = 4 * 1024 * 1024 * 1024;

/// How many times its limit a heap has when it needs no collection to tell that this is not garbage about to go.
const EXCESS: usize = 2;

/// Collections on the way to the limit of what the host keeps. V8 does not know of it, and would not collect what holds it.
const COLLECTIONS: usize = 4;

/// An isolate needs some MiB before it runs a line, and V8 ends the process where it cannot have them.
pub(super) const MIN_HEAP: usize = 8 * 1024 * 1024;

/// What the allocator gives out beyond the limit before it refuses. Until the script has come to a halt, V8 and ops may need
/// a buffer for what they are at, and V8 ends the process where they cannot have it.
const SLACK: usize = 64 * 1024 * 1024;

/// As strict as `malloc`.
const ALIGNMENT: usize = 16;

/// The memory of one isolate.
pub(super) struct Account {
    heap_limit: usize,
    buffer_limit: usize,
    /// Bytes that the allocator has given out.
    buffers: AtomicUsize,
    /// Bytes that the host keeps for the script: blobs, and messages on their way.
    kept: AtomicUsize,
    /// How much of that there is to be before garbage is collected, which may hold some.
    collect_at: AtomicUsize,
    /// Bytes that there would have been, where the allocator has just refused some.
    refused: AtomicUsize,
    /// The heap's limit, where it had to be raised for the collections that follow a refusal.
    raised_from: AtomicUsize,
    peak_heap: AtomicUsize,
    /// A look has been asked for, and not happened yet.
    looking: AtomicBool,
    isolate: OnceLock<IsolateHandle>,
    /// Of the execution that the isolate runs.
    stop: Mutex<Option<Arc<Stop>>>,
}

impl Account {
    pub(super) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            heap_limit: limits.memory.max(MIN_HEAP),
            buffer_limit: limits.buffers,
            buffers: AtomicUsize::new(0),
            kept: AtomicUsize::new(0),
            collect_at: AtomicUsize::new(limits.buffers / COLLECTIONS),
            refused: AtomicUsize::new(0),
            raised_from: AtomicUsize::new(0),
            peak_heap: AtomicUsize::new(0),
            looking: AtomicBool::new(false),
            isolate: OnceLock::new(),
            stop: Mutex::new(None),
        })
    }

    /// Whether an isolate with this account keeps these limits.
    pub(super) fn is_for(&self, limits: &Limits) -> bool {
        (self.heap_limit, self.buffer_limit) == (limits.memory.max(MIN_HEAP), limits.buffers)
    }

    /// How an isolate begins that uses this account.
    pub(super) fn create_params(self: &Arc<Self>) -> CreateParams {
        let handle = Arc::into_raw(Arc::clone(self));
        // SAFETY: the handle is of the table's type, and `ALLOCATOR.drop` takes it back.
        let allocator = unsafe { v8::new_rust_allocator(handle, &ALLOCATOR) };
        CreateParams::default().heap_limits(0, self.heap_limit).array_buffer_allocator(allocator.make_shared())
    }

    /// Begins to watch an isolate that was made with [`create_params`](Self::create_params).
    pub(super) fn open(self: &Arc<Self>, runtime: &mut JsRuntime) {
        // One isolate has one account.
        let _ = self.isolate.set(runtime.v8_isolate().thread_safe_handle());
        // The isolate holds the allocator, which holds the account, for as long as it can call back.
        let data = Arc::as_ptr(self).cast_mut().cast::<c_void>();
        let isolate = runtime.v8_isolate();
        isolate.add_near_heap_limit_callback(near_heap_limit, data);
        isolate.add_gc_prologue_callback(before_collection, data, GCType::kGCTypeAll);
    }

    /// From now on a limit ends this execution.
    pub(super) fn charge(&self, stop: &Arc<Stop>) {
        self.peak_heap.store(0, Relaxed);
        *self.stop.lock() = Some(Arc::clone(stop));
    }

    /// The execution is over.
    pub(super) fn discharge(&self, isolate: &mut Isolate) {
        // A script that has just gone beyond the limit may have had no occasion to be looked at.
        self.stop_on_refusal();
        self.stop_on_excess(isolate);
        if self.buffers.load(Relaxed) > self.buffer_limit {
            self.check(isolate);
        }
        *self.stop.lock() = None;
    }

    fn stop_on_refusal(&self) {
        let used = self.refused.swap(0, Relaxed);
        if used > 0 {
            self.stop(Limit::Buffers, used);
        }
    }

    /// Ends the execution if the heap is far beyond its limit. V8 looks at the limit when it collects garbage, and after one large
    /// object there may be no occasion.
    fn stop_on_excess(&self, isolate: &mut Isolate) {
        let used = Self::heap(isolate);
        // QuickJS has no such figure to give.
        if cfg!(feature = "v8") && used > self.heap_limit.saturating_mul(EXCESS) {
            self.stop(Limit::Memory, used);
        }
    }

    /// The most that has been seen of the heap since the execution began.
    pub(super) fn peak_heap(&self, isolate: &mut Isolate) -> usize {
        self.note_heap(isolate);
        self.peak_heap.load(Relaxed)
    }

    /// Has the isolate's thread look at what is in use. To be called while the script computes.
    pub(super) fn look(&self) {
        if let Some(isolate) = self.isolate.get()
            && !self.looking.swap(true, Relaxed)
        {
            isolate.request_interrupt(look, ptr::from_ref(self).cast_mut().cast());
        }
    }

    /// Ends the execution if more is in use than may be, on the heap or beside it. On the isolate's thread.
    pub(super) fn check(&self, isolate: &mut Isolate) {
        self.note_heap(isolate);
        self.stop_on_excess(isolate);
        if self.beside_heap(isolate) > self.buffer_limit {
            // Some of it may be garbage.
            isolate.low_memory_notification();
            let used = self.beside_heap(isolate);
            if used > self.buffer_limit {
                self.stop(Limit::Buffers, used);
            }
        }
    }

    fn beside_heap(&self, isolate: &mut Isolate) -> usize {
        // The statistics of the heap leave out the memories of WebAssembly; the answer to a change by nothing does not.
        let external = isolate.adjust_amount_of_external_allocated_memory(0);
        usize::try_from(external).unwrap_or(0).max(self.buffers.load(Relaxed)).saturating_add(self.kept.load(Relaxed))
    }

    /// Whether more than half of the memory is in use, or the heap's limit is no longer what it was.
    pub(super) fn is_crowded(&self, isolate: &mut Isolate) -> bool {
        let heap = isolate.get_heap_statistics();
        let was_raised = heap.heap_size_limit() > self.heap_limit.saturating_add(HEADROOM / 2);
        was_raised || heap.used_heap_size() > self.heap_limit / 2 || self.beside_heap(isolate) > self.buffer_limit / 2
    }

    fn heap(isolate: &mut Isolate) -> usize {
        isolate.get_heap_statistics().used_heap_size()
    }

    fn note_heap(&self, isolate: &mut Isolate) {
        self.peak_heap.fetch_max(Self::heap(isolate), Relaxed);
    }

    fn stop(&self, limit: Limit, used: usize) {
        if let Some(stop) = &*self.stop.lock() {
            stop.stop(Reason::Limit(limit, used));
        }
    }

    fn allocate(&self, bytes: usize, allocate: unsafe fn(Layout) -> *mut u8) -> *mut c_void {
        let used = self.buffers.fetch_add(bytes, Relaxed).saturating_add(bytes);
        let layout = if used > self.buffer_limit.saturating_add(SLACK) { None } else { layout(bytes) };
        // SAFETY: a layout is never empty.
        let memory = layout.map_or(ptr::null_mut(), |layout| unsafe { allocate(layout) });
        if memory.is_null() {
            self.buffers.fetch_sub(bytes, Relaxed);
            // V8 collects garbage and asks again. The limit is exceeded only if that was in vain: when the script goes on.
            if self.refused.swap(used, Relaxed) == 0
                && let Some(isolate) = self.isolate.get()
            {
                isolate.request_interrupt(after_refusal, ptr::from_ref(self).cast_mut().cast());
            }
        } else {
            self.refused.store(0, Relaxed);
            if used > self.buffer_limit {
                self.look();
            }
        }
        memory.cast()
    }
}

impl MemoryTracker for Account {
    /// At once, since what is kept can grow fast: a blob copies in a call what takes the engine none.
    fn add(&self, bytes: usize) {
        let kept = self.kept.fetch_add(bytes, Relaxed).saturating_add(bytes);
        if kept > self.buffer_limit {
            self.stop(Limit::Buffers, kept);
        } else if kept.saturating_add(self.buffers.load(Relaxed)) > self.buffer_limit {
            // Some of the buffers may be garbage.
            self.look();
        } else if kept > self.collect_at.load(Relaxed) {
            self.collect_at.store(kept.saturating_add(self.buffer_limit / COLLECTIONS), Relaxed);
            if let Some(isolate) = self.isolate.get() {
                isolate.request_interrupt(collect, ptr::null_mut());
            }
        }
    }

    fn release(&self, bytes: usize) {
        // JavaScript's part of the accounts cannot make it less than nothing.
        let kept = self.kept.fetch_update(Relaxed, Relaxed, |kept| Some(kept.saturating_sub(bytes)));
        let kept = kept.unwrap_or_default().saturating_sub(bytes);
        self.collect_at.fetch_min(kept.saturating_add(self.buffer_limit / COLLECTIONS), Relaxed);
    }

    fn is_exceeded(&self) -> bool {
        self.kept.load(Relaxed) > self.buffer_limit
    }
}

fn layout(bytes: usize) -> Option<Layout> {
    Layout::from_size_align(bytes.max(1), ALIGNMENT).ok()
}

static ALLOCATOR: v8::RustAllocatorVtable<Account> =
    v8::RustAllocatorVtable { allocate: zeroed, allocate_uninitialized: uninitialized, free, drop: release };

unsafe extern "C" fn zeroed(account: &Account, bytes: usize) -> *mut c_void {
    account.allocate(bytes, alloc_zeroed)
}

unsafe extern "C" fn uninitialized(account: &Account, bytes: usize) -> *mut c_void {
    account.allocate(bytes, alloc)
}

unsafe extern "C" fn free(account: &Account, memory: *mut c_void, bytes: usize) {
    account.buffers.fetch_sub(bytes, Relaxed);
    if let Some(layout) = layout(bytes) {
        // SAFETY: `allocate` has given out this memory, with this layout.
        unsafe { dealloc(memory.cast(), layout) };
    }
}

unsafe extern "C" fn release(account: *const Account) {
    // SAFETY: `create_params` has put the pointer there.
    drop(unsafe { Arc::from_raw(account) });
}

/// The account and the isolate that V8 calls back with.
///
/// # Safety
///
/// `data` is what `Account` has handed to V8, and the isolate still has its allocator.
unsafe fn called_back(isolate: &mut UnsafeRawIsolatePtr, data: *mut c_void) -> (&Account, &mut Isolate) {
    // SAFETY: the allocator holds the account; V8 calls on the isolate's own thread.
    unsafe { (&*data.cast::<Account>(), Isolate::ref_from_raw_isolate_ptr_mut(isolate)) }
}

/// The heap is at its largest before a collection.
unsafe extern "C" fn before_collection(
    mut isolate: UnsafeRawIsolatePtr,
    _type: GCType,
    _flags: GCCallbackFlags,
    data: *mut c_void,
) {
    // SAFETY: registered by `open`.
    let (account, isolate) = unsafe { called_back(&mut isolate, data) };
    account.note_heap(isolate);
}

unsafe extern "C" fn look(mut isolate: UnsafeRawIsolatePtr, data: *mut c_void) {
    // SAFETY: asked for by `Account::look`.
    let (account, isolate) = unsafe { called_back(&mut isolate, data) };
    account.looking.store(false, Relaxed);
    account.check(isolate);
}

/// What garbage has kept is released when its finalizers run, in the event loop.
unsafe extern "C" fn collect(mut isolate: UnsafeRawIsolatePtr, _data: *mut c_void) {
    // SAFETY: V8 calls on the isolate's own thread.
    unsafe { Isolate::ref_from_raw_isolate_ptr_mut(&mut isolate) }.low_memory_notification();
}

/// V8 is short of memory for its heap, or for a buffer that the allocator has refused.
unsafe extern "C" fn near_heap_limit(data: *mut c_void, current: usize, initial: usize) -> usize {
    // SAFETY: registered by `open`; the allocator holds the account.
    let account = unsafe { &*data.cast::<Account>() };
    if account.refused.load(Relaxed) == 0 {
        account.stop(Limit::Memory, current);
    } else {
        // The collections that it tries next may find the memory.
        account.raised_from.store(initial, Relaxed);
    }
    current.saturating_add(HEADROOM)
}

unsafe extern "C" fn after_refusal(mut isolate: UnsafeRawIsolatePtr, data: *mut c_void) {
    // SAFETY: asked for by `Account::allocate`.
    let (account, isolate) = unsafe { called_back(&mut isolate, data) };
    let raised_from = account.raised_from.swap(0, Relaxed);
    if raised_from > 0 {
        isolate.remove_near_heap_limit_callback(near_heap_limit, raised_from);
        isolate.add_near_heap_limit_callback(near_heap_limit, data);
    }
    account.stop_on_refusal();
}

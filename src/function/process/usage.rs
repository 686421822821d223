//! Memory of a worker process, as the host sees it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Reads the memory of a worker process that no other process shares: V8's heap, buffers, and the engine's own.
///
/// Pages that the worker shares with the zygote since the fork count as well: see [`ProcessMemory::set_baseline`].
pub(in crate::function) struct ProcessMemory {
    statm: File,
    page: usize,
    baseline: AtomicUsize,
}

impl ProcessMemory {
    /// # Errors
    ///
    /// Fails if the process has ended.
    pub(in crate::function) fn of(pid: i32) -> io::Result<Self> {
        let statm = File::open(format!("/proc/{pid}/statm"))?;
        Ok(Self { statm, page: rustix::param::page_size(), baseline: AtomicUsize::new(0) })
    }

    /// Takes what the process holds now as the engine's own.
    pub(in crate::function) fn set_baseline(&self) {
        self.baseline.store(self.total().unwrap_or(0), Relaxed);
    }

    /// Bytes that the process holds beyond its baseline. None if it has ended.
    pub(in crate::function) fn used(&self) -> Option<usize> {
        Some(self.total()?.saturating_sub(self.baseline.load(Relaxed)))
    }

    fn total(&self) -> Option<usize> {
        let mut buffer = [0; 256];
        let length = self.statm.read_at(&mut buffer, 0).ok()?;
        // Pages: total, resident, resident and backed by a file or shared.
        let text = std::str::from_utf8(&buffer[..length]).ok()?;
        let mut pages = text.split_ascii_whitespace().map(|field| field.parse::<usize>().ok());
        let (resident, shared) = (pages.nth(1)??, pages.next()??);
        Some(resident.saturating_sub(shared) * self.page)
    }
}

//! Where executions run: in threads of this process, or in worker processes.

use std::path::PathBuf;
use std::time::Duration;

/// Where executions run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Workers {
    /// In threads of this process. Fast, and for scripts that are trusted not to attack V8.
    #[default]
    Threads,
    /// In processes of their own, behind the operating system's protection. For scripts of strangers.
    Processes(ProcessOptions),
}

impl Workers {
    /// Whether this build has worker processes: on Linux, with V8. Elsewhere, executions that need one fail.
    pub const fn has_processes() -> bool {
        cfg!(all(target_os = "linux", feature = "v8"))
    }
}

/// Which executions share a worker process, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Share {
    /// None: each execution has a process of its own.
    Execution,
    /// Executions of one script, for invokers of one workspace.
    #[default]
    Script,
    /// Executions of all scripts, for invokers of one workspace.
    Workspace,
}

/// Options of worker processes.
///
/// A worker process holds no database handle, no secret and no network connection. It is ended after an execution that exceeded a
/// limit or that crashed, and after `max_runs`, `max_age` or `max_memory`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct ProcessOptions {
    pub(in crate::function) share: Share,
    pub(in crate::function) max_runs: u32,
    pub(in crate::function) max_age: Duration,
    pub(in crate::function) max_memory: usize,
    pub(in crate::function) program: Option<PathBuf>,
    pub(in crate::function) reports_unknown_calls: bool,
}

/// Default of [`ProcessOptions::max_runs`]: the start of a process is then a thousandth of the work.
const DEFAULT_MAX_RUNS: u32 = 1_000;
/// Default of [`ProcessOptions::max_age`], as for reused isolates.
const DEFAULT_MAX_AGE: Duration = Duration::from_secs(600);
/// Default of [`ProcessOptions::max_memory`]. V8 does not return all memory of an execution to the system.
const DEFAULT_MAX_MEMORY: usize = 64 * 1024 * 1024;

impl Default for ProcessOptions {
    fn default() -> Self {
        Self {
            share: Share::default(),
            max_runs: DEFAULT_MAX_RUNS,
            max_age: DEFAULT_MAX_AGE,
            max_memory: DEFAULT_MAX_MEMORY,
            program: None,
            reports_unknown_calls: false,
        }
    }
}

impl ProcessOptions {
    /// Sets which executions share a process. Default: [`Share::Script`].
    pub fn share(mut self, share: Share) -> Self {
        self.share = share;
        self
    }

    /// Sets the number of executions after which a process is replaced. Default: 1,000.
    pub fn max_runs(mut self, runs: u32) -> Self {
        self.max_runs = runs;
        self
    }

    /// Sets the age at which a process is replaced, counted from its first execution. Default: ten minutes.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }

    /// Sets the memory in bytes that a process may hold between two executions. A process that holds more is replaced. Default:
    /// 64 MiB.
    pub fn max_memory(mut self, bytes: usize) -> Self {
        self.max_memory = bytes;
        self
    }

    /// Sets the program to start. Its `main` has to call [`worker_entry`](crate::function::worker_entry) first. Default: the
    /// current program.
    ///
    /// For hosts whose own `main` cannot, such as test harnesses.
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = Some(program.into());
        self
    }

    /// Ends a worker at the first system call that the sandbox does not know, and gives its number in the error. Otherwise, such a
    /// call fails with `EPERM`, as those do that the engine is known to make in vain.
    ///
    /// For tests of a new version of the engine.
    #[doc(hidden)]
    pub fn report_unknown_calls(mut self) -> Self {
        self.reports_unknown_calls = true;
        self
    }
}

/// Runs the program as a worker, if the function runtime of another process has started it as one; else returns at once.
///
/// Call it first in `main`, before anything that a worker must not do, such as reading secrets:
///
/// ```
/// tailor_idp::function::worker_entry();
/// // the host's own work
/// ```
pub fn worker_entry() {
    #[cfg(all(target_os = "linux", feature = "v8"))]
    super::process::worker_entry();
}

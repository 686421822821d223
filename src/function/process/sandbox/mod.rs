//! What a worker process gives up before a script runs.
//!
//! | layer | refuses |
//! | --- | --- |
//! | limits of the process | core dumps, files that grow, further descriptors |
//! | no new privileges, not dumpable | set-user-id programs; other processes of the same user that look into it |
//! | Landlock | all files, TCP, signals to other processes, abstract Unix sockets |
//! | seccomp | all system calls but those that V8 and the event loop need |

mod probe;
mod system_calls;
mod unknown_calls;

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use landlock::{ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetStatus, Scope};
use rustix::process::{
    DumpableBehavior, Pid, Resource, Rlimit, Signal, getppid, set_dumpable_behavior, set_parent_process_death_signal,
    setrlimit,
};
use serde::{Deserialize, Serialize};

pub(super) use self::probe::attempt;
pub use self::probe::{Attempt, Outcome, ProbeError, SandboxStatus, sandbox_status};
use self::system_calls::{UnknownCall, filters, own_signals};
pub(in crate::function) use self::unknown_calls::UNKNOWN_CALL_STATUS;
use crate::function::workers::ProcessOptions;

/// Descriptor of a worker's socket. Those below are standard input, output and error; there are no others.
const SOCKET: i32 = 3;
/// Descriptors that a worker may have: the first four, and those of its event loop.
const MAX_DESCRIPTORS: u64 = 32;
/// Newest Landlock interface whose rights are known here. Kernels with an older one enforce what they know.
const LANDLOCK: ABI = ABI::V6;

/// Reason why a worker cannot enter the sandbox.
#[derive(Debug, thiserror::Error)]
pub(super) enum SandboxError {
    #[error(transparent)]
    System(#[from] io::Error),
    #[error("the process that starts workers has ended")]
    NoZygote,
    #[error("Landlock: {0}")]
    Landlock(#[from] landlock::RulesetError),
    #[error("seccomp: {0}")]
    Seccomp(#[from] seccompiler::Error),
}

/// The parts of the sandbox that depend on the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Layers {
    pub(super) landlock: bool,
    pub(super) seccomp: bool,
    /// Whether seccomp ends the process at a call that it does not know, with a report.
    pub(super) reports_unknown_calls: bool,
}

impl Layers {
    /// All that the kernel has.
    pub(super) const fn all(options: &ProcessOptions) -> Self {
        Self { landlock: true, seccomp: true, reports_unknown_calls: options.reports_unknown_calls }
    }
}

/// Cuts the ties to the zygote: keeps the socket and standard error, and ends with the zygote. Returns the socket.
///
/// # Errors
///
/// Fails if the zygote has ended, or if the system refuses.
pub(super) fn leave_zygote(socket: &OwnedFd, stderr: &OwnedFd, zygote: Pid) -> Result<OwnedFd, SandboxError> {
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(io::Error::from)?;
    // It can have ended before.
    if getppid() != Some(zygote) {
        return Err(SandboxError::NoZygote);
    }
    let nothing = File::open("/dev/null")?;
    rustix::stdio::dup2_stderr(stderr).map_err(io::Error::from)?;
    // Beyond the descriptors that are replaced here.
    let socket = rustix::io::fcntl_dupfd_cloexec(socket, SOCKET + 1).map_err(io::Error::from)?;
    rustix::stdio::dup2_stdin(&nothing).map_err(io::Error::from)?;
    rustix::stdio::dup2_stdout(&nothing).map_err(io::Error::from)?;
    // SAFETY: replaces a descriptor of the zygote, whose owner is never used in this process.
    if unsafe { libc::dup2(socket.as_raw_fd(), SOCKET) } < 0 {
        return Err(io::Error::last_os_error().into());
    }
    // Closed below.
    std::mem::forget((socket, nothing));
    // SAFETY: the descriptors are the zygote's. Their owners are never used in this process.
    if unsafe { libc::syscall(libc::SYS_close_range, SOCKET + 1, libc::c_uint::MAX, 0) } < 0 {
        return Err(io::Error::last_os_error().into());
    }
    // SAFETY: the descriptor is open, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(SOCKET) })
}

/// Does once in the zygote what all workers need to enter the sandbox.
pub(super) fn prepare() {
    filters(UnknownCall::Fails);
}

/// Enters the sandbox, for good. The process has one thread; threads that it starts are in the sandbox too.
///
/// # Errors
///
/// Fails if the system refuses. A kernel without Landlock, or with an older one, is no error: see [`sandbox_status`].
pub(super) fn enter(layers: Layers) -> Result<(), SandboxError> {
    for (resource, limit) in
        [(Resource::Core, 0), (Resource::Fsize, 0), (Resource::Nofile, MAX_DESCRIPTORS), (Resource::Memlock, 0)]
    {
        let limit = Rlimit { current: Some(limit), maximum: Some(limit) };
        setrlimit(resource, limit).map_err(io::Error::from)?;
    }
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(io::Error::from)?;
    rustix::thread::set_no_new_privs(true).map_err(io::Error::from)?;
    if layers.landlock {
        restrict_by_landlock()?;
    }
    if layers.seccomp {
        let own_signals = own_signals().map_err(seccompiler::Error::from)?;
        let unknown = if layers.reports_unknown_calls {
            unknown_calls::install_handler()?;
            UnknownCall::IsReported
        } else {
            UnknownCall::Fails
        };
        for filter in [&own_signals].into_iter().chain(filters(unknown)) {
            seccompiler::apply_filter(filter)?;
        }
    }
    Ok(())
}

/// Denies everything that Landlock can deny.
fn restrict_by_landlock() -> Result<RulesetStatus, landlock::RulesetError> {
    let ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(LANDLOCK))?
        .handle_access(AccessNet::from_all(LANDLOCK))?
        .scope(Scope::from_all(LANDLOCK))?
        .create()?;
    Ok(ruleset.restrict_self()?.ruleset)
}

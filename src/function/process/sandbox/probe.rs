//! What the sandbox refuses on this kernel, found out by trying.

use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::Command;

use rustix::process::{Pid, Signal, getppid, kill_process};
use serde::{Deserialize, Serialize};

use super::{Layers, enter};
use crate::function::process::control::{Exit, Task};
use crate::function::process::launcher::launch_task;

/// Something that a worker process must not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Attempt {
    /// Opens a file for reading.
    ReadFile,
    /// Creates a file.
    CreateFile,
    /// Connects to a TCP port of this machine.
    Connect,
    /// Starts a program.
    StartProgram,
    /// Sends a signal to the parent process.
    SignalParent,
    /// Reads memory of the parent process.
    ReadParent,
    /// Opens a file descriptor of the parent process.
    TakeDescriptor,
}

/// What became of an [`Attempt`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It succeeded.
    Allowed,
    /// It failed with an error.
    Refused,
    /// It ended the process.
    Fatal,
}

/// What the sandbox refuses on this kernel: see [`sandbox_status`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SandboxStatus {
    /// Each attempt in a worker, with all that the kernel offers.
    pub in_force: Vec<(Attempt, Outcome)>,
    /// Each attempt with seccomp alone.
    pub seccomp: Vec<(Attempt, Outcome)>,
    /// Each attempt with Landlock alone.
    pub landlock: Vec<(Attempt, Outcome)>,
}

/// Reason why [`sandbox_status`] could not try.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ProbeError(String);

impl Attempt {
    /// All attempts.
    pub const ALL: [Self; 7] = [
        Self::ReadFile,
        Self::CreateFile,
        Self::Connect,
        Self::StartProgram,
        Self::SignalParent,
        Self::ReadParent,
        Self::TakeDescriptor,
    ];

    /// What is attempted, such as `open a file`.
    pub const fn description(self) -> &'static str {
        match self {
            Self::ReadFile => "open a file",
            Self::CreateFile => "create a file",
            Self::Connect => "connect to a TCP port",
            Self::StartProgram => "start a program",
            Self::SignalParent => "signal the parent process",
            Self::ReadParent => "read memory of the parent process",
            Self::TakeDescriptor => "take a file descriptor of the parent process",
        }
    }

    /// Tries it. Returns whether it succeeded.
    fn is_possible(self, parent: Pid) -> bool {
        match self {
            Self::ReadFile => File::open("/proc/self/exe").is_ok(),
            Self::CreateFile => {
                File::create(Path::new("/tmp").join(format!("tailor-idp-probe-{}", std::process::id()))).is_ok()
            }
            Self::Connect => match TcpListener::bind(("127.0.0.1", 0)) {
                Ok(listener) => listener.local_addr().is_ok_and(|address| TcpStream::connect(address).is_ok()),
                // Port 9 has no server on most machines: a refused connection was an attempt, too.
                Err(_) => match TcpStream::connect(("127.0.0.1", 9)) {
                    Ok(_) => true,
                    Err(error) => error.kind() == std::io::ErrorKind::ConnectionRefused,
                },
            },
            Self::StartProgram => Command::new("/proc/self/exe").arg("--version").status().is_ok(),
            // Changes nothing: the parent has the default reaction, which is to ignore it.
            Self::SignalParent => kill_process(parent, Signal::URG).is_ok(),
            Self::ReadParent => read_memory(parent),
            Self::TakeDescriptor => take_descriptor(parent),
        }
    }
}

/// Reads the memory of a process at an address of this one: both have the same program at the same place, since one was forked.
fn read_memory(process: Pid) -> bool {
    static BYTE: u8 = 1;
    let mut copy = 0_u8;
    let local = libc::iovec { iov_base: (&raw mut copy).cast(), iov_len: 1 };
    let remote = libc::iovec { iov_base: (&raw const BYTE).cast_mut().cast(), iov_len: 1 };
    // SAFETY: the kernel checks the remote address, and `copy` is valid for writes.
    let read = unsafe { libc::process_vm_readv(process.as_raw_pid(), &raw const local, 1, &raw const remote, 1, 0) };
    read == 1
}

fn take_descriptor(process: Pid) -> bool {
    let Ok(process) = rustix::process::pidfd_open(process, rustix::process::PidfdFlags::empty()) else { return false };
    // SAFETY: returns a new descriptor or an error. The process ends after the attempt.
    unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), 0, 0) >= 0 }
}

/// Status with which a process ends whose attempt was refused.
const REFUSED: i32 = 10;
/// Status with which a process ends that could not enter the sandbox.
const NO_SANDBOX: i32 = 11;

/// Enters the layers of the sandbox and tries it. Returns the status to end the process with.
pub(in crate::function::process) fn attempt(attempt: Attempt, layers: Layers) -> i32 {
    let parent = getppid().unwrap_or(Pid::INIT);
    match enter(layers) {
        Ok(()) if attempt.is_possible(parent) => 0,
        Ok(()) => REFUSED,
        Err(error) => {
            eprintln!("{error}");
            NO_SANDBOX
        }
    }
}

/// Tries in processes of its own what a worker process must not do, and reports what this kernel refuses.
///
/// Takes some milliseconds for each of the attempts, and blocks the thread.
///
/// # Errors
///
/// Fails if no process can be started: see [`worker_entry`](crate::function::worker_entry). The text says what to do.
pub fn sandbox_status(options: &crate::function::ProcessOptions) -> Result<SandboxStatus, ProbeError> {
    let all = Layers::all(options);
    let probe = |layers: Layers| -> Result<Vec<_>, ProbeError> {
        let outcome = |attempt| -> Result<_, ProbeError> {
            let task = Task::Attempt { attempt, layers };
            let launched = launch_task(options.program.as_deref(), task);
            let (process, socket) = launched.map_err(|error| ProbeError(error.to_string()))?;
            let ended = process.wait();
            drop(socket);
            let outcome = match ended.exit {
                Exit::Status(0) => Outcome::Allowed,
                Exit::Status(REFUSED) => Outcome::Refused,
                Exit::Signal(_) => Outcome::Fatal,
                _ => return Err(ProbeError(format!("a probe of the sandbox failed: {}", ended.stderr))),
            };
            Ok((attempt, outcome))
        };
        Attempt::ALL.into_iter().map(outcome).collect()
    };
    Ok(SandboxStatus {
        in_force: probe(all)?,
        seccomp: probe(Layers { landlock: false, ..all })?,
        landlock: probe(Layers { seccomp: false, ..all })?,
    })
}

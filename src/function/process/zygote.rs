//! The zygote: initializes V8, then forks a worker for each request of the host.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::SocketType;
use rustix::net::sockopt::socket_type;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, getpid, pidfd_open, set_parent_process_death_signal, waitid,
};

use super::control::{Exit, Fork, Report, Task, receive, send};
use super::inherit::include_all_memory_in_forks;
use super::{guest, sandbox};
use crate::function::pool::{STACK_BYTES, initialize_engine_without_threads};

/// Argument with which the host starts the zygote.
pub(super) const ZYGOTE_ARGUMENT: &str = "--tailor-idp-zygote";
/// Variable in the environment of a zygote. A program that has it and did not come to `worker_entry` starts no workers.
pub(super) const ZYGOTE_VARIABLE: &str = "TAILOR_IDP_ZYGOTE";

/// Time between two looks at the other threads, until they sleep.
const THREADS_POLL_INTERVAL: Duration = Duration::from_micros(200);
/// Looks at the other threads. Those of an event loop that has nothing to do yet fall asleep within a millisecond.
const THREADS_MAX_POLLS: u32 = 5_000;

/// See [`crate::function::worker_entry`].
pub(in crate::function) fn worker_entry() {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_none_or(|argument| argument != ZYGOTE_ARGUMENT) || arguments.next().is_some() {
        return;
    }
    let stdin = io::stdin();
    if socket_type(&stdin).ok() != Some(SocketType::SEQPACKET) {
        return;
    }
    // A thread of its own: the caller can be in an event loop, and its stack can be too small.
    let zygote = thread::Builder::new().name("zygote".to_owned()).stack_size(STACK_BYTES).spawn(|| {
        let outcome = run(io::stdin().as_fd());
        if let Err(error) = &outcome {
            eprintln!("the process that starts workers failed: {error}");
        }
        outcome.is_ok()
    });
    let is_ok = zygote.is_ok_and(|thread| thread.join().unwrap_or(false));
    // The host's own `main` must not go on.
    std::process::exit(i32::from(!is_ok));
}

/// A worker that runs.
struct Worker {
    number: u64,
    process: OwnedFd,
}

/// Initializes the engine, and serves requests until the host is gone.
fn run(host: BorrowedFd<'_>) -> io::Result<()> {
    match serve(host) {
        Err(error) if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => Ok(()),
        ended => ended,
    }
}

fn serve(host: BorrowedFd<'_>) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    initialize_engine_without_threads();
    guest::warm_up();
    sandbox::prepare();
    wait_for_other_threads();
    include_all_memory_in_forks()?;
    send(host, &Report::Ready, &[])?;
    let zygote = getpid();
    let mut workers: Vec<Worker> = Vec::new();
    loop {
        let events: Vec<_> = {
            let fds = [host].into_iter().chain(workers.iter().map(|worker| worker.process.as_fd()));
            let mut fds: Vec<_> = fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
            match poll(&mut fds, None) {
                Err(rustix::io::Errno::INTR) => continue,
                polled => polled?,
            };
            fds.iter().map(|fd| !fd.revents().is_empty()).collect()
        };
        let mut ended = events.iter().skip(1).copied();
        let mut reports = Vec::new();
        workers.retain(|worker| {
            let has_ended = ended.next().unwrap_or(false);
            if has_ended {
                reports.push(Report::Exited { worker: worker.number, exit: exit_of(worker) });
            }
            !has_ended
        });
        for report in reports {
            send(host, &report, &[])?;
        }
        if events.first() == Some(&true) {
            let Some((Fork { worker: number, task }, fds)) = receive(host)? else { return Ok(()) };
            match fork(fds, zygote, task) {
                Ok((pid, process)) => {
                    let report = Report::Forked { worker: number, pid: pid.as_raw_pid() };
                    send(host, &report, &[process.as_fd()])?;
                    workers.push(Worker { number, process });
                }
                Err(error) => send(host, &Report::Failed { worker: number, error: error.to_string() }, &[])?,
            }
        }
    }
}

/// Forks a worker, which gets its socket and its standard error.
fn fork(fds: Vec<OwnedFd>, zygote: Pid, task: Task) -> io::Result<(Pid, OwnedFd)> {
    let [socket, stderr] =
        <[OwnedFd; 2]>::try_from(fds).map_err(|_| io::Error::other("the descriptors are missing"))?;
    // SAFETY: the new process has this thread alone. V8 has no threads, and those of the host's `main` were asleep and thus held no
    // lock: see `wait_for_other_threads`. The C library makes its allocator usable in the new process.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => guest::run(&socket, &stderr, zygote, task),
        pid => {
            let pid = Pid::from_raw(pid).ok_or_else(|| io::Error::other("fork returned no process"))?;
            Ok((pid, pidfd_open(pid, PidfdFlags::empty())?))
        }
    }
}

fn exit_of(worker: &Worker) -> Exit {
    let status = match waitid(WaitId::PidFd(worker.process.as_fd()), WaitIdOptions::EXITED) {
        Ok(Some(status)) => status,
        _ => return Exit::Unknown,
    };
    match (status.terminating_signal(), status.exit_status()) {
        (Some(signal), _) => Exit::Signal(signal),
        (_, Some(status)) => Exit::Status(status),
        _ => Exit::Unknown,
    }
}

/// Waits until all other threads of this process sleep, if the host's `main` has started some before it called `worker_entry`.
fn wait_for_other_threads() {
    for _ in 0..THREADS_MAX_POLLS {
        if other_threads_sleep().unwrap_or(false) {
            return;
        }
        thread::sleep(THREADS_POLL_INTERVAL);
    }
}

fn other_threads_sleep() -> io::Result<bool> {
    let this = rustix::thread::gettid().as_raw_pid().to_string();
    for task in fs::read_dir("/proc/self/task")? {
        let task = task?;
        if task.file_name().to_str() == Some(&this) {
            continue;
        }
        let stat = fs::read_to_string(task.path().join("stat"))?;
        // The name of the thread, in parentheses, comes before the state.
        let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
        if state != Some('S') {
            return Ok(false);
        }
    }
    Ok(true)
}

//! Starts worker processes, by way of the zygote.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Signal, pidfd_send_signal};

use super::control::{Exit, Fork, Report, Task, receive, send};
use super::sandbox::Layers;
use super::zygote::{ZYGOTE_ARGUMENT, ZYGOTE_VARIABLE};
use crate::function::workers::ProcessOptions;

/// Time that the zygote has to initialize V8, in seconds. It takes some milliseconds on an idle machine.
const ZYGOTE_START_TIMEOUT_SECONDS: i64 = 30;
/// Time that the zygote has to start a worker. It takes less than a millisecond on an idle machine.
const FORK_TIMEOUT: Duration = Duration::from_secs(10);
/// Time to wait for the report of how a worker ended, after its socket was closed or it was killed.
const EXIT_TIMEOUT: Duration = Duration::from_secs(2);

/// Part of a worker's standard error that is kept, in bytes: V8's report of a fatal error.
const MAX_STDERR: usize = 2 * 1024;

/// Reason why a worker process cannot be started.
#[derive(Debug, thiserror::Error)]
pub(in crate::function) enum LaunchError {
    #[error("cannot start a worker process: {0}")]
    Io(#[from] io::Error),
    #[error(
        "the program {0} did not start as a worker: call tailor_idp::function::worker_entry() first in its main function"
    )]
    NoEntry(String),
    #[error("cannot start a worker process: {0}")]
    Refused(String),
    #[error("the process that starts worker processes does not answer")]
    Silent,
    #[error(
        "this program was started as a worker and must not start workers: call tailor_idp::function::worker_entry() \
         first in its main function"
    )]
    InWorker,
}

/// A worker process. Killed when dropped.
pub(in crate::function) struct WorkerProcess {
    pid: i32,
    process: Arc<OwnedFd>,
    stderr: OwnedFd,
    exit: Arc<ExitSlot>,
}

/// How a worker process ended.
#[derive(Debug)]
pub(in crate::function) struct Ended {
    pub(in crate::function) exit: Exit,
    /// End of what the process wrote to standard error.
    pub(in crate::function) stderr: String,
}

#[derive(Default)]
struct ExitSlot {
    exit: Mutex<Option<Exit>>,
    filled: Condvar,
}

impl ExitSlot {
    fn set(&self, exit: Exit) {
        self.exit.lock().get_or_insert(exit);
        self.filled.notify_all();
    }

    fn wait(&self, timeout: Duration) -> Exit {
        let mut exit = self.exit.lock();
        self.filled.wait_while_for(&mut exit, |exit| exit.is_none(), timeout);
        exit.unwrap_or(Exit::Unknown)
    }
}

impl WorkerProcess {
    pub(in crate::function) fn pid(&self) -> i32 {
        self.pid
    }

    /// A handle that can kill the process from any thread.
    pub(in crate::function) fn killer(&self) -> impl Fn() + Send + 'static {
        let process = Arc::clone(&self.process);
        move || {
            // Fails if the process has ended.
            let _ = pidfd_send_signal(&process, Signal::KILL);
        }
    }

    pub(in crate::function) fn kill(&self) {
        // Fails if the process has ended.
        let _ = pidfd_send_signal(&self.process, Signal::KILL);
    }

    /// Whether the process has ended.
    pub(in crate::function) fn has_ended(&self) -> bool {
        let mut fds = [PollFd::new(&self.process, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ended| ended > 0)
    }

    /// Waits for the end of the process, whose socket is closed or which was killed.
    pub(in crate::function) fn wait(&self) -> Ended {
        let exit = self.exit.wait(EXIT_TIMEOUT);
        let mut text = Vec::new();
        let mut buffer = [0; 4096];
        // Not blocking: what the process has written is in the pipe.
        while let Ok(length @ 1..) = rustix::io::read(&self.stderr, &mut buffer) {
            text.extend_from_slice(&buffer[..length]);
        }
        let tail = &text[text.len().saturating_sub(MAX_STDERR)..];
        Ended { exit, stderr: String::from_utf8_lossy(tail).trim().escape_debug().to_string() }
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts a worker process. Returns it with its socket.
///
/// # Errors
///
/// Fails if the program cannot be started or has no entry for workers, or if the system refuses a process.
pub(in crate::function) fn launch(options: &ProcessOptions) -> Result<(WorkerProcess, UnixStream), LaunchError> {
    launch_task(options.program.as_deref(), Task::Work { layers: Layers::all(options) })
}

/// As [`launch`], for any task. The program is the current one by default.
pub(super) fn launch_task(program: Option<&Path>, task: Task) -> Result<(WorkerProcess, UnixStream), LaunchError> {
    let zygote = Zygote::get(program)?;
    let launched = zygote.launch(task);
    if matches!(launched, Err(LaunchError::Silent | LaunchError::Io(_))) {
        // Killed from outside, most likely: the next one is started anew.
        zygote.forget();
        return Zygote::get(program)?.launch(task);
    }
    launched
}

/// Zygotes by program. Shared by all runtimes of the process.
static ZYGOTES: LazyLock<Mutex<HashMap<PathBuf, Arc<Zygote>>>> = LazyLock::new(Mutex::default);

/// The host's side of a zygote.
struct Zygote {
    program: PathBuf,
    socket: OwnedFd,
    shared: Arc<Shared>,
}

/// State shared with the thread that reads the zygote's reports.
#[derive(Default)]
struct Shared {
    state: Mutex<State>,
}

/// Id and descriptor of a new process.
type Launched = Result<(i32, OwnedFd), LaunchError>;

#[derive(Default)]
struct State {
    /// Whether the zygote has ended.
    is_closed: bool,
    /// Callers that wait for a worker.
    launches: HashMap<u64, SyncSender<Launched>>,
    exits: HashMap<u64, Arc<ExitSlot>>,
}

impl Zygote {
    fn get(program: Option<&Path>) -> Result<Arc<Self>, LaunchError> {
        // The file that runs, also if it was replaced meanwhile.
        let program = program.unwrap_or(Path::new("/proc/self/exe"));
        let mut zygotes = ZYGOTES.lock();
        if let Some(zygote) = zygotes.get(program) {
            return Ok(Arc::clone(zygote));
        }
        let zygote = Arc::new(Self::start(program)?);
        zygotes.insert(program.to_owned(), Arc::clone(&zygote));
        Ok(zygote)
    }

    /// Lets the next launch start another zygote.
    fn forget(self: &Arc<Self>) {
        let mut zygotes = ZYGOTES.lock();
        if zygotes.get(&self.program).is_some_and(|zygote| Arc::ptr_eq(zygote, self)) {
            zygotes.remove(&self.program);
        }
    }

    fn start(program: &Path) -> Result<Self, LaunchError> {
        if std::env::var_os(ZYGOTE_VARIABLE).is_some() {
            return Err(LaunchError::InWorker);
        }
        let (socket, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
            .map_err(io::Error::from)?;
        let mut command = Command::new(program);
        command.arg0("tailor-idp-worker").arg(ZYGOTE_ARGUMENT);
        command.env_clear().env(ZYGOTE_VARIABLE, "1").current_dir("/");
        // Workers have the host's local time.
        if let Some(zone) = std::env::var_os("TZ") {
            command.env("TZ", zone);
        }
        command.stdin(Stdio::from(theirs)).stdout(Stdio::null());
        let shared = Arc::new(Shared::default());
        let (reports, reader) = (socket.try_clone()?, Arc::clone(&shared));
        let (sender, started) = mpsc::sync_channel(1);
        let name = program.display().to_string();
        // The zygote gets its death signal when the thread that started it ends: this one lives as long as the process.
        let serve = move || {
            let child = command.spawn();
            // Closes this side's copy of the zygote's socket.
            drop(command);
            let mut child = match child {
                Ok(child) => child,
                Err(error) => return drop(sender.send(Err(error.into()))),
            };
            let is_ready = is_ready(&reports);
            // Fails if the caller has given up.
            let is_wanted = sender.send(if is_ready { Ok(()) } else { Err(LaunchError::NoEntry(name)) }).is_ok();
            if is_ready && is_wanted {
                reader.serve(&reports);
            }
            reader.close();
            // Errors: the process has ended.
            let _ = child.kill();
            let _ = child.wait();
        };
        thread::Builder::new().name("tailor-idp-zygote".to_owned()).spawn(serve)?;
        started.recv().map_err(|_| LaunchError::Silent)??;
        Ok(Self { program: program.to_owned(), socket, shared })
    }

    fn launch(&self, task: Task) -> Result<(WorkerProcess, UnixStream), LaunchError> {
        static NEXT_WORKER: AtomicU64 = AtomicU64::new(1);
        let worker = NEXT_WORKER.fetch_add(1, Relaxed);
        let (ours, theirs) = UnixStream::pair()?;
        let (stderr, their_stderr) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).map_err(io::Error::from)?;
        let exit = Arc::new(ExitSlot::default());
        let (sender, started) = mpsc::sync_channel(1);
        {
            let mut state = self.shared.state.lock();
            if state.is_closed {
                return Err(LaunchError::Silent);
            }
            state.launches.insert(worker, sender);
            state.exits.insert(worker, Arc::clone(&exit));
        }
        let sent = send(&self.socket, &Fork { worker, task }, &[theirs.as_fd(), their_stderr.as_fd()]);
        let launched = match sent {
            Ok(()) => started.recv_timeout(FORK_TIMEOUT).unwrap_or(Err(LaunchError::Silent)),
            Err(error) => Err(error.into()),
        };
        let (pid, process) = launched.inspect_err(|_| {
            let mut state = self.shared.state.lock();
            state.launches.remove(&worker);
            state.exits.remove(&worker);
        })?;
        Ok((WorkerProcess { pid, process: Arc::new(process), stderr, exit }, ours))
    }
}

/// Waits for the zygote's first report.
fn is_ready(reports: &OwnedFd) -> bool {
    let timeout = Timespec { tv_sec: ZYGOTE_START_TIMEOUT_SECONDS, tv_nsec: 0 };
    let mut fds = [PollFd::new(reports, PollFlags::IN)];
    let has_report = poll(&mut fds, Some(&timeout)).is_ok_and(|events| events > 0);
    has_report && matches!(receive(reports), Ok(Some((Report::Ready, _))))
}

impl Shared {
    /// Passes on reports until the zygote has ended.
    fn serve(&self, reports: &OwnedFd) {
        loop {
            match receive(reports) {
                Ok(Some((report, fds))) => self.handle(report, fds),
                Ok(None) => return,
                Err(error) => return tracing::error!(%error, "cannot read the reports on worker processes"),
            }
        }
    }

    fn handle(&self, report: Report, fds: Vec<OwnedFd>) {
        let mut state = self.state.lock();
        let (worker, launched) = match report {
            Report::Ready => return,
            Report::Exited { worker, exit } => {
                if let Some(slot) = state.exits.remove(&worker) {
                    slot.set(exit);
                }
                return;
            }
            Report::Forked { worker, pid } => {
                let process = fds.into_iter().next();
                (worker, process.map(|process| (pid, process)).ok_or(LaunchError::Silent))
            }
            Report::Failed { worker, error } => (worker, Err(LaunchError::Refused(error))),
        };
        if let Some(sender) = state.launches.remove(&worker) {
            // Fails if the caller has given up: its end of the socket is closed, and the worker exits.
            let _ = sender.send(launched);
        }
    }

    /// The zygote has ended, and with it all workers.
    fn close(&self) {
        let mut state = self.state.lock();
        state.is_closed = true;
        state.launches.clear();
        for (_, slot) in state.exits.drain() {
            slot.set(Exit::Unknown);
        }
    }
}

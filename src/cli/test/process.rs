//! Runs the program as a child process with a time limit, and kills its descendants with it.

use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::Instant;

/// Maximum bytes of stdout and of stderr: an endless loop must not fill the memory.
const MAX_OUTPUT: u64 = 16 * 1024 * 1024;

/// Output of a process. Invalid UTF-8 is replaced by U+FFFD.
#[derive(Default, Debug)]
pub(super) struct Output {
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// Why a process did not run to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProcessError {
    #[error("still running after the time limit")]
    TimedOut(Output),
    #[error("it printed more than {} MiB", MAX_OUTPUT / (1024 * 1024))]
    TooMuch,
    #[error("interrupted")]
    Stopped,
    #[error("the program cannot be run: {0}")]
    Failed(#[from] std::io::Error),
}

/// Runs the command to its end, the deadline, or until `stop` becomes true. The process has ended when this returns.
pub(super) async fn run(
    mut command: Command,
    deadline: Instant,
    stop: &mut watch::Receiver<bool>,
) -> Result<(ExitStatus, Output), ProcessError> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    // Its own process group: it can be killed as a whole, and Ctrl-C does not reach it before us.
    #[cfg(unix)]
    command.process_group(0);
    let mut child = command.spawn()?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let ended = {
        let wait = async { child.wait().await.map_err(ProcessError::from) };
        let work = async { tokio::try_join!(wait, read(out, &mut stdout), read(err, &mut stderr)) };
        tokio::select! {
            ended = work => ended.map(|(status, (), ())| status),
            () = tokio::time::sleep_until(deadline) => Err(ProcessError::TimedOut(Output::default())),
            () = stopped(stop) => Err(ProcessError::Stopped),
        }
    };
    if ended.is_err() {
        kill(&mut child).await;
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let output = Output { stdout: text(&stdout), stderr: text(&stderr) };
    match ended {
        Ok(status) => Ok((status, output)),
        Err(ProcessError::TimedOut(_)) => Err(ProcessError::TimedOut(output)),
        Err(error) => Err(error),
    }
}

/// Returns when `stop` becomes true; never if its sender is dropped before.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn read(from: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>) -> Result<(), ProcessError> {
    let Some(from) = from else { return Ok(()) };
    from.take(MAX_OUTPUT + 1).read_to_end(into).await?;
    if into.len() as u64 > MAX_OUTPUT { Err(ProcessError::TooMuch) } else { Ok(()) }
}

async fn kill(child: &mut Child) {
    #[cfg(unix)]
    if let Some(group) = child.id().and_then(|id| rustix::process::Pid::from_raw(id as i32)) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.kill().await;
}

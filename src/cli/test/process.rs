//! The program as a process of its own, which ends in time with all that it has started.

use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::Instant;

/// A script that prints more than this without end would fill the memory.
const OUTPUT_LIMIT: u64 = 16 * 1024 * 1024;

/// What a process printed. What is no UTF-8 in it has become U+FFFD.
#[derive(Default, Debug)]
pub(super) struct Output {
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// Why a process did not end by itself.
#[derive(Debug, thiserror::Error)]
pub(super) enum Cut {
    #[error("still running after the time limit")]
    TimedOut(Output),
    #[error("it printed more than {} MiB", OUTPUT_LIMIT / (1024 * 1024))]
    TooMuch,
    #[error("interrupted")]
    Stopped,
    #[error("the program cannot be run: {0}")]
    Failed(#[from] std::io::Error),
}

/// Runs the command until it ends, or `until`, or `stop` is true. It has ended when this returns.
pub(super) async fn run(
    mut command: Command,
    until: Instant,
    stop: &mut watch::Receiver<bool>,
) -> Result<(ExitStatus, Output), Cut> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    // A group of its own, which can be ended as a whole, and which a Ctrl-C does not reach ahead of us.
    #[cfg(unix)]
    command.process_group(0);
    let mut child = command.spawn()?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let ended = {
        let wait = async { child.wait().await.map_err(Cut::from) };
        let work = async { tokio::try_join!(wait, read(out, &mut stdout), read(err, &mut stderr)) };
        tokio::select! {
            ended = work => ended.map(|(status, (), ())| status),
            () = tokio::time::sleep_until(until) => Err(Cut::TimedOut(Output::default())),
            () = stopped(stop) => Err(Cut::Stopped),
        }
    };
    if ended.is_err() {
        end(&mut child).await;
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let output = Output { stdout: text(&stdout), stderr: text(&stderr) };
    match ended {
        Ok(status) => Ok((status, output)),
        Err(Cut::TimedOut(_)) => Err(Cut::TimedOut(output)),
        Err(cut) => Err(cut),
    }
}

/// Returns when `stop` becomes true; never, if nobody is left who could say so.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn read(from: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>) -> Result<(), Cut> {
    let Some(from) = from else { return Ok(()) };
    from.take(OUTPUT_LIMIT + 1).read_to_end(into).await?;
    if into.len() as u64 > OUTPUT_LIMIT { Err(Cut::TooMuch) } else { Ok(()) }
}

async fn end(child: &mut Child) {
    #[cfg(unix)]
    if let Some(group) = child.id().and_then(|id| rustix::process::Pid::from_raw(id as i32)) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.kill().await;
}

//! Processes to kill: this test binary, run for one ignored test.

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

use tokio::sync::oneshot;

/// The path of the database.
const DATABASE: &str = "TAILOR_IDP_TEST_CHILD_DATABASE";
/// An argument of the ignored test.
const ARGUMENT: &str = "TAILOR_IDP_TEST_CHILD_ARGUMENT";

/// A process that does not outlive the test.
pub(crate) struct ChildProcess(Child);

impl ChildProcess {
    /// Starts the ignored test with this path of modules.
    pub(crate) fn start(test: &str, database: &Path, argument: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([test, "--exact", "--ignored"]).env(DATABASE, database).env(ARGUMENT, argument);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    /// What the process writes to stderr. Of a test, this is what bypasses the test harness.
    pub(crate) fn stderr(&mut self) -> ChildStderr {
        self.0.stderr.take().expect("stderr is taken once")
    }

    /// Whether the process is running.
    pub(crate) fn is_running(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }

    /// Kills the process (SIGKILL), which must be running.
    pub(crate) fn kill(&mut self) {
        let running = self.is_running();
        self.0.kill().unwrap();
        self.0.wait().unwrap();
        assert!(running, "the process ended by itself");
    }

    /// Waits until the process ends by itself, with success.
    pub(crate) fn wait(mut self) {
        // Keeps stdin open.
        let stdin = self.0.stdin.take();
        assert!(self.0.wait().unwrap().success());
        drop(stdin);
    }

    /// Asks the process to end (see [`ended_by_parent`]), and waits until it exits with success.
    pub(crate) fn stop(mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// In the child: the database and the argument. `None` if the ignored test was not started by [`ChildProcess::start`].
pub(crate) fn arguments() -> Option<(PathBuf, String)> {
    let database = std::env::var_os(DATABASE)?;
    Some((database.into(), std::env::var(ARGUMENT).unwrap()))
}

/// In the child: completes when the parent asks the process to end, or is gone.
pub(crate) async fn ended_by_parent() {
    let (sender, ended) = oneshot::channel::<()>();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        drop(sender);
    });
    let _ = ended.await;
}

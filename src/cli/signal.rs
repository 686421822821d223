//! SIGINT and SIGTERM.

use tokio::sync::watch;

use super::error::INTERRUPTED_EXIT_CODE;

/// Returns a value that becomes true on the first SIGINT or SIGTERM. A second signal ends the process at once. Handlers are
/// installed before this returns: call it before reporting that the program is ready.
pub(super) fn stopped() -> std::io::Result<watch::Receiver<bool>> {
    let mut interrupts = Interrupts::listen()?;
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        interrupts.next().await;
        let _ = stop.send(true);
        interrupts.next().await;
        std::process::exit(INTERRUPTED_EXIT_CODE.into());
    });
    Ok(stopped)
}

#[cfg(unix)]
struct Interrupts {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Interrupts {
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(windows)]
struct Interrupts(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Interrupts {
    fn listen() -> std::io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    async fn next(&mut self) {
        let _ = self.0.recv().await;
    }
}

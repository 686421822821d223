//! A running program whose output a test reads line by line.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

/// Timeout for one line of output. No output takes this long, even on a busy machine.
pub(crate) const READ_TIMEOUT: Duration = Duration::from_secs(120);

/// A running program. Killed when dropped.
pub(crate) struct LiveProgram {
    child: Child,
    lines: Receiver<String>,
    /// Lines that no call of `line` has returned yet. Stdout and stderr arrive in any order.
    others: Vec<String>,
}

impl LiveProgram {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        pump(child.stdout.take().unwrap(), sender.clone());
        pump(child.stderr.take().unwrap(), sender);
        Self { child, lines, others: Vec::new() }
    }

    /// Waits for a line on stdout or stderr that contains `part`, and removes it.
    pub(crate) fn line(&mut self, part: &str) -> String {
        if let Some(index) = self.others.iter().position(|line| line.contains(part)) {
            return self.others.remove(index);
        }
        while let Ok(line) = self.lines.recv_timeout(READ_TIMEOUT) {
            if line.contains(part) {
                return line;
            }
            self.others.push(line);
        }
        panic!("no line with {part:?}: {:#?}", self.others);
    }

    /// Waits for the program to exit, and returns its exit code.
    pub(crate) fn end(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    #[cfg(unix)]
    pub(crate) fn interrupt(&self) {
        crate::support::send_signal(self.child.id(), rustix::process::Signal::INT);
    }
}

impl Drop for LiveProgram {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn pump(from: impl Read + Send + 'static, to: Sender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let _ = to.send(line);
        }
    });
}

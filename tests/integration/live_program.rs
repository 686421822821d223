//! A program that runs while a test talks to it.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

/// Longer than anything takes on a machine that is busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Killed when it is dropped.
pub(crate) struct LiveProgram {
    child: Child,
    lines: Receiver<String>,
    /// What has been read, and not asked for: stdout and stderr come in no order.
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

    /// Waits for a line on stdout or stderr with this in it, and takes it.
    pub(crate) fn line(&mut self, part: &str) -> String {
        if let Some(index) = self.others.iter().position(|line| line.contains(part)) {
            return self.others.remove(index);
        }
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            if line.contains(part) {
                return line;
            }
            self.others.push(line);
        }
        panic!("no line with {part:?}: {:#?}", self.others);
    }

    /// Waits for the end, and returns the exit code.
    pub(crate) fn end(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    #[cfg(unix)]
    pub(crate) fn interrupt(&self) {
        // SAFETY: a plain system call, on a process that has not been waited for.
        assert_eq!(unsafe { libc::kill(self.child.id().cast_signed(), libc::SIGINT) }, 0);
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

//! Slot through which an idle worker receives its next command.

use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::job::Job;

/// Command for a worker.
pub(super) enum Command {
    Run(Box<Job>),
    Exit,
}

/// Holds the next command of one worker.
#[derive(Default)]
pub(super) struct WorkerSlot {
    command: Mutex<Option<Command>>,
    filled: Condvar,
}

impl WorkerSlot {
    pub(super) fn put(&self, command: Command) {
        *self.command.lock() = Some(command);
        self.filled.notify_one();
    }

    /// Waits for a command.
    pub(super) fn take(&self) -> Command {
        let mut slot = self.command.lock();
        loop {
            if let Some(command) = slot.take() {
                return command;
            }
            self.filled.wait(&mut slot);
        }
    }

    /// Waits for a command, until the timeout.
    pub(super) fn take_timeout(&self, timeout: Duration) -> Option<Command> {
        let mut slot = self.command.lock();
        if slot.is_none() {
            self.filled.wait_for(&mut slot, timeout);
        }
        slot.take()
    }
}

//! Repeating a write after a conflict.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::time::Instant;

use tokio::sync::{Mutex, MutexGuard};

use crate::model::{Code, IdpError};

/// The number of times that a write is attempted. Repetitions by this process wait for each other, so that only first attempts
/// and other processes interfere: more conflicts in a row do not occur by chance.
const MAX_ATTEMPTS: usize = 20;

/// The number of queues. Users who share one wait for each other without need.
const QUEUES: usize = 16;

/// The queues in which writes that conflicted wait for their repetition, by user. Without them, of many writes to one user at
/// once each round would let one through, and the rest would exhaust their attempts.
#[derive(Debug, Default)]
pub(crate) struct RetryQueues([Mutex<()>; QUEUES]);

impl RetryQueues {
    /// Starts to count the conflicts of a write to a user.
    pub(crate) fn conflicts(&self, user_id: &str) -> Conflicts<'_> {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(user_id);
        Conflicts { queue: self.0.get(hash as usize % QUEUES), turn: None, attempts: 0, deadline: None }
    }
}

/// Counts the conflicts of one write, which its caller repeats: it reads, decides and writes again.
#[derive(Debug)]
pub(crate) struct Conflicts<'a> {
    queue: Option<&'a Mutex<()>>,
    /// Held from the first repetition to the last.
    turn: Option<MutexGuard<'a, ()>>,
    attempts: usize,
    deadline: Option<Instant>,
}

impl Conflicts<'_> {
    /// Sets the time after which the write is not repeated.
    pub(crate) fn until(self, deadline: Option<Instant>) -> Self {
        Self { deadline, ..self }
    }

    /// Whether the write is to be repeated: it conflicted, and not too often yet. Waits for its turn. At the deadline, the
    /// outcome of a write that is to be repeated becomes [`Code::DeadlineExceeded`].
    pub(crate) async fn repeat<T>(&mut self, outcome: &mut Result<T, IdpError>) -> bool {
        self.attempts += 1;
        if self.attempts >= MAX_ATTEMPTS || !outcome.as_ref().is_err_and(IdpError::is_conflict) {
            return false;
        }
        let in_time = match self.deadline {
            None => {
                self.wait().await;
                true
            }
            Some(deadline) => {
                Instant::now() < deadline && tokio::time::timeout_at(deadline.into(), self.wait()).await.is_ok()
            }
        };
        if !in_time {
            let detail = "the user changed at the same time, and the deadline passed before the write was repeated";
            *outcome = Err(IdpError::new(Code::DeadlineExceeded, detail));
        }
        in_time
    }

    async fn wait(&mut self) {
        if self.turn.is_none()
            && let Some(queue) = self.queue
        {
            self.turn = Some(queue.lock().await);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn conflict() -> Result<(), IdpError> {
        Err(IdpError::conflict())
    }

    #[tokio::test]
    async fn write_waits_for_its_turn_until_the_deadline() {
        let queues = RetryQueues::default();
        let mut first = queues.conflicts("ana");
        assert!(first.repeat(&mut conflict()).await);
        let mut second = queues.conflicts("ana").until(Some(Instant::now() + Duration::from_millis(20)));
        let mut outcome = conflict();
        assert!(!second.repeat(&mut outcome).await);
        assert_eq!(outcome.unwrap_err().code(), Code::DeadlineExceeded);
        drop(first);
        let mut third = queues.conflicts("ana").until(Some(Instant::now() + Duration::from_secs(60)));
        assert!(third.repeat(&mut conflict()).await);
    }
}

//! Queues of writes to existing users.
//!
//! A write reads the user, decides, and commits with the user's version as an expectation. Of the writes that read one version,
//! only one can commit; so the writes to one user are executed one after another, in the order of their calls. Conflicts remain
//! between processes, between writes that do not share their queues, and with writes that were overtaken.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::time::{timeout, timeout_at};

use crate::model::{Code, IdpError};

/// The number of times that a write is attempted. Writes of this process wait for each other: more conflicts in a row do not
/// occur by chance.
const MAX_ATTEMPTS: usize = 20;

/// The time after which a write is overtaken by the next one. Nothing drives a write while its isolate executes JavaScript, and
/// no other isolate is to wait for that. Many times the duration of a commit.
const OVERTAKEN_AFTER: Duration = Duration::from_millis(250);

/// A queue for each user with writes in progress.
#[derive(Debug, Default)]
pub(crate) struct WriteQueues(Mutex<HashMap<Arc<str>, Queue>>);

#[derive(Debug)]
struct Queue {
    /// One permit: the turn. A write that is executed has taken it out.
    turns: Arc<Semaphore>,
    /// The number of the latest turn. Only the write that has it passes the turn on: earlier ones were overtaken.
    latest: u64,
    /// The time of the latest turn.
    since: Instant,
    /// The writes that wait or are executed. The queue is removed with the last one.
    writes: usize,
}

impl Queue {
    fn new() -> Self {
        Self { turns: Arc::new(Semaphore::new(1)), latest: 0, since: Instant::now(), writes: 0 }
    }

    fn next_turn(&mut self) -> u64 {
        self.since = Instant::now();
        self.latest += 1;
        self.latest
    }
}

impl WriteQueues {
    /// Waits for the turn of a write to the user.
    pub(crate) async fn turn(&self, user_id: &str) -> UserWrite<'_> {
        let mut write = self.enqueue(user_id);
        write.wait().await;
        write
    }

    /// Waits for the turn of a write to the user. The write neither waits nor is repeated after the deadline.
    ///
    /// # Errors
    ///
    /// [`Code::DeadlineExceeded`] if the turn does not come before the deadline.
    pub(crate) async fn turn_until(&self, user_id: &str, deadline: Option<Instant>) -> Result<UserWrite<'_>, IdpError> {
        let mut write = UserWrite { deadline, ..self.enqueue(user_id) };
        match deadline {
            None => write.wait().await,
            Some(deadline) => timeout_at(deadline.into(), write.wait())
                .await
                .map_err(|_| deadline_exceeded("earlier writes to the user were not finished before the deadline"))?,
        }
        Ok(write)
    }

    /// Takes the next place in the queue of the user; and the turn, if no other write has it.
    fn enqueue(&self, user_id: &str) -> UserWrite<'_> {
        let mut queues = self.lock();
        // A copy of the id is needed for a new queue only.
        let user_id = queues.get_key_value(user_id).map_or_else(|| user_id.into(), |(user_id, _)| Arc::clone(user_id));
        let queue = queues.entry(Arc::clone(&user_id)).or_insert_with(Queue::new);
        queue.writes += 1;
        let turns = Arc::clone(&queue.turns);
        let turn = turns.try_acquire().ok().map(|permit| {
            permit.forget();
            queue.next_turn()
        });
        UserWrite { place: Place { queues: self, user_id, turns, turn }, attempts: 0, deadline: None }
    }

    /// Changes the queue of a user, which a [`Place`] keeps.
    fn with_queue<T>(&self, user_id: &str, change: impl FnOnce(&mut Queue) -> T) -> Option<T> {
        self.lock().get_mut(user_id).map(change)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Queue>> {
        // A panic cannot leave the map half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A write whose turn has come. Its caller repeats it after a conflict. When it is dropped, the turn passes to the next write.
#[derive(Debug)]
pub(crate) struct UserWrite<'a> {
    place: Place<'a>,
    attempts: usize,
    deadline: Option<Instant>,
}

impl UserWrite<'_> {
    async fn wait(&mut self) {
        let place = &mut self.place;
        if place.turn.is_some() {
            return;
        }
        let mut turn = pin!(place.turns.acquire());
        loop {
            match timeout(OVERTAKEN_AFTER, turn.as_mut()).await {
                Ok(permit) => break permit.map_or((), |permit| permit.forget()),
                Err(_) => place.overtake(),
            }
        }
        place.turn = place.queues.with_queue(&place.user_id, Queue::next_turn);
    }

    /// Whether the write is to be repeated: it conflicted, and not too often yet. After the deadline, the outcome of a write that
    /// would be repeated becomes [`Code::DeadlineExceeded`].
    pub(crate) fn repeat<T>(&mut self, outcome: &mut Result<T, IdpError>) -> bool {
        self.attempts += 1;
        if self.attempts >= MAX_ATTEMPTS || !outcome.as_ref().is_err_and(IdpError::is_conflict) {
            return false;
        }
        let in_time = self.deadline.is_none_or(|deadline| Instant::now() < deadline);
        if !in_time {
            let detail = "the user changed at the same time, and the deadline passed before the write was repeated";
            *outcome = Err(deadline_exceeded(detail));
        }
        in_time
    }
}

/// The place of a write in the queue of its user.
#[derive(Debug)]
struct Place<'a> {
    queues: &'a WriteQueues,
    user_id: Arc<str>,
    turns: Arc<Semaphore>,
    /// The number of the turn, once it has come.
    turn: Option<u64>,
}

impl Place<'_> {
    /// Makes the turn free if the write that has it takes too long.
    fn overtake(&self) {
        let overtaken = self.queues.with_queue(&self.user_id, |queue| {
            let late = queue.since.elapsed() >= OVERTAKEN_AFTER;
            if late {
                queue.next_turn();
            }
            late
        });
        if overtaken == Some(true) {
            self.turns.add_permits(1);
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut queues = self.queues.lock();
        let Some(queue) = queues.get_mut(&self.user_id) else { return };
        let passes_on = self.turn == Some(queue.latest);
        queue.writes -= 1;
        if queue.writes == 0 {
            queues.remove(&self.user_id);
        }
        // Wakers are not called under the lock.
        drop(queues);
        if passes_on {
            self.turns.add_permits(1);
        }
    }
}

fn deadline_exceeded(detail: &str) -> IdpError {
    IdpError::new(Code::DeadlineExceeded, detail)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::time::Duration;

    use tokio::task::yield_now;

    use super::*;

    fn in_ms(milliseconds: u64) -> Option<Instant> {
        Some(Instant::now() + Duration::from_millis(milliseconds))
    }

    #[tokio::test]
    async fn writes_to_one_user_are_executed_in_the_order_of_their_calls() {
        let queues = WriteQueues::default();
        let order = RefCell::new(Vec::new());
        let write = async |number: usize| {
            let mut write = queues.turn("ana").await;
            let mut outcome = Err(IdpError::conflict());
            // The others run while this one is repeated.
            while write.repeat(&mut outcome) {
                yield_now().await;
                outcome = if write.attempts < 5 { Err(IdpError::conflict()) } else { Ok(()) };
            }
            order.borrow_mut().push(number);
        };
        tokio::join!(write(0), write(1), write(2), write(3));
        assert_eq!(*order.borrow(), [0, 1, 2, 3]);
        assert!(queues.lock().is_empty());
    }

    #[tokio::test]
    async fn writes_to_other_users_do_not_wait() {
        let queues = WriteQueues::default();
        let ana = queues.turn("ana").await;
        let bo = queues.turn_until("bo", in_ms(60_000)).await.expect("bo has no other write");
        drop((ana, bo));
        assert!(queues.lock().is_empty());
    }

    #[tokio::test]
    async fn write_that_is_not_driven_is_overtaken() {
        let queues = WriteQueues::default();
        let stalled = queues.turn("ana").await;
        let second = queues.turn_until("ana", in_ms(60_000)).await.expect("the first write is overtaken");
        drop(stalled);
        let error = queues.turn_until("ana", in_ms(20)).await.expect_err("the turn is the second write's");
        assert_eq!(error.code(), Code::DeadlineExceeded);
        drop(second);
        queues.turn_until("ana", in_ms(20)).await.expect("nothing waits any more");
        assert!(queues.lock().is_empty());
    }

    #[tokio::test]
    async fn write_waits_for_its_turn_until_the_deadline() {
        let queues = WriteQueues::default();
        let first = queues.turn("ana").await;
        let error = queues.turn_until("ana", in_ms(20)).await.expect_err("the first write is not finished");
        assert_eq!(error.code(), Code::DeadlineExceeded);
        drop(first);
        queues.turn_until("ana", in_ms(60_000)).await.expect("nothing waits any more");
        assert!(queues.lock().is_empty());
    }

    #[tokio::test]
    async fn write_is_not_repeated_after_the_deadline() {
        let queues = WriteQueues::default();
        let mut write = queues.turn_until("ana", in_ms(0)).await.expect("a turn that has come is not refused");
        let mut outcome: Result<(), _> = Err(IdpError::conflict());
        assert!(!write.repeat(&mut outcome));
        assert_eq!(outcome.expect_err("it failed").code(), Code::DeadlineExceeded);
    }
}

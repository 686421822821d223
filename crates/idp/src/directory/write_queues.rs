//! Queues of writes to existing users.
//!
//! A write reads the user, decides, and commits with the user's version as an expectation. Of the writes that read one version,
//! only one can commit; so the permitted writes to one user are executed one after another, first come, first served. The
//! expectation alone makes a write correct: the queues save attempts, and a write whose owner does not go on is overtaken.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::{timeout, timeout_at};

use crate::model::{Code, IdpError};

/// The number of times that a write is attempted. Writes of this process wait for each other: more conflicts in a row do not
/// occur by chance.
const MAX_ATTEMPTS: usize = 20;

/// The time without a new turn after which those who wait leave a queue. Nothing drives a write while its isolate executes
/// JavaScript, and no other isolate is to wait for that. Many times the duration of a commit.
const OVERTAKEN_AFTER: Duration = Duration::from_millis(250);

/// A queue for each user with writes in progress.
#[derive(Debug, Default)]
pub(crate) struct WriteQueues(StdMutex<HashMap<Arc<str>, Queue>>);

#[derive(Debug)]
struct Queue {
    /// Locked by the write whose turn it is.
    lock: Arc<Mutex<()>>,
    /// The time of the latest turn.
    acquired_at: Instant,
    /// The writes that wait or are executed. The queue is removed with the last one.
    writes: usize,
}

impl Queue {
    fn new() -> Self {
        Self { lock: Arc::default(), acquired_at: Instant::now(), writes: 0 }
    }

    fn join(&mut self) -> Arc<Mutex<()>> {
        self.writes += 1;
        Arc::clone(&self.lock)
    }
}

/// Whether a write had to wait for its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It had the turn, or got it at once.
    Had,
    /// It waited: what it has read may be out of date.
    WaitedFor,
}

impl WriteQueues {
    /// A write to the user, which is not in the queue yet.
    pub(crate) fn write<'a>(&'a self, user_id: &'a str, deadline: Option<Instant>) -> UserWrite<'a> {
        UserWrite { queues: self, user_id, deadline, attempts: 0, ticket: None }
    }

    /// A write to the user whose turn has come.
    pub(crate) async fn turn<'a>(&'a self, user_id: &'a str) -> UserWrite<'a> {
        let mut ticket = self.enqueue(user_id);
        ticket.wait().await;
        UserWrite { ticket: Some(ticket), ..self.write(user_id, None) }
    }

    /// Takes the next place in the queue of the user; and the turn, if the queue is empty.
    fn enqueue(&self, user_id: &str) -> Ticket<'_> {
        let mut queues = self.lock();
        // A copy of the id is needed for a new queue only.
        let user_id = queues.get_key_value(user_id).map_or_else(|| user_id.into(), |(user_id, _)| Arc::clone(user_id));
        let queue = queues.entry(Arc::clone(&user_id)).or_insert_with(Queue::new);
        let lock = queue.join();
        let turn = Arc::clone(&lock).try_lock_owned().ok();
        if turn.is_some() {
            queue.acquired_at = Instant::now();
        }
        Ticket { turn, place: Place { queues: self, user_id, lock } }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Queue>> {
        // A panic cannot leave the map half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A write to a user, which its caller repeats after a conflict. When it is dropped, the turn passes to the next write.
#[derive(Debug)]
pub(crate) struct UserWrite<'a> {
    queues: &'a WriteQueues,
    user_id: &'a str,
    deadline: Option<Instant>,
    attempts: usize,
    ticket: Option<Ticket<'a>>,
}

impl UserWrite<'_> {
    /// Waits for the turn, once the write is known to be permitted: others must neither hold up a write nor learn of it.
    ///
    /// # Errors
    ///
    /// [`Code::DeadlineExceeded`] if the turn does not come before the deadline.
    pub(crate) async fn turn(&mut self) -> Result<Turn, IdpError> {
        if self.ticket.is_some() {
            return Ok(Turn::Had);
        }
        let ticket = self.ticket.insert(self.queues.enqueue(self.user_id));
        if ticket.turn.is_some() {
            return Ok(Turn::Had);
        }
        match self.deadline {
            None => ticket.wait().await,
            Some(deadline) => timeout_at(deadline.into(), ticket.wait())
                .await
                .map_err(|_| deadline_exceeded("earlier writes to the user were not finished before the deadline"))?,
        }
        Ok(Turn::WaitedFor)
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

/// A place in a queue, and the turn once it has come.
#[derive(Debug)]
struct Ticket<'a> {
    // Dropped before the place.
    turn: Option<OwnedMutexGuard<()>>,
    place: Place<'a>,
}

impl Ticket<'_> {
    async fn wait(&mut self) {
        while self.turn.is_none() {
            let mut turn = pin!(Arc::clone(&self.place.lock).lock_owned());
            self.turn = loop {
                match timeout(OVERTAKEN_AFTER, turn.as_mut()).await {
                    Ok(turn) => break Some(turn),
                    Err(_) if self.place.overtake() => break None,
                    Err(_) => {}
                }
            };
        }
        self.place.acquired();
    }
}

/// A place in the queue of a user.
#[derive(Debug)]
struct Place<'a> {
    queues: &'a WriteQueues,
    user_id: Arc<str>,
    /// The lock of the queue.
    lock: Arc<Mutex<()>>,
}

impl Place<'_> {
    fn acquired(&self) {
        if let Some(queue) = self.queues.lock().get_mut(&self.user_id)
            && Arc::ptr_eq(&queue.lock, &self.lock)
        {
            queue.acquired_at = Instant::now();
        }
    }

    /// Leaves a queue that makes no progress for the next one: whoever is driven gets there, past all who are not.
    fn overtake(&mut self) -> bool {
        let mut queues = self.queues.lock();
        let queue = queues.entry(Arc::clone(&self.user_id)).or_insert_with(Queue::new);
        if Arc::ptr_eq(&queue.lock, &self.lock) {
            if queue.acquired_at.elapsed() < OVERTAKEN_AFTER {
                return false;
            }
            *queue = Queue::new();
        }
        self.lock = queue.join();
        true
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut queues = self.queues.lock();
        if let Some(queue) = queues.get_mut(&self.user_id)
            && Arc::ptr_eq(&queue.lock, &self.lock)
        {
            queue.writes -= 1;
            if queue.writes == 0 {
                queues.remove(&self.user_id);
            }
        }
    }
}

fn deadline_exceeded(detail: &str) -> IdpError {
    IdpError::new(Code::DeadlineExceeded, detail)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use futures::FutureExt;
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
    async fn write_is_told_whether_it_waited() {
        let queues = WriteQueues::default();
        let mut first = queues.write("ana", None);
        assert_eq!(first.turn().await.expect("no deadline"), Turn::Had);
        assert_eq!(first.turn().await.expect("no deadline"), Turn::Had);
        let mut second = queues.write("ana", None);
        let mut waiting = Box::pin(second.turn());
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(first);
        assert_eq!(waiting.await.expect("no deadline"), Turn::WaitedFor);
    }

    #[tokio::test]
    async fn writes_to_other_users_do_not_wait() {
        let queues = WriteQueues::default();
        let ana = queues.turn("ana").await;
        let bo = queues.turn("bo").now_or_never().expect("bo has no other write");
        drop((ana, bo));
        assert!(queues.lock().is_empty());
    }

    #[tokio::test]
    async fn writes_that_are_not_driven_are_overtaken_all_at_once() {
        let queues = WriteQueues::default();
        let stalled = queues.turn("ana").await;
        let mut waiting: Vec<_> = (0..100).map(|_| Box::pin(queues.turn("ana"))).collect();
        for write in &mut waiting {
            assert!(write.as_mut().now_or_never().is_none(), "polled once, and not again");
        }
        let mut others = Vec::new();
        for _ in 0..3 {
            let began = Instant::now();
            others.push(queues.turn("ana").await);
            assert!(began.elapsed() < 4 * OVERTAKEN_AFTER, "{:?}", began.elapsed());
        }
        // Those who were overtaken go on side by side with the others, one after another.
        drop(stalled);
        for write in waiting {
            drop(write.await);
        }
        drop(others);
        assert!(queues.lock().is_empty());
    }

    #[tokio::test]
    async fn write_that_is_dropped_while_it_waits_leaves_the_queue() {
        let queues = WriteQueues::default();
        let first = queues.turn("ana").await;
        let mut waiting = Box::pin(queues.turn("ana"));
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(waiting);
        drop(first);
        assert!(queues.lock().is_empty());
        assert!(queues.turn("ana").now_or_never().is_some());
    }

    #[tokio::test]
    async fn write_waits_for_its_turn_until_the_deadline() {
        let queues = WriteQueues::default();
        let first = queues.turn("ana").await;
        let error = queues.write("ana", in_ms(20)).turn().await.expect_err("the first write is not finished");
        assert_eq!(error.code(), Code::DeadlineExceeded);
        drop(first);
        queues.write("ana", in_ms(60_000)).turn().await.expect("nothing waits any more");
        assert!(queues.lock().is_empty());
    }

    #[tokio::test]
    async fn write_is_not_repeated_after_the_deadline() {
        let queues = WriteQueues::default();
        let mut write = queues.write("ana", in_ms(0));
        write.turn().await.expect("a turn that has come is not refused");
        let mut outcome: Result<(), _> = Err(IdpError::conflict());
        assert!(!write.repeat(&mut outcome));
        assert_eq!(outcome.expect_err("it failed").code(), Code::DeadlineExceeded);
    }
}

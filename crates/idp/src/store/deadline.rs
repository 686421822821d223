//! The deadline of a call, for stores that can end a statement at it.
//!
//! A task-local value rather than an argument of every method of [`Store`](super::Store): most stores have no use for it.

use std::future::Future;
use std::time::Instant;

tokio::task_local! {
    static DEADLINE: Instant;
}

/// The time at which the caller of the current operation stops waiting: [`CallContext::deadline`](crate::CallContext::deadline).
/// `None` if there is none. A store reads it where its method is called; tasks that the method starts do not have it.
pub fn call_deadline() -> Option<Instant> {
    DEADLINE.try_with(|deadline| *deadline).ok()
}

/// Runs store operations with the deadline of their caller.
pub(crate) async fn within_deadline<T>(deadline: Option<Instant>, operation: impl Future<Output = T>) -> T {
    match deadline {
        Some(deadline) => DEADLINE.scope(deadline, operation).await,
        None => operation.await,
    }
}

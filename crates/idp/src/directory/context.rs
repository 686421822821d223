//! The context of a call.

use std::sync::Arc;
use std::time::Instant;

use crate::model::{NamespaceName, Principal};

/// In which namespace, on whose behalf and until when a call is executed.
///
/// ```
/// use tailor_idp_core::{NamespaceName, Principal, directory::CallContext};
///
/// let context = CallContext::new(NamespaceName::new("builtin-idp")?, Principal::Host);
/// assert!(context.deadline.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CallContext {
    /// The namespace.
    pub namespace: NamespaceName,
    /// The principal, whom the namespace's permission is evaluated for.
    pub principal: Principal,
    /// The time at which the caller stops waiting. A directory that asks a remote service fails then with
    /// [`Code::DeadlineExceeded`](crate::model::Code::DeadlineExceeded). Users in a store: a write is not repeated after a conflict
    /// beyond this time. Over SQLite, one attempt is short and is not cut off, since its outcome would be lost. Over PostgreSQL, calls
    /// end at this time, but for a write that is being committed. Needs the time driver of tokio.
    pub deadline: Option<Instant>,
    /// The id of the execution that makes the call, for logs. The function runtime sets an id that is unique in the process.
    /// `None` outside of an execution, and in a JavaScript runtime of the host.
    pub execution_id: Option<Arc<str>>,
}

impl CallContext {
    /// A context without a deadline, outside of an execution.
    pub const fn new(namespace: NamespaceName, principal: Principal) -> Self {
        Self { namespace, principal, deadline: None, execution_id: None }
    }

    /// Sets the deadline.
    #[must_use]
    pub fn deadline(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Sets the id of the execution.
    #[must_use]
    pub fn execution_id(mut self, execution_id: impl Into<Arc<str>>) -> Self {
        self.execution_id = Some(execution_id.into());
        self
    }
}

//! Calls of the identity provider that a worker process makes.

use std::collections::HashMap;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use deno_core::futures::future::BoxFuture;
use deno_core::futures::stream::{FuturesUnordered, StreamExt};

use super::link::WorkerError;
use crate::function::limits::Limits;
use crate::function::process::{Answer, MAX_CALL_BYTES, Operation};
use crate::idp::{CallContext, IdentityProvider, NamespaceName, Principal, UserKey};

/// The calls of an execution.
pub(super) struct Calls<'a> {
    idp: Arc<dyn IdentityProvider>,
    principal: Principal,
    deadline: Option<Instant>,
    execution_id: Arc<str>,
    contexts: HashMap<String, Arc<CallContext>>,
    running: FuturesUnordered<BoxFuture<'static, Answered>>,
    made: usize,
    /// Size of the messages of running calls.
    bytes: usize,
    pub(super) limits: &'a Limits,
}

/// The answer to a call.
pub(super) struct Answered {
    pub(super) call: u64,
    pub(super) answer: Answer,
    /// Size of the message of the call.
    bytes: usize,
}

/// Namespaces of an execution whose call contexts are kept. Most scripts use one.
const MAX_CONTEXTS: usize = 16;

impl<'a> Calls<'a> {
    /// The calls of an execution on behalf of `principal`.
    pub(super) fn new(
        idp: Arc<dyn IdentityProvider>,
        principal: Principal,
        deadline: Option<Instant>,
        execution_id: Arc<str>,
        limits: &'a Limits,
    ) -> Self {
        Self {
            idp,
            principal,
            deadline,
            execution_id,
            contexts: HashMap::new(),
            running: FuturesUnordered::new(),
            made: 0,
            bytes: 0,
            limits,
        }
    }

    /// Starts a call, whose message has this many bytes.
    ///
    /// # Errors
    ///
    /// Fails if no worker of this program makes such a call.
    pub(super) fn start(
        &mut self,
        call: u64,
        namespace: String,
        operation: Operation,
        bytes: usize,
    ) -> Result<(), WorkerError> {
        self.made += 1;
        self.bytes += bytes;
        // The worker keeps the same limits, and tells the script of them.
        if self.made > self.limits.calls {
            return Err(WorkerError::Violation("it makes more calls than it may"));
        }
        if self.running.len() >= self.limits.calls_in_flight.max(1) {
            return Err(WorkerError::Violation("it makes more calls at once than it may"));
        }
        if self.bytes > self.limits.buffers.saturating_add(MAX_CALL_BYTES) {
            return Err(WorkerError::Violation("the arguments of its calls are too large"));
        }
        let context = match self.contexts.get(&namespace) {
            Some(context) => Arc::clone(context),
            None => {
                let name =
                    NamespaceName::new(&namespace).map_err(|_| WorkerError::Violation("a namespace is invalid"))?;
                let mut context =
                    CallContext::new(name, self.principal.clone()).execution_id(Arc::clone(&self.execution_id));
                context.deadline = self.deadline;
                if self.contexts.len() >= MAX_CONTEXTS {
                    self.contexts.clear();
                }
                Arc::clone(self.contexts.entry(namespace).or_insert(Arc::new(context)))
            }
        };
        let idp = Arc::clone(&self.idp);
        self.running.push(Box::pin(async move {
            let answer = answer(&*idp, &context, operation).await;
            Answered { call, answer, bytes }
        }));
        Ok(())
    }

    /// The next answer, in the order in which they are ready.
    pub(super) fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Option<Answered>> {
        let answered = ready!(self.running.poll_next_unpin(cx));
        self.bytes -= answered.as_ref().map_or(0, |answered| answered.bytes);
        Poll::Ready(answered)
    }
}

async fn answer(idp: &dyn IdentityProvider, context: &CallContext, operation: Operation) -> Answer {
    match operation {
        Operation::UserById(id) => idp.user(context, UserKey::Id(&id)).await.into(),
        Operation::UserByName(name) => idp.user(context, UserKey::Name(&name)).await.into(),
        Operation::DeleteUser(id) => idp.delete_user(context, &id).await.into(),
        Operation::Users(request) => idp.users(context, request.into()).await.into(),
        Operation::CreateUser(request) => idp.create_user(context, request.into()).await.into(),
        Operation::UpdateUser(request) => idp.update_user(context, request.into()).await.into(),
        Operation::SendPasswordResetEmail(request) => {
            idp.send_password_reset_email(context, request.into()).await.into()
        }
        Operation::UnenrollMfa(request) => idp.unenroll_mfa(context, request.into()).await.into(),
    }
}

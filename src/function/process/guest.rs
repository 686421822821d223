//! The worker's side of executions. Runs in a process of its own, which ends with it.

use std::collections::HashMap;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use async_trait::async_trait;
use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvFlags, recv};
use rustix::process::Pid;
use serde_json::Value;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use super::control::Task;
use super::fetch_guest::HostFetch;
use super::frame::{Inbox, Malformed, encode};
use super::message::{
    Answer, Done, FetchEvent, FromWorker, MAX_CALL_BYTES, Operation, Preparation, Run, ToWorker, error_of,
    max_result_bytes,
};
use super::sandbox::{self, Layers};
use crate::extension::{FetchSettings, JsonText};
use crate::function::execution::{ExecutionError, LogLine};
use crate::function::isolate::{BuiltinGuards, GlobalScopeSource, Isolate, IsolateConfig};
use crate::function::limits::{Limit, Limits, ResultLimits};
use crate::function::pool::Isolation;
use crate::function::runner::{AfterRun, Request, ThreadRunner, WarmKey};
use crate::function::script::Script;
use crate::idp::{
    CallContext, Code, CreateUser, IdentityProvider, IdpError, Invoker, ListUsers, Principal, Router,
    SendPasswordResetEmail, UnenrollMfa, UpdateUser, User, UserKey, UserPage,
};

/// Longest message of the host, in bytes: far above the largest script or argument. The host is trusted.
const MAX_MESSAGE: usize = u32::MAX as usize;

/// Time for which a call waits for its answer within the op. A store on the host's machine answers in some microseconds; a turn of
/// the event loop alone takes longer than that.
const DIRECT_WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000 };

/// Calls after one without an early answer that do not wait for theirs within the op: slow stores cost the script little.
const PATIENT_CALLS: u32 = 32;

/// Reason why a worker ends.
#[derive(Debug, thiserror::Error)]
pub(super) enum GuestError {
    #[error("the socket of the worker: {0}")]
    Io(#[from] io::Error),
    #[error("a message of the host: {0}")]
    Malformed(#[from] Malformed),
    #[error("a message of the host is out of turn")]
    OutOfTurn,
    #[error("the sandbox: {0}")]
    Sandbox(#[from] sandbox::SandboxError),
    #[error("{0}")]
    Isolate(String),
}

/// Creates and drops an isolate in the zygote, so that workers share what the first isolate of a process initializes.
pub(super) fn warm_up() {
    let Ok(tokio) = tokio::runtime::Builder::new_current_thread().enable_time().build() else { return };
    let _context = tokio.enter();
    // A failure is reported by the worker, which tries again.
    let idp = Arc::new(Router::builder().build());
    drop(Isolate::new(&isolate_config(idp, FetchSettings::default(), None), &Limits::default()));
}

fn isolate_config(
    idp: Arc<dyn IdentityProvider>,
    fetch: FetchSettings,
    preparation: Option<&Preparation>,
) -> IsolateConfig {
    let has_guards = preparation.is_none_or(|preparation| preparation.has_builtin_guards);
    IsolateConfig {
        global_scope: GlobalScopeSource::Snapshot,
        builtin_guards: if has_guards { BuiltinGuards::Enabled } else { BuiltinGuards::Disabled },
        idp,
        fetch,
        allow_code_from_strings: preparation.is_some_and(|preparation| preparation.allows_code_from_strings),
        #[cfg(feature = "inspector")]
        inspector: None,
    }
}

/// Runs the worker, in the process that the zygote has just forked.
pub(super) fn run(socket: &OwnedFd, stderr: &OwnedFd, zygote: Pid, task: Task) -> ! {
    let run = || {
        let socket = sandbox::leave_zygote(socket, stderr, zygote)?;
        match task {
            Task::Work { layers } => serve(socket, layers).map(|()| 0),
            Task::Attempt { attempt, layers } => Ok(sandbox::attempt(attempt, layers)),
        }
    };
    let status = match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(status)) => status,
        Ok(Err(error)) => {
            eprintln!("{error}");
            1
        }
        Err(_) => 101,
    };
    exit(status)
}

/// Ends the process at once. Destructors are the zygote's.
fn exit(status: i32) -> ! {
    // SAFETY: ends the process without running anything of it.
    unsafe { libc::_exit(status) }
}

fn serve(socket: OwnedFd, layers: Layers) -> Result<(), GuestError> {
    let link = Arc::new(Link {
        socket: socket.into(),
        inbox: Mutex::default(),
        calls: Mutex::default(),
        fetches: Mutex::default(),
    });
    let preparation = match link.receive()? {
        Some(ToWorker::Prepare(preparation)) => preparation,
        Some(_) => return Err(GuestError::OutOfTurn),
        None => return Ok(()),
    };
    let (max_body, max_streamed_body) = preparation.fetch_limits;
    let fetch = FetchSettings::over(Arc::new(HostFetch::new(Arc::clone(&link), max_body)), max_body, max_streamed_body);
    let idp =
        Arc::new(RemoteIdp { link: Arc::clone(&link), next_call: AtomicU64::new(0), patient_calls: AtomicU32::new(0) });
    let isolation =
        preparation.reuse.map_or(Isolation::Fresh, |(max_runs, max_age)| Isolation::Reuse { max_runs, max_age });
    let mut runner = ThreadRunner::new(isolate_config(idp, fetch, Some(&preparation)), isolation, None);
    // The event loop opens descriptors.
    let handle = runner.handle().map_err(|error| GuestError::Isolate(error.message))?;
    let readable = {
        let _context = handle.enter();
        // SAFETY: a socket keeps its descriptor until it is dropped.
        let readable = unsafe { AsyncFd::register_with_interest(link.socket.try_clone()?, Interest::READABLE) };
        readable.map_err(io::Error::from)?
    };
    sandbox::enter(layers)?;
    let prepared = runner.prepare(&preparation.limits);
    link.send(&FromWorker::Prepared(prepared.map_err(Into::into)))?;
    handle.spawn(Arc::clone(&link).answer_calls(readable));
    let mut scripts = HashMap::new();
    loop {
        match link.receive()? {
            Some(ToWorker::Script { script, modules }) => {
                scripts.insert(script, Script::from_sources(modules).ok_or(GuestError::OutOfTurn)?);
            }
            Some(ToWorker::Run(run)) => {
                let script = scripts.get(&run.script).ok_or(GuestError::OutOfTurn)?;
                let limits = run.limits.clone();
                execute(&mut runner, &link, script, *run, preparation.reuse.is_some())?;
                // Ahead of the next execution. If it fails, the execution tries again and returns the error.
                if !runner.has_isolate() {
                    let _ = runner.prepare(&limits);
                }
            }
            // Of a call or a request that nobody waits for any more.
            Some(ToWorker::Answer { .. } | ToWorker::Fetch { .. }) => {}
            Some(ToWorker::Prepare(_)) => return Err(GuestError::OutOfTurn),
            None => return Ok(()),
        }
    }
}

fn execute(
    runner: &mut ThreadRunner,
    link: &Arc<Link>,
    script: &Script,
    run: Run,
    is_reused: bool,
) -> Result<(), GuestError> {
    let Run { argument, invoker, limits, .. } = run;
    let invoker: Option<Invoker> =
        invoker.map(|json| serde_json::from_str(&json)).transpose().map_err(|_| GuestError::OutOfTurn)?;
    let workspace = invoker.as_ref().map(|invoker| Arc::from(invoker.workspace_id.as_str()));
    let log = {
        let link = Arc::clone(link);
        move |line: LogLine| {
            // The host is gone: there is nobody to run for.
            if link.send(&FromWorker::Log { level: line.level, text: line.text }).is_err() {
                exit(1);
            }
        }
    };
    let request = Request {
        script: script.clone(),
        argument: JsonText::parse(argument).ok_or(GuestError::OutOfTurn)?,
        principal: Principal::from(invoker),
        warm_key: is_reused.then(|| WarmKey { script: Some(script.id()), workspace }),
        limits,
        termination: Arc::default(),
        log: Arc::new(log),
        submitted_at: Instant::now(),
        deadline: None,
    };
    let mut sent = Ok(());
    let max_result = request.limits.result.clone();
    // The number of the execution is the host's.
    runner.run(0, request, |outcome, after| {
        let result = outcome.result.and_then(|value| result_json(&value, &max_result));
        link.calls.lock().clear();
        sent = link.send(&FromWorker::Done(Box::new(Done {
            result: result.map_err(Into::into),
            isolate: outcome.usage.isolate,
            peak_heap: outcome.usage.peak_heap as u64,
            is_clean: after == AfterRun::Search,
        })));
    });
    sent
}

fn result_json(value: &Value, limits: &ResultLimits) -> Result<String, ExecutionError> {
    let json = serde_json::to_string(value).map_err(|error| ExecutionError::platform(error.to_string()))?;
    let (length, max) = (json.len(), max_result_bytes(limits) - MAX_CALL_BYTES);
    if length <= max {
        return Ok(json);
    }
    Err(ExecutionError {
        limit: Some(Limit::Result),
        ..ExecutionError::invalid_script(
            "RangeError",
            format!("the result has {length} bytes of JSON, of at most {max}"),
        )
    })
}

/// The connection to the host.
pub(super) struct Link {
    socket: UnixStream,
    inbox: Mutex<Inbox>,
    /// Calls that have no answer yet.
    calls: Mutex<HashMap<u64, oneshot::Sender<Answer>>>,
    fetches: Mutex<HashMap<u64, UnboundedSender<FetchEvent>>>,
}

impl Link {
    /// Passes the events of a request to `events`.
    pub(super) fn register_fetch(&self, request: u64, events: UnboundedSender<FetchEvent>) {
        self.fetches.lock().insert(request, events);
    }

    pub(super) fn forget_fetch(&self, request: u64) {
        self.fetches.lock().remove(&request);
    }

    /// Sends a message. Blocks until the host has taken it.
    pub(super) fn send(&self, message: &FromWorker) -> Result<(), GuestError> {
        let mut frame = Vec::new();
        encode(&mut frame, message)?;
        Ok((&self.socket).write_all(&frame)?)
    }

    /// Waits for a message. None if the host is gone.
    fn receive(&self) -> Result<Option<ToWorker>, GuestError> {
        let mut inbox = self.inbox.lock();
        loop {
            if let Some((message, _)) = inbox.next(MAX_MESSAGE)? {
                return Ok(Some(message));
            }
            match inbox.receive(|buffer| receive(&self.socket, buffer, RecvFlags::empty())) {
                Ok(0) => return Ok(None),
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(io::Error::from(error).into()),
            }
        }
    }

    /// Passes answers to the calls that wait for them, while an execution runs.
    async fn answer_calls(self: Arc<Self>, readable: AsyncFd<UnixStream>) {
        loop {
            let Ok(mut ready) = readable.readable().await else { return };
            match self.take_answers() {
                Ok(()) => ready.clear_ready(),
                Err(error) => {
                    eprintln!("{error}");
                    exit(1);
                }
            }
        }
    }

    /// Waits for messages, for [`DIRECT_WAIT`] at most, and takes them.
    fn wait_for_answers(&self) -> Result<(), GuestError> {
        match poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], Some(&DIRECT_WAIT)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => Ok(()),
            Ok(_) => self.take_answers(),
            Err(error) => Err(io::Error::from(error).into()),
        }
    }

    /// Takes what was received, without waiting.
    fn take_answers(&self) -> Result<(), GuestError> {
        let mut inbox = self.inbox.lock();
        let mut has_more = true;
        while has_more {
            let received = inbox.receive(|buffer| {
                let received = receive(&self.socket, buffer, RecvFlags::DONTWAIT)?;
                has_more = received == buffer.len();
                Ok(received)
            });
            match received {
                // The host is gone.
                Ok(0) => exit(0),
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => return Ok(()),
                Err(error) => return Err(io::Error::from(error).into()),
            }
            while let Some((message, _)) = inbox.next(MAX_MESSAGE)? {
                // Sending fails if the script does not wait any more.
                match message {
                    ToWorker::Answer { call, answer } => {
                        if let Some(sender) = self.calls.lock().remove(&call) {
                            let _ = sender.send(answer);
                        }
                    }
                    ToWorker::Fetch { request, event } => {
                        if let Some(sender) = self.fetches.lock().get(&request) {
                            let _ = sender.send(event);
                        }
                    }
                    ToWorker::Prepare(_) | ToWorker::Script { .. } | ToWorker::Run(_) => {
                        return Err(GuestError::OutOfTurn);
                    }
                }
            }
        }
        Ok(())
    }
}

fn receive(socket: &UnixStream, buffer: &mut [u8], flags: RecvFlags) -> rustix::io::Result<usize> {
    recv(socket, buffer, flags).map(|(received, _)| received)
}

/// The identity provider of the host.
struct RemoteIdp {
    link: Arc<Link>,
    next_call: AtomicU64,
    /// Calls that do not wait for their answer within the op: see [`PATIENT_CALLS`].
    patient_calls: AtomicU32,
}

impl RemoteIdp {
    async fn call(&self, context: &CallContext, operation: Operation) -> Result<Answer, IdpError> {
        let gone = || IdpError::new(Code::Unavailable, "the execution has ended");
        let call = self.next_call.fetch_add(1, Relaxed);
        let (sender, mut answer) = oneshot::channel();
        self.link.calls.lock().insert(call, sender);
        let namespace = context.namespace.as_str().to_owned();
        self.link.send(&FromWorker::Call { call, namespace, operation }).map_err(|_| gone())?;
        match self.patient_calls.load(Relaxed) {
            0 => {
                self.link.wait_for_answers().map_err(|_| gone())?;
                if let Ok(answer) = answer.try_recv() {
                    return Ok(answer);
                }
                self.patient_calls.store(PATIENT_CALLS, Relaxed);
            }
            left => self.patient_calls.store(left - 1, Relaxed),
        }
        answer.await.map_err(|_| gone())
    }

    async fn user_of(&self, context: &CallContext, operation: Operation) -> Result<User, IdpError> {
        match self.call(context, operation).await? {
            Answer::User(user) => Ok(user.into()),
            other => Err(error_of(other)),
        }
    }

    async fn done_of(&self, context: &CallContext, operation: Operation) -> Result<(), IdpError> {
        match self.call(context, operation).await? {
            Answer::Done => Ok(()),
            other => Err(error_of(other)),
        }
    }
}

#[async_trait]
impl IdentityProvider for RemoteIdp {
    async fn users(&self, context: &CallContext, request: ListUsers) -> Result<UserPage, IdpError> {
        match self.call(context, Operation::Users(request.into())).await? {
            Answer::Page { users, next_page_token, total_count } => {
                let users = users.into_iter().map(Into::into).collect();
                Ok(UserPage { users, next_page_token, total_count })
            }
            other => Err(error_of(other)),
        }
    }

    async fn user(&self, context: &CallContext, key: UserKey<'_>) -> Result<User, IdpError> {
        let operation = match key {
            UserKey::Id(id) => Operation::UserById(id.to_owned()),
            UserKey::Name(name) => Operation::UserByName(name.to_owned()),
        };
        self.user_of(context, operation).await
    }

    async fn create_user(&self, context: &CallContext, request: CreateUser) -> Result<User, IdpError> {
        self.user_of(context, Operation::CreateUser(request.into())).await
    }

    async fn update_user(&self, context: &CallContext, request: UpdateUser) -> Result<User, IdpError> {
        self.user_of(context, Operation::UpdateUser(request.into())).await
    }

    async fn delete_user(&self, context: &CallContext, user_id: &str) -> Result<(), IdpError> {
        self.done_of(context, Operation::DeleteUser(user_id.to_owned())).await
    }

    async fn send_password_reset_email(
        &self,
        context: &CallContext,
        request: SendPasswordResetEmail,
    ) -> Result<(), IdpError> {
        self.done_of(context, Operation::SendPasswordResetEmail(request.into())).await
    }

    async fn unenroll_mfa(&self, context: &CallContext, request: UnenrollMfa) -> Result<(), IdpError> {
        self.done_of(context, Operation::UnenrollMfa(request.into())).await
    }
}

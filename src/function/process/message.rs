//! Messages between the host and a worker process.
//!
//! Nothing here authorizes anything: the host takes the principal, the limits and the budgets of an execution from its own state,
//! and bounds everything that a worker sends.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::extension::{FetchFailure, LogLevel, ResponseHead};
use crate::function::code_frame::CodeFrame;
use crate::function::execution::{ErrorKind, ExecutionError};
use crate::function::limits::{Limit, Limits, ResultLimits};
use crate::function::script::SourceModule;
use crate::idp::{
    Code, CreateUser, ExposeSecret, IdpError, ListUsers, Password, SendPasswordResetEmail, Timestamp, UnenrollMfa,
    UpdateUser, User, UserPage, UserQuery,
};

/// From the host to a worker.
#[derive(Serialize, Deserialize)]
pub(in crate::function) enum ToWorker {
    /// First message: how to create isolates. The worker creates one.
    Prepare(Preparation),
    /// A script, under the number by which executions name it.
    Script { script: u64, modules: Vec<SourceModule> },
    /// Runs an execution.
    Run(Box<Run>),
    /// Answer to the call with this number.
    Answer { call: u64, answer: Answer },
    /// News of a request of `fetch`.
    Fetch { request: u64, event: FetchEvent },
}

/// From a worker to the host.
#[derive(Serialize, Deserialize)]
pub(in crate::function) enum FromWorker {
    /// An isolate is ready, or could not be created.
    Prepared(Result<(), Failure>),
    /// A line of the log.
    Log { level: LogLevel, text: String },
    /// A call of the identity provider. Its answer has the same number.
    Call { call: u64, namespace: String, operation: Operation },
    /// A request of `fetch`, or a part of it. What follows of it has the same number.
    Fetch { request: u64, command: FetchCommand },
    /// The execution has ended.
    Done(Box<Done>),
}

/// What a worker wants of a request.
#[derive(Serialize, Deserialize)]
pub(in crate::function) enum FetchCommand {
    /// Sends it.
    Send { method: Vec<u8>, url: String, headers: Vec<(Vec<u8>, Vec<u8>)>, length: Option<u64>, body: FetchBody },
    /// A part of its body, asked for by [`FetchEvent::Pull`]. Empty at the end.
    Body(Result<Bytes, ()>),
    /// Asks for a part of the response.
    Read,
    /// The worker is done with it.
    End,
}

/// Body of a request.
#[derive(Serialize, Deserialize)]
pub(in crate::function) enum FetchBody {
    None,
    Bytes(Bytes),
    /// The host asks for each part.
    Stream,
}

/// What the host tells of a request.
#[derive(Serialize, Deserialize)]
pub(in crate::function) enum FetchEvent {
    /// Asks for a part of the request's body.
    Pull,
    /// Head of the response.
    Head(Result<ResponseHead, FetchFailure>),
    /// A part of the response. Empty at the end.
    Chunk(Result<Bytes, FetchFailure>),
}

/// How a worker creates isolates.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::function) struct Preparation {
    pub(in crate::function) limits: Limits,
    pub(in crate::function) has_builtin_guards: bool,
    pub(in crate::function) allows_code_from_strings: bool,
    /// Size limits of bodies of `fetch`: in memory, and streamed.
    pub(in crate::function) fetch_limits: (u64, u64),
    /// Executions in one isolate, and its age. None: each execution has a new one.
    pub(in crate::function) reuse: Option<(u32, Duration)>,
}

/// An execution.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::function) struct Run {
    pub(in crate::function) script: u64,
    /// JSON.
    pub(in crate::function) argument: String,
    /// The invoker as JSON, for `tailor.context`.
    pub(in crate::function) invoker: Option<String>,
    pub(in crate::function) limits: Limits,
}

/// End of an execution.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::function) struct Done {
    /// The result as JSON.
    pub(in crate::function) result: Result<String, Failure>,
    /// Time to create the isolate.
    pub(in crate::function) isolate: Duration,
    pub(in crate::function) peak_heap: u64,
    /// Whether the worker can run further executions.
    pub(in crate::function) is_clean: bool,
}

/// Error of an execution.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::function) struct Failure {
    kind: ErrorKind,
    name: String,
    message: String,
    stack_trace: Option<String>,
    limit: Option<Limit>,
    code_frame: Option<CodeFrame>,
}

/// Longest message of a call, in bytes: three texts of the largest size that a call reads, and room.
pub(in crate::function) const MAX_CALL_BYTES: usize = 16 * 1024 * 1024;

/// Bytes per value of a result beyond its text: a number has up to 25 characters.
const VALUE_BYTES: usize = 32;

/// Longest result as JSON, in bytes. Escapes can make JSON longer than the text that it holds; most results have few.
pub(in crate::function) fn max_result_bytes(limits: &ResultLimits) -> usize {
    let ResultLimits { values, text, .. } = limits;
    text.saturating_mul(2).saturating_add(values.saturating_mul(VALUE_BYTES)).saturating_add(MAX_CALL_BYTES)
}

/// Longest text of an error that the host accepts, in bytes. Workers shorten messages and stacks to less.
const MAX_ERROR_BYTES: usize = 1024 * 1024;

impl From<ExecutionError> for Failure {
    fn from(error: ExecutionError) -> Self {
        let ExecutionError { kind, name, message, stack_trace, limit, code_frame } = error;
        Self { kind, name, message, stack_trace, limit, code_frame }
    }
}

impl Failure {
    /// The error. None if no worker of this program sends such an error.
    pub(in crate::function) fn into_error(self) -> Option<ExecutionError> {
        let Self { kind, name, message, stack_trace, limit, code_frame } = self;
        let length = name.len() + message.len() + stack_trace.as_ref().map_or(0, String::len);
        let is_valid = length <= MAX_ERROR_BYTES && code_frame.as_ref().is_none_or(CodeFrame::is_valid);
        is_valid.then_some(ExecutionError { kind, name, message, stack_trace, limit, code_frame })
    }
}

/// An operation of the identity provider.
#[derive(Serialize, Deserialize)]
pub(in crate::function) enum Operation {
    Users(WireList),
    UserById(String),
    UserByName(String),
    CreateUser(WireCreate),
    UpdateUser(WireUpdate),
    DeleteUser(String),
    SendPasswordResetEmail(WireResetMail),
    UnenrollMfa(WireUnenroll),
}

/// Passwords are never printed.
impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Operation")
    }
}

/// A request as it is sent, with conversions to and from the request of the identity provider.
macro_rules! wire {
    ($($wire:ident: $request:ident { $($field:ident: $kind:ty),* })*) => {$(
        #[derive(Serialize, Deserialize)]
        pub(in crate::function) struct $wire { $($field: $kind),* }

        impl From<$request> for $wire {
            fn from(request: $request) -> Self {
                // Names all fields: a new one has to be sent as well.
                let $request { $($field),* } = request;
                Self { $($field: Wire::into_wire($field)),* }
            }
        }

        impl From<$wire> for $request {
            fn from(request: $wire) -> Self {
                let $wire { $($field),* } = request;
                Self { $($field: Wire::from_wire($field)),* }
            }
        }
    )*};
}

wire! {
    WireList: ListUsers { first: Option<i64>, after: Option<String>, query: WireQuery }
    WireQuery: UserQuery { ids: Option<Vec<String>>, names: Option<Vec<String>> }
    WireCreate: CreateUser { name: String, password: Option<String>, disabled: bool }
    WireUpdate: UpdateUser {
        id: String, name: Option<String>, password: Option<String>, clear_password: bool, disabled: Option<bool>
    }
    WireResetMail: SendPasswordResetEmail {
        user_id: String, redirect_uri: String, from_name: Option<String>, subject: Option<String>
    }
    WireUnenroll: UnenrollMfa { user_id: String, mfa_factor_id: String }
    WireUser: User {
        id: String, name: String, disabled: bool, created_at: Option<i64>, mfa_enrolled: bool, mfa_factor_ids: Vec<String>
    }
}

/// A value that is sent as `Sent`.
trait Wire<Sent> {
    fn into_wire(self) -> Sent;
    fn from_wire(sent: Sent) -> Self;
}

macro_rules! sent_as_they_are {
    ($($kind:ty),*) => {$(
        impl Wire<$kind> for $kind {
            fn into_wire(self) -> $kind {
                self
            }

            fn from_wire(sent: $kind) -> Self {
                sent
            }
        }
    )*};
}

sent_as_they_are!(bool, String, Option<bool>, Option<i64>, Option<String>, Vec<String>, Option<Vec<String>>);

impl Wire<WireQuery> for UserQuery {
    fn into_wire(self) -> WireQuery {
        self.into()
    }

    fn from_wire(sent: WireQuery) -> Self {
        sent.into()
    }
}

impl Wire<Option<String>> for Option<Password> {
    fn into_wire(self) -> Option<String> {
        self.map(|password| password.expose_secret().to_owned())
    }

    fn from_wire(sent: Option<String>) -> Self {
        sent.map(Password::from)
    }
}

impl Wire<Option<i64>> for Option<Timestamp> {
    fn into_wire(self) -> Option<i64> {
        self.map(Timestamp::unix_millis)
    }

    fn from_wire(sent: Option<i64>) -> Self {
        sent.map(Timestamp::from_unix_millis)
    }
}

/// Result of an operation.
#[derive(Serialize, Deserialize)]
pub(in crate::function) enum Answer {
    Done,
    User(WireUser),
    Page { users: Vec<WireUser>, next_page_token: Option<String>, total_count: u64 },
    Error { code: String, detail: String },
}

impl From<()> for Answer {
    fn from((): ()) -> Self {
        Self::Done
    }
}

impl From<User> for Answer {
    fn from(user: User) -> Self {
        Self::User(user.into())
    }
}

impl From<UserPage> for Answer {
    fn from(page: UserPage) -> Self {
        let UserPage { users, next_page_token, total_count } = page;
        Self::Page { users: users.into_iter().map(Into::into).collect(), next_page_token, total_count }
    }
}

impl<T: Into<Self>> From<Result<T, IdpError>> for Answer {
    fn from(result: Result<T, IdpError>) -> Self {
        match result {
            Ok(value) => value.into(),
            Err(error) => Self::Error { code: error.code().name().to_owned(), detail: error.detail().to_owned() },
        }
    }
}

/// The error of an answer, or of an answer of another operation.
pub(super) fn error_of(answer: Answer) -> IdpError {
    match answer {
        Answer::Error { code, detail } => IdpError::new(Code::from_name(&code).unwrap_or(Code::Internal), detail),
        _ => IdpError::new(Code::Internal, "the answer is of another operation"),
    }
}

//! A worker process under an attacker's control.
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use proptest::prelude::*;

use super::calls::Calls;
use super::link::{Link, WorkerError};
use crate::extension::{ConsoleSink, FetchSettings, LogLevel};
use crate::function::limits::Limits;
use crate::function::process::{
    Done, FetchBody, FetchCommand, Fetches, FromWorker, MAX_CALL_BYTES, Operation, encode, parse_result,
};
use crate::idp::{
    CallContext, Code, CreateUser, IdentityProvider, IdpError, Invoker, InvokerType, ListUsers, Principal,
    SendPasswordResetEmail, UnenrollMfa, UpdateUser, User, UserKey, UserPage,
};

/// Records on whose behalf it is called.
#[derive(Default)]
struct Recorder {
    principals: Mutex<Vec<Principal>>,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
}

impl Recorder {
    async fn record<T>(&self, context: &CallContext) -> Result<T, IdpError> {
        self.principals.lock().push(context.principal.clone());
        let at_once = self.at_once.fetch_add(1, Relaxed) + 1;
        self.most_at_once.fetch_max(at_once, Relaxed);
        tokio::task::yield_now().await;
        self.at_once.fetch_sub(1, Relaxed);
        Err(IdpError::new(Code::Unavailable, "a stub"))
    }
}

#[async_trait]
impl IdentityProvider for Recorder {
    async fn users(&self, context: &CallContext, _: ListUsers) -> Result<UserPage, IdpError> {
        self.record(context).await
    }

    async fn user(&self, context: &CallContext, _: UserKey<'_>) -> Result<User, IdpError> {
        self.record(context).await
    }

    async fn create_user(&self, context: &CallContext, _: CreateUser) -> Result<User, IdpError> {
        self.record(context).await
    }

    async fn update_user(&self, context: &CallContext, _: UpdateUser) -> Result<User, IdpError> {
        self.record(context).await
    }

    async fn delete_user(&self, context: &CallContext, _: &str) -> Result<(), IdpError> {
        self.record(context).await
    }

    async fn send_password_reset_email(
        &self,
        context: &CallContext,
        _: SendPasswordResetEmail,
    ) -> Result<(), IdpError> {
        self.record(context).await
    }

    async fn unenroll_mfa(&self, context: &CallContext, _: UnenrollMfa) -> Result<(), IdpError> {
        self.record(context).await
    }
}

fn ana() -> Principal {
    let invoker = Invoker {
        id: "ana".to_owned(),
        kind: InvokerType::User,
        workspace_id: "w".to_owned(),
        attributes: Vec::new(),
        attribute_map: serde_json::Map::new(),
    };
    Principal::from(Some(invoker))
}

/// What the host makes of these bytes of a worker, which then closes its socket.
fn converse(bytes: Vec<u8>, limits: &Limits) -> (Result<Done, WorkerError>, Arc<Recorder>) {
    let idp = Arc::new(Recorder::default());
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    // The host need not read all of it.
    let worker = std::thread::spawn(move || drop((&theirs).write_all(&bytes)));
    let done = tokio.block_on(async {
        let mut link = Link::new(ours).unwrap();
        let caller = Arc::clone(&idp) as Arc<dyn IdentityProvider>;
        let mut calls = Calls::new(caller, ana(), None, "1".into(), limits);
        let mut fetches = Fetches::new(FetchSettings::default());
        let sink: ConsoleSink = Box::new(|_, _| {});
        link.converse(&mut calls, &mut fetches, 1024, &sink).await
    });
    worker.join().unwrap();
    (done, idp)
}

fn call(call: u64) -> FromWorker {
    let namespace = "builtin-idp".to_owned();
    FromWorker::Call { call, namespace, operation: Operation::UserById("u".to_owned()) }
}

fn frames(messages: impl IntoIterator<Item = FromWorker>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for message in messages {
        encode(&mut bytes, &message).unwrap();
    }
    bytes
}

#[test]
fn worker_that_exceeds_a_budget_is_refused() {
    let limits = Limits { calls: 20, calls_in_flight: 5, buffers: 1024, ..Limits::default() };
    let violation = |messages: Vec<FromWorker>| {
        let (done, idp) = converse(frames(messages), &limits);
        assert!(idp.most_at_once.load(Relaxed) <= 5);
        done.err().map(|error| error.to_string()).unwrap_or_default()
    };
    let at_once = violation((0..2000).map(call).collect());
    assert!(at_once.contains("more calls"), "{at_once}");

    let namespace = "not a namespace".to_owned();
    let operation = Operation::UserById("u".to_owned());
    assert_eq!(violation(vec![FromWorker::Call { call: 0, namespace, operation }]), "a namespace is invalid");

    let (namespace, operation) = ("builtin-idp".to_owned(), Operation::UserById("u".repeat(MAX_CALL_BYTES)));
    assert_eq!(
        violation(vec![FromWorker::Call { call: 0, namespace, operation }]),
        "the arguments of a call are too large"
    );
    assert_eq!(violation(vec![FromWorker::Prepared(Ok(()))]), "a message is out of turn");
    assert_eq!(violation(Vec::new()), "its connection is closed");
}

/// A message that a worker can send, but not always may.
fn message((kind, number, text): (u8, u64, String)) -> FromWorker {
    let fetch = |command| FromWorker::Fetch { request: number, command };
    match kind {
        0 => call(number),
        1 => FromWorker::Call { call: number, namespace: text, operation: Operation::UserByName("u".to_owned()) },
        2 => FromWorker::Log { level: LogLevel::Info, text },
        3 => {
            let (method, headers) = (b"POST".to_vec(), vec![(text.clone().into_bytes(), b"a".to_vec())]);
            let (length, body) = (Some(number), FetchBody::Stream);
            fetch(FetchCommand::Send { method, url: format!("http://a.example/{text}"), headers, length, body })
        }
        4 => fetch(FetchCommand::Body(Ok(text.into_bytes().into()))),
        5 => fetch(FetchCommand::Read),
        6 => fetch(FetchCommand::End),
        _ => FromWorker::Done(Box::new(Done {
            result: Ok(text),
            isolate: Duration::from_secs(number),
            peak_heap: number,
            is_clean: true,
        })),
    }
}

proptest! {
    /// Valid messages with changed bytes, and arbitrary bytes. `PROPTEST_CASES=1000000` tries more than the usual 256.
    #[test]
    fn worker_cannot_act_for_others_or_harm_the_host(
        messages in proptest::collection::vec((0_u8..8, prop_oneof![0_u64..4, any::<u64>()], "\\PC{0,20}"), 0..12),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        tail in proptest::collection::vec(any::<u8>(), 0..512),
    ) {
        let mut bytes = frames(messages.into_iter().map(message));
        for (index, byte) in changes {
            if !bytes.is_empty() {
                let index = index.index(bytes.len());
                bytes[index] = byte;
            }
        }
        bytes.extend(tail);
        let (done, idp) = converse(bytes, &Limits::default());
        prop_assert!(idp.principals.lock().iter().all(|principal| *principal == ana()));
        // The result of a worker is checked before it is used.
        if let Ok(Done { result: Ok(json), .. }) = done {
            let _ = parse_result(&json, &Limits::default().result);
        }
    }
}

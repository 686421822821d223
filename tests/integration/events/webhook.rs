//! The worker, over a receiver that fails in every way.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use pretty_assertions::assert_eq;
use tailor_idp::events::{Events, Revival, StartAt, WebhookSettings, WebhookWorker};
use tailor_idp::idp::{Idp, NamespaceSettings};
use tailor_idp::store::{NewUser, SqliteDatabase, SqliteStore, UserChange, UserRecord, UserStore, WriteOptions};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::receiver::{Answer, Receiver, SECRET};
use crate::support::namespace;

struct Place {
    store: SqliteStore,
    events: Events,
}

impl Place {
    async fn new() -> Self {
        let name = namespace("users");
        let store = SqliteDatabase::in_memory().unwrap().namespace(&name).await.unwrap();
        let idp = Idp::builder().namespace(name, Arc::new(store.clone()), NamespaceSettings::default()).build();
        Self { store, events: idp.events("users").unwrap() }
    }

    async fn insert(&self, name: &str) -> UserRecord {
        let user = NewUser { name: name.into(), password: None, disabled: false };
        self.store.insert(user, true).await.unwrap()
    }

    async fn rename(&self, user: &UserRecord, name: &str) {
        let change = UserChange { name: Some(name.into()), ..UserChange::default() };
        let options = WriteOptions { publish: true, ..WriteOptions::unchecked() };
        self.store.update(&user.id, change, options).await.unwrap().unwrap();
    }

    fn worker(&self, receiver: &Receiver) -> Running {
        let mut settings = WebhookSettings::new(receiver.url.parse().unwrap(), SECRET.into());
        settings.timeout = Duration::from_millis(500);
        settings.first_delay = Duration::from_millis(1);
        settings.max_delay = Duration::from_millis(5);
        let worker = WebhookWorker::new(self.events.clone(), settings).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let worker = tokio::spawn(async move {
            let shutdown = async { stopped.await.unwrap_or_default() };
            worker.run(StartAt::Oldest, shutdown).await.unwrap();
        });
        Running { stop, worker }
    }

    async fn by_user(&self) -> BTreeMap<String, Vec<String>> {
        let mut users: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for event in self.events.list(None, 10_000).await.unwrap() {
            users.entry(event.user_id).or_default().push(event.id);
        }
        users
    }

    /// Events that wait, and those that were given up.
    async fn left(&self) -> (u64, u64) {
        let consumers = self.events.consumers().await.unwrap();
        (consumers[0].pending, consumers[0].dead)
    }
}

struct Running {
    stop: oneshot::Sender<()>,
    worker: JoinHandle<()>,
}

impl Running {
    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.worker.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_posted_until_it_is_taken_however_the_receiver_fails() {
    let elsewhere =
        "HTTP/1.1 307 Temporary Redirect\r\nLocation: /elsewhere\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let busy = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 0\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let half = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 100\r\n\r\nhalf of it";
    let answers = [
        Answer::status("500 Internal Server Error"),
        Answer::Bytes(busy.into()),
        Answer::Bytes("\0garbage\r\n\r\n".into()),
        Answer::Close,
        Answer::Stall,
        Answer::Bytes(elsewhere.into()),
        Answer::status("404 Not Found"),
        Answer::status("408 Request Timeout"),
        Answer::Bytes(half.into()),
    ];
    let count = answers.len();
    let receiver =
        Receiver::start(move |_, before| answers.get(before.len()).cloned().unwrap_or_else(Answer::ok)).await;
    let place = Place::new().await;
    let ana = place.insert("ana").await;
    place.rename(&ana, "anna").await;
    let worker = place.worker(&receiver);
    let requests = receiver.wait_for(|requests| requests.len() >= count + 2).await;
    worker.stop().await;
    let all = place.events.list(None, 10).await.unwrap();
    let expected: Vec<_> = std::iter::repeat_n(&all[0], count + 1).chain([&all[1]]).collect();
    let expected: Vec<_> = expected.iter().map(|event| (event.id.as_str(), event.kind.type_name(), "/hook")).collect();
    let got: Vec<_> = requests
        .iter()
        .map(|request| (request.event_id.as_str(), request.kind.as_str(), request.path.as_str()))
        .collect();
    assert_eq!(got, expected);
    assert_eq!(place.left().await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_refused_again_and_again_is_given_up_and_can_be_retried() {
    let poison = Arc::new(std::sync::Mutex::new(Some("idp.user.created".to_owned())));
    let place = Place::new().await;
    let ana = place.insert("ana").await;
    let poisoned = Arc::clone(&poison);
    let user_id = ana.id.clone();
    let receiver = Receiver::start(move |request, _| {
        if request.user_id == user_id && poisoned.lock().unwrap().as_ref() == Some(&request.kind) {
            let body = format!("what\nis this? {}", "x".repeat(5000));
            let length = body.len();
            Answer::Bytes(format!(
                "HTTP/1.1 400 Bad Request\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            ))
        } else {
            Answer::ok()
        }
    })
    .await;
    place.rename(&ana, "anna").await;
    place.insert("bo").await;
    let worker = place.worker(&receiver);
    receiver.wait_for(|requests| requests.iter().filter(|request| request.taken).count() == 2).await;
    let refused = receiver.requests().iter().filter(|request| !request.taken).count();
    assert_eq!(refused, 5);
    let dead = place.events.dead(None, 10).await.unwrap();
    assert_eq!((dead.len(), dead[0].attempts, &dead[0].event.user_id), (1, 5, &ana.id));
    let reason = format!("the receiver answered 400 Bad Request: what is this? {}…", "x".repeat(200 - 14));
    assert_eq!(dead[0].reason, reason);

    *poison.lock().unwrap() = None;
    let id = dead[0].event.id.as_str();
    assert_eq!(place.events.revive("webhook", Some(id), Revival::Retry).await.unwrap(), 1);
    receiver.wait_for(|requests| requests.iter().any(|request| request.taken && request.event_id == id)).await;
    worker.stop().await;
    assert_eq!(place.left().await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_at_once_keep_each_users_order() {
    let receiver = Receiver::start(|_, before| match before.len() % 5 {
        3 => Answer::status("503 Service Unavailable"),
        _ => Answer::ok(),
    })
    .await;
    let place = Place::new().await;
    let workers = [place.worker(&receiver), place.worker(&receiver)];
    for n in 0..10 {
        let user = place.insert(&format!("user{n}")).await;
        for change in 0..9 {
            place.rename(&user, &format!("user{n}-{change}")).await;
        }
    }
    receiver.wait_for(|requests| requests.iter().filter(|request| request.taken).count() >= 100).await;
    for worker in workers {
        worker.stop().await;
    }
    assert_eq!(receiver.taken_by_user(), place.by_user().await);
    assert_eq!(place.left().await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_at_which_the_worker_dies_each_time_is_given_up() {
    let receiver = Receiver::start(|_, _| Answer::ok()).await;
    let place = Place::new().await;
    let (ana, bo) = (place.insert("ana").await, place.insert("bo").await);
    let outbox = place.store.events().unwrap();
    outbox.add_consumer("webhook", StartAt::Oldest).await.unwrap();
    for _ in 0..40 {
        // Claimed, and never settled.
        let claimed = outbox.claim("webhook", Duration::ZERO, 1).await.unwrap().deliveries;
        assert_eq!(claimed[0].event.user_id, ana.id);
    }
    let worker = place.worker(&receiver);
    receiver.wait_for(|requests| !requests.is_empty()).await;
    worker.stop().await;
    let dead = place.events.dead(None, 10).await.unwrap();
    let dead: Vec<_> = dead.iter().map(|dead| (&dead.event.user_id, dead.reason.as_str())).collect();
    assert_eq!(dead, [(&ana.id, "the worker died at each of 40 tries")]);
    assert_eq!(receiver.taken_by_user().into_keys().collect::<Vec<_>>(), [bo.id]);
}

#[test]
fn settings_that_cannot_be_used_are_refused_and_secrets_are_not_shown() {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let events = tokio.block_on(Place::new()).events;
    let refused = |url: &str, change: fn(&mut WebhookSettings)| {
        let mut settings = WebhookSettings::new(url.parse().unwrap(), SECRET.into());
        change(&mut settings);
        assert!(!format!("{settings:?}").contains("secret of"), "{settings:?}");
        WebhookWorker::new(events.clone(), settings).unwrap_err().to_string()
    };
    let url = "https://example.com/";
    assert_eq!(refused("ftp://example.com/", |_| ()), "a webhook's URL starts with http or https: got ftp");
    assert_eq!(refused(url, |settings| settings.secrets.clear()), "a webhook has 1 to 2 secrets: got 0");
    let short = |settings: &mut WebhookSettings| settings.secrets.push("a secret of".into());
    assert_eq!(refused(url, short), "a webhook's secret has at least 16 bytes: got 11");
    let none = |settings: &mut WebhookSettings| settings.concurrency = 0;
    assert_eq!(refused(url, none), "a webhook takes 1 to 64 requests at once: got 0");
    assert_eq!(
        refused(url, |settings| settings.timeout = Duration::ZERO),
        "a webhook's timeout must be longer than nothing"
    );
}

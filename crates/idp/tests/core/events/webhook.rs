//! The webhook worker, against a receiver that fails in many ways.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pretty_assertions::assert_eq;
use tailor_idp_core::events::{Events, Revival, StartAt, WebhookSettings, WebhookWorker};
use tailor_idp_core::store::{JobFilter, QueueName, StoreError};
use tailor_idp_core::{NamespaceSettings, User};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::receiver::{Answer, Receiver, SECRET};
use crate::host::{Host, NAMESPACE};
use crate::interposed::Interposed;
use crate::support::{Shared, namespace};

struct Place {
    host: Host,
    events: Events,
}

impl Place {
    /// Over a store with the system clock.
    async fn new() -> Self {
        Self::over(store().await)
    }

    fn over(store: Shared) -> Self {
        let host = Host::over(store, NamespaceSettings::default().publish_user_events(true));
        let events = Events::new(&host.router, NAMESPACE).unwrap();
        Self { host, events }
    }

    async fn create(&self, name: &str) -> User {
        self.host.create(&format!("{name}@example.com")).await
    }

    async fn rename(&self, user: &User, name: &str) {
        self.host.rename(&user.id, &format!("{name}@example.com")).await;
    }

    fn worker(&self, receiver: &Receiver) -> Running {
        self.worker_with(settings(receiver))
    }

    fn worker_with(&self, settings: WebhookSettings) -> Running {
        let worker = WebhookWorker::new(self.events.clone(), settings).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let worker = tokio::spawn(async move {
            let shutdown = async { stopped.await.unwrap_or_default() };
            worker.run(StartAt::Oldest, shutdown).await.unwrap();
        });
        Running { stop, worker }
    }

    /// Waits until the answer to the first request has been recorded as a refusal.
    async fn until_refused(&self) {
        let recorded = async || {
            let jobs = self.host.store.jobs(JobFilter::new(QueueName::Events("webhook".into()))).await.unwrap();
            jobs.iter().any(|job| job.reason.is_some())
        };
        while !recorded().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn by_user(&self) -> BTreeMap<String, Vec<String>> {
        let mut users: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for event in self.events.list(None, 10_000).await.unwrap() {
            users.entry(event.user_id).or_default().push(event.id);
        }
        users
    }

    /// The numbers of pending and dead events.
    async fn left(&self) -> (u64, u64) {
        let consumers = self.events.consumers().await.unwrap();
        (consumers[0].pending, consumers[0].dead)
    }
}

async fn store() -> Shared {
    let database = tailor_idp_core::store::SqliteDatabase::in_memory().unwrap();
    Arc::new(database.namespace(&namespace(NAMESPACE)).await.unwrap())
}

/// Short delays.
fn settings(receiver: &Receiver) -> WebhookSettings {
    let mut settings = WebhookSettings::new(receiver.url.parse().unwrap(), SECRET.into());
    settings.timeout = Duration::from_millis(500);
    settings.first_delay = Duration::from_millis(1);
    settings.max_delay = Duration::from_millis(5);
    settings
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
async fn events_are_posted_until_the_receiver_accepts_them() {
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
    let ana = place.create("ana").await;
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
async fn refused_events_are_given_up_and_can_be_retried() {
    let poison = Arc::new(Mutex::new(Some("idp.user.created".to_owned())));
    let place = Place::new().await;
    let ana = place.create("ana").await;
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
    place.create("bo").await;
    let worker = place.worker(&receiver);
    receiver.wait_for(|requests| requests.iter().filter(|request| request.accepted).count() == 2).await;
    let refused = receiver.requests().iter().filter(|request| !request.accepted).count();
    assert_eq!(refused, 5);
    let dead = place.events.dead(None, 10).await.unwrap();
    assert_eq!((dead.len(), dead[0].attempts, &dead[0].event.user_id), (1, 5, &ana.id));
    let reason = format!("the receiver answered 400 Bad Request: what is this? {}…", "x".repeat(200 - 14));
    assert_eq!(dead[0].reason, reason);

    *poison.lock().unwrap() = None;
    let id = dead[0].event.id.as_str();
    assert_eq!(place.events.revive("webhook", Some(id), Revival::Retry).await.unwrap(), 1);
    receiver.wait_for(|requests| requests.iter().any(|request| request.accepted && request.event_id == id)).await;
    worker.stop().await;
    assert_eq!(place.left().await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_keep_the_order_of_each_user() {
    let receiver = Receiver::start(|_, before| match before.len() % 5 {
        3 => Answer::status("503 Service Unavailable"),
        _ => Answer::ok(),
    })
    .await;
    let place = Place::new().await;
    let workers = [place.worker(&receiver), place.worker(&receiver)];
    for n in 0..10 {
        let user = place.create(&format!("user{n}")).await;
        for change in 0..9 {
            place.rename(&user, &format!("user{n}-{change}")).await;
        }
    }
    receiver.wait_for(|requests| requests.iter().filter(|request| request.accepted).count() >= 100).await;
    for worker in workers {
        worker.stop().await;
    }
    assert_eq!(receiver.accepted_by_user(), place.by_user().await);
    assert_eq!(place.left().await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_at_which_every_worker_died_are_given_up() {
    let receiver = Receiver::start(|_, _| Answer::ok()).await;
    let place = Place::new().await;
    let (ana, bo) = (place.create("ana").await, place.create("bo").await);
    place.events.add_consumer("webhook", StartAt::Oldest).await.unwrap();
    for _ in 0..40 {
        // Claimed, and never settled.
        let queue = QueueName::Events("webhook".into());
        let claimed = place.host.store.claim(&queue, Duration::ZERO, 1).await.unwrap().deliveries;
        assert_eq!(claimed[0].job.user_id, ana.id);
    }
    let worker = place.worker(&receiver);
    receiver.wait_for(|requests| !requests.is_empty()).await;
    worker.stop().await;
    let dead = place.events.dead(None, 10).await.unwrap();
    let dead: Vec<_> = dead.iter().map(|dead| (&dead.event.user_id, dead.reason.as_str())).collect();
    assert_eq!(dead, [(&ana.id, "the worker died at each of 40 tries")]);
    assert_eq!(receiver.accepted_by_user().into_keys().collect::<Vec<_>>(), [bo.id]);
}

#[test]
fn invalid_settings_are_refused_without_showing_secrets() {
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

#[tokio::test(flavor = "multi_thread")]
async fn redirects_and_wrong_paths_count_as_refusals_and_server_errors_do_not() {
    let receiver = Receiver::start(|_, before| match before.len() {
        0..3 => Answer::status("503 Service Unavailable"),
        _ => Answer::status("301 Moved Permanently"),
    })
    .await;
    let place = Place::new().await;
    place.create("ana").await;
    let mut settings = settings(&receiver);
    settings.max_refusals = 2;
    let worker = place.worker_with(settings);
    while place.events.dead(None, 1).await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    worker.stop().await;
    let dead = place.events.dead(None, 10).await.unwrap();
    let shown = (dead[0].attempts, dead[0].reason.as_str());
    assert_eq!(shown, (5, "the receiver answered 301 Moved Permanently"));
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_after_pauses_all_requests_up_to_the_maximum_delay() {
    let busy =
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 3600\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let times = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&times);
    let receiver = Receiver::start(move |_, before| {
        log.lock().unwrap().push(std::time::Instant::now());
        if before.is_empty() { Answer::Bytes(busy.into()) } else { Answer::ok() }
    })
    .await;
    let place = Place::new().await;
    place.create("ana").await;
    let mut settings = settings(&receiver);
    settings.max_delay = Duration::from_millis(600);
    let worker = place.worker_with(settings);
    place.until_refused().await;
    place.create("bo").await;
    receiver.wait_for(|requests| requests.len() == 3).await;
    worker.stop().await;
    let times = times.lock().unwrap().clone();
    let pause = times[1].duration_since(times[0]);
    assert!(pause >= Duration::from_millis(500), "{pause:?}");
    assert_eq!(place.left().await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn worker_goes_on_after_a_temporary_failure_of_the_store() {
    let receiver = Receiver::start(|_, _| Answer::ok()).await;
    let interposed = Arc::new(Interposed::new(&store().await));
    let place = Place::over(interposed.clone());
    place.create("ana").await;
    interposed.fail_claims(Some(StoreError::Locked { waited_secs: 5 }));
    let worker = place.worker(&receiver);
    tokio::time::sleep(Duration::from_millis(50)).await;
    interposed.fail_claims(None);
    receiver.wait_for(|requests| requests.len() == 1).await;
    worker.stop().await;
    assert_eq!(place.left().await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn worker_finishes_its_requests_when_it_is_stopped() {
    let receiver = Receiver::start(|_, _| Answer::Stall).await;
    let place = Place::new().await;
    place.create("ana").await;
    let worker = place.worker(&receiver);
    receiver.wait_for(|requests| requests.len() == 1).await;
    worker.stop().await;
    let job = place.host.store.jobs(JobFilter::new(QueueName::Events("webhook".into())));
    let job = job.await.unwrap().remove(0);
    assert_eq!((job.attempts, job.reason.as_deref()), (1, Some("no answer within 500ms")));
}

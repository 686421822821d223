//! Writers and webhook workers that are killed while they work: no event is lost, and the order of each user is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use pretty_assertions::assert_eq;
use tailor_idp_core::events::{EventKind, Events, StartAt, WebhookSettings, WebhookWorker};
use tailor_idp_core::store::SqliteDatabase;
use tailor_idp_core::{NamespaceSettings, Timestamp, UpdateUser};

use super::receiver::{Answer, Receiver, SECRET};
use crate::child::{self, ChildProcess};
use crate::host::{Host, NAMESPACE};
use crate::support::{everyone, namespace, open, place};

/// The number of times that a writer and a worker are killed.
const KILLS: u32 = 2;

fn settings() -> NamespaceSettings {
    NamespaceSettings::default().publish_user_events(true)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run as a process of its own by other tests"]
async fn child_changes_users() {
    let Some((database, run)) = child::arguments() else { return };
    let host = Host::over(open(&database, NAMESPACE).await, settings());
    let (host, run) = (&host, &run);
    let lane = async |lane: u32| {
        for n in 0.. {
            let id = host.create(&format!("{run}-{lane}-{n}@example.com")).await.id;
            for disabled in [true, true, false] {
                host.update(UpdateUser { id: id.clone(), disabled: Some(disabled), ..UpdateUser::default() }).await;
            }
            if n % 2 == 1 {
                host.delete(&id).await;
            }
        }
    };
    tokio::select! {
        () = child::ended_by_parent() => {}
        _ = join_all((0..4).map(lane)) => {}
    }
}

/// A worker whose clock is this number of minutes ahead, so that the leases of killed workers have ended.
fn worker(database: &Path, url: &str, minutes: u32) -> ChildProcess {
    ChildProcess::start("events::kill::child_delivers_events", database, format!("{minutes} {url}"))
}

#[tokio::test]
#[ignore = "run as a process of its own by other tests"]
async fn child_delivers_events() {
    let Some((database, argument)) = child::arguments() else { return };
    let (minutes, url) = argument.split_once(' ').unwrap();
    let ahead = Duration::from_secs(60) * minutes.parse().unwrap();
    let clock = Arc::new(move || Timestamp::now().after(ahead));
    let store = SqliteDatabase::open_with_clock(database, clock).unwrap().namespace(&namespace(NAMESPACE)).await;
    let host = Host::over(Arc::new(store.unwrap()), settings());
    let mut webhook = WebhookSettings::new(url.parse().unwrap(), SECRET.into());
    webhook.timeout = Duration::from_secs(5);
    let worker = WebhookWorker::new(Events::new(&host.router, NAMESPACE).unwrap(), webhook).unwrap();
    worker.run(StartAt::Oldest, child::ended_by_parent()).await.unwrap();
}

/// Checks that the events are those of the committed changes.
async fn check_events(database: &Path) -> BTreeMap<String, Vec<String>> {
    let store = open(database, NAMESPACE).await;
    let host = Host::over(store.clone(), settings());
    let events = Events::new(&host.router, NAMESPACE).unwrap().list(None, u32::MAX).await.unwrap();
    let there: BTreeMap<_, _> = everyone(&store).await.into_iter().map(|user| (user.id, user.disabled)).collect();
    let (mut kinds, mut ids) = (BTreeMap::<_, Vec<_>>::new(), BTreeMap::<_, Vec<_>>::new());
    for event in events {
        kinds.entry(event.user_id.clone()).or_default().push(event.kind);
        ids.entry(event.user_id).or_default().push(event.id);
    }
    let mut alive = BTreeSet::new();
    for (user, kinds) in &kinds {
        use EventKind::{Created, Deleted, Updated};
        let expected: &[&[EventKind]] = match there.get(user) {
            Some(true) => &[&[Created, Updated]],
            Some(false) => &[&[Created], &[Created, Updated, Updated]],
            None => &[&[Created, Updated, Updated, Deleted]],
        };
        assert!(expected.contains(&kinds.as_slice()), "{user}: {kinds:?} instead of {expected:?}");
        alive.extend((kinds.last() != Some(&Deleted)).then_some(user));
    }
    assert_eq!(alive, there.keys().collect(), "users without events, or events without users");
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_writers_and_workers_lose_no_event_and_keep_the_order() {
    let (_folder, path) = place();
    let receiver = Receiver::start(|_, before| match before.len() % 7 {
        6 => Answer::status("500 Internal Server Error"),
        _ => Answer::ok(),
    })
    .await;
    for run in 0..KILLS {
        let mut writer = ChildProcess::start("events::kill::child_changes_users", &path, format!("run{run}"));
        let mut worker = worker(&path, &receiver.url, run);
        let so_far = receiver.requests().len();
        receiver.wait_for(|requests| requests.len() > so_far + 20).await;
        if run % 2 == 0 {
            writer.kill();
            worker.kill();
        } else {
            worker.kill();
            writer.kill();
        }
        check_events(&path).await;
    }
    let expected = check_events(&path).await;
    let host = Host::over(open(&path, NAMESPACE).await, settings());
    let events = Events::new(&host.router, NAMESPACE).unwrap();
    let worker = worker(&path, &receiver.url, KILLS);
    for _ in 0..6000 {
        let consumers = events.consumers().await.unwrap();
        if consumers[0].pending == 0 {
            assert_eq!((consumers.len(), consumers[0].dead), (1, 0));
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    worker.stop();

    let mut accepted = receiver.accepted_by_user();
    let count = accepted.values().flatten().count();
    for ids in accepted.values_mut() {
        // A worker that is killed before it records the outcome leaves the event to be delivered again, at once.
        ids.dedup();
    }
    eprintln!("{} events, {count} deliveries", expected.values().flatten().count());
    assert_eq!(accepted, expected);
    assert!(receiver.requests().iter().all(|request| request.path == "/hook"), "{:#?}", receiver.requests());
}

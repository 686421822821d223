//! Readers and consumers of events.

use std::sync::Arc;
use std::time::Duration;

use pretty_assertions::assert_eq;
use tailor_idp_core::events::{Consumer, EventError, EventKind, EventReader, Events, Revival, StartAt, UserEvent};
use tailor_idp_core::store::StoreError;
use tailor_idp_core::store::contract::ManualClock;
use tailor_idp_core::{Code, NamespaceSettings};

use crate::fresh::fresh_store;
use crate::host::{Host, NAMESPACE};
use crate::support::place;

struct Place {
    host: Host,
    events: Events,
    clock: Arc<ManualClock>,
}

impl Place {
    async fn new() -> Self {
        let (store, clock) = fresh_store().await;
        let host = Host::over(store, NamespaceSettings::default().publish_user_events(true).workspace_id("ws-1"));
        let events = Events::new(&host.router, NAMESPACE).unwrap();
        Self { host, events, clock }
    }

    async fn subscribe(&self, consumer: &str, start: StartAt) -> EventReader {
        EventReader::subscribe(self.events.clone(), consumer, start).await.unwrap()
    }
}

fn consumer(name: &str, pending: u64, dead: u64) -> Consumer {
    Consumer { name: name.into(), pending, dead }
}

/// Whether no event is handed out. Longer than a claim takes: a claim that is not waited for leases an event.
async fn is_idle(reader: &mut EventReader) -> bool {
    tokio::time::timeout(Duration::from_millis(500), reader.next()).await.is_err()
}

#[tokio::test]
async fn reader_waits_for_the_next_commit() {
    let place = Place::new().await;
    let mut reader = place.subscribe("index", StartAt::Oldest).await;
    let (ana, received) = futures::join!(place.host.create("ana@example.com"), reader.next());
    let received = received.unwrap();
    let UserEvent { id, kind, time, workspace_id, namespace_name, user_id } = received.event.clone();
    assert_eq!((kind, workspace_id.as_str(), namespace_name.as_str()), (EventKind::Created, "ws-1", NAMESPACE));
    assert_eq!((&user_id, time), (&ana.id, ManualClock::START));
    let json = serde_json::json!({
        "id": id,
        "type": "idp.user.created",
        "time": "2027-01-15T08:00:00.123Z",
        "workspaceId": "ws-1",
        "namespaceName": NAMESPACE,
        "userId": ana.id,
    });
    assert_eq!(serde_json::to_value(&received.event).unwrap(), json);
    assert_eq!(place.events.get(&id).await.unwrap(), Some(received.event.clone()));
    assert_eq!(place.events.newest().await.unwrap(), Some(id));
    assert!(received.acknowledge().await.unwrap());
    assert!(is_idle(&mut reader).await);
    assert_eq!(place.events.consumers().await.unwrap(), [consumer("index", 0, 0)]);
}

#[tokio::test]
async fn reader_gets_events_of_another_process() {
    let (_folder, path) = place();
    let settings = || NamespaceSettings::default().publish_user_events(true);
    let host = Host::over(crate::support::open(&path, NAMESPACE).await, settings());
    // A separate handle: its commits do not wake the reader.
    let other = Host::over(crate::support::open(&path, NAMESPACE).await, settings());
    let events = Events::new(&host.router, NAMESPACE).unwrap();
    let mut reader = EventReader::subscribe(events, "index", StartAt::Oldest).await.unwrap();
    let (received, ana) = futures::join!(reader.next(), other.create("ana@example.com"));
    assert_eq!(received.unwrap().event.user_id, ana.id);
}

#[tokio::test]
async fn retried_events_stay_ahead_of_later_ones_of_their_user() {
    let place = Place::new().await;
    let mut reader = place.subscribe("index", StartAt::Oldest).await;
    let ana = place.host.create("ana@example.com").await;
    place.host.delete(&ana.id).await;
    let first = reader.next().await.unwrap();
    let id = first.event.id.clone();
    assert_eq!(first.attempts, 1);
    assert!(first.retry_after(Duration::from_secs(60), "not yet").await.unwrap());
    assert!(is_idle(&mut reader).await);
    place.clock.advance(Duration::from_secs(60));
    let again = reader.next().await.unwrap();
    assert_eq!((&again.event.id, again.attempts), (&id, 2));
    assert!(again.acknowledge().await.unwrap());
    assert_eq!(reader.next().await.unwrap().event.kind, EventKind::Deleted);
}

#[tokio::test]
async fn dropped_events_are_handed_out_again_when_the_lease_ends() {
    let place = Place::new().await;
    let lease = Duration::from_secs(10);
    let mut reader = place.subscribe("index", StartAt::Oldest).await.lease(lease);
    place.host.create("ana@example.com").await;
    let first = reader.next().await.unwrap();
    place.clock.advance(lease);
    let second = reader.next().await.unwrap();
    assert_eq!((&second.event, second.attempts), (&first.event, 2));
    assert!(!first.acknowledge().await.unwrap(), "another reader has it");
    assert!(second.acknowledge().await.unwrap());
}

#[tokio::test]
async fn dead_events_can_be_retried_and_discarded() {
    let place = Place::new().await;
    let mut reader = place.subscribe("index", StartAt::Oldest).await;
    place.subscribe("other", StartAt::Oldest).await;
    for name in ["ana@example.com", "bo@example.com"] {
        place.host.create(name).await;
        assert!(reader.next().await.unwrap().give_up("what is this?").await.unwrap());
    }
    let dead = place.events.dead(Some("index"), 10).await.unwrap();
    let shown: Vec<_> = dead.iter().map(|dead| (dead.reason.as_str(), dead.attempts, &*dead.consumer)).collect();
    assert_eq!(shown, [("what is this?", 1, "index"); 2]);
    assert_eq!(place.events.dead(None, 10).await.unwrap(), dead);
    assert_eq!(place.events.dead(Some("other"), 10).await.unwrap(), []);
    assert_eq!(place.events.consumers().await.unwrap(), [consumer("index", 0, 2), consumer("other", 2, 0)]);

    let id = dead[0].event.id.as_str();
    assert_eq!(place.events.revive("other", Some(id), Revival::Retry).await.unwrap(), 0);
    assert_eq!(place.events.revive("index", Some(id), Revival::Retry).await.unwrap(), 1);
    let again = reader.next().await.unwrap();
    assert_eq!((again.event.id.as_str(), again.attempts), (id, 1));
    assert!(again.acknowledge().await.unwrap());
    assert_eq!(place.events.revive("index", None, Revival::Discard).await.unwrap(), 1);
    assert_eq!(place.events.consumers().await.unwrap()[0], consumer("index", 0, 0));
}

#[tokio::test]
async fn dead_events_are_listed_by_consumer_up_to_the_limit() {
    let place = Place::new().await;
    let mut readers = [place.subscribe("one", StartAt::Oldest).await, place.subscribe("two", StartAt::Oldest).await];
    for name in ["ana@example.com", "bo@example.com"] {
        place.host.create(name).await;
        for reader in &mut readers {
            assert!(reader.next().await.unwrap().give_up("no").await.unwrap());
        }
    }
    let all = place.events.list(None, 10).await.unwrap();
    let expected = [("one", &all[0]), ("one", &all[1]), ("two", &all[0]), ("two", &all[1])];
    for limit in 0..6 {
        let dead = place.events.dead(None, limit).await.unwrap();
        let dead: Vec<_> = dead.iter().map(|dead| (dead.consumer.as_str(), &dead.event)).collect();
        assert_eq!(dead, expected[..expected.len().min(limit as usize)]);
    }
}

#[tokio::test]
async fn consumers_start_where_they_are_told_and_keep_their_position() {
    let place = Place::new().await;
    place.host.create("ana@example.com").await;
    place.subscribe("oldest", StartAt::Oldest).await;
    place.subscribe("next", StartAt::Next).await;
    place.host.create("bo@example.com").await;
    // The start counts for new consumers only.
    place.subscribe("next", StartAt::Oldest).await;
    place.events.add_consumer("oldest", StartAt::Next).await.unwrap();
    let expected = [consumer("next", 1, 0), consumer("oldest", 2, 0)];
    assert_eq!(place.events.consumers().await.unwrap(), expected);
    assert!(place.events.forget("next").await.unwrap());
    assert!(!place.events.forget("next").await.unwrap());
    assert_eq!(place.events.consumers().await.unwrap(), expected[1..]);
}

#[tokio::test]
async fn reader_fails_when_its_consumer_is_removed() {
    let place = Place::new().await;
    let mut reader = place.subscribe("index", StartAt::Oldest).await;
    place.events.forget("index").await.unwrap();
    let error = reader.next().await.unwrap_err();
    assert!(matches!(&error, EventError::Store(StoreError::NoSuchConsumer(name)) if name == "index"), "{error:?}");
    let error = place.events.revive("index", None, Revival::Retry).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no consumer of events named \"index\"");
}

#[tokio::test]
async fn consumer_names_are_checked() {
    let place = Place::new().await;
    for name in ["", "no spaces", "é", &"x".repeat(65)] {
        let error = EventReader::subscribe(place.events.clone(), name, StartAt::Oldest).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("a consumer's name is 1 to 64 letters, digits, hyphens, dots and underscores: got {name:?}")
        );
    }
    place.subscribe(&format!("{}-._", "x".repeat(61)), StartAt::Oldest).await;
}

#[tokio::test]
async fn events_of_unknown_namespaces_are_refused() {
    let place = Place::new().await;
    let Err(EventError::Namespace(error)) = Events::new(&place.host.router, "other") else { panic!("it is unknown") };
    assert_eq!((error.code(), error.detail()), (Code::NotFound, "namespace not found: other"));
}

#[tokio::test]
async fn events_are_listed_from_a_position() {
    let place = Place::new().await;
    for n in 0..3 {
        place.host.create(&format!("user{n}@example.com")).await;
    }
    let all = place.events.list(None, 10).await.unwrap();
    assert_eq!(all.len(), 3);
    assert_eq!(place.events.list(None, 2).await.unwrap(), all[..2]);
    assert_eq!(place.events.list(Some(&all[0].id), 10).await.unwrap(), all[1..]);
    assert_eq!(place.events.get("unknown").await.unwrap(), None);
}

//! An event exists exactly when its change was committed, whatever is done in whatever order.

use std::sync::Arc;

use pretty_assertions::assert_eq;
use proptest::prelude::*;
use tailor_idp::events::{EventKind, StartAt, UserEvent};
use tailor_idp::idp::{Idp, NamespaceSettings};
use tailor_idp::store::{
    NewUser, PasswordChange, SqliteDatabase, StoreError, UserChange, UserKey, UserStore, WriteOptions,
};

use crate::store_contract::plain::add_factor;
use crate::support::{namespace, password_hash};

/// An operation on one of a few users, with one of a few names: clashes and repetitions are common.
#[derive(Debug, Clone)]
enum Operation {
    Insert { name: u8 },
    Update { user: usize, name: Option<u8>, disabled: Option<bool>, password: Option<Option<u8>>, permitted: bool },
    Delete { user: usize, permitted: bool },
    AddFactor { user: usize },
    RemoveFactor { user: usize, factor: usize, permitted: bool },
}

fn operation() -> impl Strategy<Value = Operation> {
    let (user, permitted) = (0..6_usize, prop::bool::weighted(0.8));
    prop_oneof![
        3 => (0..6_u8).prop_map(|name| Operation::Insert { name }),
        6 => (
            user.clone(),
            prop::option::of(0..6_u8),
            prop::option::of(any::<bool>()),
            prop::option::of(prop::option::of(0..3_u8)),
            permitted,
        )
            .prop_map(|(user, name, disabled, password, permitted)| Operation::Update {
                user,
                name,
                disabled,
                password,
                permitted
            }),
        1 => (user.clone(), permitted).prop_map(|(user, permitted)| Operation::Delete { user, permitted }),
        1 => user.clone().prop_map(|user| Operation::AddFactor { user }),
        2 => (user, 0..2_usize, permitted)
            .prop_map(|(user, factor, permitted)| Operation::RemoveFactor { user, factor, permitted }),
    ]
}

/// Applies the operation and returns the change that was observed: the user, and how.
async fn apply(
    store: &dyn UserStore,
    users: &mut Vec<(String, Option<u8>)>,
    operation: Operation,
) -> Option<(String, EventKind)> {
    let options = |permitted: bool| WriteOptions { check: Box::new(move |_, _| permitted), publish: true };
    let hash = |text: u8| password_hash(&format!("p{text}"));
    let someone = |users: &[(String, Option<u8>)], user: usize| match users.len() {
        0 => "0193c0de-0000-7000-8000-000000000000".to_owned(),
        count => users[user % count].0.clone(),
    };
    match operation {
        Operation::Insert { name } => {
            let inserted =
                store.insert(NewUser { name: format!("name{name}"), password: None, disabled: false }, true).await;
            match inserted {
                Ok(user) => {
                    users.push((user.id.clone(), None));
                    Some((user.id, EventKind::Created))
                }
                Err(StoreError::NameTaken) => None,
                Err(error) => panic!("{error}"),
            }
        }
        Operation::Update { user, name, disabled, password, permitted } => {
            let id = someone(users, user);
            let before = store.get(UserKey::Id(&id)).await.unwrap();
            let password_change = match password {
                None => PasswordChange::Keep,
                Some(None) => PasswordChange::Clear,
                Some(Some(text)) => PasswordChange::Set(hash(text)),
            };
            let change =
                UserChange { name: name.map(|name| format!("name{name}")), password: password_change, disabled };
            let after = match store.update(&id, change, options(permitted)).await {
                Ok(after) => after,
                Err(StoreError::NameTaken | StoreError::Denied) => before.clone(),
                Err(error) => panic!("{error}"),
            };
            let succeeded = permitted && after.is_some();
            let known = users.iter_mut().find(|(known, _)| *known == id);
            let mut differs = before != after;
            // Whether the password was set, the record does not show; nor whether a clash refused the whole.
            let clashed =
                name.is_some_and(|name| after.as_ref().is_some_and(|user| user.name != format!("name{name}")));
            if let (true, false, Some(password), Some(known)) = (succeeded, clashed, password, known) {
                differs |= known.1 != password;
                known.1 = password;
            }
            differs.then_some((id, EventKind::Updated))
        }
        Operation::Delete { user, permitted } => {
            let id = someone(users, user);
            let deleted = matches!(store.delete(&id, options(permitted)).await, Ok(true));
            deleted.then_some((id, EventKind::Deleted))
        }
        Operation::AddFactor { user } => {
            let id = someone(users, user);
            let added = add_factor(store.mfa().unwrap(), &id, options(true)).await.unwrap();
            added.map(|_| (id, EventKind::Updated))
        }
        Operation::RemoveFactor { user, factor, permitted } => {
            let id = someone(users, user);
            let factors = store.get(UserKey::Id(&id)).await.unwrap().map(|user| user.mfa_factor_ids);
            let factor = factors.unwrap_or_default().get(factor).cloned().unwrap_or_else(|| "ghost".into());
            let removed = store.mfa().unwrap().remove_factor(&id, &factor, options(permitted)).await;
            matches!(removed, Ok(Some(true))).then_some((id, EventKind::Updated))
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_events_are_the_observed_changes(operations in prop::collection::vec(operation(), 1..60)) {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (observed, told) = tokio.block_on(async {
            let store = SqliteDatabase::in_memory().unwrap().namespace(&namespace("users")).await.unwrap();
            let (mut users, mut observed) = (Vec::new(), Vec::new());
            for operation in operations {
                observed.extend(apply(&store, &mut users, operation).await);
            }
            let events = store.events().unwrap().events(None, 1000).await.unwrap();
            (observed, events.into_iter().map(|event| (event.user_id, event.kind)).collect::<Vec<_>>())
        });
        prop_assert_eq!(told, observed);
    }
}

#[tokio::test]
async fn a_reader_is_handed_each_event_and_told_of_commits() {
    let name = namespace("users");
    let store = SqliteDatabase::in_memory().unwrap().namespace(&name).await.unwrap();
    let settings = NamespaceSettings::default().publish_user_events(true).workspace_id("ws-1");
    let idp = Idp::builder().namespace(name, Arc::new(store.clone()), settings).build();
    let mut reader = idp.subscribe_events("users", "index", StartAt::Oldest).await.unwrap();
    let insert = |name: &str| store.insert(NewUser { name: name.into(), password: None, disabled: false }, true);
    let (ana, received) = futures::join!(insert("ana"), reader.next());
    let (ana, received) = (ana.unwrap(), received.unwrap());
    let UserEvent { id, kind, time, workspace_id, namespace_name, user_id } = received.event.clone();
    assert_eq!((kind, workspace_id.as_str(), namespace_name.as_str()), (EventKind::Created, "ws-1", "users"));
    assert_eq!(user_id, ana.id);
    let json = serde_json::json!({
        "id": id,
        "type": "idp.user.created",
        "time": time.to_string(),
        "workspaceId": "ws-1",
        "namespaceName": "users",
        "userId": ana.id,
    });
    assert_eq!(serde_json::to_value(&received.event).unwrap(), json);
    store.delete(&ana.id, WriteOptions { publish: true, ..WriteOptions::unchecked() }).await.unwrap();
    received.retry_after(std::time::Duration::ZERO, "not yet").await.unwrap();
    let again = reader.next().await.unwrap();
    assert_eq!((&again.event.id, again.attempts), (&id, 2));
    assert!(again.acknowledge().await.unwrap());
    let deleted = reader.next().await.unwrap();
    assert_eq!(deleted.event.kind, EventKind::Deleted);
    assert!(deleted.give_up("what is this?").await.unwrap());
    let dead = idp.events("users").unwrap().dead(Some("index"), 10).await.unwrap();
    assert_eq!(dead.iter().map(|dead| dead.reason.as_str()).collect::<Vec<_>>(), ["what is this?"]);
    let nameless = idp.subscribe_events("users", "no spaces", StartAt::Oldest).await;
    assert_eq!(
        nameless.unwrap_err().to_string(),
        "a consumer's name is 1 to 64 letters, digits, hyphens, dots and underscores: got \"no spaces\""
    );
}

//! Users by the batch.

use std::sync::Arc;

use futures::future::join_all;
use pretty_assertions::assert_eq;
use tailor_idp::store::{EventKind, EventRecord, Imported, NewUser, Skipped, UserKey};

use super::{Backend, Plain, everyone, insert, names, total, user};
use crate::support::password_hash;

/// The users of these names.
fn users<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Vec<NewUser> {
    names.into_iter().map(user).collect()
}

/// `{prefix}0` and so on, so that their order is not that of their names.
fn many(prefix: &str, count: usize) -> Vec<NewUser> {
    users((0..count).map(|index| format!("{prefix}{index}")))
}

async fn import(store: &Plain, users: Vec<NewUser>) -> Imported {
    store.0.import().unwrap().import(users, false).await.unwrap()
}

async fn events(store: &Plain) -> Vec<EventRecord> {
    store.0.events().unwrap().events(None, 10_000).await.unwrap()
}

fn added(count: u64) -> Imported {
    Imported { count, skipped: Vec::new() }
}

pub(super) async fn the_users_of_a_batch_are_as_they_were_given_in_its_order(db: impl Backend) {
    let store = db.users().await;
    let first = insert(&store, "first").await;
    let given: Vec<_> = (0..2500_usize)
        .map(|index| NewUser {
            // Scattered, with long common beginnings, and one that begins another.
            name: format!("a-long-common-beginning-{}", index * 7919 % 2500),
            password: index.is_multiple_of(3).then(|| password_hash(&index.to_string())),
            disabled: index.is_multiple_of(5),
        })
        .collect();
    assert_eq!(import(&store, given.clone()).await, added(2500));
    let last = insert(&store, "last").await;

    let there = everyone(&store).await;
    assert_eq!((there.first(), there.last(), there.len()), (Some(&first), Some(&last), 2502));
    assert!(there.is_sorted_by(|one, next| one.id < next.id));
    for (given, user) in given.iter().zip(&there[1..]) {
        assert_eq!((&user.name, user.disabled), (&given.name, given.disabled));
        assert!(user.created_at >= first.created_at && user.created_at <= last.created_at, "{user:?}");
        assert_eq!(uuid::Uuid::parse_str(&user.id).unwrap().get_version_num(), 7);
        let found = store.credentials().credential(&user.name).await.unwrap().unwrap();
        assert_eq!((&found.user, found.password), (user, given.password.clone()));
    }
    assert_eq!(total(&store).await, 2502);
}

pub(super) async fn a_name_that_is_taken_is_skipped_and_reported_and_its_user_stays(db: impl Backend) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    let mut batch = users(["zoe", "ana", "bo", "zoe", "Ana", "bo", "cy"]);
    batch[0].disabled = true;
    batch[1].disabled = true;
    let skipped = |index, name: &str| Skipped { index, name: name.to_owned() };
    let expected = Imported { count: 4, skipped: vec![skipped(1, "ana"), skipped(3, "zoe"), skipped(5, "bo")] };
    assert_eq!(import(&store, batch).await, expected);
    let there = everyone(&store).await;
    assert_eq!(names(&there), ["ana", "zoe", "bo", "Ana", "cy"]);
    assert_eq!(there[0], ana);
    assert!(there[1].disabled, "of two the first is there");
    assert_eq!(total(&store).await, 5);
}

pub(super) async fn the_same_batch_once_more_adds_nobody(db: impl Backend) {
    let store = db.users().await;
    import(&store, many("user", 100)).await;
    let before = everyone(&store).await;
    let again = import(&store, many("user", 100)).await;
    assert_eq!((again.count, again.skipped.len()), (0, 100));
    assert_eq!((everyone(&store).await, total(&store).await), (before, 100));
    // In part.
    let more = import(&store, many("user", 150)).await;
    assert_eq!((more.count, more.skipped.len()), (50, 100));
    assert_eq!(total(&store).await, 150);
    // One namespace's names are free in the other.
    assert_eq!(import(&*db.namespace("away").await, many("user", 150)).await, added(150));
}

pub(super) async fn after_an_import_users_are_counted_one_by_one_again(db: impl Backend) {
    let store = db.users().await;
    for round in 0..3_u64 {
        import(&store, many(&format!("batch{round}-"), 50)).await;
        let single = insert(&store, format!("single{round}")).await;
        assert_eq!(everyone(&store).await.last(), Some(&single));
        assert_eq!(total(&store).await, round * 50 + 51, "round {round}");
        assert!(store.delete(&single.id).await.unwrap());
        assert_eq!(total(&store).await, round * 50 + 50, "round {round}");
    }
}

pub(super) async fn an_imported_user_leaves_an_event_and_a_skipped_one_none(db: impl Backend) {
    let store = db.users().await;
    store.0.insert(user("user7"), true).await.unwrap();
    let imported = store.0.import().unwrap().import(many("user", 20), true).await.unwrap();
    assert_eq!((imported.count, imported.skipped.len()), (19, 1));
    store.0.insert(user("late"), true).await.unwrap();
    import(&store, many("silent", 5)).await;

    let (there, events) = (everyone(&store).await, events(&store).await);
    let expected: Vec<_> = there[..21].iter().map(|user| (user.id.as_str(), EventKind::Created)).collect();
    let told: Vec<_> = events.iter().map(|event| (event.user_id.as_str(), event.kind)).collect();
    assert_eq!(told, expected);
    assert!(events.is_sorted_by(|one, next| one.id < next.id), "{events:#?}");
    let newest = store.0.events().unwrap().newest().await.unwrap();
    assert_eq!(newest.as_ref(), events.last().map(|event| &event.id));
}

pub(super) async fn imports_and_single_writes_get_through_side_by_side(db: impl Backend) {
    let store = db.users().await;
    let imports = (0..8).map(|lane| {
        let store = Arc::clone(&store);
        // Every other batch is half taken.
        tokio::spawn(async move { import(&store, many(&format!("batch{}-", lane / 2), 200 + lane % 2 * 200)).await })
    });
    let singles = (0..100).map(|index| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { insert(&store, format!("single{index}")).await })
    });
    let (imports, singles) = tokio::join!(join_all(imports), join_all(singles));
    let added: u64 = imports.into_iter().map(|imported| imported.unwrap().count).sum();
    assert_eq!(added, 4 * 400);
    let there = everyone(&store).await;
    assert_eq!((there.len() as u64, total(&store).await), (added + 100, added + 100));
    for single in singles {
        let single = single.unwrap();
        assert_eq!(store.get(UserKey::Id(&single.id)).await.unwrap(), Some(single));
    }
}

pub(super) async fn a_batch_of_nobody_adds_nobody(db: impl Backend) {
    let store = db.users().await;
    assert_eq!(import(&store, Vec::new()).await, added(0));
    insert(&store, "ana").await;
    assert_eq!(total(&store).await, 1);
}

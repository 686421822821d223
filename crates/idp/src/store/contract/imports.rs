//! Imports: many users in one transaction.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use pretty_assertions::assert_eq;

use super::steps::*;
use super::{Backend, Fixture};
use crate::model::{EventKind, Timestamp};
use crate::store::{ImportObserver, ImportProgress, Imported, NewUser, Skipped, StoreError};

/// The users with these names.
fn users<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Vec<NewUser> {
    names.into_iter().map(user).collect()
}

/// `{prefix}0` and so on, so that their order is not that of their names.
fn many(prefix: &str, count: usize) -> Vec<NewUser> {
    users((0..count).map(|index| format!("{prefix}{index}")))
}

fn added(count: u64) -> Imported {
    Imported { count, skipped: Vec::new() }
}

pub async fn import_adds_users_in_order(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let first = insert(&store, "first").await;
    db.clock.advance(Duration::from_secs(1));
    let given: Vec<_> = (0..2500_usize)
        .map(|index| NewUser {
            // Scattered, with long common prefixes, and one that is a prefix of another.
            name: format!("a-long-common-beginning-{}", index * 7919 % 2500),
            password: index.is_multiple_of(3).then(|| password_hash(&index.to_string())),
            disabled: index.is_multiple_of(5),
            created_at: index.is_multiple_of(7).then(|| Timestamp::from_unix_millis(index as i64)),
        })
        .collect();
    assert_eq!(import(&store, given.clone(), false).await, added(2500));
    let last = insert(&store, "last").await;

    let there = everyone(&store).await;
    assert_eq!((there.first(), there.last(), there.len()), (Some(&first), Some(&last), 2502));
    assert!(there.is_sorted_by(|one, next| one.id < next.id));
    for (given, user) in given.iter().zip(&there[1..]) {
        assert_eq!((&user.name, user.disabled), (&given.name, given.disabled));
        assert_eq!(user.created_at, Some(given.created_at.unwrap_or(store.now())));
        let found = credentials(&store, user).await;
        assert_eq!((&found.user, found.password), (user, Ok(given.password.clone())));
    }
    assert_eq!(total(&store).await, 2502);
}

pub async fn import_skips_and_reports_taken_names(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    let mut batch = users(["zoe", "ana", "bo", "zoe", "Ana", "bo", "cy"]);
    batch[0].disabled = true;
    batch[1].disabled = true;
    let skipped = |index, name: &str| Skipped { index, name: name.to_owned() };
    let expected = Imported { count: 4, skipped: vec![skipped(1, "ana"), skipped(3, "zoe"), skipped(5, "bo")] };
    assert_eq!(import(&store, batch, false).await, expected);
    let there = everyone(&store).await;
    assert_eq!(names(&there), ["ana", "zoe", "bo", "Ana", "cy"]);
    assert_eq!(there[0], ana);
    assert!(there[1].disabled, "the first of two with the same name was added");
    assert_eq!(total(&store).await, 5);
}

pub async fn import_of_the_same_batch_again_adds_nobody(db: Fixture<impl Backend>) {
    let store = db.users().await;
    import(&store, many("user", 100), false).await;
    let before = everyone(&store).await;
    let again = import(&store, many("user", 100), false).await;
    assert_eq!((again.count, again.skipped.len()), (0, 100));
    assert_eq!((everyone(&store).await, total(&store).await), (before, 100));
    let more = import(&store, many("user", 150), false).await;
    assert_eq!((more.count, more.skipped.len()), (50, 100));
    assert_eq!(total(&store).await, 150);
    // The names are free in other namespaces.
    assert_eq!(import(&db.namespace("away").await, many("user", 150), false).await, added(150));
}

pub async fn totals_are_exact_after_an_import(db: Fixture<impl Backend>) {
    let store = db.users().await;
    for round in 0..3_u64 {
        import(&store, many(&format!("batch{round}-"), 50), false).await;
        let single = insert(&store, format!("single{round}")).await;
        assert_eq!(everyone(&store).await.last(), Some(&single));
        assert_eq!(total(&store).await, round * 50 + 51, "round {round}");
        delete(&store, &single.id).await.unwrap();
        assert_eq!(total(&store).await, round * 50 + 50, "round {round}");
    }
}

pub async fn import_publishes_events_for_added_users_only(db: Fixture<impl Backend>) {
    let store = db.users().await;
    publish(&store, "user7").await;
    let imported = import(&store, many("user", 20), true).await;
    assert_eq!((imported.count, imported.skipped.len()), (19, 1));
    publish(&store, "late").await;
    import(&store, many("silent", 5), false).await;

    let (there, events) = (everyone(&store).await, events(&store).await);
    let expected: Vec<_> = there[..21].iter().map(|user| (user.id.as_str(), EventKind::Created)).collect();
    let published: Vec<_> = events.iter().map(|event| (event.user_id.as_str(), event.kind)).collect();
    assert_eq!(published, expected);
    assert!(events.is_sorted_by(|one, next| one.id < next.id), "{events:#?}");
    assert_eq!(store.event_log().await.unwrap().newest.as_ref(), events.last().map(|event| &event.id));
}

pub async fn imports_and_single_writes_run_concurrently(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let imports = (0..8).map(|lane| {
        let store = Arc::clone(&store);
        // Half of every other batch is taken.
        tokio::spawn(
            async move { import(&store, many(&format!("batch{}-", lane / 2), 200 + lane % 2 * 200), false).await },
        )
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
        assert_eq!(by_id(&store, &single.id).await, Some(single));
    }
}

pub async fn import_of_an_empty_batch_adds_nobody(db: Fixture<impl Backend>) {
    let store = db.users().await;
    assert_eq!(import(&store, Vec::new(), false).await, added(0));
    insert(&store, "ana").await;
    assert_eq!(total(&store).await, 1);
}

/// An observer that records the progress, and cancels the import where `cancels` holds.
fn recorder(
    cancels: impl Fn(ImportProgress) -> bool + Send + Sync + 'static,
) -> (ImportObserver, Arc<Mutex<Vec<ImportProgress>>>) {
    let record = Arc::new(Mutex::new(Vec::new()));
    let to = Arc::clone(&record);
    let observer = move |progress| {
        to.lock().unwrap_or_else(PoisonError::into_inner).push(progress);
        if cancels(progress) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    (Arc::new(observer), record)
}

pub async fn import_reports_progress_while_it_writes(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let (observer, record) = recorder(|_| false);
    store.import(many("user", 2500), false, &observer).await.unwrap();
    let mut record = record.lock().unwrap_or_else(PoisonError::into_inner).clone();
    assert_eq!(record.pop(), Some(ImportProgress::Committing));
    let mut before = 0;
    for progress in &record {
        let ImportProgress::Written(written) = *progress else { panic!("{record:?}") };
        assert!(written > before && written - before <= 1000, "{record:?}");
        before = written;
    }
    assert_eq!(before, 2500);
}

pub async fn cancelled_import_adds_nobody(db: Fixture<impl Backend>) {
    let store = db.users().await;
    insert(&store, "ana").await;
    let half = |progress| matches!(progress, ImportProgress::Written(written) if written >= 1000);
    for cancels in [half, |progress| progress == ImportProgress::Committing] {
        let (observer, _) = recorder(cancels);
        let error = store.import(many("user", 2500), true, &observer).await.unwrap_err();
        assert!(matches!(error, StoreError::Cancelled), "{error:?}");
        assert_eq!((names(&everyone(&store).await), total(&store).await), (vec!["ana"], 1));
        assert_eq!(events(&store).await, []);
    }
    assert_eq!(import(&store, many("user", 2500), true).await, added(2500));
}

//! Inserting users and finding them again.

use std::time::UNIX_EPOCH;

use pretty_assertions::assert_eq;
use tailor_idp::idp::Timestamp;
use tailor_idp::store::{NewUser, StoreError, UserChange};

use super::{Backend, by_id, by_name, everyone, insert, insert_many, names, no_ids_but, user};
use crate::support::password_hash;

pub(super) async fn a_user_is_found_by_id_and_by_name(db: impl Backend) {
    let store = db.users().await;
    let (ana, bo) = (insert(&store, "ana@example.com").await, insert(&store, "bo@example.com").await);
    assert_eq!(by_id(&store, &ana.id).await, Some(ana.clone()));
    assert_eq!(by_name(&store, "ana@example.com").await, Some(ana));
    assert_eq!(by_id(&store, &bo.id).await, Some(bo.clone()));
    assert_eq!(by_name(&store, "bo@example.com").await, Some(bo));
    assert_eq!(by_name(&store, "chi@example.com").await, None);
    assert_eq!(by_name(&store, "").await, None);
}

pub(super) async fn a_new_user_is_as_it_was_asked_for(db: impl Backend) {
    let store = db.users().await;
    let now = || Timestamp::from_unix_millis(UNIX_EPOCH.elapsed().unwrap().as_millis() as i64);
    let before = now();
    let password = Some(password_hash("correct horse"));
    let ana = store.insert(NewUser { name: "ana".into(), password, disabled: true }).await.unwrap();
    assert_eq!((ana.name.as_str(), ana.disabled, ana.mfa_factor_ids.len()), ("ana", true, 0));
    let created = ana.created_at.expect("an embedded store knows when");
    assert!((before..=now()).contains(&created), "{before} {created}");
    assert!(!insert(&store, "bo").await.disabled);
    assert_eq!(by_id(&store, &ana.id).await, Some(ana));
}

pub(super) async fn an_id_that_is_unknown_or_malformed_finds_nobody(db: impl Backend) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    for id in no_ids_but(&ana.id) {
        assert_eq!(by_id(&store, &id).await, None, "{id:?}");
    }
    store.delete(&ana.id).await.unwrap();
    assert_eq!(by_id(&store, &ana.id).await, None);
}

pub(super) async fn a_name_is_taken_by_the_same_bytes_only(db: impl Backend) {
    let store = db.users().await;
    let spellings = ["ana", "Ana", "ANA", "ana ", " ana", "aná", "ana\u{301}", "ana\0", "ａｎａ"];
    for name in spellings {
        insert(&store, name).await;
    }
    for name in spellings {
        let clash = store.insert(user(name)).await.unwrap_err();
        assert!(matches!(clash, StoreError::NameTaken), "{name:?}: {clash}");
        assert_eq!(clash.to_string(), "another user has that name");
        assert_eq!(by_name(&store, name).await.map(|user| user.name).as_deref(), Some(name));
    }
    assert_eq!(names(&everyone(&store).await), spellings);
}

pub(super) async fn a_name_is_free_again_when_its_user_is_deleted_or_renamed(db: impl Backend) {
    let store = db.users().await;
    let first = insert(&store, "ana").await;
    store.delete(&first.id).await.unwrap();
    let second = insert(&store, "ana").await;
    let change = UserChange { name: Some("bo".into()), ..UserChange::default() };
    store.update(&second.id, change).await.unwrap();
    let third = insert(&store, "ana").await;
    let ids = [&first.id, &second.id, &third.id];
    assert!(ids.is_sorted() && first.id != second.id && second.id != third.id, "{ids:?}");
    assert_eq!(names(&everyone(&store).await), ["bo", "ana"]);
}

pub(super) async fn ids_sort_in_creation_order(db: impl Backend) {
    let store = db.users().await;
    let users = insert_many(&store, "user", 200).await;
    let unordered: Vec<_> = users.windows(2).filter(|pair| pair[0].id >= pair[1].id).collect();
    assert_eq!(unordered, Vec::<&[_]>::new());
    assert!(users.is_sorted_by_key(|user| user.created_at));
    assert_eq!(everyone(&store).await, users);
}

pub(super) async fn odd_texts_survive(db: impl Backend) {
    let store = db.users().await;
    let longest = ["x".repeat(256), "名".repeat(256), "🦀".repeat(256)];
    let texts = [
        "Ünïcode 名前 🦀",
        "o'hara \"the quoted\" `x` \\ \\\\",
        "%_[]*?",
        "nul\0inside",
        "\0",
        "\0\0",
        "tab\tand\r\nlines",
        "\u{202e}right to left\u{feff}",
        "🏳\u{fe0f}\u{200d}🌈",
        "\u{10ffff}\u{e000}\u{fffd}",
        "NULL",
        "1",
        "1e5",
        "0x1",
        "'); DROP TABLE users; --",
    ];
    let texts: Vec<&str> = texts.into_iter().chain(longest.iter().map(String::as_str)).collect();
    for text in &texts {
        let user = insert(&store, *text).await;
        assert_eq!(user.name, *text);
        assert_eq!(by_id(&store, &user.id).await.as_ref(), Some(&user));
        assert_eq!(by_name(&store, text).await, Some(user));
    }
    assert_eq!(names(&everyone(&store).await), texts);
}

//! Inserting users and finding them again.

use pretty_assertions::assert_eq;

use super::steps::*;
use super::{Backend, Fixture};
use crate::model::Version;
use crate::store::{NewUser, StoreError};

pub async fn get_finds_users_by_id_and_by_name(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let (ana, bo) = (insert(&store, "ana@example.com").await, insert(&store, "bo@example.com").await);
    assert_eq!(by_id(&store, &ana.id).await, Some(ana.clone()));
    assert_eq!(by_name(&store, "ana@example.com").await, Some(ana));
    assert_eq!(by_id(&store, &bo.id).await, Some(bo.clone()));
    assert_eq!(by_name(&store, "bo@example.com").await, Some(bo));
    assert_eq!(by_name(&store, "chi@example.com").await, None);
    assert_eq!(by_name(&store, "").await, None);
}

pub async fn create_user_stores_the_given_fields(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let password = Some(password_hash("correct horse"));
    let ana =
        create(&store, NewUser { name: "ana".into(), password, disabled: true, ..NewUser::default() }).await.unwrap();
    assert_eq!((ana.name.as_str(), ana.disabled, ana.mfa_factor_ids.len()), ("ana", true, 0));
    assert_eq!(ana.created_at, Some(store.now()));
    assert_ne!(ana.version, Version::default(), "0 is the version of directories without versions");
    assert!(!insert(&store, "bo").await.disabled);
    assert_eq!(by_id(&store, &ana.id).await, Some(ana));
}

pub async fn get_finds_nobody_for_unknown_and_malformed_ids(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    for id in other_ids(&ana.id) {
        assert_eq!(by_id(&store, &id).await, None, "{id:?}");
    }
    delete(&store, &ana.id).await.unwrap();
    assert_eq!(by_id(&store, &ana.id).await, None);
}

pub async fn names_are_compared_byte_by_byte(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let spellings = ["ana", "Ana", "ANA", "ana ", " ana", "aná", "ana\u{301}", "ana\0", "ａｎａ"];
    for name in spellings {
        insert(&store, name).await;
    }
    for name in spellings {
        let clash = create(&store, user(name)).await.unwrap_err();
        assert!(matches!(clash, StoreError::NameTaken), "{name:?}: {clash}");
        assert_eq!(clash.to_string(), "another user has that name");
        assert_eq!(by_name(&store, name).await.map(|user| user.name).as_deref(), Some(name));
    }
    assert_eq!(names(&everyone(&store).await), spellings);
}

pub async fn names_are_free_after_delete_and_rename(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let first = insert(&store, "ana").await;
    delete(&store, &first.id).await.unwrap();
    let second = insert(&store, "ana").await;
    update(&store, &second.id, rename("bo")).await.unwrap();
    let third = insert(&store, "ana").await;
    let ids = [&first.id, &second.id, &third.id];
    assert!(ids.is_sorted_by(|one, next| one < next), "{ids:?}");
    assert_eq!(names(&everyone(&store).await), ["bo", "ana"]);
}

pub async fn ids_sort_in_creation_order(db: Fixture<impl Backend>) {
    let store = db.users().await;
    // Half of them within one millisecond of the clock.
    let mut users = insert_many(&store, "user", 100).await;
    for index in 0..100 {
        db.clock.advance(std::time::Duration::from_millis(1));
        users.push(insert(&store, format!("later{index}")).await);
    }
    let unordered: Vec<_> = users.windows(2).filter(|pair| pair[0].id >= pair[1].id).collect();
    assert_eq!(unordered, Vec::<&[_]>::new());
    assert!(users.is_sorted_by_key(|user| user.created_at));
    assert_eq!(everyone(&store).await, users);
}

pub async fn names_keep_unusual_text(db: Fixture<impl Backend>) {
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

//! Listing by predicate: the store and [`Predicate::holds`] agree on every user.

use pretty_assertions::assert_eq;

use super::steps::*;
use super::{Backend, Fixture};
use crate::model::{Field, Predicate, Scalar, UserRecord};
use crate::store::Page;

fn texts<S: Into<String>>(field: Field, values: impl IntoIterator<Item = S>) -> Predicate {
    Predicate::one_of(field, values.into_iter().map(|value| Scalar::Text(value.into())))
}

fn is_disabled() -> Predicate {
    Predicate::one_of(Field::Disabled, [Scalar::Bool(true)])
}

/// Twelve users, of whom every third is disabled.
async fn twelve(store: &Shared) -> Vec<UserRecord> {
    for (index, user) in insert_many(store, "user", 12).await.into_iter().enumerate() {
        if index % 3 == 0 {
            update(store, &user.id, disabled(true)).await.unwrap();
        }
    }
    everyone(store).await
}

/// Checks the predicate and its opposite, in pages.
async fn check(store: &Shared, users: &[UserRecord], predicate: Predicate) {
    for predicate in [predicate.clone(), predicate.negate()] {
        let expected: Vec<_> = users.iter().filter(|user| predicate.holds(user)).cloned().collect();
        let total = expected.len() as u64;
        for limit in [1, 5, 1000] {
            let mut seen: Vec<UserRecord> = Vec::new();
            loop {
                let after = seen.last().map(|user| user.id.clone());
                let page = page_of(store, predicate.clone(), after.as_deref(), limit).await;
                assert_eq!(page.total, total, "{predicate:?}");
                seen.extend(page.users);
                if !page.more {
                    break;
                }
            }
            assert_eq!(seen, expected, "{predicate:?}, pages of {limit}");
        }
    }
}

/// A predicate for each field. Exhaustive: the compiler points here when a field is added.
fn predicates(field: Field, users: &[UserRecord]) -> Vec<Predicate> {
    match field {
        Field::Id => vec![
            texts(field, [&users[3].id]),
            texts(field, users[2..9].iter().map(|user| &user.id)),
            texts(field, other_ids(&users[0].id)),
            Predicate::same(field, Field::Name),
        ],
        Field::Name => vec![
            texts(field, ["user3"]),
            texts(field, ["user1", "user10", "user11", "ghost", "USER2"]),
            Predicate::same(field, Field::Disabled),
        ],
        Field::Disabled => vec![is_disabled()],
    }
}

pub async fn listing_agrees_with_the_predicate_for_each_field(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let mut users = twelve(&store).await;
    // A user whose name is their id.
    let same = &users[4];
    update(&store, &same.id, rename(&same.id)).await.unwrap();
    users = everyone(&store).await;
    for predicate in Field::ALL.into_iter().flat_map(|field| predicates(field, &users)) {
        check(&store, &users, predicate).await;
    }
}

pub async fn listing_agrees_with_combined_predicates(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let users = twelve(&store).await;
    let parts: Vec<_> = Field::ALL.into_iter().flat_map(|field| predicates(field, &users)).collect();
    for one in &parts {
        for other in &parts {
            let opposite = other.clone().negate();
            check(&store, &users, Predicate::all([one.clone(), other.clone()])).await;
            check(&store, &users, Predicate::any([one.clone(), opposite.clone()])).await;
            let inner = Predicate::any([other.clone(), is_disabled()]);
            let nested = Predicate::all([one.clone(), inner, texts(Field::Name, ["user6", "user9"]).negate()]);
            check(&store, &users, nested.clone()).await;
            check(&store, &users, Predicate::any([nested, opposite])).await;
        }
    }
}

pub async fn listing_agrees_with_predicates_on_unusual_text(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let odd = ["", "Ana", "ana", "ana ", "ana\0", "\0", "1", "NULL", "'); DROP TABLE users; --", "名前 🦀", "true"];
    for name in odd {
        insert(&store, name).await;
    }
    let users = everyone(&store).await;
    for name in odd.into_iter().chain(["ANA", "%", "ghost", "0"]) {
        check(&store, &users, texts(Field::Name, [name])).await;
        check(&store, &users, texts(Field::Id, [name])).await;
    }
}

pub async fn listing_of_everybody_and_nobody_is_exact(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let users = twelve(&store).await;
    check(&store, &users, Predicate::everybody()).await;
    let nobody = page_of(&store, Predicate::nobody(), None, 10).await;
    assert_eq!(nobody, Page { users: vec![], more: false, total: 0 });
}

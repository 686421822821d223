//! Several namespaces in one database.

use pretty_assertions::assert_eq;
use tailor_idp::idp::UserQuery;
use tailor_idp::store::{ResetMail, UserChange};

use super::{Backend, by_id, by_name, everyone, insert, mail, names, page, subjects, total};

pub(super) async fn one_namespace_does_not_see_another(db: impl Backend) {
    let (home, away) = (db.namespace("home").await, db.namespace("away").await);
    let ana = insert(&home, "ana").await;
    let bo = insert(&away, "bo").await;
    insert(&away, "chi").await;
    home.queue_reset_mail(mail(&ana, "home")).await.unwrap();
    away.queue_reset_mail(mail(&bo, "away")).await.unwrap();
    assert_eq!(names(&everyone(&home).await), ["ana"]);
    assert_eq!(names(&everyone(&away).await), ["bo", "chi"]);
    assert_eq!((total(&home).await, total(&away).await), (1, 2));
    assert_eq!((subjects(&home).await, subjects(&away).await), (vec!["home".to_owned()], vec!["away".to_owned()]));
    assert_eq!((by_name(&home, "bo").await, by_id(&home, &bo.id).await), (None, None));
    let both = ["ana".to_owned(), "bo".to_owned()].to_vec();
    let by_names = UserQuery { ids: None, names: Some(both) };
    let by_ids = UserQuery { ids: Some(vec![ana.id, bo.id]), names: None };
    for query in [by_names, by_ids] {
        let found = page(&home, &query, None, 10).await;
        assert_eq!((names(&found.users), found.total), (vec!["ana"], 1), "{query:?}");
    }
}

pub(super) async fn both_namespaces_can_have_a_user_of_one_name(db: impl Backend) {
    let (home, away) = (db.namespace("home").await, db.namespace("away").await);
    let (here, there) = (insert(&home, "ana").await, insert(&away, "ana").await);
    assert_ne!(here.id, there.id);
    assert_eq!(by_name(&home, "ana").await, Some(here.clone()));
    assert_eq!(by_name(&away, "ana").await, Some(there));
    assert!(home.delete(&here.id).await.unwrap());
    assert_eq!((total(&home).await, total(&away).await), (0, 1));
}

pub(super) async fn a_user_is_out_of_reach_from_another_namespace(db: impl Backend) {
    let (home, away) = (db.namespace("home").await, db.namespace("away").await);
    let ana = insert(&home, "ana").await;
    let factor = home.add_mfa_factor(&ana.id).await.unwrap().unwrap();
    home.queue_reset_mail(mail(&ana, "kept")).await.unwrap();
    let before = everyone(&home).await;
    let change = UserChange { name: Some("bo".into()), disabled: Some(true), ..UserChange::default() };
    assert_eq!(away.update(&ana.id, change).await.unwrap(), None);
    assert!(!away.delete(&ana.id).await.unwrap());
    assert_eq!(away.add_mfa_factor(&ana.id).await.unwrap(), None);
    assert!(!away.remove_mfa_factor(&ana.id, &factor).await.unwrap());
    assert!(!away.queue_reset_mail(ResetMail { ..mail(&ana, "lost") }).await.unwrap());
    assert_eq!(everyone(&home).await, before);
    assert_eq!((subjects(&home).await, subjects(&away).await), (vec!["kept".to_owned()], Vec::new()));
}

pub(super) async fn two_stores_of_one_namespace_see_the_same_users(db: impl Backend) {
    let (one, two) = (db.namespace("home").await, db.namespace("home").await);
    let ana = insert(&one, "ana").await;
    let bo = insert(&two, "bo").await;
    assert_eq!(everyone(&one).await, [ana.clone(), bo.clone()]);
    assert_eq!(everyone(&two).await, [ana, bo]);
    assert_eq!(one.page_token_key(), two.page_token_key());
}

pub(super) async fn page_token_keys_are_the_databases_own<B: Backend>(db: B) {
    let other = B::fresh();
    let (key, another) = (db.users().await.page_token_key(), other.users().await.page_token_key());
    assert_ne!(key, another);
    assert_ne!(key, [0; 32]);
    assert_eq!(db.users().await.page_token_key(), key, "it stays");
}

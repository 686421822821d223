//! What hangs on a user: MFA factors and queued mails.

use pretty_assertions::assert_eq;
use tailor_idp::store::ResetMail;

use super::{Backend, by_id, by_name, everyone, insert, mail, no_ids_but, subjects};

pub(super) async fn factors_are_listed_oldest_first(db: impl Backend) {
    let store = db.users().await;
    let (ana, bo) = (insert(&store, "ana").await, insert(&store, "bo").await);
    let mut factors = Vec::new();
    for _ in 0..20 {
        factors.push(store.add_mfa_factor(&ana.id).await.unwrap().unwrap());
        store.add_mfa_factor(&bo.id).await.unwrap().unwrap();
    }
    assert_eq!(by_id(&store, &ana.id).await.unwrap().mfa_factor_ids, factors);
    assert_eq!(by_name(&store, "ana").await.unwrap().mfa_factor_ids, factors);
    assert_eq!(everyone(&store).await[0].mfa_factor_ids, factors);
}

pub(super) async fn a_factor_is_removed_once_and_from_its_user_only(db: impl Backend) {
    let store = db.users().await;
    let (ana, bo) = (insert(&store, "ana").await, insert(&store, "bo").await);
    let mut factors = Vec::new();
    for _ in 0..3 {
        factors.push(store.add_mfa_factor(&ana.id).await.unwrap().unwrap());
    }
    let bos = store.add_mfa_factor(&bo.id).await.unwrap().unwrap();
    assert!(!store.remove_mfa_factor(&bo.id, &factors[1]).await.unwrap(), "ana's factor, from bo");
    for factor in no_ids_but(&factors[1]) {
        assert!(!store.remove_mfa_factor(&ana.id, &factor).await.unwrap(), "{factor:?}");
    }
    assert!(store.remove_mfa_factor(&ana.id, &factors[1]).await.unwrap());
    assert!(!store.remove_mfa_factor(&ana.id, &factors[1]).await.unwrap(), "for the second time");
    factors.remove(1);
    assert_eq!(by_id(&store, &ana.id).await.unwrap().mfa_factor_ids, factors);
    assert_eq!(by_id(&store, &bo.id).await.unwrap().mfa_factor_ids, [bos]);
}

pub(super) async fn nobody_gets_no_factor(db: impl Backend) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    let factor = store.add_mfa_factor(&ana.id).await.unwrap().unwrap();
    for id in no_ids_but(&ana.id) {
        assert_eq!(store.add_mfa_factor(&id).await.unwrap(), None, "{id:?}");
        assert!(!store.remove_mfa_factor(&id, &factor).await.unwrap(), "{id:?}");
    }
    assert_eq!(by_id(&store, &ana.id).await.unwrap().mfa_factor_ids, [factor]);
}

pub(super) async fn mails_are_queued_in_order_and_whole(db: impl Backend) {
    let store = db.users().await;
    let (ana, bo) = (insert(&store, "ana").await, insert(&store, "bo").await);
    let full = ResetMail { from_name: Some("Example".into()), ..mail(&ana, "to ana") };
    let bare = ResetMail { subject: None, ..mail(&bo, "") };
    let mails = [full.clone(), bare, full];
    for mail in &mails {
        assert!(store.queue_reset_mail(mail.clone()).await.unwrap());
    }
    assert_eq!(store.reset_mails().await.unwrap(), mails);
}

pub(super) async fn no_mail_is_queued_for_nobody(db: impl Backend) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    for id in no_ids_but(&ana.id) {
        let lost = ResetMail { user_id: id.clone(), ..mail(&ana, "lost") };
        assert!(!store.queue_reset_mail(lost).await.unwrap(), "{id:?}");
    }
    assert_eq!(subjects(&store).await, Vec::<String>::new());
}

pub(super) async fn odd_texts_survive_in_mails(db: impl Backend) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    let texts = ["", "nul\0inside", "o'hara \"quoted\"", "名前 🦀", "'); DROP TABLE users; --", "1e5"];
    let mails = texts.map(|text| ResetMail {
        user_id: ana.id.clone(),
        redirect_uri: format!("https://example.com/{text}"),
        from_name: Some(text.into()),
        subject: Some(text.repeat(20)),
    });
    for mail in &mails {
        store.queue_reset_mail(mail.clone()).await.unwrap();
    }
    assert_eq!(store.reset_mails().await.unwrap(), mails);
}

//! Several namespaces in one database.

use std::time::Duration;

use pretty_assertions::assert_eq;

use super::steps::*;
use super::{Backend, Fixture};
use crate::model::{EventKind, UserQuery};
use crate::store::{JobState, Mutation, TokenHash, UserPatch};

pub async fn namespaces_do_not_see_each_other(db: Fixture<impl Backend>) {
    let (home, away) = (db.namespace("home").await, db.namespace("away").await);
    let ana = insert(&home, "ana").await;
    let bo = insert(&away, "bo").await;
    insert(&away, "chi").await;
    enqueue(&home, &ana.id, "home").await;
    enqueue(&away, &bo.id, "away").await;
    assert_eq!(names(&everyone(&home).await), ["ana"]);
    assert_eq!(names(&everyone(&away).await), ["bo", "chi"]);
    assert_eq!((total(&home).await, total(&away).await), (1, 2));
    let queued = (payloads(&home, JobState::Queued).await, payloads(&away, JobState::Queued).await);
    assert_eq!(queued, (vec!["home".to_owned()], vec!["away".to_owned()]));
    assert_eq!((by_name(&home, "bo").await, by_id(&home, &bo.id).await), (None, None));
    let both = ["ana".to_owned(), "bo".to_owned()].to_vec();
    let by_names = UserQuery { ids: None, names: Some(both) };
    let by_ids = UserQuery { ids: Some(vec![ana.id, bo.id]), names: None };
    for query in [by_names, by_ids] {
        let found = page(&home, &query, None, 10).await;
        assert_eq!((names(&found.users), found.total), (vec!["ana"], 1), "{query:?}");
    }
}

pub async fn namespaces_can_use_the_same_name(db: Fixture<impl Backend>) {
    let (home, away) = (db.namespace("home").await, db.namespace("away").await);
    let (here, there) = (insert(&home, "ana").await, insert(&away, "ana").await);
    assert_ne!(here.id, there.id);
    assert_eq!(by_name(&home, "ana").await, Some(here.clone()));
    assert_eq!(by_name(&away, "ana").await, Some(there));
    delete(&home, &here.id).await.unwrap();
    assert_eq!((total(&home).await, total(&away).await), (0, 1));
}

pub async fn mutations_do_not_reach_other_namespaces(db: Fixture<impl Backend>) {
    let (home, away) = (db.namespace("home").await, db.namespace("away").await);
    let ana = publish(&home, "ana").await;
    let factor = add_factor(&home, &ana.id).await;
    let job = enqueue(&home, &ana.id, "kept").await;
    let before = (everyone(&home).await, mails(&home).await, kinds(&home).await);
    let user_id = || ana.id.clone();
    let mutations = [
        updating(&ana.id, UserPatch { name: Some("bo".into()), disabled: Some(true), ..UserPatch::default() }),
        deleting(&ana.id),
        touching(&ana.id),
        putting(&ana.id, &factor),
        Mutation::ReplaceHash { user_id: user_id(), hash: password_hash("lost") },
        mailing(&ana.id, "lost"),
        Mutation::PutResetToken {
            user_id: user_id(),
            hash: TokenHash([1; 32]),
            job_id: job.id,
            expires_at: away.now().after(Duration::from_secs(60)),
        },
    ];
    for mutation in mutations {
        assert_conflict(apply(&away, mutation.clone()).await, mutation);
    }
    // Some of these may be conflicts, too.
    let rows = [
        Mutation::DeleteFactor { user_id: user_id(), factor_id: factor.id },
        Mutation::EndJobs { queue: MAILS, user_id: user_id(), reason: "lost".into() },
        Mutation::DeleteJobs { queue: MAILS, user_id: user_id() },
        Mutation::DeleteResetToken { user_id: user_id() },
        Mutation::PruneEvents { before: away.now().after(Duration::from_secs(60)), limit: 100 },
        Mutation::PruneJobs { queue: MAILS, finished_before: away.now().after(Duration::from_secs(60)), limit: 100 },
    ];
    for mutation in rows {
        if let Ok(affected) = apply(&away, mutation.clone()).await {
            assert_eq!(affected, 0, "{mutation:?}");
        }
    }
    assert_eq!((everyone(&home).await, mails(&home).await, kinds(&home).await), before);
    assert_eq!((mails(&away).await, kinds(&away).await), (vec![], Vec::<EventKind>::new()));
}

pub async fn handles_of_one_namespace_see_the_same_rows(db: Fixture<impl Backend>) {
    let (one, two) = (db.namespace("home").await, db.namespace("home").await);
    let ana = insert(&one, "ana").await;
    let bo = insert(&two, "bo").await;
    assert_eq!(everyone(&one).await, [ana.clone(), bo.clone()]);
    assert_eq!(everyone(&two).await, [ana, bo]);
    assert_eq!(one.seal_key(), two.seal_key());
}

pub async fn seal_keys_are_random_and_permanent<B: Backend>(db: Fixture<B>) {
    let other = Fixture::<B>::fresh().await;
    let (key, another) = (db.users().await.seal_key(), other.users().await.seal_key());
    assert_ne!(key, another);
    assert_ne!(key, [0; 32]);
    assert_eq!(db.users().await.seal_key(), key, "it does not change");
}

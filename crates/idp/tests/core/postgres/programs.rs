//! Several programs on one database. Each has connections and threads of its own, as a process has.

use std::sync::Arc;

use pretty_assertions::assert_eq;
use tailor_idp_core::store::{Counter, CounterKey, Mutation, PostgresDatabase, PostgresOptions, QueueName, StoreError};
use tokio::task::JoinSet;

use super::{place, require_postgres, server, users};
use crate::support::{by_id, commit, create, delete, enqueue, everyone, insert, namespace, total, user};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs_that_open_a_fresh_database_at_once_all_succeed() {
    require_postgres!();
    let place = place().await;
    let mut opening = JoinSet::new();
    for _ in 0..6 {
        let place = place.clone();
        opening.spawn(async move {
            let database = place.open().await.unwrap();
            let store = database.namespace(&namespace("users")).await.unwrap();
            tailor_idp_core::store::Store::seal_key(&store)
        });
    }
    let keys = opening.join_all().await;
    assert!(keys.iter().all(|key| *key == keys[0]), "one key for all");
    assert_eq!(place.open().await.unwrap().namespaces().await.unwrap(), ["users"]);
}

#[tokio::test]
async fn newer_schema_is_refused_and_older_schema_asks_to_be_migrated() {
    require_postgres!();
    let place = place().await;
    let database = place.open().await.unwrap();
    assert_eq!(database.status().await.unwrap().schema_version, 1);
    drop(database);
    let set = |version: &str| {
        format!("UPDATE {}.meta SET value = convert_to('{version}', 'UTF8') WHERE key = 'schema-version'", place.schema)
    };
    let client = server().await.client().await;
    client.batch_execute(&set("2")).await.unwrap();
    for outcome in [place.open().await.map(drop), PostgresDatabase::migrate(place.options()).await.map(drop)] {
        let error = outcome.unwrap_err();
        assert!(matches!(error, StoreError::NewerSchema { found: 2, known: 1 }), "{error}");
    }
    client.batch_execute(&set("-1")).await.unwrap();
    let error = place.open().await.unwrap_err();
    assert!(matches!(error, StoreError::OlderSchema { found: -1, known: 1 }), "{error}");
    client.batch_execute(&set("1")).await.unwrap();
    assert_eq!(PostgresDatabase::migrate(place.options()).await.unwrap().1, 1, "the version before");
}

#[tokio::test]
async fn database_can_be_used_without_the_privilege_to_create_tables() {
    require_postgres!();
    let place = place().await;
    drop(place.open().await.unwrap());
    let (client, schema) = (server().await.client().await, &place.schema);
    let role = format!("{schema}_role");
    let grant = format!(
        "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA {schema} TO {role};
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role};
         GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA {schema} TO {role}"
    );
    client.batch_execute(&grant).await.unwrap();
    let url = place.url.replace("postgres://postgres@", &format!("postgres://{role}@"));
    let options = PostgresOptions::new(&url).unwrap().schema(schema).unwrap();
    let store = users(&PostgresDatabase::open(options).await.unwrap()).await;
    let ana = insert(&store, "ana").await;
    enqueue(&store, &ana.id, "mail").await;
    delete(&store, &ana.id).await;
    assert_eq!(total(&store).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_three_programs_creates_each_name() {
    require_postgres!();
    let place = place().await;
    let mut creating = JoinSet::new();
    for _ in 0..3 {
        let store = users(&place.open().await.unwrap()).await;
        for caller in 0..16 {
            let store = Arc::clone(&store);
            creating.spawn(async move {
                let mut won = Vec::new();
                for round in 0..10 {
                    match create(&store, user(format!("user{}", (caller + round) % 20))).await {
                        Ok(created) => won.push(created),
                        Err(StoreError::NameTaken) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
                won
            });
        }
    }
    let mut won: Vec<_> = creating.join_all().await.into_iter().flatten().collect();
    won.sort_by(|one, other| one.id.cmp(&other.id));
    let store = users(&place.open().await.unwrap()).await;
    assert_eq!(everyone(&store).await, won);
    assert_eq!(won.len(), 20);
    assert_eq!(total(&store).await, 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_and_mails_are_exact_over_programs() {
    require_postgres!();
    let place = place().await;
    let mut stores = Vec::new();
    for _ in 0..3 {
        stores.push(users(&place.open().await.unwrap()).await);
    }
    let ana = insert(&stores[0], "ana").await;
    for round in 0..30 {
        enqueue(&stores[round % 3], &ana.id, &format!("mail{round}")).await;
    }
    let key = CounterKey { scope: "password", subject: b"ana".to_vec() };
    let mut working = JoinSet::new();
    for store in stores.clone() {
        let key = key.clone();
        working.spawn(async move {
            let (mut mails, mut counts) = (Vec::new(), 0);
            let window = std::time::Duration::from_secs(3600);
            loop {
                let claim = store.claim(&QueueName::ResetMails, window, 2).await.unwrap();
                if claim.deliveries.is_empty() && !claim.more {
                    return (mails, counts);
                }
                mails.extend(claim.deliveries.into_iter().map(|delivery| delivery.job.payload));
                let count = Mutation::Count { key: key.clone(), by: 1, window, since: None };
                commit(&store, count).await.unwrap();
                counts += 1;
            }
        });
    }
    let (mails, counts): (Vec<_>, Vec<u64>) = working.join_all().await.into_iter().unzip();
    let mut mails: Vec<_> = mails.into_iter().flatten().collect();
    mails.sort();
    let mut expected: Vec<_> = (0..30).map(|round| format!("mail{round}")).collect();
    expected.sort();
    assert_eq!(mails, expected, "each is leased once");
    let Counter { count, .. } = stores[1].counters(&[key]).await.unwrap()[0];
    assert_eq!(count, counts.iter().sum::<u64>());
    assert_eq!(by_id(&stores[2], &ana.id).await, Some(ana));
}

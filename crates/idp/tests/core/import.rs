//! Bulk import through the router, and imports that are killed.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pretty_assertions::assert_eq;
use rusqlite::Connection;
use tailor_idp_core::directory::{Capabilities, Directory};
use tailor_idp_core::events::Events;
use tailor_idp_core::store::ImportProgress;
use tailor_idp_core::{
    CallContext, Code, CreateUser, IdentityProvider, IdpError, ImportError, ImportPassword, ImportUser, ListUsers,
    NamespaceSettings, Principal, Router, Timestamp, UserAuthPolicy, UserKey, UserRecord,
};

use crate::child::{self, ChildProcess};
use crate::database_files::check_file;
use crate::fresh::fresh_store;
use crate::host::{Host, NAMESPACE, context};
use crate::support::{everyone, namespace, open, password_hash, place, total};

fn user(name: impl Into<String>) -> ImportUser {
    ImportUser { name: name.into(), ..ImportUser::default() }
}

async fn host(settings: NamespaceSettings) -> Host {
    Host::over(fresh_store().await.0, settings)
}

async fn names(host: &Host) -> Vec<String> {
    let page = host.router.users(&context(Principal::Host), ListUsers::default()).await.unwrap();
    page.users.into_iter().map(|user| user.name).collect()
}

#[tokio::test]
async fn imported_users_sign_in_with_the_password_that_was_hashed_elsewhere() {
    let (old, new) = (host(NamespaceSettings::default()).await, host(NamespaceSettings::default()).await);
    let ana =
        CreateUser { name: "ana@example.com".into(), password: Some("correct horse".into()), ..CreateUser::default() };
    old.router.create_user(&context(Principal::Host), ana).await.unwrap();
    let credentials = old.store.credentials(UserKey::Name("ana@example.com")).await.unwrap().unwrap();

    let password = credentials.password.unwrap().map(ImportPassword::Hash);
    let ana = ImportUser { password, ..user("Ana@Example.com") };
    let imported = new.router.import_users(NAMESPACE, vec![ana, user("bo@example.com")]).await.unwrap();
    assert_eq!((imported.count, imported.skipped), (2, vec![]));
    assert!(new.signs_in("ana@example.com", "correct horse").await);
    assert!(!new.signs_in("ana@example.com", "battery staple").await);
    assert!(!new.signs_in("bo@example.com", "").await, "without a hash no password is right");
}

#[tokio::test]
async fn import_hashes_passwords_that_follow_the_policy() {
    let mut policy = UserAuthPolicy::default();
    policy.password_require_numeric = true;
    let host = host(NamespaceSettings::default().user_auth_policy(policy)).await;
    let with_password =
        |name, password: &str| ImportUser { password: Some(ImportPassword::Plain(password.into())), ..user(name) };
    let faulty = vec![with_password("ana@example.com", "hunter2"), with_password("bo@example.com", "long")];
    let error = host.import_users(faulty).await.unwrap_err().to_string();
    let fault = "user 1 of the batch: password must be at least 6 characters: got 4; password must contain a number";
    assert_eq!(error, format!("1 user of the batch cannot be imported; the first: {fault}"));
    let users = vec![user("first@example.com"), with_password("ana@example.com", "hunter2")];
    assert_eq!(host.import_users(users).await.unwrap().count, 2);
    assert!(host.signs_in("ana@example.com", "hunter2").await);
    assert!(!host.signs_in("ana@example.com", "hunter3").await);
}

#[tokio::test]
async fn import_keeps_the_password_of_a_user_whose_name_is_taken() {
    let host = host(NamespaceSettings::default()).await;
    let with_password =
        |name, password: &str| ImportUser { password: Some(ImportPassword::Plain(password.into())), ..user(name) };
    host.import_users(vec![with_password("ana@example.com", "the first"), user("bo@example.com")]).await.unwrap();
    let again = vec![
        with_password("cy@example.com", "the third"),
        with_password("ana@example.com", "the second"),
        user("bo@example.com"),
        with_password("cy@example.com", "the fourth"),
        user("di@example.com"),
        user("di@example.com"),
    ];
    let imported = host.import_users(again).await.unwrap();
    let skipped: Vec<_> = imported.skipped.iter().map(|skipped| (skipped.index, skipped.name.as_str())).collect();
    let expected = [(1, "ana@example.com"), (2, "bo@example.com"), (3, "cy@example.com"), (5, "di@example.com")];
    assert_eq!((imported.count, skipped), (2, expected.to_vec()));
    assert!(host.signs_in("ana@example.com", "the first").await);
    assert!(host.signs_in("cy@example.com", "the third").await);
}

#[tokio::test]
async fn import_keeps_creation_times_and_the_order_of_the_batch() {
    let (store, clock) = fresh_store().await;
    let host = Host::over(store, NamespaceSettings::default());
    let created = |name, time: &str| ImportUser { created_at: Some(time.parse().unwrap()), ..user(name) };
    let users = vec![
        created("ana@example.com", "2012-03-04T05:06:07.089Z"),
        created("bo@example.com", "1999-12-31T23:59:59+01:00"),
        user("cy@example.com"),
    ];
    host.import_users(users).await.unwrap();
    let there: Vec<_> =
        everyone(&host.store).await.into_iter().map(|user| (user.name, user.created_at.unwrap())).collect();
    let now = host.store.now();
    let expected = [
        ("ana@example.com", "2012-03-04T05:06:07.089Z".parse().unwrap()),
        ("bo@example.com", "1999-12-31T22:59:59.000Z".parse().unwrap()),
        ("cy@example.com", now),
    ];
    assert_eq!(there, expected.map(|(name, time)| (name.to_owned(), time)));

    let late = Timestamp::from_unix_millis(now.unix_millis() + 1);
    let error = host.import_users(vec![ImportUser { created_at: Some(late), ..user("di@example.com") }]).await;
    let ImportError::Invalid(faults) = error.unwrap_err() else { panic!("not refused") };
    assert_eq!(faults[0].error.detail(), format!("createdAt must not be in the future: got {late}"));
    clock.advance(Duration::from_millis(1));
    host.import_users(vec![ImportUser { created_at: Some(late), ..user("di@example.com") }]).await.unwrap();
}

#[tokio::test]
async fn observed_import_reports_hashes_and_rows_and_can_be_cancelled() {
    let host = host(NamespaceSettings::default()).await;
    let users = || {
        let password = |index: usize| index.is_multiple_of(2).then(|| ImportPassword::Plain("correct horse".into()));
        (0..6)
            .map(|index| ImportUser { password: password(index), ..user(format!("user{index}@example.com")) })
            .collect()
    };
    for cancel_at in [ImportProgress::Hashed(2), ImportProgress::Written(6), ImportProgress::Committing] {
        let observer = move |progress| {
            if progress == cancel_at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let error = host.import_batch(users()).unwrap().import_observed(Arc::new(observer)).await.unwrap_err();
        assert!(matches!(error, ImportError::Cancelled), "{error:?}");
        assert_eq!(names(&host).await, Vec::<String>::new());
    }
    let record = Arc::new(Mutex::new(Vec::new()));
    let to = Arc::clone(&record);
    let observer = move |progress| {
        to.lock().unwrap().push(progress);
        ControlFlow::Continue(())
    };
    let imported = host.import_batch(users()).unwrap().import_observed(Arc::new(observer)).await.unwrap();
    assert_eq!(imported.count, 6);
    let hashed = (1..=3).map(ImportProgress::Hashed);
    let expected: Vec<_> = hashed.chain([ImportProgress::Written(6), ImportProgress::Committing]).collect();
    assert_eq!(*record.lock().unwrap(), expected);
}

#[tokio::test]
async fn import_skips_taken_names_and_can_be_repeated() {
    let host = host(NamespaceSettings::default()).await;
    let single = host.create("bo@example.com").await;
    let batch = || ["ana@example.com", "BO@example.com", "Ana@example.com", "cy@example.com"].map(user).to_vec();
    let checked = host.import_batch(batch()).unwrap();
    assert_eq!((checked.len(), checked.is_empty()), (4, false));
    let imported = checked.import().await.unwrap();
    let skipped: Vec<_> = imported.skipped.iter().map(|skipped| (skipped.index, skipped.name.as_str())).collect();
    assert_eq!((imported.count, skipped), (2, vec![(1, "bo@example.com"), (2, "ana@example.com")]));
    let again = host.import_users(batch()).await.unwrap();
    assert_eq!((again.count, again.skipped.len()), (0, 4));
    assert_eq!(names(&host).await, ["bo@example.com", "ana@example.com", "cy@example.com"]);
    assert_eq!(everyone(&host.store).await[0].id, single.id);
}

#[tokio::test]
async fn import_names_all_violations_and_adds_nobody() {
    let mut policy = UserAuthPolicy::default();
    policy.allowed_email_domains = vec!["example.com".into()];
    policy.allow_google_oauth = true;
    policy.disable_password_auth = true;
    let host = host(NamespaceSettings::default().user_auth_policy(policy)).await;
    let with_hash = ImportUser { password: Some(ImportPassword::Hash(password_hash("x"))), ..user("cy@example.com") };
    let batch = vec![user("ana@example.com"), user("bo"), with_hash, user("di@example.org"), user("ed@example.com")];
    let error = host.import_users(batch).await.unwrap_err();
    let first = "user 1 of the batch: name must be an e-mail address: got \"bo\"";
    assert_eq!(error.to_string(), format!("3 users of the batch cannot be imported; the first: {first}"));
    let ImportError::Invalid(faults) = error else { panic!("{error:?}") };
    let faults: Vec<_> = faults.iter().map(|fault| (fault.index, fault.error.detail())).collect();
    let expected = [
        (1, "name must be an e-mail address: got \"bo\""),
        (2, "passwordHash must not be given: disablePasswordAuth is set"),
        (3, "name must be at an allowed e-mail domain (example.com): got \"di@example.org\""),
    ];
    assert_eq!(faults, expected);
    assert_eq!(names(&host).await, Vec::<String>::new());
}

/// A directory of the host, without users.
struct Empty(Capabilities);

#[async_trait]
impl Directory for Empty {
    fn capabilities(&self) -> &Capabilities {
        &self.0
    }

    async fn get(&self, _: &CallContext, _: UserKey<'_>) -> Result<Option<UserRecord>, IdpError> {
        Ok(None)
    }
}

#[tokio::test]
async fn import_is_refused_for_unknown_namespaces_and_without_a_store() {
    let directory = Arc::new(Empty(Capabilities::none("the directory")));
    let router = Router::builder().directory(namespace(NAMESPACE), directory, NamespaceSettings::default()).build();
    let refused = async |name: &str| match router.import_users(name, vec![user("ana@example.com")]).await {
        Err(ImportError::Failed(error)) => (error.code(), error.detail().to_owned()),
        other => panic!("{other:?}"),
    };
    assert_eq!(refused("away").await, (Code::NotFound, "namespace not found: away".into()));
    let detail = "the directory does not support sign-in, password resets, bulk import, mails and events";
    assert_eq!(refused(NAMESPACE).await, (Code::Unimplemented, detail.into()));
}

#[tokio::test]
async fn import_publishes_an_event_for_each_user_if_the_namespace_publishes() {
    for publish in [false, true] {
        let host = host(NamespaceSettings::default().publish_user_events(publish)).await;
        host.import_users(vec![user("ana@example.com"), user("bo@example.com")]).await.unwrap();
        let events = Events::new(&host.router, NAMESPACE).unwrap().list(None, 10).await.unwrap();
        let told: Vec<_> = events.into_iter().map(|event| event.user_id).collect();
        let users = everyone(&host.store).await.into_iter().map(|user| user.id);
        assert_eq!(told, if publish { users.collect() } else { Vec::new() });
    }
}

#[tokio::test]
async fn failing_import_adds_nobody_and_harms_no_other_write() {
    let (_folder, path) = place();
    let settings = NamespaceSettings::default().publish_user_events(true);
    let host = Host::over(open(&path, NAMESPACE).await, settings);
    let file = Connection::open(&path).unwrap();
    // The second disabled user cannot be added, after others have been.
    file.execute_batch("CREATE UNIQUE INDEX one_disabled ON users (namespace_id) WHERE disabled").unwrap();
    let disabled = |name| ImportUser { disabled: true, ..user(name) };
    let batch = vec![user("ana@example.com"), disabled("bo@example.com"), disabled("cy@example.com")];
    let (failed, single) = tokio::join!(host.import_users(batch.clone()), host.create("single@example.com"));
    assert!(matches!(failed, Err(ImportError::Failed(_))), "{failed:?}");
    assert_eq!(names(&host).await, [single.name]);
    assert_ne!(check_file(&path), 0, "the namespace publishes");

    file.execute_batch("DROP INDEX one_disabled").unwrap();
    assert_eq!(host.import_users(batch).await.unwrap().count, 3);
    let expected = ["single@example.com", "ana@example.com", "bo@example.com", "cy@example.com"];
    assert_eq!(names(&host).await, expected);
    assert_ne!(check_file(&path), 0, "the namespace publishes");
}

const USERS: usize = 20_000;
const BATCH: usize = 100;

/// The names, in no order.
fn name(index: usize) -> String {
    format!("user{}@example.com", index * 7919 % USERS)
}

fn batches(size: usize) -> impl Iterator<Item = Vec<ImportUser>> {
    (0..USERS / size).map(move |batch| (batch * size..(batch + 1) * size).map(|index| user(name(index))).collect())
}

#[tokio::test]
#[ignore = "run as a process of its own by other tests"]
async fn child_imports_users() {
    let Some((database, _)) = child::arguments() else { return };
    let settings = NamespaceSettings::default().publish_user_events(true);
    let host = Host::over(open(&database, NAMESPACE).await, settings);
    let import = async {
        for batch in batches(BATCH) {
            host.import_users(batch).await.unwrap();
        }
    };
    tokio::select! {
        () = child::ended_by_parent() => {}
        () = import => {}
    }
}

#[tokio::test]
async fn killed_import_leaves_whole_batches_and_the_next_one_adds_the_rest() {
    let (_folder, path) = place();
    let store = open(&path, NAMESPACE).await;
    let mut before = 0;
    for _ in 0..3 {
        let mut import = ChildProcess::start("import::child_imports_users", &path, "");
        let deadline = Instant::now() + Duration::from_secs(60);
        while total(&store).await < before + 10 * BATCH as u64 {
            assert!(import.is_running(), "the import ended by itself");
            assert!(Instant::now() < deadline, "ten batches take over a minute");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        import.kill();
        assert_ne!(check_file(&path), 0, "the namespace publishes");
        let after = total(&store).await;
        assert!(after >= before + 10 * BATCH as u64 && after < USERS as u64, "{before}, then {after}");
        assert_eq!(after % BATCH as u64, 0, "a part of a batch");
        before = after;
    }
    let host = Host::over(store.clone(), NamespaceSettings::default().publish_user_events(true));
    let (mut count, mut skipped) = (0, 0);
    for batch in batches(1000) {
        let imported = host.import_users(batch).await.unwrap();
        (count, skipped) = (count + imported.count, skipped + imported.skipped.len() as u64);
    }
    assert_eq!((count, skipped), (USERS as u64 - before, before));
    assert_ne!(check_file(&path), 0, "the namespace publishes");
    let users = everyone(&store).await;
    assert!(users.iter().map(|user| &user.name).eq(&(0..USERS).map(name).collect::<Vec<_>>()), "ids are in order");
}

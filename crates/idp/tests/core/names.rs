//! One user for every spelling of a mailbox, and the users whose names an earlier version stored in another form.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use pretty_assertions::assert_eq;
use tailor_idp_core::store::{ImportProgress, NewUser};
use tailor_idp_core::{
    Code, CreateUser, IdentityProvider, IdpError, ImportError, ImportUser, ListUsers, NamespaceSettings, PasswordHash,
    Principal, UpdateUser, User, UserAuthPolicy, UserKey, UserPage, UserQuery,
};

use crate::fresh::{FreshDatabase, fresh_store};
use crate::host::{Host, NAMESPACE, context};
use crate::support::{create, everyone, names, namespace};

/// Names that earlier versions stored, lower-cased, each with another spelling that they found it by.
const FORMER: [(&str, &str); 4] = [
    ("ana@ｅxample.com", "Ana@ｅxample.com"),
    ("\"ana\"@example.com", "\"Ana\"@Example.com"),
    ("x@bücher.example", "X@BÜCHER.example"),
    ("e\u{301}@example.com", "E\u{301}@example.com"),
];

async fn host() -> Host {
    Host::over(fresh_store().await.0, NamespaceSettings::default())
}

impl Host {
    async fn try_create(&self, name: &str) -> Result<User, IdpError> {
        let user = CreateUser { name: name.into(), password: Some("correct horse".into()), disabled: false };
        self.router.create_user(&context(Principal::Host), user).await
    }

    /// A user as an earlier version stored it, with the password of [`try_create`](Self::try_create).
    async fn create_former(&self, name: &str) -> String {
        let password = Some(self.password_hash().await);
        create(&self.store, NewUser { name: name.into(), password, ..NewUser::default() }).await.unwrap().id
    }

    async fn password_hash(&self) -> PasswordHash {
        let id = self.try_create("hash@example.com").await.unwrap().id;
        let credentials = self.store.credentials(UserKey::Id(&id)).await.unwrap().unwrap();
        self.delete(&id).await;
        credentials.password.unwrap().unwrap()
    }

    async fn by_name(&self, name: &str) -> Result<User, IdpError> {
        self.router.user(&context(Principal::Host), UserKey::Name(name)).await
    }

    async fn list(&self, names: &[&str], first: Option<i64>, after: Option<String>) -> UserPage {
        let names = Some(names.iter().map(ToString::to_string).collect());
        let query = UserQuery { ids: None, names };
        self.router.users(&context(Principal::Host), ListUsers { first, after, query }).await.unwrap()
    }
}

fn codes<T: std::fmt::Debug>(outcome: Result<T, IdpError>) -> (Code, String) {
    let error = outcome.unwrap_err();
    (error.code(), error.detail().to_owned())
}

#[tokio::test]
async fn every_spelling_of_a_mailbox_is_one_user() {
    let host = host().await;
    let ana = host.try_create("Ana@ｅxample.com").await.unwrap();
    let x = host.try_create("x@bücher.example").await.unwrap();
    assert_eq!((&*ana.name, &*x.name), ("ana@example.com", "x@xn--bcher-kva.example"));
    for (user, spellings) in [
        (&ana, &["ana@example.com", "ANA@EXAMPLE.COM", "ana@ｅxample．com", "ana@exam\u{ad}ple.com"][..]),
        (&x, &["x@xn--bcher-kva.example", "X@BÜCHER.EXAMPLE", "x@bu\u{308}cher.example"]),
    ] {
        for name in spellings {
            let taken = (Code::AlreadyExists, format!("user already exists: {}", user.name));
            assert_eq!(codes(host.try_create(name).await), taken, "{name}");
            assert_eq!(&host.by_name(name).await.unwrap(), user, "{name}");
            assert_eq!(host.list(&[name], None, None).await.users, std::slice::from_ref(user), "{name}");
            assert!(host.signs_in(name, "correct horse").await, "{name}");
        }
    }
    let quoted = (Code::InvalidArgument, r#"name must be an e-mail address: got "\"ana\"@example.com""#.to_owned());
    assert_eq!(codes(host.try_create("\"ana\"@example.com").await), quoted);
    assert_eq!(codes(host.by_name("\"ana\"@example.com").await).0, Code::NotFound);
}

#[tokio::test]
async fn spellings_of_a_query_share_page_tokens() {
    let host = host().await;
    host.try_create("ana@example.com").await.unwrap();
    let x = host.try_create("x@bücher.example").await.unwrap();
    let first = host.list(&["ana@ｅxample.com", "x@bücher.example"], Some(1), None).await;
    assert_eq!(first.total_count, 2);
    let names = ["x@xn--bcher-kva.example", "ANA@example.com", "ana@example.com"];
    let second = host.list(&names, Some(1), first.next_page_token).await;
    assert_eq!((second.users, second.next_page_token, second.total_count), (vec![x], None, 2));
}

#[tokio::test]
async fn users_from_before_keep_their_names_and_are_found_by_them() {
    let host = host().await;
    for (stored, asked) in FORMER {
        let id = host.create_former(stored).await;
        for name in [stored, asked] {
            let found = host.by_name(name).await.unwrap();
            assert_eq!((&*found.id, &*found.name), (&*id, stored), "{name}");
            assert_eq!(host.list(&[name, "nobody@example.com"], None, None).await.users, [found], "{name}");
            assert!(host.signs_in(name, "correct horse").await, "{name}");
            assert!(!host.signs_in(name, "battery staple").await, "{name}");
        }
        host.request_mail(&id).await.unwrap();
        host.disable(&id).await;
        assert_eq!(host.by_name(stored).await.unwrap().name, stored, "other changes keep the name");
    }
}

#[tokio::test]
async fn users_from_before_hold_their_mailbox_against_their_own_spelling() {
    let host = host().await;
    let ana = host.create("ana@example.org").await;
    for (stored, asked) in FORMER {
        let id = host.create_former(stored).await;
        let expected = match stored.starts_with('"') {
            true => (Code::InvalidArgument, format!("name must be an e-mail address: got {asked:?}")),
            false => (Code::AlreadyExists, format!("user already exists: {stored}")),
        };
        assert_eq!(codes(host.try_create(asked).await), expected, "create {asked}");
        let change = UpdateUser { id: ana.id.clone(), name: Some(asked.into()), ..UpdateUser::default() };
        let renamed = host.router.update_user(&context(Principal::Host), change).await;
        assert_eq!(codes(renamed), expected, "rename to {asked}");
        host.delete(&id).await;
        assert_eq!(host.try_create(asked).await.is_ok(), !stored.starts_with('"'), "{asked} is free again");
    }
}

#[tokio::test]
async fn user_stored_in_the_spelling_that_is_asked_for_is_found_first() {
    let host = host().await;
    let former = host.create_former("ana@ｅxample.com").await;
    assert_eq!(codes(host.by_name("ana@example.com").await).0, Code::NotFound, "another spelling than the stored one");
    let normal = host.try_create("ana@example.com").await.unwrap();
    assert_eq!(host.by_name("ana@ｅxample.com").await.unwrap().id, former);
    assert!(host.signs_in("ana@ｅxample.com", "correct horse").await, "the new user has no password");
    assert_eq!(host.by_name("ana@example.com").await.unwrap().id, normal.id);
    host.delete(&former).await;
    assert_eq!(host.by_name("ana@ｅxample.com").await.unwrap().id, normal.id);
}

#[tokio::test]
async fn import_normalises_names_and_skips_mailboxes_of_users_from_before() {
    let host = host().await;
    let id = host.create_former("x@bücher.example").await;
    let batch = || {
        let users = ["Ana@ｅxample.com", "x@bücher.example", "ana@example.com", "Y@Bücher.example"];
        users.map(|name| ImportUser { name: name.into(), ..ImportUser::default() }).to_vec()
    };
    for (count, positions) in [(2, vec![1, 2]), (0, vec![0, 1, 2, 3])] {
        let imported = host.import_users(batch()).await.unwrap();
        let skipped: Vec<_> = imported.skipped.iter().map(|skipped| skipped.index).collect();
        assert_eq!((imported.count, skipped), (count, positions));
        assert_eq!(imported.skipped.iter().find(|skipped| skipped.index == 1).unwrap().name, "x@xn--bcher-kva.example");
    }
    let users = everyone(&host.store).await;
    assert_eq!(names(&users), ["x@bücher.example", "ana@example.com", "y@xn--bcher-kva.example"]);
    assert_eq!(users[0].id, id);
}

#[tokio::test]
async fn import_reports_look_ups_of_former_names_and_can_be_cancelled_between_them() {
    // Reads of SQLite run on the caller's thread: exactly so many come before the other task.
    let store = FreshDatabase::sqlite(None).namespace(&namespace(NAMESPACE)).await;
    let host = Host::over(store, NamespaceSettings::default());
    let batch = || {
        let names = (0..2500).map(|index| format!("{index}@bücher.example"));
        host.import_batch(names.map(|name| ImportUser { name, ..ImportUser::default() }).collect()).unwrap()
    };
    let record = Arc::new(Mutex::new(Vec::new()));
    let stop = Arc::new(AtomicBool::new(false));
    // A task on the same thread runs between the look-ups, such as one that waits for a signal.
    let stopped = Arc::clone(&stop);
    tokio::spawn(async move { stopped.store(true, Ordering::Relaxed) });
    let to = Arc::clone(&record);
    let observer = move |progress| {
        to.lock().unwrap().push(progress);
        if stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let error = batch().import_observed(Arc::new(observer)).await.unwrap_err();
    assert!(matches!(error, ImportError::Cancelled), "{error:?}");
    assert_eq!(*record.lock().unwrap(), [1000, 2000].map(ImportProgress::LookedUp));
    assert_eq!(everyone(&host.store).await, []);
    assert_eq!(batch().import().await.unwrap().count, 2500);
}

#[tokio::test]
async fn allowed_domains_compare_in_the_normal_form() {
    for allowed in ["bücher.example", "BÜCHER.example", "xn--bcher-kva.example", "bu\u{308}cher。example"] {
        let mut policy = UserAuthPolicy::default();
        policy.allowed_email_domains = vec![allowed.into()];
        assert_eq!(policy.faults(), [], "{allowed}");
        let host = Host::over(fresh_store().await.0, NamespaceSettings::default().user_auth_policy(policy.clone()));
        for name in ["a@bücher.example", "b@xn--bcher-kva.example", "c@BÜCHER．example"] {
            assert!(host.try_create(name).await.is_ok(), "{name} under {allowed}");
        }
        assert_eq!(codes(host.try_create("d@bucher.example").await).0, Code::InvalidArgument);
        policy.normalize_domains();
        assert_eq!(policy.allowed_email_domains, ["xn--bcher-kva.example"]);

        // Created before the domains were restricted.
        let before = Host::over(host.store.clone(), NamespaceSettings::default());
        before.create_former("e@bücher.example").await;
        assert!(host.signs_in("e@bücher.example", "correct horse").await, "{allowed}");
    }
}

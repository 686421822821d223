//! What a directory does not support is refused, with backend and operation, before it is called.

use std::sync::Arc;

use async_trait::async_trait;
use pretty_assertions::assert_eq;
use tailor_idp_core::directory::{Capabilities, Capability, Directory};
use tailor_idp_core::{
    CallContext, Code, CreateUser, IdentityProvider, IdpError, ListUsers, NamespaceSettings, Permission, Router,
    UpdateUser, UserKey, UserQuery, UserRecord,
};

use super::fixture::{BACKEND, TestDirectory, Write, anonymous, failure, host, read_enabled, router};
use crate::support::namespace;

/// A call with the capabilities that it needs.
#[derive(Debug, Clone)]
enum Call {
    Get(UserKey<'static>),
    List(UserQuery, Caller),
    Create { password: bool, disabled: bool },
    Update(Change),
    Write(Write),
}

#[derive(Debug, Clone, Copy)]
enum Caller {
    Host,
    /// Who may read enabled users only.
    Anonymous,
}

#[derive(Debug, Clone, Copy, Default)]
struct Change {
    rename: bool,
    set_password: bool,
    clear_password: bool,
    disabled: Option<bool>,
}

/// All calls, with the capabilities they need.
fn calls() -> Vec<(Call, Vec<Capability>)> {
    use Capability::*;
    let query = |ids: Option<&str>, names: Option<&str>| {
        let one = |value: &str| vec![value.to_owned()];
        UserQuery { ids: ids.map(one), names: names.map(one) }
    };
    let none = Change::default();
    let rename = Change { rename: true, ..none };
    let set_password = Change { set_password: true, ..none };
    let disable = Change { disabled: Some(true), ..none };
    vec![
        (Call::Get(UserKey::Id("ana-id")), vec![]),
        (Call::Get(UserKey::Name("ana@example.com")), vec![]),
        (Call::List(query(None, None), Caller::Host), vec![Totals]),
        (Call::List(query(Some("ana-id"), None), Caller::Host), vec![Filters]),
        (Call::List(query(None, Some("bo@example.com")), Caller::Host), vec![Filters]),
        (Call::List(query(None, None), Caller::Anonymous), vec![Totals, Visibility]),
        (Call::List(query(Some("ana-id"), None), Caller::Anonymous), vec![Filters]),
        (Call::Create { password: false, disabled: false }, vec![Create]),
        (Call::Create { password: true, disabled: false }, vec![Create, SetPassword]),
        (Call::Create { password: false, disabled: true }, vec![Create, Disable]),
        (Call::Update(none), vec![Update]),
        (Call::Update(rename), vec![Update, Rename]),
        (Call::Update(set_password), vec![Update, SetPassword]),
        (Call::Update(Change { clear_password: true, ..none }), vec![Update, ClearPassword]),
        (Call::Update(disable), vec![Update, Disable]),
        (Call::Update(Change { disabled: Some(false), ..none }), vec![Update, Disable]),
        (Call::Update(Change { disabled: Some(true), ..rename }), vec![Update, Rename, Disable]),
        (Call::Update(Change { set_password: true, ..rename }), vec![Update, Rename, SetPassword]),
        (Call::Update(Change { set_password: true, ..disable }), vec![Update, SetPassword, Disable]),
        (Call::Update(Change { clear_password: true, ..disable }), vec![Update, ClearPassword, Disable]),
        (Call::Write(Write::Delete), vec![Delete]),
        (Call::Write(Write::Mail), vec![ResetMails]),
        (Call::Write(Write::RemoveFactor), vec![Factors]),
    ]
}

impl Call {
    async fn run(&self, idp: &Router) -> Result<(), IdpError> {
        match self {
            Self::Get(key) => idp.user(&host(), *key).await.map(drop),
            Self::List(query, caller) => {
                let context = match caller {
                    Caller::Host => host(),
                    Caller::Anonymous => anonymous(),
                };
                let request = ListUsers { query: query.clone(), ..ListUsers::default() };
                idp.users(&context, request).await.map(drop)
            }
            Self::Create { password, disabled } => {
                let password = password.then(|| "correct horse".into());
                let request = CreateUser { name: "dee@example.com".into(), password, disabled: *disabled };
                idp.create_user(&host(), request).await.map(drop)
            }
            Self::Update(Change { rename, set_password, clear_password, disabled }) => {
                let request = UpdateUser {
                    id: "ana-id".into(),
                    name: rename.then(|| "anna@example.com".into()),
                    password: set_password.then(|| "correct horse".into()),
                    clear_password: *clear_password,
                    disabled: *disabled,
                };
                idp.update_user(&host(), request).await.map(drop)
            }
            Self::Write(write) => write.call(idp, &host()).await,
        }
    }
}

fn unsupported(operation: &str) -> (Code, String) {
    (Code::Unimplemented, format!("{BACKEND} does not support {operation}"))
}

#[tokio::test]
async fn calls_that_need_a_missing_capability_are_refused_before_side_effects() {
    for missing in Capability::ALL {
        for (call, needs) in calls() {
            let directory = TestDirectory::new(Capabilities::all(BACKEND).without(missing));
            let before = directory.users();
            let outcome = call.run(&router(&directory, read_enabled())).await;
            let mut made = directory.calls();
            made.retain(|call| *call != "get");
            if needs.contains(&missing) {
                assert_eq!(failure(outcome), unsupported(missing.operation()), "{call:?} without {missing:?}");
                assert_eq!(made, Vec::<&str>::new(), "{call:?} without {missing:?}");
                assert_eq!(directory.users(), before, "{call:?} without {missing:?}");
            } else {
                outcome.unwrap_or_else(|error| panic!("{call:?} without {missing:?}: {error}"));
                assert_eq!(made.len(), usize::from(!matches!(call, Call::Get(_))), "{call:?} without {missing:?}");
            }
        }
    }
}

#[tokio::test]
async fn calls_succeed_when_exactly_the_capabilities_they_need_are_declared() {
    for (call, needs) in calls() {
        let capabilities = needs.into_iter().fold(Capabilities::none(BACKEND), Capabilities::with);
        let directory = TestDirectory::new(capabilities);
        call.run(&router(&directory, read_enabled())).await.unwrap_or_else(|error| panic!("{call:?}: {error}"));
    }
}

#[test]
fn every_capability_is_needed_by_a_call() {
    let needed: Vec<_> = calls().into_iter().flat_map(|(_, needs)| needs).collect();
    let unneeded: Vec<_> = Capability::ALL.into_iter().filter(|capability| !needed.contains(capability)).collect();
    assert_eq!(unneeded, []);
}

#[tokio::test]
async fn mixed_update_changes_nothing_when_one_part_is_unsupported() {
    for missing in [Capability::Rename, Capability::Disable] {
        let directory = TestDirectory::new(Capabilities::all(BACKEND).without(missing));
        let before = directory.users();
        let (id, name) = ("ana-id".to_owned(), Some("anna@example.com".to_owned()));
        let request = UpdateUser { id, name, disabled: Some(true), ..UpdateUser::default() };
        let outcome = router(&directory, Permission::allow_all()).update_user(&host(), request).await;
        assert_eq!(failure(outcome), unsupported(missing.operation()));
        assert_eq!((directory.users(), directory.calls()), (before, vec!["get"]));
    }
}

#[tokio::test]
async fn update_that_sends_back_the_name_does_not_rename() {
    let directory = TestDirectory::new(Capabilities::all(BACKEND).without(Capability::Rename));
    let idp = router(&directory, Permission::allow_all());
    for name in ["ana@example.com", "ANA@example.com"] {
        let request = UpdateUser { id: "ana-id".into(), name: Some(name.into()), ..UpdateUser::default() };
        assert_eq!(idp.update_user(&host(), request).await.unwrap().name, "ana@example.com");
    }
}

#[tokio::test]
async fn callers_without_permission_do_not_learn_what_is_unsupported() {
    let idp = router(&TestDirectory::new(Capabilities::none(BACKEND)), Permission::deny_all());
    for write in Write::ALL {
        assert_eq!(failure(write.call(&idp, &anonymous()).await).0, Code::PermissionDenied, "{write:?}");
    }
    let request = CreateUser { name: "dee@example.com".into(), ..CreateUser::default() };
    assert_eq!(failure(idp.create_user(&anonymous(), request).await).0, Code::PermissionDenied);
}

#[tokio::test]
async fn sign_in_mails_and_import_are_refused_for_directories() {
    let directory = TestDirectory::complete();
    let idp = router(&directory, Permission::allow_all());
    let expected = unsupported("sign-in, password resets, bulk import, mails and events");
    assert_eq!(failure(idp.verify_password("users", "ana@example.com", "correct horse".into()).await), expected);
    assert_eq!(failure(idp.verify_mfa("users", "ana-id", "000000").await), expected);
    assert_eq!(failure(idp.begin_mfa_enrollment("users", "ana-id").await), expected);
    assert_eq!(failure(idp.local("users").map(drop)), expected);
    assert_eq!(idp.import_users("users", Vec::new()).await.unwrap_err().to_string(), expected.1);
    assert_eq!((idp.locals().len(), directory.calls()), (0, Vec::new()));
}

/// A directory that implements only the required methods.
struct Minimal(Capabilities);

#[async_trait]
impl Directory for Minimal {
    fn capabilities(&self) -> &Capabilities {
        &self.0
    }

    async fn get(&self, _: &CallContext, key: UserKey<'_>) -> Result<Option<UserRecord>, IdpError> {
        let users = TestDirectory::complete().users();
        Ok(users.into_iter().find(|user| user.id == key.as_str()))
    }
}

#[tokio::test]
async fn declared_capabilities_without_a_method_are_unimplemented() {
    let directory = Arc::new(Minimal(Capabilities::all(BACKEND)));
    let settings = NamespaceSettings::default().enable_mfa(true);
    let idp = Router::builder().directory(namespace("users"), directory, settings).build();
    for (call, _) in calls() {
        let outcome = call.run(&idp).await;
        match (&call, outcome) {
            (Call::Get(UserKey::Id(_)), outcome) => outcome.unwrap(),
            (Call::Get(UserKey::Name(_)), outcome) => assert_eq!(failure(outcome).0, Code::NotFound),
            // Nobody may read anything: the directory is not asked.
            (Call::List(_, Caller::Anonymous), outcome) => outcome.unwrap(),
            (_, outcome) => assert_eq!(failure(outcome).0, Code::Unimplemented, "{call:?}"),
        }
    }
}

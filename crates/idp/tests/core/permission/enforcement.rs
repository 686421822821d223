//! The eight operations under a permission, denied and permitted.

use std::sync::Arc;

use futures::future::join_all;
use pretty_assertions::assert_eq;
use serde_json::{Value, json};
use tailor_idp_core::{
    CallContext, Code, CreateUser, HashCost, IdentityProvider, IdpError, ListUsers, NamespaceSettings,
    PermissionConfig, Principal, Router, SendPasswordResetEmail, UnenrollMfa, UpdateUser, User, UserKey, UserQuery,
};

use crate::fresh::FreshDatabase;
use crate::mfa::world as mfa;
use crate::support::namespace;

const NAMESPACE: &str = "users";
const HOST: Principal = Principal::Host;
const ANONYMOUS: Principal = Principal::Anonymous;

fn context(principal: &Principal) -> CallContext {
    CallContext::new(namespace(NAMESPACE), principal.clone())
}

/// A namespace with a permission: Ana has a factor, Cy is disabled.
struct Under {
    idp: Router,
    ana: User,
    bo: User,
    cy: User,
}

impl Under {
    async fn permission(permission: Value) -> Self {
        let config: PermissionConfig = serde_json::from_value(permission).unwrap();
        let settings = NamespaceSettings::default().permission(config.compile().unwrap()).enable_mfa(true);
        let store = FreshDatabase::new(None).await.namespace(&namespace(NAMESPACE)).await;
        let idp = Router::builder().hash_cost(HashCost::danger_cheap_for_tests()).mfa_key(mfa::key(1));
        let idp = idp.namespace(namespace(NAMESPACE), store, settings).build();
        let create = async |name: &str, disabled| {
            let user = CreateUser { name: format!("{name}@example.com"), disabled, ..CreateUser::default() };
            idp.create_user(&context(&HOST), user).await.unwrap()
        };
        let (ana, bo, cy) = (create("ana", false).await, create("bo", false).await, create("cy", true).await);
        mfa::enrol_now(&idp, NAMESPACE, &ana.id).await;
        let ana = idp.user(&context(&HOST), UserKey::Id(&ana.id)).await.unwrap();
        Self { idp, ana, bo, cy }
    }

    async fn user(&self, principal: &Principal, user: &User) -> Result<User, IdpError> {
        self.idp.user(&context(principal), UserKey::Id(&user.id)).await
    }

    /// Names, the total, and whether pages follow.
    async fn names(&self, principal: &Principal, options: ListUsers) -> (Vec<String>, u64, Option<String>) {
        let page = self.idp.users(&context(principal), options).await.unwrap();
        (page.users.into_iter().map(|user| user.name).collect(), page.total_count, page.next_page_token)
    }

    async fn create(&self, name: &str, disabled: bool) -> Result<User, IdpError> {
        let user = CreateUser { name: name.to_owned(), disabled, ..CreateUser::default() };
        self.idp.create_user(&context(&ANONYMOUS), user).await
    }

    async fn rename(&self, user: &User, name: &str) -> Result<User, IdpError> {
        let change = UpdateUser { id: user.id.clone(), name: Some(name.to_owned()), ..UpdateUser::default() };
        self.idp.update_user(&context(&ANONYMOUS), change).await
    }

    async fn disable(&self, user: &User) -> Result<User, IdpError> {
        let change = UpdateUser { id: user.id.clone(), disabled: Some(true), ..UpdateUser::default() };
        self.idp.update_user(&context(&ANONYMOUS), change).await
    }

    async fn delete(&self, user: &User) -> Result<(), IdpError> {
        self.idp.delete_user(&context(&ANONYMOUS), &user.id).await
    }

    async fn mail(&self, user: &User) -> Result<(), IdpError> {
        let redirect_uri = "https://example.com/".to_owned();
        let mail = SendPasswordResetEmail { user_id: user.id.clone(), redirect_uri, ..Default::default() };
        self.idp.send_password_reset_email(&context(&ANONYMOUS), mail).await
    }

    async fn unenroll(&self, user: &User) -> Result<(), IdpError> {
        let mfa_factor_id = user.mfa_factor_ids.first().cloned().unwrap_or_default();
        self.idp.unenroll_mfa(&context(&ANONYMOUS), UnenrollMfa { user_id: user.id.clone(), mfa_factor_id }).await
    }

    /// All users, and the number of mails.
    async fn state(&self) -> (Vec<User>, usize) {
        let users = self.idp.users(&context(&HOST), ListUsers::default()).await.unwrap().users;
        (users, self.idp.local(NAMESPACE).unwrap().reset_mails(None, 10).await.unwrap().len())
    }
}

/// The operation that was denied.
fn denied<T: std::fmt::Debug>(outcome: Result<T, IdpError>) -> String {
    let error = outcome.unwrap_err();
    assert_eq!(error.code(), Code::PermissionDenied, "{error}");
    error.detail().strip_prefix("permission denied: ").unwrap().to_owned()
}

fn only(field: &str, value: Value) -> Value {
    json!([{ "conditions": [[{ "idpUser": field }, "=", value]], "description": "known to the host only" }])
}

const EVERYBODY: fn() -> Value = || json!([{ "conditions": [] }]);

#[tokio::test]
async fn operations_are_denied_without_effect_when_there_is_no_policy() {
    let under = Under::permission(json!({})).await;
    let before = under.state().await;
    assert_eq!(denied(under.user(&ANONYMOUS, &under.ana).await), "read");
    assert_eq!(denied(under.idp.user(&context(&ANONYMOUS), UserKey::Name("ana@example.com")).await), "read");
    assert_eq!(under.names(&ANONYMOUS, ListUsers::default()).await, (vec![], 0, None));
    assert_eq!(denied(under.create("dee@example.com", false).await), "create");
    assert_eq!(denied(under.rename(&under.ana, "dee@example.com").await), "update");
    assert_eq!(denied(under.delete(&under.ana).await), "delete");
    assert_eq!(denied(under.mail(&under.ana).await), "sendPasswordResetEmail");
    assert_eq!(denied(under.unenroll(&under.ana).await), "unenrollMfa");
    assert_eq!(under.state().await, before);
}

#[tokio::test]
async fn operations_are_permitted_by_their_own_policies_only() {
    for operation in ["create", "read", "update", "delete", "sendPasswordResetEmail", "unenrollMfa"] {
        // `unenrollMfa` needs `read` as well.
        let under = Under::permission(json!({ "read": EVERYBODY(), operation: EVERYBODY() })).await;
        let expect = |name: &str, outcome: Result<(), IdpError>| match outcome {
            Ok(()) => assert_eq!(name, operation, "permitted"),
            Err(error) => {
                assert_ne!(name, operation, "{error}");
                assert_eq!(denied::<()>(Err(error)), name);
            }
        };
        assert_eq!(under.user(&ANONYMOUS, &under.ana).await.unwrap(), under.ana);
        assert_eq!(under.idp.user(&context(&ANONYMOUS), UserKey::Name("ANA@example.com")).await.unwrap(), under.ana);
        expect("create", under.create("dee@example.com", false).await.map(drop));
        expect("update", under.rename(&under.bo, "bea@example.com").await.map(drop));
        expect("sendPasswordResetEmail", under.mail(&under.ana).await);
        expect("unenrollMfa", under.unenroll(&under.ana).await);
        expect("delete", under.delete(&under.ana).await);
    }
}

#[tokio::test]
async fn listing_and_total_contain_readable_users_only() {
    let under = Under::permission(json!({ "read": only("disabled", json!(false)) })).await;
    assert!(under.user(&ANONYMOUS, &under.ana).await.is_ok());
    assert_eq!(denied(under.user(&ANONYMOUS, &under.cy).await), "read");
    assert_eq!(denied(under.idp.user(&context(&ANONYMOUS), UserKey::Name("cy@example.com")).await), "read");
    let listed = |names: &[&str]| names.iter().map(|name| format!("{name}@example.com")).collect::<Vec<_>>();
    assert_eq!(under.names(&ANONYMOUS, ListUsers::default()).await, (listed(&["ana", "bo"]), 2, None));
    assert_eq!(under.names(&HOST, ListUsers::default()).await, (listed(&["ana", "bo", "cy"]), 3, None));
    let query = UserQuery { ids: None, names: Some(listed(&["cy", "bo"])) };
    let named = ListUsers { query, ..ListUsers::default() };
    assert_eq!(under.names(&ANONYMOUS, named).await, (listed(&["bo"]), 1, None));
    let first = ListUsers { first: Some(1), ..ListUsers::default() };
    let (names, total, token) = under.names(&ANONYMOUS, first.clone()).await;
    assert_eq!((names, total, token.is_some()), (listed(&["ana"]), 2, true));
    let second = under.names(&ANONYMOUS, ListUsers { after: token, ..first }).await;
    assert_eq!(second, (listed(&["bo"]), 2, None), "no readable user follows");
}

#[tokio::test]
async fn unknown_users_are_refused_like_those_out_of_reach_unless_everybody_is_readable() {
    let bo = || only("name", json!("bo@example.com"));
    for (read, reads_everybody) in [(bo(), false), (json!([]), false), (EVERYBODY(), true)] {
        let update = json!([{ "conditions": [[{ "oldIdpUser": "name" }, "=", "bo@example.com"]] }]);
        let under = Under::permission(json!({
            "read": read, "update": update, "delete": bo(), "sendPasswordResetEmail": bo(), "unenrollMfa": bo(),
        }))
        .await;
        let failures = async |user: &User| {
            let mut failures = Vec::new();
            failures.extend(under.user(&ANONYMOUS, user).await.err());
            failures.extend(under.rename(user, "bo@example.com").await.err());
            failures.extend(under.disable(user).await.err());
            failures.extend(under.delete(user).await.err());
            failures.extend(under.mail(user).await.err());
            failures.extend(under.unenroll(user).await.err());
            failures.extend(under.idp.user(&context(&ANONYMOUS), UserKey::Name(&user.name)).await.err());
            failures
        };
        let ghost = User { id: "ghost".into(), name: "ghost@example.com".into(), ..under.cy.clone() };
        let (there, nowhere) = (failures(&under.ana).await, failures(&ghost).await);
        if reads_everybody {
            assert!(nowhere.iter().all(|error| error.code() == Code::NotFound), "{nowhere:?}");
            assert!(there.iter().all(|error| error.code() == Code::PermissionDenied), "{there:?}");
        } else {
            assert_eq!(format!("{nowhere:?}"), format!("{there:?}"));
        }
        assert_eq!((there.len(), nowhere.len()), (if reads_everybody { 5 } else { 7 }, 7));
    }
}

#[tokio::test]
async fn policies_compare_the_invoker_of_the_call() {
    let own = json!([{ "conditions": [[{ "idpUser": "id" }, "=", { "user": "id" }]] }]);
    let under = Under::permission(json!({ "read": own })).await;
    let invoker = json!({ "id": under.bo.id, "type": "user" });
    let bo = Principal::Invoker(Arc::new(serde_json::from_value(invoker).unwrap()));
    assert_eq!(under.user(&bo, &under.bo).await.unwrap(), under.bo);
    assert_eq!(denied(under.user(&bo, &under.ana).await), "read");
    assert_eq!(under.names(&bo, ListUsers::default()).await, (vec!["bo@example.com".to_owned()], 1, None));
    assert_eq!(denied(under.user(&ANONYMOUS, &under.bo).await), "read");
}

#[tokio::test]
async fn create_is_decided_by_the_new_user() {
    let under = Under::permission(json!({ "create": only("name", json!("dee@example.com")) })).await;
    assert_eq!(denied(under.create("eve@example.com", false).await), "create");
    assert_eq!(under.create("DEE@example.com", true).await.unwrap().name, "dee@example.com", "the normalised name");
    // Only a caller who may create a user learns whether the name is taken.
    assert_eq!(denied(under.create("ana@example.com", false).await), "create");
    assert_eq!(under.create("dee@example.com", false).await.unwrap_err().code(), Code::AlreadyExists);
    assert_eq!(under.create("not a name", false).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn update_is_decided_by_the_user_before_and_after_it() {
    let update = json!([{ "conditions": [
        [{ "oldIdpUser": "disabled" }, "=", false],
        [{ "newIdpUser": "name" }, "in", ["ana@example.com", "anna@example.com", "bo@example.com"]],
    ]}]);
    let under = Under::permission(json!({ "update": update })).await;
    let before = under.state().await;
    assert_eq!(denied(under.rename(&under.cy, "anna@example.com").await), "update");
    assert_eq!(denied(under.rename(&under.ana, "eve@example.com").await), "update");
    let change = UpdateUser { id: under.cy.id.clone(), clear_password: true, ..UpdateUser::default() };
    assert_eq!(denied(under.idp.update_user(&context(&ANONYMOUS), change).await), "update");
    assert_eq!(under.state().await, before);
    assert_eq!(under.rename(&under.ana, "anna@example.com").await.unwrap().name, "anna@example.com");
    assert_eq!(under.rename(&under.ana, "bo@example.com").await.unwrap_err().code(), Code::AlreadyExists);
    assert!(under.disable(&under.ana).await.unwrap().disabled);
    assert_eq!(denied(under.rename(&under.ana, "ana@example.com").await), "update", "disabled by now");
}

#[tokio::test]
async fn unenroll_mfa_requires_read_on_the_user() {
    let under =
        Under::permission(json!({ "unenrollMfa": EVERYBODY(), "read": only("name", json!("bo@example.com")) })).await;
    let before = under.state().await;
    assert_eq!(denied(under.unenroll(&under.ana).await), "unenrollMfa");
    assert_eq!(under.state().await, before);
    assert_eq!(under.unenroll(&under.bo).await.unwrap_err().code(), Code::NotFound, "Bo has no factor");
}

#[tokio::test]
async fn listing_succeeds_at_the_maximum_number_of_policies() {
    // None can be merged with another.
    let policy = |index: usize, permit: bool| {
        let name = format!("user{index}@example.com");
        let conditions = json!([
            [{ "idpUser": "name" }, if permit { "!=" } else { "=" }, name],
            [{ "idpUser": "id" }, if permit { "not in" } else { "in" }, [name, "ghost"]],
            [{ "idpUser": "name" }, if permit { "!=" } else { "=" }, { "idpUser": "id" }],
        ]);
        json!({ "conditions": conditions, "permit": permit })
    };
    let policies: Vec<_> = (0..1000).map(|index| policy(index, index % 2 == 0)).collect();
    let under = Under::permission(json!({ "read": policies })).await;
    assert_eq!(under.names(&ANONYMOUS, ListUsers::default()).await.1, 3);
    assert_eq!(under.user(&ANONYMOUS, &under.ana).await.unwrap(), under.ana);
}

#[tokio::test]
async fn denial_does_not_reveal_the_policies() {
    let under = Under::permission(json!({ "delete": only("name", json!("nobody@example.com")) })).await;
    let error = under.delete(&under.ana).await.unwrap_err();
    assert_eq!(
        error.message("deleteUser"),
        "deleteUser failed: code: 'The caller does not have permission to execute the specified operation', \
         message: \"permission denied: delete\""
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_concurrent_updates_succeeds_when_a_policy_permits_one() {
    let once = json!([{ "conditions": [[{ "oldIdpUser": "disabled" }, "=", false]] }]);
    let under = Arc::new(Under::permission(json!({ "update": once })).await);
    let updates = (0..50).map(|_| {
        let under = Arc::clone(&under);
        tokio::spawn(async move { under.disable(&under.ana).await })
    });
    let outcomes = join_all(updates).await.into_iter().map(Result::unwrap);
    let (done, refused): (Vec<_>, Vec<_>) = outcomes.partition(Result::is_ok);
    assert_eq!(done.len(), 1);
    assert!(refused.into_iter().all(|outcome| denied(outcome) == "update"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn delete_is_decided_by_the_user_at_the_time_of_the_delete() {
    let delete = only("disabled", json!(false));
    for _ in 0..20 {
        let under = Arc::new(Under::permission(json!({ "delete": delete, "update": EVERYBODY() })).await);
        let disable = tokio::spawn({
            let under = Arc::clone(&under);
            async move { under.disable(&under.ana).await.map(drop) }
        });
        let deleted = under.delete(&under.ana).await;
        let disabled = disable.await.unwrap();
        match (&deleted, &disabled) {
            (Ok(()), Err(error)) | (Err(error), Ok(())) => assert_eq!(error.code(), Code::PermissionDenied),
            both => panic!("deleted although disabled, or neither: {both:?}"),
        }
    }
}

//! Permission over a directory is exact, or the listing is refused.

use pretty_assertions::assert_eq;
use serde_json::json;
use tailor_idp_core::directory::{Capabilities, Capability};
use tailor_idp_core::{
    CallContext, Code, CreateUser, IdentityProvider, IdpError, Invoker, ListUsers, NamespaceSettings, Permission,
    Principal, Router, UnenrollMfa, UserKey, UserPage, UserQuery,
};

use super::fixture::{BACKEND, TestDirectory, anonymous, compile, everybody, failure, host, read_enabled, router};
use crate::support::namespace;

/// A directory that cannot list by a predicate.
fn without_visibility() -> std::sync::Arc<TestDirectory> {
    TestDirectory::new(Capabilities::all(BACKEND).without(Capability::Visibility))
}

async fn list(idp: &Router) -> Result<(Vec<String>, u64), IdpError> {
    let UserPage { users, total_count, .. } = idp.users(&anonymous(), ListUsers::default()).await?;
    Ok((users.into_iter().map(|user| user.id).collect(), total_count))
}

#[tokio::test]
async fn listing_works_without_visibility_when_everybody_is_readable() {
    let all = (vec!["ana-id".to_owned(), "bo-id".to_owned(), "cy-id".to_owned()], 3);
    let of_the_invoker = json!([{ "conditions": [[{ "user": "_loggedIn" }, "=", false]] }]);
    let any = json!([
        { "conditions": [[{ "idpUser": "disabled" }, "=", true]] },
        { "conditions": [[{ "idpUser": "disabled" }, "=", false]] },
    ]);
    for read in [everybody(), of_the_invoker, any] {
        assert_eq!(list(&router(&without_visibility(), compile(json!({ "read": read })))).await.unwrap(), all);
    }
    assert_eq!(list(&router(&without_visibility(), Permission::allow_all())).await.unwrap(), all);
}

#[tokio::test]
async fn listing_is_empty_and_calls_nothing_when_nobody_is_readable() {
    let of_the_invoker = json!([{ "conditions": [[{ "user": "_loggedIn" }, "=", true]] }]);
    let denied = json!([{ "conditions": [] }, { "conditions": [], "permit": false }]);
    for read in [json!([]), of_the_invoker, denied] {
        for capabilities in [Capabilities::all(BACKEND), Capabilities::none(BACKEND)] {
            let directory = TestDirectory::new(capabilities);
            let idp = router(&directory, compile(json!({ "read": read })));
            let page = idp.users(&anonymous(), ListUsers::default()).await.unwrap();
            assert_eq!(page, UserPage { users: Vec::new(), next_page_token: None, total_count: 0 });
            assert_eq!(directory.calls(), Vec::<&str>::new());
        }
    }
}

#[tokio::test]
async fn arguments_are_checked_when_nobody_is_readable() {
    let idp = router(&TestDirectory::complete(), Permission::deny_all());
    for request in [
        ListUsers { first: Some(0), ..ListUsers::default() },
        ListUsers { first: Some(1001), ..ListUsers::default() },
        ListUsers { after: Some("forged".into()), ..ListUsers::default() },
        ListUsers { query: UserQuery { ids: Some(vec![String::new(); 1001]), names: None }, ..ListUsers::default() },
    ] {
        assert_eq!(failure(idp.users(&anonymous(), request.clone()).await).0, Code::InvalidArgument, "{request:?}");
    }
}

#[tokio::test]
async fn listing_all_users_under_conditions_is_refused_without_visibility() {
    let text = "the test directory does not support listing only the users whom the permission lets the caller read";
    let directory = without_visibility();
    let idp = router(&directory, read_enabled());
    assert_eq!(failure(list(&idp).await), (Code::Unimplemented, text.to_owned()));
    assert_eq!(directory.calls(), Vec::<&str>::new());
    assert_eq!(idp.users(&host(), ListUsers::default()).await.unwrap().total_count, 3, "the host is not restricted");
}

#[tokio::test]
async fn listing_by_ids_under_conditions_is_exact_without_visibility() {
    let directory = without_visibility();
    let idp = router(&directory, read_enabled());
    // Cy is disabled.
    let ids = ["ana-id", "bo-id", "cy-id"].map(ToOwned::to_owned).to_vec();
    let page = async |after| {
        let query = UserQuery { ids: Some(ids.clone()), names: None };
        idp.users(&anonymous(), ListUsers { query, first: Some(1), after }).await.unwrap()
    };
    let first = page(None).await;
    let second = page(first.next_page_token.clone()).await;
    let ids = |page: &UserPage| page.users.iter().map(|user| user.id.clone()).collect::<Vec<_>>();
    assert_eq!((ids(&first), first.total_count), (vec!["ana-id".to_owned()], 2));
    assert_eq!((ids(&second), second.total_count, second.next_page_token.clone()), (vec!["bo-id".to_owned()], 2, None));
}

#[tokio::test]
async fn listing_of_an_invoker_whom_policies_name_looks_up_the_names_without_visibility() {
    let directory = without_visibility();
    let oneself = json!({ "read": [{ "conditions": [[{ "idpUser": "name" }, "=", { "user": "email" }]] }] });
    let idp = router(&directory, compile(oneself));
    let ana = json!({ "id": "1", "type": "user", "attributeMap": { "email": "ana@example.com" } });
    let ana = Principal::from(Some(serde_json::from_value::<Invoker>(ana).unwrap()));
    let page = idp.users(&CallContext::new(namespace("users"), ana), ListUsers::default()).await.unwrap();
    assert_eq!((page.users[0].id.as_str(), page.users.len(), page.total_count), ("ana-id", 1, 1));
    let asked = directory.lists().remove(0).query;
    assert_eq!(asked, UserQuery { ids: None, names: Some(vec!["ana@example.com".to_owned()]) });
}

#[tokio::test]
async fn listing_under_conditions_on_users_is_exact_with_visibility() {
    let directory = TestDirectory::complete();
    let permission = read_enabled();
    let idp = router(&directory, permission.clone());
    assert_eq!(list(&idp).await.unwrap(), (vec!["ana-id".to_owned(), "bo-id".to_owned()], 2));
    let visible: Vec<_> = directory.lists().into_iter().map(|request| request.visible).collect();
    assert_eq!(visible, [permission.visible(&anonymous().principal)]);
}

#[tokio::test]
async fn reading_one_user_is_decided_without_visibility() {
    let idp = router(&without_visibility(), read_enabled());
    assert_eq!(idp.user(&anonymous(), UserKey::Id("ana-id")).await.unwrap().name, "ana@example.com");
    for key in [UserKey::Id("cy-id"), UserKey::Name("CY@example.com"), UserKey::Id("ghost"), UserKey::Name("ghost")] {
        let expected = (Code::PermissionDenied, "permission denied: read".to_owned());
        assert_eq!(failure(idp.user(&anonymous(), key).await), expected);
    }
}

#[tokio::test]
async fn directory_receives_normalised_sorted_and_unique_filters() {
    let directory = TestDirectory::complete();
    let idp = router(&directory, Permission::allow_all());
    let texts = |texts: &[&str]| Some(texts.iter().map(ToString::to_string).collect::<Vec<_>>());
    let names = texts(&["Bo@Example.com", "ana@example.com", "bo@example.com"]);
    let query = UserQuery { ids: texts(&["cy-id", "bo-id", "cy-id"]), names };
    let page = idp.users(&anonymous(), ListUsers { query, ..ListUsers::default() }).await.unwrap();
    assert_eq!((page.users.len(), page.total_count), (1, 1));
    let received = directory.lists().remove(0).query;
    let expected = UserQuery { ids: texts(&["bo-id", "cy-id"]), names: texts(&["ana@example.com", "bo@example.com"]) };
    assert_eq!(received, expected);
    assert_eq!(idp.user(&anonymous(), UserKey::Name("ANA@example.com")).await.unwrap().id, "ana-id");
}

#[tokio::test]
async fn directory_is_asked_for_a_former_spelling_only_where_it_differs() {
    let directory = TestDirectory::complete();
    let idp = router(&directory, Permission::allow_all());
    for (name, reads) in
        [("ghost@example.com", 1), ("Ghöst@example.com", 1), ("ghost@ｅxample.com", 2), ("Ana@ｅxample.com", 2)]
    {
        let _ = idp.user(&anonymous(), UserKey::Name(name)).await;
        assert_eq!(directory.calls(), vec!["get"; reads], "{name}");
    }
    for (name, calls) in [("new@example.com", &["create"][..]), ("new@bücher.example", &["get", "create"])] {
        idp.create_user(&anonymous(), CreateUser { name: name.into(), ..CreateUser::default() }).await.unwrap();
        assert_eq!(directory.calls(), calls, "{name}");
    }
    let query = UserQuery { ids: None, names: Some(vec!["new@Bücher.example".into(), "ana@ｅxample.com".into()]) };
    idp.users(&anonymous(), ListUsers { query, ..ListUsers::default() }).await.unwrap();
    let expected = ["ana@example.com", "ana@ｅxample.com", "new@bücher.example", "new@xn--bcher-kva.example"];
    assert_eq!(directory.lists().remove(0).query.names.unwrap(), expected);
}

#[tokio::test]
async fn namespace_of_the_context_has_no_effect_below_the_router() {
    let settings = NamespaceSettings::default().permission(Permission::allow_all());
    let idp = Router::builder().directory(namespace("users"), TestDirectory::complete(), settings).build();
    let users = idp.directory("users").unwrap();
    let away = CallContext::new(namespace("away"), Principal::Host);
    let page = async |context: &CallContext, after: Option<String>| {
        users.users(context, ListUsers { first: Some(1), after, ..ListUsers::default() }).await.unwrap()
    };
    let token = page(&away, None).await.next_page_token;
    assert_eq!(page(&host(), token.clone()).await, page(&away, token).await);
    let unenroll = UnenrollMfa { user_id: "ana-id".into(), mfa_factor_id: "factor".into() };
    let expected = (Code::FailedPrecondition, "MFA is not enabled in namespace users: enableMfa is not set".to_owned());
    assert_eq!(failure(users.unenroll_mfa(&away, unenroll).await), expected);
}

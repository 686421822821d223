//! Page tokens of a directory with and without its own key.

use futures::future::join_all;
use pretty_assertions::assert_eq;
use tailor_idp_core::directory::{Capabilities, Directory};
use tailor_idp_core::{
    CallContext, Code, IdentityProvider, IdpError, ListUsers, NamespaceSettings, Permission, Principal, Router,
    UserPage, UserQuery,
};

use super::fixture::{BACKEND, TestDirectory, failure, host, router};
use crate::support::namespace;

async fn page(idp: &Router, after: Option<&str>) -> Result<UserPage, IdpError> {
    let request = ListUsers { first: Some(1), after: after.map(Into::into), ..ListUsers::default() };
    idp.users(&host(), request).await
}

async fn first_token(idp: &Router) -> String {
    page(idp, None).await.unwrap().next_page_token.unwrap()
}

#[tokio::test]
async fn pages_contain_everybody_once() {
    let directory = TestDirectory::complete();
    let idp = router(&directory, Permission::allow_all());
    let (mut ids, mut after) = (Vec::new(), None);
    loop {
        let UserPage { users, next_page_token, total_count } = page(&idp, after.as_deref()).await.unwrap();
        assert_eq!((users.len(), total_count), (1, 3));
        ids.extend(users.into_iter().map(|user| user.id));
        match next_page_token {
            Some(token) => after = Some(token),
            None => break,
        }
    }
    assert_eq!(ids, ["ana-id", "bo-id", "cy-id"]);
    let cursors: Vec<_> = directory.lists().into_iter().map(|request| request.after).collect();
    assert_eq!(cursors, [None, Some("offset 1".to_owned()), Some("offset 2".to_owned())]);
}

#[tokio::test]
async fn token_is_valid_in_the_router_that_made_it_only_when_the_directory_has_no_key() {
    let directory = TestDirectory::complete();
    let [one, clone, other] = {
        let one = router(&directory, Permission::allow_all());
        [one.clone(), one, router(&directory, Permission::allow_all())]
    };
    let token = first_token(&one).await;
    assert_eq!(page(&clone, Some(&token)).await.unwrap().users[0].id, "bo-id");
    directory.calls();
    assert_eq!(failure(page(&other, Some(&token)).await).0, Code::InvalidArgument);
    assert_eq!(directory.calls(), Vec::<&str>::new());
}

#[tokio::test]
async fn token_is_valid_in_other_routers_when_the_directory_has_a_key() {
    let directory = |key| TestDirectory::sealed(Capabilities::all(BACKEND), Some([key; 32]));
    let token = first_token(&router(&directory(1), Permission::allow_all())).await;
    let again = router(&directory(1), Permission::allow_all());
    assert_eq!(page(&again, Some(&token)).await.unwrap().users[0].id, "bo-id");
    let other_key = router(&directory(2), Permission::allow_all());
    assert_eq!(failure(page(&other_key, Some(&token)).await).0, Code::InvalidArgument);
}

#[tokio::test]
async fn token_is_refused_for_another_query_or_namespace() {
    let key = Some([7; 32]);
    let directory = || TestDirectory::sealed(Capabilities::all(BACKEND), key) as std::sync::Arc<dyn Directory>;
    let settings = || NamespaceSettings::default().permission(Permission::allow_all());
    let idp = Router::builder()
        .directory(namespace("users"), directory(), settings())
        .directory(namespace("away"), directory(), settings())
        .build();
    let after = Some(first_token(&idp).await);
    let away = CallContext::new(namespace("away"), Principal::Host);
    let query = UserQuery { ids: Some(vec!["ana-id".into(), "bo-id".into()]), names: None };
    let same = ListUsers { after: after.clone(), ..ListUsers::default() };
    assert_eq!(failure(idp.users(&away, same.clone()).await).0, Code::InvalidArgument);
    assert_eq!(failure(idp.users(&host(), ListUsers { query, ..same.clone() }).await).0, Code::InvalidArgument);
    assert_eq!(idp.users(&host(), same).await.unwrap().users.len(), 2, "another page size is fine");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tokens_of_concurrent_first_listings_are_all_valid() {
    for _ in 0..20 {
        let idp = router(&TestDirectory::complete(), Permission::allow_all());
        let tokens = (0..8).map(|_| {
            let idp = idp.clone();
            tokio::spawn(async move { first_token(&idp).await })
        });
        for token in join_all(tokens).await {
            assert!(page(&idp, Some(&token.unwrap())).await.is_ok());
        }
    }
}

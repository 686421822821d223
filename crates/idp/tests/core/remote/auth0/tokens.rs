//! Access tokens.

use std::time::Duration;

use pretty_assertions::assert_eq;

use super::*;

#[tokio::test]
async fn concurrent_calls_share_one_token() {
    let world = World::start().await;
    let id = world.add("ana@example.com");
    world.tenant().latency = Duration::from_millis(20);
    let idp = world.idp();
    let host = host();
    let calls = (0..20).map(|_| idp.user(&host, UserKey::Id(&id)));
    futures::future::try_join_all(calls).await.unwrap();
    assert_eq!(world.tenant().token_requests(), 1);
    assert_eq!(world.calls().len(), 20);
}

#[tokio::test]
async fn tokens_are_replaced_before_they_end_and_when_they_are_refused() {
    let world = World::start().await;
    let id = world.add("ana@example.com");
    let idp = world.idp();
    idp.user(&host(), UserKey::Id(&id)).await.unwrap();
    idp.user(&host(), UserKey::Id(&id)).await.unwrap();
    assert_eq!(world.tenant().token_requests(), 1);
    world.tenant().revoke_tokens();
    idp.user(&host(), UserKey::Id(&id)).await.unwrap();
    assert_eq!(world.tenant().token_requests(), 2);
    assert_eq!(world.calls().len(), 4, "one request was repeated");

    world.tenant().revoke_tokens();
    world.tenant().token_lifetime = Duration::from_secs(1);
    let idp = world.idp();
    idp.user(&host(), UserKey::Id(&id)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    world.calls();
    idp.user(&host(), UserKey::Id(&id)).await.unwrap();
    assert_eq!(world.calls().len(), 1, "before it was refused");
    assert_eq!(world.tenant().token_requests(), 4);
}

#[tokio::test]
async fn writes_are_repeated_once_with_another_token() {
    let world = World::start().await;
    let idp = world.idp();
    idp.create_user(&host(), new_user("ana@example.com")).await.unwrap();
    world.tenant().revoke_tokens();
    idp.create_user(&host(), new_user("bo@example.com")).await.unwrap();
    assert_eq!(world.tenant().users().count(), 2);
    // A tenant that refuses every token.
    let refusal = serde_json::json!({ "statusCode": 401, "error": "Unauthorized", "message": "Invalid token" });
    world.calls();
    world.tenant().faults = vec![(401, refusal.clone()), (401, refusal)];
    let refused = failure(idp.create_user(&host(), new_user("cy@example.com")).await);
    assert_eq!(refused, (Code::Unauthenticated, "Auth0 refuses the credentials of the host".to_owned()));
    assert_eq!(world.calls(), ["POST /users", "POST /users"]);
}

#[tokio::test]
async fn wrong_credentials_are_unauthenticated_and_never_shown() {
    let world = World::start().await;
    let secret = "another-secret-0815";
    let auth0 = Auth0::builder(DOMAIN, CLIENT_ID, secret, CONNECTION).options(world.peer.options());
    let auth0 = auth0.build().unwrap();
    assert!(!format!("{auth0:?}").contains(secret), "{auth0:?}");
    let error = router(auth0).user(&host(), UserKey::Id("auth0|1")).await.unwrap_err();
    assert_eq!((error.code(), error.detail()), (Code::Unauthenticated, "Auth0 refuses the credentials of the host"));
    let source = std::error::Error::source(&error).unwrap();
    let log = source.to_string();
    assert!(log.starts_with("cannot get an access token: answered 401 Unauthorized: "), "{log}");
    assert!(log.contains("access_denied") && !log.contains(secret), "{log}");
    assert!(!format!("{error:?}").contains(secret), "{error:?}");
}

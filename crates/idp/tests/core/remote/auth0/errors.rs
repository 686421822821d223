//! Refusals and faults of the tenant.

use std::error::Error;
use std::time::Instant;

use pretty_assertions::assert_eq;

use super::*;

#[tokio::test]
async fn missing_scopes_are_named_in_the_hosts_log_alone() {
    let all = ["read:users", "create:users", "update:users", "delete:users"];
    for missing in all {
        let world = World::start().await;
        let id = world.add("ana@example.com");
        world.tenant().scopes.retain(|scope| *scope != missing);
        let idp = world.idp();
        let error = match missing {
            "read:users" => idp.user(&host(), UserKey::Name("ana@example.com")).await.map(|_| ()),
            "create:users" => idp.create_user(&host(), new_user("bo@example.com")).await.map(|_| ()),
            "update:users" => {
                let change = UpdateUser { id, disabled: Some(true), ..UpdateUser::default() };
                idp.update_user(&host(), change).await.map(|_| ())
            }
            _ => idp.delete_user(&host(), &id).await,
        };
        let error = error.unwrap_err();
        assert_eq!(
            (error.code(), error.detail()),
            (Code::Unauthenticated, "Auth0 refuses the credentials of the host")
        );
        let log = error.source().unwrap().to_string();
        let expected = format!("the application needs the scope {missing} of the Auth0 Management API: answered 403 ");
        assert!(log.starts_with(&expected), "{log}");
        let shown = format!("{log} {error:?}");
        assert!(!shown.contains("fake-access-token") && !shown.contains(CLIENT_SECRET), "{shown}");
    }
}

#[tokio::test]
async fn connections_that_do_not_exist_are_a_fault_of_the_settings() {
    let world = World::start().await;
    let auth0 = Auth0::builder(DOMAIN, CLIENT_ID, CLIENT_SECRET, "unknown").options(world.peer.options());
    let idp = router(auth0.build().unwrap());
    let error = idp.create_user(&host(), new_user("ana@example.com")).await.unwrap_err();
    assert_eq!((error.code(), error.detail()), (Code::Internal, "internal error"));
    assert!(error.source().unwrap().to_string().contains("inexistent_connection"));
}

#[tokio::test]
async fn rate_limits_are_waited_out_and_then_reported_with_the_time() {
    let world = World::start().await;
    let id = world.add("ana@example.com");
    world.tenant().rate = Some(1);
    let idp = world.idp();
    let start = Instant::now();
    for _ in 0..2 {
        idp.user(&host(), UserKey::Id(&id)).await.unwrap();
    }
    assert!(start.elapsed().as_secs() < 5);
    assert!(idp.create_user(&host(), new_user("bo@example.com")).await.is_ok(), "creations, too");

    let once = world.once();
    world.tenant().rate = Some(0);
    let (code, detail) = failure(once.user(&host(), UserKey::Id(&id)).await);
    assert_eq!(code, Code::ResourceExhausted);
    assert_eq!(detail, "Auth0 takes no more requests for now: try again in 1 s");
}

#[tokio::test]
async fn creations_are_not_repeated_when_their_outcome_is_unknown() {
    let world = World::start().await;
    let idp = world.idp();
    world.tenant().faults = vec![(500, json!({ "statusCode": 500, "error": "Internal Server Error" }))];
    let (code, detail) = failure(idp.create_user(&host(), new_user("ana@example.com")).await);
    assert_eq!(code, Code::Unavailable);
    assert_eq!(detail, "Auth0 answered with status 500: it is not known whether the user was created");
    assert_eq!(world.calls(), ["POST /users"]);
}

#[tokio::test]
async fn slow_searches_are_repeated_and_then_unavailable() {
    let world = World::start().await;
    world.add("ana@example.com");
    let timeout =
        json!({ "statusCode": 503, "error": "Service Unavailable", "message": "The query exceeded the timeout" });
    let idp = world.idp();
    world.tenant().faults = vec![(503, timeout.clone())];
    assert_eq!(list(&idp, 10, None).await.unwrap().total_count, 1);
    world.tenant().faults = vec![(503, timeout)];
    let refused = failure(list(&world.once(), 10, None).await);
    assert_eq!(refused, (Code::Unavailable, "Auth0 answered with status 503".to_owned()));
}

#[tokio::test]
async fn changes_that_the_connection_does_not_allow_are_failed_preconditions() {
    let world = World::start().await;
    let id = world.add("ana@example.com");
    let idp = world.idp();
    idp.user(&host(), UserKey::Id(&id)).await.unwrap();
    let refusal = json!({ "statusCode": 400, "error": "Bad Request", "message": "Not allowed", "errorCode": "operation_not_supported" });
    let found = (200, world.tenant().user(&id).unwrap());
    world.tenant().faults = vec![found, (400, refusal)];
    let rename = UpdateUser { id, name: Some("bo@example.com".into()), ..UpdateUser::default() };
    let expected = "Auth0 does not allow this change for the users of the connection".to_owned();
    assert_eq!(failure(idp.update_user(&host(), rename).await), (Code::FailedPrecondition, expected));
}

#[tokio::test]
async fn users_who_are_deleted_in_the_midst_are_not_found() {
    let world = World::start().await;
    let id = world.add("ana@example.com");
    let idp = world.idp();
    let found = (200, world.tenant().user(&id).unwrap());
    world.tenant().remove(&id);
    world.tenant().faults = vec![found];
    let change = UpdateUser { id: id.clone(), disabled: Some(true), ..UpdateUser::default() };
    assert_eq!(failure(idp.update_user(&host(), change).await), (Code::NotFound, format!("user not found: {id}")));
}

#[tokio::test]
async fn deletion_whose_answer_was_lost_is_done_when_it_is_repeated() {
    let world = World::start().await;
    let id = world.add("ana@example.com");
    let idp = world.idp();
    let found = (200, world.tenant().user(&id).unwrap());
    let busy = (500, json!({ "statusCode": 500, "error": "Internal Server Error" }));
    let gone = (404, json!({ "statusCode": 404, "error": "Not Found", "errorCode": "inexistent_user" }));
    world.tenant().faults = vec![found, busy, gone];
    idp.delete_user(&host(), &id).await.unwrap();
}

#[tokio::test]
async fn path_that_does_not_exist_is_no_unknown_user() {
    let world = World::start().await;
    let id = world.add("ana@example.com");
    let idp = world.idp();
    world.tenant().faults = vec![(404, json!({ "statusCode": 404, "error": "Not Found", "message": "Not Found" }))];
    let (code, detail) = failure(idp.user(&host(), UserKey::Id(&id)).await);
    assert_eq!((code, &*detail), (Code::Unavailable, "Auth0 answered with something else than its API"));
}

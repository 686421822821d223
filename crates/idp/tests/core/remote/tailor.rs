//! The Tailor Platform, over a fake of an application with an IdP subgraph.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use pretty_assertions::assert_eq;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use tailor_idp_core::remote::{RemoteOptions, Tailor};
use tailor_idp_core::{
    Code, CreateUser, IdentityProvider, IdpError, ListUsers, NameKind, NamespaceSettings, Router,
    SendPasswordResetEmail, UnenrollMfa, UpdateUser, User, UserKey, UserQuery,
};

use super::fake_tailor::{CLIENT_ID, CLIENT_SECRET, FakePlatform};
use super::peer::{Peer, host, ids, logged, names, permissive, reset_mail, router_under, told, walk};

const PASSWORD: &str = "correct horse battery";

/// An application of the platform, and the namespace over it.
struct World {
    platform: Arc<FakePlatform>,
    idp: Router,
    _peer: Peer,
}

impl World {
    async fn new() -> Self {
        Self::with(|_| {}, permissive().enable_mfa(true)).await
    }

    async fn with(change: impl FnOnce(&mut RemoteOptions), settings: NamespaceSettings) -> Self {
        let platform = FakePlatform::new();
        let peer = Peer::start(platform.server()).await;
        let mut options = RemoteOptions::default();
        options.retries = 0;
        change(&mut options);
        let directory =
            Tailor::builder(peer.url.as_str(), CLIENT_ID, CLIENT_SECRET, "main-idp").options(options).build().unwrap();
        Self { platform, idp: router_under(directory, settings), _peer: peer }
    }

    async fn create(&self, name: &str) -> User {
        let user = CreateUser { name: name.into(), password: Some(PASSWORD.into()), disabled: false };
        let user = self.idp.create_user(&host(), user).await.unwrap();
        self.platform.take_requests();
        user
    }

    async fn user(&self, id: &str) -> Result<User, IdpError> {
        self.idp.user(&host(), UserKey::Id(id)).await
    }

    async fn update(&self, request: UpdateUser) -> Result<User, IdpError> {
        self.idp.update_user(&host(), request).await
    }

    async fn find(&self, query: UserQuery) -> Vec<String> {
        let request = ListUsers { query, first: Some(1000), after: None };
        let page = self.idp.users(&host(), request).await.unwrap();
        assert_eq!(page.total_count, page.users.len() as u64);
        page.users.into_iter().map(|user| user.id).collect()
    }

    /// The variables of the last request.
    fn variables(&self) -> Value {
        self.platform.take_requests().pop().unwrap().1
    }
}

fn disable(id: &str) -> UpdateUser {
    UpdateUser { id: id.to_owned(), disabled: Some(true), ..UpdateUser::default() }
}

/// An answer with one error.
fn refusal(field: &str, message: &str) -> Value {
    json!({ "data": { field: null }, "errors": [{ "message": message, "path": [field] }] })
}

#[tokio::test]
async fn create_sends_name_password_and_status_as_variables() {
    let world = World::new().await;
    let ana = CreateUser { name: "Ana@Example.com".into(), password: Some(PASSWORD.into()), disabled: true };
    let created = world.idp.create_user(&host(), ana).await.unwrap();
    assert_eq!((&*created.name, created.disabled), ("ana@example.com", true));
    assert_eq!(created.created_at.unwrap().to_string(), "2026-01-01T00:00:00.000Z");
    let expected = json!({ "input": { "name": "ana@example.com", "password": PASSWORD, "disabled": true } });
    assert_eq!(world.variables(), expected);

    let bo = CreateUser { name: "bo@example.com".into(), ..CreateUser::default() };
    let bo = world.idp.create_user(&host(), bo).await.unwrap();
    assert_eq!(world.platform.password(&bo.id), None);
}

#[tokio::test]
async fn user_is_found_by_id_and_by_name() {
    let world = World::new().await;
    let ana = world.create("ana@example.com").await;
    assert_eq!(world.user(&ana.id).await.unwrap(), ana);
    assert_eq!(world.variables(), json!({ "id": ana.id }));
    assert_eq!(world.idp.user(&host(), UserKey::Name("ANA@example.com")).await.unwrap(), ana);
    assert_eq!(world.variables(), json!({ "name": "ana@example.com" }));
}

#[tokio::test]
async fn unknown_user_is_not_found_as_null_and_as_an_error() {
    let world = World::new().await;
    let ana = world.create("ana@example.com").await;
    for _ in 0..2 {
        for id in ["ghost", "", "..", "\") { id } _users { totalCount } #"] {
            assert_eq!(told(world.user(id).await), (Code::NotFound, format!("user not found: {id}")));
        }
        let missing = told(world.idp.user(&host(), UserKey::Name("bo@example.com")).await);
        assert_eq!(missing, (Code::NotFound, "user not found: bo@example.com".to_owned()));
        world.platform.report_unknown_users();
    }
    // The user vanishes between the lookup and the write.
    let gone = (Code::NotFound, format!("user not found: {}", ana.id));
    let missing = "updateUser failed: code: 'Some requested entity was not found', message: \"user not found: x\"";
    let found = || json!({ "data": { "_user": { "id": ana.id, "name": ana.name, "disabled": false } } });
    for answer in [json!({ "data": { "_updateUser": null } }), refusal("_updateUser", missing)] {
        world.platform.fail(200, &[], found());
        world.platform.fail(200, &[], answer);
        assert_eq!(told(world.update(disable(&ana.id)).await), gone);
    }
    for answer in [json!({ "data": { "_deleteUser": null } }), json!({ "data": { "_deleteUser": false } })] {
        world.platform.fail(200, &[], found());
        world.platform.fail(200, &[], answer);
        assert_eq!(told(world.idp.delete_user(&host(), &ana.id).await), gone);
    }
    world.platform.remove(&ana.id);
    assert_eq!(told(world.idp.delete_user(&host(), &ana.id).await), gone);
    let mail = world.idp.send_password_reset_email(&host(), reset_mail(&ana)).await;
    assert_eq!(told(mail), gone);
}

#[tokio::test]
async fn listing_walks_all_users_by_the_cursor_of_the_platform() {
    let world = World::new().await;
    let mut expected = Vec::new();
    for index in 0..230 {
        expected.push(world.create(&format!("user{index}@example.com")).await.id);
    }
    for first in [7, 100, 115, 230, 1000] {
        let (ids, totals) = walk(&world.idp, first).await;
        assert_eq!(ids, expected, "first: {first}");
        assert!(totals.iter().all(|total| *total == 230), "first: {first}");
    }
    let request = |after| ListUsers { first: Some(100), after, ..ListUsers::default() };
    let one = world.idp.users(&host(), request(None)).await.unwrap();
    // Under our seal: a cursor of the platform is no token.
    let cursor = Some(format!("after {}", expected[99]));
    assert_eq!(told(world.idp.users(&host(), request(cursor)).await).0, Code::InvalidArgument);
    // A user who is deleted meanwhile moves nobody.
    world.platform.remove(&expected[0]);
    let two = world.idp.users(&host(), request(one.next_page_token)).await.unwrap();
    assert_eq!((&two.users[0].id, two.total_count), (&expected[100], 229));
    assert_eq!(walk(&World::new().await.idp, 10).await, (vec![], vec![0]));
}

#[tokio::test]
async fn ids_and_names_are_filtered_by_the_platform_a_hundred_at_a_time() {
    let world = World::new().await;
    let mut users = Vec::new();
    for index in 0..120 {
        users.push(world.create(&format!("user{index}@example.com")).await);
    }
    let all: Vec<_> = users.iter().map(|user| &*user.id).chain(["ghost"]).collect();
    assert_eq!(world.find(ids(&all)).await.len(), 120);
    assert_eq!(world.platform.take_requests().len(), 2);
    let all: Vec<_> = users.iter().map(|user| &*user.name).chain(["nobody@example.com"]).collect();
    assert_eq!(world.find(names(&all)).await.len(), 120);
    assert_eq!(world.platform.take_requests().len(), 2);
    let both = UserQuery { ids: ids(&[&users[0].id, &users[1].id]).ids, ..names(&[&users[1].name, &users[2].name]) };
    assert_eq!(world.find(both).await, [&*users[1].id]);

    world.platform.take_requests();
    assert_eq!(world.find(ids(&[])).await, [""; 0]);
    assert_eq!(world.platform.take_requests(), []);
    // Users whom nobody asked for are never listed.
    world.platform.ignore_filters();
    let request = ListUsers { query: ids(&["ghost"]), ..ListUsers::default() };
    assert_eq!(told(world.idp.users(&host(), request).await).0, Code::Internal);
}

#[tokio::test]
async fn page_without_the_cursor_of_the_next_is_no_short_list() {
    let world = World::new().await;
    let page = json!({ "edges": [], "pageInfo": { "hasNextPage": true, "endCursor": null }, "totalCount": 3 });
    for answer in [json!({ "data": { "_users": page } }), json!({ "data": { "_users": null } })] {
        world.platform.fail(200, &[], answer);
        assert_eq!(told(world.idp.users(&host(), ListUsers::default()).await).0, Code::Internal);
    }
}

#[tokio::test]
async fn update_is_one_mutation_with_what_changes() {
    let world = World::new().await;
    let ana = world.create("ana@example.com").await;
    let request = UpdateUser {
        id: ana.id.clone(),
        name: Some("Bo@Example.com".into()),
        password: Some("another password".into()),
        clear_password: false,
        disabled: Some(true),
    };
    let updated = world.update(request).await.unwrap();
    assert_eq!((&updated.id, &*updated.name, updated.disabled), (&ana.id, "bo@example.com", true));
    let requests = world.platform.take_requests();
    let input = json!({ "id": ana.id, "name": "bo@example.com", "password": "another password", "disabled": true });
    assert_eq!((requests.len(), &requests[1].1), (2, &json!({ "input": input })));
    assert_eq!(world.platform.password(&ana.id).as_deref(), Some("another password"));

    let request = UpdateUser { id: ana.id.clone(), name: Some("BO@example.com".into()), ..UpdateUser::default() };
    assert_eq!(world.update(request).await.unwrap(), updated);
    assert_eq!(world.platform.take_requests().len(), 1, "an update that changes nothing only reads");
}

#[tokio::test]
async fn clear_password_removes_it_at_the_platform() {
    let world = World::new().await;
    let ana = world.create("ana@example.com").await;
    let request = UpdateUser { id: ana.id.clone(), clear_password: true, ..UpdateUser::default() };
    world.update(request).await.unwrap();
    assert_eq!(world.variables(), json!({ "input": { "id": ana.id, "clearPassword": true } }));
    assert_eq!(world.platform.password(&ana.id), None);
}

#[tokio::test]
async fn delete_removes_the_user() {
    let world = World::new().await;
    let ana = world.create("ana@example.com").await;
    world.idp.delete_user(&host(), &ana.id).await.unwrap();
    assert_eq!(world.variables(), json!({ "id": ana.id }));
    assert_eq!(told(world.user(&ana.id).await).0, Code::NotFound);
}

#[tokio::test]
async fn reset_mail_has_redirect_sender_and_subject() {
    let world = World::new().await;
    let ana = world.create("ana@example.com").await;
    let plain = json!({ "userId": ana.id, "redirectUri": "https://app.example.com/done" });
    world.idp.send_password_reset_email(&host(), reset_mail(&ana)).await.unwrap();
    let mail = SendPasswordResetEmail {
        from_name: Some("Staff".into()),
        subject: Some("A \"new\" password".into()),
        ..reset_mail(&ana)
    };
    world.idp.send_password_reset_email(&host(), mail).await.unwrap();
    let mut named = plain.clone();
    named["fromName"] = "Staff".into();
    named["subject"] = "A \"new\" password".into();
    assert_eq!(world.platform.mails(), [plain, named]);
}

#[tokio::test]
async fn factors_are_shown_and_removed() {
    let world = World::new().await;
    let ana = world.create("ana@example.com").await;
    assert!(!ana.mfa_enrolled);
    world.platform.add_factor(&ana.id, "f1");
    world.platform.add_factor(&ana.id, "f2");
    let enrolled = world.user(&ana.id).await.unwrap();
    assert_eq!((enrolled.mfa_enrolled, enrolled.mfa_factor_ids), (true, vec!["f1".to_owned(), "f2".to_owned()]));
    let request = |factor: &str| UnenrollMfa { user_id: ana.id.clone(), mfa_factor_id: factor.into() };
    world.idp.unenroll_mfa(&host(), request("f1")).await.unwrap();
    assert_eq!(world.variables(), json!({ "input": { "userId": ana.id, "mfaFactorId": "f1" } }));
    assert_eq!(world.user(&ana.id).await.unwrap().mfa_factor_ids, ["f2"]);
    let unknown = told(world.idp.unenroll_mfa(&host(), request("f1")).await);
    assert_eq!(unknown, (Code::NotFound, "MFA factor not found: f1".to_owned()));
    // Where the platform has MFA off.
    let user = json!({ "id": ana.id, "name": "ana", "disabled": false, "mfaEnrolled": false, "mfaFactorIds": ["f2"] });
    world.platform.fail(200, &[], json!({ "data": { "_user": user } }));
    let user = world.user(&ana.id).await.unwrap();
    assert_eq!((user.mfa_enrolled, user.mfa_factor_ids), (false, vec![]));
}

#[tokio::test]
async fn errors_in_the_form_of_the_platform_keep_their_code() {
    let world = World::new().await;
    world.create("ana@example.com").await;
    let again = CreateUser { name: "ana@example.com".into(), ..CreateUser::default() };
    let taken = told(world.idp.create_user(&host(), again).await);
    assert_eq!(taken, (Code::AlreadyExists, "user already exists: ana@example.com".to_owned()));

    let denied = "user failed: code: 'The caller does not have permission to execute the specified operation', \
                  message: \"permission denied: \\\"read\\\"\"";
    let expected = (Code::PermissionDenied, "permission denied: \"read\"".to_owned());
    // The first of several that has the form; and whatever status a refusal has.
    let several = json!({ "data": null, "errors": [{ "message": "at line 1" }, { "message": denied }] });
    for (status, answer) in [(200, refusal("_user", denied)), (200, several), (400, refusal("_user", denied))] {
        world.platform.fail(status, &[], answer);
        assert_eq!(told(world.user("x").await), expected, "{status}");
    }
}

#[tokio::test]
async fn errors_in_any_other_form_are_internal_and_for_the_host_alone() {
    let world = World::new().await;
    let internal = "user failed: code: 'Internal error', message: \"row 17 of table users\"";
    for message in ["row 17 of table users", internal] {
        world.platform.fail(200, &[], refusal("_user", message));
        let failed = world.user("x").await.unwrap_err();
        assert_eq!((failed.code(), failed.detail()), (Code::Internal, "internal error"));
        let log = logged(&failed);
        assert!(log.contains("Tailor Platform, namespace main-idp: ") && log.contains("row 17"), "{log}");
    }
    world.platform.fail(200, &[], refusal("_user", &"x".repeat(2000)));
    let log = logged(&world.user("x").await.unwrap_err());
    assert!(log.contains(&"x".repeat(400)) && !log.contains(&"x".repeat(513)), "{log}");
    // No answer of a GraphQL server.
    for body in ["{}", "[]", "<html>", "{\"data\":null}", "{\"data\":{\"_user\":{\"id\":7}}}"] {
        world.platform.fail(200, &[], body);
        let failed = told(world.user("x").await);
        match body {
            "{\"data\":null}" => assert_eq!(failed.0, Code::Unavailable),
            _ => assert_eq!(
                failed,
                (Code::Unavailable, "Tailor Platform answered with something else than its API".into())
            ),
        }
    }
}

#[tokio::test]
async fn partial_data_of_a_query_is_an_error() {
    let world = World::new().await;
    let page = json!({ "edges": [], "pageInfo": { "hasNextPage": false, "endCursor": null }, "totalCount": 0 });
    let answer = json!({ "data": { "_users": page }, "errors": [{ "message": "a shard is away" }] });
    world.platform.fail(200, &[], answer);
    assert_eq!(told(world.idp.users(&host(), ListUsers::default()).await).0, Code::Internal);
}

#[tokio::test]
async fn mutation_with_a_result_took_effect_whatever_errors_came_with_it() {
    let world = World::new().await;
    let create = || CreateUser { name: "ana@example.com".into(), ..CreateUser::default() };
    let user = json!({ "id": "u1", "name": "ana@example.com", "disabled": false, "createdAt": null });
    let errors = json!([{ "message": "no factors", "path": ["_createUser", "mfaFactorIds"] }]);
    world.platform.fail(200, &[], json!({ "data": { "_createUser": user }, "errors": errors }));
    let created = world.idp.create_user(&host(), create()).await.unwrap();
    assert_eq!((&*created.id, created.created_at), ("u1", None));
    // Not all of the user: created, but nobody knows it for sure.
    for data in [json!({ "_createUser": { "id": "u1" } }), json!({ "_createUser": {} })] {
        world.platform.fail(200, &[], json!({ "data": data, "errors": errors }));
        let (code, detail) = told(world.idp.create_user(&host(), create()).await);
        assert_eq!(code, Code::Aborted);
        assert!(detail.ends_with("it is not known whether the user was created"), "{detail}");
    }
}

#[tokio::test]
async fn writes_that_must_not_happen_twice_are_not_repeated() {
    let world = World::with(|options| options.retries = 1, permissive()).await;
    let ana = world.create("ana@example.com").await;
    world.platform.fail(500, &[], "");
    let bo = || CreateUser { name: "bo@example.com".into(), ..CreateUser::default() };
    let expected = "Tailor Platform answered with status 500: it is not known whether the user was created";
    let failed = told(world.idp.create_user(&host(), bo()).await);
    assert_eq!(failed, (Code::Unavailable, expected.to_owned()));
    assert_eq!(world.platform.take_requests().len(), 1);
    // Reads and absolute values are.
    world.platform.fail(500, &[], "");
    world.user(&ana.id).await.unwrap();
    assert_eq!(world.platform.take_requests().len(), 2);
    // And anything that was refused for now.
    world.platform.fail(429, &[("retry-after", "0")], "");
    world.idp.create_user(&host(), bo()).await.unwrap();
}

#[tokio::test]
async fn deletion_whose_answer_was_lost_is_done_when_it_is_repeated() {
    let world = World::with(|options| options.retries = 1, permissive()).await;
    let ana = world.create("ana@example.com").await;
    let found = json!({ "data": { "_user": { "id": ana.id, "name": ana.name, "disabled": false } } });
    let gone = json!({ "data": { "_deleteUser": false } });
    for (status, outcome) in [(500, Ok(())), (429, Err(Code::NotFound))] {
        world.platform.fail(200, &[], &found);
        world.platform.fail(status, &[("retry-after", "0")], "");
        world.platform.fail(200, &[], &gone);
        let deleted = world.idp.delete_user(&host(), &ana.id).await;
        assert_eq!(deleted.map_err(|error| error.code()), outcome, "{status}");
    }
}

#[tokio::test]
async fn limit_of_the_platform_is_resource_exhausted_with_the_time_to_wait() {
    let world = World::new().await;
    world.platform.fail(429, &[("retry-after", "7")], "");
    let expected = "Tailor Platform takes no more requests for now: try again in 7 s";
    assert_eq!(told(world.user("x").await), (Code::ResourceExhausted, expected.to_owned()));
}

#[tokio::test]
async fn refused_password_is_an_invalid_argument_with_the_reason_and_never_the_password() {
    let world = World::new().await;
    let ana = world.create("ana@example.com").await;
    for password in ["secret1", "a\"b\\cé"] {
        let create =
            CreateUser { name: "bo@example.com".into(), password: Some(password.into()), ..CreateUser::default() };
        let update = UpdateUser { id: ana.id.clone(), password: Some(password.into()), ..UpdateUser::default() };
        for refused in [world.idp.create_user(&host(), create).await, world.update(update).await] {
            let refused = refused.unwrap_err();
            let expected = "password [redacted] is shorter than 8";
            assert_eq!((refused.code(), refused.detail()), (Code::InvalidArgument, expected));
            assert!(!logged(&refused).contains(password), "{}", logged(&refused));
        }
        // Wherever an answer has it.
        let request = || UpdateUser { id: ana.id.clone(), password: Some(password.into()), ..UpdateUser::default() };
        let found = json!({ "data": { "_user": { "id": ana.id, "name": ana.name, "disabled": false } } });
        for answer in
            [refusal("_updateUser", password), json!({ "data": { "_updateUser": password } }), json!(password)]
        {
            world.platform.fail(200, &[], &found);
            world.platform.fail(200, &[], answer);
            let failed = world.update(request()).await.unwrap_err();
            let log = logged(&failed);
            assert!(!log.contains(password), "{log}");
        }
    }
}

#[tokio::test]
async fn token_is_requested_once_and_again_after_it_was_refused() {
    let world = World::new().await;
    let ana = world.create("ana@example.com").await;
    let lookups = (0..8).map(|_| world.user(&ana.id));
    futures::future::try_join_all(lookups).await.unwrap();
    assert_eq!(world.platform.tokens(), 1);
    world.platform.revoke_tokens();
    world.user(&ana.id).await.unwrap();
    assert_eq!(world.platform.tokens(), 3);
}

#[tokio::test]
async fn wrong_secret_is_unauthenticated_and_no_secret_is_logged() {
    let platform = FakePlatform::new();
    let peer = Peer::start(platform.server()).await;
    let wrong = "wr0ng/+&=secret";
    let directory = Tailor::builder(peer.url.as_str(), CLIENT_ID, wrong, "main-idp").build().unwrap();
    assert!(!format!("{directory:?}").contains(wrong), "{directory:?}");
    let failed = router_under(directory, permissive()).user(&host(), UserKey::Id("x")).await.unwrap_err();
    assert_eq!(failed.code(), Code::Unauthenticated);
    assert_eq!(failed.detail(), "Tailor Platform refuses the credentials of the host");
    // The fake quotes the form.
    assert!(logged(&failed).contains("invalid_client"), "{}", logged(&failed));
    assert!(!logged(&failed).contains(wrong), "{}", logged(&failed));

    let world = World::new().await;
    world.user("x").await.unwrap_err();
    world.platform.fail(403, &[], "access-token-1 may not do this");
    let failed = world.user("x").await.unwrap_err();
    assert_eq!(failed.code(), Code::Unauthenticated);
    assert!(!logged(&failed).contains("access-token-1"), "{}", logged(&failed));
}

#[test]
fn hostile_names_are_variables_and_never_part_of_a_document() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let world = runtime.block_on(World::with(|_| {}, permissive().name_kind(NameKind::Any)));
    let hostile = prop_oneof![
        "[\"'\\\\{}()$#\u{2028}\u{feff}a-z: ]{1,40}",
        "\"\\) \\{ id \\} _deleteUser\\(id: \"[a-z0-9]{1,8}",
        "\\$(input|name|id)",
        "\\PC{1,60}",
    ];
    let documents = Mutex::new(HashSet::new());
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(64) });
    let outcome = runner.run(&hostile, |name| {
        runtime.block_on(async {
            world.platform.take_requests();
            let user = CreateUser { name: name.clone(), ..CreateUser::default() };
            let created = match world.idp.create_user(&host(), user).await {
                // The name is taken, or no name.
                Err(error) if matches!(error.code(), Code::AlreadyExists | Code::InvalidArgument) => return Ok(()),
                created => created.map_err(|error| TestCaseError::fail(logged(&error)))?,
            };
            let found = world.idp.user(&host(), UserKey::Name(&name)).await;
            prop_assert_eq!(found.map_err(|error| TestCaseError::fail(logged(&error)))?, created.clone());
            let page = world.idp.users(&host(), ListUsers { query: names(&[&name]), ..ListUsers::default() }).await;
            let listed = page.map_err(|error| TestCaseError::fail(logged(&error)))?.users;
            prop_assert_eq!(&listed[..], &[created.clone()][..]);
            let requests = world.platform.take_requests();
            documents.lock().unwrap().extend(requests.iter().map(|(document, _)| document.clone()));
            prop_assert_eq!(&requests[0].1["input"]["name"], &created.name);
            prop_assert_eq!(&requests[1].1["name"], &created.name);
            prop_assert_eq!(&requests[2].1["values"][0], &created.name);
            Ok(())
        })?;
        Ok(())
    });
    outcome.unwrap();
    assert_eq!(documents.into_inner().unwrap().len(), 3, "creating, finding and listing");
}

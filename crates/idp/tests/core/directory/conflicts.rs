//! Writes that conflict are decided and called again, a bounded number of times. Other failures are not.

use std::time::{Duration, Instant};

use pretty_assertions::assert_eq;
use serde_json::json;
use tailor_idp_core::{Code, CreateUser, IdentityProvider, IdpError, Permission, UpdateUser};

use super::fixture::{Fault, TestDirectory, Write, anonymous, compile, everybody, failure, host, router};

/// The number of calls of a write that conflicts each time.
const MAX_ATTEMPTS: usize = 20;

fn conflicts(count: usize) -> impl Iterator<Item = Fault> {
    (0..count).map(|_| Fault::Error(IdpError::conflict()))
}

#[tokio::test]
async fn writes_are_repeated_after_conflicts() {
    for write in Write::ALL {
        for count in [1, 2, MAX_ATTEMPTS - 1] {
            let directory = TestDirectory::complete();
            let idp = router(&directory, Permission::allow_all());
            directory.fail(conflicts(count));
            write.call(&idp, &host()).await.unwrap();
            assert_eq!(directory.calls(), ["get", write.method()].repeat(count + 1), "{write:?}");
        }
    }
}

#[tokio::test]
async fn writes_fail_as_aborted_when_conflicts_do_not_end() {
    for write in Write::ALL {
        let directory = TestDirectory::complete();
        let idp = router(&directory, Permission::allow_all());
        let before = directory.users();
        directory.fail(conflicts(1000));
        let expected = (Code::Aborted, "the user changed at the same time, try again".to_owned());
        assert_eq!(failure(write.call(&idp, &host()).await), expected, "{write:?}");
        assert_eq!(directory.calls(), ["get", write.method()].repeat(MAX_ATTEMPTS), "{write:?}");
        assert_eq!(directory.users(), before);
    }
}

#[tokio::test]
async fn writes_are_not_repeated_after_other_failures() {
    for write in Write::ALL {
        for code in [Code::Aborted, Code::Unavailable, Code::DeadlineExceeded, Code::Internal, Code::NotFound] {
            let directory = TestDirectory::complete();
            let idp = router(&directory, Permission::allow_all());
            // The text of a conflict does not make one.
            let error = || IdpError::new(code, IdpError::conflict().detail());
            directory.fail((0..1000).map(|_| Fault::Error(error())));
            assert_eq!(failure(write.call(&idp, &host()).await).0, code, "{write:?}");
            assert_eq!(directory.calls(), ["get", write.method()], "{write:?}");
        }
    }
}

#[tokio::test]
async fn create_is_not_repeated() {
    let directory = TestDirectory::complete();
    let idp = router(&directory, Permission::allow_all());
    directory.fail(conflicts(1000));
    let request = CreateUser { name: "dee@example.com".into(), ..CreateUser::default() };
    assert_eq!(failure(idp.create_user(&host(), request).await).0, Code::Aborted);
    assert_eq!(directory.calls(), ["create"]);
}

#[tokio::test]
async fn permission_is_decided_anew_after_a_conflict() {
    let enabled = |user: &str| json!([{ "conditions": [[{ user: "disabled" }, "=", false]] }]);
    let permission = compile(json!({
        "update": enabled("oldIdpUser"),
        "delete": enabled("idpUser"),
        "sendPasswordResetEmail": enabled("idpUser"),
        "unenrollMfa": enabled("idpUser"),
        "read": everybody(),
    }));
    for write in Write::ALL {
        let directory = TestDirectory::complete();
        let idp = router(&directory, permission.clone());
        directory.fail([Fault::Change(|users| {
            users[0].disabled = true;
            users[0].version.0 += 1;
        })]);
        assert_eq!(failure(write.call(&idp, &anonymous()).await).0, Code::PermissionDenied, "{write:?}");
        assert_eq!(directory.calls(), ["get", write.method(), "get"], "{write:?}");
        let ana = directory.users().remove(0);
        let unchanged = (ana.id.as_str(), ana.name.as_str(), ana.mfa_factor_ids.len());
        assert_eq!(unchanged, ("ana-id", "ana@example.com", 1), "{write:?}");
    }
}

#[tokio::test]
async fn new_user_of_an_update_contains_the_concurrent_change() {
    // Ana may be renamed or disabled, but not both.
    let conditions = json!([[{ "newIdpUser": "disabled" }, "=", false]]);
    let permission = compile(json!({ "update": [{ "conditions": conditions }] }));
    let directory = TestDirectory::complete();
    let idp = router(&directory, permission);
    directory.fail([Fault::Change(|users| {
        users[0].disabled = true;
        users[0].version.0 += 1;
    })]);
    assert_eq!(failure(Write::Update.call(&idp, &anonymous()).await).0, Code::PermissionDenied);
    assert_eq!(directory.users()[0].name, "ana@example.com");
}

#[tokio::test]
async fn update_keeps_concurrent_changes_of_other_fields() {
    let directory = TestDirectory::complete();
    let idp = router(&directory, Permission::allow_all());
    directory.fail([Fault::Change(|users| {
        users[0].disabled = true;
        users[0].version.0 += 1;
    })]);
    let request = UpdateUser { id: "ana-id".into(), name: Some("anna@example.com".into()), ..UpdateUser::default() };
    let user = idp.update_user(&host(), request).await.unwrap();
    assert_eq!((user.name.as_str(), user.disabled), ("anna@example.com", true));
}

#[tokio::test]
async fn writes_fail_when_the_user_is_deleted_concurrently() {
    for write in Write::ALL {
        let directory = TestDirectory::complete();
        let idp = router(&directory, Permission::allow_all());
        directory.fail([Fault::Error(IdpError::conflict()), Fault::Change(|users| drop(users.remove(0)))]);
        let expected = (Code::NotFound, "user not found: ana-id".to_owned());
        assert_eq!(failure(write.call(&idp, &host()).await), expected, "{write:?}");
    }
}

#[tokio::test]
async fn password_is_hashed_once_when_the_update_is_repeated() {
    let directory = TestDirectory::complete();
    let idp = router(&directory, Permission::allow_all());
    directory.fail(conflicts(5));
    let request = UpdateUser { id: "ana-id".into(), password: Some("correct horse".into()), ..UpdateUser::default() };
    idp.update_user(&host(), request).await.unwrap();
    assert_eq!((directory.calls().len(), directory.hashed()), (12, 1));
}

#[tokio::test]
async fn writes_are_not_repeated_after_the_deadline() {
    for write in Write::ALL {
        let directory = TestDirectory::complete();
        let idp = router(&directory, Permission::allow_all());
        directory.fail(conflicts(1));
        let error = write.call(&idp, &host().deadline(Instant::now())).await.unwrap_err();
        assert_eq!((error.code(), error.is_conflict()), (Code::DeadlineExceeded, false), "{write:?}");
        assert_eq!(directory.calls(), ["get", write.method()], "{write:?}");
        directory.fail(conflicts(1));
        write.call(&idp, &host().deadline(Instant::now() + Duration::from_secs(3600))).await.unwrap();
    }
}

//! MFA: enrolment, codes, keys, and rows that were changed in the store.

pub(crate) mod world;

use std::time::Duration;

use futures::future::join_all;
use pretty_assertions::assert_eq;
use rusqlite::Connection;
use secrecy::ExposeSecret;
use tailor_idp_core::{
    AttemptLimits, CallContext, Code, IdentityProvider, IdpError, MfaKey, MfaState, Principal, UnenrollMfa, UpdateUser,
    User,
};

use self::world::{App, STEP, World, host, key, settings, wrong};
use crate::support::namespace;

/// The code and the detail of a failure.
fn failure<T: std::fmt::Debug>(outcome: Result<T, IdpError>) -> (Code, String) {
    let error = outcome.unwrap_err();
    (error.code(), error.detail().to_owned())
}

#[tokio::test]
async fn factor_counts_after_a_code_of_it_confirmed_it() {
    let world = World::new().await;
    let ana = world.create("ana@example.com").await;
    let app = world.begin(&ana).await;
    assert_eq!(world.user(&ana.id).await, ana, "unconfirmed");
    assert!(!world.passes(&ana, &world.code(&app, 0)).await, "an unconfirmed factor does not count");
    assert!(!world.confirm(&ana, &app, &wrong(&world.code(&app, 0))).await.unwrap());
    assert!(world.confirm(&ana, &app, &world.code(&app, 0)).await.unwrap(), "after a wrong one");
    let enrolled = world.user(&ana.id).await;
    assert_eq!((enrolled.mfa_enrolled, enrolled.mfa_factor_ids), (true, vec![app.factor_id.clone()]));
    assert!(!world.passes(&ana, &world.code(&app, 0)).await, "the confirming code is used up");
    assert!(world.passes(&ana, &world.code(&app, 1)).await);
    assert_eq!(
        failure(world.confirm(&ana, &app, &world.code(&app, 0)).await),
        (Code::NotFound, format!("MFA enrolment not found: {}", app.factor_id))
    );
}

#[tokio::test]
async fn verify_password_reports_the_mfa_step_that_is_due() {
    let world = World::with(settings().require_mfa(true), [key(1)]).await;
    let ana = world.create("ana@example.com").await;
    let sign_in = async || world.idp.verify_password("home", "ana@example.com", "correct horse".into()).await;
    assert_eq!(sign_in().await.unwrap().unwrap().mfa, MfaState::EnrollmentDue);
    world.enrol(&ana).await;
    assert_eq!(sign_in().await.unwrap().unwrap().mfa, MfaState::CodeDue);
}

#[tokio::test]
async fn enrollment_contains_the_secret_but_debug_output_and_database_do_not() {
    let world = World::with(settings().mfa_issuer("Example"), [key(1)]).await;
    let ana = world.create("ana@example.com").await;
    let enrollment = world.idp.begin_mfa_enrollment("home", &ana.id).await.unwrap();
    let secret = enrollment.secret.expose_secret();
    assert_eq!(secret.len(), 32, "160 bits in base32");
    assert_eq!(
        enrollment.otpauth_uri.expose_secret(),
        format!("otpauth://totp/Example:ana%40example.com?secret={secret}&issuer=Example")
    );
    let printed = format!("{enrollment:?}");
    assert!(printed.contains(&enrollment.factor_id) && !printed.contains(secret), "{printed}");

    let plain = world.again(settings(), [key(1)]).await.begin(&ana).await;
    assert_eq!(plain.totp.issuer(), Some("Tailor Platform IdP"));
    let bytes = plain.totp.secret().as_bytes();
    // The write-ahead log contains the newest rows.
    for file in world.path.parent().unwrap().read_dir().unwrap() {
        let content = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!content.windows(bytes.len()).any(|window| window == bytes), "the secret is stored in plaintext");
    }
}

#[tokio::test]
async fn enrollment_expires_after_ten_minutes_and_is_replaced_by_the_next() {
    let world = World::new().await;
    let ana = world.create("ana@example.com").await;
    let late = world.begin(&ana).await;
    world.advance(600);
    let outcome = world.confirm(&ana, &late, &world.code(&late, 0)).await;
    assert_eq!(failure(outcome), (Code::NotFound, format!("MFA enrolment not found: {}", late.factor_id)));

    let first = world.begin(&ana).await;
    let second = world.begin(&ana).await;
    assert_eq!(failure(world.confirm(&ana, &first, &world.code(&first, 0)).await).0, Code::NotFound);
    world.advance(599);
    assert!(world.confirm(&ana, &second, &world.code(&second, 0)).await.unwrap());
    assert_eq!(world.user(&ana.id).await.mfa_factor_ids, [second.factor_id]);
}

#[tokio::test]
async fn verify_mfa_accepts_codes_one_step_early_and_late() {
    for (later, taken) in [(-2, false), (-1, true), (0, true), (1, true), (2, false)] {
        let world = World::new().await;
        let ana = world.create("ana@example.com").await;
        let app = world.enrol(&ana).await;
        assert_eq!(world.passes(&ana, &world.code(&app, later)).await, taken, "{later} steps later");
    }
}

#[tokio::test]
async fn verify_mfa_accepts_a_code_once_and_no_older_one_after_it() {
    let world = World::new().await;
    let ana = world.create("ana@example.com").await;
    let app = world.enrol(&ana).await;
    let [before, now, after] = [-1, 0, 1].map(|later| world.code(&app, later));
    assert!(world.passes(&ana, &now).await);
    assert!(!world.passes(&ana, &now).await, "again");
    assert!(!world.passes(&ana, &before).await, "of an earlier step");
    assert!(world.passes(&ana, &after).await);
    world.advance(STEP);
    assert!(!world.passes(&ana, &after).await, "again, in its own step");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn verify_mfa_accepts_a_code_once_when_called_concurrently() {
    let limits = AttemptLimits { per_user: 1000, ..AttemptLimits::default() };
    let world = World::with(settings().attempt_limits(limits), [key(1)]).await;
    let ana = world.create("ana@example.com").await;
    let app = world.enrol(&ana).await;
    for _ in 0..5 {
        world.advance(2 * STEP);
        let code = world.code(&app, 0);
        let verifications = (0..20).map(|_| {
            let (idp, id, code) = (world.idp.clone(), ana.id.clone(), code.clone());
            tokio::spawn(async move { idp.verify_mfa("home", &id, &code).await.unwrap() })
        });
        let verified = join_all(verifications).await.into_iter().filter(|verified| *verified.as_ref().unwrap());
        assert_eq!(verified.count(), 1);
    }
}

#[tokio::test]
async fn verify_mfa_accepts_codes_of_all_factors_until_they_are_removed() {
    let world = World::new().await;
    let ana = world.create("ana@example.com").await;
    let (phone, tablet) = (world.enrol(&ana).await, world.enrol(&ana).await);
    assert!(world.passes(&ana, &world.code(&phone, 0)).await);
    assert!(world.passes(&ana, &world.code(&tablet, 0)).await);
    let anonymous = CallContext::new(namespace("home"), Principal::Anonymous);
    let request = UnenrollMfa { user_id: ana.id.clone(), mfa_factor_id: phone.factor_id.clone() };
    world.idp.unenroll_mfa(&anonymous, request).await.unwrap();
    world.advance(STEP);
    assert!(!world.passes(&ana, &world.code(&phone, 0)).await);
    assert!(world.passes(&ana, &world.code(&tablet, 0)).await);
}

#[tokio::test]
async fn enrollment_is_refused_when_the_user_has_ten_factors() {
    let world = World::new().await;
    let ana = world.create("ana@example.com").await;
    for _ in 0..10 {
        world.enrol(&ana).await;
    }
    assert_eq!(
        failure(world.idp.begin_mfa_enrollment("home", &ana.id).await),
        (Code::ResourceExhausted, "a user can have at most 10 MFA factors: got 10".to_owned())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_enrollment_can_be_confirmed_when_many_begin_concurrently() {
    let world = World::new().await;
    let ana = world.create("ana@example.com").await;
    let enrollments = (0..8).map(|_| {
        let (idp, id) = (world.idp.clone(), ana.id.clone());
        tokio::spawn(async move { App::of(&idp.begin_mfa_enrollment("home", &id).await.unwrap()) })
    });
    let mut confirmed = 0;
    for app in join_all(enrollments).await {
        let app = app.unwrap();
        match world.confirm(&ana, &app, &world.code(&app, 0)).await {
            Ok(true) => confirmed += 1,
            outcome => assert_eq!(failure(outcome).0, Code::NotFound),
        }
    }
    assert_eq!((confirmed, world.user(&ana.id).await.mfa_factor_ids.len()), (1, 1));
}

#[tokio::test]
async fn verify_mfa_rejects_unknown_factorless_and_disabled_users() {
    let world = World::new().await;
    let (ana, bo) = (world.create("ana@example.com").await, world.create("bo@example.com").await);
    let app = world.enrol(&ana).await;
    assert!(!world.passes(&bo, &world.code(&app, 0)).await, "another's code");
    let ghost = User { id: "ghost".into(), ..bo.clone() };
    assert!(!world.passes(&ghost, &world.code(&app, 0)).await);
    let disabled = |disabled| UpdateUser { id: ana.id.clone(), disabled: Some(disabled), ..UpdateUser::default() };
    world.idp.update_user(&host(), disabled(true)).await.unwrap();
    assert!(!world.passes(&ana, &world.code(&app, 0)).await);
    world.idp.update_user(&host(), disabled(false)).await.unwrap();
    assert!(world.passes(&ana, &world.code(&app, 0)).await, "no code was used up");
}

#[tokio::test]
async fn wrong_codes_are_limited_at_enrollment_and_at_verification() {
    let limits = AttemptLimits { per_user: 3, per_namespace: 100, window: Duration::from_secs(600) };
    let world = World::with(settings().attempt_limits(limits), [key(1)]).await;
    let ana = world.create("ana@example.com").await;
    let app = world.begin(&ana).await;
    let code = world.code(&app, 0);
    for _ in 0..3 {
        assert!(!world.confirm(&ana, &app, &wrong(&code)).await.unwrap());
    }
    let refused = (Code::ResourceExhausted, "too many failed attempts: try again in 600 s".to_owned());
    assert_eq!(failure(world.confirm(&ana, &app, &code).await), refused);
    world.advance(600);
    let app = world.enrol(&ana).await;
    let ghost = User { id: "ghost".into(), ..ana.clone() };
    for user in [&ana, &ghost] {
        for _ in 0..3 {
            assert!(!world.passes(user, &wrong(&world.code(&app, 0))).await);
        }
        assert_eq!(failure(world.verify(user, &world.code(&app, 0)).await), refused);
    }
    world.advance(600);
    assert!(world.passes(&ana, &world.code(&app, 0)).await);
}

#[tokio::test]
async fn mfa_fails_when_it_is_disabled_or_the_key_is_missing() {
    let world = World::new().await;
    let ana = world.create("ana@example.com").await;
    let app = world.enrol(&ana).await;

    let off = world.again(settings().enable_mfa(false), [key(1)]).await;
    let refused = (Code::FailedPrecondition, "MFA is not enabled in namespace home: enableMfa is not set".to_owned());
    assert_eq!(failure(off.idp.begin_mfa_enrollment("home", &ana.id).await), refused);
    assert_eq!(failure(off.confirm(&ana, &app, "000000").await), refused);
    assert_eq!(failure(off.verify(&ana, &world.code(&app, 0)).await), refused);
    let sign_in = off.idp.verify_password("home", "ana@example.com", "correct horse".into()).await.unwrap().unwrap();
    assert_eq!((sign_in.mfa, sign_in.user.mfa_enrolled), (MfaState::NotDue, false));

    let keyless = world.again(settings(), []).await;
    assert_eq!(
        failure(keyless.idp.begin_mfa_enrollment("home", &ana.id).await),
        (Code::FailedPrecondition, "no MFA key is set".to_owned())
    );
    assert_eq!(
        failure(keyless.verify(&ana, &world.code(&app, 0)).await),
        (Code::FailedPrecondition, "the MFA key of version 1 is not set".to_owned())
    );
    for idp in [&world.idp, &keyless.idp] {
        assert_eq!(
            failure(idp.begin_mfa_enrollment("home", "ghost").await),
            (Code::NotFound, "user not found: ghost".to_owned())
        );
    }
}

#[tokio::test]
async fn code_and_success_are_recorded_together() {
    let world = World::new().await;
    let ana = world.create("ana@example.com").await;
    let raw = |sql| Connection::open(&world.path).unwrap().execute_batch(sql).unwrap();
    let trigger = "CREATE TRIGGER keep_counters BEFORE DELETE ON counters BEGIN SELECT RAISE(ABORT, 'kept'); END";
    let app = world.begin(&ana).await;
    raw(trigger);
    assert_eq!(world.confirm(&ana, &app, &world.code(&app, 0)).await.unwrap_err().code(), Code::Internal);
    assert!(!world.user(&ana.id).await.mfa_enrolled);
    raw("DROP TRIGGER keep_counters");
    assert!(world.confirm(&ana, &app, &world.code(&app, 0)).await.unwrap());
    world.advance(5 * STEP);
    raw(trigger);
    assert_eq!(world.verify(&ana, &world.code(&app, 0)).await.unwrap_err().code(), Code::Internal);
    raw("DROP TRIGGER keep_counters");
    assert!(world.passes(&ana, &world.code(&app, 0)).await, "the code was not used");
}

#[tokio::test]
async fn verify_mfa_fails_when_the_key_is_another() {
    let world = World::new().await;
    let ana = world.create("ana@example.com").await;
    let app = world.enrol(&ana).await;
    let other = world.again(settings(), [MfaKey::new(1, [9; 32])]).await;
    let error = other.verify(&ana, &world.code(&app, 0)).await.unwrap_err();
    assert_eq!((error.code(), error.detail()), (Code::Internal, "internal error"));
    let source = std::error::Error::source(&error).unwrap().to_string();
    let id = &app.factor_id;
    assert_eq!(
        source,
        format!("the secret of MFA factor {id} does not open: it was sealed with another key, or changed in the store")
    );
}

#[tokio::test]
async fn verify_mfa_fails_for_a_secret_changed_in_the_store_and_accepts_other_factors() {
    let world = World::new().await;
    let ana = world.create("ana@example.com").await;
    let (phone, tablet) = (world.enrol(&ana).await, world.enrol(&ana).await);
    world.raw(
        "UPDATE mfa_factors
         SET secret = CAST(substr(secret, 1, 30) || iif(substr(secret, 31, 1) = x'00', x'01', x'00') || substr(secret, 32)
           AS BLOB)
         WHERE id = (SELECT min(id) FROM mfa_factors)",
    );
    assert_eq!(failure(world.verify(&ana, &world.code(&phone, 0)).await).0, Code::Internal);
    assert!(world.passes(&ana, &world.code(&tablet, 0)).await);
}

#[tokio::test]
async fn verify_mfa_fails_for_a_secret_moved_to_another_row() {
    let world = World::new().await;
    let (ana, bo) = (world.create("ana@example.com").await, world.create("bo@example.com").await);
    let (own, others) = (world.enrol(&ana).await, world.enrol(&bo).await);
    // Ana's factor becomes a copy of Bo's: the secret alone, or with its id, or all of the row.
    world.raw("UPDATE mfa_factors SET secret = (SELECT secret FROM mfa_factors ORDER BY user_id DESC LIMIT 1)");
    for app in [&own, &others] {
        assert_eq!(failure(world.verify(&ana, &world.code(app, 0)).await).0, Code::Internal);
    }
    assert!(world.passes(&bo, &world.code(&others, 0)).await, "unchanged in its own row");
    world.raw("DELETE FROM mfa_factors WHERE user_id = (SELECT min(id) FROM users)");
    world.raw("UPDATE mfa_factors SET user_id = (SELECT min(id) FROM users)");
    world.advance(STEP);
    assert_eq!(failure(world.verify(&ana, &world.code(&others, 0)).await).0, Code::Internal);
    world.raw("UPDATE users SET namespace_id = (SELECT id FROM namespaces WHERE name = 'away') WHERE name LIKE 'bo@%'");
    world.raw(
        "UPDATE mfa_factors SET (namespace_id, user_id) = (SELECT namespace_id, id FROM users WHERE name LIKE 'bo@%')",
    );
    assert_eq!(failure(world.idp.verify_mfa("away", &bo.id, &world.code(&others, 0)).await).0, Code::Internal);
}

#[tokio::test]
async fn factor_is_sealed_with_the_newest_key_when_it_is_used() {
    let world = World::new().await;
    let ana = world.create("ana@example.com").await;
    let app = world.enrol(&ana).await;
    assert_eq!(world.sealed()[0], 1);
    let rotated = world.again(settings(), [key(2), key(1)]).await;
    assert!(!rotated.passes(&ana, &wrong(&world.code(&app, 0))).await);
    assert_eq!(world.sealed()[0], 1, "a wrong code changes nothing");
    assert!(rotated.passes(&ana, &world.code(&app, 0)).await);
    assert_eq!(world.sealed()[0], 2);
    world.advance(STEP);
    let without = world.again(settings(), [key(2)]).await;
    assert!(without.passes(&ana, &world.code(&app, 0)).await, "the old key is no longer needed");
    assert!(!without.passes(&ana, &world.code(&app, 0)).await, "the code is used up");
}

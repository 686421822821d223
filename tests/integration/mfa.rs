//! MFA as a host uses it: enrolment, codes, keys, and what becomes of rows that somebody changed.

pub(crate) mod world;

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use futures::future::join_all;
use pretty_assertions::assert_eq;
use secrecy::ExposeSecret;
use tailor_idp::idp::{
    AttemptLimits, Code, IdentityProvider, IdpError, MfaKey, MfaState, Principal, UnenrollMfa, UpdateUser, User,
};
use tailor_idp::store::SqliteDatabase;
use tempfile::TempDir;
use totp_rs::Totp;

use self::world::{STEP, World, idp, key, settings, wrong};
use crate::support::{End, program};

/// The code and the detail of a failure.
fn failure<T: std::fmt::Debug>(outcome: Result<T, IdpError>) -> (Code, String) {
    let error = outcome.unwrap_err();
    (error.code(), error.detail().to_owned())
}

#[tokio::test]
async fn a_factor_counts_once_a_code_of_it_was_given() {
    let world = World::new().await;
    let ana = world.create("ana@example.com").await;
    let app = world.begin(&ana).await;
    assert_eq!(world.user(&ana.id).await, ana, "unconfirmed");
    assert!(!world.passes(&ana, &world.code(&app, 0)).await, "an unconfirmed factor signs nobody in");
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
async fn a_password_is_half_of_the_sign_in_of_a_user_with_a_factor() {
    let world = World::with(settings().require_mfa(true), [key(1)]).await;
    let ana = world.create("ana@example.com").await;
    let sign_in = async || world.idp.verify_password("home", "ana@example.com", "correct horse".into()).await;
    assert_eq!(sign_in().await.unwrap().unwrap().mfa, MfaState::EnrollmentDue);
    world.enrol(&ana).await;
    assert_eq!(sign_in().await.unwrap().unwrap().mfa, MfaState::CodeDue);
}

#[tokio::test]
async fn an_enrolment_shows_the_secret_to_the_user_and_to_no_log() {
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
    let file = std::fs::read(&world.path).unwrap();
    let bytes = plain.totp.secret().as_bytes();
    assert!(!file.windows(bytes.len()).any(|window| window == bytes), "the secret is in the database in plain");
}

#[tokio::test]
async fn an_enrolment_expires_after_ten_minutes_and_gives_way_to_the_next() {
    let world = World::new().await;
    let ana = world.create("ana@example.com").await;
    let late = world.begin(&ana).await;
    world.pass(600);
    let outcome = world.confirm(&ana, &late, &world.code(&late, 0)).await;
    assert_eq!(failure(outcome), (Code::NotFound, format!("MFA enrolment not found: {}", late.factor_id)));

    let first = world.begin(&ana).await;
    let second = world.begin(&ana).await;
    assert_eq!(failure(world.confirm(&ana, &first, &world.code(&first, 0)).await).0, Code::NotFound);
    world.pass(599);
    assert!(world.confirm(&ana, &second, &world.code(&second, 0)).await.unwrap());
    assert_eq!(world.user(&ana.id).await.mfa_factor_ids, [second.factor_id]);
}

#[tokio::test]
async fn a_code_is_taken_from_a_step_before_to_a_step_after() {
    for (later, taken) in [(-2, false), (-1, true), (0, true), (1, true), (2, false)] {
        let world = World::new().await;
        let ana = world.create("ana@example.com").await;
        let app = world.enrol(&ana).await;
        assert_eq!(world.passes(&ana, &world.code(&app, later)).await, taken, "{later} steps later");
    }
}

#[tokio::test]
async fn a_code_is_taken_once_and_none_before_it_afterwards() {
    let world = World::new().await;
    let ana = world.create("ana@example.com").await;
    let app = world.enrol(&ana).await;
    let [before, now, after] = [-1, 0, 1].map(|later| world.code(&app, later));
    assert!(world.passes(&ana, &now).await);
    assert!(!world.passes(&ana, &now).await, "again");
    assert!(!world.passes(&ana, &before).await, "of an earlier step");
    assert!(world.passes(&ana, &after).await);
    world.pass(STEP);
    assert!(!world.passes(&ana, &after).await, "again, in its own step");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_verifications_of_one_code_at_once_one_succeeds() {
    let limits = AttemptLimits { per_user: 1000, ..AttemptLimits::default() };
    let world = World::with(settings().attempt_limits(limits), [key(1)]).await;
    let ana = world.create("ana@example.com").await;
    let app = world.enrol(&ana).await;
    for _ in 0..5 {
        world.pass(2 * STEP);
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
async fn any_of_several_factors_will_do_until_it_is_taken_away() {
    let world = World::new().await;
    let ana = world.create("ana@example.com").await;
    let (phone, tablet) = (world.enrol(&ana).await, world.enrol(&ana).await);
    assert!(world.passes(&ana, &world.code(&phone, 0)).await);
    assert!(world.passes(&ana, &world.code(&tablet, 0)).await);
    let input = UnenrollMfa { user_id: ana.id.clone(), mfa_factor_id: phone.factor_id.clone() };
    world.idp.unenroll_mfa("home", &Principal::Anonymous, input).await.unwrap();
    world.pass(STEP);
    assert!(!world.passes(&ana, &world.code(&phone, 0)).await);
    assert!(world.passes(&ana, &world.code(&tablet, 0)).await);
}

#[tokio::test]
async fn a_user_has_ten_factors_at_the_most() {
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

#[tokio::test]
async fn nobody_passes_who_is_not_there_has_no_factor_or_is_disabled() {
    let world = World::new().await;
    let (ana, bo) = (world.create("ana@example.com").await, world.create("bo@example.com").await);
    let app = world.enrol(&ana).await;
    assert!(!world.passes(&bo, &world.code(&app, 0)).await, "another's code");
    let ghost = User { id: "ghost".into(), ..bo.clone() };
    assert!(!world.passes(&ghost, &world.code(&app, 0)).await);
    let disabled = |disabled| UpdateUser { id: ana.id.clone(), disabled: Some(disabled), ..UpdateUser::default() };
    world.idp.update_user("home", &Principal::Host, disabled(true)).await.unwrap();
    assert!(!world.passes(&ana, &world.code(&app, 0)).await);
    world.idp.update_user("home", &Principal::Host, disabled(false)).await.unwrap();
    assert!(world.passes(&ana, &world.code(&app, 0)).await, "no code was used up");
}

#[tokio::test]
async fn wrong_codes_are_limited_in_enrolment_and_in_use() {
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
    world.pass(600);
    let app = world.enrol(&ana).await;
    let ghost = User { id: "ghost".into(), ..ana.clone() };
    for user in [&ana, &ghost] {
        for _ in 0..3 {
            assert!(!world.passes(user, &wrong(&world.code(&app, 0))).await);
        }
        assert_eq!(failure(world.verify(user, &world.code(&app, 0)).await), refused);
    }
    world.pass(600);
    assert!(world.passes(&ana, &world.code(&app, 0)).await);
}

#[tokio::test]
async fn where_mfa_is_off_or_there_is_no_key_nobody_is_enrolled() {
    let world = World::new().await;
    let ana = world.create("ana@example.com").await;
    let app = world.enrol(&ana).await;

    let off = world.again(settings().enable_mfa(false), [key(1)]).await;
    let refused = (Code::FailedPrecondition, "MFA is not enabled in namespace home".to_owned());
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
    assert_eq!(
        failure(world.idp.begin_mfa_enrollment("home", "ghost").await),
        (Code::NotFound, "user not found: ghost".to_owned())
    );
}

#[tokio::test]
async fn a_secret_does_not_open_with_another_key() {
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
async fn a_secret_that_was_changed_in_the_store_does_not_open_and_another_factor_still_does() {
    let world = World::new().await;
    let ana = world.create("ana@example.com").await;
    let (phone, tablet) = (world.enrol(&ana).await, world.enrol(&ana).await);
    world.raw(
        "UPDATE mfa_factors SET secret = CAST(substr(secret, 1, 30) || x'00' || substr(secret, 32) AS BLOB)
         WHERE id = (SELECT min(id) FROM mfa_factors)",
    );
    assert_eq!(failure(world.verify(&ana, &world.code(&phone, 0)).await).0, Code::Internal);
    assert!(world.passes(&ana, &world.code(&tablet, 0)).await);
}

#[tokio::test]
async fn a_secret_that_was_moved_to_another_row_does_not_open() {
    let world = World::new().await;
    let (ana, bo) = (world.create("ana@example.com").await, world.create("bo@example.com").await);
    let (own, others) = (world.enrol(&ana).await, world.enrol(&bo).await);
    // Ana's factor becomes a copy of Bo's: the secret alone, or with its id, or all of the row.
    world.raw("UPDATE mfa_factors SET secret = (SELECT secret FROM mfa_factors ORDER BY user_id DESC LIMIT 1)");
    for app in [&own, &others] {
        assert_eq!(failure(world.verify(&ana, &world.code(app, 0)).await).0, Code::Internal);
    }
    assert!(world.passes(&bo, &world.code(&others, 0)).await, "in its own row it opens");
    world.raw("DELETE FROM mfa_factors WHERE user_id = (SELECT min(id) FROM users)");
    world.raw("UPDATE mfa_factors SET user_id = (SELECT min(id) FROM users)");
    world.pass(STEP);
    assert_eq!(failure(world.verify(&ana, &world.code(&others, 0)).await).0, Code::Internal);
    world.raw("UPDATE users SET namespace_id = (SELECT id FROM namespaces WHERE name = 'away') WHERE name LIKE 'bo@%'");
    world.raw(
        "UPDATE mfa_factors SET (namespace_id, user_id) = (SELECT namespace_id, id FROM users WHERE name LIKE 'bo@%')",
    );
    assert_eq!(failure(world.idp.verify_mfa("away", &bo.id, &world.code(&others, 0)).await).0, Code::Internal);
}

#[tokio::test]
async fn a_factor_moves_to_the_newest_key_when_it_is_used() {
    let world = World::new().await;
    let ana = world.create("ana@example.com").await;
    let app = world.enrol(&ana).await;
    assert_eq!(world.sealed()[0], 1);
    let rotated = world.again(settings(), [key(2), key(1)]).await;
    assert!(!rotated.passes(&ana, &wrong(&world.code(&app, 0))).await);
    assert_eq!(world.sealed()[0], 1, "a wrong code changes nothing");
    assert!(rotated.passes(&ana, &world.code(&app, 0)).await);
    assert_eq!(world.sealed()[0], 2);
    world.pass(STEP);
    let without = world.again(settings(), [key(2)]).await;
    assert!(without.passes(&ana, &world.code(&app, 0)).await, "the old key is needed no more");
    assert!(!without.passes(&ana, &world.code(&app, 0)).await, "and the code is used up as ever");
}

#[tokio::test]
async fn the_program_enrols_for_real() {
    let folder = TempDir::new().unwrap();
    let (db, key_file) = (folder.path().join("users.db"), folder.path().join("key.txt"));
    // 32 bytes of 1, as `key(1)` is.
    std::fs::write(&key_file, "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n").unwrap();
    let users = |arguments: &[&str]| {
        let mut users = program();
        users.args(["users", "--enable-mfa", "--json", "--namespace", "home", "--db"]).arg(&db).args(arguments);
        users
    };
    let created = End::of(&mut users(&["create", "ana@example.com"]));
    assert_eq!(created.code, Some(0), "{created:#?}");
    let enrolled = End::of(users(&["enroll-mfa", "ana@example.com", "--mfa-key-file"]).arg(&key_file));
    assert_eq!(enrolled.stderr, "note: confirmed with a code that this program computed itself\n");
    let enrolled = enrolled.json();
    let user = End::of(&mut users(&["get", "ana@example.com"])).json();
    assert_eq!(user["mfaFactorIds"], serde_json::json!([enrolled["mfaFactorId"]]));

    let app = Totp::from_url(enrolled["otpauthUri"].as_str().unwrap()).unwrap();
    assert_eq!(app.secret().to_base32(), enrolled["secret"].as_str().unwrap());
    let database = SqliteDatabase::open(&db).unwrap();
    // An hour ahead of the code that the program gave.
    let later = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap() + 3600;
    let idp = idp(&database, &Arc::new(AtomicI64::new(later)), settings(), [key(1)]).await;
    let id = user["id"].as_str().unwrap();
    assert!(idp.verify_mfa("home", id, &app.generate(later as u64).to_string()).await.unwrap());

    let short = End::of(users(&["enroll-mfa", "ana@example.com", "--mfa-key-file"]).arg(folder.path().join("none")));
    assert_eq!(short.code, Some(2), "{short:#?}");
    assert!(short.stderr.starts_with("error: --mfa-key-file"), "{}", short.stderr);
}

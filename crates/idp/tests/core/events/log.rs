//! The log has an event for each observed change, and no others.

use proptest::prelude::*;
use secrecy::ExposeSecret;
use tailor_idp_core::events::{EventKind, Events};
use tailor_idp_core::{
    Code, CreateUser, IdentityProvider, IdpError, NamespaceSettings, Principal, UnenrollMfa, UpdateUser, User, UserKey,
};
use totp_rs::Totp;

use crate::fresh::fresh_store;
use crate::host::{Host, NAMESPACE, context};

/// An operation on one of a few users, with one of a few names: clashes and repetitions are common.
#[derive(Debug, Clone)]
enum Operation {
    Create { name: u8, permitted: bool },
    Update { user: usize, name: Option<u8>, disabled: Option<bool>, password: Option<Option<u8>>, permitted: bool },
    Delete { user: usize, permitted: bool },
    EnrollMfa { user: usize, confirmed: bool },
    UnenrollMfa { user: usize, factor: usize, permitted: bool },
}

fn operation() -> impl Strategy<Value = Operation> {
    let (user, permitted) = (0..6_usize, prop::bool::weighted(0.8));
    prop_oneof![
        3 => (0..6_u8, permitted).prop_map(|(name, permitted)| Operation::Create { name, permitted }),
        6 => (
            user.clone(),
            prop::option::of(0..6_u8),
            prop::option::of(any::<bool>()),
            prop::option::of(prop::option::of(0..3_u8)),
            permitted,
        )
            .prop_map(|(user, name, disabled, password, permitted)| Operation::Update {
                user,
                name,
                disabled,
                password,
                permitted
            }),
        1 => (user.clone(), permitted).prop_map(|(user, permitted)| Operation::Delete { user, permitted }),
        1 => (user.clone(), any::<bool>()).prop_map(|(user, confirmed)| Operation::EnrollMfa { user, confirmed }),
        2 => (user, 0..2_usize, permitted)
            .prop_map(|(user, factor, permitted)| Operation::UnenrollMfa { user, factor, permitted }),
    ]
}

/// A user who was created: the id, and whether the user has a password.
type Known = (String, bool);

fn someone(users: &[Known], user: usize) -> String {
    match users.len() {
        0 => "0193c0de-0000-7000-8000-000000000000".to_owned(),
        count => users[user % count].0.clone(),
    }
}

/// By default, the permission of a namespace denies everything.
fn principal(permitted: bool) -> Principal {
    if permitted { Principal::Host } else { Principal::Anonymous }
}

/// The result, unless the operation was rightly refused.
fn accepted<T>(outcome: Result<T, IdpError>, permitted: bool) -> Option<T> {
    match outcome {
        Ok(value) => {
            assert!(permitted);
            Some(value)
        }
        Err(error) => {
            let refusals = [Code::AlreadyExists, Code::NotFound, Code::PermissionDenied];
            assert!(refusals.contains(&error.code()), "{error:?}");
            None
        }
    }
}

async fn find(host: &Host, id: &str) -> Option<User> {
    host.router.user(&context(Principal::Host), UserKey::Id(id)).await.ok()
}

/// Applies the operation, and returns the observed change: the user and its kind.
async fn apply(host: &Host, users: &mut Vec<Known>, operation: Operation) -> Option<(String, EventKind)> {
    match operation {
        Operation::Create { name, permitted } => {
            let user = CreateUser { name: format!("name{name}@example.com"), ..CreateUser::default() };
            let created = host.router.create_user(&context(principal(permitted)), user).await;
            let id = accepted(created, permitted)?.id;
            users.push((id.clone(), false));
            Some((id, EventKind::Created))
        }
        Operation::Update { user, name, disabled, password, permitted } => {
            let id = someone(users, user);
            let before = find(host, &id).await;
            let change = UpdateUser {
                id: id.clone(),
                name: name.map(|name| format!("name{name}@example.com")),
                password: password.flatten().map(|text| format!("password {text}").as_str().into()),
                clear_password: password == Some(None),
                disabled,
            };
            let updated = host.router.update_user(&context(principal(permitted)), change).await;
            let Some(updated) = accepted(updated, permitted) else {
                assert_eq!(find(host, &id).await, before);
                return None;
            };
            let before = before.expect("a user who was updated exists");
            let known = users.iter_mut().find(|(known, _)| *known == id).expect("the user was created");
            let had_password = known.1;
            known.1 = password.map_or(had_password, |new| new.is_some());
            // A password that is set is another one: its hash has another salt.
            let differs = updated != before || password.flatten().is_some() || had_password != known.1;
            differs.then_some((id, EventKind::Updated))
        }
        Operation::Delete { user, permitted } => {
            let id = someone(users, user);
            let deleted = host.router.delete_user(&context(principal(permitted)), &id).await;
            accepted(deleted, permitted).map(|()| (id, EventKind::Deleted))
        }
        Operation::EnrollMfa { user, confirmed } => {
            let id = someone(users, user);
            let enrollment = accepted(host.begin_mfa_enrollment(&id).await, true)?;
            if !confirmed {
                return None;
            }
            let totp = Totp::from_url(enrollment.otpauth_uri.expose_secret()).unwrap();
            let code = totp.generate(host.store.now().unix_millis().unsigned_abs() / 1000).to_string();
            assert!(host.confirm_mfa_enrollment(&id, &enrollment.factor_id, &code).await.unwrap());
            Some((id, EventKind::Updated))
        }
        Operation::UnenrollMfa { user, factor, permitted } => {
            let user_id = someone(users, user);
            let factors = find(host, &user_id).await.map(|user| user.mfa_factor_ids).unwrap_or_default();
            let mfa_factor_id = factors.get(factor).cloned().unwrap_or_else(|| "unknown".into());
            let request = UnenrollMfa { user_id: user_id.clone(), mfa_factor_id };
            let removed = host.router.unenroll_mfa(&context(principal(permitted)), request).await;
            accepted(removed, permitted).map(|()| (user_id, EventKind::Updated))
        }
    }
}

/// The observed changes, and the events, after all operations.
async fn changes_and_events(operations: Vec<Operation>, publish: bool) -> [Vec<(String, EventKind)>; 2] {
    let (store, _clock) = fresh_store().await;
    let host = Host::over(store, NamespaceSettings::default().enable_mfa(true).publish_user_events(publish));
    let (mut users, mut observed) = (Vec::new(), Vec::new());
    for operation in operations {
        observed.extend(apply(&host, &mut users, operation).await);
    }
    let events = Events::new(&host.router, NAMESPACE).unwrap().list(None, 1000).await.unwrap();
    [observed, events.into_iter().map(|event| (event.user_id, event.kind)).collect()]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn log_has_the_observed_changes_in_order(operations in prop::collection::vec(operation(), 1..60)) {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let [observed, logged] = tokio.block_on(changes_and_events(operations.clone(), true));
        prop_assert_eq!(logged, observed);
        let [_, logged] = tokio.block_on(changes_and_events(operations, false));
        prop_assert_eq!(logged, []);
    }
}

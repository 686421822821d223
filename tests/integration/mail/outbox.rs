//! The outbox's rules, at the store and at the service.

use std::sync::Arc;
use std::time::Duration;

use pretty_assertions::assert_eq;
use tailor_idp::idp::{
    Code, CreateUser, HashCost, IdentityProvider, Idp, NamespaceSettings, Principal, ResetPasswordError, ResetToken,
    SendFailure, SendPasswordResetEmail, Timestamp, UpdateUser,
};
use tailor_idp::store::{
    Attempt, MailClaim, MailLimit, MailState, Queued, ResetMail, ResetMailStore, SqliteDatabase, SqliteStore,
    TokenHash, UserChange, UserStore, WriteOptions,
};

use crate::support::{namespace, password_hash};

const NS: &str = "builtin-idp";
const LEASE: Duration = Duration::from_secs(100);
const LIMIT: MailLimit = MailLimit { mails: 2, window: Duration::from_secs(60) };

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_millis(1_000_000_000_000 + seconds * 1000)
}

fn claim(now: Timestamp, token: u8) -> MailClaim {
    let (lease_until, token_expires_at) = (now.after(LEASE), now.after(Duration::from_secs(3600)));
    MailClaim { now, lease_until, max_attempts: 3, useless: None, token: TokenHash([token; 32]), token_expires_at }
}

async fn store() -> SqliteStore {
    SqliteDatabase::in_memory().unwrap().namespace(&namespace(NS)).await.unwrap()
}

async fn user(store: &SqliteStore, name: &str) -> String {
    let user = tailor_idp::store::NewUser { name: name.into(), password: None, disabled: false };
    store.insert(user, false).await.unwrap().id
}

async fn queue(store: &SqliteStore, user_id: &str, now: Timestamp) -> Queued {
    let mail = ResetMail {
        user_id: user_id.into(),
        redirect_uri: "https://example.com/".into(),
        from_name: None,
        subject: None,
    };
    store.queue(mail, now, LIMIT, WriteOptions::unchecked()).await.unwrap()
}

async fn states(store: &SqliteStore) -> Vec<MailState> {
    store.mails(None, 100).await.unwrap().iter().rev().map(|mail| mail.state).collect()
}

async fn works(store: &SqliteStore, token: u8, now: Timestamp) -> bool {
    store.token(TokenHash([token; 32]), now).await.unwrap().is_some()
}

#[tokio::test]
async fn a_user_is_mailed_as_often_as_the_limit_says_and_again_when_the_window_has_passed() {
    let store = store().await;
    let (ana, bo) = (user(&store, "ana@example.com").await, user(&store, "bo@example.com").await);
    assert_eq!(queue(&store, &ana, at(0)).await, Queued::Done);
    assert_eq!(queue(&store, &ana, at(20)).await, Queued::Done);
    assert_eq!(queue(&store, &ana, at(30)).await, Queued::TooSoon(Duration::from_secs(30)));
    assert_eq!(queue(&store, &bo, at(30)).await, Queued::Done);
    // A clock set back, or a new password, is no way around it.
    assert_eq!(queue(&store, &ana, at(-1000)).await, Queued::TooSoon(LIMIT.window));
    let change = UserChange { disabled: Some(true), ..UserChange::default() };
    store.update(&ana, change, WriteOptions::unchecked()).await.unwrap().unwrap();
    assert_eq!(queue(&store, &ana, at(59)).await, Queued::TooSoon(Duration::from_secs(1)));
    assert_eq!(queue(&store, &ana, at(60)).await, Queued::Done);
    assert_eq!(queue(&store, &ana, at(60)).await, Queued::TooSoon(Duration::from_secs(20)));
}

#[tokio::test]
async fn a_claimed_mail_is_nobody_elses_until_its_lease_ends_and_then_the_next_ones() {
    let store = store().await;
    let ana = user(&store, "ana@example.com").await;
    queue(&store, &ana, at(0)).await;
    assert_eq!(store.claim(claim(at(-1), 1)).await.unwrap(), None, "not due yet");
    let first = store.claim(claim(at(0), 1)).await.unwrap().unwrap();
    assert_eq!(store.claim(claim(at(99), 2)).await.unwrap(), None, "somebody has it");
    assert!(works(&store, 1, at(99)).await && !works(&store, 2, at(99)).await);
    let second = store.claim(claim(at(100), 3)).await.unwrap().unwrap();
    assert_eq!((second.id, second.attempt), (first.id, 2));
    assert!(!works(&store, 1, at(100)).await && works(&store, 3, at(100)).await);
    assert!(!store.settle(first.id, first.claim, at(101), Attempt::Sent).await.unwrap(), "the first comes too late");
    assert!(store.settle(second.id, second.claim, at(102), Attempt::Sent).await.unwrap());
    assert_eq!(states(&store).await, [MailState::Sent]);
    assert_eq!(store.claim(claim(at(9999), 4)).await.unwrap(), None);
}

#[tokio::test]
async fn a_mail_whose_workers_all_die_is_given_up() {
    let store = store().await;
    let ana = user(&store, "ana@example.com").await;
    queue(&store, &ana, at(0)).await;
    for attempt in 0..3 {
        assert!(store.claim(claim(at(attempt * 100), 1)).await.unwrap().is_some());
    }
    assert_eq!(store.claim(claim(at(300), 1)).await.unwrap(), None);
    assert_eq!(states(&store).await, [MailState::Dead]);
    let id = store.mails(None, 1).await.unwrap()[0].id;
    assert!(store.retry(id, at(400)).await.unwrap());
    assert!(!store.retry(id, at(400)).await.unwrap(), "it is no longer dead");
    assert_eq!(store.claim(claim(at(400), 1)).await.unwrap().unwrap().attempt, 1);
}

#[tokio::test]
async fn a_mail_that_a_newer_one_overtook_or_whose_user_is_disabled_is_not_sent() {
    let store = store().await;
    let (ana, bo) = (user(&store, "ana@example.com").await, user(&store, "bo@example.com").await);
    queue(&store, &ana, at(0)).await;
    queue(&store, &ana, at(1)).await;
    let change = UserChange { disabled: Some(true), ..UserChange::default() };
    store.update(&bo, change, WriteOptions::unchecked()).await.unwrap();
    queue(&store, &bo, at(2)).await;
    let newest = store.claim(claim(at(10), 1)).await.unwrap().unwrap();
    assert_eq!(newest.to, "ana@example.com");
    assert_eq!(store.claim(claim(at(10), 2)).await.unwrap(), None);
    assert_eq!(states(&store).await, [MailState::Ended, MailState::Sending, MailState::Ended]);
}

#[tokio::test]
async fn a_token_works_once_within_its_time_and_ends_with_a_newer_one() {
    let store = store().await;
    let ana = user(&store, "ana@example.com").await;
    for (token, now) in [(1, 0), (2, 100)] {
        queue(&store, &ana, at(now)).await;
        let mail = store.claim(claim(at(now), token)).await.unwrap().unwrap();
        store.settle(mail.id, mail.claim, at(now), Attempt::Sent).await.unwrap();
    }
    assert!(!works(&store, 1, at(100)).await);
    assert!(works(&store, 2, at(3699)).await && !works(&store, 2, at(3700)).await);
    let set = |token, now| store.use_token(TokenHash([token; 32]), password_hash("new"), at(now), false);
    assert_eq!(set(1, 101).await.unwrap(), None);
    assert_eq!(set(2, 3700).await.unwrap(), None, "run out");
    assert_eq!(set(2, 101).await.unwrap().unwrap().user_id, ana);
    assert_eq!(set(2, 101).await.unwrap(), None, "used");
}

#[tokio::test]
async fn finished_mails_are_forgotten_and_others_are_not() {
    let store = store().await;
    let ana = user(&store, "ana@example.com").await;
    queue(&store, &ana, at(0)).await;
    let mail = store.claim(claim(at(0), 1)).await.unwrap().unwrap();
    store.settle(mail.id, mail.claim, at(1), Attempt::Sent).await.unwrap();
    queue(&store, &ana, at(0)).await;
    assert_eq!(store.prune(at(1), 10).await.unwrap(), 0);
    assert_eq!(store.prune(at(1000), 10).await.unwrap(), 1);
    assert_eq!(states(&store).await, [MailState::Queued]);
}

/// An identity provider with one user, mailed once.
async fn mailed() -> (Idp, String, ResetToken) {
    let settings = NamespaceSettings::default().password_length(6..=10);
    let builder = Idp::builder().namespace(namespace(NS), Arc::new(store().await), settings);
    let idp = builder.hash_cost(HashCost::danger_cheap_for_tests()).build();
    let ana = CreateUser { name: "ana@example.com".into(), ..CreateUser::default() };
    let ana = idp.create_user(NS, &Principal::Host, ana).await.unwrap().id;
    let token = mail_again(&idp, &ana).await;
    (idp, ana, token)
}

fn mail_to(user_id: &str) -> SendPasswordResetEmail {
    SendPasswordResetEmail {
        user_id: user_id.into(),
        redirect_uri: "https://example.com/".into(),
        ..SendPasswordResetEmail::default()
    }
}

async fn mail_again(idp: &Idp, user_id: &str) -> ResetToken {
    idp.send_password_reset_email(NS, &Principal::Host, mail_to(user_id)).await.unwrap();
    let mail = idp.claim_reset_mail(NS).await.unwrap().unwrap();
    assert!(idp.settle_reset_mail(NS, &mail, Ok(())).await.unwrap());
    mail.token
}

#[tokio::test]
async fn a_password_against_the_policy_does_not_use_the_token_up() {
    let (idp, ana, token) = mailed().await;
    let error = idp.reset_password(NS, &token, "short".into()).await.unwrap_err();
    assert_eq!(error.to_string(), "password must be at least 6 characters: got 5");
    assert!(matches!(error, ResetPasswordError::Password(_)));
    assert_eq!(idp.reset_password(NS, &token, "long enou".into()).await.unwrap().user_id, ana);
    let again = idp.reset_password(NS, &token, "another".into()).await;
    assert!(matches!(again, Err(ResetPasswordError::InvalidToken)), "{again:?}");
}

#[tokio::test]
async fn a_token_that_is_no_longer_good_is_told_from_none_by_nothing() {
    let (idp, ana, token) = mailed().await;
    let made_up = ResetToken::parse(&"A".repeat(43)).unwrap();
    let newer = mail_again(&idp, &ana).await;
    for token in [&made_up, &token] {
        // Not even by a password against the policy.
        for password in ["x", "long enou"] {
            let error = idp.reset_password(NS, token, password.into()).await.unwrap_err();
            assert_eq!(format!("{error:?}"), "InvalidToken");
        }
    }
    assert!(idp.reset_link(NS, &newer).await.is_ok());
}

#[tokio::test]
async fn a_new_password_a_cleared_one_a_new_name_disabling_and_deletion_end_the_token() {
    let ana = |ana: &str| UpdateUser { id: ana.into(), ..UpdateUser::default() };
    let changes: [fn(UpdateUser) -> UpdateUser; 4] = [
        |change| UpdateUser { name: Some("ana@example.org".into()), ..change },
        |change| UpdateUser { password: Some("new one".into()), ..change },
        |change| UpdateUser { clear_password: true, ..change },
        |change| UpdateUser { disabled: Some(true), ..change },
    ];
    for change in changes {
        let (idp, id, token) = mailed().await;
        idp.update_user(NS, &Principal::Host, change(ana(&id))).await.unwrap();
        assert!(matches!(idp.reset_link(NS, &token).await, Err(ResetPasswordError::InvalidToken)));
        // Nor does it come back with the user.
        idp.update_user(NS, &Principal::Host, UpdateUser { disabled: Some(false), ..ana(&id) }).await.unwrap();
        assert!(matches!(idp.reset_link(NS, &token).await, Err(ResetPasswordError::InvalidToken)));
    }
    let (idp, id, token) = mailed().await;
    idp.delete_user(NS, &Principal::Host, &id).await.unwrap();
    assert!(matches!(idp.reset_link(NS, &token).await, Err(ResetPasswordError::InvalidToken)));
}

#[tokio::test]
async fn an_update_that_changes_nothing_leaves_the_token_good() {
    let (idp, id, token) = mailed().await;
    let same = UpdateUser { id, name: Some("ANA@example.com".into()), disabled: Some(false), ..UpdateUser::default() };
    idp.update_user(NS, &Principal::Host, same).await.unwrap();
    assert!(idp.reset_link(NS, &token).await.is_ok());
}

#[tokio::test]
async fn a_mail_on_its_way_when_the_name_changes_is_sent_again_to_the_new_one() {
    let (idp, ana, _) = mailed().await;
    idp.send_password_reset_email(NS, &Principal::Host, mail_to(&ana)).await.unwrap();
    let old = idp.claim_reset_mail(NS).await.unwrap().unwrap();
    let renamed = UpdateUser { id: ana, name: Some("ann@example.com".into()), ..UpdateUser::default() };
    idp.update_user(NS, &Principal::Host, renamed).await.unwrap();
    assert!(!idp.settle_reset_mail(NS, &old, Ok(())).await.unwrap());
    let new = idp.claim_reset_mail(NS).await.unwrap().unwrap();
    assert_eq!((old.to.as_str(), new.to.as_str()), ("ana@example.com", "ann@example.com"));
    assert!(matches!(idp.reset_link(NS, &old.token).await, Err(ResetPasswordError::InvalidToken)));
    assert!(idp.reset_link(NS, &new.token).await.is_ok());
}

#[tokio::test]
async fn once_passwords_are_off_no_link_works_and_what_is_queued_is_ended() {
    let store = store().await;
    let idp = |settings| Idp::builder().namespace(namespace(NS), Arc::new(store.clone()), settings).build();
    let before = idp(NamespaceSettings::default());
    let (ana, bo) = (user(&store, "ana@example.com").await, user(&store, "bo@example.com").await);
    let token = mail_again(&before, &ana).await;
    queue(&store, &bo, Timestamp::now()).await;

    let mut settings = NamespaceSettings::default();
    settings.user_auth_policy.disable_password_auth = true;
    let after = idp(settings);
    assert!(matches!(after.reset_link(NS, &token).await, Err(ResetPasswordError::InvalidToken)));
    let reset = after.reset_password(NS, &token, "long enough".into()).await;
    assert!(matches!(reset, Err(ResetPasswordError::InvalidToken)), "{reset:?}");
    assert!(after.claim_reset_mail(NS).await.unwrap().is_none());
    let mails = after.reset_mails(NS, Some(MailState::Ended), 10).await.unwrap();
    let ended: Vec<_> = mails.iter().map(|mail| (mail.to.as_str(), mail.last_error.as_deref())).collect();
    let why = "not sent: the users of namespace builtin-idp do not sign in with passwords: disablePasswordAuth is set";
    assert_eq!(ended, [("bo@example.com", Some(why))]);
}

#[tokio::test]
async fn one_token_used_many_times_at_once_sets_one_password() {
    let (idp, _, token) = mailed().await;
    let tries = (0..8).map(|n| idp.reset_password(NS, &token, format!("password {n}")[..10].into()));
    let done = futures::future::join_all(tries).await;
    assert_eq!(done.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{done:?}");
}

#[tokio::test]
async fn too_many_mails_are_resource_exhausted_with_the_time_to_wait() {
    let (idp, ana, _) = mailed().await;
    for _ in 1..5 {
        mail_again(&idp, &ana).await;
    }
    let mail = SendPasswordResetEmail {
        user_id: ana,
        redirect_uri: "https://example.com/".into(),
        ..SendPasswordResetEmail::default()
    };
    let error = idp.send_password_reset_email(NS, &Principal::Host, mail).await.unwrap_err();
    assert_eq!(error.code(), Code::ResourceExhausted);
    let text =
        regex::Regex::new(r"^the user may be sent 5 password-reset mails within 3600 s: try again in 3[56]\d\d s$");
    assert!(text.unwrap().is_match(error.detail()), "{}", error.detail());
}

#[tokio::test]
async fn a_failure_is_tried_again_until_it_is_dead_and_one_for_good_is_dead_at_once() {
    let (idp, ana, _) = mailed().await;
    let mail = SendPasswordResetEmail {
        user_id: ana,
        redirect_uri: "https://example.com/".into(),
        ..SendPasswordResetEmail::default()
    };
    idp.send_password_reset_email(NS, &Principal::Host, mail.clone()).await.unwrap();
    let claimed = idp.claim_reset_mail(NS).await.unwrap().unwrap();
    let failure = SendFailure::Temporary("451 later,\r\nplease".into());
    assert!(idp.settle_reset_mail(NS, &claimed, Err(failure)).await.unwrap());
    let record = idp.reset_mail(NS, claimed.id).await.unwrap();
    assert_eq!((record.state, record.last_error.as_deref()), (MailState::Queued, Some("451 later,  please")));
    assert!(record.due_at.unwrap() > Timestamp::now().after(Duration::from_secs(5)));
    assert!(idp.claim_reset_mail(NS).await.unwrap().is_none(), "it is not due");
    let early = idp.retry_reset_mail(NS, claimed.id).await.unwrap_err();
    assert_eq!(early.detail(), format!("only dead mails are retried: mail {} is queued", claimed.id));

    idp.send_password_reset_email(NS, &Principal::Host, mail).await.unwrap();
    let claimed = idp.claim_reset_mail(NS).await.unwrap().unwrap();
    idp.settle_reset_mail(NS, &claimed, Err(SendFailure::Permanent("550 nobody".into()))).await.unwrap();
    assert_eq!(idp.reset_mail(NS, claimed.id).await.unwrap().state, MailState::Dead);
    idp.retry_reset_mail(NS, claimed.id).await.unwrap();
    assert_eq!(idp.claim_reset_mail(NS).await.unwrap().unwrap().attempt, 1);
}

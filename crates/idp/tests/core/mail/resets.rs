//! Reset links: when they are valid, and what ends them.

use std::sync::Arc;

use futures::future::join_all;
use pretty_assertions::assert_eq;
use tailor_idp_core::local::{MailState, TOKEN_LIFETIME};
use tailor_idp_core::store::{Batch, EventQuery, Mutation};
use tailor_idp_core::{
    EventKind, NamespaceSettings, PasswordReset, ResetPasswordError, ResetToken, UpdateUser, UserAuthPolicy, UserKey,
};

use super::{MILLISECOND, Outbox};
use crate::host::{Host, REDIRECT};
use crate::interposed::Interposed;
use crate::support::enqueue;

/// An outbox with one user, who was mailed once.
async fn mailed() -> (Outbox, String, ResetToken) {
    let outbox = Outbox::with(NamespaceSettings::default().password_length(6..=10)).await;
    let ana = outbox.user("ana@example.com").await;
    let token = outbox.mailed(&ana).await;
    (outbox, ana, token)
}

fn user(id: &str) -> UpdateUser {
    UpdateUser { id: id.into(), ..UpdateUser::default() }
}

#[track_caller]
fn assert_invalid(outcome: Result<PasswordReset, ResetPasswordError>) {
    assert!(matches!(outcome, Err(ResetPasswordError::InvalidToken)), "{outcome:?}");
}

#[tokio::test]
async fn reset_link_is_valid_until_it_expires() {
    let (outbox, ana, token) = mailed().await;
    outbox.clock.advance(TOKEN_LIFETIME - MILLISECOND);
    let reset = PasswordReset { user_id: ana, redirect_uri: Some(REDIRECT.into()) };
    assert_eq!(outbox.reset_link(&token).await.unwrap(), reset);
    outbox.clock.advance(MILLISECOND);
    assert_invalid(outbox.reset_link(&token).await);
    assert_invalid(outbox.reset_password(&token, "long enou".into()).await);
}

#[tokio::test]
async fn reset_password_uses_up_the_link() {
    let (outbox, ana, token) = mailed().await;
    let reset = PasswordReset { user_id: ana, redirect_uri: Some(REDIRECT.into()) };
    assert_eq!(outbox.reset_password(&token, "the first".into()).await.unwrap(), reset);
    assert_invalid(outbox.reset_password(&token, "the second".into()).await);
    assert_invalid(outbox.reset_link(&token).await);
    assert!(outbox.signs_in("ana@example.com", "the first").await);
    assert!(!outbox.signs_in("ana@example.com", "the second").await);
}

#[tokio::test]
async fn reset_password_accepts_one_of_many_concurrent_uses() {
    let (outbox, _, token) = mailed().await;
    let passwords: Vec<_> = (0..8).map(|n| format!("password {n}")).collect();
    let resets = passwords.iter().map(|password| outbox.reset_password(&token, password.as_str().into()));
    let outcomes = join_all(resets).await;
    let mut accepted = Vec::new();
    for (password, outcome) in passwords.iter().zip(outcomes) {
        match outcome {
            Ok(_) => accepted.push(password),
            refused => assert_invalid(refused),
        }
    }
    assert_eq!(accepted.len(), 1);
    assert!(outbox.signs_in("ana@example.com", accepted[0]).await);
}

#[tokio::test]
async fn reset_password_leaves_the_link_valid_when_the_password_violates_the_policy() {
    let (outbox, ana, token) = mailed().await;
    let error = outbox.reset_password(&token, "short".into()).await.unwrap_err();
    assert_eq!(error.to_string(), "password must be at least 6 characters: got 5");
    assert!(matches!(error, ResetPasswordError::Password(_)));
    assert_eq!(outbox.reset_password(&token, "long enou".into()).await.unwrap().user_id, ana);
}

#[tokio::test]
async fn reset_link_is_valid_until_a_newer_mail_is_sent() {
    let (outbox, ana, token) = mailed().await;
    outbox.queue(&ana).await;
    assert!(outbox.is_valid(&token).await, "the newer mail is only queued");
    let newer = outbox.claimed().await.token;
    assert!(!outbox.is_valid(&token).await && outbox.is_valid(&newer).await);
}

#[tokio::test]
async fn invalid_links_are_indistinguishable() {
    let (outbox, ana, token) = mailed().await;
    let made_up = ResetToken::parse(&"A".repeat(43)).unwrap();
    let newer = outbox.mailed(&ana).await;
    for token in [&made_up, &token] {
        // Not even by a password that violates the policy.
        for password in ["x", "long enou"] {
            let error = outbox.reset_password(token, password.into()).await.unwrap_err();
            assert_eq!(format!("{error:?}"), "InvalidToken");
        }
    }
    assert!(outbox.is_valid(&newer).await);
}

#[tokio::test]
async fn browser_is_not_sent_to_an_origin_that_is_not_allowed_any_more() {
    let allowing = |origins: &[&str]| {
        let mut policy = UserAuthPolicy::default();
        policy.allowed_return_origins = origins.iter().map(ToString::to_string).collect();
        NamespaceSettings::default().user_auth_policy(policy)
    };
    let outbox = Outbox::with(allowing(&["https://app.example.com"])).await;
    let ana = outbox.user("ana@example.com").await;
    outbox.queue(&ana).await;
    // The mail is sent, and the link works: the password can be set.
    let after = outbox.reconfigured(allowing(&["https://www.example.com"]));
    let mail = after.claimed().await;
    assert!(after.settle_sent(&mail).await);
    for (settings, redirect_uri) in [
        (allowing(&["https://www.example.com"]), None),
        (allowing(&["https://www.example.com", "https://app.example.com"]), Some(REDIRECT.into())),
        (allowing(&[]), Some(REDIRECT.into())),
    ] {
        let reset = PasswordReset { user_id: ana.clone(), redirect_uri };
        assert_eq!(outbox.reconfigured(settings).reset_link(&mail.token).await.unwrap(), reset);
    }
    assert_eq!(after.reset_password(&mail.token, "long enough".into()).await.unwrap().redirect_uri, None);
    assert!(after.signs_in("ana@example.com", "long enough").await);
}

#[tokio::test]
async fn browser_is_not_sent_to_a_uri_that_was_accepted_under_looser_rules() {
    let outbox = Outbox::new().await;
    let ana = outbox.user("ana@example.com").await;
    enqueue(&outbox.store, &ana, r#"{"redirectUri":"https:evil.com"}"#).await;
    let mail = outbox.claimed().await;
    assert_eq!(outbox.reset_link(&mail.token).await.unwrap().redirect_uri, None);
}

#[tokio::test]
async fn changes_of_name_and_password_and_disabling_end_the_link() {
    let changes: [fn(UpdateUser) -> UpdateUser; 4] = [
        |change| UpdateUser { name: Some("ana@example.org".into()), ..change },
        |change| UpdateUser { password: Some("new one".into()), ..change },
        |change| UpdateUser { clear_password: true, ..change },
        |change| UpdateUser { disabled: Some(true), ..change },
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let (outbox, ana, token) = mailed().await;
        outbox.update(change(user(&ana))).await;
        assert!(!outbox.is_valid(&token).await, "change {index}");
        outbox.update(UpdateUser { disabled: Some(false), ..user(&ana) }).await;
        assert!(!outbox.is_valid(&token).await, "change {index}, after the user was enabled");
    }
}

#[tokio::test]
async fn deletion_ends_the_link() {
    let (outbox, ana, token) = mailed().await;
    outbox.delete(&ana).await;
    assert!(!outbox.is_valid(&token).await);
}

#[tokio::test]
async fn update_that_changes_nothing_leaves_the_link_valid() {
    let (outbox, ana, token) = mailed().await;
    let same = UpdateUser { name: Some("ANA@example.com".into()), disabled: Some(false), ..user(&ana) };
    outbox.update(same).await;
    assert!(outbox.is_valid(&token).await);
}

#[tokio::test]
async fn disabled_passwords_make_links_invalid() {
    let (outbox, _, token) = mailed().await;
    let after = outbox.reconfigured(NamespaceSettings::default().disable_password_auth(true));
    assert_invalid(after.reset_link(&token).await);
    assert_invalid(after.reset_password(&token, "long enough".into()).await);
    assert!(outbox.is_valid(&token).await, "the link itself was not used up");
}

#[tokio::test]
async fn reset_password_ends_mails_that_are_not_sent_yet() {
    let (outbox, ana, token) = mailed().await;
    outbox.queue(&ana).await;
    outbox.reset_password(&token, "long enou".into()).await.unwrap();
    assert!(outbox.claim().await.is_none());
    let mails = outbox.mails().await;
    assert_eq!([mails[0].state, mails[1].state], [MailState::Sent, MailState::Ended]);
    assert_eq!(mails[1].last_error.as_deref(), Some("not sent: the password was set"));
}

#[tokio::test]
async fn reset_password_publishes_an_event() {
    let outbox = Outbox::with(NamespaceSettings::default().publish_user_events(true)).await;
    let ana = outbox.user("ana@example.com").await;
    let token = outbox.mailed(&ana).await;
    outbox.reset_link(&token).await.unwrap();
    outbox.reset_password(&token, "long enough".into()).await.unwrap();
    let events = outbox.store.events(EventQuery::After { id: None, limit: 10 }).await.unwrap();
    let events: Vec<_> = events.iter().map(|event| (event.user_id.as_str(), event.kind)).collect();
    assert_eq!(events, [(ana.as_str(), EventKind::Created), (ana.as_str(), EventKind::Updated)]);
}

/// The batch that sets a password.
fn updates_user(batch: &Batch) -> bool {
    batch.mutations.iter().any(|mutation| matches!(mutation, Mutation::UpdateUser { .. }))
}

#[tokio::test]
async fn reset_password_changes_nothing_when_the_link_ends_meanwhile() {
    let (outbox, ana, token) = mailed().await;
    let store = Arc::new(Interposed::new(&outbox.store));
    let host = Host::over(store.clone(), NamespaceSettings::default());
    let outbox = Arc::new(outbox);
    let (other, id) = (Arc::clone(&outbox), ana.clone());
    store.before_commit(updates_user, async move {
        other.mailed(&id).await;
    });
    assert_invalid(host.reset_password(&token, "long enou".into()).await);
    assert!(store.has_acted());
    assert_eq!(outbox.store.credentials(UserKey::Id(&ana)).await.unwrap().unwrap().password, Ok(None));
}

#[tokio::test]
async fn reset_password_succeeds_when_the_user_changes_otherwise_meanwhile() {
    let (outbox, ana, token) = mailed().await;
    let store = Arc::new(Interposed::new(&outbox.store));
    let host = Host::over(store.clone(), NamespaceSettings::default());
    let (inner, id) = (outbox.store.clone(), ana.clone());
    store.before_commit(updates_user, async move {
        let batch = Batch { mutations: vec![Mutation::TouchUser { id }], ..Batch::default() };
        inner.commit(batch).await.unwrap();
    });
    host.reset_password(&token, "long enou".into()).await.unwrap();
    assert!(store.has_acted());
    assert!(outbox.signs_in("ana@example.com", "long enou").await);
}

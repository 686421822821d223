//! Requests for mails, and their rate limit.

use futures::future::join_all;
use pretty_assertions::assert_eq;
use tailor_idp_core::local::MailState;
use tailor_idp_core::{
    Code, IdentityProvider, IdpError, MailLimit, NameKind, NamespaceSettings, Principal, Router,
    SendPasswordResetEmail, UpdateUser,
};

use super::{MILLISECOND, Outbox, SECOND};
use crate::host::{NAMESPACE, REDIRECT, context};

fn limit(mails: u32, seconds: u32) -> NamespaceSettings {
    NamespaceSettings::default().reset_mail_limit(MailLimit { mails, window: SECOND * seconds })
}

/// The seconds to wait of an error of the rate limit.
fn wait(outcome: Result<(), IdpError>) -> Option<u64> {
    let error = outcome.err()?;
    assert_eq!(error.code(), Code::ResourceExhausted, "{error:?}");
    let wait = error.detail().rsplit_once("try again in ").unwrap().1;
    Some(wait.strip_suffix(" s").unwrap().parse().unwrap())
}

#[tokio::test]
async fn request_queues_a_mail_that_is_due_at_once() {
    let outbox = Outbox::new().await;
    let ana = outbox.user("ana@example.com").await;
    let mail = SendPasswordResetEmail {
        user_id: ana.clone(),
        redirect_uri: REDIRECT.into(),
        from_name: Some("Shop \"Ana\" ✉".into()),
        subject: Some("\u{202e}subject\\".into()),
    };
    outbox.router.send_password_reset_email(&context(Principal::Host), mail).await.unwrap();
    let records = outbox.mails().await;
    assert_eq!(records.len(), 1);
    let record = &records[0];
    assert_eq!((record.state, record.attempts, record.to.as_str()), (MailState::Queued, 0, "ana@example.com"));
    let now = outbox.store.now();
    assert_eq!((record.queued_at, record.due_at, record.finished_at), (now, Some(now), None));
    assert_eq!((&record.mail.user_id, record.mail.redirect_uri.as_str()), (&ana, REDIRECT));
    let claimed = outbox.claimed().await;
    let texts = (claimed.from_name.as_deref(), claimed.subject.as_deref());
    assert_eq!(texts, (Some("Shop \"Ana\" ✉"), Some("\u{202e}subject\\")));
    assert_eq!((claimed.id, claimed.attempt, claimed.to.as_str()), (record.id, 1, "ana@example.com"));
}

#[tokio::test]
async fn rate_limit_allows_the_next_mail_when_the_oldest_leaves_the_window() {
    let outbox = Outbox::with(limit(2, 60)).await;
    let (ana, bo) = (outbox.user("ana@example.com").await, outbox.user("bo@example.com").await);
    let request = async |user_id: &str| wait(outbox.request_mail(user_id).await);
    assert_eq!(request(&ana).await, None);
    outbox.clock.advance(SECOND * 20);
    assert_eq!(request(&ana).await, None);
    outbox.clock.advance(SECOND * 10);
    assert_eq!(request(&ana).await, Some(30));
    assert_eq!(request(&bo).await, None, "limits are per user");
    // The sent, failed and ended mails of a user count, too.
    outbox.disable(&ana).await;
    outbox.update(UpdateUser { id: ana.clone(), disabled: Some(false), ..UpdateUser::default() }).await;
    outbox.clock.advance(SECOND * 30 - MILLISECOND);
    assert_eq!(request(&ana).await, Some(1), "rounded up");
    outbox.clock.advance(MILLISECOND);
    assert_eq!(request(&ana).await, None);
    assert_eq!(request(&ana).await, Some(20));
}

#[tokio::test]
async fn rate_limit_waits_for_a_window_at_most_when_the_clock_is_set_back() {
    let outbox = Outbox::with(limit(1, 60)).await;
    let ana = outbox.user("ana@example.com").await;
    outbox.queue(&ana).await;
    outbox.clock.set_back(SECOND * 1000);
    assert_eq!(wait(outbox.request_mail(&ana).await), Some(60));
}

#[tokio::test]
async fn rate_limit_of_zero_refuses_all_mails() {
    let outbox = Outbox::with(limit(0, 60)).await;
    let ana = outbox.user("ana@example.com").await;
    assert_eq!(wait(outbox.request_mail(&ana).await), Some(60));
    assert_eq!(outbox.states().await, []);
}

#[tokio::test]
async fn rate_limit_error_names_limit_window_and_wait() {
    let outbox = Outbox::new().await;
    let ana = outbox.user("ana@example.com").await;
    for _ in 0..5 {
        outbox.mailed(&ana).await;
    }
    outbox.clock.advance(SECOND * 10);
    let error = outbox.request_mail(&ana).await.unwrap_err();
    let detail = "the user may be sent 5 password-reset mails within 3600 s: try again in 3590 s";
    assert_eq!((error.code(), error.detail()), (Code::ResourceExhausted, detail));
}

#[tokio::test(flavor = "multi_thread")]
async fn rate_limit_holds_for_concurrent_requests() {
    let outbox = Outbox::with(limit(3, 60)).await;
    let ana = outbox.user("ana@example.com").await;
    // Tasks of their own, so that reads and commits of several threads interleave.
    let request = |router: &Router| {
        let (router, user_id) = (router.clone(), ana.clone());
        let mail = SendPasswordResetEmail { user_id, redirect_uri: REDIRECT.into(), ..Default::default() };
        tokio::spawn(async move { router.send_password_reset_email(&context(Principal::Host), mail).await })
    };
    let outcomes = join_all((0..16).map(|_| request(&outbox.router))).await;
    let waits: Vec<_> = outcomes.into_iter().map(|outcome| wait(outcome.unwrap())).collect();
    assert_eq!(waits.iter().filter(|wait| wait.is_none()).count(), 3, "{waits:?}");
    assert_eq!(outbox.states().await, [MailState::Queued; 3]);
}

#[tokio::test]
async fn concurrent_requests_for_different_users_all_succeed() {
    let outbox = Outbox::with(limit(1, 60)).await;
    let mut users = Vec::new();
    for n in 0..30 {
        users.push(outbox.user(&format!("user{n}@example.com")).await);
    }
    for outcome in join_all(users.iter().map(|user| outbox.request_mail(user))).await {
        outcome.unwrap();
    }
    assert_eq!(outbox.states().await, [MailState::Queued; 30]);
}

#[tokio::test]
async fn request_is_refused_for_users_who_cannot_be_mailed() {
    let outbox = Outbox::with(NamespaceSettings::default().name_kind(NameKind::Any)).await;
    let (ana, bo) = (outbox.user("ana").await, outbox.user("bo@example.com").await);
    let outbox = outbox.reconfigured(NamespaceSettings::default());
    outbox.disable(&bo).await;
    for (user_id, reason) in [(&ana, "the name of the user is not an e-mail address"), (&bo, "the user is disabled")] {
        let error = outbox.request_mail(user_id).await.unwrap_err();
        let detail = format!("no password-reset mail can be sent: {reason}");
        assert_eq!((error.code(), error.detail()), (Code::FailedPrecondition, detail.as_str()));
    }
    assert_eq!(outbox.states().await, []);
}

#[tokio::test]
async fn mails_of_a_deleted_user_are_deleted() {
    let outbox = Outbox::new().await;
    let ana = outbox.user("ana@example.com").await;
    outbox.mailed(&ana).await;
    outbox.queue(&ana).await;
    outbox.delete(&ana).await;
    assert_eq!(outbox.states().await, []);
    assert!(outbox.claim().await.is_none());
    let error = outbox.request_mail(&ana).await.unwrap_err();
    assert_eq!((error.code(), error.detail()), (Code::NotFound, format!("user not found: {ana}").as_str()));
    assert_eq!(outbox.namespace().as_str(), NAMESPACE);
}

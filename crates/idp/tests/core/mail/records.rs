//! The operator's view of the outbox.

use std::time::Duration;

use pretty_assertions::assert_eq;
use tailor_idp_core::local::{MailState, SendFailure};
use tailor_idp_core::{Code, MailLimit, NamespaceSettings};

use super::{MILLISECOND, Outbox};

const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);

#[tokio::test]
async fn mails_are_listed_newest_first_and_by_state() {
    let outbox = Outbox::new().await;
    let (ana, bo) = (outbox.user("ana@example.com").await, outbox.user("bo@example.com").await);
    outbox.mailed(&ana).await;
    outbox.queue(&bo).await;
    outbox.queue(&ana).await;
    let list = async |state, limit| {
        let mails = outbox.reset_mails(state, limit).await.unwrap();
        mails.into_iter().map(|mail| (mail.to, mail.state)).collect::<Vec<_>>()
    };
    let (ana, bo) = ("ana@example.com".to_owned(), "bo@example.com".to_owned());
    let all = [(ana.clone(), MailState::Queued), (bo.clone(), MailState::Queued), (ana.clone(), MailState::Sent)];
    assert_eq!(list(None, 10).await, all);
    assert_eq!(list(None, 1).await, all[..1]);
    assert_eq!(list(Some(MailState::Queued), 10).await, all[..2]);
    assert_eq!(list(Some(MailState::Sent), 10).await, all[2..]);
    assert_eq!(list(Some(MailState::Dead), 10).await, []);
    let states = MailState::ALL.map(|state| MailState::from_name(state.name()));
    assert_eq!(states, MailState::ALL.map(Some));
}

#[tokio::test]
async fn unknown_mails_are_not_found() {
    let outbox = Outbox::new().await;
    for error in [outbox.reset_mail(7).await.map(drop), outbox.retry_reset_mail(7).await] {
        let error = error.unwrap_err();
        assert_eq!((error.code(), error.detail()), (Code::NotFound, "mail not found: 7"));
    }
}

#[tokio::test]
async fn retry_queues_dead_mails_only() {
    let outbox = Outbox::new().await;
    let ana = outbox.user("ana@example.com").await;
    outbox.queue(&ana).await;
    let mail = outbox.claimed().await;
    outbox.settle_reset_mail(&mail, Err(SendFailure::Permanent("550 nobody".into()))).await.unwrap();
    outbox.retry_reset_mail(mail.id).await.unwrap();
    let record = outbox.reset_mail(mail.id).await.unwrap();
    assert_eq!((record.state, record.attempts, record.finished_at), (MailState::Queued, 0, None));
    let refused = async || {
        let error = outbox.retry_reset_mail(mail.id).await.unwrap_err();
        assert_eq!(error.code(), Code::FailedPrecondition);
        error.detail().to_owned()
    };
    let text = |state: &str| format!("only dead mails are retried: mail {} is {state}", mail.id);
    assert_eq!(refused().await, text("queued"));
    let again = outbox.claimed().await;
    assert_eq!((again.id, again.attempt), (mail.id, 1));
    assert_eq!(refused().await, text("sending"));
    assert!(outbox.settle_sent(&again).await);
    assert_eq!(refused().await, text("sent"));
}

#[tokio::test]
async fn prune_deletes_mails_that_finished_over_a_week_ago() {
    let outbox = Outbox::new().await;
    let ana = outbox.user("ana@example.com").await;
    let token = outbox.mailed(&ana).await;
    outbox.queue(&ana).await;
    outbox.prune_reset_mails().await.unwrap();
    outbox.clock.advance(WEEK);
    outbox.prune_reset_mails().await.unwrap();
    assert_eq!(outbox.states().await, [MailState::Sent, MailState::Queued]);
    outbox.clock.advance(MILLISECOND);
    outbox.prune_reset_mails().await.unwrap();
    assert_eq!(outbox.states().await, [MailState::Queued], "unfinished mails stay");
    assert!(!outbox.is_valid(&token).await);
}

#[tokio::test]
async fn prune_keeps_mails_that_the_rate_limit_counts() {
    let limit = MailLimit { mails: 1, window: WEEK * 2 };
    let outbox = Outbox::with(NamespaceSettings::default().reset_mail_limit(limit)).await;
    let ana = outbox.user("ana@example.com").await;
    outbox.mailed(&ana).await;
    outbox.clock.advance(WEEK * 2 - MILLISECOND);
    outbox.prune_reset_mails().await.unwrap();
    assert_eq!(outbox.request_mail(&ana).await.unwrap_err().code(), Code::ResourceExhausted);
}

#[tokio::test]
async fn prune_deletes_more_mails_than_one_write() {
    let limit = MailLimit { mails: 1, window: Duration::ZERO };
    let outbox = Outbox::with(NamespaceSettings::default().reset_mail_limit(limit)).await;
    let ana = outbox.user("ana@example.com").await;
    for _ in 0..2001 {
        outbox.queue(&ana).await;
    }
    outbox.disable(&ana).await;
    outbox.clock.advance(WEEK + MILLISECOND);
    outbox.prune_reset_mails().await.unwrap();
    assert_eq!(outbox.states().await, []);
}

//! The worker's side of the outbox: claims, leases, retries, and mails that are not sent.

use std::sync::Arc;

use futures::future::join_all;
use pretty_assertions::assert_eq;
use tailor_idp_core::local::{LEASE, MailState, SendFailure};
use tailor_idp_core::store::{Batch, Mutation, StoreError};
use tailor_idp_core::{Code, MailLimit, NamespaceSettings, UpdateUser};

use super::{MILLISECOND, Outbox, SECOND};
use crate::host::Host;
use crate::interposed::Interposed;
use crate::support::enqueue;

fn temporary(reason: &str) -> Result<(), SendFailure> {
    Err(SendFailure::Temporary(reason.into()))
}

fn permanent(reason: &str) -> Result<(), SendFailure> {
    Err(SendFailure::Permanent(reason.into()))
}

/// The batch that gives a claimed mail its token.
fn puts_token(batch: &Batch) -> bool {
    batch.mutations.iter().any(|mutation| matches!(mutation, Mutation::PutResetToken { .. }))
}

/// An outbox whose store lets a test act before a token is stored.
struct Raced {
    outbox: Outbox,
    store: Arc<Interposed>,
    host: Host,
}

impl Raced {
    async fn new() -> Self {
        let outbox = Outbox::new().await;
        let store = Arc::new(Interposed::new(&outbox.store));
        let host = Host::over(store.clone(), NamespaceSettings::default());
        Self { outbox, store, host }
    }
}

#[tokio::test]
async fn claim_leases_a_mail_until_the_lease_ends() {
    let outbox = Outbox::new().await;
    let ana = outbox.user("ana@example.com").await;
    outbox.queue(&ana).await;
    let first = outbox.claimed().await;
    assert_eq!(outbox.mails().await[0].due_at, Some(outbox.store.now().after(LEASE)));
    outbox.clock.advance(LEASE - MILLISECOND);
    assert!(outbox.claim().await.is_none(), "another worker has it");
    assert!(outbox.is_valid(&first.token).await);
    outbox.clock.advance(MILLISECOND);
    let second = outbox.claimed().await;
    assert_eq!((second.id, first.attempt, second.attempt), (first.id, 1, 2));
    assert!(!outbox.is_valid(&first.token).await && outbox.is_valid(&second.token).await);
    assert!(!outbox.settle_sent(&first).await, "the first worker is too late");
    assert!(outbox.settle_sent(&second).await);
    assert!(!outbox.settle_sent(&second).await, "for the second time");
    assert_eq!(outbox.states().await, [MailState::Sent]);
    outbox.clock.advance(LEASE * 100);
    assert!(outbox.claim().await.is_none());
}

#[tokio::test]
async fn one_of_many_claims_gets_a_mail() {
    let outbox = Outbox::new().await;
    for n in 0..8 {
        let user = outbox.user(&format!("user{n}@example.com")).await;
        outbox.queue(&user).await;
    }
    let claims = join_all((0..12).map(|_| outbox.claim())).await;
    let mut addresses: Vec<_> = claims.into_iter().flatten().map(|mail| mail.to).collect();
    addresses.sort();
    assert_eq!(addresses, (0..8).map(|n| format!("user{n}@example.com")).collect::<Vec<_>>());
    assert_eq!(outbox.states().await, [MailState::Sending; 8]);
}

#[tokio::test]
async fn claim_gives_a_mail_up_when_every_worker_stopped() {
    let outbox = Outbox::new().await;
    let ana = outbox.user("ana@example.com").await;
    outbox.queue(&ana).await;
    for attempt in 1..=8 {
        assert_eq!(outbox.claimed().await.attempt, attempt);
        outbox.clock.advance(LEASE);
    }
    assert!(outbox.claim().await.is_none());
    let mail = outbox.mails().await.remove(0);
    let reason = "given up: every worker that took the mail stopped before it was sent";
    assert_eq!((mail.state, mail.last_error.as_deref()), (MailState::Dead, Some(reason)));
    outbox.retry_reset_mail(mail.id).await.unwrap();
    assert_eq!(outbox.claimed().await.attempt, 1);
}

#[tokio::test]
async fn claim_ends_mails_that_a_newer_one_replaces() {
    let outbox = Outbox::new().await;
    let ana = outbox.user("ana@example.com").await;
    outbox.queue(&ana).await;
    outbox.queue(&ana).await;
    let newer = outbox.claimed().await;
    assert!(outbox.claim().await.is_none());
    let mails = outbox.mails().await;
    assert_eq!([mails[0].state, mails[1].state], [MailState::Ended, MailState::Sending]);
    assert_eq!(mails[0].last_error.as_deref(), Some("not sent: a newer mail to the user was asked for"));
    assert_eq!(mails[1].id, newer.id);
    // A failed mail is not sent after a newer one.
    outbox.host.settle_reset_mail(&newer, temporary("451")).await.unwrap();
    outbox.mailed(&ana).await;
    outbox.clock.advance(LEASE);
    assert!(outbox.claim().await.is_none());
    assert_eq!(outbox.states().await, [MailState::Ended, MailState::Ended, MailState::Sent]);
}

#[tokio::test]
async fn claim_sends_the_older_mail_when_the_newer_one_is_dead() {
    let outbox = Outbox::new().await;
    let ana = outbox.user("ana@example.com").await;
    outbox.queue(&ana).await;
    let older = outbox.claimed().await;
    outbox.settle_reset_mail(&older, temporary("451 later")).await.unwrap();
    outbox.queue(&ana).await;
    let newer = outbox.claimed().await;
    outbox.settle_reset_mail(&newer, permanent("550 never")).await.unwrap();
    outbox.clock.advance(LEASE);
    let again = outbox.claimed().await;
    assert_eq!((again.id, again.attempt), (older.id, 2));
}

#[tokio::test]
async fn claim_ends_mails_of_disabled_users() {
    let outbox = Outbox::new().await;
    let ana = outbox.user("ana@example.com").await;
    outbox.disable(&ana).await;
    // As a process would that does not know of it.
    enqueue(&outbox.store, &ana, r#"{"redirectUri":"https://app.example.com/"}"#).await;
    assert!(outbox.claim().await.is_none());
    let mail = outbox.mails().await.remove(0);
    assert_eq!((mail.state, mail.last_error.as_deref()), (MailState::Ended, Some("not sent: the user is disabled")));
}

#[tokio::test]
async fn claim_ends_mails_when_passwords_are_disabled() {
    let outbox = Outbox::new().await;
    let ana = outbox.user("ana@example.com").await;
    outbox.queue(&ana).await;
    let after = outbox.reconfigured(NamespaceSettings::default().disable_password_auth(true));
    assert!(after.claim().await.is_none());
    let mail = after.mails().await.remove(0);
    let why = "not sent: the users of namespace builtin-idp do not sign in with passwords: disablePasswordAuth is set";
    assert_eq!((mail.state, mail.last_error.as_deref()), (MailState::Ended, Some(why)));
}

#[tokio::test]
async fn claim_stores_no_token_when_a_newer_mail_is_sent_meanwhile() {
    let Raced { outbox, store, host } = Raced::new().await;
    let ana = outbox.user("ana@example.com").await;
    outbox.queue(&ana).await;
    let outbox = Arc::new(outbox);
    let (sender, token) = tokio::sync::oneshot::channel();
    let newer = Arc::clone(&outbox);
    store.before_commit(puts_token, async move { sender.send(newer.mailed(&ana).await).unwrap() });
    assert!(host.claim_reset_mail().await.unwrap().is_none());
    assert!(store.has_acted());
    assert_eq!(outbox.states().await, [MailState::Ended, MailState::Sent]);
    assert!(outbox.is_valid(&token.await.unwrap()).await, "the newer link stays valid");
}

#[tokio::test]
async fn claim_stores_no_token_when_the_user_is_disabled_or_deleted_meanwhile() {
    for delete in [false, true] {
        let Raced { outbox, store, host } = Raced::new().await;
        let ana = outbox.user("ana@example.com").await;
        outbox.queue(&ana).await;
        let outbox = Arc::new(outbox);
        let other = Arc::clone(&outbox);
        store.before_commit(puts_token, async move {
            if delete { other.delete(&ana).await } else { other.disable(&ana).await }
        });
        assert!(host.claim_reset_mail().await.unwrap().is_none());
        assert!(store.has_acted());
        assert_eq!(outbox.states().await, if delete { vec![] } else { vec![MailState::Ended] });
    }
}

#[tokio::test]
async fn claim_takes_the_new_name_when_the_user_is_renamed_meanwhile() {
    let Raced { outbox, store, host } = Raced::new().await;
    let ana = outbox.user("ana@example.com").await;
    outbox.queue(&ana).await;
    let outbox = Arc::new(outbox);
    let other = Arc::clone(&outbox);
    store.before_commit(puts_token, async move { other.rename(&ana, "ann@example.com").await });
    let mail = host.claim_reset_mail().await.unwrap().unwrap();
    assert!(store.has_acted());
    assert_eq!(mail.to, "ann@example.com");
    assert!(outbox.is_valid(&mail.token).await);
    assert!(outbox.settle_sent(&mail).await);
}

#[tokio::test]
async fn temporary_failures_are_retried_until_the_mail_is_dead() {
    let outbox = Outbox::new().await;
    let ana = outbox.user("ana@example.com").await;
    outbox.queue(&ana).await;
    for attempt in 1..=8_u32 {
        let mail = outbox.claimed().await;
        assert_eq!(mail.attempt, attempt);
        assert!(outbox.settle_reset_mail(&mail, temporary("451 later,\r\nplease")).await.unwrap());
        let record = outbox.reset_mail(mail.id).await.unwrap();
        assert_eq!((record.last_error.as_deref(), record.attempts), (Some("451 later,  please"), attempt));
        if attempt == 8 {
            assert_eq!((record.state, record.finished_at), (MailState::Dead, Some(outbox.store.now())));
            break;
        }
        assert_eq!(record.state, MailState::Queued);
        let delay = record.due_at.unwrap().since(outbox.store.now());
        let full = (SECOND * 30 * (1 << (attempt - 1))).min(SECOND * 30 * 60);
        assert!((full / 2..=full).contains(&delay), "attempt {attempt}: {delay:?} of {full:?}");
        outbox.clock.advance(delay - MILLISECOND);
        assert!(outbox.claim().await.is_none(), "it is not due");
        outbox.clock.advance(MILLISECOND);
    }
    outbox.clock.advance(LEASE * 100);
    assert!(outbox.claim().await.is_none());
}

#[tokio::test]
async fn permanent_failure_makes_the_mail_dead_at_once() {
    let outbox = Outbox::new().await;
    let ana = outbox.user("ana@example.com").await;
    outbox.queue(&ana).await;
    let mail = outbox.claimed().await;
    outbox.settle_reset_mail(&mail, permanent(&"x".repeat(1000))).await.unwrap();
    let record = outbox.reset_mail(mail.id).await.unwrap();
    assert_eq!((record.state, record.last_error.unwrap().len()), (MailState::Dead, 300));
}

#[tokio::test]
async fn changes_of_the_password_and_disabling_end_mails() {
    let user = |id: &str| UpdateUser { id: id.into(), ..UpdateUser::default() };
    let changes: [fn(UpdateUser) -> UpdateUser; 3] = [
        |change| UpdateUser { password: Some("new one".into()), ..change },
        |change| UpdateUser { clear_password: true, ..change },
        |change| UpdateUser { disabled: Some(true), ..change },
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let outbox = Outbox::new().await;
        let ana = outbox.user("ana@example.com").await;
        outbox.queue(&ana).await;
        let sending = outbox.claimed().await;
        outbox.queue(&ana).await;
        outbox.update(change(user(&ana))).await;
        let why = Some("not sent: the password was changed or the user disabled");
        for mail in outbox.mails().await {
            let expected = (MailState::Ended, why, Some(outbox.store.now()));
            assert_eq!((mail.state, mail.last_error.as_deref(), mail.finished_at), expected, "change {index}");
        }
        assert!(!outbox.settle_sent(&sending).await, "change {index}");
        assert!(!outbox.is_valid(&sending.token).await, "change {index}");
        assert!(outbox.claim().await.is_none(), "change {index}");
    }
}

#[tokio::test]
async fn rename_redirects_mails_that_are_being_sent() {
    let outbox = Outbox::new().await;
    let ana = outbox.user("ana@example.com").await;
    outbox.queue(&ana).await;
    let old = outbox.claimed().await;
    outbox.rename(&ana, "ann@example.com").await;
    assert!(!outbox.settle_sent(&old).await);
    let new = outbox.claimed().await;
    assert_eq!((old.to.as_str(), new.to.as_str(), new.id), ("ana@example.com", "ann@example.com", old.id));
    assert!(!outbox.is_valid(&old.token).await && outbox.is_valid(&new.token).await);
    assert!(outbox.settle_sent(&new).await);
    assert_eq!(outbox.mails().await[0].to, "ann@example.com");
}

#[tokio::test]
async fn claim_reports_a_busy_store_as_unavailable() {
    let Raced { outbox, store, host } = Raced::new().await;
    let ana = outbox.user("ana@example.com").await;
    outbox.queue(&ana).await;
    store.fail_claims(StoreError::Locked { waited_secs: 5 });
    let error = host.claim_reset_mail().await.unwrap_err();
    assert_eq!((error.code(), error.detail()), (Code::Unavailable, "the user store is busy, try again"));
    assert_eq!(outbox.states().await, [MailState::Queued]);
}

#[tokio::test]
async fn claim_leaves_the_mail_due_when_the_store_is_busy() {
    let Raced { outbox, store, host } = Raced::new().await;
    let ana = outbox.user("ana@example.com").await;
    outbox.queue(&ana).await;
    store.fail_commit(puts_token, StoreError::Locked { waited_secs: 5 });
    assert_eq!(host.claim_reset_mail().await.unwrap_err().code(), Code::Unavailable);
    assert!(store.has_acted());
    assert_eq!(outbox.states().await, [MailState::Queued]);
    assert_eq!(outbox.claimed().await.attempt, 1);
}

#[tokio::test]
async fn claim_does_not_repeat_a_mail_at_once_when_it_fails_otherwise() {
    let Raced { outbox, store, host } = Raced::new().await;
    let ana = outbox.user("ana@example.com").await;
    outbox.queue(&ana).await;
    store.fail_commit(puts_token, StoreError::Corrupt("a page".into()));
    assert_eq!(host.claim_reset_mail().await.unwrap_err().code(), Code::Internal);
    assert!(outbox.claim().await.is_none(), "other mails go ahead");
    outbox.clock.advance(LEASE);
    assert_eq!(outbox.claimed().await.attempt, 2);
}

#[tokio::test]
async fn claims_of_many_replaced_mails_send_the_newest_only() {
    let limit = MailLimit { mails: 200, window: SECOND };
    let outbox = Outbox::with(NamespaceSettings::default().reset_mail_limit(limit)).await;
    let ana = outbox.user("ana@example.com").await;
    for _ in 0..150 {
        outbox.queue(&ana).await;
    }
    let newest = outbox.mails().await.last().unwrap().id;
    assert_eq!(outbox.claimed().await.id, newest);
    assert!(outbox.claim().await.is_none());
}

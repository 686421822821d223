//! The outbox of password-reset mails.

use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};
use uuid::Uuid;

use super::events;
use super::namespace::SqliteStore;
use super::rows::parse_id;
use super::tokens;
use crate::idp::{PasswordHash, Timestamp};
use crate::store::{
    Attempt, ClaimedMail, EventKind, MailClaim, MailLimit, MailRecord, MailState, Queued, ResetMail, ResetMailStore,
    StoreError, TokenHash, TokenTarget, WriteOptions,
};

/// The columns of [`mail_record`].
macro_rules! columns {
    () => {
        "SELECT m.user_id, m.redirect_uri, m.from_name, m.subject, m.id, u.name, m.state, m.queued_at, m.due_at,
                m.finished_at, m.attempts, m.last_error, m.claims
         FROM reset_mails AS m JOIN users AS u ON u.namespace_id = m.namespace_id AND u.id = m.user_id "
    };
}

#[async_trait]
impl ResetMailStore for SqliteStore {
    async fn queue(
        &self,
        mail: ResetMail,
        now: Timestamp,
        limit: MailLimit,
        options: WriteOptions,
    ) -> Result<Queued, StoreError> {
        let user_id = mail.user_id.clone();
        self.write(&user_id, Queued::NoUser, options, move |connection, namespace_id, user_id| {
            if let Some(wait) = wait(connection, namespace_id, user_id, now, limit)? {
                return Ok(Queued::TooSoon(wait));
            }
            let sql =
                "INSERT INTO reset_mails (namespace_id, user_id, redirect_uri, from_name, subject, queued_at, due_at)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)";
            let ResetMail { redirect_uri, from_name, subject, .. } = mail;
            let values = params![namespace_id, user_id.as_bytes(), redirect_uri, from_name, subject, now.unix_millis()];
            connection.prepare_cached(sql)?.execute(values)?;
            Ok(Queued::Done)
        })
        .await
    }

    async fn mails(&self, state: Option<MailState>, limit: u32) -> Result<Vec<MailRecord>, StoreError> {
        self.read(|connection| {
            let sql = concat!(
                columns!(),
                "WHERE m.namespace_id = ?1 AND (?2 IS NULL OR m.state = ?2) ORDER BY m.id DESC LIMIT ?3"
            );
            let values = params![self.namespace_id, state.map(MailState::name), limit];
            Ok(connection.prepare_cached(sql)?.query_map(values, mail_record)?.collect::<Result<_, _>>()?)
        })
    }

    async fn mail(&self, id: i64) -> Result<Option<MailRecord>, StoreError> {
        self.read(|connection| {
            let sql = concat!(columns!(), "WHERE m.namespace_id = ? AND m.id = ?");
            let values = params![self.namespace_id, id];
            Ok(connection.prepare_cached(sql)?.query_row(values, mail_record).optional()?)
        })
    }

    async fn claim(&self, claim: MailClaim) -> Result<Option<ClaimedMail>, StoreError> {
        let namespace_id = self.namespace_id;
        self.database.writer.run(move |connection| take(connection, namespace_id, &claim)).await
    }

    async fn settle(&self, id: i64, claim: i64, now: Timestamp, attempt: Attempt) -> Result<bool, StoreError> {
        let namespace_id = self.namespace_id;
        let work = move |connection: &Connection| {
            let (state, at, error) = match attempt {
                Attempt::Sent => (MailState::Sent, now, None),
                Attempt::Retry { at, error } => (MailState::Queued, at, Some(error)),
                Attempt::Dead { error } => (MailState::Dead, now, Some(error)),
            };
            let sql = "UPDATE reset_mails SET state = :state, last_error = :error, due_at = :at,
                         finished_at = iif(:state = 'queued', NULL, :at)
                       WHERE namespace_id = :namespace AND id = :id AND claims = :claim AND state = 'sending'";
            let values = named_params! {
                ":namespace": namespace_id, ":id": id, ":claim": claim,
                ":state": state.name(), ":at": at.unix_millis(), ":error": error,
            };
            Ok(connection.prepare_cached(sql)?.execute(values)? > 0)
        };
        self.database.writer.run(work).await
    }

    async fn retry(&self, id: i64, now: Timestamp) -> Result<bool, StoreError> {
        let namespace_id = self.namespace_id;
        let work = move |connection: &Connection| {
            let sql = "UPDATE reset_mails SET state = 'queued', attempts = 0, due_at = ?3, finished_at = NULL
                       WHERE namespace_id = ?1 AND id = ?2 AND state = 'dead'";
            Ok(connection.prepare_cached(sql)?.execute(params![namespace_id, id, now.unix_millis()])? > 0)
        };
        self.database.writer.run(work).await
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        self.read(|connection| {
            let sql = "SELECT due_at FROM reset_mails WHERE namespace_id = ? AND state IN ('queued', 'sending')
                       ORDER BY due_at LIMIT 1";
            let due = connection.prepare_cached(sql)?.query_row([self.namespace_id], |row| row.get(0)).optional()?;
            Ok(due.map(Timestamp::from_unix_millis))
        })
    }

    async fn prune(&self, before: Timestamp, limit: u32) -> Result<usize, StoreError> {
        let namespace_id = self.namespace_id;
        let work = move |connection: &Connection| {
            let sql = "DELETE FROM reset_mails WHERE id IN
                         (SELECT id FROM reset_mails WHERE namespace_id = ? AND finished_at < ? LIMIT ?)";
            Ok(connection.prepare_cached(sql)?.execute(params![namespace_id, before.unix_millis(), limit])?)
        };
        self.database.writer.run(work).await
    }

    async fn token(&self, token: TokenHash, now: Timestamp) -> Result<Option<TokenTarget>, StoreError> {
        let found = self.read(|connection| tokens::find(connection, self.namespace_id, token, now))?;
        Ok(found.map(|(_, target)| target))
    }

    async fn use_token(
        &self,
        token: TokenHash,
        password: PasswordHash,
        now: Timestamp,
        publish: bool,
    ) -> Result<Option<TokenTarget>, StoreError> {
        let namespace_id = self.namespace_id;
        let work = move |connection: &Connection| {
            let spent = tokens::spend(connection, namespace_id, token, &password, now)?;
            let Some((user_id, target)) = spent else { return Ok(None) };
            if publish {
                events::append(connection, namespace_id, user_id, EventKind::Updated)?;
            }
            Ok(Some(target))
        };
        self.database.writer.run(work).await
    }
}

/// How long until the user may be mailed again: until the oldest of the newest `limit.mails` leaves the window.
fn wait(
    connection: &Connection,
    namespace_id: i64,
    user_id: Uuid,
    now: Timestamp,
    limit: MailLimit,
) -> Result<Option<Duration>, StoreError> {
    let Some(before) = limit.mails.checked_sub(1) else { return Ok(Some(limit.window)) };
    let sql =
        "SELECT queued_at FROM reset_mails WHERE namespace_id = ? AND user_id = ? ORDER BY id DESC LIMIT 1 OFFSET ?";
    let values = params![namespace_id, user_id.as_bytes(), before];
    let oldest: Option<i64> = connection.prepare_cached(sql)?.query_row(values, |row| row.get(0)).optional()?;
    let Some(oldest) = oldest else { return Ok(None) };
    let window = i64::try_from(limit.window.as_millis()).unwrap_or(i64::MAX);
    // A clock that was set back makes nobody wait for longer than the window.
    let left = oldest.saturating_add(window).saturating_sub(now.unix_millis()).min(window);
    Ok(u64::try_from(left).ok().filter(|left| *left > 0).map(Duration::from_millis))
}

/// The claim: one transaction, so that of two processes one gets the mail.
fn take(connection: &Connection, namespace_id: i64, claim: &MailClaim) -> Result<Option<ClaimedMail>, StoreError> {
    let now = claim.now.unix_millis();
    let finish = |id: i64, state: MailState, why: &str| -> Result<(), StoreError> {
        let sql = "UPDATE reset_mails SET state = ?, finished_at = ?, last_error = ? WHERE id = ?";
        connection.prepare_cached(sql)?.execute(params![state.name(), now, why, id])?;
        Ok(())
    };
    loop {
        let sql = concat!(
            columns!(),
            "WHERE m.namespace_id = ? AND m.state IN ('queued', 'sending') AND m.due_at <= ? ORDER BY m.due_at, m.id LIMIT 1"
        );
        let row = |row: &Row<'_>| Ok((mail_record(row)?, row.get::<_, i64>(12)?));
        let due = connection.prepare_cached(sql)?.query_row(params![namespace_id, now], row).optional()?;
        let Some((due, claims)) = due else { return Ok(None) };
        if due.attempts >= claim.max_attempts {
            // Whoever had it never came back, time after time: the mail itself may be what kills them.
            finish(due.id, MailState::Dead, "given up: every worker that took the mail stopped before it was sent")?;
            continue;
        }
        if let Some(why) = &claim.useless {
            finish(due.id, MailState::Ended, why)?;
            continue;
        }
        if let Some(why) = useless(connection, namespace_id, &due)? {
            finish(due.id, MailState::Ended, why)?;
            continue;
        }
        let sql = "UPDATE reset_mails SET state = 'sending', attempts = attempts + 1, claims = claims + 1, due_at = ?
                   WHERE id = ?";
        connection.prepare_cached(sql)?.execute(params![claim.lease_until.unix_millis(), due.id])?;
        tokens::replace(connection, namespace_id, &due, claim.token, claim.token_expires_at)?;
        let attempt = due.attempts + 1;
        return Ok(Some(ClaimedMail { id: due.id, claim: claims + 1, mail: due.mail, to: due.to, attempt }));
    }
}

/// Why the mail's link would be of no use, if so.
fn useless(connection: &Connection, namespace_id: i64, mail: &MailRecord) -> Result<Option<&'static str>, StoreError> {
    let Some(id) = parse_id(&mail.mail.user_id) else { return Ok(None) };
    let sql = "SELECT (SELECT disabled FROM users WHERE namespace_id = ?1 AND id = ?2),
                 EXISTS (SELECT 1 FROM reset_mails WHERE namespace_id = ?1 AND user_id = ?2 AND id > ?3
                         AND state IN ('queued', 'sending', 'sent'))";
    let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let values = params![namespace_id, id.as_bytes(), mail.id];
    let (disabled, overtaken): (bool, bool) = connection.prepare_cached(sql)?.query_row(values, row)?;
    Ok(match (disabled, overtaken) {
        (true, _) => Some("not sent: the user is disabled"),
        (_, true) => Some("not sent: a newer mail to the user was asked for"),
        _ => None,
    })
}

/// Ends what is under way for the user: mails that are not sent yet, and the token. What has been mailed still counts for the
/// rate limit.
pub(super) fn end(
    connection: &Connection,
    namespace_id: i64,
    user_id: Uuid,
    now: Timestamp,
    why: &str,
) -> Result<(), StoreError> {
    let sql = "UPDATE reset_mails SET state = 'ended', finished_at = ?3, last_error = ?4
               WHERE namespace_id = ?1 AND user_id = ?2 AND state IN ('queued', 'sending')";
    connection.prepare_cached(sql)?.execute(params![namespace_id, user_id.as_bytes(), now.unix_millis(), why])?;
    tokens::end(connection, namespace_id, user_id)
}

/// After a new name: the link that is out is in a mailbox that is the user's no longer. What is not out yet goes to the new
/// one, also what is being sent to the old.
pub(super) fn redirect(
    connection: &Connection,
    namespace_id: i64,
    user_id: Uuid,
    now: Timestamp,
) -> Result<(), StoreError> {
    // Another claim: who is sending it settles nothing.
    let sql = "UPDATE reset_mails SET state = 'queued', due_at = ?3, claims = claims + 1
               WHERE namespace_id = ?1 AND user_id = ?2 AND state = 'sending'";
    connection.prepare_cached(sql)?.execute(params![namespace_id, user_id.as_bytes(), now.unix_millis()])?;
    tokens::end(connection, namespace_id, user_id)
}

fn mail(row: &Row<'_>) -> Result<ResetMail, rusqlite::Error> {
    Ok(ResetMail {
        user_id: Uuid::from_bytes(row.get(0)?).to_string(),
        redirect_uri: row.get(1)?,
        from_name: row.get(2)?,
        subject: row.get(3)?,
    })
}

fn mail_record(row: &Row<'_>) -> Result<MailRecord, rusqlite::Error> {
    let state: String = row.get(6)?;
    let finished_at: Option<i64> = row.get(9)?;
    let due_at = Timestamp::from_unix_millis(row.get(8)?);
    Ok(MailRecord {
        id: row.get(4)?,
        mail: mail(row)?,
        to: row.get(5)?,
        // The table's own check leaves no other.
        state: MailState::from_name(&state).unwrap_or(MailState::Dead),
        queued_at: Timestamp::from_unix_millis(row.get(7)?),
        due_at: finished_at.is_none().then_some(due_at),
        finished_at: finished_at.map(Timestamp::from_unix_millis),
        attempts: row.get(10)?,
        last_error: row.get(11)?,
    })
}

//! The operator's view of the outbox: listing, retrying and pruning mails.

use std::fmt;
use std::time::Duration;

use super::{ResetMail, mail_of};
use crate::local::LocalDirectory;
use crate::local::error::failed;
use crate::model::{IdpError, Timestamp, UserKey};
use crate::store::{Batch, JobFilter, JobKey, JobRecord, JobState, Mutation, QueueName};

/// The time that finished mails are kept for inspection. Longer than any sensible window of the rate limit, which counts them.
const RETENTION: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The maximum number of finished mails that one write deletes: other writes wait meanwhile.
const PRUNE_BATCH: u32 = 1000;

/// The state of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MailState {
    /// Waits for its next attempt.
    Queued,
    /// Leased by a worker.
    Sending,
    /// Accepted by the mail server or written to the folder.
    Sent,
    /// Given up.
    Dead,
    /// Not sent, since its link would be of no use: the password was changed, the user disabled, or a newer mail requested.
    Ended,
}

impl MailState {
    /// All states, in the order of a mail's life.
    pub const ALL: [Self; 5] = [Self::Queued, Self::Sending, Self::Sent, Self::Dead, Self::Ended];

    /// The state in one word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Dead => "dead",
            Self::Ended => "ended",
        }
    }

    /// The state with this [`name`](Self::name).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    const fn of(state: JobState) -> Self {
        match state {
            JobState::Queued => Self::Queued,
            JobState::Leased => Self::Sending,
            JobState::Done => Self::Sent,
            JobState::Dead => Self::Dead,
            JobState::Ended => Self::Ended,
        }
    }

    const fn job_state(self) -> JobState {
        match self {
            Self::Queued => JobState::Queued,
            Self::Sending => JobState::Leased,
            Self::Sent => JobState::Done,
            Self::Dead => JobState::Dead,
            Self::Ended => JobState::Ended,
        }
    }
}

impl fmt::Display for MailState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A mail of the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailRecord {
    /// The id. Higher is newer.
    pub id: i64,
    /// The mail as it was requested.
    pub mail: ResetMail,
    /// The name of the user, which is the address.
    pub to: String,
    /// The state.
    pub state: MailState,
    /// The time of the request.
    pub queued_at: Timestamp,
    /// The time of the next attempt or, while it is sent, the end of the lease. `None` if finished.
    pub due_at: Option<Timestamp>,
    /// The time at which it was sent, given up or ended.
    pub finished_at: Option<Timestamp>,
    /// The number of attempts.
    pub attempts: u32,
    /// The last failure or the reason of the end. Contains no secret.
    pub last_error: Option<String>,
}

impl LocalDirectory {
    /// The mails in this state, or all mails, newest first.
    ///
    /// # Errors
    ///
    /// [`Code::Unavailable`](crate::model::Code::Unavailable) if the store is busy.
    pub async fn reset_mails(&self, state: Option<MailState>, limit: u32) -> Result<Vec<MailRecord>, IdpError> {
        let filter = JobFilter {
            state: state.map(MailState::job_state),
            newest_first: true,
            limit,
            ..JobFilter::new(QueueName::ResetMails)
        };
        let mut mails = Vec::new();
        for job in self.store.jobs(filter).await.map_err(failed)? {
            mails.extend(self.mail_record(job).await?);
        }
        Ok(mails)
    }

    /// The mail with this id.
    ///
    /// # Errors
    ///
    /// [`Code::NotFound`](crate::model::Code::NotFound) if it does not exist.
    pub async fn reset_mail(&self, id: i64) -> Result<MailRecord, IdpError> {
        let filter = JobFilter { id: Some(id), limit: 1, ..JobFilter::new(QueueName::ResetMails) };
        let job = self.store.jobs(filter).await.map_err(failed)?.into_iter().next();
        let record = match job {
            Some(job) => self.mail_record(job).await?,
            None => None,
        };
        record.ok_or_else(|| mail_not_found(id))
    }

    /// Queues a dead mail again, with no attempts counted.
    ///
    /// # Errors
    ///
    /// [`Code::NotFound`](crate::model::Code::NotFound) if the mail does not exist,
    /// [`Code::FailedPrecondition`](crate::model::Code::FailedPrecondition) if it is not dead.
    pub async fn retry_reset_mail(&self, id: i64) -> Result<(), IdpError> {
        let retry = Mutation::RetryDead { queue: QueueName::ResetMails, job: Some(JobKey::Id(id)) };
        let batch = Batch { mutations: vec![retry], ..Batch::default() };
        if self.store.commit(batch).await.map_err(failed)?.affected.iter().sum::<u64>() > 0 {
            return Ok(());
        }
        let mail = self.reset_mail(id).await?;
        Err(IdpError::failed_precondition(format!("only dead mails are retried: mail {id} is {}", mail.state)))
    }

    /// Deletes mails that finished a week ago or earlier.
    ///
    /// # Errors
    ///
    /// [`Code::Unavailable`](crate::model::Code::Unavailable) if the store is busy.
    pub async fn prune_reset_mails(&self) -> Result<(), IdpError> {
        let finished_before = self.now().before(RETENTION.max(self.settings.reset_mail_limit.window));
        loop {
            let prune = Mutation::PruneJobs { queue: QueueName::ResetMails, finished_before, limit: PRUNE_BATCH };
            let batch = Batch { mutations: vec![prune], ..Batch::default() };
            let deleted: u64 = self.store.commit(batch).await.map_err(failed)?.affected.iter().sum();
            if deleted < u64::from(PRUNE_BATCH) {
                return Ok(());
            }
        }
    }

    /// The mail of a job; `None` if the user has been deleted meanwhile.
    async fn mail_record(&self, job: JobRecord) -> Result<Option<MailRecord>, IdpError> {
        let Some(user) = self.store.get(UserKey::Id(&job.user_id)).await.map_err(failed)? else { return Ok(None) };
        Ok(Some(MailRecord {
            id: job.id,
            mail: mail_of(&job)?,
            to: user.name,
            state: MailState::of(job.state),
            queued_at: job.queued_at,
            due_at: job.finished_at.is_none().then_some(job.due_at),
            finished_at: job.finished_at,
            attempts: job.attempts,
            last_error: job.reason,
        }))
    }
}

fn mail_not_found(id: i64) -> IdpError {
    IdpError::not_found(format!("mail not found: {id}"))
}

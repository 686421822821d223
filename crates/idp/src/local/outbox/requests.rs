//! Requests for mails: queueing under the rate limit, and what changes of a user do to queued mails.

use std::time::Duration;

use super::Payload;
use crate::local::error::failed;
use crate::local::{LocalDirectory, expect};
use crate::model::{Code, IdpError, SendPasswordResetEmail, UserRecord, internal};
use crate::rules::MailLimit;
use crate::store::{Batch, Expect, JobFilter, JobRecord, Mutation, NewJob, QueueName};

impl LocalDirectory {
    /// Queues a mail, within the rate limit.
    pub(in crate::local) async fn queue_reset_mail(
        &self,
        user: &UserRecord,
        mail: &SendPasswordResetEmail,
    ) -> Result<(), IdpError> {
        let limit = self.settings.reset_mail_limit;
        let newest = self.newest_mails(&user.id, limit.mails.max(1)).await?;
        if let Some(wait) = self.rate_limit(limit, &newest) {
            return Err(IdpError::new(
                Code::ResourceExhausted,
                format!(
                    "the user may be sent {} password-reset mails within {} s: try again in {} s",
                    limit.mails,
                    limit.window.as_secs(),
                    wait.as_millis().div_ceil(1000)
                ),
            ));
        }
        let SendPasswordResetEmail { user_id: _, redirect_uri, from_name, subject } = mail.clone();
        let payload = serde_json::to_string(&Payload { redirect_uri, from_name, subject }).map_err(internal)?;
        let job = NewJob { queue: QueueName::ResetMails, user_id: user.id.clone(), payload };
        let batch = Batch {
            // Without the newest mail as an expectation, several requests at once could exceed the limit.
            expect: vec![expect(user), expect_newest(&user.id, &newest)],
            mutations: vec![Mutation::Enqueue(job)],
            ..Batch::default()
        };
        self.store.commit(batch).await.map_err(failed)?;
        Ok(())
    }

    /// The time until the user may be mailed again: until the oldest of the newest `limit.mails` leaves the window.
    fn rate_limit(&self, limit: MailLimit, newest: &[JobRecord]) -> Option<Duration> {
        if limit.mails == 0 {
            return Some(limit.window);
        }
        let oldest = newest.get(limit.mails as usize - 1)?;
        // If the clock was set back, no user waits longer than the window.
        let elapsed = self.now().since(oldest.queued_at);
        limit.window.checked_sub(elapsed).filter(|wait| !wait.is_zero())
    }

    /// The user's newest mails, newest first.
    pub(super) async fn newest_mails(&self, user_id: &str, limit: u32) -> Result<Vec<JobRecord>, IdpError> {
        let filter = JobFilter {
            user_id: Some(user_id.to_owned()),
            newest_first: true,
            limit,
            ..JobFilter::new(QueueName::ResetMails)
        };
        self.store.jobs(filter).await.map_err(failed)
    }
}

/// No mail was requested since the user's newest mails were read.
pub(super) fn expect_newest(user_id: &str, newest: &[JobRecord]) -> Expect {
    let id = newest.first().map(|job| job.id);
    Expect::NewestJob { queue: QueueName::ResetMails, user_id: user_id.to_owned(), id }
}

/// Ends everything that could reset the user's password: mails that are not sent yet, and the token. Mails that were sent still
/// count towards the rate limit.
pub(in crate::local) fn end_resets(user_id: &str, reason: &str) -> [Mutation; 2] {
    let (queue, user_id, reason) = (QueueName::ResetMails, user_id.to_owned(), reason.to_owned());
    [Mutation::EndJobs { queue, user_id: user_id.clone(), reason }, Mutation::DeleteResetToken { user_id }]
}

/// After a rename, the mailbox that received a link may belong to somebody else. Mails that are not sent yet go to the
/// new address, including those that are being sent to the old one.
pub(in crate::local) fn redirect_resets(user_id: &str) -> [Mutation; 2] {
    let (queue, user_id) = (QueueName::ResetMails, user_id.to_owned());
    [Mutation::RequeueJobs { queue, user_id: user_id.clone() }, Mutation::DeleteResetToken { user_id }]
}

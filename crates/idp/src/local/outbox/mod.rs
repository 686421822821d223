//! The outbox of password-reset mails.

mod delivery;
mod records;
mod requests;

use serde::{Deserialize, Serialize};

#[cfg(feature = "mail")]
pub(crate) use delivery::may_repeat;
pub use delivery::{LEASE, OutgoingMail, SendFailure, TOKEN_LIFETIME};
pub use records::{MailRecord, MailState};
pub(super) use requests::{end_resets, redirect_resets};

use crate::model::{IdpError, internal};
use crate::store::JobRecord;

/// A password-reset mail as it was requested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResetMail {
    /// The id of the user.
    pub user_id: String,
    /// The URL that the browser goes to after the reset.
    pub redirect_uri: String,
    /// The sender's name, if the request had one.
    pub from_name: Option<String>,
    /// The subject, if the request had one.
    pub subject: Option<String>,
}

/// The content of a mail's job.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    redirect_uri: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
}

/// The mail that a job sends.
pub(super) fn mail_of(job: &JobRecord) -> Result<ResetMail, IdpError> {
    let Payload { redirect_uri, from_name, subject } = serde_json::from_str(&job.payload).map_err(internal)?;
    Ok(ResetMail { user_id: job.user_id.clone(), redirect_uri, from_name, subject })
}

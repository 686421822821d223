//! Rate limits of a namespace.

use std::time::Duration;

/// Limits on failed sign-in attempts. Passwords and MFA codes are counted separately. A limit of 0 counts as 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttemptLimits {
    /// The maximum number of failures per name, or per user for MFA codes, in a window. A success resets it.
    pub per_user: u32,
    /// The maximum number of failures in the whole namespace in a window. Also bounds the number of stored counters, to twice
    /// this number.
    pub per_namespace: u32,
    /// The length of a window, which starts with the first failure.
    pub window: Duration,
}

impl Default for AttemptLimits {
    /// 10 per user and 10 000 per namespace in 15 minutes: about a thousand guesses a day at one password, and enough for the
    /// typing errors of a large namespace.
    fn default() -> Self {
        Self { per_user: 10, per_namespace: 10_000, window: Duration::from_secs(15 * 60) }
    }
}

/// The rate limit for password-reset mails to one user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MailLimit {
    /// The maximum number of mails within `window`.
    pub mails: u32,
    /// The length of the sliding window.
    pub window: Duration,
}

impl Default for MailLimit {
    /// 5 mails an hour: enough for somebody who asks again, too few to flood an inbox.
    fn default() -> Self {
        Self { mails: 5, window: Duration::from_secs(60 * 60) }
    }
}

//! Failed sign-in attempts, counted in the store: the limits hold across processes and restarts.
//!
//! Attempts for unknown names count like those for users, so that a refusal does not tell whether a user exists.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::LocalDirectory;
use super::error::failed;
use crate::model::{Code, IdpError, Timestamp, internal};
use crate::rules::AttemptLimits;
use crate::store::{Batch, Counter, CounterKey, Mutation};

/// The length of a subject's digest in bytes: collisions do not occur by chance.
const DIGEST_LEN: usize = 16;

/// Too many attempts have failed: the [`source`](std::error::Error::source) of the [`IdpError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many failed attempts: try again in {} s", seconds(self.wait))]
pub struct TooManyAttempts {
    /// The time until the next attempt is allowed.
    pub wait: Duration,
}

impl From<TooManyAttempts> for IdpError {
    fn from(refusal: TooManyAttempts) -> Self {
        Self::new(Code::ResourceExhausted, refusal.to_string()).with_source(refusal)
    }
}

/// Rounded up, so that an attempt after that time is not refused.
fn seconds(wait: Duration) -> u128 {
    wait.as_millis().div_ceil(1000)
}

/// The kind of an attempt. Each kind is counted separately.
#[derive(Debug, Clone, Copy)]
pub(super) enum AttemptKind {
    Password,
    MfaCode,
}

impl AttemptKind {
    const fn scope(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::MfaCode => "mfa-code",
        }
    }
}

/// An attempt in progress. It counts as failed unless it is settled otherwise.
#[must_use]
pub(super) struct Attempt<'a> {
    directory: &'a LocalDirectory,
    keys: [CounterKey; 2],
    since: [Timestamp; 2],
}

impl LocalDirectory {
    /// Starts an attempt for `subject`, a name or the id of a user. It counts as failed from now on, so that many at once do not
    /// exceed the limits.
    ///
    /// # Errors
    ///
    /// [`TooManyAttempts`] above a limit.
    pub(super) async fn begin_attempt(&self, kind: AttemptKind, subject: &str) -> Result<Attempt<'_>, IdpError> {
        let keys = [
            CounterKey { scope: kind.scope(), subject: Vec::new() },
            CounterKey { scope: kind.scope(), subject: self.digest(kind, subject)? },
        ];
        let limits = Limits::of(self.settings.attempt_limits);
        // Before the read: a window that the store reports to start later started in the future, or just now.
        let now = self.now();
        // Reads come first: an attempt above the limit costs no write.
        let mut counters = self.store.counters(&keys).await.map_err(failed)?;
        let from_now = |(_, counter): &(_, &Counter)| counter.count > 0 && counter.since >= now;
        let moved: Vec<_> =
            keys.iter().zip(&counters).filter(from_now).map(|(key, _)| limits.count(key, 0, None)).collect();
        if !moved.is_empty() {
            // If the clock was set back, this moves the windows to now, so that no refusal lasts longer than a window.
            self.count(moved).await?;
            counters = self.store.counters(&keys).await.map_err(failed)?;
        }
        let now = self.now();
        limits.check(&counters, now, Limits::reached)?;
        let mut mutations: Vec<_> = keys.iter().map(|key| limits.count(key, 1, None)).collect();
        if counters.first().is_none_or(|counter| counter.count == 0 || limits.has_ended(*counter, now)) {
            // Once a window: at most the counters of two windows are kept.
            mutations.insert(0, Mutation::PruneCounters { started_until: now.before(limits.window) });
        }
        let counted = self.count(mutations).await?;
        let since = since(&counted)?;
        let attempt = Attempt { directory: self, keys, since };
        if let Err(refusal) = limits.check(&counted, self.now(), Limits::exceeded) {
            // Concurrent attempts have reached the limit first.
            attempt.call_off().await;
            return Err(refusal.into());
        }
        Ok(attempt)
    }

    async fn count(&self, mutations: Vec<Mutation>) -> Result<Vec<Counter>, IdpError> {
        let batch = Batch { mutations, ..Batch::default() };
        Ok(self.store.commit(batch).await.map_err(failed)?.counters)
    }

    /// A keyed digest instead of the name, which is not stored: users type passwords into name fields.
    fn digest(&self, kind: AttemptKind, subject: &str) -> Result<Vec<u8>, IdpError> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.store.seal_key()).map_err(internal)?;
        mac.update(kind.scope().as_bytes());
        mac.update(&[0]);
        mac.update(subject.as_bytes());
        Ok(mac.finalize().into_bytes()[..DIGEST_LEN].to_vec())
    }
}

impl Attempt<'_> {
    /// The changes of the counters if the attempt succeeds: earlier failures of the subject are forgotten.
    pub(super) fn success(&self) -> [Mutation; 2] {
        let [namespace, subject] = &self.keys;
        [Mutation::ResetCounter { key: subject.clone() }, self.limits().count(namespace, -1, Some(self.since[0]))]
    }

    /// Records that the attempt succeeded. If the store fails, this is logged and the attempt counts as failed: the caller's outcome
    /// stands.
    pub(super) async fn succeed(self) {
        self.settle(self.success().into()).await;
    }

    /// Records that the attempt was not completed, and does not count. If the store fails, this is logged and the attempt counts as
    /// failed: the caller reports the first failure.
    pub(super) async fn call_off(self) {
        let limits = self.limits();
        let mutations = self.keys.iter().zip(self.since).map(|(key, since)| limits.count(key, -1, Some(since)));
        self.settle(mutations.collect()).await;
    }

    async fn settle(&self, mutations: Vec<Mutation>) {
        if let Err(error) = self.directory.count(mutations).await {
            let cause = std::error::Error::source(&error).map(tracing::field::display);
            let namespace = &self.directory.namespace;
            tracing::warn!(%namespace, %error, cause, "an attempt that did not fail counts as failed");
        }
    }

    fn limits(&self) -> Limits {
        Limits::of(self.directory.settings.attempt_limits)
    }
}

/// The limits of the namespace and of a subject, in this order.
#[derive(Debug, Clone, Copy)]
struct Limits {
    counts: [u64; 2],
    window: Duration,
}

impl Limits {
    fn of(limits: AttemptLimits) -> Self {
        let AttemptLimits { per_user, per_namespace, window } = limits;
        Self { counts: [per_namespace.max(1).into(), per_user.max(1).into()], window }
    }

    fn reached(count: u64, limit: u64) -> bool {
        count >= limit
    }

    fn exceeded(count: u64, limit: u64) -> bool {
        count > limit
    }

    /// Whether the counter's window has ended, by the current settings.
    fn has_ended(self, counter: Counter, now: Timestamp) -> bool {
        now.since(counter.since) >= self.window
    }

    fn check(self, counters: &[Counter], now: Timestamp, is_over: fn(u64, u64) -> bool) -> Result<(), TooManyAttempts> {
        let over = counters
            .iter()
            .zip(self.counts)
            .find(|(counter, limit)| is_over(counter.count, *limit) && !self.has_ended(**counter, now));
        match over {
            // Not zero, since the window has not ended.
            Some((counter, _)) => Err(TooManyAttempts { wait: self.window.saturating_sub(now.since(counter.since)) }),
            None => Ok(()),
        }
    }

    fn count(self, key: &CounterKey, by: i64, since: Option<Timestamp>) -> Mutation {
        Mutation::Count { key: key.clone(), by, window: self.window, since }
    }
}

fn since(counted: &[Counter]) -> Result<[Timestamp; 2], IdpError> {
    match counted {
        [namespace, subject] => Ok([namespace.since, subject.since]),
        _ => Err(internal("the store returned the wrong number of counters")),
    }
}

#[cfg(test)]
#[cfg(feature = "sqlite")]
mod tests;

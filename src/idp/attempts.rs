//! Limits on failed attempts to sign in.
//!
//! Counts live in memory, shared by the clones of an [`Idp`](super::Idp): a guess costs no write, and a restart forgives. Names
//! that nobody has are counted as those of users are, so that a refusal tells nothing.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use parking_lot::Mutex;

use super::{Code, IdpError, Timestamp};

/// How many attempts may fail, and in what time. Passwords and MFA codes are counted apart. A limit of 0 counts as 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttemptLimits {
    /// Failures for one name, or one user's codes, in a window. A success starts anew.
    pub per_user: u32,
    /// Failures in the whole namespace in a window. Bounds memory, too: names are remembered up to twice this number.
    pub per_namespace: u32,
    /// Counted from the first failure.
    pub window: Duration,
}

impl Default for AttemptLimits {
    /// 10 a user and 10 000 a namespace, in 15 minutes: about a thousand guesses a day at one password, and room for a large
    /// namespace's mistypings.
    fn default() -> Self {
        Self { per_user: 10, per_namespace: 10_000, window: Duration::from_secs(15 * 60) }
    }
}

/// Too many attempts have failed: the [`source`](std::error::Error::source) of such an [`IdpError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many failed attempts: try again in {} s", seconds(self.wait))]
pub struct TooManyAttempts {
    /// When to try again.
    pub wait: Duration,
}

impl From<TooManyAttempts> for IdpError {
    fn from(refusal: TooManyAttempts) -> Self {
        Self::new(Code::ResourceExhausted, refusal.to_string()).with_source(refusal)
    }
}

/// Rounded up: who waits for so long does not come too early.
fn seconds(wait: Duration) -> u128 {
    wait.as_millis().div_ceil(1000)
}

/// The failed attempts of one namespace.
pub(super) struct Attempts {
    limits: AttemptLimits,
    // Names are kept as their hashes under a random key: short, whatever is tried.
    hashes: RandomState,
    failures: Mutex<Failures>,
}

#[derive(Default)]
struct Failures {
    namespace: Window,
    users: HashMap<u64, Window>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Window {
    failures: u32,
    since_millis: i64,
}

impl Window {
    /// The rest of the window, unless it is over.
    fn rest(&mut self, length: Duration, now: i64) -> Option<Duration> {
        // A clock that was set back locks nobody out for longer.
        self.since_millis = self.since_millis.min(now);
        let elapsed = Duration::from_millis(now.abs_diff(self.since_millis));
        length.checked_sub(elapsed).filter(|rest| !rest.is_zero())
    }

    /// How long to wait, if there is no failure left.
    fn check(&mut self, limit: u32, length: Duration, now: i64) -> Result<(), TooManyAttempts> {
        match self.rest(length, now) {
            Some(wait) if self.failures >= limit => Err(TooManyAttempts { wait }),
            Some(_) if self.failures > 0 => Ok(()),
            _ => {
                *self = Self { failures: 0, since_millis: now };
                Ok(())
            }
        }
    }
}

impl Attempts {
    pub(super) fn new(limits: AttemptLimits) -> Self {
        Self { limits, hashes: RandomState::new(), failures: Mutex::default() }
    }

    /// Starts an attempt. It counts as failed from now on, so that many at once do not get past the limit, until it is known
    /// to be a success.
    pub(super) fn begin(&self, user: &str, now: Timestamp) -> Result<Attempt<'_>, TooManyAttempts> {
        let AttemptLimits { per_user, per_namespace, window } = self.limits;
        let (user, now) = (self.hashes.hash_one(user), now.unix_millis());
        let mut failures = self.failures.lock();
        let Failures { namespace, users } = &mut *failures;
        namespace.check(per_namespace.max(1), window, now)?;
        if namespace.failures == 0 {
            // Once a window: so no more than two windows' names are ever remembered.
            users.retain(|_, failed| failed.rest(window, now).is_some());
        }
        if let Some(of_user) = users.get_mut(&user) {
            of_user.check(per_user.max(1), window, now)?;
        }
        // Only now: what is refused is not remembered.
        users.entry(user).or_insert(Window { failures: 0, since_millis: now }).failures += 1;
        namespace.failures += 1;
        Ok(Attempt { attempts: self, user, window: namespace.since_millis })
    }

    #[cfg(test)]
    fn remembered(&self) -> usize {
        self.failures.lock().users.len()
    }
}

/// An attempt under way. Dropped, it has failed.
pub(super) struct Attempt<'a> {
    attempts: &'a Attempts,
    user: u64,
    window: i64,
}

impl Attempt<'_> {
    /// The user is who they say: earlier failures are forgotten.
    pub(super) fn succeed(self) {
        let mut failures = self.attempts.failures.lock();
        failures.users.remove(&self.user);
        self.uncount(&mut failures.namespace);
    }

    /// Nothing was found out: the attempt does not count.
    pub(super) fn call_off(self) {
        let mut failures = self.attempts.failures.lock();
        if let Some(of_user) = failures.users.get_mut(&self.user) {
            of_user.failures = of_user.failures.saturating_sub(1);
            if of_user.failures == 0 {
                failures.users.remove(&self.user);
            }
        }
        self.uncount(&mut failures.namespace);
    }

    fn uncount(&self, namespace: &mut Window) {
        // What began in an earlier window is not in this one's count.
        if namespace.since_millis == self.window {
            namespace.failures = namespace.failures.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_millis(1_700_000_000_000 + seconds * 1000)
    }

    fn attempts(per_user: u32, per_namespace: u32) -> Attempts {
        Attempts::new(AttemptLimits { per_user, per_namespace, window: Duration::from_secs(100) })
    }

    fn wait(attempts: &Attempts, user: &str, now: Timestamp) -> Option<u64> {
        attempts.begin(user, now).err().map(|refusal| refusal.wait.as_secs())
    }

    #[test]
    fn a_user_may_fail_so_often_and_then_waits_for_the_rest_of_the_window() {
        let attempts = attempts(3, 100);
        for second in [0, 10, 20] {
            assert_eq!(wait(&attempts, "ana", at(second)), None);
        }
        assert_eq!(wait(&attempts, "ana", at(30)), Some(70));
        assert_eq!(wait(&attempts, "bo", at(30)), None, "others do not wait");
        assert_eq!(wait(&attempts, "ana", at(99)), Some(1));
        assert_eq!(wait(&attempts, "ana", at(100)), None);
    }

    #[test]
    fn a_success_starts_anew() {
        let attempts = attempts(2, 100);
        assert_eq!(wait(&attempts, "ana", at(0)), None);
        attempts.begin("ana", at(1)).unwrap().succeed();
        assert_eq!((wait(&attempts, "ana", at(2)), wait(&attempts, "ana", at(3))), (None, None));
        assert_eq!(wait(&attempts, "ana", at(4)), Some(98));
    }

    #[test]
    fn what_was_called_off_does_not_count() {
        let attempts = attempts(1, 2);
        for _ in 0..10 {
            attempts.begin("ana", at(0)).unwrap().call_off();
        }
        assert_eq!(attempts.remembered(), 0);
        assert_eq!(wait(&attempts, "ana", at(0)), None);
    }

    #[test]
    fn attempts_under_way_count() {
        let attempts = attempts(2, 100);
        let under_way = (attempts.begin("ana", at(0)).unwrap(), attempts.begin("ana", at(0)).unwrap());
        assert_eq!(wait(&attempts, "ana", at(0)), Some(100));
        under_way.1.succeed();
        assert_eq!(wait(&attempts, "ana", at(0)), None);
    }

    #[test]
    fn a_namespace_may_fail_so_often_whoever_it_is() {
        let attempts = attempts(10, 3);
        for user in ["ana", "bo", "chi"] {
            assert_eq!(wait(&attempts, user, at(0)), None);
        }
        assert_eq!(wait(&attempts, "dan", at(40)), Some(60));
        assert_eq!(wait(&attempts, "dan", at(100)), None);
    }

    #[test]
    fn successes_are_not_counted_against_the_namespace() {
        let attempts = attempts(10, 3);
        for _ in 0..100 {
            attempts.begin("ana", at(0)).unwrap().succeed();
        }
        assert_eq!(wait(&attempts, "bo", at(0)), None);
    }

    #[test]
    fn a_success_of_an_earlier_window_takes_nothing_from_this_ones_count() {
        let attempts = attempts(10, 2);
        let late = attempts.begin("ana", at(0)).unwrap();
        assert_eq!((wait(&attempts, "bo", at(100)), wait(&attempts, "chi", at(100))), (None, None));
        late.succeed();
        assert_eq!(wait(&attempts, "dan", at(100)), Some(100));
    }

    #[test]
    fn a_million_names_are_not_remembered() {
        let attempts = attempts(10, 500);
        let mut most = 0;
        for name in 0..1_000_000 {
            // A hundred names a second, for hours.
            let _ = attempts.begin(&format!("name{name}"), at(name / 100));
            most = most.max(attempts.remembered());
        }
        assert!((500..=1000).contains(&most), "{most}, in a namespace that may fail 500 times in a window");
    }

    #[test]
    fn failures_of_two_windows_are_remembered_at_the_most() {
        let attempts = attempts(10, 500);
        let mut most = 0;
        for round in 0..20 {
            // The first fails when a window begins, the rest when it ends: they outlast it.
            for name in 0..500 {
                let second = if name == 0 { round * 100 } else { round * 100 + 99 };
                assert_eq!(wait(&attempts, &format!("{round}-{name}"), at(second)), None);
                most = most.max(attempts.remembered());
            }
        }
        assert_eq!(most, 999);
    }

    #[test]
    fn a_clock_that_was_set_back_locks_nobody_out_for_longer_than_a_window() {
        let attempts = attempts(1, 100);
        assert_eq!(wait(&attempts, "ana", at(1_000_000)), None);
        assert_eq!(wait(&attempts, "ana", at(0)), Some(100));
        assert_eq!(wait(&attempts, "ana", at(100)), None);
    }

    #[test]
    fn the_error_says_how_long_to_wait_in_full_seconds() {
        let error = IdpError::from(TooManyAttempts { wait: Duration::from_millis(1_001) });
        assert_eq!(
            (error.code(), error.detail()),
            (Code::ResourceExhausted, "too many failed attempts: try again in 2 s")
        );
        let source = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<TooManyAttempts>());
        assert_eq!(source.map(|refusal| refusal.wait.as_millis()), Some(1_001));
    }
}

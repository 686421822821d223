//! When to try again.

use std::time::Duration;

use uuid::Uuid;

use crate::idp::Timestamp;

/// Doubles from `first` to `max`, less up to a half by chance, so that what failed together is not tried again together.
pub(super) fn delay(attempts: u32, first: Duration, max: Duration) -> Duration {
    let doublings = attempts.saturating_sub(1).min(31);
    let full = first.saturating_mul(1 << doublings).min(max);
    // The low bits of a UUIDv7 are random.
    let chance = (Uuid::now_v7().as_u128() as u32) as f64 / f64::from(u32::MAX);
    full.mul_f64(1.0 - chance / 2.0)
}

/// The moment so long from now.
pub(super) fn from_now(delay: Duration) -> Timestamp {
    let now = now().unix_millis();
    Timestamp::from_unix_millis(now.saturating_add(i64::try_from(delay.as_millis()).unwrap_or(i64::MAX)))
}

/// How long until the moment; nothing where it has passed.
pub(super) fn until(moment: Timestamp) -> Duration {
    Duration::from_millis(moment.unix_millis().saturating_sub(now().unix_millis()).max(0).unsigned_abs())
}

pub(super) fn now() -> Timestamp {
    Timestamp::from_unix_millis(jiff::Timestamp::now().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest_less_a_half_at_the_most() {
        let (first, max) = (Duration::from_secs(1), Duration::from_secs(60));
        for (attempts, full) in [(0, 1), (1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (40, 60), (u32::MAX, 60)] {
            let full = Duration::from_secs(full);
            for _ in 0..50 {
                let delay = delay(attempts, first, max);
                assert!(delay >= full / 2 && delay <= full, "attempt {attempts}: {delay:?} of {full:?}");
            }
        }
    }
}

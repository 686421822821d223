//! Exponential back-off with jitter.

use std::time::Duration;

use crate::random;

/// The delay after a number of attempts: doubles from `first` up to `max`, reduced by up to a half at random, so that jobs that
/// failed together are not tried again together.
pub(super) fn delay(attempts: u32, first: Duration, max: Duration) -> Duration {
    let doublings = attempts.saturating_sub(1).min(31);
    let full = first.saturating_mul(1 << doublings).min(max);
    // Without random numbers there is no jitter.
    let random = random::bytes().map(u32::from_le_bytes).unwrap_or(0);
    full.mul_f64(1.0 - f64::from(random) / f64::from(u32::MAX) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delay_doubles_up_to_the_maximum_and_jitter_takes_at_most_half() {
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

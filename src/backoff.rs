//! When to try again what failed: a mail, an event.

use std::time::Duration;

use uuid::Uuid;

/// Doubles from `first` to `max`, less up to a half by chance, so that what failed together is not tried again together.
pub(crate) fn delay(attempts: u32, first: Duration, max: Duration) -> Duration {
    let doublings = attempts.saturating_sub(1).min(31);
    let full = first.saturating_mul(1 << doublings).min(max);
    // The low bits of a UUIDv7 are random.
    let chance = (Uuid::now_v7().as_u128() as u32) as f64 / f64::from(u32::MAX);
    full.mul_f64(1.0 - chance / 2.0)
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

//! The circuit breaker: calls of a dead service fail fast.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// The number of connection failures in a row that opens the circuit. A single call with its retries does not.
const FAILURES: u32 = 5;

/// The time for which it stays open. Short: a service that is back is noticed soon.
const OPEN_FOR: Duration = Duration::from_secs(2);

/// Open after repeated connection failures. When its time is over, the next failure opens it again.
#[derive(Debug, Default)]
pub(super) struct Circuit(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    open_until: Option<Instant>,
}

impl Circuit {
    pub(super) fn is_open(&self) -> bool {
        self.0.lock().open_until.is_some_and(|until| Instant::now() < until)
    }

    /// The service answered, whatever it answered.
    pub(super) fn answered(&self) {
        *self.0.lock() = State::default();
    }

    /// The service could not be reached.
    pub(super) fn failed(&self) {
        let mut state = self.0.lock();
        state.failures = state.failures.saturating_add(1);
        if state.failures >= FAILURES {
            state.open_until = Some(Instant::now() + OPEN_FOR);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circuit_opens_after_failures_in_a_row_and_closes_with_an_answer() {
        let circuit = Circuit::default();
        for _ in 1..FAILURES {
            circuit.failed();
        }
        assert!(!circuit.is_open());
        circuit.answered();
        circuit.failed();
        assert!(!circuit.is_open(), "failures in a row are counted");
        for _ in 1..FAILURES {
            circuit.failed();
        }
        assert!(circuit.is_open());
        circuit.answered();
        assert!(!circuit.is_open());
    }
}

//! `[function]`: the limits of a script.

use std::time::Duration;

use super::reader::Section;
use crate::function::Limits;
use crate::idp::shortened;

/// What a script may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FunctionLimits {
    /// How long it may run.
    pub timeout: Duration,
    /// How much memory it may use, in bytes.
    pub memory: u64,
}

const MB: u64 = 1024 * 1024;
/// The platform's job functions end here, at the latest.
const MAX_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);
/// An isolate needs a few MB before it runs a line.
const MIN_MEMORY_MB: u64 = 8;
/// What V8's compressed pointers can address.
const MAX_MEMORY_MB: u64 = 4096;

impl FunctionLimits {
    /// As the function runtime takes them; what the file does not speak of is as always.
    pub fn limits(&self) -> Limits {
        // More than an address space has is no limit.
        let memory = usize::try_from(self.memory).unwrap_or(usize::MAX);
        Limits { time: self.timeout, ..Limits::default() }.memory(memory)
    }

    /// Reads a time such as `60s`, within the bounds that [`timeout`](Self::timeout) has.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn parse_timeout(text: &str) -> Result<Duration, String> {
        let units = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];
        match quantity(text, &units).map(Duration::from_millis) {
            Some(timeout) if !timeout.is_zero() && timeout <= MAX_TIMEOUT => Ok(timeout),
            Some(_) => Err(format!("must be between 1ms and 24h: got {text:?}")),
            None => Err(not_a("time", "60s", text)),
        }
    }

    /// Reads a size such as `32MB`, within the bounds that [`memory`](Self::memory) has; in bytes.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn parse_memory(text: &str) -> Result<u64, String> {
        match quantity(text, &[("MB", 1), ("GB", 1024)]) {
            Some(mb) if (MIN_MEMORY_MB..=MAX_MEMORY_MB).contains(&mb) => Ok(mb * MB),
            Some(_) => Err(format!("must be between {MIN_MEMORY_MB}MB and {MAX_MEMORY_MB}MB: got {text:?}")),
            None => Err(not_a("size", "32MB", text)),
        }
    }
}

impl Default for FunctionLimits {
    /// The platform's, for functions.
    fn default() -> Self {
        Self { timeout: Duration::from_secs(60), memory: 32 * MB }
    }
}

pub(super) fn read(section: Section<'_, '_>) -> FunctionLimits {
    let mut limits = FunctionLimits::default();
    if let Some(text) = section.string("timeout") {
        match FunctionLimits::parse_timeout(&text) {
            Ok(timeout) => limits.timeout = timeout,
            Err(fault) => section.fault("timeout", fault),
        }
    }
    if let Some(text) = section.string("memory") {
        match FunctionLimits::parse_memory(&text) {
            Ok(memory) => limits.memory = memory,
            Err(fault) => section.fault("memory", fault),
        }
    }
    section.finish();
    limits
}

/// A whole number with a unit, in the unit that counts 1.
fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

fn not_a(what: &str, example: &str, text: &str) -> String {
    format!("must be a {what} such as {example:?}: got {:?}", shortened(text))
}

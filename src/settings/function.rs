//! `[function]`: the limits of a script, and what it may fetch.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::reader::Section;
use crate::function::{FetchPolicy, FetchSettings, Limits};
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
/// A body may be kept whole, and more than this no function has memory for.
const MAX_FETCH_BODY_MB: u64 = 1024;
/// Beyond this it is no longer a handler's work.
const MAX_FETCH_REQUESTS: u32 = 100_000;
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
        time(text, "60s")
    }

    /// Reads a size such as `32MB`, within the bounds that [`memory`](Self::memory) has; in bytes.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn parse_memory(text: &str) -> Result<u64, String> {
        size(text, "32MB", MIN_MEMORY_MB..=MAX_MEMORY_MB)
    }
}

impl Default for FunctionLimits {
    /// The platform's, for functions.
    fn default() -> Self {
        Self { timeout: Duration::from_secs(60), memory: 32 * MB }
    }
}

pub(super) fn read(section: Section<'_, '_>) -> (FunctionLimits, FetchSettings) {
    let mut limits = FunctionLimits::default();
    if let Some(timeout) = read_key(&section, "timeout", FunctionLimits::parse_timeout) {
        limits.timeout = timeout;
    }
    if let Some(memory) = read_key(&section, "memory", FunctionLimits::parse_memory) {
        limits.memory = memory;
    }
    let fetch = section.section("fetch").map(read_fetch).unwrap_or_default();
    section.finish();
    (limits, fetch)
}

fn read_fetch(section: Section<'_, '_>) -> FetchSettings {
    let mut fetch = FetchSettings::default();
    if let Some(hosts) = section.strings("allow") {
        match FetchPolicy::allow(hosts.iter().map(String::as_str)) {
            Ok(policy) => fetch = fetch.allow(policy),
            Err(error) => section.fault("allow", error.to_string()),
        }
    }
    if let Some(timeout) = read_key(&section, "timeout", |text| time(text, "30s")) {
        fetch = fetch.timeout(timeout);
    }
    if let Some(bytes) = read_key(&section, "max_body", |text| size(text, "10MB", 1..=MAX_FETCH_BODY_MB)) {
        fetch = fetch.max_body(bytes);
    }
    if let Some(requests) = section.integer("max_requests") {
        match u32::try_from(requests) {
            Ok(requests @ 1..=MAX_FETCH_REQUESTS) => fetch = fetch.max_requests(requests),
            _ => section.fault("max_requests", format!("must be between 1 and {MAX_FETCH_REQUESTS}: got {requests}")),
        }
    }
    section.finish();
    fetch
}

/// A key with a text in it. `None` where it is not there, or a fault was noted.
fn read_key<T>(
    section: &Section<'_, '_>,
    key: &'static str,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Option<T> {
    parse(&section.string(key)?).map_err(|fault| section.fault(key, fault)).ok()
}

fn time(text: &str, example: &str) -> Result<Duration, String> {
    let units = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];
    match quantity(text, &units).map(Duration::from_millis) {
        Some(time) if !time.is_zero() && time <= MAX_TIMEOUT => Ok(time),
        Some(_) => Err(format!("must be between 1ms and 24h: got {text:?}")),
        None => Err(not_a("time", example, text)),
    }
}

/// In bytes.
fn size(text: &str, example: &str, bounds: RangeInclusive<u64>) -> Result<u64, String> {
    match quantity(text, &[("MB", 1), ("GB", 1024)]) {
        Some(mb) if bounds.contains(&mb) => Ok(mb * MB),
        Some(_) => Err(format!("must be between {}MB and {}MB: got {text:?}", bounds.start(), bounds.end())),
        None => Err(not_a("size", example, text)),
    }
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

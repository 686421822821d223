//! `[function]`: the limits of a script, and what it may fetch.

use std::time::Duration;

use super::reader::Section;
use crate::function::{FetchPolicy, FetchSettings};
use crate::idp::shortened;

/// What a script may use. Kept for the runtime, which does not enforce them yet.
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

impl Default for FunctionLimits {
    /// The platform's, for functions.
    fn default() -> Self {
        Self { timeout: Duration::from_secs(60), memory: 32 * MB }
    }
}

pub(super) fn read(section: Section<'_, '_>) -> (FunctionLimits, FetchSettings) {
    let mut limits = FunctionLimits::default();
    if let Some(timeout) = timeout(&section, "60s") {
        limits.timeout = timeout;
    }
    if let Some(mb) = megabytes(&section, "memory", "32MB", MIN_MEMORY_MB, MAX_MEMORY_MB) {
        limits.memory = mb * MB;
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
    if let Some(timeout) = timeout(&section, "30s") {
        fetch = fetch.timeout(timeout);
    }
    if let Some(mb) = megabytes(&section, "max_body", "10MB", 1, MAX_FETCH_BODY_MB) {
        fetch = fetch.max_body(mb * MB);
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

/// The key `timeout`. `None` where it is not there, or a fault was noted.
fn timeout(section: &Section<'_, '_>, example: &str) -> Option<Duration> {
    let text = section.string("timeout")?;
    let units = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];
    match quantity(&text, &units).map(Duration::from_millis) {
        Some(timeout) if !timeout.is_zero() && timeout <= MAX_TIMEOUT => return Some(timeout),
        Some(_) => section.fault("timeout", format!("must be between 1ms and 24h: got {text:?}")),
        None => section.fault("timeout", not_a("time", example, &text)),
    }
    None
}

/// A key for a size. `None` where it is not there, or a fault was noted.
fn megabytes(section: &Section<'_, '_>, key: &'static str, example: &str, least: u64, most: u64) -> Option<u64> {
    let text = section.string(key)?;
    match quantity(&text, &[("MB", 1), ("GB", 1024)]) {
        Some(mb) if (least..=most).contains(&mb) => return Some(mb),
        Some(_) => section.fault(key, format!("must be between {least}MB and {most}MB: got {text:?}")),
        None => section.fault(key, not_a("size", example, &text)),
    }
    None
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

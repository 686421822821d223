//! `[function]`: limits of a script and the hosts that it may fetch from.

use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use tailor_idp_core::shortened;
use tailor_idp_fetch_policy::{CertificateAuthorities, FetchPolicy};

use super::reader::Section;

/// Limits of a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FunctionLimits {
    /// Maximum run time.
    pub timeout: Duration,
    /// Maximum memory in bytes.
    pub memory: u64,
    /// Maximum calls of `tailor.idp`.
    pub max_calls: u32,
    /// Where the script runs.
    pub isolation: ScriptIsolation,
}

/// Where scripts run: `function.isolation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ScriptIsolation {
    /// In a thread of the program.
    #[default]
    Thread,
    /// In a process of its own, in a sandbox.
    Process,
}

impl ScriptIsolation {
    /// Reads `thread` or `process`.
    ///
    /// # Errors
    ///
    /// A text that names both, and the given value.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "thread" => Ok(Self::Thread),
            "process" => Ok(Self::Process),
            _ => Err(format!("must be thread or process: got {:?}", shortened(text))),
        }
    }
}

/// Hosts and limits of `fetch`. A limit that is not in the file is the function runtime's default.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct FetchEntry {
    /// The allowed hosts.
    pub policy: FetchPolicy,
    /// Maximum time of a request.
    pub timeout: Option<Duration>,
    /// Maximum size of a body in memory, in bytes.
    pub max_body: Option<u64>,
    /// Maximum size of a streamed body, in bytes.
    pub max_streamed_body: Option<u64>,
    /// Maximum requests of an execution.
    pub max_requests: Option<u32>,
    /// Certificate authorities beside the public ones.
    pub authorities: CertificateAuthorities,
}

const MB: u64 = 1024 * 1024;
/// Longest run time of the platform's job functions.
const MAX_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);
/// An empty isolate already takes a few MB.
const MIN_MEMORY_MB: u64 = 8;
/// The default for job functions, which run for a day.
const MAX_CALLS: u32 = 10_000_000;
/// A body may be held in memory as a whole.
const MAX_FETCH_BODY_MB: u64 = 1024;
/// Far above what a handler needs.
const MAX_FETCH_REQUESTS: u32 = 100_000;
/// Address range of V8's compressed pointers.
const MAX_MEMORY_MB: u64 = 4096;

impl FunctionLimits {
    /// Parses a time such as `60s`, within the bounds of [`timeout`](Self::timeout).
    ///
    /// # Errors
    ///
    /// A text that states the rule and the given value.
    pub fn parse_timeout(text: &str) -> Result<Duration, String> {
        time(text, "60s")
    }

    /// Parses a size such as `32MB`, within the bounds of [`memory`](Self::memory). Returns bytes.
    ///
    /// # Errors
    ///
    /// A text that states the rule and the given value.
    pub fn parse_memory(text: &str) -> Result<u64, String> {
        size(text, "32MB", MIN_MEMORY_MB..=MAX_MEMORY_MB)
    }
}

impl Default for FunctionLimits {
    /// The platform's limits for functions, 60 s and 32 MB, and 100,000 calls.
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(60),
            memory: 32 * MB,
            max_calls: 100_000,
            isolation: ScriptIsolation::Thread,
        }
    }
}

pub(super) fn read(section: Section<'_, '_>, folder: &Path) -> (FunctionLimits, FetchEntry) {
    let mut limits = FunctionLimits::default();
    if let Some(timeout) = read_key(&section, "timeout", FunctionLimits::parse_timeout) {
        limits.timeout = timeout;
    }
    if let Some(memory) = read_key(&section, "memory", FunctionLimits::parse_memory) {
        limits.memory = memory;
    }
    if let Some(calls) = read_count(&section, "max_calls", MAX_CALLS) {
        limits.max_calls = calls;
    }
    if let Some(isolation) = read_key(&section, "isolation", ScriptIsolation::parse) {
        limits.isolation = isolation;
    }
    let fetch = section.section("fetch").map(|fetch| read_fetch(fetch, folder)).unwrap_or_default();
    section.finish();
    (limits, fetch)
}

fn read_fetch(section: Section<'_, '_>, folder: &Path) -> FetchEntry {
    let mut fetch = FetchEntry::default();
    if let Some(hosts) = section.strings("allow") {
        match FetchPolicy::allow(hosts.iter().map(String::as_str)) {
            Ok(policy) => fetch.policy = policy,
            Err(error) => section.fault("allow", error.to_string()),
        }
    }
    let body = |key, example| read_key(&section, key, |text| size(text, example, 1..=MAX_FETCH_BODY_MB));
    fetch.timeout = read_key(&section, "timeout", |text| time(text, "30s"));
    fetch.max_body = body("max_body", "10MB");
    fetch.max_streamed_body = body("max_streamed_body", "100MB");
    fetch.max_requests = read_count(&section, "max_requests", MAX_FETCH_REQUESTS);
    if let Some(authorities) = read_key(&section, "ca", |path| read_authorities(&folder.join(path))) {
        fetch.authorities = authorities;
    }
    section.finish();
    fetch
}

/// Reads a file with certificates in PEM form. The fault names the file.
fn read_authorities(file: &Path) -> Result<CertificateAuthorities, String> {
    let text = std::fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    CertificateAuthorities::from_pem(&text).map_err(|error| format!("{} {error}", file.display()))
}

/// Parses the string under a key. Returns `None` if the key is missing or a fault was recorded.
pub(super) fn read_key<T>(
    section: &Section<'_, '_>,
    key: &'static str,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Option<T> {
    parse(&section.string(key)?).map_err(|fault| section.fault(key, fault)).ok()
}

/// Reads a number between 1 and `max`. Returns `None` if the key is missing or a fault was recorded.
fn read_count(section: &Section<'_, '_>, key: &'static str, max: u32) -> Option<u32> {
    let given = section.integer(key)?;
    let count = u32::try_from(given).ok().filter(|count| (1..=max).contains(count));
    if count.is_none() {
        section.fault(key, format!("must be between 1 and {max}: got {given}"));
    }
    count
}

pub(super) fn time(text: &str, example: &str) -> Result<Duration, String> {
    let units = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];
    match quantity(text, &units).map(Duration::from_millis) {
        Some(time) if !time.is_zero() && time <= MAX_TIMEOUT => Ok(time),
        Some(_) => Err(format!("must be between 1ms and 24h: got {text:?}")),
        None => Err(not_a("time", example, text)),
    }
}

/// Parses a size. Returns bytes.
fn size(text: &str, example: &str, bounds: RangeInclusive<u64>) -> Result<u64, String> {
    match quantity(text, &[("MB", 1), ("GB", 1024)]) {
        Some(mb) if bounds.contains(&mb) => Ok(mb * MB),
        Some(_) => {
            Err(format!("must be between {} and {}: got {text:?}", shown(*bounds.start()), shown(*bounds.end())))
        }
        None => Err(not_a("size", example, text)),
    }
}

/// A size as it is written, in the largest unit that it is a multiple of.
fn shown(mb: u64) -> String {
    if mb.is_multiple_of(1024) { format!("{}GB", mb / 1024) } else { format!("{mb}MB") }
}

/// Parses a whole number with a unit. Returns it in the unit whose factor is 1.
fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let end_of_digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(end_of_digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

fn not_a(what: &str, example: &str, text: &str) -> String {
    format!("must be a {what} such as {example:?}: got {:?}", shortened(text))
}

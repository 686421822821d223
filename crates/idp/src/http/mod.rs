//! What HTTP clients share: webhooks and remote directories.

pub(crate) mod retry_after;

use url::{Host, Url};

/// The `User-Agent` of all requests.
pub(crate) const USER_AGENT: &str = concat!("tailor-idp/", env!("CARGO_PKG_VERSION"));

/// Whether the URL's host is this machine by its form.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// An error with all its sources: reqwest has the cause in the last.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// The beginning of an answer's body, in one line of at most `max` characters.
pub(crate) fn beginning(body: &[u8], max: usize) -> String {
    let text = String::from_utf8_lossy(body);
    let mut characters = text.trim().chars().map(|char| if char.is_control() { ' ' } else { char });
    let mut shown: String = characters.by_ref().take(max).collect();
    if characters.next().is_some() {
        shown.push('…');
    }
    shown
}

//! Which hosts a script may fetch from.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use url::{Host, Url};

use super::address::is_public;

/// The hosts that a script may fetch from; none unless it is said.
///
/// - `api.example.com`: this host, on every port; `api.example.com:8443`: on this one.
/// - `*.example.com`: every host below `example.com`, and not itself.
/// - `192.0.2.7`, `[2001:db8::7]:8080`: this address.
/// - `*`: every host.
///
/// What is not of the public internet (loopback, private and link-local networks, metadata services, …) is reached only where
/// the host is in the list by its name or its address: no `*` opens it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FetchPolicy {
    rules: Arc<[Rule]>,
}

/// A text that names no host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a host such as \"api.example.com\", \"api.example.com:8443\", \"*.example.com\", \"10.0.0.7\" or \"*\": got {0:?}"
)]
pub struct InvalidFetchHost(String);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    hosts: Hosts,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Hosts {
    Any,
    /// `.example.com`
    Below(String),
    Name(String),
    Address(IpAddr),
}

/// How far a request may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// To every address that the name has, since the host is allowed by itself.
    Named,
    /// To the public internet.
    Public,
}

/// Why a request may not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error(
        "fetch is not allowed: this function may fetch from no host (function.fetch.allow in the settings, or --allow-fetch, allow some)"
    )]
    Off,
    #[error(
        "fetch is not allowed from {0:?}: it is not among the hosts that this function may fetch from (function.fetch.allow in the settings, or --allow-fetch, allow more)"
    )]
    Host(String),
    #[error(
        "fetch is not allowed from {0:?}: it has an address outside the public internet, and is not itself among the hosts that this function may fetch from"
    )]
    NotPublic(String),
    #[error("fetch supports http: and https: only: got {0:?}")]
    Scheme(String),
}

impl FetchPolicy {
    /// Allows these hosts.
    ///
    /// # Errors
    ///
    /// The first text that names no host.
    pub fn allow<'t>(hosts: impl IntoIterator<Item = &'t str>) -> Result<Self, InvalidFetchHost> {
        let rules = hosts.into_iter().map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self { rules })
    }

    /// Allows every host of the public internet.
    pub fn any() -> Self {
        Self { rules: Arc::new([Rule { hosts: Hosts::Any, port: None }]) }
    }

    /// Allows what either of the two allows.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        Self { rules: self.rules.iter().chain(other.rules.iter()).cloned().collect() }
    }

    /// Whether a request may be made, and how far it may reach.
    pub(super) fn reach(&self, url: &Url) -> Result<Reach, Refusal> {
        if self.rules.is_empty() {
            return Err(Refusal::Off);
        }
        let ("http" | "https", Some(host)) = (url.scheme(), url.host()) else {
            return Err(Refusal::Scheme(url.scheme().to_owned()));
        };
        let port = url.port_or_known_default();
        let rules = || self.rules.iter().filter(|rule| rule.port.is_none() || rule.port == port);
        let (named, below, address) = match host {
            Host::Domain(name) => {
                let name = name.strip_suffix('.').unwrap_or(name);
                let named = rules().any(|rule| matches!(&rule.hosts, Hosts::Name(allowed) if allowed == name));
                let below = rules().any(|rule| {
                    matches!(&rule.hosts, Hosts::Below(end) if name.strip_suffix(&**end).is_some_and(|rest| !rest.is_empty()))
                });
                (named, below, None)
            }
            Host::Ipv4(address) => (self.is_named(IpAddr::V4(address), port), false, Some(IpAddr::V4(address))),
            Host::Ipv6(address) => (self.is_named(IpAddr::V6(address), port), false, Some(IpAddr::V6(address))),
        };
        if named {
            return Ok(Reach::Named);
        }
        if !below && !rules().any(|rule| rule.hosts == Hosts::Any) {
            return Err(Refusal::Host(authority(url)));
        }
        match address {
            Some(address) if !is_public(address) => Err(Refusal::NotPublic(authority(url))),
            _ => Ok(Reach::Public),
        }
    }

    fn is_named(&self, address: IpAddr, port: Option<u16>) -> bool {
        self.rules.iter().any(|rule| {
            let fits = rule.port.is_none() || rule.port == port;
            fits && matches!(rule.hosts, Hosts::Address(allowed) if allowed == address.to_canonical())
        })
    }
}

fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

impl FromStr for Rule {
    type Err = InvalidFetchHost;

    fn from_str(text: &str) -> Result<Self, InvalidFetchHost> {
        let invalid = || InvalidFetchHost(text.chars().take(100).collect());
        // An IPv6 address without a port may go without brackets.
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self { hosts: Hosts::Address(address.to_canonical()), port: None });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
                let port: u16 = digits.then(|| port.parse().ok()).flatten().ok_or_else(invalid)?;
                (host, Some(port))
            }
            _ => (text, None),
        };
        if host == "*" {
            return Ok(Self { hosts: Hosts::Any, port });
        }
        let (name, below) = match host.strip_prefix("*.") {
            Some(name) => (name, true),
            None => (host, false),
        };
        let hosts = match (Host::parse(name).map_err(|_| invalid())?, below) {
            (Host::Domain(name), _) if name.is_empty() || name.contains('*') => return Err(invalid()),
            (Host::Domain(name), true) => Hosts::Below(format!(".{}", name.trim_end_matches('.'))),
            (Host::Domain(name), false) => Hosts::Name(name.trim_end_matches('.').to_owned()),
            (_, true) => return Err(invalid()),
            (Host::Ipv4(address), false) => Hosts::Address(IpAddr::V4(address)),
            (Host::Ipv6(address), false) => Hosts::Address(IpAddr::V6(address).to_canonical()),
        };
        Ok(Self { hosts, port })
    }
}

impl fmt::Display for FetchPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Rule { hosts, port }) in self.rules.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { ", " })?;
            match hosts {
                Hosts::Any => f.write_str("*")?,
                Hosts::Below(end) => write!(f, "*{end}")?,
                Hosts::Name(name) => f.write_str(name)?,
                Hosts::Address(IpAddr::V6(address)) => write!(f, "[{address}]")?,
                Hosts::Address(address) => write!(f, "{address}")?,
            }
            if let Some(port) = port {
                write!(f, ":{port}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    fn reach(rules: &[&str], url: &str) -> Result<Reach, Refusal> {
        FetchPolicy::allow(rules.iter().copied()).unwrap().reach(&url.parse().unwrap())
    }

    fn host(text: &str) -> Result<Reach, Refusal> {
        Err(Refusal::Host(text.to_owned()))
    }

    fn not_public(text: &str) -> Result<Reach, Refusal> {
        Err(Refusal::NotPublic(text.to_owned()))
    }

    #[test]
    fn a_host_is_allowed_by_its_name() {
        let rules = ["api.example.com", "Other.Example:8443"];
        assert_eq!(reach(&rules, "https://api.example.com/a?b#c"), Ok(Reach::Named));
        assert_eq!(reach(&rules, "http://API.EXAMPLE.COM.:8080/"), Ok(Reach::Named));
        assert_eq!(reach(&rules, "https://other.example:8443/"), Ok(Reach::Named));
        assert_eq!(reach(&rules, "https://other.example/"), host("other.example"));
        assert_eq!(reach(&rules, "https://api.example.com.evil.example/"), host("api.example.com.evil.example"));
        assert_eq!(reach(&rules, "https://evil.example/api.example.com"), host("evil.example"));
        assert_eq!(reach(&rules, "https://api.example.com@evil.example:1/"), host("evil.example:1"));
        assert_eq!(reach(&rules, "https://example.com/"), host("example.com"));
    }

    #[test]
    fn a_star_allows_what_is_below_and_not_the_name_itself() {
        let rules = ["*.example.com"];
        assert_eq!(reach(&rules, "https://api.example.com/"), Ok(Reach::Public));
        assert_eq!(reach(&rules, "https://a.b.example.com/"), Ok(Reach::Public));
        assert_eq!(reach(&rules, "https://example.com/"), host("example.com"));
        assert_eq!(reach(&rules, "https://notexample.com/"), host("notexample.com"));
    }

    #[test]
    fn a_name_on_one_port_is_not_named_on_another() {
        let rules = ["*.example.com", "inner.example.com:8080"];
        assert_eq!(reach(&rules, "http://inner.example.com:8080/"), Ok(Reach::Named));
        assert_eq!(reach(&rules, "http://inner.example.com:9090/"), Ok(Reach::Public));
    }

    #[test]
    fn no_star_opens_an_address_that_is_not_public_however_it_is_written() {
        for (url, as_url) in [
            ("http://127.0.0.1:8080/", "127.0.0.1:8080"),
            ("http://2130706433/", "127.0.0.1"),
            ("http://0x7f.1/", "127.0.0.1"),
            ("http://0177.0.0.01/", "127.0.0.1"),
            ("http://127.1/", "127.0.0.1"),
            ("http://\u{ff11}27.0.0.1/", "127.0.0.1"),
            ("http://127.0.0.1./", "127.0.0.1"),
            ("http://169.254.169.254/latest/meta-data", "169.254.169.254"),
            ("http://[::1]/", "[::1]"),
            ("http://[::]/", "[::]"),
            ("http://[::ffff:127.0.0.1]/", "[::ffff:7f00:1]"),
            ("http://[::127.0.0.1]/", "[::7f00:1]"),
            ("http://[64:ff9b::169.254.169.254]/", "[64:ff9b::a9fe:a9fe]"),
            ("http://[2002:7f00:1::]/", "[2002:7f00:1::]"),
            ("http://[fd00:ec2::254]/", "[fd00:ec2::254]"),
            ("http://[fe80::1]/", "[fe80::1]"),
        ] {
            assert_eq!(reach(&["*"], url), not_public(as_url), "{url}");
            assert_eq!(reach(&["*.example.com"], url), host(as_url), "{url}");
        }
        assert_eq!(reach(&["*"], "http://1.1.1.1/"), Ok(Reach::Public));
        assert_eq!(reach(&["*"], "http://localhost/"), Ok(Reach::Public));
    }

    #[test]
    fn an_address_is_allowed_by_itself() {
        let rules = ["127.0.0.1", "::1", "[fd00::7]:8080"];
        assert_eq!(reach(&rules, "http://127.0.0.1:8080/"), Ok(Reach::Named));
        assert_eq!(reach(&rules, "http://[::ffff:127.0.0.1]/"), Ok(Reach::Named));
        assert_eq!(reach(&rules, "http://[::1]:1/"), Ok(Reach::Named));
        assert_eq!(reach(&rules, "http://[fd00::7]:8080/"), Ok(Reach::Named));
        assert_eq!(reach(&rules, "http://[fd00::7]/"), host("[fd00::7]"));
        assert_eq!(reach(&rules, "http://127.0.0.2/"), host("127.0.0.2"));
    }

    #[test]
    fn only_the_web_is_fetched_and_nothing_where_no_host_is_allowed() {
        assert_eq!(reach(&["*"], "file:///etc/passwd"), Err(Refusal::Scheme("file".to_owned())));
        assert_eq!(reach(&["*"], "data:,text"), Err(Refusal::Scheme("data".to_owned())));
        assert_eq!(reach(&["*"], "ftp://example.com/"), Err(Refusal::Scheme("ftp".to_owned())));
        assert_eq!(reach(&[], "https://example.com/"), Err(Refusal::Off));
    }

    #[test]
    fn what_names_no_host_is_refused() {
        for text in [
            "",
            "https://example.com",
            "example.com/path",
            "*.*",
            "a.*.example.com",
            "*example.com",
            "*.10.0.0.1",
            "example.com:",
            "example.com:port",
            "example.com:70000",
            "a b",
            "user@example.com",
            "[::1",
        ] {
            assert_eq!(FetchPolicy::allow([text]), Err(InvalidFetchHost(text.to_owned())));
        }
    }

    #[test]
    fn a_policy_prints_as_it_is_written() {
        let text = "api.example.com, *.example.org:8443, *, 10.0.0.7, [fd00::7]:80";
        let policy = FetchPolicy::allow(text.split(", ")).unwrap();
        assert_eq!(policy.to_string(), text);
    }
}

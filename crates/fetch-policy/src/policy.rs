//! The hosts that a script may fetch from.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use url::{Host, Url};

use super::address::is_public;

/// The hosts that a script may fetch from. The default allows none.
///
/// | pattern | allows |
/// | --- | --- |
/// | `api.example.com` | this host, on all ports |
/// | `api.example.com:8443` | this host, on this port |
/// | `*.example.com` | all subdomains of `example.com`, but not `example.com` itself |
/// | `192.0.2.7`, `[2001:db8::7]:8080` | this address |
/// | `*` | all hosts |
///
/// Addresses outside the public internet (loopback, private and link-local networks, metadata services, …) are allowed only
/// for hosts that are listed by name or by address. Patterns with `*` do not allow them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FetchPolicy {
    rules: Arc<[Rule]>,
}

/// A pattern that is not valid in a [`FetchPolicy`].
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
    /// The subdomains of a domain, as a suffix: `.example.com`.
    Subdomains(String),
    Name(String),
    Address(IpAddr),
}

/// The addresses that a request may connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressScope {
    /// All addresses of the host, because it is listed by name or by address.
    Any,
    /// Addresses of the public internet.
    Public,
}

/// Why a request is denied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denial {
    /// No host is allowed.
    #[error(
        "fetch is not allowed: this function may fetch from no host (function.fetch.allow in the settings, or --allow-fetch, allow some)"
    )]
    NoHosts,
    #[error(
        "fetch is not allowed from {0:?}: it is not among the hosts that this function may fetch from (function.fetch.allow in the settings, or --allow-fetch, allow more)"
    )]
    /// The host is not allowed.
    Host(String),
    #[error(
        "fetch is not allowed from {0:?}: it has an address outside the public internet, and is not itself among the hosts that this function may fetch from"
    )]
    /// The address is not public, and not listed.
    NotPublic(String),
    /// Neither `http` nor `https`.
    #[error("fetch supports http: and https: only: got {0:?}")]
    Scheme(String),
}

impl FetchPolicy {
    /// Allows the hosts that match one of the patterns.
    ///
    /// # Errors
    ///
    /// Fails with the first pattern that is not valid.
    pub fn allow<'t>(hosts: impl IntoIterator<Item = &'t str>) -> Result<Self, InvalidFetchHost> {
        let rules = hosts.into_iter().map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self { rules })
    }

    /// Allows all hosts of the public internet.
    pub fn any() -> Self {
        Self { rules: Arc::new([Rule { hosts: Hosts::Any, port: None }]) }
    }

    /// Combines two policies: allows what at least one of them allows.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        Self { rules: self.rules.iter().chain(other.rules.iter()).cloned().collect() }
    }

    /// Checks a request, and returns the addresses that it may connect to.
    ///
    /// # Errors
    ///
    /// [`Denial`] if the policy does not allow the request.
    pub fn check(&self, url: &Url) -> Result<AddressScope, Denial> {
        if self.rules.is_empty() {
            return Err(Denial::NoHosts);
        }
        let ("http" | "https", Some(host)) = (url.scheme(), url.host()) else {
            return Err(Denial::Scheme(url.scheme().to_owned()));
        };
        let port = url.port_or_known_default();
        let rules = || self.rules.iter().filter(|rule| rule.port.is_none() || rule.port == port);
        let (listed, subdomain, address) = match host {
            Host::Domain(name) => {
                let name = name.strip_suffix('.').unwrap_or(name);
                let listed = rules().any(|rule| matches!(&rule.hosts, Hosts::Name(allowed) if allowed == name));
                let subdomain = rules().any(|rule| {
                    matches!(&rule.hosts, Hosts::Subdomains(end) if name.strip_suffix(&**end).is_some_and(|rest| !rest.is_empty()))
                });
                (listed, subdomain, None)
            }
            Host::Ipv4(address) => (self.is_listed(IpAddr::V4(address), port), false, Some(IpAddr::V4(address))),
            Host::Ipv6(address) => (self.is_listed(IpAddr::V6(address), port), false, Some(IpAddr::V6(address))),
        };
        if listed {
            return Ok(AddressScope::Any);
        }
        if !subdomain && !rules().any(|rule| rule.hosts == Hosts::Any) {
            return Err(Denial::Host(authority(url)));
        }
        match address {
            Some(address) if !is_public(address) => Err(Denial::NotPublic(authority(url))),
            _ => Ok(AddressScope::Public),
        }
    }

    fn is_listed(&self, address: IpAddr, port: Option<u16>) -> bool {
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
        // Brackets are optional for an IPv6 address without a port.
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
        let (name, subdomains) = match host.strip_prefix("*.") {
            Some(name) => (name, true),
            None => (host, false),
        };
        let hosts = match (Host::parse(name).map_err(|_| invalid())?, subdomains) {
            (Host::Domain(name), _) if name.is_empty() || name.contains('*') => return Err(invalid()),
            (Host::Domain(name), true) => Hosts::Subdomains(format!(".{}", name.trim_end_matches('.'))),
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
                Hosts::Subdomains(end) => write!(f, "*{end}")?,
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

    fn check(rules: &[&str], url: &str) -> Result<AddressScope, Denial> {
        FetchPolicy::allow(rules.iter().copied()).unwrap().check(&url.parse().unwrap())
    }

    fn host(text: &str) -> Result<AddressScope, Denial> {
        Err(Denial::Host(text.to_owned()))
    }

    fn not_public(text: &str) -> Result<AddressScope, Denial> {
        Err(Denial::NotPublic(text.to_owned()))
    }

    #[test]
    fn check_allows_hosts_listed_by_name() {
        let rules = ["api.example.com", "Other.Example:8443"];
        assert_eq!(check(&rules, "https://api.example.com/a?b#c"), Ok(AddressScope::Any));
        assert_eq!(check(&rules, "http://API.EXAMPLE.COM.:8080/"), Ok(AddressScope::Any));
        assert_eq!(check(&rules, "https://other.example:8443/"), Ok(AddressScope::Any));
        assert_eq!(check(&rules, "https://other.example/"), host("other.example"));
        assert_eq!(check(&rules, "https://api.example.com.evil.example/"), host("api.example.com.evil.example"));
        assert_eq!(check(&rules, "https://evil.example/api.example.com"), host("evil.example"));
        assert_eq!(check(&rules, "https://api.example.com@evil.example:1/"), host("evil.example:1"));
        assert_eq!(check(&rules, "https://example.com/"), host("example.com"));
    }

    #[test]
    fn wildcard_allows_subdomains_but_not_the_domain() {
        let rules = ["*.example.com"];
        assert_eq!(check(&rules, "https://api.example.com/"), Ok(AddressScope::Public));
        assert_eq!(check(&rules, "https://a.b.example.com/"), Ok(AddressScope::Public));
        assert_eq!(check(&rules, "https://example.com/"), host("example.com"));
        assert_eq!(check(&rules, "https://notexample.com/"), host("notexample.com"));
    }

    #[test]
    fn host_listed_with_a_port_is_not_listed_on_others() {
        let rules = ["*.example.com", "inner.example.com:8080"];
        assert_eq!(check(&rules, "http://inner.example.com:8080/"), Ok(AddressScope::Any));
        assert_eq!(check(&rules, "http://inner.example.com:9090/"), Ok(AddressScope::Public));
    }

    #[test]
    fn wildcards_deny_private_addresses_in_every_notation() {
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
            assert_eq!(check(&["*"], url), not_public(as_url), "{url}");
            assert_eq!(check(&["*.example.com"], url), host(as_url), "{url}");
        }
        assert_eq!(check(&["*"], "http://1.1.1.1/"), Ok(AddressScope::Public));
        assert_eq!(check(&["*"], "http://localhost/"), Ok(AddressScope::Public));
    }

    #[test]
    fn check_allows_addresses_listed_by_address() {
        let rules = ["127.0.0.1", "::1", "[fd00::7]:8080"];
        assert_eq!(check(&rules, "http://127.0.0.1:8080/"), Ok(AddressScope::Any));
        assert_eq!(check(&rules, "http://[::ffff:127.0.0.1]/"), Ok(AddressScope::Any));
        assert_eq!(check(&rules, "http://[::1]:1/"), Ok(AddressScope::Any));
        assert_eq!(check(&rules, "http://[fd00::7]:8080/"), Ok(AddressScope::Any));
        assert_eq!(check(&rules, "http://[fd00::7]/"), host("[fd00::7]"));
        assert_eq!(check(&rules, "http://127.0.0.2/"), host("127.0.0.2"));
    }

    #[test]
    fn check_denies_other_schemes_and_an_empty_list() {
        assert_eq!(check(&["*"], "file:///etc/passwd"), Err(Denial::Scheme("file".to_owned())));
        assert_eq!(check(&["*"], "data:,text"), Err(Denial::Scheme("data".to_owned())));
        assert_eq!(check(&["*"], "ftp://example.com/"), Err(Denial::Scheme("ftp".to_owned())));
        assert_eq!(check(&[], "https://example.com/"), Err(Denial::NoHosts));
    }

    #[test]
    fn allow_rejects_invalid_patterns() {
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
    fn display_prints_the_patterns() {
        let text = "api.example.com, *.example.org:8443, *, 10.0.0.7, [fd00::7]:80";
        let policy = FetchPolicy::allow(text.split(", ")).unwrap();
        assert_eq!(policy.to_string(), text);
    }
}

//! URIs in requests and settings.

use std::borrow::Cow;
use std::net::Ipv6Addr;

use url::Url;

/// Parses an absolute `http` or `https` URL with `scheme://host` written out, without user or password.
///
/// Stricter than the URL parser, which accepts what mails, browsers and `Location` headers may not: `https:example.com`,
/// backslashes, white space.
pub(crate) fn parse_http(uri: &str) -> Option<Url> {
    let (scheme, rest) = uri.split_once("://")?;
    let known = ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let clean = !uri.chars().any(|c| c == '\\' || c.is_whitespace() || c.is_control());
    if !known || !clean || authority.is_empty() || authority.contains('@') {
        return None;
    }
    Url::parse(uri).ok().filter(Url::has_host)
}

/// The URI for an error message: user and password are cut out, wherever a parser, strict or lenient, or the author of the URI
/// could have seen them.
pub(crate) fn without_userinfo(uri: &str) -> Cow<'_, str> {
    let Some((before, after)) = uri.rsplit_once('@') else { return uri.into() };
    let (prefix, rest) = split_authority(uri);
    let authority = rest.split(['/', '\\', '?', '#']).next().unwrap_or_default();
    let is_host = || Url::parse(&format!("http://{authority}")).is_ok_and(|url| url.has_host());
    // An address has no user. And an `@` behind the host belongs to the path, unless the "host" is a user and part of a password,
    // which can look like a port.
    let is_address = prefix == "mailto:";
    let has_password = if is_address { &before[prefix.len()..] } else { without_ipv6(authority) }.contains(':');
    if !has_password && (is_address || (!authority.contains('@') && is_host())) {
        return uri.into();
    }
    format!("{prefix}…@{after}").into()
}

/// What follows an IPv6 address, if the authority is one, and the authority otherwise.
fn without_ipv6(authority: &str) -> &str {
    let address = authority.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    address.filter(|(address, _)| address.parse::<Ipv6Addr>().is_ok()).map_or(authority, |(_, rest)| rest)
}

/// Splits a URI before its authority. Without a scheme that has one, all of it may be authority: `user:password@host`.
fn split_authority(uri: &str) -> (&str, &str) {
    let colon = uri.find(':').map_or(0, |colon| colon + 1);
    let (scheme, rest) = uri.split_at(colon);
    let is_known = |known: &&str| scheme.trim_start().eq_ignore_ascii_case(known);
    let start = if scheme.contains('@') {
        0
    } else if ["http:", "https:"].iter().any(is_known) || rest.starts_with("//") {
        uri.len() - rest.trim_start_matches(['/', '\\']).len()
    } else if scheme == "mailto:" {
        colon
    } else {
        0
    };
    uri.split_at(start)
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn http_urls_have_scheme_and_host_written_out() {
        for uri in [
            "https://app.example.com",
            "HTTPS://APP.example.com:8443/",
            "http://localhost:3000/reset?from=a@example.com#@",
            "https://a.example/@user",
            "https://a.example?@",
            "http://[::1]/",
            "https://例え.jp/パス",
        ] {
            assert!(parse_http(uri).is_some(), "{uri}");
        }
        for uri in [
            "",
            "https:evil.com",
            "https:/evil.com",
            "https:///evil.com",
            "https:\\\\evil.com",
            "https://\\evil.com",
            "https://a.example\\@evil.com",
            "https://?a.example",
            "https://#",
            "//a.example",
            "a.example",
            "ftp://a.example/",
            "javascript://a.example/%0aalert(1)",
            "https://user@a.example/",
            "https://user:secret@a.example/",
            "https://@a.example/",
            "https://a.example:99999/",
            "https://a%40b.example/",
            " https://a.example/",
            "https://a.example/ b",
            "https://a.exam\tple/",
        ] {
            assert!(parse_http(uri).is_none(), "{uri}");
        }
    }

    #[test]
    fn userinfo_is_cut_out_of_messages() {
        for (uri, shown) in [
            ("https://user:secret@a.example/x", "https://…@a.example/x"),
            ("https://secret@a.example", "https://…@a.example"),
            ("HTTPS:user:secret@a.example", "HTTPS:…@a.example"),
            ("https:/user:secret@a.example", "https:/…@a.example"),
            ("https:\\\\user:secret@a.example", "https:\\\\…@a.example"),
            (" https://user:secret@a.example", " https://…@a.example"),
            ("https://user:sec/r?e#t@a.example/", "https://…@a.example/"),
            ("https://user:secret@x@a.example/", "https://…@a.example/"),
            ("ftp://user:secret@a.example", "ftp://…@a.example"),
            ("//user:secret@a.example", "…@a.example"),
            ("user:secret@a.example", "…@a.example"),
            ("secret@a.example", "…@a.example"),
            ("secret@user://a.example", "…@user://a.example"),
            // A password that looks like a port.
            ("https://user:12/secret@a.example\\", "https://…@a.example\\"),
            ("ftp://user:12/secret@a.example", "ftp://…@a.example"),
            ("ftp:/user:secret@a.example", "…@a.example"),
            ("user:12/secret@a.example", "…@a.example"),
            ("mailto:user:secret@a.example", "mailto:…@a.example"),
            ("mailto:a/user:secret@a.example", "mailto:…@a.example"),
            ("https://[user:secret]/@a.example", "https://…@a.example"),
            ("https://[::1]:12/secret@a.example", "https://…@a.example"),
            // It could be one.
            ("https://a.example:8443?mail=ana@example.com", "https://…@example.com"),
        ] {
            assert_eq!(without_userinfo(uri), shown);
        }
        for uri in [
            "mailto:ana@example.com",
            "https://a.example/",
            "https://a.example/@user",
            "https://a.example?mail=ana@example.com",
            "https://[::1]/@user",
            "https://a.example/x: ana@example.com",
            "ftp://a.example/ana@example.com",
            "https:evil.com/@user",
        ] {
            assert_eq!(without_userinfo(uri), uri);
        }
    }
}

//! Settings of mails.

use std::net::Ipv6Addr;
use std::path::PathBuf;

use lettre::Address;
use secrecy::SecretString;
use url::{Host, Url};

use crate::local::ResetToken;

/// Settings of mails, for all namespaces.
#[derive(Debug, Clone)]
pub struct MailSettings {
    /// The transport.
    pub transport: MailTransport,
    /// The sender's address. The sender's name is a setting of the namespace.
    pub from_address: String,
    /// The URL under which browsers reach the reset page: the prefix of links.
    pub base_url: Url,
}

/// The transport of mails.
#[derive(Debug, Clone)]
pub enum MailTransport {
    /// Files with the extension `.eml` in a folder: for local development.
    Folder(PathBuf),
    /// An SMTP server.
    Smtp(SmtpServer),
}

/// An SMTP server that relays mails.
#[derive(Debug, Clone)]
pub struct SmtpServer {
    /// The name, which its certificate must have, or the address.
    pub host: String,
    /// The port. `None`: the default of `tls`.
    pub port: Option<u16>,
    /// The encryption of the connection.
    pub tls: SmtpTls,
    /// The credentials, if the server requires authentication.
    pub credentials: Option<SmtpCredentials>,
    /// A PEM file with a certificate to trust in addition to the public ones.
    pub root_certificate: Option<PathBuf>,
}

/// Credentials for an SMTP server.
#[derive(Debug, Clone)]
pub struct SmtpCredentials {
    /// The user name.
    pub username: String,
    /// The password. Not printed by `Debug`.
    pub password: SecretString,
}

/// The encryption of a connection to an SMTP server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SmtpTls {
    /// `STARTTLS`, which the server must offer (port 587).
    #[default]
    StartTls,
    /// TLS from the first byte (port 465).
    Implicit,
    /// No encryption (port 25): for a server on the same machine.
    None,
}

impl SmtpTls {
    /// The default port (RFC 8314, RFC 6409, RFC 5321).
    pub const fn port(self) -> u16 {
        match self {
            Self::StartTls => 587,
            Self::Implicit => 465,
            Self::None => 25,
        }
    }
}

/// Invalid mail settings. Contains no password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidMailSettings {
    /// Not the URL of an SMTP server.
    #[error("an SMTP URL is smtp://[user:password@]host[:port][?tls=starttls|none] or smtps://…: {0}")]
    SmtpUrl(&'static str),
    /// Not the name or address of a server.
    #[error("a mail server's host is a name, or an address without brackets: got {0:?}")]
    Host(String),
    /// A password would be sent without encryption.
    #[error("user and password would travel in the clear to {0}: use starttls or smtps")]
    PasswordInTheClear(String),
    /// Not a valid base URL.
    #[error("the base URL is an absolute http or https URL without query and fragment: got {0}")]
    BaseUrl(String),
    /// Not a valid sender's address.
    #[error("the sender's address is no e-mail address: got {0:?}")]
    FromAddress(String),
    /// The root certificate cannot be used.
    #[error("the root certificate cannot be used: {0}")]
    RootCertificate(String),
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

impl MailSettings {
    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// [`InvalidMailSettings`].
    pub fn check(&self) -> Result<(), InvalidMailSettings> {
        if !is_sender_address(&self.from_address) {
            return Err(InvalidMailSettings::FromAddress(self.from_address.clone()));
        }
        Self::check_base_url(&self.base_url)?;
        match &self.transport {
            MailTransport::Smtp(server) => server.check(),
            MailTransport::Folder(_) => Ok(()),
        }
    }

    /// Checks the base URL of links.
    ///
    /// # Errors
    ///
    /// [`InvalidMailSettings::BaseUrl`].
    pub fn check_base_url(base: &Url) -> Result<(), InvalidMailSettings> {
        let plain = base.query().is_none() && base.fragment().is_none() && base.username().is_empty();
        if !matches!(base.scheme(), "http" | "https") || !base.has_host() || !plain || base.password().is_some() {
            return Err(InvalidMailSettings::BaseUrl(base.origin().ascii_serialization()));
        }
        Ok(())
    }

    /// The reset link.
    pub(super) fn link(&self, namespace: &str, token: &ResetToken) -> String {
        let origin = self.base_url.origin().ascii_serialization();
        format!("{origin}{}?token={}", reset_path(&self.base_url, namespace), token.expose())
    }
}

/// Whether the text can be the sender's address of mails: ASCII, without line breaks.
pub fn is_sender_address(address: &str) -> bool {
    // A quoted local part may contain a line break.
    address.parse::<Address>().is_ok() && address.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The host name or address without the brackets of IPv6 addresses in URLs. `None` if it is neither.
pub fn bare_host(text: &str) -> Option<&str> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse::<Ipv6Addr>().is_ok().then_some(bare);
    address.or_else(|| Host::parse(text).is_ok().then_some(text))
}

/// Whether the host is the local machine.
pub fn is_loopback_host(host: &str) -> bool {
    match Host::parse(host) {
        Ok(Host::Domain(name)) => name == "localhost",
        Ok(Host::Ipv4(address)) => address.is_loopback(),
        Ok(Host::Ipv6(address)) => address.is_loopback(),
        Err(_) => host.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback()),
    }
}

/// The path of the reset page.
pub fn reset_path(base_url: &Url, namespace: &str) -> String {
    format!("{}/reset-password/{namespace}", base_url.path().trim_end_matches('/'))
}

impl SmtpServer {
    /// A server from its URL: `smtp://user:password@host:port` (STARTTLS; `?tls=none` without encryption) or `smtps://…`. Special
    /// characters in user name and password are percent-encoded.
    ///
    /// # Errors
    ///
    /// [`InvalidMailSettings`], without the URL, which may contain a password.
    pub fn from_url(url: &str) -> Result<Self, InvalidMailSettings> {
        let invalid = InvalidMailSettings::SmtpUrl;
        let url = Url::parse(url).map_err(|_| invalid("it cannot be parsed"))?;
        let mut tls = match url.scheme() {
            "smtp" => SmtpTls::StartTls,
            "smtps" => SmtpTls::Implicit,
            _ => return Err(invalid("its scheme is neither smtp nor smtps")),
        };
        for (key, value) in url.query_pairs() {
            tls = match (&*key, &*value, tls) {
                ("tls", "starttls", SmtpTls::StartTls | SmtpTls::None) => SmtpTls::StartTls,
                ("tls", "none", SmtpTls::StartTls | SmtpTls::None) => SmtpTls::None,
                ("tls", "implicit", _) => SmtpTls::Implicit,
                ("tls", ..) => return Err(invalid("tls is starttls, none or, as smtps has it, implicit")),
                _ => return Err(invalid("it takes no parameter but tls")),
            };
        }
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return Err(invalid("it has no path and no fragment"));
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(invalid("it has no host"))?;
        let credentials = match (decoded(url.username())?, url.password()) {
            (username, Some(password)) if !username.is_empty() => {
                Some(SmtpCredentials { username, password: decoded(password)?.into() })
            }
            (username, None) if username.is_empty() => None,
            _ => return Err(invalid("user and password go together")),
        };
        let host = bare_host(host).ok_or(invalid("its host is no name and no address"))?.to_owned();
        let server = Self { host, port: url.port(), tls, credentials, root_certificate: None };
        server.check()?;
        Ok(server)
    }

    fn check(&self) -> Result<(), InvalidMailSettings> {
        if bare_host(&self.host) != Some(&self.host) {
            return Err(InvalidMailSettings::Host(self.host.clone()));
        }
        let in_the_clear = self.credentials.is_some() && self.tls == SmtpTls::None;
        if in_the_clear && !is_loopback_host(&self.host) {
            return Err(InvalidMailSettings::PasswordInTheClear(self.host.clone()));
        }
        Ok(())
    }
}

/// Percent-decoded.
fn decoded(text: &str) -> Result<String, InvalidMailSettings> {
    let invalid = InvalidMailSettings::SmtpUrl("user and password are UTF-8, percent-encoded");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        bytes.push(match byte {
            b'%' => match (digit(rest.next()), digit(rest.next())) {
                (Some(high), Some(low)) => (high * 16 + low) as u8,
                _ => return Err(invalid),
            },
            byte => byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| invalid)
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn smtp_urls_have_host_port_encryption_and_credentials() {
        let server = SmtpServer::from_url("smtp://ana%40example.com:p%3Aw%2Fd@mail.example.com:2525").unwrap();
        let credentials = server.credentials.as_ref().unwrap();
        assert_eq!(
            (server.host.as_str(), server.port, server.tls),
            ("mail.example.com", Some(2525), SmtpTls::StartTls)
        );
        assert_eq!((credentials.username.as_str(), credentials.password.expose_secret()), ("ana@example.com", "p:w/d"));
        assert!(!format!("{server:?}").contains("p:w/d"));
        assert_eq!(SmtpServer::from_url("smtps://mail.example.com").unwrap().tls, SmtpTls::Implicit);
        let server = SmtpServer::from_url("smtp://[::1]:25?tls=none").unwrap();
        assert_eq!((server.host.as_str(), server.tls), ("::1", SmtpTls::None));
    }

    #[test]
    fn rejected_smtp_urls_are_not_shown() {
        for url in [
            "smtp://secret",
            "http://ana:secret@mail.example.com",
            "smtp://ana:secret@mail.example.com?tls=maybe",
            "smtps://ana:secret@mail.example.com?tls=none",
            "smtp://ana:secret@mail.example.com/path",
            "smtp://secret@mail.example.com",
            "smtp://:secret@mail.example.com",
            "smtp://ana:secret%FF@mail.example.com",
            "smtp://ana:secret@mail.example.com?tls=none",
            "smtp:secret",
        ] {
            match SmtpServer::from_url(url) {
                Ok(server) => assert_eq!((url, server.host.as_str()), ("smtp://secret", "secret")),
                Err(error) => assert!(!error.to_string().contains("secret"), "{error}"),
            }
        }
        let clear = SmtpServer::from_url("smtp://ana:secret@mail.example.com?tls=none").unwrap_err();
        assert_eq!(clear, InvalidMailSettings::PasswordInTheClear("mail.example.com".into()));
        assert!(SmtpServer::from_url("smtp://ana:secret@127.0.0.1?tls=none").is_ok());
    }

    #[test]
    fn invalid_hosts_are_rejected() {
        let mut server = SmtpServer::from_url("smtp://mail.example.com").unwrap();
        for host in ["", "[::1]", "a b"] {
            host.clone_into(&mut server.host);
            assert_eq!(server.check(), Err(InvalidMailSettings::Host(host.into())));
        }
        for host in ["::1", "127.0.0.1", "localhost"] {
            host.clone_into(&mut server.host);
            assert_eq!((server.check(), is_loopback_host(host)), (Ok(()), true), "{host}");
        }
    }

    #[test]
    fn sender_addresses_that_could_break_a_header_are_rejected() {
        let settings = |from: &str, base: &str| MailSettings {
            transport: MailTransport::Folder("mails".into()),
            from_address: from.into(),
            base_url: base.parse().unwrap(),
        };
        let fine = "http://localhost:8080";
        assert_eq!(settings("no-reply@example.com", fine).check(), Ok(()));
        for from in
            ["", "ana", "ana@example.com\r\nBcc: bo@example.com", "\"a\r\nb\"@example.com", "a\u{2028}@example.com"]
        {
            assert_eq!(settings(from, fine).check(), Err(InvalidMailSettings::FromAddress(from.into())));
        }
        for base in ["ftp://example.com", "https://example.com?x=1", "https://example.com#x", "https://a:b@example.com"]
        {
            let refused = settings("no-reply@example.com", base).check();
            assert!(matches!(refused, Err(InvalidMailSettings::BaseUrl(_))), "{base}: {refused:?}");
        }
    }
}

//! `[mail]`: transport of outgoing mail.

use std::path::{Path, PathBuf};

use super::reader::Section;
use super::secret::{MissingSecret, SecretVariable};
use tailor_idp_core::mail::{self, MailTransport, SmtpCredentials, SmtpServer, SmtpTls};
use tailor_idp_core::shortened;

/// Settings for outgoing mail.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MailEntry {
    /// Sender address. Always set with [`MailRoute::Smtp`].
    pub from: Option<String>,
    /// Transport of the mails.
    pub transport: MailRoute,
}

/// Transport of outgoing mail.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MailRoute {
    /// Writes each mail as a file into this folder.
    Folder(PathBuf),
    /// Sends mails to an SMTP server.
    Smtp(SmtpEntry),
}

/// An SMTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SmtpEntry {
    /// Host name or IP address, without brackets.
    pub host: String,
    /// Port. Defaults to the standard port of `tls`.
    pub port: u16,
    /// Encryption of the connection.
    pub tls: SmtpTls,
    /// User name and password, if the server requires authentication.
    pub credentials: Option<(String, SecretVariable)>,
}

impl MailEntry {
    /// Returns the transport with its secrets read from the environment.
    ///
    /// # Errors
    ///
    /// [`MissingSecret`] if the environment variable of a secret is not set.
    pub fn resolve(&self) -> Result<MailTransport, MissingSecret> {
        Ok(match &self.transport {
            MailRoute::Folder(folder) => MailTransport::Folder(folder.clone()),
            MailRoute::Smtp(SmtpEntry { host, port, tls, credentials }) => {
                let credentials = match credentials {
                    Some((username, password)) => {
                        Some(SmtpCredentials { username: username.clone(), password: password.read()? })
                    }
                    None => None,
                };
                let (host, port) = (host.clone(), Some(*port));
                MailTransport::Smtp(SmtpServer { host, port, tls: *tls, credentials, root_certificate: None })
            }
        })
    }
}

const SMTP_TLS: [(&str, SmtpTls); 3] =
    [("starttls", SmtpTls::StartTls), ("implicit", SmtpTls::Implicit), ("none", SmtpTls::None)];

pub(super) fn read(section: Section<'_, '_>, folder: &Path) -> Option<MailEntry> {
    let from = section.string("from");
    if let Some(from) = from.as_deref().filter(|from| !mail::is_sender_address(from)) {
        section.fault("from", format!("must be an e-mail address in ASCII: got {:?}", shortened(from)));
    }
    let mails = section.string("folder");
    if mails.as_deref() == Some("") {
        section.fault("folder", "must not be empty");
    }
    let smtp = section.section("smtp").map(read_smtp);
    if section.has("folder") && section.has("smtp") {
        section.fault("smtp", "excludes folder: mails go one way");
    }
    if !section.has("folder") && !section.has("smtp") {
        section.own_fault("must have a folder or smtp");
    }
    if section.has("smtp") && !section.has("from") {
        section.fault("from", "is missing: the sender's address of mails that leave over SMTP");
    }
    section.finish();
    let transport = match (mails, smtp) {
        (Some(mails), _) => MailRoute::Folder(folder.join(mails)),
        (None, smtp) => MailRoute::Smtp(smtp??),
    };
    Some(MailEntry { from, transport })
}

fn read_smtp(section: Section<'_, '_>) -> Option<SmtpEntry> {
    let host = section.string("host");
    match host.as_deref() {
        None if !section.has("host") => section.fault("host", "is missing"),
        Some(name) if mail::bare_host(name).is_none() => {
            section.fault("host", format!("must be a host name or address: got {:?}", shortened(name)));
        }
        _ => {}
    }
    let tls = section.choice("tls", &SMTP_TLS).unwrap_or_default();
    let port = section.integer("port").map_or(Some(tls.port()), |given| {
        let port = u16::try_from(given).ok().filter(|port| *port > 0);
        if port.is_none() {
            section.fault("port", format!("must be between 1 and 65535: got {given}"));
        }
        port
    });
    let username = section.string("username");
    let password = section.secret("password_env", "password", "SMTP_PASSWORD");
    if section.has("username") && !section.has("password_env") && !section.has("password") {
        section.fault("username", "requires password_env, the environment variable with the password");
    }
    if section.has("password_env") && !section.has("username") {
        section.fault("password_env", "requires username");
    }
    let sends_in_cleartext = tls == SmtpTls::None && host.as_deref().is_some_and(|host| !mail::is_loopback_host(host));
    if sends_in_cleartext && section.has("password_env") {
        section.fault("tls", "must not be \"none\" with a password, unless the host is this machine");
    }
    section.finish();
    let host = mail::bare_host(&host?)?.to_owned();
    Some(SmtpEntry { host, port: port?, tls, credentials: username.zip(password) })
}

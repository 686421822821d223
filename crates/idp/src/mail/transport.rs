//! Transports: an SMTP server, or a folder.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use secrecy::ExposeSecret;

use super::settings::{InvalidMailSettings, MailTransport, SmtpServer, SmtpTls};
use crate::local::{LEASE, SendFailure};

/// The timeout of handing one mail over. Well below the lease: a mail whose lease has ended is claimed by another worker.
const SEND_TIMEOUT: Duration = Duration::from_secs(60);
const _: () = assert!(SEND_TIMEOUT.as_secs() * 2 < LEASE.as_secs());

/// Permanent replies about this mail or its receiver (RFC 5321, section 4.2.3). Other refusals, such as of a wrong password, are
/// about the settings: once those are corrected, the mail can be sent.
const ABOUT_THE_MAIL: [u16; 5] = [550, 551, 552, 553, 554];

pub(super) enum Mailer {
    Folder(PathBuf),
    Smtp(Box<AsyncSmtpTransport<Tokio1Executor>>),
}

impl Mailer {
    pub(super) fn new(transport: &MailTransport) -> Result<Self, InvalidMailSettings> {
        match transport {
            MailTransport::Folder(folder) => Ok(Self::Folder(folder.clone())),
            MailTransport::Smtp(server) => Ok(Self::Smtp(Box::new(smtp(server)?))),
        }
    }

    /// Hands the mail over. Succeeds when the server has accepted it or the file is written. `name` is the name of the file.
    pub(super) async fn send(&self, name: &str, message: Message) -> Result<(), SendFailure> {
        match self {
            Self::Folder(folder) => {
                let (path, folder) = (folder.join(format!("{name}.eml")), folder.clone());
                let write = tokio::task::spawn_blocking(move || write(&folder, &path, &message.formatted()));
                let written = write.await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
                // The path is configured by the operator.
                written.map_err(|error| SendFailure::Temporary(format!("cannot write the mail's file: {error}")))
            }
            Self::Smtp(transport) => {
                let ascii = message.envelope().to().iter().all(|to| AsRef::<str>::as_ref(to).is_ascii());
                match tokio::time::timeout(SEND_TIMEOUT, transport.send(message)).await {
                    Ok(Ok(_)) => Ok(()),
                    Ok(Err(error)) => Err(failure(&error, ascii)),
                    Err(_) => {
                        let seconds = SEND_TIMEOUT.as_secs();
                        Err(SendFailure::Temporary(format!("the mail server did not take the mail within {seconds} s")))
                    }
                }
            }
        }
    }
}

fn failure(error: &lettre::transport::smtp::Error, ascii: bool) -> SendFailure {
    let text = error.to_string();
    let code = error.status().map(u16::from);
    // A non-ASCII receiver without SMTPUTF8 is permanent. Other errors of the client, such as missing STARTTLS, are about the
    // server or the settings, which can be corrected while the mail waits.
    let unnameable = !ascii && error.is_client() && code.is_none();
    let permanent = code.is_some_and(|code| ABOUT_THE_MAIL.contains(&code)) || unnameable;
    if permanent { SendFailure::Permanent(text) } else { SendFailure::Temporary(text) }
}

fn smtp(server: &SmtpServer) -> Result<AsyncSmtpTransport<Tokio1Executor>, InvalidMailSettings> {
    let tls = match server.tls {
        SmtpTls::None => Tls::None,
        SmtpTls::StartTls => Tls::Required(tls_parameters(server)?),
        SmtpTls::Implicit => Tls::Wrapper(tls_parameters(server)?),
    };
    let port = server.port.unwrap_or(server.tls.port());
    let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&server.host)
        .port(port)
        .tls(tls)
        .timeout(Some(SEND_TIMEOUT));
    if let Some(credentials) = &server.credentials {
        let password = credentials.password.expose_secret().to_owned();
        transport = transport.credentials(Credentials::new(credentials.username.clone(), password));
    }
    Ok(transport.build())
}

fn tls_parameters(server: &SmtpServer) -> Result<TlsParameters, InvalidMailSettings> {
    let mut tls = TlsParameters::builder(server.host.clone());
    if let Some(path) = &server.root_certificate {
        let invalid = |error: &dyn std::fmt::Display| {
            InvalidMailSettings::RootCertificate(format!("{}: {error}", path.display()))
        };
        let pem = std::fs::read(path).map_err(|error| invalid(&error))?;
        tls = tls.add_root_certificate(Certificate::from_pem(&pem).map_err(|error| invalid(&error))?);
    }
    tls.build().map_err(|error| InvalidMailSettings::Tls(error.to_string()))
}

/// Writes the file atomically, readable by its owner only: it contains a reset link.
fn write(folder: &Path, path: &Path, mail: &[u8]) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let part = path.with_extension("part");
    let mut file = options.open(&part)?;
    file.write_all(mail)?;
    file.sync_all()?;
    std::fs::rename(&part, path)
}

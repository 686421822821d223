//! Transport of outgoing mail: flags, else settings, else defaults.

use std::path::PathBuf;

use clap::Args;
use tailor_idp::idp::mail::{MailSettings, MailTransport, SmtpServer};
use url::Url;

use super::error::UsageError;
use super::settings::SettingsFile;

/// Environment variable for the SMTP URL: unlike arguments, it does not show in process lists.
const SMTP_URL_VARIABLE: &str = "TAILOR_IDP_SMTP_URL";
/// Default address of `serve`, reachable from this machine only.
pub(super) const DEFAULT_LISTEN: &str = "127.0.0.1:8787";

/// Default sender address, for local work.
const DEFAULT_FROM: &str = "no-reply@localhost.localdomain";

/// Explanation for mails that cannot be sent.
pub(super) const NO_TRANSPORT: &str = "the settings have no [mail]: add it, or give --mail-dir or --smtp-url";

/// Transport of outgoing mail.
#[derive(Args)]
#[command(next_help_heading = "Mail")]
pub(super) struct TransportArgs {
    /// Write mails as .eml files into this folder [default: as in the settings; without settings, mails]
    #[arg(long, value_name = "PATH", conflicts_with = "smtp_url")]
    mail_dir: Option<PathBuf>,

    /// Send mails to this server: smtp://user:password@host:587 (STARTTLS; ?tls=none for no encryption) or smtps://…; prefer
    /// TAILOR_IDP_SMTP_URL, which hides the password from other users of the machine
    #[arg(long, value_name = "URL")]
    smtp_url: Option<String>,

    /// A PEM file with a certificate to trust in addition to the public ones
    #[arg(long, value_name = "FILE")]
    smtp_ca: Option<PathBuf>,

    /// The sender's address [default: that of the settings, else no-reply@localhost.localdomain]
    #[arg(long, value_name = "ADDRESS")]
    mail_from: Option<String>,

    /// URL under which browsers reach `tailor-idp serve`; links start with it [default: that of the settings, else the
    /// address that `serve` listens on, which is http://127.0.0.1:8787 unless it is told otherwise]
    #[arg(long, value_name = "URL")]
    base_url: Option<Url>,
}

impl TransportArgs {
    /// The URL that links start with: that of the flag, else of the settings, else the address of the server.
    pub(super) fn base_url(&self, listen: &str, file: Option<&SettingsFile>) -> Result<Url, UsageError> {
        let url = match (&self.base_url, file.and_then(|file| file.settings.reset_page.as_ref())) {
            (Some(url), _) | (None, Some(url)) => url.clone(),
            (None, None) => {
                Url::parse(&format!("http://{listen}")).map_err(|error| UsageError(format!("{listen}: {error}")))?
            }
        };
        MailSettings::check_base_url(&url).map_err(|error| UsageError(error.to_string()))?;
        Ok(url)
    }

    /// The transport of the flags, else of the settings, else a local folder. Returns `None` if there are settings without a
    /// transport: working links must not end up in a folder by accident.
    pub(super) fn settings(&self, base_url: &Url, file: Option<&SettingsFile>) -> anyhow::Result<Option<MailSettings>> {
        let smtp_url = match (&self.smtp_url, &self.mail_dir) {
            (Some(url), _) => Some(url.clone()),
            (None, Some(_)) => None,
            (None, None) => std::env::var(SMTP_URL_VARIABLE).ok(),
        };
        let from_file = file.and_then(|file| file.settings.mail.as_ref());
        let mut transport = match (smtp_url, &self.mail_dir, from_file) {
            (Some(url), ..) => {
                MailTransport::Smtp(SmtpServer::from_url(&url).map_err(|error| UsageError(error.to_string()))?)
            }
            (None, Some(folder), _) => MailTransport::Folder(folder.clone()),
            // Resolve late: with a flag, the secret need not be set.
            (None, None, Some(settings)) => settings.resolve()?,
            (None, None, None) if file.is_some() => return Ok(None),
            (None, None, None) => MailTransport::Folder("mails".into()),
        };
        match (&mut transport, &self.smtp_ca) {
            (MailTransport::Smtp(server), Some(path)) => server.root_certificate = Some(path.clone()),
            (MailTransport::Folder(folder), Some(_)) => {
                let text = format!("--smtp-ca is for a mail server, and mails go into {}", folder.display());
                return Err(UsageError(format!("{text}: leave it out, or give --smtp-url")).into());
            }
            (_, None) => {}
        }
        let file_address = from_file.and_then(|settings| settings.from.clone());
        let from_address = self.mail_from.clone().or(file_address).unwrap_or_else(|| DEFAULT_FROM.to_owned());
        let settings = MailSettings { transport, from_address, base_url: base_url.clone() };
        settings.check().map_err(|error| UsageError(error.to_string()))?;
        Ok(Some(settings))
    }
}

//! `tailor-idp serve`: the password-reset page and the mail worker.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use tailor_idp::idp::Router;
use tailor_idp::idp::mail::{MailTransport, MailWorker};
use tailor_idp::server::Server;
use tokio::net::TcpListener;
use url::Url;

use super::error::UsageError;
use super::overrides::PageFlags;
use super::settings::SettingsFile;
use super::store::{DatabaseArgs, MissingNamespace};
use super::transport::{DEFAULT_LISTEN, NO_TRANSPORT, TransportArgs};
use super::{output, signal};

/// Time that the mail in progress has to finish when the program stops. An unfinished mail is sent again later.
const MAIL_GRACE_PERIOD: Duration = Duration::from_secs(10);

/// Serve the password-reset page, and send the mails
///
/// Runs until SIGINT or SIGTERM. A mail in progress is then finished; queued mails are sent after the next start.
#[derive(Args)]
#[command(after_help = "\
Examples:
  tailor-idp serve --db users.db
  TAILOR_IDP_SMTP_URL=smtp://user:password@mail.example.com tailor-idp serve --db users.db \\
      --listen 127.0.0.1:8787 --base-url https://id.example.com --mail-from no-reply@example.com

Speaks HTTP: put a proxy with TLS in front of it. See docs/mail.md.")]
pub(super) struct Serve {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = DEFAULT_LISTEN)]
    listen: String,

    /// Send no mails; another process sends them
    #[arg(long)]
    no_mail: bool,

    #[command(flatten)]
    transport: TransportArgs,

    #[command(flatten)]
    database: DatabaseArgs<PageFlags>,
}

impl Serve {
    pub(super) async fn execute(self) -> anyhow::Result<()> {
        let addresses = self.addresses().await?;
        let (idp, file) = self.database.open(MissingNamespace::Create).await?;
        let listener =
            TcpListener::bind(&*addresses).await.with_context(|| format!("cannot listen on {}", self.listen))?;
        let address = listener.local_addr()?;
        let base_url = self.transport.base_url(&address.to_string(), file.as_ref())?;
        let server = Server::new(idp.clone(), base_url.clone())?;
        let worker = self.worker(idp, &base_url, file.as_ref())?;
        let stopped = signal::stopped()?;
        let mail_stopped = stopped.clone();
        let mails = tokio::spawn(async move {
            if let Some(worker) = worker {
                worker.run(mail_stopped).await;
            }
        });
        output::note("listening", &format!("on {address}, links start with {base_url}"));
        if base_url.host_str().is_some_and(|host| matches!(host, "0.0.0.0" | "[::]")) {
            output::note("note", "no browser reaches this address: --base-url URL is the one that links start with");
        }
        server.run(listener, stopped).await;
        if tokio::time::timeout(MAIL_GRACE_PERIOD, mails).await.is_err() {
            tracing::warn!("stopped while a mail was being sent: it is sent again later");
        }
        Ok(())
    }

    /// The addresses to listen on: several if a name has several.
    async fn addresses(&self) -> Result<Vec<SocketAddr>, UsageError> {
        let found = tokio::net::lookup_host(&self.listen).await;
        let wrong = |error| {
            UsageError(format!("--listen {}: {error}: give ADDRESS:PORT, such as {DEFAULT_LISTEN}", self.listen))
        };
        found.map(Iterator::collect).map_err(wrong)
    }

    /// The mail worker, unless this process is not to send mails.
    fn worker(&self, idp: Router, base_url: &Url, file: Option<&SettingsFile>) -> anyhow::Result<Option<MailWorker>> {
        if self.no_mail {
            return Ok(None);
        }
        let Some(settings) = self.transport.settings(base_url, file)? else {
            output::note("note", &format!("mails stay in the queue: {NO_TRANSPORT}"));
            return Ok(None);
        };
        let to = match &settings.transport {
            MailTransport::Folder(folder) => format!("are written into {}", folder.display()),
            MailTransport::Smtp(server) => format!("are sent over {}", server.host),
        };
        output::note("mails", &to);
        Ok(Some(MailWorker::new(idp, settings).map_err(|error| UsageError(error.to_string()))?))
    }
}

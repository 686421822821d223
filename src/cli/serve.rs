//! `tailor-idp serve`.

use std::time::Duration;

use anyhow::Context;
use clap::Args;
use tailor_idp::mail::MailWorker;
use tailor_idp::serve::Server;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::mail::{DEFAULT_LISTEN, TransportArgs};
use super::store::DatabaseArgs;
use super::{WrongUse, output};

/// For how long the mail that is being sent may go on when the program stops. One that takes longer is sent again later.
const MAIL_GRACE: Duration = Duration::from_secs(10);

/// Serves the page behind password-reset links, and sends the mails, until SIGINT or SIGTERM.
#[derive(Args)]
#[command(after_help = "\
Examples:
  tailor-idp serve --db users.db
  TAILOR_IDP_SMTP_URL=smtp://user:password@mail.example.com tailor-idp serve --db users.db --listen 127.0.0.1:8787 \\
      --base-url https://id.example.com --mail-from no-reply@example.com

Speaks HTTP: put a proxy with TLS in front of it. See docs/mail.md.")]
pub(super) struct Serve {
    /// Where to listen: an address and a port; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = DEFAULT_LISTEN)]
    listen: String,

    /// Send no mails: another process does
    #[arg(long)]
    no_mail: bool,

    #[command(flatten)]
    transport: TransportArgs,

    #[command(flatten)]
    database: DatabaseArgs,
}

impl Serve {
    pub(super) async fn execute(self) -> anyhow::Result<()> {
        let (idp, file) = self.database.open().await?;
        let listener =
            TcpListener::bind(&self.listen).await.with_context(|| format!("cannot listen on {}", self.listen))?;
        let address = listener.local_addr()?;
        let settings = self.transport.settings(&address.to_string(), file.as_ref())?;
        let base_url = settings.base_url.clone();
        let server = Server::new(idp.clone(), base_url.clone())?;
        let worker = MailWorker::new(idp, settings).map_err(|error| WrongUse(error.to_string()))?;
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(async move {
            signal().await;
            let _ = stop.send(true);
            // A second signal does not wait.
            signal().await;
            std::process::exit(1);
        });
        let no_mail = self.no_mail;
        let mail_stopped = stopped.clone();
        let mails = tokio::spawn(async move {
            if !no_mail {
                worker.run(mail_stopped).await;
            }
        });
        output::note("listening", &format!("on {address}, links start with {base_url}"));
        server.run(listener, stopped).await?;
        if tokio::time::timeout(MAIL_GRACE, mails).await.is_err() {
            tracing::warn!("stopped while a mail was being sent: it is sent again later");
        }
        Ok(())
    }
}

/// Until SIGINT or SIGTERM.
pub(super) async fn signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

//! `tailor-idp mail`: the outbox of password-reset mails.

use anyhow::anyhow;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use tailor_idp::idp::local::{MailRecord, MailState};
use tailor_idp::idp::mail::MailWorker;
use tailor_idp::idp::{Code, Timestamp};

use super::error::UsageError;
use super::overrides::MailFlags;
use super::store::{DatabaseArgs, MissingNamespace};
use super::transport::{DEFAULT_LISTEN, NO_TRANSPORT, TransportArgs};
use super::{output, signal};

/// List, show, retry and send the password-reset mails in the outbox
///
/// A script's call queues a mail. Mails are kept for a week after they were sent or given up.
#[derive(Args)]
#[command(after_help = "\
Examples:
  tailor-idp mail list --db users.db --state dead
  tailor-idp mail retry 17 --db users.db
  tailor-idp mail send --db users.db --smtp-url smtps://mail.example.com \\
      --mail-from no-reply@example.com --base-url https://id.example.com

`tailor-idp serve` sends mails, too.")]
pub(super) struct Mail {
    #[command(subcommand)]
    command: MailCommand,

    #[command(flatten)]
    database: DatabaseArgs<MailFlags>,
}

#[derive(Clone, Copy, ValueEnum)]
enum State {
    Queued,
    Sending,
    Sent,
    Dead,
    Ended,
}

impl From<State> for MailState {
    fn from(state: State) -> Self {
        match state {
            State::Queued => Self::Queued,
            State::Sending => Self::Sending,
            State::Sent => Self::Sent,
            State::Dead => Self::Dead,
            State::Ended => Self::Ended,
        }
    }
}

#[derive(Subcommand)]
enum MailCommand {
    /// List mails, newest first; finished ones are kept for a week
    List {
        /// Only those in this state
        #[arg(long, value_name = "STATE")]
        state: Option<State>,
        /// Maximum number of mails per namespace
        #[arg(long, default_value_t = 100, value_name = "N")]
        limit: u32,
        /// Print JSON rather than a table
        #[arg(long)]
        json: bool,
    },
    /// Show one mail, with its last error
    Show {
        /// Its number
        id: i64,
        /// Print JSON rather than a table
        #[arg(long)]
        json: bool,
    },
    /// Queue a dead mail again, with the full number of attempts
    Retry {
        /// Its number
        id: i64,
    },
    /// Send the mails that are due, and exit: with 0, or with 1 if an attempt failed
    Send(TransportArgs),
}

impl Mail {
    pub(super) async fn execute(self) -> anyhow::Result<()> {
        let (idp, file) = self.database.open(MissingNamespace::Skip).await?;
        match self.command {
            MailCommand::List { state, limit, json } => {
                let mut found = Vec::new();
                for local in idp.locals() {
                    let namespace = local.namespace();
                    let mails = local.reset_mails(state.map(MailState::from), limit).await?;
                    found.extend(mails.into_iter().map(|mail| (namespace.to_string(), mail)));
                }
                if json {
                    output::print_json(&found.iter().map(|(namespace, mail)| mail_json(namespace, mail)).collect())
                } else {
                    print_list(&found)
                }
            }
            MailCommand::Show { id, json } => {
                let (namespace, mail) = find(&idp, id).await?;
                if json { output::print_json(&mail_json(&namespace, &mail)) } else { print_mail(&namespace, &mail) }
            }
            MailCommand::Retry { id } => {
                let (namespace, mail) = find(&idp, id).await?;
                idp.local(&namespace)?.retry_reset_mail(id).await?;
                output::print(&format!("mail {id} to {} is queued", mail.to))
            }
            MailCommand::Send(transport) => {
                let base_url = transport.base_url(DEFAULT_LISTEN, file.as_ref())?;
                let settings = transport.settings(&base_url, file.as_ref())?;
                let settings = settings.ok_or_else(|| UsageError(format!("no mail was sent: {NO_TRANSPORT}")))?;
                let worker = MailWorker::new(idp, settings).map_err(|error| UsageError(error.to_string()))?;
                let stopped = signal::stopped()?;
                let tally = worker
                    .send_due(&stopped, |delivery| {
                        let (id, to, attempt) = (delivery.id, &delivery.to, delivery.attempt);
                        match &delivery.outcome {
                            Ok(()) => output::note("sent", &format!("mail {id} to {to}")),
                            Err(error) => {
                                output::note("failed", &format!("mail {id} to {to}, attempt {attempt}: {error}"))
                            }
                        }
                    })
                    .await?;
                output::print(&format!("{} sent, {} failed", tally.sent, tally.failed))?;
                if tally.failed == 0 { Ok(()) } else { Err(anyhow!("not all mails could be sent")) }
            }
        }
    }
}

/// Finds a mail in all open namespaces. Ids are unique per database only, so there may be several.
async fn find(idp: &tailor_idp::idp::Router, id: i64) -> anyhow::Result<(String, MailRecord)> {
    let mut found = Vec::new();
    for local in idp.locals() {
        let namespace = local.namespace();
        match local.reset_mail(id).await {
            Ok(mail) => found.push((namespace.to_string(), mail)),
            Err(error) if error.code() == Code::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    if found.len() > 1 {
        let names = found.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
        return Err(UsageError(format!("mail {id} is in namespaces {names}: say which with --namespace NAME")).into());
    }
    found.pop().ok_or_else(|| anyhow!("mail not found: {id}"))
}

fn print_list(mails: &[(String, MailRecord)]) -> anyhow::Result<()> {
    if !mails.is_empty() {
        let mut table = output::table();
        table.set_header(["ID", "NAMESPACE", "TO", "STATE", "ATTEMPTS", "QUEUED", "NEXT ATTEMPT", "LAST ERROR"]);
        for (namespace, mail) in mails {
            table.add_row([
                mail.id.to_string(),
                namespace.clone(),
                mail.to.clone(),
                mail.state.to_string(),
                mail.attempts.to_string(),
                mail.queued_at.to_string(),
                time(mail.due_at),
                mail.last_error.clone().unwrap_or_default(),
            ]);
        }
        output::print(&table.trim_fmt())?;
    }
    output::print(&format!("{} mail{}", mails.len(), if mails.len() == 1 { "" } else { "s" }))
}

fn print_mail(namespace: &str, mail: &MailRecord) -> anyhow::Result<()> {
    let mut table = output::table();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    for (key, value) in [
        ("id", mail.id.to_string()),
        ("namespace", namespace.to_owned()),
        ("user", mail.mail.user_id.clone()),
        ("to", mail.to.clone()),
        ("state", mail.state.to_string()),
        ("attempts", mail.attempts.to_string()),
        ("queued", mail.queued_at.to_string()),
        ("next attempt", time(mail.due_at)),
        ("finished", time(mail.finished_at)),
        ("last error", text(&mail.last_error)),
        ("from name", text(&mail.mail.from_name)),
        ("subject", text(&mail.mail.subject)),
        ("redirect", mail.mail.redirect_uri.clone()),
    ] {
        table.add_row([key.to_owned(), value]);
    }
    output::print(&table.trim_fmt())
}

fn time(moment: Option<Timestamp>) -> String {
    moment.map(|moment| moment.to_string()).unwrap_or_default()
}

fn mail_json(namespace: &str, mail: &MailRecord) -> Value {
    json!({
        "id": mail.id,
        "namespace": namespace,
        "userId": mail.mail.user_id,
        "to": mail.to,
        "state": mail.state.name(),
        "attempts": mail.attempts,
        "queuedAt": mail.queued_at.to_string(),
        "nextAttemptAt": mail.due_at.map(|moment| moment.to_string()),
        "finishedAt": mail.finished_at.map(|moment| moment.to_string()),
        "lastError": mail.last_error,
        "fromName": mail.mail.from_name,
        "subject": mail.mail.subject,
        "redirectUri": mail.mail.redirect_uri,
    })
}

//! `tailor-idp events`: lists and delivers user events.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;
use tailor_idp::idp::NamespaceName;
use tailor_idp::idp::events::{Events, Revival, StartAt, UserEvent, WebhookSettings, WebhookWorker};
use tailor_idp::settings::Webhook;
use tokio::task::JoinSet;

use super::error::UsageError;
use super::overrides::EventFlags;
use super::store::NamespaceArgs;
use super::{output, signal};

/// Interval at which `--follow` polls for events of other processes. A poll reads one index row.
const FOLLOW_POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Maximum number of events per read of `--follow`.
const FOLLOW_BATCH: u32 = 500;

/// List the events of changed users, and deliver them to a webhook
///
/// Changes publish events if the settings have publishUserEvents. Without settings, the commands that change users have a flag
/// for it.
#[derive(Args)]
#[command(after_help = "\
Examples:
  tailor-idp events list --db users.db
  tailor-idp events --follow --db users.db --json
  WEBHOOK_SECRET=… tailor-idp events deliver --db users.db \\
      --webhook https://example.com/hook --secret-env WEBHOOK_SECRET
  tailor-idp events retry --consumer webhook --db users.db")]
pub(super) struct EventsArgs {
    #[command(subcommand)]
    command: Option<EventsCommand>,

    /// Print events as they are committed by any program, until interrupted
    #[arg(long)]
    follow: bool,

    /// With --follow: begin after the event with this id [default: with the next one]
    #[arg(long, value_name = "ID", requires = "follow", value_parser = event_id)]
    since: Option<String>,

    /// Print JSON rather than a table
    #[arg(long, global = true)]
    json: bool,

    #[command(flatten)]
    namespace: NamespaceArgs<EventFlags>,
}

#[derive(Subcommand)]
enum EventsCommand {
    /// List the events that are kept, oldest first
    List {
        /// Only events after the one with this id
        #[arg(long, value_name = "ID", value_parser = event_id)]
        after: Option<String>,
        /// Maximum number of events
        #[arg(long, value_name = "N", default_value_t = 100)]
        first: u32,
    },
    /// Show one event
    Show {
        /// Its id
        event: String,
    },
    /// Post events to a webhook until interrupted: those of --namespace, else of every namespace that the settings publish
    Deliver(Deliver),
    /// List the consumers, with the numbers of their pending and dead events
    Consumers,
    /// List the events that were given up, oldest first
    Dead {
        /// Only those of this consumer
        #[arg(long, value_name = "NAME")]
        consumer: Option<String>,
        /// Maximum number of events
        #[arg(long, value_name = "N", default_value_t = 100)]
        first: u32,
    },
    /// Retry events that were given up
    Retry(SelectedEvents),
    /// Discard events that were given up
    Discard(SelectedEvents),
    /// Remove a consumer: events are no longer kept for it
    Forget {
        /// Its name
        consumer: String,
    },
}

#[derive(Args)]
struct Deliver {
    /// URL to post to [default: the webhook of the settings]
    #[arg(long, value_name = "URL")]
    webhook: Option<String>,
    /// The environment variable with the secret that requests are signed with; give two to rotate secrets
    /// [default: that of the settings]
    #[arg(long, value_name = "NAME")]
    secret_env: Vec<String>,
    /// Name under which the position is stored: one for each webhook
    #[arg(long, value_name = "NAME", default_value = "webhook")]
    consumer: String,
    /// If the consumer is new, begin with the next event rather than the oldest
    #[arg(long)]
    from_now: bool,
    /// Time limit of a request, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
    /// Number of attempts before an event is given up
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..))]
    max_attempts: u32,
}

#[derive(Args)]
struct SelectedEvents {
    /// The ids of the events [default: all that were given up]
    events: Vec<String>,
    /// The consumer that gave them up
    #[arg(long, value_name = "NAME", default_value = "webhook")]
    consumer: String,
}

/// Accepts UUIDs only: as a position, any other text would silently mean the beginning.
fn event_id(text: &str) -> Result<String, uuid::Error> {
    Ok(uuid::Uuid::try_parse(text)?.to_string())
}

impl EventsArgs {
    pub(super) async fn execute(self) -> anyhow::Result<()> {
        if self.follow == self.command.is_some() {
            return Err(UsageError("one of --follow and a command is needed: see tailor-idp help events".into()).into());
        }
        let (namespace, json) = (&self.namespace, self.json);
        // Lazy: `deliver` opens several namespaces itself.
        let events = async {
            let (name, idp) = namespace.open(false, None).await?;
            anyhow::Ok(Events::new(&idp, name.as_str())?)
        };
        let Some(command) = self.command else { return follow(&events.await?, self.since, json).await };
        match command {
            EventsCommand::List { after, first } => {
                let list = events.await?.list(after.as_deref(), first).await?;
                if json { output::print_json(&json!(list)) } else { output::print(&table(&list)) }
            }
            EventsCommand::Show { event } => {
                let found = events.await?.get(&event).await?;
                let found = found.ok_or_else(|| anyhow::anyhow!("event not found: {event}"))?;
                if json { output::print_json(&json!(found)) } else { output::print(&table(&[found])) }
            }
            EventsCommand::Deliver(deliver) => deliver.execute(namespace).await,
            EventsCommand::Consumers => consumers(&events.await?, json).await,
            EventsCommand::Dead { consumer, first } => dead(&events.await?, consumer.as_deref(), first, json).await,
            EventsCommand::Retry(selected) => selected.execute(&events.await?, Revival::Retry, json).await,
            EventsCommand::Discard(selected) => selected.execute(&events.await?, Revival::Discard, json).await,
            EventsCommand::Forget { consumer } => {
                if !events.await?.forget(&consumer).await? {
                    anyhow::bail!("there is no consumer of events named {consumer:?}");
                }
                if json { output::print_json(&json!({ "forgotten": consumer })) } else { Ok(()) }
            }
        }
    }
}

impl Deliver {
    /// Delivers to the webhook of the command line, else to that of the settings.
    async fn execute(self, args: &NamespaceArgs<EventFlags>) -> anyhow::Result<()> {
        let file = args.file()?;
        let settings = self.settings(file.as_ref().and_then(|file| file.settings.webhook.as_ref()))?;
        let (names, idp) = args.open_publishing(file.as_ref()).await?;
        let mut workers = Vec::new();
        for name in &names {
            let worker = WebhookWorker::new(Events::new(&idp, name.as_str())?, settings.clone());
            workers.push(worker.map_err(|error| UsageError(error.to_string()))?);
        }
        let stopped = signal::stopped()?;
        output::note(
            "note",
            &match names.as_slice() {
                [_] => "delivering; interrupt to stop".to_owned(),
                names => {
                    let names = names.iter().map(NamespaceName::as_str).collect::<Vec<_>>().join(", ");
                    format!("delivering from namespaces {names}; interrupt to stop")
                }
            },
        );
        let start = if self.from_now { StartAt::Next } else { StartAt::Oldest };
        let mut running = JoinSet::new();
        for worker in workers {
            let mut stopped = stopped.clone();
            let stop = async move {
                let _ = stopped.wait_for(|stopped| *stopped).await;
            };
            running.spawn(async move { worker.run(start, stop).await });
        }
        let mut failure = None;
        while let Some(ended) = running.join_next().await {
            if let Err(error) = ended? {
                if !running.is_empty() {
                    output::note("error", &format!("{error}; the other namespaces go on"));
                }
                failure.get_or_insert(error);
            }
        }
        failure.map_or(Ok(()), |error| Err(error.into()))
    }

    fn settings(&self, from_file: Option<&Webhook>) -> anyhow::Result<WebhookSettings> {
        let mut secrets = Vec::new();
        let url = match (&self.webhook, from_file) {
            (Some(_), _) if self.secret_env.is_empty() => {
                return Err(
                    UsageError("--secret-env NAME is missing: what are requests signed with?".to_owned()).into()
                );
            }
            (Some(url), _) => url.parse().map_err(|error| UsageError(format!("--webhook is not a URL: {error}")))?,
            (None, Some(webhook)) => {
                // Secrets on the command line replace that of the settings, for example during rotation.
                if self.secret_env.is_empty() {
                    secrets.push(webhook.secret.read()?);
                }
                webhook.url.clone()
            }
            (None, None) => {
                let text = "--webhook URL is missing, and the settings have no [events.webhook]: where to?";
                return Err(UsageError(text.to_owned()).into());
            }
        };
        for name in &self.secret_env {
            let secret = std::env::var(name);
            let secret = secret.map_err(|error| UsageError(format!("--secret-env {name}: {error}")))?;
            secrets.push(secret.into());
        }
        let mut settings = WebhookSettings::new(url, String::new().into());
        settings.secrets = secrets;
        settings.consumer.clone_from(&self.consumer);
        settings.timeout = Duration::from_secs(self.timeout);
        settings.max_attempts = self.max_attempts;
        Ok(settings)
    }
}

impl SelectedEvents {
    async fn execute(self, events: &Events, revival: Revival, json: bool) -> anyhow::Result<()> {
        let mut count = 0;
        if self.events.is_empty() {
            count = events.revive(&self.consumer, None, revival).await?;
        }
        for event in &self.events {
            match events.revive(&self.consumer, Some(event), revival).await? {
                0 => anyhow::bail!("{:?} has given up no event {event}", self.consumer),
                revived => count += revived,
            }
        }
        let (key, what) = match revival {
            Revival::Retry => ("retried", "to be delivered again"),
            Revival::Discard => ("discarded", "discarded"),
        };
        let noun = if count == 1 { "event" } else { "events" };
        if json { output::print_json(&json!({ key: count })) } else { output::print(&format!("{count} {noun} {what}")) }
    }
}

async fn follow(events: &Events, since: Option<String>, json: bool) -> anyhow::Result<()> {
    let mut after = match since {
        None => events.newest().await?,
        since => since,
    };
    loop {
        let batch = events.list(after.as_deref(), FOLLOW_BATCH).await?;
        for event in &batch {
            let line = if json { json!(event).to_string() } else { line(event) };
            // The reader has closed the pipe.
            if let Err(error) = writeln!(std::io::stdout().lock(), "{}", output::printable(&line, &std::io::stdout())) {
                return if error.kind() == std::io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error.into()) };
            }
        }
        match batch.last() {
            Some(last) => after = Some(last.id.clone()),
            // Ids are in commit order across all processes, so no event can appear before the last one.
            None => tokio::time::sleep(FOLLOW_POLL_INTERVAL).await,
        }
    }
}

fn line(event: &UserEvent) -> String {
    format!("{} {} {} {}", event.time, event.kind.type_name(), event.user_id, event.id)
}

async fn consumers(events: &Events, json: bool) -> anyhow::Result<()> {
    let consumers = events.consumers().await?;
    if json {
        let consumer = |consumer: &tailor_idp::idp::events::Consumer| json!({ "name": consumer.name, "pending": consumer.pending, "dead": consumer.dead });
        return output::print_json(&consumers.iter().map(consumer).collect());
    }
    let mut table = output::table();
    table.set_header(["CONSUMER", "PENDING", "DEAD"]);
    for consumer in consumers {
        table.add_row([consumer.name, consumer.pending.to_string(), consumer.dead.to_string()]);
    }
    output::print(&table.trim_fmt())
}

async fn dead(events: &Events, consumer: Option<&str>, first: u32, json: bool) -> anyhow::Result<()> {
    let dead = events.dead(consumer, first).await?;
    if json {
        let mut by_consumer: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for dead in &dead {
            let shown = json!({ "event": dead.event, "attempts": dead.attempts, "reason": dead.reason });
            by_consumer.entry(&dead.consumer).or_default().push(shown);
        }
        return output::print_json(&json!(by_consumer));
    }
    let mut table = output::table();
    table.set_header(["CONSUMER", "EVENT", "TYPE", "USER", "ATTEMPTS", "REASON"]);
    for dead in dead {
        let (event, attempts) = (dead.event, dead.attempts.to_string());
        let type_name = event.kind.type_name().to_owned();
        table.add_row([dead.consumer, event.id, type_name, event.user_id, attempts, dead.reason]);
    }
    output::print(&table.trim_fmt())
}

fn table(events: &[UserEvent]) -> String {
    let mut table = output::table();
    table.set_header(["ID", "TIME", "TYPE", "USER"]);
    for event in events {
        let (time, type_name) = (event.time.to_string(), event.kind.type_name());
        table.add_row([event.id.as_str(), &time, type_name, &event.user_id]);
    }
    table.trim_fmt()
}

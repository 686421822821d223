//! `tailor-idp check`: validates a settings file and summarises it.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use tailor_idp::function::FetchSettings;
use tailor_idp::idp::events::WebhookSettings;
use tailor_idp::idp::{NamespaceName, UserAuthPolicy};
use tailor_idp::settings::{
    Audience, FILE_NAME, FunctionLimits, MailRoute, NamespaceEntry, OPERATIONS, PostgresError, Settings, StoreLocation,
    Webhook,
};
use url::Url;

use super::error::UsageError;
use super::settings::SettingsFile;
use super::{mfa_key, online, output};

/// Check a settings file and print what it allows
///
/// All faults go to stderr, one per line. A secret whose environment variable is not set or empty
/// is a warning; one that cannot be used is an error.
///
/// Nothing is asked of other services, unless --online is given: then each service is asked for an
/// access token and for one user, and databases are opened. What each namespace can do and cannot is
/// printed, with the rights that its credentials lack. Rights that a service does not tell are
/// "unknown". Nothing is changed.
#[derive(Args)]
#[command(after_help = "\
Examples:
  tailor-idp check
  AUTH0_SECRET=… tailor-idp check --online

Exit codes: 0 valid; 1 a fault in the settings or, with --online, a store that does not work; 2 wrong use.")]
pub(super) struct Check {
    /// The settings file [default: the nearest tailor-idp.toml, from here upwards]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    /// Ask the services and databases of all namespaces whether they work, and what they can do
    #[arg(long)]
    online: bool,
}

impl Check {
    pub(super) async fn execute(self) -> anyhow::Result<()> {
        let missing = || UsageError(format!("there is no {FILE_NAME} here or above: `tailor-idp init` writes one"));
        let file = match self.file {
            Some(path) => SettingsFile::load_named("", path)?,
            None => SettingsFile::load(SettingsFile::find(Path::new("")).ok_or_else(missing)?)?,
        };
        let faults = secret_faults(&file.settings);
        anyhow::ensure!(faults.is_empty(), faults.join("\nerror: "));
        output::print(summary(&file).trim_end())?;
        warnings(&file.settings, self.online).iter().for_each(|warning| output::note("warning", warning));
        if self.online { online::check(&file.settings).await } else { Ok(()) }
    }
}

/// Settings that are valid but most likely not intended. With `online`, the secrets of stores are left out: stores without them
/// do not work, which is an error.
fn warnings(settings: &Settings, online: bool) -> Vec<String> {
    let secrets = if online { settings.secrets_beside_stores() } else { settings.secrets() };
    let mut warnings: Vec<_> =
        secrets.iter().filter_map(|secret| secret.read().err()).map(|error| error.to_string()).collect();
    let mut namespaces = settings.namespaces.iter();
    if let Some((name, _)) = namespaces.find(|(_, entry)| entry.settings.user_auth_policy.enable_mfa)
        && settings.mfa_key.is_none()
    {
        warnings.push(format!("namespace {name} has enableMfa, and no mfa_key_env names the key of MFA secrets"));
    }
    for (name, NamespaceEntry { settings, .. }) in &settings.namespaces {
        let unmatched = settings.permission.unmatched_names(settings.user_auth_policy.name_kind());
        warnings.extend(unmatched.iter().map(|fault| format!("namespace.{name}.permission.{fault}")));
    }
    let publishes = settings.namespaces.values().any(|entry| entry.settings.publish_user_events);
    if settings.webhook.is_some() && !publishes {
        warnings.push("events.webhook gets nothing: no namespace has publishUserEvents".to_owned());
    }
    warnings
}

/// Faults of the secrets that are set, found by the code that uses them.
fn secret_faults(settings: &Settings) -> Vec<String> {
    let mut faults = Vec::new();
    if let Some(Webhook { url, secret, .. }) = &settings.webhook
        && let Ok(text) = secret.read()
    {
        let checked = WebhookSettings::new(url.clone(), text).check();
        faults.extend(checked.err().map(|error| format!("{} ({}): {error}", secret.variable(), secret.key())));
    }
    for entry in settings.namespaces.values() {
        if let StoreLocation::Postgres(postgres) = &entry.store
            && let Err(error @ PostgresError::Invalid { .. }) = postgres.options()
        {
            faults.push(error.to_string());
        }
    }
    if let Some(key) = settings.mfa_key.as_ref().filter(|key| key.read().is_ok()) {
        faults.extend(mfa_key::from_variable(key).err().map(|error| format!("{error:#}")));
    }
    for entry in settings.namespaces.values() {
        let StoreLocation::Remote(remote) = &entry.store else { continue };
        let secret = remote.service.secret();
        let wrong = remote.secret_faults().unwrap_or_default();
        faults.extend(wrong.iter().map(|fault| format!("{} ({}): {fault}", secret.variable(), secret.key())));
    }
    faults
}

fn summary(file: &SettingsFile) -> String {
    let mut text = format!("{} is valid\n", file.path.display());
    for (name, entry) in &file.settings.namespaces {
        text.push_str(&namespace_summary(&file.settings, name, entry));
    }
    text.push_str(&function_summary(&file.settings));
    text
}

/// Limits and fetch hosts of scripts; empty if the file sets neither.
fn function_summary(settings: &Settings) -> String {
    let function = &settings.function;
    let fetch = FetchSettings::from(&settings.fetch);
    let hosts = fetch.allowed().to_string();
    if *function == FunctionLimits::default() && hosts.is_empty() {
        return String::new();
    }
    let memory = function.memory / (1024 * 1024);
    let hosts = if hosts.is_empty() { "nothing".to_owned() } else { hosts };
    let (time, calls) = (function.timeout.as_secs_f64(), function.max_calls);
    let mut text =
        format!("\nfunctions\n  time    {time} s\n  memory  {memory} MB\n  calls   {calls}\n  fetch   {hosts}\n");
    if !fetch.allowed().to_string().is_empty() {
        let (body, streamed, requests) = fetch.maxima();
        let [body, streamed] = [body, streamed].map(|bytes| bytes / (1024 * 1024));
        let _ = writeln!(text, "          {requests} requests; bodies of {body} MB, streamed {streamed} MB");
    }
    text
}

fn namespace_summary(settings: &Settings, name: &NamespaceName, entry: &NamespaceEntry) -> String {
    let policy = &entry.settings.user_auth_policy;
    let events = match (entry.settings.publish_user_events, &settings.webhook) {
        (false, _) => "not published".to_owned(),
        (true, None) => "published to the outbox, and to no webhook".to_owned(),
        (true, Some(webhook)) => format!("published to {}", without_query(&webhook.url)),
    };
    let facts = [
        ("store", store(&entry.store)),
        ("names", names(policy)),
        ("passwords", passwords(policy)),
        ("sign-in", sign_in(policy)),
        ("MFA", mfa(policy)),
        ("returns to", list_or_any(&normalized(&policy.allowed_return_origins))),
        ("events", events),
        ("mail", format!("{}; language {}", mail(settings), entry.settings.lang)),
    ];
    let rules = OPERATIONS.into_iter().zip(entry.audiences.map(audience_text));
    let width = OPERATIONS.iter().map(|operation| operation.len()).max().unwrap_or_default();
    let mut text = format!("\nnamespace {name}\n");
    for (what, fact) in facts.into_iter().chain(rules) {
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "  {what:width$}  {fact}");
    }
    text
}

/// The query may hold an API key.
fn without_query(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

fn store(store: &StoreLocation) -> String {
    match store {
        StoreLocation::Memory => "memory: gone when the program ends".to_owned(),
        StoreLocation::Sqlite(path) => format!("SQLite database {}", path.display()),
        StoreLocation::Postgres(postgres) => postgres.to_string(),
        StoreLocation::Remote(remote) => remote.to_string(),
    }
}

fn names(policy: &UserAuthPolicy) -> String {
    if policy.use_non_email_identifier {
        return "any text".to_owned();
    }
    match policy.allowed_email_domains.as_slice() {
        [] => "e-mail addresses".to_owned(),
        [all] if all == "*" => "e-mail addresses".to_owned(),
        domains => format!("e-mail addresses at {}", domains.join(", ")),
    }
}

fn passwords(policy: &UserAuthPolicy) -> String {
    if policy.disable_password_auth {
        return "none".to_owned();
    }
    let classes = [
        (policy.password_require_uppercase, "an upper-case letter"),
        (policy.password_require_lowercase, "a lower-case letter"),
        (policy.password_require_numeric, "a number"),
        (policy.password_require_non_alphanumeric, "a character that is neither letter nor number"),
    ];
    let required: Vec<_> = classes.iter().filter(|(required, _)| *required).map(|(_, class)| *class).collect();
    let with = if required.is_empty() { String::new() } else { format!(", with {}", required.join(", ")) };
    format!("{} to {} characters{with}", policy.password_min_length, policy.password_max_length)
}

fn sign_in(policy: &UserAuthPolicy) -> String {
    let ways = [
        (!policy.disable_password_auth, "password"),
        (policy.allow_google_oauth, "Google"),
        (policy.allow_microsoft_oauth, "Microsoft"),
        (policy.allow_self_password_reset, "self-service password reset"),
    ];
    ways.iter().filter(|(allowed, _)| *allowed).map(|(_, way)| *way).collect::<Vec<_>>().join(", ")
}

fn mfa(policy: &UserAuthPolicy) -> String {
    match (policy.enable_mfa, policy.require_mfa) {
        (false, _) => "off".to_owned(),
        (true, required) => {
            let state = if required { "required" } else { "on" };
            format!("{state}, as {:?}", policy.mfa_issuer())
        }
    }
}

/// The origins as they are compared, without a default port.
fn normalized(origins: &[String]) -> Vec<String> {
    let origin = |text: &String| Url::parse(text).map_or(text.clone(), |url| url.origin().ascii_serialization());
    origins.iter().map(origin).collect()
}

fn list_or_any(entries: &[String]) -> String {
    if entries.is_empty() { "any http or https URL".to_owned() } else { entries.join(", ") }
}

fn mail(settings: &Settings) -> String {
    match settings.mail.as_ref().map(|mail| &mail.transport) {
        None => "kept in the queue: there is no [mail]".to_owned(),
        Some(MailRoute::Folder(folder)) => format!("into the folder {}", folder.display()),
        Some(MailRoute::Smtp(smtp)) => format!("by SMTP over {}:{}", smtp.host, smtp.port),
        Some(other) => format!("{other:?}"),
    }
}

fn audience_text(audience: Audience) -> String {
    match audience {
        Audience::Nobody => "nobody".to_owned(),
        Audience::Everybody => "everybody".to_owned(),
        Audience::Policies(1) => "1 policy".to_owned(),
        Audience::Policies(policies) => format!("{policies} policies"),
    }
}

//! `store = { workos = { … } }` and the other identity services.

use std::fmt;
use std::sync::Arc;
use url::Url;

use super::function::{read_key, time};
use super::reader::Section;
use super::secret::{MissingSecret, SecretVariable};
use crate::idp::NamespaceName;
use crate::idp::directory::Directory;
use crate::idp::remote::{Auth0, Count, Descope, InvalidRemote, RemoteOptions, Tailor, WorkOs};

/// The keys of `store` that name a service.
pub(super) const SERVICES: [&str; 4] = ["auth0", "descope", "workos", "tailor"];

/// Valid values of `count`.
const COUNTS: [(&str, Count); 2] = [("refuse", Count::Refuse), ("walk", Count::Walk)];

/// Users at another identity service.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RemoteEntry {
    /// The service and its parameters.
    pub service: RemoteService,
    /// Options of the connection.
    pub options: RemoteOptions,
}

/// An identity service and its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RemoteService {
    /// A database connection of an Auth0 tenant.
    Auth0 {
        /// Canonical domain of the tenant.
        domain: String,
        /// Id of a machine-to-machine application.
        client_id: String,
        /// Its secret.
        client_secret: SecretVariable,
        /// Name of the connection that has the users.
        connection: String,
    },
    /// A Descope project.
    Descope {
        /// Id of the project.
        project_id: String,
        /// A management key.
        management_key: SecretVariable,
    },
    /// A WorkOS environment.
    WorkOs {
        /// Secret key of the environment.
        api_key: SecretVariable,
    },
    /// A namespace of the Tailor Platform.
    Tailor {
        /// URL of the application.
        url: Url,
        /// Id of a machine user.
        client_id: String,
        /// Its secret.
        client_secret: SecretVariable,
        /// Name of the namespace on the platform.
        namespace: NamespaceName,
    },
}

/// The error of [`RemoteEntry::open`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// The environment variable of a secret is not set.
    #[error(transparent)]
    Secret(#[from] MissingSecret),
    /// A parameter is invalid.
    #[error(transparent)]
    Invalid(#[from] InvalidRemote),
}

impl RemoteEntry {
    /// The directory of the service, with the secrets read from the environment. Connects at the first call.
    ///
    /// # Errors
    ///
    /// [`RemoteError`].
    pub fn open(&self) -> Result<Arc<dyn Directory>, RemoteError> {
        let options = self.options.clone();
        Ok(match &self.service {
            RemoteService::Auth0 { domain, client_id, client_secret, connection } => {
                let secret = client_secret.read()?;
                Arc::new(Auth0::builder(domain, client_id, secret, connection).options(options).build()?)
            }
            RemoteService::Descope { project_id, management_key } => {
                Arc::new(Descope::builder(project_id, management_key.read()?).options(options).build()?)
            }
            RemoteService::WorkOs { api_key } => Arc::new(WorkOs::builder(api_key.read()?).options(options).build()?),
            RemoteService::Tailor { url, client_id, client_secret, namespace } => {
                let secret = client_secret.read()?;
                Arc::new(Tailor::builder(url.as_str(), client_id, secret, namespace.as_str()).options(options).build()?)
            }
        })
    }
}

impl fmt::Display for RemoteEntry {
    /// Names the service and where it is, without secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.service {
            RemoteService::Auth0 { domain, connection, .. } => write!(f, "Auth0, {domain}, connection {connection}"),
            RemoteService::Descope { project_id, .. } => write!(f, "Descope, project {project_id}"),
            RemoteService::WorkOs { .. } => f.write_str("WorkOS"),
            RemoteService::Tailor { url, namespace, .. } => write!(f, "Tailor Platform, {url}, namespace {namespace}"),
        }?;
        self.options.base_url.as_ref().map_or(Ok(()), |url| write!(f, ", at {url}"))
    }
}

/// Reads the table of a service. Returns `None` only if a fault was recorded.
pub(super) fn read(store: &Section<'_, '_>, service: &'static str) -> Option<RemoteEntry> {
    let section = store.section(service)?;
    let options = read_options(&section);
    let service = match service {
        "auth0" => {
            let secret = required_secret(&section, "client_secret_env", "client_secret", "AUTH0_SECRET");
            let [domain, client_id, connection] = ["domain", "client_id", "connection"].map(|key| text(&section, key));
            // Accepted, so that one file serves programs that also send reset mails: Auth0 takes no redirect for them.
            let _ = section.string("app_client_id");
            match (domain, client_id, secret, connection) {
                (Some(domain), Some(client_id), Some(client_secret), Some(connection)) => {
                    Some(RemoteService::Auth0 { domain, client_id, client_secret, connection })
                }
                _ => None,
            }
        }
        "descope" => {
            let key = required_secret(&section, "management_key_env", "management_key", "DESCOPE_KEY");
            let service = |(project_id, management_key)| RemoteService::Descope { project_id, management_key };
            text(&section, "project_id").zip(key).map(service)
        }
        "workos" => {
            let key = required_secret(&section, "api_key_env", "api_key", "WORKOS_KEY");
            key.map(|api_key| RemoteService::WorkOs { api_key })
        }
        _ => {
            let secret = required_secret(&section, "client_secret_env", "client_secret", "TAILOR_SECRET");
            let client_id = text(&section, "client_id");
            match (url(&section, "url"), client_id, secret, namespace(&section)) {
                (Some(url), Some(client_id), Some(client_secret), Some(namespace)) => {
                    Some(RemoteService::Tailor { url, client_id, client_secret, namespace })
                }
                _ => None,
            }
        }
    };
    section.finish();
    Some(RemoteEntry { service: service?, options: options? })
}

fn read_options(section: &Section<'_, '_>) -> Option<RemoteOptions> {
    let mut options = RemoteOptions::default();
    if section.has("base_url") {
        options.base_url = Some(url(section, "base_url")?);
    }
    if let Some(timeout) = read_key(section, "timeout", |text| time(text, "10s")) {
        options.timeout = timeout;
    }
    let number = |key, number: &mut usize| {
        let Some(given) = section.integer(key) else { return };
        match usize::try_from(given) {
            Ok(given) => *number = given,
            Err(_) => section.fault(key, format!("must not be negative: got {given}")),
        }
    };
    number("max_requests", &mut options.max_requests);
    number("retries", &mut options.retries);
    options.scramble_passwords = section.boolean("scramble_passwords").unwrap_or_default();
    options.count = section.choice("count", &COUNTS).unwrap_or_default();
    match options.check() {
        Ok(()) => Some(options),
        Err(error) => {
            let key = error.key();
            let text = error.to_string();
            section.fault(key, text.strip_prefix(key).unwrap_or(&text).trim_start());
            None
        }
    }
}

fn text(section: &Section<'_, '_>, key: &'static str) -> Option<String> {
    let text = section.string(key);
    match text.as_deref() {
        Some("") => section.fault(key, "must not be empty"),
        None if !section.has(key) => section.fault(key, "is missing"),
        _ => return text,
    }
    None
}

fn required_secret(
    section: &Section<'_, '_>,
    key: &'static str,
    inline: &'static str,
    example: &str,
) -> Option<SecretVariable> {
    let secret = section.secret(key, inline, example);
    if !section.has(key) && !section.has(inline) {
        section.fault(key, format!("is missing: the environment variable with the secret, such as {example:?}"));
    }
    secret
}

fn url(section: &Section<'_, '_>, key: &'static str) -> Option<Url> {
    let given = text(section, key)?;
    let parsed = Url::parse(&given);
    if parsed.is_err() {
        // Not quoted: a URL can contain a password.
        section.fault(key, "must be an absolute URL, such as https://app.example.com");
    }
    parsed.ok()
}

fn namespace(section: &Section<'_, '_>) -> Option<NamespaceName> {
    let name = NamespaceName::new(&text(section, "namespace")?);
    name.map_err(|error| section.fault("namespace", error.to_string())).ok()
}

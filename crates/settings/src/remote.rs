//! `store = { workos = { … } }` and the other identity services.

use std::fmt;
use std::sync::Arc;

use secrecy::SecretString;
use url::Url;

use super::function::{read_key, time};
use super::reader::Section;
use super::secret::{MissingSecret, SecretVariable};
use tailor_idp_core::NamespaceName;
use tailor_idp_core::directory::Directory;
use tailor_idp_core::remote::{
    Auth0, Auth0Builder, Count, Descope, DescopeBuilder, InvalidRemote, RemoteOptions, Tailor, TailorBuilder, WorkOs,
    WorkOsBuilder,
};

/// The keys of `store` that name a service.
pub(super) const SERVICES: [&str; 4] = ["auth0", "descope", "workos", "tailor"];

/// A well-formed secret, in place of one that is not read yet.
const STAND_IN: &str = "secret";

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
    /// The environment variable holds no secret.
    #[error(transparent)]
    Secret(#[from] MissingSecret),
    /// A parameter is invalid.
    #[error(transparent)]
    Invalid(#[from] InvalidRemote),
}

impl RemoteService {
    /// The secret of the service.
    pub fn secret(&self) -> &SecretVariable {
        match self {
            Self::Auth0 { client_secret: secret, .. }
            | Self::Descope { management_key: secret, .. }
            | Self::WorkOs { api_key: secret }
            | Self::Tailor { client_secret: secret, .. } => secret,
        }
    }

    fn builder(&self, secret: SecretString, options: RemoteOptions) -> Builder {
        match self {
            Self::Auth0 { domain, client_id, client_secret: _, connection } => {
                Builder::Auth0(Auth0::builder(domain, client_id, secret, connection).options(options))
            }
            Self::Descope { project_id, management_key: _ } => {
                Builder::Descope(Descope::builder(project_id, secret).options(options))
            }
            Self::WorkOs { api_key: _ } => Builder::WorkOs(WorkOs::builder(secret).options(options)),
            Self::Tailor { url, client_id, client_secret: _, namespace } => {
                Builder::Tailor(Tailor::builder(url.as_str(), client_id, secret, namespace.as_str()).options(options))
            }
        }
    }
}

/// The builder of a service's directory.
enum Builder {
    Auth0(Auth0Builder),
    Descope(DescopeBuilder),
    WorkOs(WorkOsBuilder),
    Tailor(TailorBuilder),
}

impl Builder {
    fn faults(&self) -> Vec<InvalidRemote> {
        match self {
            Self::Auth0(builder) => builder.faults(),
            Self::Descope(builder) => builder.faults(),
            Self::WorkOs(builder) => builder.faults(),
            Self::Tailor(builder) => builder.faults(),
        }
    }

    fn build(self) -> Result<Arc<dyn Directory>, InvalidRemote> {
        Ok(match self {
            Self::Auth0(builder) => Arc::new(builder.build()?),
            Self::Descope(builder) => Arc::new(builder.build()?),
            Self::WorkOs(builder) => Arc::new(builder.build()?),
            Self::Tailor(builder) => Arc::new(builder.build()?),
        })
    }
}

impl RemoteEntry {
    /// The faults of the secret in the environment; those of all other parameters are faults of the file. Each text follows the
    /// name of the parameter.
    ///
    /// # Errors
    ///
    /// [`MissingSecret`].
    pub fn secret_faults(&self) -> Result<Vec<String>, MissingSecret> {
        let secret = self.service.secret().read()?;
        let faults = self.service.builder(secret, self.options.clone()).faults();
        Ok(faults.iter().map(text_after_key).collect())
    }

    /// The directory of the service, with the secrets read from the environment. Connects at the first call.
    ///
    /// # Errors
    ///
    /// [`RemoteError`].
    pub fn open(&self) -> Result<Arc<dyn Directory>, RemoteError> {
        let variable = self.service.secret();
        let mut options = self.options.clone();
        options.secret_variable = Some(variable.variable().to_owned());
        Ok(self.service.builder(variable.read()?, options).build()?)
    }
}

/// The text of a fault without the key that it begins with.
fn text_after_key(fault: &InvalidRemote) -> String {
    let text = fault.to_string();
    text.strip_prefix(fault.key()).unwrap_or(&text).trim_start().to_owned()
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
    if let Some(service) = &service {
        check(&section, service, options.clone().unwrap_or_default());
    }
    section.finish();
    Some(RemoteEntry { service: service?, options: options? })
}

/// Records the faults of the parameters, but for the secret, which is read on use.
fn check(section: &Section<'_, '_>, service: &RemoteService, options: RemoteOptions) {
    for fault in service.builder(STAND_IN.into(), options).faults() {
        section.fault(fault.key(), text_after_key(&fault));
    }
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
            section.fault(error.key(), text_after_key(&error));
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

//! The settings file, `tailor-idp.toml`: namespaces, mail, events and limits of scripts.
//!
//! [`Settings::load`] reads and validates a file. It reports all faults at once, each with its line. `docs/settings.md`
//! describes the format.
//!
//! ```
//! use tailor_idp_settings::Settings;
//!
//! let wrong = "
//! [namespace.builtin-idp]
//! store = \"memory\"
//! userAuthPolicy.passwordMinLength = 3
//! ";
//! let error = Settings::parse(wrong, "tailor-idp.toml".as_ref()).unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     "tailor-idp.toml:4: namespace.builtin-idp.userAuthPolicy.passwordMinLength: \
//!      passwordMinLength must be between 6 and 30: got 3",
//! );
//! ```

mod error;
mod function;
mod mail;
mod namespace;
mod permission;
mod postgres;
mod reader;
mod remote;
mod secret;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::de::DeTable;
use url::Url;

pub use error::{SettingsError, SettingsFault};
pub use function::{FetchEntry, FunctionLimits, ScriptIsolation};
pub use mail::{MailEntry, MailRoute, SmtpEntry};
pub use namespace::{NamespaceEntry, StoreLocation};
#[doc(hidden)]
pub use permission::json_from_toml;
pub use permission::{Audience, OPERATIONS};
pub use postgres::{PostgresEntry, PostgresError};
pub use remote::{RemoteEntry, RemoteError, RemoteService};
pub use secret::{MissingSecret, SecretFault, SecretVariable};

use self::reader::{Reader, Section, table_at};
use tailor_idp_core::{NamespaceName, shortened};

/// Name of the settings file.
pub const FILE_NAME: &str = "tailor-idp.toml";

/// Name of the only namespace where there is no settings file: the one that the platform's documentation uses.
pub const DEFAULT_NAMESPACE: &str = "builtin-idp";

/// Version of a key that encrypts MFA secrets, if it is the only one.
pub const MFA_KEY_VERSION: u8 = 1;

/// The validated content of a settings file. Relative paths are joined to the folder of the file.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// Namespaces by name. At least one.
    pub namespaces: BTreeMap<NamespaceName, NamespaceEntry>,
    /// Outgoing mail (`[mail]`). Without it, mails stay in the queue.
    pub mail: Option<MailEntry>,
    /// Public URL of the password-reset page (`reset_page.base_url`).
    pub reset_page: Option<Url>,
    /// Webhook that receives user events (`[events.webhook]`).
    pub webhook: Option<Webhook>,
    /// Key that encrypts MFA secrets (`mfa_key_env`).
    pub mfa_key: Option<SecretVariable>,
    /// Limits of scripts (`[function]`).
    pub function: FunctionLimits,
    /// Hosts and limits of `fetch` (`[function.fetch]`).
    pub fetch: FetchEntry,
}

/// A webhook that receives user events.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Webhook {
    /// An absolute `http` or `https` URL.
    pub url: Url,
    /// Secret that signs the deliveries.
    pub secret: SecretVariable,
}

impl Settings {
    /// Reads and validates a file.
    ///
    /// # Errors
    ///
    /// All faults of the file; only the syntax errors if it is not TOML.
    pub fn load(file: &Path) -> Result<Self, SettingsError> {
        let text = std::fs::read_to_string(file)
            .map_err(|error| SettingsError::whole(file.to_owned(), format!("cannot be read: {error}")))?;
        Self::parse(&text, file)
    }

    /// Validates `text`, the content of `file`. Does not access the file, but those that the text names: `function.fetch.ca`.
    ///
    /// # Errors
    ///
    /// As for [`load`](Self::load).
    pub fn parse(text: &str, file: &Path) -> Result<Self, SettingsError> {
        // Editors on Windows put a byte-order mark first.
        let reader = Reader::new(text.strip_prefix('\u{feff}').unwrap_or(text));
        let tree = reader.parse();
        let folder = file.parent().unwrap_or(Path::new(""));
        let settings = tree.as_ref().and_then(|tree| read(&reader, tree, folder));
        reader.finish(file)?;
        // `read` returns `None` only with a recorded fault.
        settings.ok_or_else(|| SettingsError::whole(file.to_owned(), "cannot be read".to_owned()))
    }

    /// Finds the nearest file named [`FILE_NAME`] in `folder` or one of its ancestors. Returns an absolute path.
    pub fn find(folder: &Path) -> Option<PathBuf> {
        // The parent of a bare file name is the empty path, which means the working directory.
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let folder = std::path::absolute(folder).ok()?;
        folder.ancestors().map(|folder| folder.join(FILE_NAME)).find(|file| file.is_file())
    }

    /// All secrets that the file refers to.
    pub fn secrets(&self) -> Vec<&SecretVariable> {
        let stores = self.namespaces.values().flat_map(|entry| match &entry.store {
            StoreLocation::Postgres(postgres) => [Some(&postgres.url), postgres.read_url.as_ref()],
            StoreLocation::Remote(remote) => [Some(remote.service.secret()), None],
            StoreLocation::Memory | StoreLocation::Sqlite(_) => [None, None],
        });
        self.secrets_beside_stores().into_iter().chain(stores.flatten()).collect()
    }

    /// The secrets that are not those of the namespaces' stores.
    pub fn secrets_beside_stores(&self) -> Vec<&SecretVariable> {
        let smtp = self.mail.as_ref().and_then(|mail| match &mail.transport {
            MailRoute::Smtp(smtp) => smtp.credentials.as_ref().map(|(_, password)| password),
            MailRoute::Folder(_) => None,
        });
        let webhook = self.webhook.as_ref().map(|webhook| &webhook.secret);
        [smtp, webhook, self.mfa_key.as_ref()].into_iter().flatten().collect()
    }
}

/// Reads the whole document. Returns `None` only if a fault was recorded.
fn read(reader: &Reader<'_>, tree: &DeTable<'_>, folder: &Path) -> Option<Settings> {
    let top = Section::top(reader, tree);
    let mfa_key = top.secret(reader::TOP_KEYS[0], "mfa_key", "TAILOR_IDP_MFA_KEY");
    let namespaces = read_namespaces(&top, folder);
    let mail = top.section("mail").map(|section| mail::read(section, folder));
    let reset_page = top.section("reset_page").map(read_reset_page);
    let webhook = top.section("events").map(read_events);
    let (function, fetch) = top.section("function").map(|section| function::read(section, folder)).unwrap_or_default();
    top.finish();
    let reset_page = reset_page.flatten();
    let webhook = webhook.flatten();
    Some(Settings { namespaces: namespaces?, mail: mail.flatten(), reset_page, webhook, mfa_key, function, fetch })
}

fn read_namespaces(top: &Section<'_, '_>, folder: &Path) -> Option<BTreeMap<NamespaceName, NamespaceEntry>> {
    let empty = "must have at least one namespace, such as [namespace.builtin-idp]";
    if !top.has("namespace") {
        top.value("namespace");
        top.fault("namespace", empty);
        return None;
    }
    let all = top.section("namespace")?;
    let mut namespaces = Some(BTreeMap::new());
    let mut any = false;
    for (name, at, value) in all.entries() {
        any = true;
        let read = table_at(all.reader(), all.path(name), at, value).and_then(|section| {
            let valid = NamespaceName::new(name).map_err(|error| section.own_fault(error.to_string())).ok();
            Some((valid, namespace::read(section, folder)?))
        });
        match (read, &mut namespaces) {
            (Some((Some(name), entry)), Some(namespaces)) => drop(namespaces.insert(name, entry)),
            _ => namespaces = None,
        }
    }
    if !any {
        all.own_fault(empty);
    }
    namespaces
}

fn read_reset_page(section: Section<'_, '_>) -> Option<Url> {
    let url = read_url(&section, "base_url");
    if let Some(url) = url.as_ref().filter(|url| url.query().is_some() || url.fragment().is_some()) {
        section.fault("base_url", format!("must have no query and no fragment: got {:?}", shortened(url.as_str())));
    }
    section.finish();
    url
}

fn read_events(section: Section<'_, '_>) -> Option<Webhook> {
    let webhook = section.section("webhook").map(|webhook| {
        let url = read_url(&webhook, "url");
        let secret = webhook.secret("secret_env", "secret", "WEBHOOK_SECRET");
        if !webhook.has("secret_env") && !webhook.has("secret") {
            webhook.fault("secret_env", "is missing: the environment variable with the secret that signs deliveries");
        }
        webhook.finish();
        Some(Webhook { url: url?, secret: secret? })
    });
    section.finish();
    webhook.flatten()
}

/// Reads a required http or https URL.
fn read_url(section: &Section<'_, '_>, key: &'static str) -> Option<Url> {
    let text = section.string(key);
    if !section.has(key) {
        section.fault(key, "is missing");
    }
    let text = text?;
    let Some(url) = Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https")) else {
        // A text that is not a URL may still hold a password.
        let got = if text.contains('@') { String::new() } else { format!(": got {:?}", shortened(&text)) };
        section.fault(key, format!("must be an absolute http or https URL{got}"));
        return None;
    };
    if !url.username().is_empty() || url.password().is_some() {
        section.fault(key, "must have no user name and no password: a secret does not belong in the file");
        return None;
    }
    Some(url)
}

//! The options of `createIdp`: which settings, and where the users are.

use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;
use serde::Deserialize;
use tailor_idp_core::{InvalidNamespaceName, MfaKey, NamespaceName, NamespaceSettings, Permission};
use url::Url;

use tailor_idp_settings::{
    DEFAULT_NAMESPACE, MFA_KEY_VERSION, MissingSecret, NamespaceEntry, Settings, SettingsError, StoreLocation,
};

/// The prefix of reset links if the settings name none: where `tailor-idp serve` listens by default.
const DEFAULT_BASE_URL: &str = "http://127.0.0.1:8787";

/// What the faults of settings that are an object start with, in place of a file.
const OBJECT: &str = "settings";

/// The options as the JavaScript of the package passes them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Options {
    /// A settings file.
    file: Option<PathBuf>,
    /// Settings as an object, instead of a file.
    settings: Option<serde_json::Value>,
    /// Where the users are.
    store: StoreChoice,
    /// The cost of password hashes.
    pub(crate) password_hash: Option<PasswordHashCost>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(crate) enum StoreChoice {
    /// In memory, whatever the settings say.
    Memory,
    /// Where the settings say.
    Settings,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(crate) enum PasswordHashCost {
    /// Microseconds a hash: for users that never leave memory.
    Fast,
    /// As the program.
    Standard,
}

/// Options that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidOptions {
    #[error("the options of createIdp: {0}")]
    Options(#[from] serde_json::Error),
    #[error("{0}")]
    File(#[from] SettingsError),
    #[error("{}", object_faults(.0))]
    Object(SettingsError),
    #[error("{OBJECT}: cannot be written as TOML: {0}")]
    Toml(#[from] toml::ser::Error),
    #[error(transparent)]
    Name(#[from] InvalidNamespaceName),
    #[error(transparent)]
    Secret(#[from] MissingSecret),
    #[error("mfa_key_env: {0}")]
    MfaKey(String),
}

/// The faults without a file and lines: an object has neither.
fn object_faults(error: &SettingsError) -> String {
    let text = |key: &str, text: &str| match key {
        "" => format!("{OBJECT}: {text}"),
        key => format!("{OBJECT}.{key}: {text}"),
    };
    error.faults().iter().map(|fault| text(&fault.key, &fault.text)).collect::<Vec<_>>().join("\n")
}

/// A namespace that is to be opened.
#[derive(Clone)]
pub(crate) struct NamespaceSource {
    pub(crate) name: NamespaceName,
    pub(crate) store: StoreLocation,
    pub(crate) settings: NamespaceSettings,
}

/// The namespaces of an identity provider, and what they share.
pub(crate) struct Plan {
    pub(crate) namespaces: Vec<NamespaceSource>,
    /// The prefix of reset links.
    pub(crate) base_url: Option<Url>,
    /// The key of MFA secrets, from the environment.
    pub(crate) mfa_key: Option<MfaKey>,
}

impl Plan {
    /// Whether all users are in memory, so that the identity provider can be reset.
    pub(crate) fn is_in_memory(&self) -> bool {
        self.namespaces.iter().all(|namespace| namespace.store == StoreLocation::Memory)
    }
}

impl Options {
    pub(crate) fn parse(json: &str) -> Result<Self, InvalidOptions> {
        Ok(serde_json::from_str(json)?)
    }

    /// Reads and validates the settings.
    pub(crate) fn plan(self) -> Result<Plan, InvalidOptions> {
        let store = self.store;
        let settings = match (self.settings, self.file) {
            (Some(object), _) => Some(from_object(object)?),
            (None, Some(file)) => Some(Settings::load(&file)?),
            (None, None) => None,
        };
        let default_base = Url::parse(DEFAULT_BASE_URL).ok();
        let Some(settings) = settings else {
            // As the program without settings: one namespace, open to every script.
            let name = NamespaceName::new(DEFAULT_NAMESPACE)?;
            let settings = NamespaceSettings::default().permission(Permission::allow_all());
            let namespaces = vec![NamespaceSource { name, store: StoreLocation::Memory, settings }];
            return Ok(Plan { namespaces, base_url: default_base, mfa_key: None });
        };
        let source = |(name, entry): (NamespaceName, NamespaceEntry)| NamespaceSource {
            name,
            store: if store == StoreChoice::Memory { StoreLocation::Memory } else { entry.store },
            settings: entry.settings,
        };
        let mfa_key = match settings.mfa_key {
            Some(variable) if store == StoreChoice::Settings => {
                let key = MfaKey::from_base64(MFA_KEY_VERSION, variable.read()?.expose_secret());
                Some(key.map_err(|error| InvalidOptions::MfaKey(format!("{}: {error}", variable.variable())))?)
            }
            _ => None,
        };
        Ok(Plan {
            namespaces: settings.namespaces.into_iter().map(source).collect(),
            base_url: settings.reset_page.or(default_base),
            mfa_key,
        })
    }
}

/// Settings from an object with the keys of a settings file. A namespace without `store` is in memory.
fn from_object(mut object: serde_json::Value) -> Result<Settings, InvalidOptions> {
    let namespaces = object.get_mut("namespace").and_then(serde_json::Value::as_object_mut);
    for namespace in namespaces.into_iter().flat_map(|namespaces| namespaces.values_mut()) {
        if let Some(namespace) = namespace.as_object_mut().filter(|namespace| !namespace.contains_key("store")) {
            namespace.insert("store".to_owned(), "memory".into());
        }
    }
    // One reader for both forms, with the same rules and texts.
    let text = toml::to_string(&object)?;
    Settings::parse(&text, Path::new(OBJECT)).map_err(InvalidOptions::Object)
}

//! The options that say where users live.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use tailor_idp::idp::{Idp, Lang, NameKind, NamespaceName, NamespaceSettings, Permission};
use tailor_idp::store::SqliteDatabase;

use super::{WrongUse, output};

/// The namespace that the platform's documents use.
const DEFAULT_NAMESPACE: &str = "builtin-idp";

/// The settings of the namespaces.
#[derive(Args)]
#[command(next_help_heading = "Namespace settings")]
pub(super) struct SettingsArgs {
    /// Take any text as a name, rather than e-mail addresses only
    #[arg(long, global = true)]
    use_non_email_identifier: bool,

    /// Let users have MFA factors
    #[arg(long, global = true)]
    enable_mfa: bool,

    /// The language of mails and pages
    #[arg(long, value_name = "LANG", value_parser = ["en", "ja"], default_value = "en", global = true)]
    lang: String,
}

impl SettingsArgs {
    fn settings(&self) -> NamespaceSettings {
        let name_kind = if self.use_non_email_identifier { NameKind::Any } else { NameKind::Email };
        let settings = NamespaceSettings::default().permission(Permission::allow_all());
        let lang = if self.lang == Lang::Ja.tag() { Lang::Ja } else { Lang::En };
        settings.lang(lang).name_kind(name_kind).enable_mfa(self.enable_mfa)
    }

    /// An identity provider with these namespaces of the database.
    async fn idp(&self, database: &SqliteDatabase, names: &[NamespaceName]) -> anyhow::Result<Idp> {
        let mut idp = Idp::builder();
        for name in names {
            let store = database.namespace(name).await.with_context(|| format!("namespace {name}"))?;
            idp = idp.namespace(name.clone(), Arc::new(store), self.settings());
        }
        Ok(idp.build())
    }
}

/// Where the users of a script live.
#[derive(Args)]
pub(super) struct ScriptStoreArgs {
    /// The SQLite database with the users; made where it is not there [default: in memory, thrown away at the end]
    #[arg(long, value_name = "PATH")]
    db: Option<PathBuf>,

    /// A namespace that the script can use; can be given several times
    #[arg(long, value_name = "NAME", default_value = DEFAULT_NAMESPACE)]
    namespace: Vec<NamespaceName>,

    #[command(flatten)]
    settings: SettingsArgs,
}

impl ScriptStoreArgs {
    pub(super) async fn open(&self) -> anyhow::Result<Idp> {
        let database = match &self.db {
            Some(path) => open(path)?,
            None => {
                output::note("note", "users live in memory and are gone at the end; --db PATH keeps them");
                SqliteDatabase::in_memory()?
            }
        };
        self.settings.idp(&database, &self.namespace).await
    }
}

/// A database, and all of its namespaces or some.
#[derive(Args)]
pub(super) struct DatabaseArgs {
    /// The SQLite database with the users
    #[arg(long, value_name = "PATH", global = true)]
    db: Option<PathBuf>,

    /// Only this namespace; can be given several times [default: all that the database has]
    #[arg(long, value_name = "NAME", global = true)]
    namespace: Vec<NamespaceName>,

    #[command(flatten)]
    settings: SettingsArgs,
}

impl DatabaseArgs {
    /// Opens the database, which has to be there with its namespaces.
    pub(super) async fn open(&self) -> anyhow::Result<Idp> {
        let path = self.db.as_deref().ok_or_else(|| WrongUse("--db PATH is missing: which database?".to_owned()))?;
        if !path.exists() {
            return Err(WrongUse(format!("there is no database at {}", path.display())).into());
        }
        let database = open(path)?;
        let there = database.namespaces()?;
        if let Some(missing) = self.namespace.iter().find(|name| !there.iter().any(|there| there == name.as_str())) {
            let there = if there.is_empty() { "none yet".to_owned() } else { there.join(", ") };
            return Err(WrongUse(format!("there is no namespace {missing} in the database: it has {there}")).into());
        }
        let names = match self.namespace.as_slice() {
            [] => there.iter().map(|name| NamespaceName::new(name)).collect::<Result<Vec<_>, _>>()?,
            some => some.to_vec(),
        };
        self.settings.idp(&database, &names).await
    }
}

/// One namespace of a database that is looked into.
#[derive(Args)]
pub(super) struct NamespaceArgs {
    /// The SQLite database with the users
    #[arg(long, value_name = "PATH", global = true)]
    db: Option<PathBuf>,

    /// The namespace
    #[arg(long, value_name = "NAME", default_value = DEFAULT_NAMESPACE, global = true)]
    pub(super) namespace: NamespaceName,

    #[command(flatten)]
    settings: SettingsArgs,
}

impl NamespaceArgs {
    /// Opens the database. Makes neither it nor the namespace unless `make` says so: a look into a store that is not
    /// there is a mistake.
    pub(super) async fn open(&self, make: bool) -> anyhow::Result<Idp> {
        let path = self.db.as_deref().ok_or_else(|| WrongUse("--db PATH is missing: which database?".to_owned()))?;
        if !make && !path.exists() {
            return Err(WrongUse(format!("there is no database at {}", path.display())).into());
        }
        let database = open(path)?;
        if !make {
            let there = database.namespaces()?;
            if !there.iter().any(|name| name == self.namespace.as_str()) {
                let there = if there.is_empty() { "none yet".to_owned() } else { there.join(", ") };
                return Err(WrongUse(format!(
                    "there is no namespace {} in the database: it has {there}",
                    self.namespace
                ))
                .into());
            }
        }
        self.settings.idp(&database, std::slice::from_ref(&self.namespace)).await
    }
}

fn open(path: &Path) -> anyhow::Result<SqliteDatabase> {
    SqliteDatabase::open(path).with_context(|| path.display().to_string())
}

//! Which settings hold, where users live, and the identity provider that comes of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use secrecy::ExposeSecret;
use tailor_idp::function::FetchSettings;
use tailor_idp::idp::{Idp, IdpBuilder, MfaKey, NamespaceName, NamespaceSettings, Permission};
use tailor_idp::settings::{FILE_NAME, FunctionLimits, SecretVariable, Settings, StoreLocation};
use tailor_idp::store::SqliteDatabase;

use super::enrollment::KEY_VERSION;
use super::stand_ins::{ChangeFlags, StandIns};
use super::{WrongUse, output};

/// The namespace that the platform's documents use.
const DEFAULT_NAMESPACE: &str = "builtin-idp";

/// The settings of the namespaces: a file, or the flags that stand in for one where there is none.
#[derive(Args)]
#[command(next_help_heading = "Namespace settings")]
pub(super) struct SettingsArgs<S: StandIns> {
    /// The settings file [default: the nearest tailor-idp.toml, upwards]
    #[arg(long, value_name = "PATH", global = true, conflicts_with = "no_config")]
    config: Option<PathBuf>,

    /// Take no settings file, wherever one is
    #[arg(long, global = true)]
    no_config: bool,

    #[command(flatten)]
    stand_ins: S,
}

/// A settings file that was read, and where it is.
pub(super) struct SettingsFile {
    pub(super) path: PathBuf,
    pub(super) settings: Settings,
}

impl SettingsFile {
    pub(super) fn load(path: PathBuf) -> anyhow::Result<Self> {
        let settings = Settings::load(&path)?;
        Ok(Self { path, settings })
    }

    /// The names of its namespaces.
    fn names(&self) -> String {
        self.settings.namespaces.keys().map(NamespaceName::as_str).collect::<Vec<_>>().join(", ")
    }

    /// The nearest file in `folder` or above it, named as it is seen from here.
    pub(super) fn find(folder: &Path) -> Option<PathBuf> {
        let path = Settings::find(folder)?;
        let here = std::env::current_dir().ok();
        let near = here.and_then(|here| path.strip_prefix(here).ok().map(Path::to_owned));
        Some(near.unwrap_or(path))
    }
}

impl<S: StandIns> SettingsArgs<S> {
    /// The file that holds: the one that was named, else the nearest from `folder` upwards, if there is one.
    pub(super) fn file(&self, folder: &Path) -> anyhow::Result<Option<SettingsFile>> {
        let path = if self.config.is_some() || self.no_config { self.path(folder) } else { SettingsFile::find(folder) };
        let Some(path) = path else { return Ok(None) };
        if let Some((flag, key)) = self.stand_ins.given() {
            let text = format!("{flag} is for runs without settings: set {key} in {}", path.display());
            return Err(WrongUse(format!("{text}, or ignore the file with --no-config")).into());
        }
        if self.config.is_some()
            && let Err(error) = std::fs::File::open(&path)
        {
            return Err(WrongUse(format!("cannot read --config {}: {error}", path.display())).into());
        }
        SettingsFile::load(path).map(Some)
    }

    /// Where the file is that holds, or where it would be looked for first.
    fn path(&self, folder: &Path) -> Option<PathBuf> {
        match &self.config {
            Some(path) => Some(path.clone()),
            None if self.no_config => None,
            None => Some(SettingsFile::find(folder).unwrap_or_else(|| folder.join(FILE_NAME))),
        }
    }

    /// What a namespace without a settings file allows: everything, for local work.
    fn open_settings(&self) -> NamespaceSettings {
        self.stand_ins.apply(NamespaceSettings::default().permission(Permission::allow_all()))
    }
}

/// A namespace that is about to be opened.
pub(super) struct Opening {
    name: NamespaceName,
    store: StoreLocation,
    settings: NamespaceSettings,
}

/// The namespaces that a command is about: those that were named, else all of the file, else the default one. `database`
/// takes the place of every store.
pub(super) fn openings(
    file: Option<&SettingsFile>,
    named: &[NamespaceName],
    database: Option<&Path>,
    args: &SettingsArgs<impl StandIns>,
) -> anyhow::Result<Vec<Opening>> {
    let instead = database.map(|path| StoreLocation::Sqlite(path.to_owned()));
    let Some(file) = file else {
        let default = [NamespaceName::new(DEFAULT_NAMESPACE)?];
        let named = if named.is_empty() { &default } else { named };
        let store = instead.unwrap_or(StoreLocation::Memory);
        let opening =
            |name: &NamespaceName| Opening { name: name.clone(), store: store.clone(), settings: args.open_settings() };
        return Ok(named.iter().map(opening).collect());
    };
    let SettingsFile { path, settings } = file;
    if let Some(name) = named.iter().find(|name| !settings.namespaces.contains_key(name.as_str())) {
        let text = format!("there is no namespace {name} in {}: it has {}", path.display(), file.names());
        return Err(WrongUse(format!("{text}; --no-config ignores the file")).into());
    }
    let wanted = settings.namespaces.iter().filter(|(name, _)| named.is_empty() || named.contains(name));
    let opening = |(name, entry): (&NamespaceName, &tailor_idp::settings::NamespaceEntry)| Opening {
        name: name.clone(),
        store: instead.clone().unwrap_or_else(|| entry.store.clone()),
        settings: entry.settings.clone(),
    };
    Ok(wanted.map(opening).collect())
}

/// An identity provider with these namespaces. Opens each database once.
pub(super) async fn open_idp(openings: Vec<Opening>, mfa_key: Option<MfaKey>) -> anyhow::Result<Idp> {
    let mut databases = BTreeMap::new();
    let mut idp = mfa_key.into_iter().fold(Idp::builder(), IdpBuilder::mfa_key);
    for Opening { name, store, settings } in openings {
        let database = match databases.get(&store) {
            Some(database) => database,
            None => {
                let database = match &store {
                    StoreLocation::Sqlite(path) => {
                        SqliteDatabase::open(path).with_context(|| path.display().to_string())?
                    }
                    StoreLocation::Memory => SqliteDatabase::in_memory()?,
                    other => anyhow::bail!("namespace {name}: this program cannot open the store {other:?}"),
                };
                databases.entry(store).or_insert(database)
            }
        };
        let store = database.namespace(&name).await.with_context(|| format!("namespace {name}"))?;
        idp = idp.namespace(name, Arc::new(store), settings);
    }
    Ok(idp.build())
}

/// Where the users of a script live.
#[derive(Args)]
pub(super) struct ScriptStoreArgs {
    /// The SQLite database with the users, in place of the settings' stores; made where it is not there [default without
    /// settings: in memory, thrown away at the end]
    #[arg(long, value_name = "PATH")]
    db: Option<PathBuf>,

    /// A namespace that the script can use; can be given several times [default: all of the settings file; without one,
    /// builtin-idp]
    #[arg(long, value_name = "NAME")]
    namespace: Vec<NamespaceName>,

    #[command(flatten)]
    settings: SettingsArgs<ChangeFlags>,
}

impl ScriptStoreArgs {
    /// The settings file that a run of the script takes, or would take if it were there.
    pub(super) fn settings_file(&self, script: &Path) -> Option<PathBuf> {
        self.settings.path(script.parent().unwrap_or(Path::new("")))
    }

    /// The identity provider of a script, what the script may use, and what it may fetch. The settings file is looked for from
    /// the script's folder upwards.
    pub(super) async fn open(&self, script: &Path) -> anyhow::Result<(Idp, FunctionLimits, FetchSettings)> {
        let file = self.settings.file(script.parent().unwrap_or(Path::new("")))?;
        let openings = openings(file.as_ref(), &self.namespace, self.db.as_deref(), &self.settings)?;
        let names = openings.iter().map(|opening| opening.name.to_string()).collect::<Vec<_>>();
        let idp = open_idp(openings, None).await?;
        if file.is_none() {
            if self.db.is_none() {
                output::note("note", "users live in memory and are gone at the end; --db PATH keeps them");
            }
            let (word, is) = if names.len() == 1 { ("namespace", "is") } else { ("namespaces", "are") };
            let names = names.join(", ");
            output::note("note", &format!("without settings, {word} {names} {is} open to every script (allow-all)"));
        }
        let (limits, fetch) = file.map(|file| (file.settings.function, file.settings.fetch)).unwrap_or_default();
        Ok((idp, limits, fetch))
    }
}

/// What becomes of a namespace that the settings declare, and that is not in its database yet.
#[derive(Clone, Copy)]
pub(super) enum Absent {
    Made,
    LeftOut,
}

/// A database, and all of its namespaces or some.
#[derive(Args)]
pub(super) struct DatabaseArgs<S: StandIns> {
    /// The SQLite database with the users, in place of the settings' stores
    #[arg(long, value_name = "PATH", global = true)]
    db: Option<PathBuf>,

    /// Only this namespace; can be given several times [default: all that the settings or the database have]
    #[arg(long, value_name = "NAME", global = true)]
    namespace: Vec<NamespaceName>,

    #[command(flatten)]
    settings: SettingsArgs<S>,
}

impl<S: StandIns> DatabaseArgs<S> {
    /// Opens the databases. Without a settings file they have to be there with their namespaces. Returns the file as well.
    pub(super) async fn open(&self, absent: Absent) -> anyhow::Result<(Idp, Option<SettingsFile>)> {
        let file = self.settings.file(Path::new(""))?;
        let names = match (&file, &self.db) {
            (None, None) => return Err(which_database().into()),
            (None, Some(path)) if self.namespace.is_empty() => {
                let there = namespaces_of(path)?;
                there.iter().map(|name| NamespaceName::new(name)).collect::<Result<Vec<_>, _>>()?
            }
            _ => self.namespace.clone(),
        };
        self.db.as_deref().map_or(Ok(()), database_is_there)?;
        let openings = openings(file.as_ref(), &names, self.db.as_deref(), &self.settings)?;
        let mut kept = Vec::new();
        for opening in in_databases(openings, &self.namespace)? {
            if (file.is_some() && matches!(absent, Absent::Made)) || self.is_there(&opening, file.is_some())? {
                kept.push(opening);
            } else {
                output::note("note", &format!("namespace {} is left out: it is not there yet", opening.name));
            }
        }
        Ok((open_idp(kept, None).await?, file))
    }

    /// Whether a namespace is in its database. One that was named must be; so must a database.
    fn is_there(&self, Opening { name, store, .. }: &Opening, declared: bool) -> anyhow::Result<bool> {
        let StoreLocation::Sqlite(path) = store else { return Ok(true) };
        if !declared || self.namespace.contains(name) {
            return check_there(path, name).map(|()| true);
        }
        let not_made_yet = self.db.is_none() && !path.exists();
        Ok(!not_made_yet && namespaces_of(path)?.iter().any(|there| there == name.as_str()))
    }
}

/// One namespace of a database that is looked into.
#[derive(Args)]
pub(super) struct NamespaceArgs<S: StandIns> {
    /// The SQLite database with the users, in place of the settings' store
    #[arg(long, value_name = "PATH", global = true)]
    db: Option<PathBuf>,

    /// The namespace [default: the settings file's, if it has but one, else builtin-idp]
    #[arg(long, value_name = "NAME", global = true)]
    namespace: Option<NamespaceName>,

    #[command(flatten)]
    settings: SettingsArgs<S>,
}

impl<S: StandIns> NamespaceArgs<S> {
    /// Opens the database, and says which namespace it is about. Makes neither it nor the namespace unless `make` says so: a
    /// look into a store that is not there is a mistake.
    pub(super) async fn open(&self, make: bool, mfa_key: Option<MfaKey>) -> anyhow::Result<(NamespaceName, Idp)> {
        self.open_with(self.file()?.as_ref(), make, mfa_key).await
    }

    async fn open_with(
        &self,
        file: Option<&SettingsFile>,
        make: bool,
        mfa_key: Option<MfaKey>,
    ) -> anyhow::Result<(NamespaceName, Idp)> {
        let name = self.name(file)?;
        let openings = openings(file, std::slice::from_ref(&name), self.db.as_deref(), &self.settings)?;
        for opening in &openings {
            let StoreLocation::Sqlite(path) = &opening.store else {
                return Err(if file.is_some() { lives_in_memory(&name) } else { which_database() }.into());
            };
            if !make {
                check_there(path, &name)?;
            }
        }
        Ok((name, open_idp(openings, mfa_key).await?))
    }

    /// Opens what has events to deliver: the namespace that was named, else all that the settings publish, which are made
    /// where they are not there yet.
    pub(super) async fn open_publishing(
        &self,
        file: Option<&SettingsFile>,
    ) -> anyhow::Result<(Vec<NamespaceName>, Idp)> {
        let all = file.iter().flat_map(|file| &file.settings.namespaces);
        let publishing = all.filter(|(_, entry)| entry.settings.publish_user_events);
        let publishing = publishing.map(|(name, _)| name.clone()).collect::<Vec<_>>();
        if let Some(file) = file.filter(|_| self.namespace.is_none() && publishing.is_empty()) {
            let text = format!("no namespace of {} publishes events: set publishUserEvents there", file.path.display());
            return Err(WrongUse(format!("{text}, or say with --namespace whose events are delivered")).into());
        }
        if self.namespace.is_some() || file.is_none() {
            let (name, idp) = self.open_with(file, false, None).await?;
            return Ok((vec![name], idp));
        }
        self.db.as_deref().map_or(Ok(()), database_is_there)?;
        let openings = openings(file, &publishing, self.db.as_deref(), &self.settings)?;
        let openings = in_databases(openings, &[])?;
        let names = openings.iter().map(|opening| opening.name.clone()).collect();
        Ok((names, open_idp(openings, None).await?))
    }

    /// The permission of the namespace, as the settings have it.
    pub(super) fn permission(&self) -> anyhow::Result<Permission> {
        let Some(file) = self.file()? else {
            let text = format!("there is no {FILE_NAME}: --permission FILE names a permission");
            return Err(WrongUse(text).into());
        };
        let name = self.name(Some(&file))?;
        let entry = file.settings.namespaces.get(name.as_str());
        let missing = || WrongUse(format!("there is no namespace {name} in {}", file.path.display()));
        Ok(entry.ok_or_else(missing)?.settings.permission.clone())
    }

    /// The settings file that holds, if there is one.
    pub(super) fn file(&self) -> anyhow::Result<Option<SettingsFile>> {
        self.settings.file(Path::new(""))
    }

    /// The key of MFA secrets that the settings name.
    pub(super) fn mfa_key(&self) -> anyhow::Result<Option<MfaKey>> {
        self.file()?.and_then(|file| file.settings.mfa_key).map(|variable| read_mfa_key(&variable)).transpose()
    }

    fn name(&self, file: Option<&SettingsFile>) -> anyhow::Result<NamespaceName> {
        if let Some(name) = &self.namespace {
            return Ok(name.clone());
        }
        let mut names = file.iter().flat_map(|file| file.settings.namespaces.keys());
        match (names.next(), names.next()) {
            (Some(only), None) => Ok(only.clone()),
            _ => match file.filter(|file| !file.settings.namespaces.contains_key(DEFAULT_NAMESPACE)) {
                Some(file) => {
                    Err(WrongUse(format!("--namespace NAME is missing: {} has {}", file.path.display(), file.names()))
                        .into())
                }
                None => Ok(NamespaceName::new(DEFAULT_NAMESPACE)?),
            },
        }
    }
}

/// Without the namespaces in memory, which this program cannot see; a mistake if there are no others, or one was named.
fn in_databases(openings: Vec<Opening>, named: &[NamespaceName]) -> Result<Vec<Opening>, WrongUse> {
    let (kept, in_memory): (Vec<_>, Vec<_>) =
        openings.into_iter().partition(|opening| matches!(opening.store, StoreLocation::Sqlite(_)));
    for Opening { name, .. } in in_memory {
        if kept.is_empty() || named.contains(&name) {
            return Err(lives_in_memory(&name));
        }
        output::note("note", &format!("namespace {name} is left out: its users live in memory"));
    }
    Ok(kept)
}

fn lives_in_memory(name: &NamespaceName) -> WrongUse {
    WrongUse(format!("the users of namespace {name} live in memory: --db PATH names a database"))
}

/// The key that the variable holds, in base64.
pub(super) fn read_mfa_key(variable: &SecretVariable) -> anyhow::Result<MfaKey> {
    let text = variable.read()?;
    MfaKey::from_base64(KEY_VERSION, text.expose_secret())
        .with_context(|| format!("{} ({})", variable.variable(), variable.key()))
}

fn which_database() -> WrongUse {
    WrongUse(format!("--db PATH is missing, and there is no {FILE_NAME}: which database?"))
}

fn database_is_there(path: &Path) -> Result<(), WrongUse> {
    if path.exists() { Ok(()) } else { Err(WrongUse(format!("there is no database at {}", path.display()))) }
}

/// The namespaces of a database that has to be there.
fn namespaces_of(path: &Path) -> anyhow::Result<Vec<String>> {
    database_is_there(path)?;
    let database = SqliteDatabase::open(path).with_context(|| path.display().to_string())?;
    Ok(database.namespaces()?)
}

fn check_there(path: &Path, name: &NamespaceName) -> anyhow::Result<()> {
    let there = namespaces_of(path)?;
    if !there.iter().any(|there| there == name.as_str()) {
        let there = if there.is_empty() { "none yet".to_owned() } else { there.join(", ") };
        return Err(WrongUse(format!("there is no namespace {name} in the database: it has {there}")).into());
    }
    Ok(())
}

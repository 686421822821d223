//! Opens the stores of the namespaces that a command works on.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use tailor_idp::function::FetchSettings;
use tailor_idp::idp::store::{PostgresDatabase, SqliteDatabase};
use tailor_idp::idp::{MfaKey, NameKind, NamespaceName, NamespaceSettings, Permission, Router, RouterBuilder};
use tailor_idp::settings::{
    DEFAULT_NAMESPACE, FILE_NAME, FunctionLimits, NamespaceEntry, PostgresEntry, StoreLocation,
};

use super::error::UsageError;
use super::overrides::{ChangeFlags, SettingsOverrides};
use super::settings::{SettingsArgs, SettingsFile};
use super::{files, mfa_key, output};

/// The beginning of every SQLite database, by its file format.
const SQLITE_HEADER: &[u8] = b"SQLite format 3\0";

/// A namespace that is to be opened.
struct NamespaceSource {
    name: NamespaceName,
    store: StoreLocation,
    settings: NamespaceSettings,
}

/// Selects the namespaces of a command: the named ones, else all of the file, else the default one. `database` replaces the
/// store of each.
fn select_namespaces(
    file: Option<&SettingsFile>,
    named: &[NamespaceName],
    database: Option<&Path>,
    args: &SettingsArgs<impl SettingsOverrides>,
) -> anyhow::Result<Vec<NamespaceSource>> {
    let database = database.map(|path| StoreLocation::Sqlite(path.to_owned()));
    let Some(file) = file else {
        let default = [NamespaceName::new(DEFAULT_NAMESPACE)?];
        let named = if named.is_empty() { &default } else { named };
        let store = database.unwrap_or(StoreLocation::Memory);
        let source = |name: &NamespaceName| {
            let (name, store) = (name.clone(), store.clone());
            NamespaceSource { name, store, settings: args.without_file() }
        };
        return Ok(named.iter().map(source).collect());
    };
    let SettingsFile { path, settings } = file;
    if let Some(name) = named.iter().find(|name| !settings.namespaces.contains_key(name.as_str())) {
        let text = format!("there is no namespace {name} in {}: it has {}", path.display(), file.names());
        return Err(UsageError(format!("{text}; --no-config ignores the file")).into());
    }
    let selected = settings.namespaces.iter().filter(|(name, _)| named.is_empty() || named.contains(name));
    let source = |(name, entry): (&NamespaceName, &NamespaceEntry)| NamespaceSource {
        name: name.clone(),
        store: database.clone().unwrap_or_else(|| entry.store.clone()),
        settings: entry.settings.clone(),
    };
    Ok(selected.map(source).collect())
}

/// Opens an identity provider with these namespaces. Opens each database once.
async fn open_idp(sources: Vec<NamespaceSource>, mfa_key: Option<MfaKey>) -> anyhow::Result<Router> {
    let mut databases: BTreeMap<Option<PathBuf>, SqliteDatabase> = BTreeMap::new();
    let mut servers = PostgresServers::default();
    let mut idp = mfa_key.into_iter().fold(Router::builder(), RouterBuilder::mfa_key);
    for NamespaceSource { name, store, settings } in sources {
        let path = match store {
            StoreLocation::Memory => None,
            StoreLocation::Sqlite(path) => Some(path),
            StoreLocation::Postgres(entry) => {
                let database = servers.open(&entry).await.with_context(|| format!("namespace {name}"))?;
                let store = database.namespace(&name).await.with_context(|| format!("namespace {name}"))?;
                idp = idp.namespace(name, Arc::new(store), settings);
                continue;
            }
            StoreLocation::Remote(remote) => {
                let directory = remote.open().with_context(|| format!("namespace {name}"))?;
                idp = idp.directory(name, directory, settings);
                continue;
            }
        };
        let database = match databases.entry(path) {
            Entry::Occupied(open) => open.into_mut(),
            Entry::Vacant(new) => {
                let database = match new.key() {
                    Some(path) => open_database(path)?,
                    None => SqliteDatabase::in_memory()?,
                };
                new.insert(database)
            }
        };
        let store = database.namespace(&name).await.with_context(|| format!("namespace {name}"))?;
        idp = idp.namespace(name, Arc::new(store), settings);
    }
    Ok(idp.build())
}

/// Opens a namespace of a settings file. `None` if its database, or the namespace in it, is not there yet: nothing is created.
pub(super) async fn open_existing(name: &NamespaceName, entry: &NamespaceEntry) -> anyhow::Result<Option<Router>> {
    if let StoreLocation::Sqlite(path) = &entry.store
        && !has_namespace(path, name)?
    {
        return Ok(None);
    }
    if let StoreLocation::Postgres(entry) = &entry.store {
        let names = PostgresDatabase::open(entry.options()?).await?.namespaces().await?;
        if !names.iter().any(|found| found == name.as_str()) {
            return Ok(None);
        }
    }
    let (name, store, settings) = (name.clone(), entry.store.clone(), entry.settings.clone());
    Ok(Some(open_idp(vec![NamespaceSource { name, store, settings }], None).await?))
}

/// The PostgreSQL databases of a command. Namespaces of one database share its connections.
#[derive(Default)]
struct PostgresServers(Vec<(PostgresEntry, PostgresDatabase)>);

impl PostgresServers {
    async fn open(&mut self, entry: &PostgresEntry) -> anyhow::Result<PostgresDatabase> {
        if let Some((_, database)) = self.0.iter().find(|(other, _)| other.is_same_database(entry)) {
            return Ok(database.clone());
        }
        let database = PostgresDatabase::open(entry.options()?).await?;
        self.0.push((entry.clone(), database.clone()));
        Ok(database)
    }
}

/// The stores that a script uses.
#[derive(Args)]
pub(super) struct ScriptStoreArgs {
    /// The SQLite database with the users, instead of the stores of the settings; created if it does not exist [default
    /// without settings: in memory, gone at the end]
    #[arg(long, value_name = "PATH")]
    db: Option<PathBuf>,

    /// A namespace that the script can use; can be given several times [default: all of the settings; without
    /// settings, builtin-idp]
    #[arg(long, value_name = "NAME")]
    namespace: Vec<NamespaceName>,

    #[command(flatten)]
    settings: SettingsArgs<ChangeFlags>,
}

impl ScriptStoreArgs {
    /// Path of the settings file that applies to a run of the script, whether or not it exists.
    pub(super) fn settings_file(&self, script: &Path) -> Option<PathBuf> {
        self.settings.path(script.parent().unwrap_or(Path::new("")))
    }

    /// Opens the identity provider of a script, and returns its limits and fetch settings. The settings file is searched from
    /// the script's folder upwards.
    pub(super) async fn open(&self, script: &Path) -> anyhow::Result<(Router, FunctionLimits, FetchSettings)> {
        let file = self.settings.file(script.parent().unwrap_or(Path::new("")))?;
        let sources = select_namespaces(file.as_ref(), &self.namespace, self.db.as_deref(), &self.settings)?;
        let names = sources.iter().map(|source| source.name.to_string()).collect::<Vec<_>>();
        let idp = open_idp(sources, None).await?;
        if file.is_none() {
            if self.db.is_none() {
                output::note("note", "users live in memory and are gone at the end; --db PATH keeps them");
            }
            let (word, is) = if names.len() == 1 { ("namespace", "is") } else { ("namespaces", "are") };
            let names = names.join(", ");
            output::note("note", &format!("without settings, {word} {names} {is} open to every script (allow-all)"));
        }
        let (limits, fetch) =
            file.map(|file| (file.settings.function, (&file.settings.fetch).into())).unwrap_or_default();
        Ok((idp, limits, fetch))
    }
}

/// What to do with a namespace that the settings declare and its database does not have yet.
#[derive(Clone, Copy)]
pub(super) enum MissingNamespace {
    Create,
    Skip,
}

/// A database with all or some of its namespaces.
#[derive(Args)]
pub(super) struct DatabaseArgs<S: SettingsOverrides> {
    /// The SQLite database with the users, instead of the stores of the settings
    #[arg(long, value_name = "PATH", global = true)]
    db: Option<PathBuf>,

    /// Only this namespace; can be given several times [default: all that the settings or the database have]
    #[arg(long, value_name = "NAME", global = true)]
    namespace: Vec<NamespaceName>,

    #[command(flatten)]
    settings: SettingsArgs<S>,
}

impl<S: SettingsOverrides> DatabaseArgs<S> {
    /// Opens the databases, and returns the settings file as well. Without a settings file, databases and namespaces must
    /// exist.
    pub(super) async fn open(&self, missing: MissingNamespace) -> anyhow::Result<(Router, Option<SettingsFile>)> {
        let file = self.settings.file(Path::new(""))?;
        let names = match (&file, &self.db) {
            (None, None) => return Err(no_database_given().into()),
            (None, Some(path)) if self.namespace.is_empty() => {
                let names = namespaces_of(path)?;
                names.iter().map(|name| NamespaceName::new(name)).collect::<Result<Vec<_>, _>>()?
            }
            _ => self.namespace.clone(),
        };
        self.db.as_deref().map_or(Ok(()), require_database)?;
        let sources = select_namespaces(file.as_ref(), &names, self.db.as_deref(), &self.settings)?;
        let mut selected = Vec::new();
        for source in require_databases(sources, &self.namespace)? {
            let create = file.is_some() && matches!(missing, MissingNamespace::Create);
            if create || self.exists(&source, file.is_some())? {
                selected.push(source);
            } else {
                output::note("note", &format!("namespace {} is left out: it is not there yet", source.name));
            }
        }
        Ok((open_idp(selected, None).await?, file))
    }

    /// Whether a namespace is in its database. It is an error if it is not and was named on the command line or comes from no
    /// settings file.
    fn exists(&self, NamespaceSource { name, store, .. }: &NamespaceSource, declared: bool) -> anyhow::Result<bool> {
        let StoreLocation::Sqlite(path) = store else { return Ok(true) };
        if !declared || self.namespace.contains(name) {
            return require_namespace(path, name).map(|()| true);
        }
        let not_created_yet = self.db.is_none() && !path.exists();
        Ok(!not_created_yet && namespaces_of(path)?.iter().any(|found| found == name.as_str()))
    }
}

/// One namespace of an existing database.
#[derive(Args)]
pub(super) struct NamespaceArgs<S: SettingsOverrides> {
    /// The SQLite database with the users, instead of the store of the settings
    #[arg(long, value_name = "PATH", global = true)]
    db: Option<PathBuf>,

    /// The namespace [default, unless the command says otherwise: that of the settings if they have only one, else builtin-idp]
    #[arg(long, value_name = "NAME", global = true)]
    namespace: Option<NamespaceName>,

    #[command(flatten)]
    settings: SettingsArgs<S>,
}

impl<S: SettingsOverrides> NamespaceArgs<S> {
    /// Opens the namespace, and returns its name as well. Database and namespace must exist unless `create` is set: a query
    /// of a store that does not exist is most likely a mistyped path.
    pub(super) async fn open(&self, create: bool, mfa_key: Option<MfaKey>) -> anyhow::Result<(NamespaceName, Router)> {
        self.open_with(self.file()?.as_ref(), create, mfa_key).await
    }

    async fn open_with(
        &self,
        file: Option<&SettingsFile>,
        create: bool,
        mfa_key: Option<MfaKey>,
    ) -> anyhow::Result<(NamespaceName, Router)> {
        let name = self.name(file)?;
        let sources = select_namespaces(file, std::slice::from_ref(&name), self.db.as_deref(), &self.settings)?;
        for source in &sources {
            match &source.store {
                StoreLocation::Sqlite(_) if create => {}
                StoreLocation::Sqlite(path) => require_namespace(path, &name)?,
                StoreLocation::Postgres(_) | StoreLocation::Remote(_) => {}
                _ => {
                    return Err(
                        if file.is_some() { no_database(&name, &source.store) } else { no_database_given() }.into()
                    );
                }
            }
        }
        Ok((name, open_idp(sources, mfa_key).await?))
    }

    /// Opens the two namespaces of a copy. The first must exist. The second is created with `create`, and else is empty if it
    /// does not exist.
    pub(super) async fn open_pair(
        &self,
        from: &NamespaceName,
        to: &NamespaceName,
        create: bool,
    ) -> anyhow::Result<Router> {
        let wrong = |text: &str| Err(UsageError(text.to_owned()).into());
        let file = self.file()?;
        match (&file, &self.db) {
            _ if self.namespace.is_some() => {
                return wrong("--from and --to name the namespaces: leave out --namespace");
            }
            _ if from == to => return wrong("--from and --to are the same namespace: users are copied to another one"),
            (Some(file), Some(_)) => {
                let text = "--db replaces the stores of both namespaces: name the database in";
                return wrong(&format!("{text} {}, or ignore the file with --no-config", file.path.display()));
            }
            (None, None) => return Err(no_database_given().into()),
            _ => {}
        }
        let names = [from.clone(), to.clone()];
        let mut sources = select_namespaces(file.as_ref(), &names, self.db.as_deref(), &self.settings)?;
        for source in &mut sources {
            match &source.store {
                StoreLocation::Memory => return Err(no_database(&source.name, &source.store).into()),
                StoreLocation::Sqlite(path) if source.name == *from => require_namespace(path, from)?,
                StoreLocation::Sqlite(path) if !create && !has_namespace(path, to)? => {
                    source.store = StoreLocation::Memory;
                }
                _ => {}
            }
        }
        open_idp(sources, None).await
    }

    /// Opens the namespaces whose events are to be delivered: the named one, else all that publish events by the settings.
    /// Creates the latter if they do not exist yet.
    pub(super) async fn open_publishing(
        &self,
        file: Option<&SettingsFile>,
    ) -> anyhow::Result<(Vec<NamespaceName>, Router)> {
        let all = file.iter().flat_map(|file| &file.settings.namespaces);
        let publishing = all.filter(|(_, entry)| entry.settings.publish_user_events);
        let publishing = publishing.map(|(name, _)| name.clone()).collect::<Vec<_>>();
        if let Some(file) = file.filter(|_| self.namespace.is_none() && publishing.is_empty()) {
            let text = format!("no namespace of {} publishes events: set publishUserEvents there", file.path.display());
            return Err(UsageError(format!("{text}, or say with --namespace whose events are delivered")).into());
        }
        if self.namespace.is_some() || file.is_none() {
            let (name, idp) = self.open_with(file, false, None).await?;
            return Ok((vec![name], idp));
        }
        self.db.as_deref().map_or(Ok(()), require_database)?;
        let sources = select_namespaces(file, &publishing, self.db.as_deref(), &self.settings)?;
        let sources = require_databases(sources, &[])?;
        let names = sources.iter().map(|source| source.name.clone()).collect();
        Ok((names, open_idp(sources, None).await?))
    }

    /// The permission of the namespace in the settings.
    pub(super) fn permission(&self) -> anyhow::Result<Permission> {
        let Some(file) = self.file()? else {
            let text = format!("there is no {FILE_NAME}: --permission FILE names a permission");
            return Err(UsageError(text).into());
        };
        Ok(self.entry(&file)?.settings.permission.clone())
    }

    /// The kind of names of the namespace, if there is a settings file.
    pub(super) fn name_kind(&self) -> anyhow::Result<Option<NameKind>> {
        let Some(file) = self.file()? else { return Ok(None) };
        let mut kinds = file.settings.namespaces.values().map(|entry| entry.settings.user_auth_policy.name_kind());
        // No matter which namespace it is.
        if self.namespace.is_none()
            && let Some(kind) = kinds.next().filter(|kind| kinds.all(|other| other == *kind))
        {
            return Ok(Some(kind));
        }
        Ok(Some(self.entry(&file)?.settings.user_auth_policy.name_kind()))
    }

    fn entry<'a>(&self, file: &'a SettingsFile) -> anyhow::Result<&'a NamespaceEntry> {
        let name = self.name(Some(file))?;
        let missing = || UsageError(format!("there is no namespace {name} in {}", file.path.display()));
        Ok(file.settings.namespaces.get(name.as_str()).ok_or_else(missing)?)
    }

    /// The settings file that applies, if there is one.
    pub(super) fn file(&self) -> anyhow::Result<Option<SettingsFile>> {
        self.settings.file(Path::new(""))
    }

    /// The MFA key that the settings refer to, if any.
    pub(super) fn mfa_key(&self) -> anyhow::Result<Option<MfaKey>> {
        let variable = self.file()?.and_then(|file| file.settings.mfa_key);
        variable.as_ref().map(mfa_key::from_variable).transpose()
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
                    let text = format!("--namespace NAME is missing: {} has {}", file.path.display(), file.names());
                    Err(UsageError(text).into())
                }
                None => Ok(NamespaceName::new(DEFAULT_NAMESPACE)?),
            },
        }
    }
}

/// Drops the namespaces without a database: those in memory belong to other processes. It is an error if none is left or one was
/// named.
fn require_databases(
    sources: Vec<NamespaceSource>,
    named: &[NamespaceName],
) -> Result<Vec<NamespaceSource>, UsageError> {
    let (selected, others): (Vec<_>, Vec<_>) = sources
        .into_iter()
        .partition(|source| matches!(source.store, StoreLocation::Sqlite(_) | StoreLocation::Postgres(_)));
    for NamespaceSource { name, store, .. } in others {
        if selected.is_empty() || named.contains(&name) {
            return Err(no_database(&name, &store));
        }
        output::note("note", &format!("namespace {name} is left out: its users {}", whereabouts(&store)));
    }
    Ok(selected)
}

/// The error for a namespace without a database.
fn no_database(name: &NamespaceName, store: &StoreLocation) -> UsageError {
    let hint = match store {
        StoreLocation::Remote(_) => "its mails and events are that service's",
        _ => "--db PATH names a database",
    };
    UsageError(format!("the users of namespace {name} {}: {hint}", whereabouts(store)))
}

/// Where users are who are in no database.
fn whereabouts(store: &StoreLocation) -> String {
    match store {
        StoreLocation::Remote(remote) => format!("are at another service ({remote})"),
        _ => "live in memory".to_owned(),
    }
}

fn no_database_given() -> UsageError {
    UsageError(format!("--db PATH is missing, and there is no {FILE_NAME}: which database?"))
}

fn require_database(path: &Path) -> Result<(), UsageError> {
    if path.exists() {
        return Ok(());
    }
    let creators = "`users create`, `users import` and `run` create one";
    Err(UsageError(format!("there is no database at {}: {creators}", path.display())))
}

/// The names of the namespaces of a database, which must exist.
fn namespaces_of(path: &Path) -> anyhow::Result<Vec<String>> {
    require_database(path)?;
    Ok(open_database(path)?.namespaces()?)
}

/// Opens a database. It is wrong usage if the path cannot be that of one.
fn open_database(path: &Path) -> anyhow::Result<SqliteDatabase> {
    SqliteDatabase::open(path).map_err(|error| {
        let error = anyhow::Error::from(error).context(path.display().to_string());
        if can_be_database(path) { error } else { UsageError(format!("{error:#}")).into() }
    })
}

/// Whether this is a readable file that begins as a database does, or a new file can be in its folder.
fn can_be_database(path: &Path) -> bool {
    let mut beginning = Vec::new();
    let read = files::open(path).and_then(|file| file.take(SQLITE_HEADER.len() as u64).read_to_end(&mut beginning));
    match read {
        Ok(_) => SQLITE_HEADER.starts_with(&beginning),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            folder.unwrap_or(Path::new(".")).is_dir()
        }
        Err(_) => false,
    }
}

/// Whether a namespace is in a database, which need not exist.
fn has_namespace(path: &Path, name: &NamespaceName) -> anyhow::Result<bool> {
    Ok(path.exists() && namespaces_of(path)?.iter().any(|found| found == name.as_str()))
}

fn require_namespace(path: &Path, name: &NamespaceName) -> anyhow::Result<()> {
    let names = namespaces_of(path)?;
    if !names.iter().any(|found| found == name.as_str()) {
        let names = if names.is_empty() { "none yet".to_owned() } else { names.join(", ") };
        return Err(UsageError(format!("there is no namespace {name} in the database: it has {names}")).into());
    }
    Ok(())
}

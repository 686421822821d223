//! Which settings apply to a command: those of a file, or defaults with overrides by flags.

use std::path::{Path, PathBuf};

use clap::Args;
use tailor_idp::idp::{NamespaceName, NamespaceSettings, Permission};
use tailor_idp::settings::{FILE_NAME, Settings};

use super::error::UsageError;
use super::files;
use super::overrides::SettingsOverrides;

/// The settings of the namespaces: a file, or defaults with overrides.
#[derive(Args)]
#[command(next_help_heading = "Namespace settings")]
pub(super) struct SettingsArgs<S: SettingsOverrides> {
    /// The settings file [default: the nearest tailor-idp.toml, from here upwards]
    #[arg(long, value_name = "PATH", global = true, conflicts_with = "no_config")]
    config: Option<PathBuf>,

    /// Ignore settings files
    #[arg(long, global = true)]
    no_config: bool,

    #[command(flatten)]
    overrides: S,
}

/// A settings file that was read, with its path.
pub(super) struct SettingsFile {
    pub(super) path: PathBuf,
    pub(super) settings: Settings,
}

impl SettingsFile {
    pub(super) fn load(path: PathBuf) -> anyhow::Result<Self> {
        let settings = Settings::load(&path)?;
        Ok(Self { path, settings })
    }

    /// Loads a file that was named on the command line, by a flag of this name: it is wrong usage if it cannot be read.
    pub(super) fn load_named(flag: &str, path: PathBuf) -> anyhow::Result<Self> {
        if let Err(error) = files::open(&path) {
            return Err(UsageError(format!("cannot read {flag}{}: {error}", path.display())).into());
        }
        Self::load(path)
    }

    /// The names of its namespaces, separated by commas.
    pub(super) fn names(&self) -> String {
        self.settings.namespaces.keys().map(NamespaceName::as_str).collect::<Vec<_>>().join(", ")
    }

    /// Finds the nearest file in `folder` or one of its ancestors. The path is relative to the working directory where
    /// possible.
    pub(super) fn find(folder: &Path) -> Option<PathBuf> {
        let path = Settings::find(folder)?;
        let current = std::env::current_dir().ok();
        let relative = current.and_then(|current| path.strip_prefix(current).ok().map(Path::to_owned));
        Some(relative.unwrap_or(path))
    }
}

impl<S: SettingsOverrides> SettingsArgs<S> {
    /// Loads the file that applies: the one given, else the nearest in `folder` or one of its ancestors.
    pub(super) fn file(&self, folder: &Path) -> anyhow::Result<Option<SettingsFile>> {
        let path = match &self.config {
            Some(path) => Some(path.clone()),
            None if self.no_config => None,
            None => SettingsFile::find(folder),
        };
        let Some(path) = path else { return Ok(None) };
        if let Some((flag, key)) = self.overrides.given() {
            let text = format!("{flag} is for runs without settings: set {key} in {}", path.display());
            return Err(UsageError(format!("{text}, or ignore the file with --no-config")).into());
        }
        match &self.config {
            Some(_) => SettingsFile::load_named("--config ", path).map(Some),
            None => SettingsFile::load(path).map(Some),
        }
    }

    /// Path of the file that applies, or the first path that is searched for it. `None` with `--no-config`.
    pub(super) fn path(&self, folder: &Path) -> Option<PathBuf> {
        match &self.config {
            Some(path) => Some(path.clone()),
            None if self.no_config => None,
            None => Some(SettingsFile::find(folder).unwrap_or_else(|| folder.join(FILE_NAME))),
        }
    }

    /// Settings of a namespace without a settings file: everything is permitted, for local work.
    pub(super) fn without_file(&self) -> NamespaceSettings {
        self.overrides.apply(NamespaceSettings::default().permission(Permission::allow_all()))
    }
}

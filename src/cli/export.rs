//! `tailor-idp users export`: writes the users of a namespace to a file that `users import` reads.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufWriter, ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use indicatif::ProgressBar;
use serde::Serialize;
use serde_json::json;
use tailor_idp::idp::local::StoredPassword;
use tailor_idp::idp::{CallContext, IdentityProvider, ListUsers, Router};
use tailor_idp::terminal::escape_json;
use tempfile::NamedTempFile;

use super::error::{Interrupted, UsageError};
use super::user_pages::{Patience, Stopped, StoredUser, UserPages};
use super::{output, progress, signal};

/// Write all users to a file that `users import` reads
///
/// The file has one JSON object per line, in the order of creation: {"name": "ana@example.com", "disabled": true, "createdAt":
/// "2025-02-14T07:16:31.000Z"}. Ids and MFA factors are not exported. Password hashes are, from a database, with --hashes:
/// keep such a file as secret as the database. Services give out no hashes.
///
/// A file is written under a temporary name, and renamed when it is complete. Its owner alone can read it.
#[derive(Args)]
#[command(after_help = "\
Examples:
  tailor-idp users export users.jsonl --db users.db
  tailor-idp users export --db users.db --hashes | gzip > users.jsonl.gz
  tailor-idp users export staff.jsonl --namespace staff --force

Exit codes: 0 all users are exported; 1 the database or the service failed, and there is no new file; 2 wrong use;
130 interrupted.")]
pub(super) struct Export {
    /// The file; - is stdout
    #[arg(default_value = "-")]
    file: PathBuf,

    /// Include password hashes
    #[arg(long)]
    hashes: bool,

    /// Replace the file if there is one
    #[arg(long)]
    force: bool,
}

/// A line of the file, as an import reads it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_hash: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    disabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<String>,
}

/// What was exported.
#[derive(Default)]
struct Tally {
    users: u64,
    hashes: u64,
    /// The number of users with a password that the file does not contain.
    malformed: u64,
    /// The number of users with MFA factors, which the file does not contain.
    with_factors: u64,
}

impl Export {
    pub(super) async fn execute(self, idp: &Router, host: &CallContext, json: bool) -> anyhow::Result<()> {
        let is_local = idp.local(host.namespace.as_str()).is_ok();
        if self.hashes && !is_local {
            let backend = idp.directory(host.namespace.as_str())?.capabilities().backend();
            let text =
                format!("--hashes: {backend} holds the users of namespace {} and gives out no hashes", host.namespace);
            return Err(UsageError(text).into());
        }
        let stop = signal::stopped()?;
        let mut target = Target::open(&self.file, self.force)?;
        let total = if is_local { Some(count(idp, host).await?) } else { None };
        let shows_users = target.is_terminal();
        let bar = if shows_users { ProgressBar::hidden() } else { progress::bar(total, "exporting") };
        let mut patience = Patience::new(stop, bar.clone());
        let written = self.write(UserPages::new(idp, host), &mut target, &mut patience, &bar).await;
        bar.finish_and_clear();
        match written {
            Ok(tally) => {
                let to_stdout = target.finish().with_context(|| self.file.display().to_string())?;
                tally.print(json, to_stdout)
            }
            // Whoever read the lines wants no more of them.
            Err(error) if is_closed_pipe(&error) => Ok(()),
            Err(error) => match error.downcast::<Stopped>() {
                Ok(Stopped::Interrupted) => {
                    output::note("interrupted", "no file was written");
                    Err(Interrupted.into())
                }
                Ok(Stopped::Failed(error)) => Err(anyhow::Error::from(error).context("not all users could be read")),
                Err(error) => Err(error.context(self.file.display().to_string())),
            },
        }
    }

    async fn write(
        &self,
        mut pages: UserPages<'_>,
        target: &mut Target,
        patience: &mut Patience,
        bar: &ProgressBar,
    ) -> anyhow::Result<Tally> {
        let mut tally = Tally::default();
        while let Some(users) = pages.next(self.hashes, patience).await? {
            for user in &users {
                target.write(&tally.line(user))?;
            }
            bar.inc(users.len() as u64);
        }
        Ok(tally)
    }
}

/// The number of users, for the progress bar.
async fn count(idp: &Router, host: &CallContext) -> anyhow::Result<u64> {
    Ok(idp.users(host, ListUsers { first: Some(1), ..ListUsers::default() }).await?.total_count)
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

impl Tally {
    /// Counts a user, and returns the line.
    fn line<'a>(&mut self, user: &'a StoredUser) -> Line<'a> {
        let StoredUser { record, password, has_password: _ } = user;
        let password_hash = match password {
            Some(StoredPassword::Hash(hash)) => Some(hash.as_str()),
            Some(StoredPassword::None | StoredPassword::Malformed) | None => None,
        };
        self.users += 1;
        self.hashes += u64::from(password_hash.is_some());
        self.malformed += u64::from(password == &Some(StoredPassword::Malformed));
        self.with_factors += u64::from(!record.mfa_factor_ids.is_empty());
        let created_at = record.created_at.map(|time| time.to_string());
        Line { name: &record.name, password_hash, disabled: record.disabled, created_at }
    }

    fn print(self, json: bool, to_stdout: bool) -> anyhow::Result<()> {
        let Self { users, hashes, malformed, with_factors } = self;
        let notes = [
            (malformed, "whose password hash is malformed: they are exported without one"),
            (with_factors, "with MFA factors, which are not exported"),
        ];
        for (count, what) in notes.into_iter().filter(|(count, _)| *count > 0) {
            output::note("note", &format!("{} {what}", counted(count)));
        }
        let text = format!("exported {}, {hashes} with a password hash", counted(users));
        match (to_stdout, json) {
            // Stdout has the users.
            (true, _) => output::print_error(&text),
            (false, true) => output::print_json(&json!({ "exported": users, "hashes": hashes }))?,
            (false, false) => output::print(&text)?,
        }
        Ok(())
    }
}

fn counted(users: u64) -> String {
    format!("{users} {}", if users == 1 { "user" } else { "users" })
}

/// Where the lines go.
enum Target {
    Stdout {
        escapes: bool,
        stream: BufWriter<std::io::Stdout>,
    },
    /// A file under a temporary name in the same folder, and the name that it gets.
    File {
        file: BufWriter<NamedTempFile>,
        path: PathBuf,
        replaces: bool,
    },
    /// A pipe or a device.
    Stream(BufWriter<File>),
}

impl Target {
    fn open(path: &Path, force: bool) -> anyhow::Result<Self> {
        if path == Path::new("-") {
            let stream = std::io::stdout();
            return Ok(Self::Stdout { escapes: stream.is_terminal(), stream: BufWriter::new(stream) });
        }
        let unusable = |error: std::io::Error| UsageError(format!("cannot write {}: {error}", path.display()));
        // The file that a link leads to is replaced, not the link.
        let path = match path.canonicalize() {
            Ok(existing) => {
                let kind = existing.metadata().map_err(unusable)?;
                if kind.is_dir() {
                    return Err(unusable(ErrorKind::IsADirectory.into()).into());
                }
                if !kind.is_file() {
                    return Ok(Self::Stream(BufWriter::new(File::create(&existing).map_err(unusable)?)));
                }
                if !force {
                    return Err(UsageError(format!("there is a file {}: --force replaces it", path.display())).into());
                }
                existing
            }
            Err(_) => path.to_owned(),
        };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = tempfile::Builder::new().prefix(".users-").suffix(".tmp").tempfile_in(folder).map_err(unusable)?;
        Ok(Self::File { file: BufWriter::new(file), path, replaces: force })
    }

    fn is_terminal(&self) -> bool {
        matches!(self, Self::Stdout { escapes: true, .. })
    }

    fn write(&mut self, line: &Line<'_>) -> anyhow::Result<()> {
        let text = serde_json::to_string(line)?;
        let (stream, text): (&mut dyn Write, _) = match self {
            Self::Stdout { escapes: true, stream } => (stream, escape_json(&text)),
            Self::Stdout { escapes: false, stream } => (stream, Cow::Borrowed(&*text)),
            Self::File { file, .. } => (file, Cow::Borrowed(&*text)),
            Self::Stream(stream) => (stream, Cow::Borrowed(&*text)),
        };
        Ok(writeln!(stream, "{text}")?)
    }

    /// Gives the file its name. Returns whether the lines went to stdout.
    fn finish(self) -> anyhow::Result<bool> {
        match self {
            Self::Stdout { mut stream, .. } => match stream.flush() {
                Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
                _ => Ok(true),
            },
            Self::File { file, path, replaces } => {
                let file = file.into_inner().map_err(|error| error.into_error())?;
                file.as_file().sync_all()?;
                if replaces { file.persist(&path) } else { file.persist_noclobber(&path) }
                    .map_err(|error| error.error)?;
                Ok(false)
            }
            Self::Stream(mut stream) => {
                stream.flush()?;
                Ok(false)
            }
        }
    }
}

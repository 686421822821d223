//! `tailor-idp db`: the PostgreSQL databases of the settings.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use comfy_table::CellAlignment;
use indicatif::{HumanBytes, HumanDuration};
use serde_json::json;
use tailor_idp::idp::store::{PostgresDatabase, PostgresOptions, PostgresStatus};
use tailor_idp::settings::{FILE_NAME, PostgresEntry, StoreLocation};

use super::error::UsageError;
use super::output;
use super::settings::SettingsFile;

/// Migrate the PostgreSQL databases of the settings, or show their state
///
/// Databases without tables are set up by every command that opens them. Those of an earlier
/// version are refused until `db migrate`: programs of that version may be using them.
#[derive(Args)]
#[command(after_help = "\
Examples:
  tailor-idp db migrate
  tailor-idp db status --json")]
pub(super) struct Db {
    #[command(subcommand)]
    command: DbCommand,

    /// The settings file [default: the nearest tailor-idp.toml, from here upwards]
    #[arg(long, value_name = "PATH", global = true)]
    config: Option<PathBuf>,
}

#[derive(Subcommand)]
enum DbCommand {
    /// Bring the tables to the version of this program, or create them
    ///
    /// Needs a user who may create tables in the schema, or the schema itself.
    Migrate,
    /// Show versions, size, number of users, jobs that wait, and how far replicas are behind
    ///
    /// How far replicas are behind is known to roles that are members of pg_monitor.
    Status {
        /// Print JSON rather than a table
        #[arg(long)]
        json: bool,
    },
}

impl Db {
    pub(super) async fn execute(self) -> anyhow::Result<()> {
        for options in self.databases()? {
            let (address, schema) = (options.address(), options.schema_name().to_owned());
            match &self.command {
                DbCommand::Migrate => {
                    let (database, before) = PostgresDatabase::migrate(options).await?;
                    let version = database.status().await?.schema_version;
                    output::print(&match before {
                        0 => format!("{address}, schema {schema}: created, version {version}"),
                        before if before == version => format!("{address}, schema {schema}: is at version {version}"),
                        before => format!("{address}, schema {schema}: migrated from version {before} to {version}"),
                    })?;
                }
                DbCommand::Status { json } => {
                    let status = PostgresDatabase::open(options).await?.status().await?;
                    let text =
                        if *json { as_json(&address, &schema, &status) } else { as_text(&address, &schema, &status) };
                    output::print(&text)?;
                }
            }
        }
        Ok(())
    }

    /// The options of each database of the settings, once.
    fn databases(&self) -> anyhow::Result<Vec<PostgresOptions>> {
        let missing = || UsageError(format!("there is no {FILE_NAME} here or above: --config PATH names one"));
        let file = match &self.config {
            Some(path) => SettingsFile::load_named("--config ", path.clone())?,
            None => SettingsFile::load(SettingsFile::find(Path::new("")).ok_or_else(missing)?)?,
        };
        let mut seen: Vec<&PostgresEntry> = Vec::new();
        let mut databases = Vec::new();
        for namespace in file.settings.namespaces.values() {
            let StoreLocation::Postgres(entry) = &namespace.store else { continue };
            let is_same =
                |other: &&PostgresEntry| other.url.variable() == entry.url.variable() && other.schema == entry.schema;
            if !seen.iter().any(is_same) {
                databases.push(entry.options()?);
                seen.push(entry);
            }
        }
        if databases.is_empty() {
            let text = "no namespace has a store = { postgres = { url_env = \"DATABASE_URL\" } }";
            return Err(UsageError(format!("{}: {text}", file.path.display())).into());
        }
        Ok(databases)
    }
}

fn as_text(address: &str, schema: &str, status: &PostgresStatus) -> String {
    let PostgresStatus { schema_version, server_version, bytes, namespaces, replicas, read_replica, .. } = status;
    let mut text = format!(
        "{address}, schema {schema}: version {schema_version}, {}, PostgreSQL {server_version}",
        HumanBytes(*bytes)
    );
    for replica in replicas {
        let kind = if replica.is_synchronous { "synchronous replica" } else { "replica" };
        let behind = replica.bytes_behind.map_or("unknown lag".to_owned(), lag);
        text.push_str(&format!("\n{kind} {}: {behind}", replica.name));
    }
    if let Some(replica) = read_replica {
        let state = match &replica.bytes_behind {
            Ok(bytes) => lag(*bytes),
            Err(reason) => format!("not used: {reason}"),
        };
        text.push_str(&format!("\nlistings are read from {}: {state}", replica.address));
    }
    if namespaces.is_empty() {
        return text + "\nno namespace yet";
    }
    let mut table = output::table();
    table.set_header(["namespace", "users", "jobs", "oldest job"]);
    for namespace in namespaces {
        let oldest = namespace.oldest_job.map(|age| HumanDuration(age).to_string()).unwrap_or_default();
        table.add_row([namespace.name.clone(), namespace.users.to_string(), namespace.jobs.to_string(), oldest]);
    }
    for column in [1, 2] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    text.push('\n');
    text.push_str(&table.trim_fmt());
    text
}

fn lag(bytes: u64) -> String {
    if bytes == 0 { "up to date".to_owned() } else { format!("{} behind", HumanBytes(bytes)) }
}

fn as_json(address: &str, schema: &str, status: &PostgresStatus) -> String {
    let namespaces = status.namespaces.iter().map(|namespace| {
        json!({
            "name": namespace.name,
            "users": namespace.users,
            "jobs": namespace.jobs,
            "oldestJobSeconds": namespace.oldest_job.map(|age| age.as_secs()),
        })
    });
    let replicas = status.replicas.iter().map(|replica| {
        json!({
            "name": replica.name,
            "synchronous": replica.is_synchronous,
            "bytesBehind": replica.bytes_behind,
        })
    });
    json!({
        "address": address,
        "schema": schema,
        "schemaVersion": status.schema_version,
        "serverVersion": status.server_version,
        "bytes": status.bytes,
        "namespaces": namespaces.collect::<Vec<_>>(),
        "replicas": replicas.collect::<Vec<_>>(),
        "readReplica": status.read_replica.as_ref().map(|replica| json!({
            "address": replica.address,
            "bytesBehind": replica.bytes_behind.as_ref().ok(),
            "error": replica.bytes_behind.as_ref().err(),
        })),
    })
    .to_string()
}

//! `store = { postgres = { … } }`.

use std::fmt;

use secrecy::ExposeSecret;

use super::reader::Section;
use super::secret::{MissingSecret, SecretVariable};
use tailor_idp_core::store::{InvalidPostgres, PostgresOptions};

/// Checks the other keys of a table before its URL is known.
const ANY_URL: &str = "postgres://localhost/";

/// Users in a PostgreSQL database.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PostgresEntry {
    /// The URL of the server, with the password.
    pub url: SecretVariable,
    /// The schema with the tables, if not the default one.
    pub schema: Option<String>,
    /// The maximum number of connections of the program, if not the default one.
    pub max_connections: Option<usize>,
    /// The URL of a replica for listings.
    pub read_url: Option<SecretVariable>,
}

/// The error of [`PostgresEntry::options`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostgresError {
    /// The environment variable of the URL is not set.
    #[error(transparent)]
    Secret(#[from] MissingSecret),
    /// The URL is invalid.
    #[error("{variable} ({key}): {source}")]
    Invalid {
        /// The environment variable.
        variable: String,
        /// The key that names it.
        key: String,
        /// The reason.
        #[source]
        source: InvalidPostgres,
    },
}

impl PostgresEntry {
    /// The options of the database, with the URL read from the environment. Does not connect.
    ///
    /// # Errors
    ///
    /// [`PostgresError`].
    pub fn options(&self) -> Result<PostgresOptions, PostgresError> {
        let invalid = |secret: &SecretVariable, source| PostgresError::Invalid {
            variable: secret.variable().to_owned(),
            key: secret.key().to_owned(),
            source,
        };
        let url = self.url.read()?;
        let options = self.options_at(url.expose_secret()).map_err(|source| invalid(&self.url, source))?;
        let Some(secret) = &self.read_url else { return Ok(options) };
        let read_url = secret.read()?;
        options.read_url(read_url.expose_secret()).map_err(|source| invalid(secret, source))
    }

    /// Whether two entries are of the same database, with the same options: of a variable, the key differs from namespace to
    /// namespace.
    pub fn is_same_database(&self, other: &Self) -> bool {
        let key = |entry: &Self| {
            let read_url = entry.read_url.as_ref().map(|secret| secret.variable().to_owned());
            (entry.url.variable().to_owned(), entry.schema.clone(), entry.max_connections, read_url)
        };
        key(self) == key(other)
    }

    fn options_at(&self, url: &str) -> Result<PostgresOptions, InvalidPostgres> {
        let mut options = PostgresOptions::new(url)?;
        if let Some(schema) = &self.schema {
            options = options.schema(schema)?;
        }
        if let Some(count) = self.max_connections {
            options = options.max_connections(count)?;
        }
        Ok(options)
    }
}

impl fmt::Display for PostgresEntry {
    /// Names the variable with the URL, not the URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgreSQL at the URL in {}", self.url.variable())?;
        self.schema.as_ref().map_or(Ok(()), |schema| write!(f, ", schema {schema}"))
    }
}

/// Reads the table. Returns `None` only if a fault was recorded.
pub(super) fn read(section: Section<'_, '_>) -> Option<PostgresEntry> {
    let url = section.secret("url_env", "url", "DATABASE_URL");
    if !section.has("url_env") && !section.has("url") {
        section.fault("url_env", "is missing: the environment variable with the URL, such as \"DATABASE_URL\"");
    }
    let schema = section.string("schema");
    let read_url = section.secret("read_url_env", "read_url", "REPLICA_URL");
    let max_connections = section.integer("max_connections");
    let mut valid = true;
    if let Some(Err(fault)) =
        schema.as_ref().map(|schema| PostgresOptions::new(ANY_URL).and_then(|options| options.schema(schema)))
    {
        let text = fault.to_string();
        section.fault("schema", text.strip_prefix("the schema ").unwrap_or(&text));
        valid = false;
    }
    let max_connections = max_connections.map(|count| usize::try_from(count).ok().filter(|count| *count > 0));
    if max_connections == Some(None) {
        section.fault("max_connections", "must be at least 1");
        valid = false;
    }
    valid &= read_url.is_some() || !section.has("read_url_env");
    section.finish();
    let entry = PostgresEntry { url: url?, schema, max_connections: max_connections.flatten(), read_url };
    valid.then_some(entry)
}

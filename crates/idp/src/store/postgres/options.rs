//! Where the server is, and how to connect to it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use crate::model::Clock;

/// The default name of the schema. The SQL of this store names it, and it is replaced if the options name another one.
pub(super) const DEFAULT_SCHEMA: &str = "tailor_idp";

/// The default number of connections: a server takes 100 by default, which is enough for six programs.
const DEFAULT_CONNECTIONS: usize = 16;

/// The maximum length of a name in PostgreSQL, in bytes.
const MAX_NAME_BYTES: usize = 63;

/// How long an attempt to connect to all hosts may take. Below the time of all attempts of a call.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);

/// How long sent data may stay unacknowledged, before the connection counts as lost. Below the time of all attempts of a call.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(4);

/// After how long without data to ask the network whether the server is still there. For a statement that takes long, since its
/// reply is waited for much longer.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(5);

/// The interval of asking again.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(2);

/// Options of a [`PostgresDatabase`](super::PostgresDatabase).
#[derive(Clone)]
pub struct PostgresOptions {
    pub(super) config: Config,
    pub(super) tls: Option<Arc<ClientConfig>>,
    pub(super) schema: String,
    pub(super) max_connections: usize,
    /// Whether a pooler may give each transaction another server process.
    pub(super) is_pooled: bool,
    /// The replica for listings.
    read: Option<Arc<PostgresOptions>>,
    pub(super) clock: Option<Arc<dyn Clock>>,
}

/// Invalid options. Contains no password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPostgres {
    /// The URL cannot be parsed.
    #[error("the URL of the PostgreSQL server is malformed: {0}")]
    Url(String),
    /// The name of the schema is malformed.
    #[error(
        "the schema must be 1 to {MAX_NAME_BYTES} lower-case letters, digits and underscores, and not begin with a digit or pg_: got {0:?}"
    )]
    Schema(String),
    /// The number of connections is zero.
    #[error("max_connections must be at least 1")]
    NoConnections,
    /// The certificates cannot be read.
    #[error("cannot read the certificates in {path}: {reason}", path = path.display())]
    Certificates {
        /// The path of the file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
}

impl PostgresOptions {
    /// Options for the server with this URL, such as `postgres://user:password@host:5432/database`.
    ///
    /// The URL may name several hosts; the first that accepts writes is used. A host can be the folder of a Unix socket, as
    /// `postgres:///database?host=/run/postgresql`. Of the parameters of libpq, the URL takes those of tokio-postgres, and
    ///
    /// - `sslmode`: `verify-full`, or `disable`, which is the default for Unix sockets and loopback addresses. `require` is
    ///   taken for `verify-full`;
    /// - `sslrootcert`: a PEM file with the certificate authorities to trust, instead of Mozilla's;
    /// - `pgbouncer=true`: behind PgBouncer in transaction mode. Prepared statements are not used, and the program is not told of
    ///   the commits of others.
    ///
    /// # Errors
    ///
    /// [`InvalidPostgres`] if the URL is malformed, or the certificates cannot be read.
    pub fn new(url: &str) -> Result<Self, InvalidPostgres> {
        let url = url.trim();
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            let text = "it must begin with postgres:// or postgresql://";
            return Err(InvalidPostgres::Url(text.to_owned()));
        }
        let (address, query) = url.split_once('?').unwrap_or((url, ""));
        let mut own = OwnParameters::default();
        let mut rest = Vec::new();
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            if !own.take(parameter)? {
                rest.push(parameter);
            }
        }
        let query = if rest.is_empty() { String::new() } else { format!("?{}", rest.join("&")) };
        let malformed = |error: tokio_postgres::Error| InvalidPostgres::Url(super::error::with_sources(&error));
        let mut config: Config = format!("{address}{query}").parse().map_err(malformed)?;
        let is_encrypted = own.encrypted.unwrap_or_else(|| config.get_hosts().iter().any(|host| !is_local(host)));
        let tls = if is_encrypted { Some(tls_config(own.root_certificates.as_deref())?) } else { None };
        config.ssl_mode(if is_encrypted { SslMode::Require } else { SslMode::Disable });
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        if config.get_connect_timeout().is_none() {
            // Each host has a part of the time, so that the last one is reached within it.
            let hosts = u32::try_from(config.get_hosts().len()).unwrap_or(1).max(1);
            config.connect_timeout(CONNECT_TIMEOUT / hosts);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(TCP_USER_TIMEOUT);
        }
        config.keepalives_idle(KEEPALIVE_AFTER);
        config.keepalives_interval(KEEPALIVE_EVERY);
        if config.get_application_name().is_none() {
            config.application_name("tailor-idp");
        }
        Ok(Self {
            config,
            tls,
            schema: DEFAULT_SCHEMA.to_owned(),
            max_connections: DEFAULT_CONNECTIONS,
            is_pooled: own.pgbouncer,
            read: None,
            clock: None,
        })
    }

    /// Sets the schema with the tables [default: `tailor_idp`].
    ///
    /// # Errors
    ///
    /// [`InvalidPostgres::Schema`] if the name is malformed.
    pub fn schema(mut self, name: &str) -> Result<Self, InvalidPostgres> {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let starts = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_') && !name.starts_with("pg_");
        if !starts || name.len() > MAX_NAME_BYTES || !name.chars().all(is_plain) {
            return Err(InvalidPostgres::Schema(name.to_owned()));
        }
        name.clone_into(&mut self.schema);
        Ok(self)
    }

    /// Sets the maximum number of connections of this program [default: 16].
    ///
    /// # Errors
    ///
    /// [`InvalidPostgres::NoConnections`] if it is zero.
    pub fn max_connections(mut self, count: usize) -> Result<Self, InvalidPostgres> {
        if count == 0 {
            return Err(InvalidPostgres::NoConnections);
        }
        self.max_connections = count;
        Ok(self)
    }

    /// Sets the URL of a replica, or of several, for listings [default: none]. It is of the form of that of [`new`](Self::new).
    ///
    /// A replica is asked if it has caught up with the last write of this program, and with those of others but for the last second;
    /// else the primary is asked. Everything but [`Store::list`](crate::store::Store::list) is read from the primary.
    ///
    /// # Errors
    ///
    /// As of [`new`](Self::new).
    pub fn read_url(mut self, url: &str) -> Result<Self, InvalidPostgres> {
        let mut options = Self::new(url)?;
        options.config.target_session_attrs(TargetSessionAttrs::Any);
        self.read = Some(Arc::new(options));
        Ok(self)
    }

    /// The options of the replica for listings.
    pub(super) fn replica(&self) -> Option<Self> {
        let replica = self.read.as_deref()?.clone();
        Some(Self { schema: self.schema.clone(), max_connections: self.max_connections, ..replica })
    }

    /// Sets the clock for all times that the stores assign or compare [default: the server's].
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// The schema with the tables.
    pub fn schema_name(&self) -> &str {
        &self.schema
    }

    /// The hosts, ports and database, for messages. Contains no password.
    pub fn address(&self) -> String {
        let ports = self.config.get_ports();
        let hosts = self.config.get_hosts().iter().enumerate().map(|(index, host)| {
            let port = ports.get(index).or_else(|| ports.first()).copied().unwrap_or(5432);
            match host {
                Host::Tcp(name) => format!("{name}:{port}"),
                #[cfg(unix)]
                Host::Unix(folder) => format!("{}:{port}", folder.display()),
            }
        });
        let hosts = hosts.collect::<Vec<_>>().join(",");
        format!("{hosts}/{}", self.config.get_dbname().or(self.config.get_user()).unwrap_or_default())
    }
}

// Implemented by hand, to leave out the password.
impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresOptions")
            .field("address", &self.address())
            .field("schema", &self.schema)
            .field("max_connections", &self.max_connections)
            .finish_non_exhaustive()
    }
}

/// The parameters of the URL that the driver does not know.
#[derive(Default)]
struct OwnParameters {
    encrypted: Option<bool>,
    root_certificates: Option<PathBuf>,
    pgbouncer: bool,
}

impl OwnParameters {
    /// Takes a parameter. `false` if it is the driver's.
    fn take(&mut self, parameter: &str) -> Result<bool, InvalidPostgres> {
        let Some((key, value)) = url::form_urlencoded::parse(parameter.as_bytes()).next() else { return Ok(false) };
        match &*key {
            "sslmode" => {
                self.encrypted = Some(match &*value {
                    "verify-full" | "require" => true,
                    "disable" => false,
                    other => {
                        let text = format!("sslmode must be verify-full, require or disable: got {other:?}");
                        return Err(InvalidPostgres::Url(text));
                    }
                });
            }
            "sslrootcert" => self.root_certificates = Some(PathBuf::from(&*value)),
            "pgbouncer" => {
                self.pgbouncer = match &*value {
                    "true" => true,
                    "false" => false,
                    other => {
                        let text = format!("pgbouncer must be true or false: got {other:?}");
                        return Err(InvalidPostgres::Url(text));
                    }
                };
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Whether no network is between the program and the host.
fn is_local(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

/// TLS that verifies the server's certificate and name.
fn tls_config(root_certificates: Option<&Path>) -> Result<Arc<ClientConfig>, InvalidPostgres> {
    let mut roots = RootCertStore::empty();
    match root_certificates {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(path) => {
            let failed = |reason: String| InvalidPostgres::Certificates { path: path.to_owned(), reason };
            for certificate in CertificateDer::pem_file_iter(path).map_err(|error| failed(error.to_string()))? {
                let certificate = certificate.map_err(|error| failed(error.to_string()))?;
                roots.add(certificate).map_err(|error| failed(error.to_string()))?;
            }
            if roots.is_empty() {
                return Err(failed("it has none".to_owned()));
            }
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| InvalidPostgres::Url(error.to_string()))?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn connections_are_encrypted_unless_the_server_is_on_this_machine() {
        let is_encrypted = |url: &str| PostgresOptions::new(url).unwrap().tls.is_some();
        for local in ["postgres://u@localhost/d", "postgres://u@127.0.0.1:1/d", "postgres:///d?host=/run/postgresql"] {
            assert!(!is_encrypted(local), "{local}");
        }
        for remote in
            ["postgres://u@db.example.com/d", "postgres://u@localhost,db.example.com/d", "postgresql://u@10.0.0.1/d"]
        {
            assert!(is_encrypted(remote), "{remote}");
        }
        assert!(is_encrypted("postgres://u@localhost/d?sslmode=verify-full"));
        assert!(!is_encrypted("postgres://u@db.example.com/d?sslmode=disable"));
    }

    #[test]
    fn malformed_urls_are_refused_without_showing_the_password() {
        for url in
            ["mysql://u:secret@h/d", "postgres://u:secret@h/d?sslmode=prefer", "postgres://u:secret@h:port/d", "secret"]
        {
            let error = PostgresOptions::new(url).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
        let debug = format!("{:?}", PostgresOptions::new("postgres://u:secret@h:1,i:2/d").unwrap());
        assert!(debug.contains("h:1,i:2/d") && !debug.contains("secret"), "{debug}");
    }

    #[test]
    fn schema_must_need_no_quotes() {
        let options = || PostgresOptions::new("postgres://u@localhost/d").unwrap();
        assert_eq!(options().schema("idp_2").unwrap().schema, "idp_2");
        for name in ["", "2idp", "Idp", "idp;", "pg_idp", "idp.x", &"x".repeat(64)] {
            assert_eq!(options().schema(name).unwrap_err(), InvalidPostgres::Schema(name.to_owned()));
        }
    }
}

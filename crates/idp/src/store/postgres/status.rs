//! The state of a database, for operators.

use std::time::Duration;

use tokio_postgres::types::Type;

use super::error::{Failure, STATEMENT_TIMEOUT};
use super::text::unescape;
use super::transaction::Scope;
use super::{NO_NAMESPACE, PostgresDatabase, PostgresOptions, schema};
use crate::model::Timestamp;
use crate::store::StoreError;

/// The state of a [`PostgresDatabase`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PostgresStatus {
    /// The version of the schema.
    pub schema_version: i64,
    /// The version of the server, such as `15.14`.
    pub server_version: String,
    /// The size of all tables and indexes, in bytes.
    pub bytes: u64,
    /// The namespaces, by name.
    pub namespaces: Vec<NamespaceStatus>,
}

/// The state of one namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NamespaceStatus {
    /// The name.
    pub name: String,
    /// The number of users.
    pub users: u64,
    /// The number of mails and events that wait to be delivered, without events that no consumer has taken up.
    pub jobs: u64,
    /// How long the oldest of them has waited, if there is one.
    pub oldest_job: Option<Duration>,
}

impl PostgresDatabase {
    /// The state of the database.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the server is away.
    pub async fn status(&self) -> Result<PostgresStatus, StoreError> {
        self.0.connections.read(NO_NAMESPACE, STATEMENT_TIMEOUT, |scope| Box::pin(read(scope))).await
    }

    /// The options of the database.
    pub fn options(&self) -> &PostgresOptions {
        self.0.connections.options()
    }
}

async fn read(scope: &Scope) -> Result<PostgresStatus, Failure> {
    let connection = &scope.connection;
    let schema_name = &connection.options().schema;
    let schema_version = schema::version(connection, schema_name).await?;
    let server_version = connection.value("SELECT current_setting('server_version')", &[]).await?;
    let sql = "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class
               WHERE relnamespace = to_regnamespace($1) AND relkind = 'r'";
    let bytes: i64 = connection.value(sql, &[(schema_name, Type::TEXT)]).await?;
    let sql = "SELECT n.name,
                 (SELECT coalesce(sum(c.count), 0)::bigint FROM tailor_idp.user_counts AS c WHERE c.namespace_id = n.id),
                 count(j.id), min(j.queued_at)
               FROM tailor_idp.namespaces AS n
               LEFT JOIN tailor_idp.queues AS q ON q.namespace_id = n.id
               LEFT JOIN tailor_idp.jobs AS j ON j.queue_id = q.id AND j.state IN ('waiting', 'queued', 'leased')
               GROUP BY n.id, n.name ORDER BY n.name";
    let mut namespaces = Vec::new();
    for row in connection.query(sql, &[]).await? {
        let oldest: Option<i64> = row.try_get(3)?;
        namespaces.push(NamespaceStatus {
            name: unescape(row.try_get(0)?),
            users: row.try_get::<_, i64>(1)?.unsigned_abs(),
            jobs: row.try_get::<_, i64>(2)?.unsigned_abs(),
            oldest_job: oldest.map(|queued_at| scope.now.since(Timestamp::from_unix_millis(queued_at))),
        });
    }
    Ok(PostgresStatus { schema_version, server_version, bytes: bytes.unsigned_abs(), namespaces })
}

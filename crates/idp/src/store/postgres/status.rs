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
    /// The replicas that are connected to the server, by name.
    pub replicas: Vec<ReplicaStatus>,
    /// The replica for listings, if the options have one.
    pub read_replica: Option<ReadReplicaStatus>,
}

/// The state of a replica, as the server knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReplicaStatus {
    /// Its `application_name`.
    pub name: String,
    /// Whether commits wait for it.
    pub is_synchronous: bool,
    /// How many bytes of the log it has not replayed yet. `None` if the program's role may not know: it needs `pg_monitor`.
    pub bytes_behind: Option<u64>,
}

/// The state of the replica for listings.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadReplicaStatus {
    /// Its address.
    pub address: String,
    /// How many bytes of the log it has not replayed yet, or why it is not used.
    pub bytes_behind: Result<u64, String>,
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
        let reading = self.0.connections.read(NO_NAMESPACE, STATEMENT_TIMEOUT, |scope| Box::pin(read(scope)));
        let mut status = reading.await?;
        if let Some(replica) = &self.0.replica {
            let bytes_behind = match replica.bytes_behind(&self.0).await {
                Ok(Some(bytes)) => Ok(bytes),
                Ok(None) => Err("it is not a replica".to_owned()),
                Err(error) => Err(error.to_string()),
            };
            status.read_replica = Some(ReadReplicaStatus { address: replica.address(), bytes_behind });
        }
        Ok(status)
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
    let (bytes, replicas) = (bytes.unsigned_abs(), replicas(scope).await?);
    Ok(PostgresStatus { schema_version, server_version, bytes, namespaces, replicas, read_replica: None })
}

async fn replicas(scope: &Scope) -> Result<Vec<ReplicaStatus>, Failure> {
    let sql = "SELECT coalesce(application_name, ''), coalesce(sync_state IN ('sync', 'quorum'), false),
                 CASE WHEN replay_lsn IS NOT NULL THEN greatest(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn), 0)::bigint END
               FROM pg_stat_replication ORDER BY application_name";
    let replica = |row: &tokio_postgres::Row| {
        Ok(ReplicaStatus {
            name: row.try_get(0)?,
            is_synchronous: row.try_get(1)?,
            bytes_behind: row.try_get::<_, Option<i64>>(2)?.map(i64::unsigned_abs),
        })
    };
    scope.connection.query(sql, &[]).await?.iter().map(replica).collect()
}

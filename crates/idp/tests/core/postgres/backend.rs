//! The contract, run over a server with two default isolation levels: the store must not depend on it.

use std::sync::Arc;

use tailor_idp_core::store::contract::Backend;
use tailor_idp_core::store::{PostgresDatabase, SqliteDatabase, Store};
use tailor_idp_core::{Clock, NamespaceName};

use super::server::{Server, is_left_out};

/// A database of one test.
enum Database {
    Postgres(PostgresDatabase),
    /// Where PostgreSQL is left out, its tests pass over another store.
    LeftOut(SqliteDatabase),
}

impl Database {
    async fn fresh(isolation: &str, clock: Arc<dyn Clock>) -> Self {
        if is_left_out() {
            return Self::LeftOut(SqliteDatabase::in_memory_with_clock(clock).unwrap());
        }
        let mut place = tokio::task::spawn_blocking(|| Server::shared().place()).await.unwrap();
        place.url.push_str(&format!("&options=-cdefault_transaction_isolation%3D{isolation}"));
        Self::Postgres(place.open_with_clock(clock).await)
    }

    async fn namespace(&self, name: &NamespaceName) -> Arc<dyn Store> {
        match self {
            Self::Postgres(database) => Arc::new(database.namespace(name).await.unwrap()),
            Self::LeftOut(database) => Arc::new(database.namespace(name).await.unwrap()),
        }
    }
}

struct ReadCommitted(Database);

impl Backend for ReadCommitted {
    async fn fresh(clock: Arc<dyn Clock>) -> Self {
        Self(Database::fresh("read\\%20committed", clock).await)
    }

    async fn namespace(&self, name: &NamespaceName) -> Arc<dyn Store> {
        self.0.namespace(name).await
    }
}

struct Serializable(Database);

impl Backend for Serializable {
    async fn fresh(clock: Arc<dyn Clock>) -> Self {
        Self(Database::fresh("serializable", clock).await)
    }

    async fn namespace(&self, name: &NamespaceName) -> Arc<dyn Store> {
        self.0.namespace(name).await
    }
}

mod read_committed {
    use super::ReadCommitted;

    tailor_idp_core::store_contract_tests!(ReadCommitted);
}

mod serializable {
    use super::Serializable;

    tailor_idp_core::store_contract_tests!(Serializable);
}

//! Empty databases for tests of what runs over any store: SQLite in memory or, if `TAILOR_IDP_TEST_STORE=postgres`, PostgreSQL.

use std::sync::Arc;

#[cfg(unix)]
use tailor_idp_core::store::PostgresDatabase;
use tailor_idp_core::store::SqliteDatabase;
use tailor_idp_core::store::contract::ManualClock;
use tailor_idp_core::{Clock, NamespaceName};

use crate::support::{Shared, namespace};

/// Selects the store of the tests.
const STORE: &str = "TAILOR_IDP_TEST_STORE";

/// An empty database.
pub(crate) enum FreshDatabase {
    Sqlite(SqliteDatabase),
    #[cfg(unix)]
    Postgres(PostgresDatabase),
}

impl FreshDatabase {
    /// With a clock of the test's own; `None`: the clock of the store.
    pub(crate) async fn new(clock: Option<Arc<dyn Clock>>) -> Self {
        match std::env::var(STORE).as_deref() {
            #[cfg(unix)]
            Ok("postgres") => Self::postgres(clock).await,
            Ok(other) if other != "sqlite" => panic!("{STORE} must be sqlite or postgres: got {other:?}"),
            _ => Self::sqlite(clock),
        }
    }

    pub(crate) fn sqlite(clock: Option<Arc<dyn Clock>>) -> Self {
        Self::Sqlite(match clock {
            Some(clock) => SqliteDatabase::in_memory_with_clock(clock).unwrap(),
            None => SqliteDatabase::in_memory().unwrap(),
        })
    }

    #[cfg(unix)]
    async fn postgres(clock: Option<Arc<dyn Clock>>) -> Self {
        let place = crate::postgres::place().await;
        Self::Postgres(match clock {
            Some(clock) => place.open_with_clock(clock).await,
            None => place.open().await.unwrap(),
        })
    }

    pub(crate) async fn namespace(&self, name: &NamespaceName) -> Shared {
        match self {
            Self::Sqlite(database) => Arc::new(database.namespace(name).await.unwrap()),
            #[cfg(unix)]
            Self::Postgres(database) => Arc::new(database.namespace(name).await.unwrap()),
        }
    }
}

/// An empty store of the namespace that most tests use, and its clock.
pub(crate) async fn fresh_store() -> (Shared, Arc<ManualClock>) {
    let clock = Arc::<ManualClock>::default();
    let database = FreshDatabase::new(Some(Arc::<ManualClock>::clone(&clock))).await;
    (database.namespace(&namespace(crate::host::NAMESPACE)).await, clock)
}

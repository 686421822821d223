//! The contract, run over databases on disk and in memory.

use std::sync::Arc;

use tailor_idp_core::store::contract::Backend;
use tailor_idp_core::store::{SqliteDatabase, Store};
use tailor_idp_core::{Clock, NamespaceName};
use tempfile::TempDir;

struct InMemory(SqliteDatabase);

impl Backend for InMemory {
    async fn fresh(clock: Arc<dyn Clock>) -> Self {
        Self(SqliteDatabase::in_memory_with_clock(clock).unwrap())
    }

    async fn namespace(&self, name: &NamespaceName) -> Arc<dyn Store> {
        Arc::new(self.0.namespace(name).await.unwrap())
    }
}

struct OnDisk {
    database: SqliteDatabase,
    _folder: TempDir,
}

impl Backend for OnDisk {
    async fn fresh(clock: Arc<dyn Clock>) -> Self {
        let folder = TempDir::new().unwrap();
        let database = SqliteDatabase::open_with_clock(folder.path().join("users.db"), clock).unwrap();
        Self { database, _folder: folder }
    }

    async fn namespace(&self, name: &NamespaceName) -> Arc<dyn Store> {
        Arc::new(self.database.namespace(name).await.unwrap())
    }
}

mod in_memory {
    use super::InMemory;

    tailor_idp_core::store_contract_tests!(InMemory);
}

mod on_disk {
    use super::OnDisk;

    tailor_idp_core::store_contract_tests!(OnDisk);
}

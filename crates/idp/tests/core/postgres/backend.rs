//! The contract, run over a server with two default isolation levels: the store must not depend on it.

use std::sync::Arc;

use tailor_idp_core::store::Store;
use tailor_idp_core::store::contract::Backend;
use tailor_idp_core::{Clock, NamespaceName};

use super::place;
use super::server::is_left_out;
use crate::fresh::FreshDatabase;

async fn fresh(isolation: &str, clock: Arc<dyn Clock>) -> FreshDatabase {
    if is_left_out() {
        // The tests pass over another store.
        return FreshDatabase::sqlite(Some(clock));
    }
    let mut place = place().await;
    place.url.push_str(&format!("&options=-cdefault_transaction_isolation%3D{isolation}"));
    FreshDatabase::Postgres(place.open_with_clock(clock).await)
}

struct ReadCommitted(FreshDatabase);

impl Backend for ReadCommitted {
    async fn fresh(clock: Arc<dyn Clock>) -> Self {
        Self(fresh("read\\%20committed", clock).await)
    }

    async fn namespace(&self, name: &NamespaceName) -> Arc<dyn Store> {
        self.0.namespace(name).await
    }
}

struct Serializable(FreshDatabase);

impl Backend for Serializable {
    async fn fresh(clock: Arc<dyn Clock>) -> Self {
        Self(fresh("serializable", clock).await)
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

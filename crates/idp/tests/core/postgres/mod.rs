//! The store over a real PostgreSQL server. Left out with `TAILOR_IDP_SKIP_POSTGRES=1`.

mod backend;
mod connecting;
mod deadlines;
mod faults;
mod kill;
mod notifications;
mod order;
mod pooler;
mod programs;
mod proxy;
mod replicas;
mod server;

use std::sync::Arc;

use tailor_idp_core::store::PostgresDatabase;

use self::server::{Place, Server};
use crate::support::{Shared, namespace};

/// Ends a test that needs PostgreSQL where it is left out.
macro_rules! require_postgres {
    () => {
        if $crate::postgres::server::is_left_out() {
            return;
        }
    };
}

use require_postgres;

/// The server that the tests share.
async fn server() -> &'static Server {
    // It is started by the first, and that blocks.
    tokio::task::spawn_blocking(Server::shared).await.unwrap()
}

/// A place for the tables of one test.
pub(crate) async fn place() -> Place {
    server().await.place()
}

/// The store of the namespace `users`.
async fn users(database: &PostgresDatabase) -> Shared {
    Arc::new(database.namespace(&namespace("users")).await.unwrap())
}

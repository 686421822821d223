//! The servers of the tests, and places for tables on them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tailor_idp_core::Clock;
use tailor_idp_core::store::{PostgresDatabase, PostgresOptions, StoreError};
use tokio_postgres::NoTls;

pub(crate) use crate::postgres_server::{Server, command, folder, free_port, give_to_user, is_left_out};

impl Server {
    /// A client of the database `postgres`, for what the tests do behind the store's back.
    pub(crate) async fn client(&self) -> tokio_postgres::Client {
        let (client, connection) = tokio_postgres::connect(&self.url("postgres"), NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// A place for the tables of one test.
    pub(crate) fn place(&self) -> Place {
        Place { url: self.url("postgres"), schema: fresh_schema() }
    }
}

/// A name that no other test of this process uses.
fn fresh_schema() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Where the tables of one test are.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) url: String,
    pub(crate) schema: String,
}

impl Place {
    pub(crate) fn options(&self) -> PostgresOptions {
        PostgresOptions::new(&self.url).unwrap().schema(&self.schema).unwrap()
    }

    pub(crate) async fn open(&self) -> Result<PostgresDatabase, StoreError> {
        PostgresDatabase::open(self.options()).await
    }

    pub(crate) async fn open_with_clock(&self, clock: Arc<dyn Clock>) -> PostgresDatabase {
        PostgresDatabase::open(self.options().clock(clock)).await.unwrap()
    }
}

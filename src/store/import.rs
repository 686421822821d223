//! Many users at once: what a store that takes them is asked for.

use async_trait::async_trait;

use super::{NewUser, StoreError};

/// A user of a batch who was not added: the name is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Where in the batch the user was, from 0.
    pub index: usize,
    /// The name, which a user of the namespace or one earlier in the batch has.
    pub name: String,
}

/// What became of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Imported {
    /// How many users were added.
    pub count: u64,
    /// Those that were not, in the order of the batch.
    pub skipped: Vec<Skipped>,
}

/// The users of one namespace, to add many at once.
#[async_trait]
pub trait ImportStore: Send + Sync {
    /// Adds the users whose names are free, all in one transaction: when it has returned they are durable, and where it fails
    /// nobody was added. The same batch once more adds nobody. Their ids are in the order of the batch. With `publish` each leaves
    /// an event, in the same transaction.
    ///
    /// Other writes wait until it is done, which may take seconds: a larger batch is added at a higher rate, a smaller one holds
    /// others up for less long.
    async fn import(&self, users: Vec<NewUser>, publish: bool) -> Result<Imported, StoreError>;
}

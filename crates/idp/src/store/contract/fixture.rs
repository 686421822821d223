//! The database of a test, and its clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::model::{Clock, NamespaceName, Timestamp};
use crate::store::Store;

/// A kind of store to test.
pub trait Backend: Sized + Send + Sync + 'static {
    /// A fresh, empty database, which uses this clock and no other.
    fn fresh(clock: Arc<dyn Clock>) -> impl Future<Output = Self> + Send;

    /// The store of a namespace, which is created if it does not exist.
    fn namespace(&self, name: &NamespaceName) -> impl Future<Output = Arc<dyn Store>> + Send;
}

/// A clock that stands still until it is set.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// The time at which the clocks of tests start.
    pub const START: Timestamp = Timestamp::from_unix_millis(1_800_000_000_123);

    /// Sets the clock.
    pub fn set(&self, time: Timestamp) {
        self.0.store(time.unix_millis(), Ordering::SeqCst);
    }

    /// Sets the clock forward.
    pub fn advance(&self, by: Duration) {
        self.set(self.now().after(by));
    }

    /// Sets the clock back.
    pub fn set_back(&self, by: Duration) {
        self.set(self.now().before(by));
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self(AtomicI64::new(Self::START.unix_millis()))
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_millis(self.0.load(Ordering::SeqCst))
    }
}

/// A fresh database and its clock: the parameter of every behaviour.
#[derive(Debug)]
pub struct Fixture<B> {
    /// The database.
    pub backend: B,
    /// Its clock.
    pub clock: Arc<ManualClock>,
}

impl<B: Backend> Fixture<B> {
    /// A fresh database with a separate clock.
    pub async fn fresh() -> Self {
        let clock = Arc::<ManualClock>::default();
        Self { backend: B::fresh(Arc::<ManualClock>::clone(&clock)).await, clock }
    }

    /// The store of the namespace.
    ///
    /// # Panics
    ///
    /// If the name is malformed.
    pub async fn namespace(&self, name: &str) -> Arc<dyn Store> {
        self.backend.namespace(&NamespaceName::new(name).unwrap()).await
    }

    /// The store of the namespace that most behaviours use.
    pub async fn users(&self) -> Arc<dyn Store> {
        self.namespace("users").await
    }
}

//! Events of changes, and the retention of the event log.

use std::time::Duration;

use super::LocalDirectory;
use crate::model::EventKind;
use crate::random;
use crate::store::{Batch, Committed, Mutation, NewEvent, Store, StoreError, UserRef};

/// How long an event is kept after every consumer has acknowledged it, so that operators can look up what a receiver was sent.
const RETENTION: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The mean number of publishing batches between two prunes. They prune at random, so that the log stays bounded without a task
/// or state that processes share. Divides 256.
const BATCHES_PER_PRUNE: u8 = 128;

/// The maximum number of events that one prune reads or deletes: more than single changes append between two prunes, and a
/// short write.
const PRUNE_LIMIT: u32 = 1024;

impl LocalDirectory {
    /// The event of a change, if the namespace publishes events.
    pub(super) fn event(&self, user: UserRef, kind: EventKind) -> Vec<NewEvent> {
        if self.settings.publish_user_events { vec![NewEvent { user, kind }] } else { Vec::new() }
    }

    /// Commits a batch that may contain events. Now and then it also prunes the event log.
    pub(super) async fn publish(&self, mut batch: Batch) -> Result<Committed, StoreError> {
        // Without a random number, another batch prunes.
        if !batch.events.is_empty() && random::bytes().is_ok_and(|[byte]| byte.is_multiple_of(BATCHES_PER_PRUNE)) {
            let before = self.now().before(RETENTION);
            batch.mutations.push(Mutation::PruneEvents { before, limit: PRUNE_LIMIT });
        }
        self.store.commit(batch).await
    }
}

/// Deletes all events that are older than the retention, in short writes. For imports, which append many events at once.
pub(super) async fn prune_events(store: &dyn Store) -> Result<(), StoreError> {
    loop {
        let mutations = vec![Mutation::PruneEvents { before: store.now().before(RETENTION), limit: PRUNE_LIMIT }];
        let pruned = store.commit(Batch { mutations, ..Batch::default() }).await?.affected;
        if pruned.into_iter().sum::<u64>() < PRUNE_LIMIT.into() {
            return Ok(());
        }
    }
}

#[cfg(test)]
#[cfg(feature = "sqlite")]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use pretty_assertions::assert_eq;

    use crate::directory::{CallContext, IdentityProvider};
    use crate::local::ImportUser;
    use crate::model::{CreateUser, EventRecord, NamespaceName, Principal, Timestamp, UpdateUser};
    use crate::router::Router;
    use crate::rules::NamespaceSettings;
    use crate::store::{EventQuery, SqliteDatabase, SqliteStore};

    use super::*;

    /// A chance of one in 10^13 that none of so many batches prunes.
    const MANY: usize = 30 * BATCHES_PER_PRUNE as usize;

    /// The namespace `home`, which publishes events, its store, and the time in milliseconds.
    async fn publishing() -> (Router, SqliteStore, Arc<AtomicI64>) {
        let name = NamespaceName::new("home").unwrap();
        let millis = Arc::new(AtomicI64::new(1_700_000_000_000));
        let time = Arc::clone(&millis);
        let clock = Arc::new(move || Timestamp::from_unix_millis(time.load(Ordering::Relaxed)));
        let store = SqliteDatabase::in_memory_with_clock(clock).unwrap().namespace(&name).await.unwrap();
        let settings = NamespaceSettings::default().publish_user_events(true);
        let router = Router::builder().namespace(name, Arc::new(store.clone()), settings).build();
        (router, store, millis)
    }

    async fn events(store: &SqliteStore, limit: u32) -> Vec<EventRecord> {
        store.events(EventQuery::After { id: None, limit }).await.unwrap()
    }

    #[tokio::test]
    async fn changes_prune_events_that_are_older_than_the_retention() {
        let (idp, store, millis) = publishing().await;
        let host = CallContext::new(NamespaceName::new("home").unwrap(), Principal::Host);
        let request = CreateUser { name: "ana@example.com".into(), ..CreateUser::default() };
        let id = idp.create_user(&host, request).await.unwrap().id;
        let mut disabled = false;
        let mut change = async || {
            disabled = !disabled;
            let request = UpdateUser { id: id.clone(), disabled: Some(disabled), ..UpdateUser::default() };
            idp.update_user(&host, request).await.unwrap();
        };
        let advance = |time: Duration| millis.fetch_add(time.as_millis() as i64, Ordering::Relaxed);

        change().await;
        advance(Duration::from_millis(1));
        change().await;
        let all = events(&store, 9).await;
        advance(RETENTION - Duration::from_millis(1));
        for _ in 0..MANY {
            change().await;
        }
        assert_eq!(events(&store, 3).await, all, "all are kept for seven days");
        advance(Duration::from_millis(1));
        for _ in 0..MANY {
            change().await;
        }
        assert_eq!(events(&store, 1).await, all[2..], "the youngest is kept");
        assert_eq!(events(&store, u32::MAX).await.len(), 2 * MANY + 1, "later ones are kept");
    }

    #[tokio::test]
    async fn imports_prune_all_events_that_are_older_than_the_retention() {
        let (idp, store, millis) = publishing().await;
        let import = async |prefix: &str, count: usize| {
            let user = |index| ImportUser { name: format!("{prefix}{index}@example.com"), ..ImportUser::default() };
            idp.import_users("home", (0..count).map(user).collect()).await.unwrap();
        };
        let many = 2 * PRUNE_LIMIT as usize + 1;
        import("first", many).await;
        millis.fetch_add(RETENTION.as_millis() as i64, Ordering::Relaxed);
        import("second", 1).await;
        assert_eq!(events(&store, u32::MAX).await.len(), many + 1, "kept for seven days");
        millis.fetch_add(1, Ordering::Relaxed);
        import("third", 1).await;
        assert_eq!(events(&store, u32::MAX).await.len(), 2);
    }
}

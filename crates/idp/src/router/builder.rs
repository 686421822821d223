//! Building a router.

use std::sync::Arc;

use super::{Namespace, Router};
use crate::directory::{Directory, Enforced};
use crate::local::{HashCost, Hasher, LocalDirectory, MfaKey, MfaKeys, StoreDirectory};
use crate::model::NamespaceName;
use crate::rules::NamespaceSettings;
use crate::store::Store;

/// Builds a [`Router`].
#[derive(Default)]
pub struct RouterBuilder {
    namespaces: Vec<(NamespaceName, Backend, NamespaceSettings)>,
    hash_cost: HashCost,
    hasher: Option<Arc<Hasher>>,
    mfa_keys: MfaKeys,
}

enum Backend {
    Store(Arc<dyn Store>),
    Directory(Arc<dyn Directory>),
}

impl RouterBuilder {
    /// Adds a namespace whose users are in a store. Replaces a namespace of the same name.
    #[must_use]
    pub fn namespace(mut self, name: NamespaceName, store: Arc<dyn Store>, settings: NamespaceSettings) -> Self {
        self.namespaces.push((name, Backend::Store(store), settings));
        self
    }

    /// Adds a namespace whose users are in a directory of the host or of a remote service. Replaces a namespace of the same name.
    #[must_use]
    pub fn directory(
        mut self,
        name: NamespaceName,
        directory: Arc<dyn Directory>,
        settings: NamespaceSettings,
    ) -> Self {
        self.namespaces.push((name, Backend::Directory(directory), settings));
        self
    }

    /// Sets the cost of password hashes.
    #[must_use]
    pub fn hash_cost(mut self, hash_cost: HashCost) -> Self {
        self.hash_cost = hash_cost;
        self
    }

    /// Hashes passwords on the threads of another router, at its cost: for hosts that replace a router. Has no effect if none of
    /// the other's namespaces is in a store.
    #[must_use]
    pub fn hashing_of(mut self, router: &Router) -> Self {
        self.hasher = router.locals().first().map(|local| Arc::clone(local.hasher()));
        self
    }

    /// Adds a key for MFA secrets. Without a key no factor can be enrolled. Of several keys, the one with the highest version
    /// seals.
    #[must_use]
    pub fn mfa_key(mut self, key: MfaKey) -> Self {
        self.mfa_keys.add(key);
        self
    }

    /// Builds the router.
    pub fn build(self) -> Router {
        let hasher = self.hasher.unwrap_or_else(|| Arc::new(Hasher::new(self.hash_cost)));
        let keys = Arc::new(self.mfa_keys);
        let namespace = |(name, backend, settings): (NamespaceName, Backend, NamespaceSettings)| {
            let settings = Arc::new(settings);
            let (directory, local): (Arc<dyn Directory>, _) = match backend {
                Backend::Directory(directory) => {
                    if settings.publish_user_events {
                        tracing::warn!(namespace = %name, "publishUserEvents has no effect: the users are not in a store");
                    }
                    (directory, None)
                }
                Backend::Store(store) => {
                    let (settings, hasher, keys) = (Arc::clone(&settings), Arc::clone(&hasher), Arc::clone(&keys));
                    let local = Arc::new(LocalDirectory::new(name.clone(), store, settings, hasher, keys));
                    (Arc::new(StoreDirectory::new(Arc::clone(&local))), Some(local))
                }
            };
            let enforced = Enforced::new(name.clone(), directory, settings);
            (name, Namespace { enforced, local })
        };
        Router(Arc::new(self.namespaces.into_iter().map(namespace).collect()))
    }
}

impl std::fmt::Debug for RouterBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.namespaces.iter().map(|(name, ..)| name).collect();
        f.debug_struct("RouterBuilder").field("namespaces", &names).finish_non_exhaustive()
    }
}

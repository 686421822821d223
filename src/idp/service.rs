//! The service: the host's namespaces, and what is asked of each.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;

use super::clock::{Clock, SystemClock};
use super::interface::IdentityProvider;
use super::mfa::{MfaKey, MfaKeys};
use super::model::{
    CreateUser, ListUsers, NamespaceName, SendPasswordResetEmail, UnenrollMfa, UpdateUser, User, UserPage,
};
use super::namespace::Namespace;
use super::password::{HashCost, Hasher};
use super::settings::NamespaceSettings;
use super::sign_in::SignInState;
use super::{Code, IdpError, Principal};
use crate::events::{EventError, EventReader, Events};
use crate::store::{StartAt, UserStore};

/// The identity provider over the host's stores. Cheap to clone.
///
/// ```
/// use std::sync::Arc;
/// use tailor_idp::idp::{CreateUser, IdentityProvider, Idp, NamespaceName, NamespaceSettings, Principal};
/// use tailor_idp::store::SqliteDatabase;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let name = NamespaceName::new("builtin-idp")?;
/// let store = SqliteDatabase::in_memory()?.namespace(&name).await?;
/// let idp = Idp::builder().namespace(name, Arc::new(store), NamespaceSettings::default()).build();
///
/// let ana = CreateUser { name: "Ana@example.com".into(), ..Default::default() };
/// let user = idp.create_user("builtin-idp", &Principal::Host, ana).await?;
/// assert_eq!(user.name, "ana@example.com");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Idp(Arc<HashMap<NamespaceName, Namespace>>);

impl std::fmt::Debug for Idp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Idp").field(&self.0.keys()).finish()
    }
}

/// Makes an [`Idp`].
#[derive(Default)]
pub struct IdpBuilder {
    namespaces: Vec<(NamespaceName, Arc<dyn UserStore>, NamespaceSettings)>,
    hash_cost: HashCost,
    mfa_keys: MfaKeys,
    clock: Option<Arc<dyn Clock>>,
}

impl IdpBuilder {
    /// Adds a namespace. One of the same name that was added before is replaced.
    #[must_use]
    pub fn namespace(mut self, name: NamespaceName, store: Arc<dyn UserStore>, settings: NamespaceSettings) -> Self {
        self.namespaces.push((name, store, settings));
        self
    }

    /// What a password hash costs, where the default does not fit.
    #[must_use]
    pub fn hash_cost(mut self, hash_cost: HashCost) -> Self {
        self.hash_cost = hash_cost;
        self
    }

    /// Adds a key for MFA secrets; without one nobody can be enrolled. Of several, the one with the highest version seals.
    #[must_use]
    pub fn mfa_key(mut self, key: MfaKey) -> Self {
        self.mfa_keys.add(key);
        self
    }

    /// What tells the time for signing in and for resets, where the system's clock does not fit: in tests. What a store stamps,
    /// such as `createdAt`, it stamps by its own.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// The identity provider.
    pub fn build(self) -> Idp {
        let hasher = Arc::new(Hasher::new(self.hash_cost));
        let keys = Arc::new(self.mfa_keys);
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock));
        let namespace = |(name, store, settings): (NamespaceName, _, _)| {
            let sign_in = SignInState::new(Arc::clone(&clock), Arc::clone(&keys), &settings);
            (name.clone(), Namespace::new(name, store, settings, Arc::clone(&hasher), sign_in))
        };
        Idp(Arc::new(self.namespaces.into_iter().map(namespace).collect()))
    }
}

impl Idp {
    /// Starts an identity provider without namespaces.
    pub fn builder() -> IdpBuilder {
        IdpBuilder::default()
    }

    /// The events of the namespace's users: what was committed, and who was told.
    ///
    /// # Errors
    ///
    /// [`NotFound`](Code::NotFound) for an unknown namespace, [`Unimplemented`](Code::Unimplemented) where its store keeps none.
    pub fn events(&self, namespace: &str) -> Result<Events, IdpError> {
        let namespace = self.namespace(namespace)?;
        let (name, workspace_id) = (namespace.name.clone(), &namespace.settings.workspace_id);
        Events::new(Arc::clone(&namespace.store), name, workspace_id).ok_or_else(|| {
            IdpError::new(Code::Unimplemented, format!("the store of namespace {} keeps no events", namespace.name))
        })
    }

    /// Reads the events of the namespace's users as the consumer of this name, which is added where it is not there.
    ///
    /// # Errors
    ///
    /// Those of [`events`](Self::events), and [`EventError`] where the consumer cannot be had.
    pub async fn subscribe_events(
        &self,
        namespace: &str,
        consumer: &str,
        start: StartAt,
    ) -> Result<EventReader, EventError> {
        self.events(namespace)?.subscribe(consumer, start).await
    }

    /// The names of the namespaces, sorted.
    pub fn namespaces(&self) -> Vec<NamespaceName> {
        let mut names: Vec<_> = self.0.keys().cloned().collect();
        names.sort();
        names
    }

    pub(super) fn namespace(&self, name: &str) -> Result<&Namespace, IdpError> {
        self.0.get(name).ok_or_else(|| IdpError::not_found(format!("namespace not found: {name}")))
    }
}

#[async_trait]
impl IdentityProvider for Idp {
    async fn users(&self, namespace: &str, principal: &Principal, options: ListUsers) -> Result<UserPage, IdpError> {
        self.namespace(namespace)?.users(principal, options).await
    }

    async fn user(&self, namespace: &str, principal: &Principal, user_id: &str) -> Result<User, IdpError> {
        self.namespace(namespace)?.user(principal, user_id).await
    }

    async fn user_by_name(&self, namespace: &str, principal: &Principal, name: &str) -> Result<User, IdpError> {
        self.namespace(namespace)?.user_by_name(principal, name).await
    }

    async fn create_user(&self, namespace: &str, principal: &Principal, input: CreateUser) -> Result<User, IdpError> {
        self.namespace(namespace)?.create_user(principal, input).await
    }

    async fn update_user(&self, namespace: &str, principal: &Principal, input: UpdateUser) -> Result<User, IdpError> {
        self.namespace(namespace)?.update_user(principal, input).await
    }

    async fn delete_user(&self, namespace: &str, principal: &Principal, user_id: &str) -> Result<(), IdpError> {
        self.namespace(namespace)?.delete_user(principal, user_id).await
    }

    async fn send_password_reset_email(
        &self,
        namespace: &str,
        principal: &Principal,
        input: SendPasswordResetEmail,
    ) -> Result<(), IdpError> {
        self.namespace(namespace)?.send_password_reset_email(principal, input).await
    }

    async fn unenroll_mfa(&self, namespace: &str, principal: &Principal, input: UnenrollMfa) -> Result<(), IdpError> {
        self.namespace(namespace)?.unenroll_mfa(principal, input).await
    }
}

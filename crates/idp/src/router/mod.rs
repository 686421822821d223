//! The router: from the name of a namespace to its users.

mod builder;
mod local_operations;

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use tracing::{Instrument, Span};

pub use builder::RouterBuilder;

use crate::directory::{CallContext, Enforced, IdentityProvider};
use crate::local::LocalDirectory;
use crate::model::{
    CreateUser, IdpError, ListUsers, NamespaceName, SendPasswordResetEmail, UnenrollMfa, UpdateUser, User, UserKey,
    UserPage,
};
use crate::rules::NamespaceSettings;

/// The namespaces of a host, each with its users and rules. Cheap to clone.
///
/// ```
/// use std::sync::Arc;
/// use tailor_idp_core::directory::{CallContext, IdentityProvider};
/// use tailor_idp_core::store::SqliteDatabase;
/// use tailor_idp_core::{CreateUser, NamespaceName, NamespaceSettings, Principal, Router};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let name = NamespaceName::new("builtin-idp")?;
/// let store = SqliteDatabase::in_memory()?.namespace(&name).await?;
/// let router = Router::builder().namespace(name.clone(), Arc::new(store), NamespaceSettings::default()).build();
///
/// let host = CallContext::new(name, Principal::Host);
/// let ana = CreateUser { name: "Ana@example.com".into(), ..Default::default() };
/// let user = router.create_user(&host, ana).await?;
/// assert_eq!(user.name, "ana@example.com");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Router(Arc<HashMap<NamespaceName, Namespace>>);

/// One namespace.
struct Namespace {
    enforced: Enforced,
    /// The users, if they are in a store.
    local: Option<Arc<LocalDirectory>>,
}

impl Router {
    /// Starts a router without namespaces.
    pub fn builder() -> RouterBuilder {
        RouterBuilder::default()
    }

    /// The names of the namespaces, sorted.
    pub fn namespaces(&self) -> Vec<NamespaceName> {
        let mut names: Vec<_> = self.0.keys().cloned().collect();
        names.sort();
        names
    }

    /// The settings of a namespace, if it exists.
    pub fn settings(&self, namespace: &str) -> Option<&NamespaceSettings> {
        self.0.get(namespace).map(|namespace| namespace.enforced.settings())
    }

    /// The users of a namespace under its rules.
    ///
    /// # Errors
    ///
    /// [`Code::NotFound`](crate::model::Code::NotFound) if the namespace does not exist.
    pub fn directory(&self, namespace: &str) -> Result<&Enforced, IdpError> {
        Ok(&self.namespace(namespace)?.enforced)
    }

    /// The users of a namespace in their store: for sign-in, MFA, password resets, bulk import, mails and events.
    ///
    /// # Errors
    ///
    /// [`Code::NotFound`](crate::model::Code::NotFound) if the namespace does not exist,
    /// [`Code::Unimplemented`](crate::model::Code::Unimplemented) if its users are not in a store.
    pub fn local(&self, namespace: &str) -> Result<&Arc<LocalDirectory>, IdpError> {
        let Namespace { enforced, local } = self.namespace(namespace)?;
        local.as_ref().ok_or_else(|| {
            let capabilities = enforced.capabilities();
            capabilities.unsupported("sign-in, password resets, bulk import, mails and events")
        })
    }

    /// The namespaces whose users are in a store, by name.
    pub fn locals(&self) -> Vec<&Arc<LocalDirectory>> {
        let mut locals: Vec<_> = self.0.values().filter_map(|namespace| namespace.local.as_ref()).collect();
        locals.sort_by_key(|local| local.namespace());
        locals
    }

    fn namespace(&self, name: &str) -> Result<&Namespace, IdpError> {
        self.0.get(name).ok_or_else(|| IdpError::not_found(format!("namespace not found: {name}")))
    }
}

impl std::fmt::Debug for Router {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Router").field(&self.0.keys()).finish()
    }
}

/// The span of an operation.
fn span(operation: &'static str, context: &CallContext) -> Span {
    let CallContext { namespace, execution_id, .. } = context;
    tracing::debug_span!("operation", name = operation, %namespace, execution_id = execution_id.as_deref())
}

/// Awaits a call of `operation` in its span. A macro, since a function would copy the future; boxed, so that calls without a
/// span are not larger for it.
macro_rules! traced {
    ($operation:literal, $context:ident, $call:expr) => {{
        let span = span($operation, $context);
        if span.is_disabled() { $call.await } else { Box::pin($call).instrument(span).await }
    }};
}

#[async_trait]
impl IdentityProvider for Router {
    async fn users(&self, context: &CallContext, request: ListUsers) -> Result<UserPage, IdpError> {
        traced!("users", context, self.directory(context.namespace.as_str())?.users(context, request))
    }

    async fn user(&self, context: &CallContext, key: UserKey<'_>) -> Result<User, IdpError> {
        traced!("user", context, self.directory(context.namespace.as_str())?.user(context, key))
    }

    async fn create_user(&self, context: &CallContext, request: CreateUser) -> Result<User, IdpError> {
        traced!("create_user", context, self.directory(context.namespace.as_str())?.create_user(context, request))
    }

    async fn update_user(&self, context: &CallContext, request: UpdateUser) -> Result<User, IdpError> {
        traced!("update_user", context, self.directory(context.namespace.as_str())?.update_user(context, request))
    }

    async fn delete_user(&self, context: &CallContext, user_id: &str) -> Result<(), IdpError> {
        traced!("delete_user", context, self.directory(context.namespace.as_str())?.delete_user(context, user_id))
    }

    async fn send_password_reset_email(
        &self,
        context: &CallContext,
        request: SendPasswordResetEmail,
    ) -> Result<(), IdpError> {
        traced!(
            "send_password_reset_email",
            context,
            self.directory(context.namespace.as_str())?.send_password_reset_email(context, request)
        )
    }

    async fn unenroll_mfa(&self, context: &CallContext, request: UnenrollMfa) -> Result<(), IdpError> {
        traced!("unenroll_mfa", context, self.directory(context.namespace.as_str())?.unenroll_mfa(context, request))
    }
}

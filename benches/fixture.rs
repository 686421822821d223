//! Identity providers, databases and runtimes that scenarios share.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tailor_idp::function::{FunctionRuntime, FunctionRuntimeBuilder, Limits};
use tailor_idp::idp::store::{SqliteDatabase, SqliteStore};
use tailor_idp::idp::{
    CallContext, Code, CreateUser, HashCost, IdentityProvider, IdpError, ImportUser, ListUsers, NamespaceName,
    NamespaceSettings, Permission, Principal, Router, SendPasswordResetEmail, Timestamp, UnenrollMfa, UpdateUser, User,
    UserKey, UserPage,
};

/// The namespace of every measurement.
pub(crate) const NAMESPACE: &str = "builtin-idp";

/// Default number of users. Their rows fit the caches, so that no measurement depends on the disk.
pub(crate) const USERS: usize = 1_000;

/// Removes a database file of an earlier run, with its log.
pub(crate) fn remove_database(path: &Path) -> anyhow::Result<()> {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match std::fs::remove_file(&name) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

/// The context of the host's calls.
pub(crate) fn host() -> anyhow::Result<CallContext> {
    Ok(CallContext::new(NamespaceName::new(NAMESPACE)?, Principal::Host))
}

/// The store of [`NAMESPACE`].
pub(crate) async fn store(database: &SqliteDatabase) -> anyhow::Result<SqliteStore> {
    Ok(database.namespace(&NamespaceName::new(NAMESPACE)?).await?)
}

/// An identity provider over this store, with a permission that allows everything.
pub(crate) fn idp(store: SqliteStore) -> anyhow::Result<Router> {
    let settings = NamespaceSettings::default().permission(Permission::allow_all());
    let name = NamespaceName::new(NAMESPACE)?;
    Ok(Router::builder()
        .hash_cost(HashCost::danger_cheap_for_tests())
        .namespace(name, Arc::new(store), settings)
        .build())
}

/// The name of a user. Names are not in the order of their numbers, as in real data.
pub(crate) fn name(number: usize) -> String {
    // A bijection of 32 bits: names are unique.
    let mixed = (number as u32).wrapping_mul(0x9E37_79B1).rotate_left(16).wrapping_mul(0x85EB_CA6B);
    format!("{mixed:08x}.{number}@example.com")
}

/// Adds users without passwords. Returns the id of the first.
pub(crate) async fn add_users(idp: &Router, users: usize) -> anyhow::Result<String> {
    let users = (0..users).map(|number| ImportUser { name: name(number), ..Default::default() }).collect();
    idp.import_users(NAMESPACE, users).await?;
    Ok(idp.user(&host()?, UserKey::Name(&name(0))).await?.id)
}

/// Limits that no measurement reaches.
pub(crate) fn limits() -> Limits {
    Limits { time: Duration::from_secs(600), calls: usize::MAX, ..Limits::default() }
}

/// A runtime without effective limits.
pub(crate) fn runtime(idp: impl IdentityProvider) -> FunctionRuntimeBuilder {
    FunctionRuntime::builder(Arc::new(idp)).limits(limits())
}

/// An identity provider that returns the same user for every id, without I/O.
pub(crate) struct Stub;

#[async_trait]
impl IdentityProvider for Stub {
    async fn user(&self, _: &CallContext, key: UserKey<'_>) -> Result<User, IdpError> {
        Ok(User {
            id: key.as_str().to_owned(),
            name: "ana@example.com".to_owned(),
            disabled: false,
            created_at: Some(Timestamp::from_unix_millis(1_767_225_600_000)),
            mfa_enrolled: false,
            mfa_factor_ids: Vec::new(),
        })
    }

    async fn users(&self, _: &CallContext, _: ListUsers) -> Result<UserPage, IdpError> {
        Err(unimplemented())
    }

    async fn create_user(&self, _: &CallContext, _: CreateUser) -> Result<User, IdpError> {
        Err(unimplemented())
    }

    async fn update_user(&self, _: &CallContext, _: UpdateUser) -> Result<User, IdpError> {
        Err(unimplemented())
    }

    async fn delete_user(&self, _: &CallContext, _: &str) -> Result<(), IdpError> {
        Err(unimplemented())
    }

    async fn send_password_reset_email(&self, _: &CallContext, _: SendPasswordResetEmail) -> Result<(), IdpError> {
        Err(unimplemented())
    }

    async fn unenroll_mfa(&self, _: &CallContext, _: UnenrollMfa) -> Result<(), IdpError> {
        Err(unimplemented())
    }
}

fn unimplemented() -> IdpError {
    IdpError::new(Code::Unimplemented, "the stub implements `user` only")
}

//! Identity providers, databases and runtimes to measure.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tailor_idp::function::{FunctionRuntime, FunctionRuntimeBuilder, Limits};
use tailor_idp::idp::{
    Code, CreateUser, HashCost, IdentityProvider, Idp, IdpError, ImportUser, ListUsers, NamespaceName,
    NamespaceSettings, Permission, Principal, SendPasswordResetEmail, Timestamp, UnenrollMfa, UpdateUser, User,
    UserPage,
};
use tailor_idp::store::{SqliteDatabase, SqliteStore};

/// The namespace of every measurement.
pub(crate) const NAMESPACE: &str = "builtin-idp";

/// Users where a measurement does not say how many: as many as fit the caches, so that what is measured is our own.
pub(crate) const USERS: usize = 1_000;

/// The file of a database, without what an earlier run has left there.
pub(crate) fn fresh_file(path: &Path) -> anyhow::Result<()> {
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

pub(crate) async fn store(database: &SqliteDatabase) -> anyhow::Result<SqliteStore> {
    Ok(database.namespace(&NamespaceName::new(NAMESPACE)?).await?)
}

/// An identity provider that permits everything, over this store.
pub(crate) fn idp(store: SqliteStore) -> anyhow::Result<Idp> {
    let settings = NamespaceSettings::default().permission(Permission::allow_all());
    let name = NamespaceName::new(NAMESPACE)?;
    Ok(Idp::builder().hash_cost(HashCost::danger_cheap_for_tests()).namespace(name, Arc::new(store), settings).build())
}

/// The name of a user: in no order, as names are.
pub(crate) fn name(number: usize) -> String {
    // A bijection of 32 bits, so that no two are the same.
    let mixed = (number as u32).wrapping_mul(0x9E37_79B1).rotate_left(16).wrapping_mul(0x85EB_CA6B);
    format!("{mixed:08x}.{number}@example.com")
}

/// Users without a password, and the id of the first.
pub(crate) async fn with_users(idp: &Idp, users: usize) -> anyhow::Result<String> {
    let users = (0..users).map(|number| ImportUser { name: name(number), ..Default::default() }).collect();
    idp.import_users(NAMESPACE, users).await?;
    Ok(idp.user_by_name(NAMESPACE, &Principal::Host, &name(0)).await?.id)
}

/// Limits that no measurement comes near.
pub(crate) fn limits() -> Limits {
    Limits { time: Duration::from_secs(600), calls: usize::MAX, ..Limits::default() }
}

pub(crate) fn runtime(idp: impl IdentityProvider) -> FunctionRuntimeBuilder {
    FunctionRuntime::builder(Arc::new(idp)).limits(limits())
}

/// In the place of an identity provider: one user, at once.
pub(crate) struct Stub;

#[async_trait]
impl IdentityProvider for Stub {
    async fn user(&self, _: &str, _: &Principal, user_id: &str) -> Result<User, IdpError> {
        Ok(User {
            id: user_id.to_owned(),
            name: "ana@example.com".to_owned(),
            disabled: false,
            created_at: Some(Timestamp::from_unix_millis(1_767_225_600_000)),
            mfa_enrolled: false,
            mfa_factor_ids: Vec::new(),
        })
    }

    async fn users(&self, _: &str, _: &Principal, _: ListUsers) -> Result<UserPage, IdpError> {
        Err(not_here())
    }

    async fn user_by_name(&self, _: &str, _: &Principal, _: &str) -> Result<User, IdpError> {
        Err(not_here())
    }

    async fn create_user(&self, _: &str, _: &Principal, _: CreateUser) -> Result<User, IdpError> {
        Err(not_here())
    }

    async fn update_user(&self, _: &str, _: &Principal, _: UpdateUser) -> Result<User, IdpError> {
        Err(not_here())
    }

    async fn delete_user(&self, _: &str, _: &Principal, _: &str) -> Result<(), IdpError> {
        Err(not_here())
    }

    async fn send_password_reset_email(
        &self,
        _: &str,
        _: &Principal,
        _: SendPasswordResetEmail,
    ) -> Result<(), IdpError> {
        Err(not_here())
    }

    async fn unenroll_mfa(&self, _: &str, _: &Principal, _: UnenrollMfa) -> Result<(), IdpError> {
        Err(not_here())
    }
}

fn not_here() -> IdpError {
    IdpError::new(Code::Unimplemented, "the stub reads users, and nothing else")
}

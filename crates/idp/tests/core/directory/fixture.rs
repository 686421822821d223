//! A directory in memory that records its calls and fails as a test tells it to.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tailor_idp_core::directory::{Capabilities, Directory, DirectoryPage, ListRequest, PasswordUpdate, UserChange};
use tailor_idp_core::{
    CallContext, Code, CreateUser, IdpError, NamespaceSettings, Password, PasswordHash, Permission, PermissionConfig,
    Principal, Router, SendPasswordResetEmail, UserKey, UserRecord, Version,
};

use crate::support::{namespace, password_hash};

/// The name of the directory in errors.
pub(super) const BACKEND: &str = "the test directory";

/// The outcome of a write, instead of the write.
pub(super) enum Fault {
    /// The write fails.
    Error(IdpError),
    /// Somebody else changes the users first.
    Change(fn(&mut Vec<UserRecord>)),
}

/// The users Ana, who has a factor, Bo, and Cy, who is disabled.
pub(super) struct TestDirectory {
    capabilities: Capabilities,
    seal_key: Option<[u8; 32]>,
    users: Mutex<Vec<UserRecord>>,
    calls: Mutex<Vec<&'static str>>,
    lists: Mutex<Vec<ListRequest>>,
    faults: Mutex<VecDeque<Fault>>,
    hashed: Mutex<u32>,
}

impl TestDirectory {
    pub(super) fn new(capabilities: Capabilities) -> Arc<Self> {
        Self::sealed(capabilities, None)
    }

    pub(super) fn sealed(capabilities: Capabilities, seal_key: Option<[u8; 32]>) -> Arc<Self> {
        let user = |(index, name): (usize, &str)| UserRecord {
            id: format!("{name}-id"),
            name: format!("{name}@example.com"),
            disabled: name == "cy",
            created_at: None,
            mfa_factor_ids: if name == "ana" { vec!["factor".to_owned()] } else { Vec::new() },
            version: Version(index as u64 * 10),
        };
        let users = Mutex::new(["ana", "bo", "cy"].into_iter().enumerate().map(user).collect());
        let (calls, lists, faults, hashed) = Default::default();
        Arc::new(Self { capabilities, seal_key, users, calls, lists, faults, hashed })
    }

    pub(super) fn complete() -> Arc<Self> {
        Self::new(Capabilities::all(BACKEND))
    }

    pub(super) fn users(&self) -> Vec<UserRecord> {
        self.users.lock().clone()
    }

    /// The calls since the last time.
    pub(super) fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.calls.lock())
    }

    /// The parameters of the listings since the last time.
    pub(super) fn lists(&self) -> Vec<ListRequest> {
        std::mem::take(&mut self.lists.lock())
    }

    /// The number of passwords that were hashed.
    pub(super) fn hashed(&self) -> u32 {
        *self.hashed.lock()
    }

    /// Sets the outcomes of the next writes.
    pub(super) fn fail(&self, faults: impl IntoIterator<Item = Fault>) {
        *self.faults.lock() = faults.into_iter().collect();
    }

    /// The user of a write, if the write goes through.
    fn begin(&self, call: &'static str, user: &UserRecord) -> Result<usize, IdpError> {
        self.calls.lock().push(call);
        let mut users = self.users.lock();
        match self.faults.lock().pop_front() {
            Some(Fault::Error(error)) => return Err(error),
            Some(Fault::Change(change)) => change(&mut users),
            None => {}
        }
        let index = users.iter().position(|other| other.id == user.id);
        let index = index.ok_or_else(|| IdpError::not_found(format!("user not found: {}", user.id)))?;
        if users[index].version == user.version { Ok(index) } else { Err(IdpError::conflict()) }
    }
}

#[async_trait]
impl Directory for TestDirectory {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn seal_key(&self) -> Option<[u8; 32]> {
        self.seal_key
    }

    async fn get(&self, _: &CallContext, key: UserKey<'_>) -> Result<Option<UserRecord>, IdpError> {
        self.calls.lock().push("get");
        let is_it = |user: &&UserRecord| match key {
            UserKey::Id(id) => user.id == id,
            UserKey::Name(name) => user.name == name,
        };
        Ok(self.users.lock().iter().find(is_it).cloned())
    }

    async fn list(&self, _: &CallContext, request: ListRequest) -> Result<DirectoryPage, IdpError> {
        self.calls.lock().push("list");
        self.lists.lock().push(request.clone());
        let ListRequest { query, visible, after, limit } = request;
        let filter = query.into_predicate();
        let users = self.users();
        let all: Vec<_> = users.into_iter().filter(|user| filter.holds(user) && visible.holds(user)).collect();
        let start = after.map_or(0, |cursor| cursor.strip_prefix("offset ").unwrap().parse().unwrap());
        let users: Vec<_> = all.iter().skip(start).take(limit as usize).cloned().collect();
        let end = start + users.len();
        let next = (end < all.len()).then(|| format!("offset {end}"));
        Ok(DirectoryPage { users, next, total: all.len() as u64 })
    }

    async fn create(&self, _: &CallContext, user: CreateUser) -> Result<UserRecord, IdpError> {
        self.calls.lock().push("create");
        if let Some(Fault::Error(error)) = self.faults.lock().pop_front() {
            return Err(error);
        }
        let CreateUser { name, password: _, disabled } = user;
        let mut users = self.users.lock();
        if users.iter().any(|other| other.name == name) {
            return Err(IdpError::new(Code::AlreadyExists, format!("user already exists: {name}")));
        }
        let (id, version) = (format!("{}-id", users.len()), Version(0));
        let user = UserRecord { id, name, disabled, created_at: None, mfa_factor_ids: Vec::new(), version };
        users.push(user.clone());
        Ok(user)
    }

    async fn update(&self, _: &CallContext, user: &UserRecord, change: &UserChange) -> Result<UserRecord, IdpError> {
        if let PasswordUpdate::Set(password) = &change.password {
            let hash = async |_: Password| {
                *self.hashed.lock() += 1;
                Ok::<PasswordHash, IdpError>(password_hash("hash"))
            };
            password.hash_with(hash).await?;
        }
        let index = self.begin("update", user)?;
        let user = &mut self.users.lock()[index];
        *user = change.applied_to(user);
        user.version.0 += 1;
        Ok(user.clone())
    }

    async fn delete(&self, _: &CallContext, user: &UserRecord) -> Result<(), IdpError> {
        let index = self.begin("delete", user)?;
        self.users.lock().remove(index);
        Ok(())
    }

    async fn send_password_reset_email(
        &self,
        _: &CallContext,
        user: &UserRecord,
        _: &SendPasswordResetEmail,
    ) -> Result<(), IdpError> {
        self.begin("send_password_reset_email", user).map(drop)
    }

    async fn remove_factor(&self, _: &CallContext, user: &UserRecord, factor_id: &str) -> Result<(), IdpError> {
        let index = self.begin("remove_factor", user)?;
        self.users.lock()[index].mfa_factor_ids.retain(|id| id != factor_id);
        Ok(())
    }
}

pub(super) fn router(directory: &Arc<TestDirectory>, permission: Permission) -> Router {
    let settings = NamespaceSettings::default().enable_mfa(true).permission(permission);
    Router::builder().directory(namespace("users"), Arc::clone(directory) as _, settings).build()
}

pub(super) fn compile(config: Value) -> Permission {
    serde_json::from_value::<PermissionConfig>(config).unwrap().compile().unwrap()
}

/// Policies for an operation that permit everything.
pub(super) fn everybody() -> Value {
    json!([{ "conditions": [] }])
}

/// A permission of all operations, but of `read` for enabled users only.
pub(super) fn read_enabled() -> Permission {
    compile(json!({
        "read": [{ "conditions": [[{ "idpUser": "disabled" }, "=", false]] }],
        "create": everybody(),
        "update": everybody(),
        "delete": everybody(),
        "sendPasswordResetEmail": everybody(),
        "unenrollMfa": everybody(),
    }))
}

pub(super) fn host() -> CallContext {
    CallContext::new(namespace("users"), Principal::Host)
}

pub(super) fn anonymous() -> CallContext {
    CallContext::new(namespace("users"), Principal::Anonymous)
}

/// The code and the detail of a failure.
pub(super) fn failure<T: std::fmt::Debug>(outcome: Result<T, IdpError>) -> (Code, String) {
    let error = outcome.unwrap_err();
    (error.code(), error.detail().to_owned())
}

/// A call that writes, to a directory with the users of [`TestDirectory`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Write {
    Update,
    Delete,
    Mail,
    RemoveFactor,
}

impl Write {
    pub(super) const ALL: [Self; 4] = [Self::Update, Self::Delete, Self::Mail, Self::RemoveFactor];

    /// The method of the directory.
    pub(super) const fn method(self) -> &'static str {
        match self {
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Mail => "send_password_reset_email",
            Self::RemoveFactor => "remove_factor",
        }
    }

    /// Calls the router for Ana.
    pub(super) async fn call(self, idp: &Router, context: &CallContext) -> Result<(), IdpError> {
        use tailor_idp_core::{IdentityProvider, UnenrollMfa, UpdateUser};
        let id = || "ana-id".to_owned();
        match self {
            Self::Update => {
                let request = UpdateUser { id: id(), name: Some("anna@example.com".into()), ..UpdateUser::default() };
                idp.update_user(context, request).await.map(drop)
            }
            Self::Delete => idp.delete_user(context, &id()).await,
            Self::Mail => {
                let redirect_uri = "https://example.com/".to_owned();
                let request = SendPasswordResetEmail { user_id: id(), redirect_uri, ..Default::default() };
                idp.send_password_reset_email(context, request).await
            }
            Self::RemoveFactor => {
                idp.unenroll_mfa(context, UnenrollMfa { user_id: id(), mfa_factor_id: "factor".into() }).await
            }
        }
    }
}

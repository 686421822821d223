//! One namespace: its store, and the rules of its settings.

use std::sync::Arc;

use super::error::shortened;
use super::model::{CreateUser, ListUsers, NamespaceName, Password, Timestamp, UpdateUser, User, UserPage, UserQuery};
use super::password::{PasswordHash, SharedHasher};
use super::permission::{Operation, Subject, Target};
use super::settings::NamespaceSettings;
use super::sign_in::SignInState;
use super::{Code, IdpError, Principal, UserAuthPolicy, identifier, page_token};
use crate::store::{
    NewUser, PageRequest, PasswordChange, StoreError, UserChange, UserKey, UserRecord, UserStore, WriteOptions,
};

/// Users on a page where the caller does not say.
const DEFAULT_FIRST: i64 = 100;
/// Users on a page at the most: a page is held in memory, here and in the script.
const MAX_FIRST: i64 = 1000;

pub(super) struct Namespace {
    pub(super) name: NamespaceName,
    pub(super) store: Arc<dyn UserStore>,
    pub(super) settings: Arc<NamespaceSettings>,
    pub(super) sign_in: SignInState,
    pub(super) hasher: SharedHasher,
}

impl Namespace {
    pub(super) fn new(
        name: NamespaceName,
        store: Arc<dyn UserStore>,
        settings: NamespaceSettings,
        hasher: SharedHasher,
        sign_in: SignInState,
    ) -> Self {
        if settings.publish_user_events && store.events().is_none() {
            tracing::warn!(namespace = %name, "publishUserEvents is on, and the store keeps no events: there will be none");
        }
        Self { name, store, settings: Arc::new(settings), sign_in, hasher }
    }

    pub(super) async fn users(&self, principal: &Principal, options: ListUsers) -> Result<UserPage, IdpError> {
        let first = options.first.unwrap_or(DEFAULT_FIRST);
        if !(1..=MAX_FIRST).contains(&first) {
            return Err(IdpError::invalid_argument(format!("first must be between 1 and {MAX_FIRST}: got {first}")));
        }
        let query = self.canonical(options.query)?;
        let key = self.store.page_token_key();
        let after = options.after.map(|token| page_token::open(&key, &self.name, &query, &token)).transpose()?;
        let limit = first.unsigned_abs() as u32;
        let visible = self.settings.permission.visible(principal);
        let request = PageRequest { query: query.clone(), visible, after, limit };
        let page = self.store.list(request).await.map_err(failed)?;
        let last = page.users.last().filter(|_| page.more);
        let next_page_token = last.map(|user| page_token::seal(&key, &self.name, &query, &user.id));
        let users = page.users.into_iter().map(|record| self.visible(record)).collect();
        Ok(UserPage { users, next_page_token, total_count: page.total })
    }

    pub(super) async fn user(&self, principal: &Principal, user_id: &str) -> Result<User, IdpError> {
        let record = self.store.get(UserKey::Id(user_id)).await.map_err(failed)?;
        let record = record.ok_or_else(|| user_not_found(user_id))?;
        self.readable(principal, record)
    }

    pub(super) async fn user_by_name(&self, principal: &Principal, name: &str) -> Result<User, IdpError> {
        let normal = identifier::normalize(self.policy().name_kind(), name);
        let record = self.store.get(UserKey::Name(&normal)).await.map_err(failed)?;
        let record = record.ok_or_else(|| user_not_found(&normal))?;
        self.readable(principal, record)
    }

    pub(super) async fn create_user(&self, principal: &Principal, input: CreateUser) -> Result<User, IdpError> {
        let name = identifier::validate(self.policy().name_kind(), &input.name)?;
        let subject = Subject { id: None, name: &name, disabled: input.disabled };
        // Ahead of the policy, which is not everybody's to learn.
        self.require(Operation::Create, principal, &Target::User(subject))?;
        self.policy().check_domain(&name)?;
        let password = match input.password {
            Some(password) => Some(self.hash(password).await?),
            None => None,
        };
        let user = NewUser { name: name.clone(), password, disabled: input.disabled };
        let record = self
            .store
            .insert(user, self.publishes())
            .await
            .map_err(|error| clashed(error, Operation::Create, &name))?;
        Ok(self.visible(record))
    }

    pub(super) async fn update_user(&self, principal: &Principal, input: UpdateUser) -> Result<User, IdpError> {
        if input.password.is_some() && input.clear_password {
            return Err(IdpError::invalid_argument("password and clearPassword exclude each other"));
        }
        let kind = self.policy().name_kind();
        let name = input.name.map(|name| identifier::validate(kind, &name)).transpose()?;
        let mut change = UserChange { name: name.clone(), disabled: input.disabled, password: PasswordChange::Keep };
        if name.is_some() || input.clear_password || input.password.is_some() {
            // Ahead of the policy, as in `create_user`, and of the hash, which is dear. The write asks again.
            self.require_update(principal, &input.id, &change).await?;
        }
        if let Some(name) = &name {
            self.policy().check_domain(name)?;
        }
        if input.clear_password {
            self.policy().check_password_use("clearPassword")?;
            change.password = PasswordChange::Clear;
        } else if let Some(password) = input.password {
            change.password = PasswordChange::Set(self.hash(password).await?);
        }
        let name = name.unwrap_or_default();
        let options = self.write(Operation::Update, principal);
        let updated = self.store.update(&input.id, change, options).await;
        let record = updated.map_err(|error| clashed(error, Operation::Update, &name))?;
        record.map(|record| self.visible(record)).ok_or_else(|| user_not_found(&input.id))
    }

    async fn require_update(&self, principal: &Principal, id: &str, change: &UserChange) -> Result<(), IdpError> {
        let old = self.store.get(UserKey::Id(id)).await.map_err(failed)?.ok_or_else(|| user_not_found(id))?;
        let new = change.applied_to(&old);
        self.require(Operation::Update, principal, &Target::Change { old: (&old).into(), new: (&new).into() })
    }

    pub(super) async fn delete_user(&self, principal: &Principal, user_id: &str) -> Result<(), IdpError> {
        let options = self.write(Operation::Delete, principal);
        let deleted = self.store.delete(user_id, options).await.map_err(|error| refused(error, Operation::Delete))?;
        if deleted { Ok(()) } else { Err(user_not_found(user_id)) }
    }

    /// What comes with a write: whether it is permitted, asked in its own transaction, and whether it is published.
    pub(super) fn write(&self, operation: Operation, principal: &Principal) -> WriteOptions {
        self.write_all(&[operation], principal)
    }

    /// A write that needs several permissions.
    pub(super) fn write_all(&self, operations: &[Operation], principal: &Principal) -> WriteOptions {
        let (settings, operations, principal) = (Arc::clone(&self.settings), operations.to_vec(), principal.clone());
        let check = move |user: &UserRecord, changed: Option<&UserRecord>| {
            let target = match changed {
                Some(new) => Target::Change { old: user.into(), new: new.into() },
                None => Target::User(user.into()),
            };
            operations.iter().all(|operation| settings.permission.allows(*operation, &principal, &target))
        };
        WriteOptions { check: Box::new(check), publish: self.publishes() }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.sign_in.clock.now()
    }

    pub(super) fn publishes(&self) -> bool {
        self.settings.publish_user_events
    }

    fn readable(&self, principal: &Principal, record: UserRecord) -> Result<User, IdpError> {
        self.require(Operation::Read, principal, &Target::User((&record).into()))?;
        Ok(self.visible(record))
    }

    fn require(&self, operation: Operation, principal: &Principal, target: &Target<'_>) -> Result<(), IdpError> {
        if self.settings.permission.allows(operation, principal, target) { Ok(()) } else { Err(denied(operation)) }
    }

    pub(super) fn policy(&self) -> &UserAuthPolicy {
        &self.settings.user_auth_policy
    }

    pub(super) async fn hash(&self, password: Password) -> Result<PasswordHash, IdpError> {
        self.policy().check_password_use("password")?;
        self.policy().check_password(&password)?;
        self.hasher.hash(password).await.map_err(internal)
    }

    /// The query in the one form that all its spellings share: names normalised, sorted, no duplicates.
    fn canonical(&self, query: UserQuery) -> Result<UserQuery, IdpError> {
        let kind = self.policy().name_kind();
        let names = query.names.map(|names| names.iter().map(|name| identifier::normalize(kind, name)).collect());
        Ok(UserQuery { ids: canonical("query.ids", query.ids)?, names: canonical("query.names", names)? })
    }

    pub(super) fn visible(&self, record: UserRecord) -> User {
        User {
            id: record.id,
            name: record.name,
            disabled: record.disabled,
            created_at: record.created_at,
            mfa_enrolled: self.policy().enable_mfa && !record.mfa_factor_ids.is_empty(),
            mfa_factor_ids: record.mfa_factor_ids,
        }
    }
}

fn canonical(field: &str, filter: Option<Vec<String>>) -> Result<Option<Vec<String>>, IdpError> {
    let Some(mut values) = filter else { return Ok(None) };
    UserQuery::check_length(field, values.len())?;
    values.sort_unstable();
    values.dedup();
    Ok(Some(values))
}

pub(super) fn user_not_found(user: &str) -> IdpError {
    IdpError::not_found(format!("user not found: {}", shortened(user)))
}

/// Says what was denied, and nothing of the policies.
fn denied(operation: Operation) -> IdpError {
    IdpError::new(Code::PermissionDenied, format!("permission denied: {}", operation.name()))
}

/// A store's failure, where a name may have been taken.
fn clashed(error: StoreError, operation: Operation, name: &str) -> IdpError {
    match error {
        StoreError::NameTaken => IdpError::new(Code::AlreadyExists, format!("user already exists: {name}")),
        other => refused(other, operation),
    }
}

/// A store's failure, where the write's check may have refused the operation.
pub(super) fn refused(error: StoreError, operation: Operation) -> IdpError {
    match error {
        StoreError::Denied => denied(operation),
        other => failed(other),
    }
}

/// A store's failure. What went wrong is the source, for the host; a script learns whether to try again.
pub(super) fn failed(error: StoreError) -> IdpError {
    match error {
        StoreError::Locked { .. } => {
            IdpError::new(Code::Unavailable, "the user store is busy, try again").with_source(error)
        }
        other => internal(other),
    }
}

pub(super) fn internal(error: impl std::error::Error + Send + Sync + 'static) -> IdpError {
    IdpError::new(Code::Internal, "internal error").with_source(error)
}

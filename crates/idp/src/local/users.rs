//! The directory over a store.

use std::sync::Arc;

use async_trait::async_trait;

use super::error::{failed, failed_to_name};
use super::{LocalDirectory, expect, outbox};
use crate::directory::{CallContext, Capabilities, Directory, DirectoryPage, ListRequest, PasswordUpdate, UserChange};
use crate::model::{
    CreateUser, EventKind, IdpError, Password, PasswordHash, Predicate, SendPasswordResetEmail, UserKey, UserRecord,
    internal, shortened,
};
use crate::store::{
    Batch, Committed, Mutation, NewUser, PageRequest, PasswordChange, QueueName, StoreError, UserPatch, UserRef,
    within_deadline,
};

/// The password of a user as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredPassword {
    /// The user has no password.
    None,
    /// The hash of the password.
    Hash(PasswordHash),
    /// A text that is no hash, which no password matches.
    Malformed,
}

/// The users in a store as a [`Directory`]. Not public: writes go through the rules.
pub(crate) struct StoreDirectory {
    local: Arc<LocalDirectory>,
    capabilities: Capabilities,
}

impl StoreDirectory {
    pub(crate) fn new(local: Arc<LocalDirectory>) -> Self {
        Self { local, capabilities: Capabilities::all("the user store") }
    }

    async fn publish(&self, context: &CallContext, batch: Batch) -> Result<Committed, StoreError> {
        within_deadline(context.deadline, self.local.publish(batch)).await
    }
}

#[async_trait]
impl Directory for StoreDirectory {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn seal_key(&self) -> Option<[u8; 32]> {
        Some(self.local.store.seal_key())
    }

    async fn get(&self, context: &CallContext, key: UserKey<'_>) -> Result<Option<UserRecord>, IdpError> {
        within_deadline(context.deadline, self.local.store.get(key)).await.map_err(failed)
    }

    async fn list(&self, context: &CallContext, request: ListRequest) -> Result<DirectoryPage, IdpError> {
        let ListRequest { query, visible, after, limit } = request;
        // One predicate: where a policy and a filter name users, the store looks up those that both name.
        let filter = Predicate::all([query.into_predicate(), visible]);
        let listed = self.local.store.list(PageRequest { filter, after, limit });
        let page = within_deadline(context.deadline, listed).await.map_err(failed)?;
        let next = page.users.last().filter(|_| page.more).map(|user| user.id.clone());
        Ok(DirectoryPage { users: page.users, next, total: page.total })
    }

    async fn create(&self, context: &CallContext, user: CreateUser) -> Result<UserRecord, IdpError> {
        let CreateUser { name, password, disabled } = user;
        let password = match password {
            Some(password) => Some(self.local.hash(password).await?),
            None => None,
        };
        let batch = Batch {
            mutations: vec![Mutation::CreateUser(NewUser { name: name.clone(), password, disabled, created_at: None })],
            events: self.local.event(UserRef::Created, EventKind::Created),
            ..Batch::default()
        };
        let committed = self.publish(context, batch).await.map_err(|error| failed_to_name(error, &name))?;
        committed.created.into_iter().next().ok_or_else(|| internal("the store returned no user"))
    }

    async fn prepare_update(&self, change: &UserChange) -> Result<(), IdpError> {
        if let PasswordUpdate::Set(password) = &change.password {
            password.hash_with(|password| self.local.hash(password)).await?;
        }
        Ok(())
    }

    async fn update(
        &self,
        context: &CallContext,
        user: &UserRecord,
        change: &UserChange,
    ) -> Result<UserRecord, IdpError> {
        let UserChange { name, password, disabled } = change;
        let (password, sets_password) = match password {
            PasswordUpdate::Keep => (PasswordChange::Keep, false),
            // Clearing a password that does not exist is no change.
            PasswordUpdate::Clear => {
                (PasswordChange::Clear, within_deadline(context.deadline, self.local.has_password(user)).await?)
            }
            PasswordUpdate::Set(password) => {
                (PasswordChange::Set(password.hash_with(|password| self.local.hash(password)).await?.clone()), true)
            }
        };
        let ends_resets = !matches!(password, PasswordChange::Keep) || *disabled == Some(true);
        let patch = UserPatch { name: name.clone(), disabled: *disabled, password };
        let mut new = patch.applied_to(user);
        let renamed = new.name != user.name;
        let changes = new != *user || sets_password;
        let mut mutations = Vec::new();
        if changes {
            mutations.push(Mutation::UpdateUser { id: user.id.clone(), patch });
        }
        if ends_resets {
            mutations.extend(outbox::end_resets(&user.id, "not sent: the password was changed or the user disabled"));
        } else if renamed {
            mutations.extend(outbox::redirect_resets(&user.id));
        }
        if mutations.is_empty() {
            return Ok(new);
        }
        let events =
            if changes { self.local.event(UserRef::Id(user.id.clone()), EventKind::Updated) } else { Vec::new() };
        let batch = Batch { expect: vec![expect(user)], mutations, events };
        self.publish(context, batch).await.map_err(|error| failed_to_name(error, &new.name))?;
        if changes {
            new.version.0 += 1;
        }
        Ok(new)
    }

    async fn delete(&self, context: &CallContext, user: &UserRecord) -> Result<(), IdpError> {
        let id = user.id.clone();
        let batch = Batch {
            expect: vec![expect(user)],
            mutations: vec![
                Mutation::DeleteUser { id: id.clone() },
                Mutation::DeleteJobs { queue: QueueName::ResetMails, user_id: id.clone() },
            ],
            events: self.local.event(UserRef::Id(id), EventKind::Deleted),
        };
        self.publish(context, batch).await.map_err(failed)?;
        Ok(())
    }

    async fn send_password_reset_email(
        &self,
        context: &CallContext,
        user: &UserRecord,
        mail: &SendPasswordResetEmail,
    ) -> Result<(), IdpError> {
        within_deadline(context.deadline, self.local.queue_reset_mail(user, mail)).await
    }

    async fn remove_factor(&self, context: &CallContext, user: &UserRecord, factor_id: &str) -> Result<(), IdpError> {
        if !user.mfa_factor_ids.iter().any(|id| id == factor_id) {
            return Err(IdpError::not_found(format!("MFA factor not found: {}", shortened(factor_id))));
        }
        let id = user.id.clone();
        let batch = Batch {
            expect: vec![expect(user)],
            mutations: vec![
                Mutation::DeleteFactor { user_id: id.clone(), factor_id: factor_id.to_owned() },
                Mutation::TouchUser { id: id.clone() },
            ],
            events: self.local.event(UserRef::Id(id), EventKind::Updated),
        };
        self.publish(context, batch).await.map_err(failed)?;
        Ok(())
    }
}

impl LocalDirectory {
    /// The hash of a password that has passed the policy.
    pub(super) async fn hash(&self, password: Password) -> Result<PasswordHash, IdpError> {
        self.hasher.hash(password).await.map_err(internal)
    }

    /// The password of a user as it is stored, for hosts that export or move users. `None` if the user does not exist any more.
    ///
    /// # Errors
    ///
    /// [`Code::Unavailable`](crate::model::Code::Unavailable) if the store cannot be read.
    pub async fn stored_password(&self, user_id: &str) -> Result<Option<StoredPassword>, IdpError> {
        let credentials = self.store.credentials(UserKey::Id(user_id)).await.map_err(failed)?;
        Ok(credentials.map(|credentials| match credentials.password {
            Ok(None) => StoredPassword::None,
            Ok(Some(hash)) => StoredPassword::Hash(hash),
            Err(_) => StoredPassword::Malformed,
        }))
    }

    async fn has_password(&self, user: &UserRecord) -> Result<bool, IdpError> {
        let credentials = self.store.credentials(UserKey::Id(&user.id)).await.map_err(failed)?;
        // A malformed hash is a password that can be removed.
        Ok(credentials.ok_or(StoreError::Conflict).map_err(failed)?.password != Ok(None))
    }
}

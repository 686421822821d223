//! A store without the rules: what most of the contract is about.

use std::sync::Arc;
use std::time::Duration;

use tailor_idp::idp::Timestamp;
use tailor_idp::store::{
    CredentialStore, MailLimit, MailState, MfaStore, NewFactor, NewUser, Page, PageRequest, Queued, ResetMail,
    StoreError, UserChange, UserKey, UserRecord, UserStore, WriteOptions,
};

pub(crate) type Store = Arc<Plain>;

/// A store whose writes nobody checks, and nobody is told of.
pub(crate) struct Plain(pub(crate) Arc<dyn UserStore>);

impl Plain {
    pub(crate) fn of(store: impl UserStore + 'static) -> Store {
        Arc::new(Self(Arc::new(store)))
    }

    pub(crate) async fn insert(&self, user: NewUser) -> Result<UserRecord, StoreError> {
        self.0.insert(user, false).await
    }

    pub(crate) async fn get(&self, key: UserKey<'_>) -> Result<Option<UserRecord>, StoreError> {
        self.0.get(key).await
    }

    pub(crate) async fn list(&self, request: PageRequest) -> Result<Page, StoreError> {
        self.0.list(request).await
    }

    pub(crate) async fn update(&self, id: &str, change: UserChange) -> Result<Option<UserRecord>, StoreError> {
        self.0.update(id, change, WriteOptions::unchecked()).await
    }

    pub(crate) async fn delete(&self, id: &str) -> Result<bool, StoreError> {
        self.0.delete(id, WriteOptions::unchecked()).await
    }

    /// A confirmed factor of the user's, by its id.
    pub(crate) async fn add_mfa_factor(&self, user_id: &str) -> Result<Option<String>, StoreError> {
        add_factor(self.mfa(), user_id, WriteOptions::unchecked()).await
    }

    pub(crate) fn mfa(&self) -> &dyn MfaStore {
        self.0.mfa().unwrap()
    }

    pub(crate) fn credentials(&self) -> &dyn CredentialStore {
        self.0.credentials().unwrap()
    }

    pub(crate) async fn remove_mfa_factor(&self, user_id: &str, factor_id: &str) -> Result<bool, StoreError> {
        let removed = self.mfa().remove_factor(user_id, factor_id, WriteOptions::unchecked()).await;
        removed.map(|removed| removed == Some(true))
    }

    pub(crate) async fn queue_reset_mail(&self, mail: ResetMail) -> Result<bool, StoreError> {
        const NONE: MailLimit = MailLimit { mails: u32::MAX, window: Duration::ZERO };
        let queued =
            self.0.reset_mails().unwrap().queue(mail, Timestamp::now(), NONE, WriteOptions::unchecked()).await?;
        Ok(queued == Queued::Done)
    }

    pub(crate) async fn reset_mails(&self) -> Result<Vec<ResetMail>, StoreError> {
        let mails = self.0.reset_mails().unwrap().mails(Some(MailState::Queued), u32::MAX).await?;
        Ok(mails.into_iter().rev().map(|record| record.mail).collect())
    }

    pub(crate) fn page_token_key(&self) -> [u8; 32] {
        self.0.page_token_key()
    }
}

/// Adds a factor, confirms it, and returns its id.
pub(crate) async fn add_factor(
    store: &dyn MfaStore,
    user_id: &str,
    options: WriteOptions,
) -> Result<Option<String>, StoreError> {
    let factor = NewFactor {
        id: uuid::Uuid::now_v7().to_string(),
        secret: b"sealed".to_vec(),
        expires_at: Timestamp::from_unix_millis(1),
    };
    let id = factor.id.clone();
    if !store.add_factor(user_id, factor).await? {
        return Ok(None);
    }
    let now = Timestamp::from_unix_millis(0);
    assert!(store.confirm_factor(user_id, &id, 0, now, options).await?);
    Ok(Some(id))
}

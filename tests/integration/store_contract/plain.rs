//! A store without the rules: what most of the contract is about.

use std::sync::Arc;
use std::time::Duration;

use tailor_idp::idp::Timestamp;
use tailor_idp::store::{
    MailLimit, NewUser, Page, PageRequest, Queued, ResetMail, StoreError, UserChange, UserKey, UserRecord, UserStore,
    WriteOptions,
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

    pub(crate) async fn add_mfa_factor(&self, user_id: &str) -> Result<Option<String>, StoreError> {
        self.0.mfa().unwrap().add_factor(user_id, false).await
    }

    pub(crate) async fn remove_mfa_factor(&self, user_id: &str, factor_id: &str) -> Result<bool, StoreError> {
        let removed = self.0.mfa().unwrap().remove_factor(user_id, factor_id, WriteOptions::unchecked()).await;
        removed.map(|removed| removed == Some(true))
    }

    pub(crate) async fn queue_reset_mail(&self, mail: ResetMail) -> Result<bool, StoreError> {
        const NONE: MailLimit = MailLimit { mails: u32::MAX, window: Duration::ZERO };
        let queued =
            self.0.reset_mails().unwrap().queue(mail, Timestamp::now(), NONE, WriteOptions::unchecked()).await?;
        Ok(queued == Queued::Done)
    }

    pub(crate) async fn reset_mails(&self) -> Result<Vec<ResetMail>, StoreError> {
        self.0.reset_mails().unwrap().queued().await
    }

    pub(crate) fn page_token_key(&self) -> [u8; 32] {
        self.0.page_token_key()
    }
}

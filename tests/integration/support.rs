//! What several of the tests need.

use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tailor_idp::idp::{
    CreateUser, HashCost, IdentityProvider, Idp, NameKind, NamespaceName, NamespaceSettings, PasswordHash,
};
use tailor_idp::store::{
    NewUser, Page, PageRequest, ResetMail, StoreError, UserChange, UserKey, UserRecord, UserStore,
};

/// The program, with no more than what the tests set in its environment.
pub(crate) fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_tailor-idp"));
    program.env_remove("TAILOR_IDP_LOG").env("RUST_BACKTRACE", "0");
    program
}

/// How a run of the program ended, in a form that shows well in a failed test.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl End {
    pub(crate) fn of(command: &mut Command) -> Self {
        let Output { status, stdout, stderr } = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

pub(crate) fn namespace(name: &str) -> NamespaceName {
    NamespaceName::new(name).unwrap()
}

/// A hash as stores are given one. Only the service makes any.
pub(crate) async fn password_hash(password: &str) -> PasswordHash {
    let seen = Arc::new(Seen::default());
    let store: Arc<dyn UserStore> = Arc::<Seen>::clone(&seen);
    let settings = NamespaceSettings::default().name_kind(NameKind::Any);
    let idp = Idp::builder().hash_cost(HashCost::danger_cheap_for_tests());
    let idp = idp.namespace(namespace("users"), store, settings).build();
    let user = CreateUser { name: "a".into(), password: Some(password.into()), ..Default::default() };
    idp.create_user("users", user).await.unwrap_err();
    let hash = seen.0.lock().unwrap().take();
    hash.unwrap()
}

/// A store that keeps nothing but the hash of the last password that it was given.
#[derive(Default)]
struct Seen(Mutex<Option<PasswordHash>>);

#[async_trait]
impl UserStore for Seen {
    async fn insert(&self, user: NewUser) -> Result<UserRecord, StoreError> {
        *self.0.lock().unwrap() = user.password;
        Err(StoreError::Closed)
    }

    async fn get(&self, _key: UserKey<'_>) -> Result<Option<UserRecord>, StoreError> {
        Err(StoreError::Closed)
    }

    async fn list(&self, _request: PageRequest) -> Result<Page, StoreError> {
        Err(StoreError::Closed)
    }

    async fn update(&self, _id: &str, _change: UserChange) -> Result<Option<UserRecord>, StoreError> {
        Err(StoreError::Closed)
    }

    async fn delete(&self, _id: &str) -> Result<bool, StoreError> {
        Err(StoreError::Closed)
    }

    async fn add_mfa_factor(&self, _user_id: &str) -> Result<Option<String>, StoreError> {
        Err(StoreError::Closed)
    }

    async fn remove_mfa_factor(&self, _user_id: &str, _factor_id: &str) -> Result<bool, StoreError> {
        Err(StoreError::Closed)
    }

    async fn queue_reset_mail(&self, _mail: ResetMail) -> Result<bool, StoreError> {
        Err(StoreError::Closed)
    }

    async fn reset_mails(&self) -> Result<Vec<ResetMail>, StoreError> {
        Err(StoreError::Closed)
    }

    fn page_token_key(&self) -> [u8; 32] {
        [0; 32]
    }
}

//! The service: the rules between what is asked for and what a store does.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;

use super::error::shortened;
use super::interface::IdentityProvider;
use super::model::{
    CreateUser, ListUsers, NamespaceName, Password, SendPasswordResetEmail, UnenrollMfa, UpdateUser, User, UserPage,
    UserQuery,
};
use super::password::{HashCost, Hasher, PasswordHash, SharedHasher};
use super::settings::{NameKind, NamespaceSettings};
use super::{Code, IdpError, identifier, page_token};
use crate::store::{
    NewUser, PageRequest, PasswordChange, ResetMail, StoreError, UserChange, UserKey, UserRecord, UserStore,
};

/// Users on a page where the caller does not say.
const DEFAULT_FIRST: i64 = 100;
/// Users on a page at the most: a page is held in memory, here and in the script.
const MAX_FIRST: i64 = 1000;
/// Characters in a mail's sender name or subject.
const MAX_MAIL_TEXT: usize = 200;
/// Characters in a redirect URI: what browsers and proxies agree to carry.
const MAX_REDIRECT_URI: usize = 2048;

/// The identity provider over the host's stores. Cheap to clone.
///
/// ```
/// use std::sync::Arc;
/// use tailor_idp::idp::{CreateUser, IdentityProvider, Idp, NamespaceName, NamespaceSettings};
/// use tailor_idp::store::SqliteDatabase;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let name = NamespaceName::new("builtin-idp")?;
/// let store = SqliteDatabase::in_memory()?.namespace(&name).await?;
/// let idp = Idp::builder().namespace(name, Arc::new(store), NamespaceSettings::default()).build();
///
/// let ana = CreateUser { name: "Ana@example.com".into(), ..Default::default() };
/// let user = idp.create_user("builtin-idp", ana).await?;
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

    /// The identity provider.
    pub fn build(self) -> Idp {
        let hasher = Arc::new(Hasher::new(self.hash_cost));
        let namespace = |(name, store, settings): (NamespaceName, _, _)| {
            (name.clone(), Namespace { name, store, settings, hasher: Arc::clone(&hasher) })
        };
        Idp(Arc::new(self.namespaces.into_iter().map(namespace).collect()))
    }
}

impl Idp {
    /// Starts an identity provider without namespaces.
    pub fn builder() -> IdpBuilder {
        IdpBuilder::default()
    }

    /// Gives the user a new MFA factor and returns its id: the host's side of
    /// [`unenroll_mfa`](IdentityProvider::unenroll_mfa).
    ///
    /// # Errors
    ///
    /// [`Code::NotFound`] for an unknown namespace or user, [`Code::FailedPrecondition`] where MFA is off.
    pub async fn enroll_mfa(&self, namespace: &str, user_id: &str) -> Result<String, IdpError> {
        let namespace = self.namespace(namespace)?;
        namespace.require_mfa()?;
        let factor = namespace.store.add_mfa_factor(user_id).await.map_err(failed)?;
        factor.ok_or_else(|| user_not_found(user_id))
    }

    /// The password-reset mails in the namespace's queue, oldest first.
    ///
    /// # Errors
    ///
    /// [`Code::NotFound`] for an unknown namespace.
    pub async fn queued_reset_mails(&self, namespace: &str) -> Result<Vec<ResetMail>, IdpError> {
        self.namespace(namespace)?.store.reset_mails().await.map_err(failed)
    }

    fn namespace(&self, name: &str) -> Result<&Namespace, IdpError> {
        self.0.get(name).ok_or_else(|| IdpError::not_found(format!("namespace not found: {name}")))
    }
}

#[async_trait]
impl IdentityProvider for Idp {
    async fn users(&self, namespace: &str, options: ListUsers) -> Result<UserPage, IdpError> {
        self.namespace(namespace)?.users(options).await
    }

    async fn user(&self, namespace: &str, user_id: &str) -> Result<User, IdpError> {
        self.namespace(namespace)?.user(user_id).await
    }

    async fn user_by_name(&self, namespace: &str, name: &str) -> Result<User, IdpError> {
        self.namespace(namespace)?.user_by_name(name).await
    }

    async fn create_user(&self, namespace: &str, input: CreateUser) -> Result<User, IdpError> {
        self.namespace(namespace)?.create_user(input).await
    }

    async fn update_user(&self, namespace: &str, input: UpdateUser) -> Result<User, IdpError> {
        self.namespace(namespace)?.update_user(input).await
    }

    async fn delete_user(&self, namespace: &str, user_id: &str) -> Result<(), IdpError> {
        self.namespace(namespace)?.delete_user(user_id).await
    }

    async fn send_password_reset_email(&self, namespace: &str, input: SendPasswordResetEmail) -> Result<(), IdpError> {
        self.namespace(namespace)?.send_password_reset_email(input).await
    }

    async fn unenroll_mfa(&self, namespace: &str, input: UnenrollMfa) -> Result<(), IdpError> {
        self.namespace(namespace)?.unenroll_mfa(input).await
    }
}

/// One namespace: its store, and the rules of its settings.
struct Namespace {
    name: NamespaceName,
    store: Arc<dyn UserStore>,
    settings: NamespaceSettings,
    hasher: SharedHasher,
}

impl Namespace {
    async fn users(&self, options: ListUsers) -> Result<UserPage, IdpError> {
        let first = options.first.unwrap_or(DEFAULT_FIRST);
        if !(1..=MAX_FIRST).contains(&first) {
            return Err(IdpError::invalid_argument(format!("first must be between 1 and {MAX_FIRST}: got {first}")));
        }
        let query = self.canonical(options.query)?;
        let key = self.store.page_token_key();
        let after = options.after.map(|token| page_token::open(&key, &self.name, &query, &token)).transpose()?;
        let limit = first.unsigned_abs() as u32;
        let page = self.store.list(PageRequest { query: query.clone(), after, limit }).await.map_err(failed)?;
        let last = page.users.last().filter(|_| page.more);
        let next_page_token = last.map(|user| page_token::seal(&key, &self.name, &query, &user.id));
        let users = page.users.into_iter().map(|record| self.visible(record)).collect();
        Ok(UserPage { users, next_page_token, total_count: page.total })
    }

    async fn user(&self, user_id: &str) -> Result<User, IdpError> {
        let record = self.store.get(UserKey::Id(user_id)).await.map_err(failed)?;
        record.map(|record| self.visible(record)).ok_or_else(|| user_not_found(user_id))
    }

    async fn user_by_name(&self, name: &str) -> Result<User, IdpError> {
        let normal = identifier::normalize(self.settings.name_kind, name);
        let record = self.store.get(UserKey::Name(&normal)).await.map_err(failed)?;
        record.map(|record| self.visible(record)).ok_or_else(|| user_not_found(&normal))
    }

    async fn create_user(&self, input: CreateUser) -> Result<User, IdpError> {
        let name = identifier::validate(self.settings.name_kind, &input.name)?;
        let password = match input.password {
            Some(password) => Some(self.hash(password).await?),
            None => None,
        };
        let user = NewUser { name: name.clone(), password, disabled: input.disabled };
        let record = self.store.insert(user).await.map_err(|error| clashed(error, &name))?;
        Ok(self.visible(record))
    }

    async fn update_user(&self, input: UpdateUser) -> Result<User, IdpError> {
        if input.password.is_some() && input.clear_password {
            return Err(IdpError::invalid_argument("password and clearPassword exclude each other"));
        }
        let name = input.name.map(|name| identifier::validate(self.settings.name_kind, &name)).transpose()?;
        let password = match input.password {
            Some(password) => PasswordChange::Set(self.hash(password).await?),
            None if input.clear_password => PasswordChange::Clear,
            None => PasswordChange::Keep,
        };
        let unchanged = name.is_none() && input.disabled.is_none() && matches!(password, PasswordChange::Keep);
        if unchanged {
            return self.user(&input.id).await;
        }
        let change = UserChange { name: name.clone(), password, disabled: input.disabled };
        let name = name.unwrap_or_default();
        let record = self.store.update(&input.id, change).await.map_err(|error| clashed(error, &name))?;
        record.map(|record| self.visible(record)).ok_or_else(|| user_not_found(&input.id))
    }

    async fn delete_user(&self, user_id: &str) -> Result<(), IdpError> {
        if self.store.delete(user_id).await.map_err(failed)? { Ok(()) } else { Err(user_not_found(user_id)) }
    }

    async fn send_password_reset_email(&self, input: SendPasswordResetEmail) -> Result<(), IdpError> {
        check_redirect_uri(&input.redirect_uri)?;
        check_mail_text("fromName", input.from_name.as_deref())?;
        check_mail_text("subject", input.subject.as_deref())?;
        if self.settings.name_kind != NameKind::Email {
            return Err(IdpError::failed_precondition(format!(
                "the users of namespace {} are not identified by e-mail addresses",
                self.name
            )));
        }
        let SendPasswordResetEmail { user_id, redirect_uri, from_name, subject } = input;
        let mail = ResetMail { user_id: user_id.clone(), redirect_uri, from_name, subject };
        if self.store.queue_reset_mail(mail).await.map_err(failed)? { Ok(()) } else { Err(user_not_found(&user_id)) }
    }

    async fn unenroll_mfa(&self, input: UnenrollMfa) -> Result<(), IdpError> {
        self.require_mfa()?;
        let UnenrollMfa { user_id, mfa_factor_id } = input;
        if self.store.remove_mfa_factor(&user_id, &mfa_factor_id).await.map_err(failed)? {
            return Ok(());
        }
        self.user(&user_id).await?;
        Err(IdpError::not_found(format!("MFA factor not found: {}", shortened(&mfa_factor_id))))
    }

    fn require_mfa(&self) -> Result<(), IdpError> {
        if self.settings.enable_mfa {
            return Ok(());
        }
        Err(IdpError::failed_precondition(format!("MFA is not enabled in namespace {}", self.name)))
    }

    async fn hash(&self, password: Password) -> Result<PasswordHash, IdpError> {
        self.settings.check_password(&password)?;
        self.hasher.hash(password).await.map_err(internal)
    }

    /// The query in the one form that all its spellings share: names normalised, sorted, no duplicates.
    fn canonical(&self, query: UserQuery) -> Result<UserQuery, IdpError> {
        let kind = self.settings.name_kind;
        let names = query.names.map(|names| names.iter().map(|name| identifier::normalize(kind, name)).collect());
        Ok(UserQuery { ids: canonical("query.ids", query.ids)?, names: canonical("query.names", names)? })
    }

    fn visible(&self, record: UserRecord) -> User {
        User {
            id: record.id,
            name: record.name,
            disabled: record.disabled,
            created_at: record.created_at,
            mfa_enrolled: self.settings.enable_mfa && !record.mfa_factor_ids.is_empty(),
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

fn check_redirect_uri(uri: &str) -> Result<(), IdpError> {
    let length = uri.chars().count();
    if length > MAX_REDIRECT_URI {
        return Err(IdpError::invalid_argument(format!(
            "redirectUri must be at most {MAX_REDIRECT_URI} characters: got {length}"
        )));
    }
    if is_absolute_http(uri) {
        return Ok(());
    }
    Err(IdpError::invalid_argument(format!("redirectUri must be an absolute http or https URL: got {uri:?}")))
}

/// Spelled out, too: the parser forgives what a mail, a browser and a Location header need not (`http:example.com`, back
/// slashes, white space), and a user name in front of the host only misleads.
fn is_absolute_http(uri: &str) -> bool {
    let authority = uri.split_once("://").map_or("", |(_, rest)| rest);
    let spelled_out = !authority.starts_with('/') && !uri.contains(['\\', '@']);
    let clean = !uri.chars().any(|c| c.is_whitespace() || c.is_control());
    let url = url::Url::parse(uri).ok().filter(|_| spelled_out && clean);
    url.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

fn check_mail_text(field: &str, text: Option<&str>) -> Result<(), IdpError> {
    let Some(text) = text else { return Ok(()) };
    let length = text.chars().count();
    if length > MAX_MAIL_TEXT {
        return Err(IdpError::invalid_argument(format!(
            "{field} must be {MAX_MAIL_TEXT} characters or less: got {length}"
        )));
    }
    if text.contains(['\r', '\n']) {
        return Err(IdpError::invalid_argument(format!("{field} must not contain newline characters: got {text:?}")));
    }
    Ok(())
}

fn user_not_found(user: &str) -> IdpError {
    IdpError::not_found(format!("user not found: {}", shortened(user)))
}

/// A store's failure, where a name may have been taken.
fn clashed(error: StoreError, name: &str) -> IdpError {
    match error {
        StoreError::NameTaken => IdpError::new(Code::AlreadyExists, format!("user already exists: {name}")),
        other => failed(other),
    }
}

/// A store's failure. What went wrong is the source, for the host; a script learns whether to try again.
fn failed(error: StoreError) -> IdpError {
    match error {
        StoreError::Locked { .. } => {
            IdpError::new(Code::Unavailable, "the user store is busy, try again").with_source(error)
        }
        other => internal(other),
    }
}

fn internal(error: impl std::error::Error + Send + Sync + 'static) -> IdpError {
    IdpError::new(Code::Internal, "internal error").with_source(error)
}

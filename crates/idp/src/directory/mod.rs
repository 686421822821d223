//! Directories: the interface between the rules and the backends that hold users.
//!
//! A [`Directory`] holds the users of one namespace: in a store ([`local`](crate::local)), at a remote service, or in a host's
//! own data. [`Enforced`] applies the rules of the namespace on top of it: a directory receives only validated, normalised and
//! permitted input. So no directory implements a rule.
//!
//! A [`Router`](crate::Router) gives out no directory, only [`Enforced`], and [`LocalDirectory`](crate::local::LocalDirectory)
//! for what scripts cannot call: neither changes users around the rules. A host keeps its own directory to itself.

mod capabilities;
mod context;
mod enforced;
mod identity_provider;
mod named_page;
mod page_token;
mod transfer;
mod write_queues;

use async_trait::async_trait;
use tokio::sync::OnceCell;

pub use capabilities::{Capabilities, Capability};
pub use context::CallContext;
pub use enforced::Enforced;
pub(crate) use enforced::{mfa_disabled, user_already_exists, user_not_found, user_of};
pub use identity_provider::IdentityProvider;
pub(crate) use named_page::named_page;
pub use transfer::{Access, MissingRight, ScanPage, ScannedUser};
pub(crate) use write_queues::WriteQueues;

use crate::model::{
    CreateUser, IdpError, Password, PasswordHash, Predicate, SendPasswordResetEmail, UserKey, UserQuery, UserRecord,
};

/// Parameters for listing the users of a directory.
#[derive(Debug, Clone)]
pub struct ListRequest {
    /// The filters, normalised, sorted and without duplicates. Unfiltered, unless the directory has
    /// [`Capability::Filters`]. A name that earlier versions stored in another spelling is there in both: see
    /// [`UserKey::Name`].
    pub query: UserQuery,
    /// The users whom the principal may read. [`Predicate::everybody`], unless the directory has
    /// [`Capability::Visibility`].
    pub visible: Predicate,
    /// The cursor of the previous page.
    pub after: Option<String>,
    /// The maximum number of users.
    pub limit: u32,
}

/// One page of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryPage {
    /// The users, in creation order.
    pub users: Vec<UserRecord>,
    /// The cursor for the next page; `None` on the last page. Scripts see it only under a seal.
    pub next: Option<String>,
    /// The number of users that match, on all pages together.
    pub total: u64,
}

/// A change of a user, validated. Fields that are `None` stay as they are.
#[derive(Debug, Default)]
pub struct UserChange {
    /// The new name, normalised. `None` if a request sends back the name that the user has.
    pub name: Option<String>,
    /// The change of the password.
    pub password: PasswordUpdate,
    /// Whether the user is disabled.
    pub disabled: Option<bool>,
}

impl UserChange {
    /// The user after the change, but for the version.
    #[must_use]
    pub fn applied_to(&self, user: &UserRecord) -> UserRecord {
        let Self { name, password: _, disabled } = self;
        UserRecord {
            name: name.as_ref().unwrap_or(&user.name).clone(),
            disabled: disabled.unwrap_or(user.disabled),
            ..user.clone()
        }
    }
}

/// A change of a password, validated.
#[derive(Debug, Default)]
pub enum PasswordUpdate {
    /// The password stays.
    #[default]
    Keep,
    /// The password is removed.
    Clear,
    /// The password is replaced.
    Set(NewPassword),
}

/// A new password, with the hash that a directory has made of it. A write that is repeated after a conflict hashes once.
#[derive(Debug)]
pub struct NewPassword {
    password: Password,
    hash: OnceCell<PasswordHash>,
}

impl NewPassword {
    /// A password that has not been hashed.
    pub fn new(password: Password) -> Self {
        Self { password, hash: OnceCell::new() }
    }

    /// The plaintext.
    pub fn expose(&self) -> &Password {
        &self.password
    }

    /// The hash, made by `hash` at the first call.
    ///
    /// # Errors
    ///
    /// Those of `hash`. The next call tries again.
    pub async fn hash_with<F>(&self, hash: impl FnOnce(Password) -> F) -> Result<&PasswordHash, IdpError>
    where
        F: Future<Output = Result<PasswordHash, IdpError>>,
    {
        self.hash.get_or_try_init(|| hash(self.password.clone())).await
    }
}

/// The users of one namespace, in any backend.
///
/// Arguments are validated, normalised and permitted when they get here. Writes receive the user as it was when the write was
/// permitted. A directory that can write conditionally performs the write only if the user still has that
/// [version](UserRecord::version), and else fails with [`IdpError::conflict`]: the caller reads, decides and calls again. With a
/// directory that cannot, the permission is decided on the user as read just before the write: a change in between is not
/// taken into account.
///
/// Methods fail with [`Code::Unavailable`](crate::model::Code::Unavailable) if the backend cannot be reached, and with
/// [`Code::DeadlineExceeded`](crate::model::Code::DeadlineExceeded) if it did not answer before the context's deadline.
/// Methods whose capability is not declared are never called.
///
/// ```
/// use async_trait::async_trait;
/// use tailor_idp_core::directory::{CallContext, Capabilities, Directory, DirectoryPage, ListRequest, UserChange};
/// use tailor_idp_core::{CreateUser, IdpError, UserKey, UserRecord};
///
/// /// A directory without users, which cannot be changed.
/// struct Empty(Capabilities);
///
/// #[async_trait]
/// impl Directory for Empty {
///     fn capabilities(&self) -> &Capabilities {
///         &self.0 // Capabilities::none("the empty directory")
///     }
///
///     async fn get(&self, _: &CallContext, _: UserKey<'_>) -> Result<Option<UserRecord>, IdpError> {
///         Ok(None)
///     }
/// }
/// ```
#[async_trait]
pub trait Directory: Send + Sync + 'static {
    /// What the directory can do. Constant for the lifetime of the directory.
    fn capabilities(&self) -> &Capabilities;

    /// The key that seals page tokens. With `None`, tokens are valid for the lifetime of the process.
    fn seal_key(&self) -> Option<[u8; 32]> {
        None
    }

    /// The user with this key.
    ///
    /// # Errors
    ///
    /// As described at [`Directory`].
    async fn get(&self, context: &CallContext, key: UserKey<'_>) -> Result<Option<UserRecord>, IdpError>;

    /// One page of users, in creation order, with an exact total. Needs [`Capability::Totals`], or with filters
    /// [`Capability::Filters`].
    ///
    /// # Errors
    ///
    /// As described at [`Directory`].
    async fn list(&self, context: &CallContext, request: ListRequest) -> Result<DirectoryPage, IdpError> {
        let _ = (context, request);
        Err(self.capabilities().unsupported("listing users"))
    }

    /// One page of all users, in creation order, without a total: for hosts that export or move users. By default, a page of
    /// [`list`](Self::list).
    ///
    /// # Errors
    ///
    /// As described at [`Directory`].
    async fn scan(&self, context: &CallContext, after: Option<String>, limit: u32) -> Result<ScanPage, IdpError> {
        let request = ListRequest { query: UserQuery::default(), visible: Predicate::everybody(), after, limit };
        let DirectoryPage { users, next, total: _ } = self.list(context, request).await?;
        Ok(ScanPage { users: users.into_iter().map(ScannedUser::from).collect(), next })
    }

    /// Asks the backend for one user, whoever that is, and returns what the credentials of the host may do, as far as it says.
    /// By default, looks up a name that nobody has, and takes everything for granted.
    ///
    /// # Errors
    ///
    /// As described at [`Directory`].
    async fn check_access(&self, context: &CallContext) -> Result<Access, IdpError> {
        self.get(context, UserKey::Name("nobody@example.invalid")).await.map(|_| Access::default())
    }

    /// Checks that the backend can have users with this name, which the rules of the namespace permit.
    ///
    /// # Errors
    ///
    /// [`Code::Unimplemented`](crate::model::Code::Unimplemented).
    fn check_name(&self, name: &str) -> Result<(), IdpError> {
        let _ = name;
        Ok(())
    }

    /// The kinds of hashes that [`create_with_hash`](Self::create_with_hash) takes, for people: `bcrypt and Argon2id`. By
    /// default, empty: none.
    fn hash_kinds(&self) -> &'static str {
        ""
    }

    /// Whether [`create_with_hash`](Self::create_with_hash) takes this hash. By default, `false`.
    fn takes_hash(&self, hash: &PasswordHash) -> bool {
        let _ = hash;
        false
    }

    /// Creates a user without a password, but with a hash of another program that the directory
    /// [takes](Self::takes_hash).
    ///
    /// # Errors
    ///
    /// As of [`create`](Self::create).
    async fn create_with_hash(
        &self,
        context: &CallContext,
        user: CreateUser,
        hash: &PasswordHash,
    ) -> Result<UserRecord, IdpError> {
        let _ = (context, user, hash);
        Err(self.capabilities().unsupported("password hashes"))
    }

    /// Creates a user. Needs [`Capability::Create`].
    ///
    /// # Errors
    ///
    /// [`Code::AlreadyExists`](crate::model::Code::AlreadyExists) if the name is taken.
    async fn create(&self, context: &CallContext, user: CreateUser) -> Result<UserRecord, IdpError> {
        let _ = (context, user);
        Err(self.capabilities().unsupported("creating users"))
    }

    /// Does what takes long in a change, before the change has its turn among the writes to the user: hashes the password, which
    /// the change then keeps. The change is permitted, and can still be given up. By default, does nothing.
    ///
    /// # Errors
    ///
    /// As described at [`Directory`].
    async fn prepare_update(&self, change: &UserChange) -> Result<(), IdpError> {
        let _ = change;
        Ok(())
    }

    /// Changes a user, and returns the user after the change. Needs [`Capability::Update`], and the capabilities of the fields
    /// that the change contains.
    ///
    /// # Errors
    ///
    /// [`Code::AlreadyExists`](crate::model::Code::AlreadyExists) if the new name is taken,
    /// [`IdpError::conflict`] if the user has another version,
    /// [`Code::NotFound`](crate::model::Code::NotFound) if the user does not exist any more.
    async fn update(
        &self,
        context: &CallContext,
        user: &UserRecord,
        change: &UserChange,
    ) -> Result<UserRecord, IdpError> {
        let _ = (context, user, change);
        Err(self.capabilities().unsupported("updating users"))
    }

    /// Deletes a user and everything that belongs to the user. Needs [`Capability::Delete`].
    ///
    /// # Errors
    ///
    /// As of [`update`](Self::update).
    async fn delete(&self, context: &CallContext, user: &UserRecord) -> Result<(), IdpError> {
        let _ = (context, user);
        Err(self.capabilities().unsupported("deleting users"))
    }

    /// Queues a password-reset mail. Needs [`Capability::ResetMails`].
    ///
    /// # Errors
    ///
    /// [`Code::ResourceExhausted`](crate::model::Code::ResourceExhausted) above a rate limit; and as of
    /// [`update`](Self::update).
    async fn send_password_reset_email(
        &self,
        context: &CallContext,
        user: &UserRecord,
        mail: &SendPasswordResetEmail,
    ) -> Result<(), IdpError> {
        let _ = (context, user, mail);
        Err(self.capabilities().unsupported("sending password-reset mails"))
    }

    /// Removes an MFA factor from a user. Needs [`Capability::Factors`].
    ///
    /// # Errors
    ///
    /// [`Code::NotFound`](crate::model::Code::NotFound) if the user has no such factor; and as of [`update`](Self::update).
    async fn remove_factor(&self, context: &CallContext, user: &UserRecord, factor_id: &str) -> Result<(), IdpError> {
        let _ = (context, user, factor_id);
        Err(self.capabilities().unsupported("removing MFA factors"))
    }
}

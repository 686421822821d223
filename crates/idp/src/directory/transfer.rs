//! What hosts use to check a backend, and to move users between backends. Scripts cannot call it: no permission is evaluated.

use super::{CallContext, Capability, Enforced};
use crate::model::{CreateUser, IdpError, PasswordHash, User, UserRecord};
use crate::rules::names::NameForms;

/// One page of all users, without a total.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanPage {
    /// The users, in creation order.
    pub users: Vec<ScannedUser>,
    /// The cursor for the next page; `None` on the last page.
    pub next: Option<String>,
}

/// A user, with what a host learns of the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScannedUser {
    /// The user.
    pub record: UserRecord,
    /// Whether the user has a password, if the backend says so.
    pub has_password: Option<bool>,
}

impl From<UserRecord> for ScannedUser {
    fn from(record: UserRecord) -> Self {
        Self { record, has_password: None }
    }
}

/// A right that the credentials of the host lack at the service that holds the users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingRight {
    /// The right, in the terms of the service: `the scope create:users`.
    pub right: String,
    /// What the directory cannot do without it.
    pub capabilities: Vec<Capability>,
}

/// What the credentials of the host may do at the service that holds the users, as far as the service says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// The rights that the credentials lack.
    pub missing: Vec<MissingRight>,
    /// What the credentials may do or not: the service does not say.
    pub untold: Vec<Capability>,
}

impl Access {
    /// The credentials may read users. Whether they may change users, the service does not say.
    pub fn of_reader() -> Self {
        let untold = Capability::ALL.into_iter().filter(|capability| !capability.is_read()).collect();
        Self { missing: Vec::new(), untold }
    }
}

impl Enforced {
    /// Asks the backend for one user, whoever that is. Returns what the credentials of the host may do, as far as it says.
    ///
    /// # Errors
    ///
    /// Those of [`Directory::check_access`](super::Directory::check_access). The source says why, for the host.
    pub async fn check_access(&self, context: &CallContext) -> Result<Access, IdpError> {
        self.directory.check_access(&self.own(context)).await
    }

    /// One page of all users, for hosts that export or move them. Needs no total, so that backends which cannot count list, too.
    ///
    /// # Errors
    ///
    /// Those of [`Directory::scan`](super::Directory::scan).
    pub async fn scan(&self, context: &CallContext, after: Option<String>, limit: u32) -> Result<ScanPage, IdpError> {
        self.directory.scan(&self.own(context), after, limit).await
    }

    /// The kinds of password hashes with which users can be created, for people: `bcrypt and Argon2id`. Empty if there are none.
    pub fn hash_kinds(&self) -> &'static str {
        self.directory.hash_kinds()
    }

    /// Whether users can be created with this hash: see [`create_with_hash`](Self::create_with_hash).
    pub fn takes_hash(&self, hash: &PasswordHash) -> bool {
        self.directory.takes_hash(hash)
    }

    /// Checks what [`create_user`](Self::create_user) refuses before it asks the backend, but for the password and the permission.
    /// Returns the name, normalised.
    ///
    /// # Errors
    ///
    /// As of `create_user`.
    pub fn check_new_user(&self, name: &str, disabled: bool) -> Result<String, IdpError> {
        self.new_name(name, disabled).map(|forms| forms.normal)
    }

    /// Creates a user with a password hash of another program, which the service verifies at sign-in.
    ///
    /// # Errors
    ///
    /// As of [`create_user`](Self::create_user); [`Code::Unimplemented`](crate::model::Code::Unimplemented) if the backend does not
    /// take the hash.
    pub async fn create_with_hash(
        &self,
        context: &CallContext,
        name: &str,
        disabled: bool,
        hash: &PasswordHash,
    ) -> Result<User, IdpError> {
        let context = &*self.own(context);
        let NameForms { normal: name, former } = self.new_name(name, disabled)?;
        self.policy().check_password_use("passwordHash")?;
        if !self.takes_hash(hash) {
            return Err(self.capabilities().unsupported("this kind of password hash"));
        }
        self.check_free(context, former.as_deref()).await?;
        let user = CreateUser { name, password: None, disabled };
        let record = self.directory.create_with_hash(context, user, hash).await?;
        Ok(self.user_of(record))
    }

    fn new_name(&self, name: &str, disabled: bool) -> Result<NameForms, IdpError> {
        let (forms, valid) = NameForms::validated(self.policy().name_kind(), name);
        valid?;
        self.policy().check_domain(&forms.normal)?;
        self.check_capabilities([(true, Capability::Create), (disabled, Capability::Disable)])?;
        self.directory.check_name(&forms.normal)?;
        Ok(forms)
    }
}

//! The wrapper that applies a namespace's rules over any directory.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use super::page_token::{self, Listing, SealKey};
use super::{
    CallContext, Capabilities, Capability, Directory, DirectoryPage, ListRequest, NewPassword, PasswordUpdate,
    UserChange, WriteQueues, named_page, write_queues::Turn,
};
use crate::model::{
    Code, CreateUser, IdpError, ListUsers, NamespaceName, Password, Predicate, SendPasswordResetEmail, UnenrollMfa,
    UpdateUser, User, UserKey, UserPage, UserQuery, UserRecord, Version, internal, shortened,
};
use crate::random;
use crate::rules::names::NameForms;
use crate::rules::{NameKind, NamespaceSettings, Operation, Subject, Target, UserAuthPolicy, reset_mail};

/// The number of users on a page by default.
const DEFAULT_FIRST: i64 = 100;
/// The maximum number of users on a page: the host and the script each hold a page in memory.
const MAX_FIRST: i64 = 1000;

/// A directory under the rules of its namespace: names are normalised and validated, passwords are checked against the policy,
/// and every operation is permitted or denied, before the directory is called.
///
/// Each operation checks the form of names and URIs, then the permission, then whether the user exists, then the namespace's
/// policies and the directory's capabilities; the directory checks last whether a name is free. A principal who may not `read`
/// every user gets the same [`Code::PermissionDenied`] for a user who does not exist as for one who is out of reach.
///
/// The namespace of a [`CallContext`] has no effect: the directory has one of its own. Writes to one user at the same time need
/// the time driver of tokio.
pub struct Enforced {
    namespace: NamespaceName,
    pub(super) directory: Arc<dyn Directory>,
    settings: Arc<NamespaceSettings>,
    seal_key: OnceLock<SealKey>,
    writes: WriteQueues,
}

impl Enforced {
    /// Applies the `settings` of the namespace over `directory`.
    pub fn new(namespace: NamespaceName, directory: Arc<dyn Directory>, settings: Arc<NamespaceSettings>) -> Self {
        Self { namespace, directory, settings, seal_key: OnceLock::new(), writes: WriteQueues::default() }
    }

    /// The settings of the namespace.
    pub fn settings(&self) -> &NamespaceSettings {
        &self.settings
    }

    /// What the directory can do.
    pub fn capabilities(&self) -> &Capabilities {
        self.directory.capabilities()
    }

    /// Lists a page of the users whom the principal may read.
    ///
    /// # Errors
    ///
    /// See [`IdentityProvider::users`](super::IdentityProvider::users).
    pub async fn users(&self, context: &CallContext, request: ListUsers) -> Result<UserPage, IdpError> {
        let context = &*self.own(context);
        let ListUsers { first, after, query } = request;
        let first = first.unwrap_or(DEFAULT_FIRST);
        let limit = u32::try_from(first).ok().filter(|_| (1..=MAX_FIRST).contains(&first)).ok_or_else(|| {
            IdpError::invalid_argument(format!("first must be between 1 and {MAX_FIRST}: got {first}"))
        })?;
        let (query, former_names) = self.canonical(query)?;
        let listing = Listing::new(&self.namespace, &query);
        let key = self.seal_key()?;
        let after = after.map(|token| page_token::open(key, listing, &token)).transpose()?;
        let visible = self.settings.permission.visible(&context.principal);
        if visible.is_nobody() {
            return Ok(UserPage { users: Vec::new(), next_page_token: None, total_count: 0 });
        }
        let request = ListRequest { query: query.clone().or_names(former_names), visible, after, limit };
        let page = self.list(context, request).await?;
        let next_page_token = page.next.map(|cursor| page_token::seal(key, listing, &cursor)).transpose()?;
        let users = page.users.into_iter().map(|record| self.user_of(record)).collect();
        Ok(UserPage { users, next_page_token, total_count: page.total })
    }

    /// Returns a user.
    ///
    /// # Errors
    ///
    /// See [`IdentityProvider::user`](super::IdentityProvider::user).
    pub async fn user(&self, context: &CallContext, key: UserKey<'_>) -> Result<User, IdpError> {
        let context = &*self.own(context);
        let forms;
        let (key, found) = match key {
            UserKey::Id(_) => (key, self.directory.get(context, key).await?),
            UserKey::Name(name) => {
                forms = NameForms::of(self.policy().name_kind(), name);
                (UserKey::Name(&forms.normal), self.find_by_name(context, &forms).await?)
            }
        };
        let record =
            self.admit(context, key, found, Operation::Read, |user| self.allows(context, Operation::Read, user))?;
        Ok(self.user_of(record))
    }

    /// Creates a user.
    ///
    /// # Errors
    ///
    /// See [`IdentityProvider::create_user`](super::IdentityProvider::create_user).
    pub async fn create_user(&self, context: &CallContext, request: CreateUser) -> Result<User, IdpError> {
        let context = &*self.own(context);
        let CreateUser { name, password, disabled } = request;
        let (NameForms { normal: name, former: former_name }, valid) =
            NameForms::validated(self.policy().name_kind(), &name);
        valid?;
        let subject = Subject { id: None, name: &name, disabled };
        // Before the policies: a caller without permission does not learn them.
        if !self.settings.permission.allows(Operation::Create, &context.principal, &Target::User(subject)) {
            return Err(denied(Operation::Create));
        }
        self.policy().check_domain(&name)?;
        if let Some(password) = &password {
            self.check_password(password)?;
        }
        let needs = [
            (true, Capability::Create),
            (password.is_some(), Capability::SetPassword),
            (disabled, Capability::Disable),
        ];
        self.check_capabilities(needs)?;
        self.check_free(context, former_name.as_deref()).await?;
        let record = self.directory.create(context, CreateUser { name, password, disabled }).await?;
        Ok(self.user_of(record))
    }

    /// Updates a user.
    ///
    /// # Errors
    ///
    /// See [`IdentityProvider::update_user`](super::IdentityProvider::update_user).
    pub async fn update_user(&self, context: &CallContext, request: UpdateUser) -> Result<User, IdpError> {
        let context = &*self.own(context);
        let UpdateUser { id, name, password, clear_password, disabled } = request;
        let mut name = name.map(|given| NewName::new(self.policy().name_kind(), given));
        let password = match (password, clear_password) {
            (Some(_), true) => {
                return Err(IdpError::invalid_argument("password and clearPassword exclude each other"));
            }
            (Some(password), false) => PasswordUpdate::Set(NewPassword::new(password)),
            (None, true) => PasswordUpdate::Clear,
            (None, false) => PasswordUpdate::Keep,
        };
        let mut change = UserChange { name: None, password, disabled };
        let mut write = self.writes.write(&id, context.deadline);
        loop {
            let found = self.find(context, UserKey::Id(&id), Operation::Update, |user| {
                change.name = name.as_ref().and_then(|name| name.of_rename(user));
                let new = change.applied_to(user);
                let target = Target::Change { old: user.into(), new: (&new).into() };
                self.settings.permission.allows(Operation::Update, &context.principal, &target)
            });
            let found = found.await;
            // A malformed name is refused first, whether the user exists or not, except to a permitted caller who sends back the
            // name of the user.
            if (found.is_err() || change.name.is_some())
                && let Some(fault) = name.as_mut().and_then(|name| name.fault.take())
            {
                return Err(fault);
            }
            let user = found?;
            // After the permission, as in `create_user`.
            self.check_change(&change)?;
            let former = name.as_ref().filter(|_| change.name.is_some()).and_then(|name| name.forms.former.as_deref());
            self.check_free(context, former).await?;
            self.directory.prepare_update(&change).await?;
            if write.turn().await? == Turn::WaitedFor {
                continue;
            }
            let mut outcome = self.directory.update(context, &user, &change).await;
            if !write.repeat(&mut outcome) {
                return Ok(self.user_of(outcome?));
            }
        }
    }

    /// Deletes a user.
    ///
    /// # Errors
    ///
    /// See [`IdentityProvider::delete_user`](super::IdentityProvider::delete_user).
    pub async fn delete_user(&self, context: &CallContext, user_id: &str) -> Result<(), IdpError> {
        let context = &*self.own(context);
        let mut write = self.writes.write(user_id, context.deadline);
        loop {
            let permitted = |user: &_| self.allows(context, Operation::Delete, user);
            let user = self.find(context, UserKey::Id(user_id), Operation::Delete, permitted).await?;
            self.check_capabilities([(true, Capability::Delete)])?;
            if write.turn().await? == Turn::WaitedFor {
                continue;
            }
            let mut outcome = self.directory.delete(context, &user).await;
            if !write.repeat(&mut outcome) {
                return outcome;
            }
        }
    }

    /// Queues a password-reset mail.
    ///
    /// # Errors
    ///
    /// See [`IdentityProvider::send_password_reset_email`](super::IdentityProvider::send_password_reset_email).
    pub async fn send_password_reset_email(
        &self,
        context: &CallContext,
        request: SendPasswordResetEmail,
    ) -> Result<(), IdpError> {
        let context = &*self.own(context);
        reset_mail::check_form(&request)?;
        let operation = Operation::SendPasswordResetEmail;
        let mut write = self.writes.write(&request.user_id, context.deadline);
        loop {
            let permitted = |user: &_| self.allows(context, operation, user);
            let user = self.find(context, UserKey::Id(&request.user_id), operation, permitted).await?;
            if let Some(reason) = reset_mail::resets_disabled(self.policy(), &self.namespace) {
                return Err(IdpError::failed_precondition(reason));
            }
            if let Some(reason) = reset_mail::undeliverable_reason(&user) {
                return Err(IdpError::failed_precondition(format!("no password-reset mail can be sent: {reason}")));
            }
            self.policy().check_return(&request.redirect_uri)?;
            self.check_capabilities([(true, Capability::ResetMails)])?;
            if write.turn().await? == Turn::WaitedFor {
                continue;
            }
            let mut outcome = self.directory.send_password_reset_email(context, &user, &request).await;
            if !write.repeat(&mut outcome) {
                return outcome;
            }
        }
    }

    /// Removes an MFA factor. Requires its own permission, and `read` on the user.
    ///
    /// # Errors
    ///
    /// See [`IdentityProvider::unenroll_mfa`](super::IdentityProvider::unenroll_mfa).
    pub async fn unenroll_mfa(&self, context: &CallContext, request: UnenrollMfa) -> Result<(), IdpError> {
        let context = &*self.own(context);
        let UnenrollMfa { user_id, mfa_factor_id } = request;
        let mut write = self.writes.write(&user_id, context.deadline);
        loop {
            // One refusal for both: the caller does not learn which of them is missing.
            let permitted = |user: &_| {
                [Operation::UnenrollMfa, Operation::Read].into_iter().all(|needed| self.allows(context, needed, user))
            };
            let user = self.find(context, UserKey::Id(&user_id), Operation::UnenrollMfa, permitted).await?;
            if !self.policy().enable_mfa {
                return Err(mfa_disabled(&self.namespace));
            }
            self.check_capabilities([(true, Capability::Factors)])?;
            if write.turn().await? == Turn::WaitedFor {
                continue;
            }
            let mut outcome = self.directory.remove_factor(context, &user, &mfa_factor_id).await;
            if !write.repeat(&mut outcome) {
                return outcome;
            }
        }
    }

    /// The context in the namespace of the directory, whatever namespace it names.
    pub(super) fn own<'a>(&self, context: &'a CallContext) -> Cow<'a, CallContext> {
        if context.namespace == self.namespace {
            return Cow::Borrowed(context);
        }
        Cow::Owned(CallContext { namespace: self.namespace.clone(), ..context.clone() })
    }

    /// The directory's key, else a random one of this process.
    fn seal_key(&self) -> Result<&SealKey, IdpError> {
        if self.seal_key.get().is_none() {
            let key = match self.directory.seal_key() {
                Some(key) => key,
                None => random::bytes().map_err(internal)?,
            };
            // Two calls at once: the second key is dropped.
            let _ = self.seal_key.set(key);
        }
        self.seal_key.get().ok_or_else(|| internal("the seal key is missing"))
    }

    /// The user with this key, if the user exists and `permitted` holds.
    async fn find(
        &self,
        context: &CallContext,
        key: UserKey<'_>,
        operation: Operation,
        permitted: impl FnOnce(&UserRecord) -> bool,
    ) -> Result<UserRecord, IdpError> {
        let found = self.directory.get(context, key).await?;
        self.admit(context, key, found, operation, permitted)
    }

    /// The user who was found with this key, if `permitted` holds. Every operation on a user calls it, so that the refusals for
    /// users who do not exist and for users out of reach are made in one place.
    fn admit(
        &self,
        context: &CallContext,
        key: UserKey<'_>,
        found: Option<UserRecord>,
        operation: Operation,
        permitted: impl FnOnce(&UserRecord) -> bool,
    ) -> Result<UserRecord, IdpError> {
        let exists = found.is_some();
        // Evaluated for a user who does not exist too, so that the time does not tell the two refusals apart.
        let user = found.unwrap_or_else(|| stand_in(key));
        if permitted(&user) && exists {
            return Ok(user);
        }
        let reads_everybody = self.settings.permission.reads_everybody(&context.principal);
        if !exists && reads_everybody { Err(user_not_found(key.as_str())) } else { Err(denied(operation)) }
    }

    fn allows(&self, context: &CallContext, operation: Operation, user: &UserRecord) -> bool {
        self.settings.permission.allows(operation, &context.principal, &Target::User(user.into()))
    }

    /// The user with the name in any spelling, or in the spelling that an earlier version stored.
    async fn find_by_name(&self, context: &CallContext, forms: &NameForms) -> Result<Option<UserRecord>, IdpError> {
        let mut found = None;
        // All forms, even if the first is found: how long it takes does not tell who exists.
        for form in forms.iter() {
            let user = self.directory.get(context, UserKey::Name(form)).await?;
            found = found.or(user);
        }
        Ok(found)
    }

    /// Checks that no user has the name in its former spelling. The directory checks the normal form.
    pub(super) async fn check_free(&self, context: &CallContext, former_name: Option<&str>) -> Result<(), IdpError> {
        let Some(name) = former_name else { return Ok(()) };
        match self.directory.get(context, UserKey::Name(name)).await? {
            Some(_) => Err(user_already_exists(name)),
            None => Ok(()),
        }
    }

    /// Lists users. Permission is exact, or the listing is refused: a directory that cannot list by it is asked for users by ids or
    /// names, whom permission then filters.
    async fn list(&self, context: &CallContext, request: ListRequest) -> Result<DirectoryPage, IdpError> {
        let ListRequest { query, visible, after, limit } = &request;
        if visible.is_everybody() || self.capabilities().has(Capability::Visibility) {
            let is_unfiltered = query.is_unfiltered();
            self.check_capabilities([(is_unfiltered, Capability::Totals), (!is_unfiltered, Capability::Filters)])?;
            return self.directory.list(context, request).await;
        }
        let query = if query.is_unfiltered() { visible.named_users() } else { query.clone() };
        let is_unfiltered = query.is_unfiltered();
        self.check_capabilities([(is_unfiltered, Capability::Visibility), (!is_unfiltered, Capability::Filters)])?;
        let all = ListRequest { limit: query.max_users(), query, visible: Predicate::everybody(), after: None };
        let mut found = self.directory.list(context, all).await?.users;
        found.retain(|user| visible.holds(user));
        Ok(named_page(found, after.as_deref(), *limit))
    }

    fn check_change(&self, change: &UserChange) -> Result<(), IdpError> {
        let UserChange { name, password, disabled } = change;
        if let Some(name) = name {
            self.policy().check_domain(name)?;
        }
        let (sets, clears) = match password {
            PasswordUpdate::Keep => (false, false),
            PasswordUpdate::Clear => (false, true),
            PasswordUpdate::Set(password) => {
                self.check_password(password.expose())?;
                (true, false)
            }
        };
        if clears {
            self.policy().check_password_use("clearPassword")?;
        }
        self.check_capabilities([
            (true, Capability::Update),
            (name.is_some(), Capability::Rename),
            (sets, Capability::SetPassword),
            (clears, Capability::ClearPassword),
            (disabled.is_some(), Capability::Disable),
        ])
    }

    fn check_password(&self, password: &Password) -> Result<(), IdpError> {
        self.policy().check_password_use("password")?;
        self.policy().check_password(password)
    }

    pub(super) fn check_capabilities(
        &self,
        needs: impl IntoIterator<Item = (bool, Capability)>,
    ) -> Result<(), IdpError> {
        let capabilities = self.capabilities();
        needs.into_iter().filter(|(needed, _)| *needed).try_for_each(|(_, capability)| capabilities.require(capability))
    }

    /// The canonical form of the query: names normalised, entries sorted and without duplicates. Page tokens are bound to it.
    /// Beside it, the spellings in which earlier versions stored the names.
    fn canonical(&self, query: UserQuery) -> Result<(UserQuery, Vec<String>), IdpError> {
        let UserQuery { ids, names } = query;
        let kind = self.policy().name_kind();
        let mut former = Vec::new();
        let names = names.map(|names| {
            let normal = |name: &String| {
                let forms = NameForms::of(kind, name);
                former.extend(forms.former);
                forms.normal
            };
            names.iter().map(normal).collect()
        });
        Ok((UserQuery { ids: sorted("query.ids", ids)?, names: sorted("query.names", names)? }, former))
    }

    pub(super) fn policy(&self) -> &UserAuthPolicy {
        &self.settings.user_auth_policy
    }

    pub(super) fn user_of(&self, record: UserRecord) -> User {
        user_of(self.policy(), record)
    }
}

impl std::fmt::Debug for Enforced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Enforced").field("backend", &self.capabilities().backend()).finish_non_exhaustive()
    }
}

/// The user as scripts see it.
pub(crate) fn user_of(policy: &UserAuthPolicy, record: UserRecord) -> User {
    // Exhaustive: the compiler points here when a field is added.
    let UserRecord { id, name, disabled, created_at, mfa_factor_ids, version: _ } = record;
    // Factors of a namespace that had MFA enabled stay in the directory.
    let mfa_factor_ids = if policy.enable_mfa { mfa_factor_ids } else { Vec::new() };
    let mfa_enrolled = !mfa_factor_ids.is_empty();
    User { id, name, disabled, created_at, mfa_enrolled, mfa_factor_ids }
}

/// The error for an unknown user, by id or normalised name.
pub(crate) fn user_not_found(user: &str) -> IdpError {
    IdpError::not_found(format!("user not found: {}", shortened(user)))
}

/// The error for a name that a user has.
pub(crate) fn user_already_exists(name: &str) -> IdpError {
    IdpError::new(Code::AlreadyExists, format!("user already exists: {name}"))
}

pub(crate) fn mfa_disabled(namespace: &NamespaceName) -> IdpError {
    IdpError::failed_precondition(format!("MFA is not enabled in namespace {namespace}: enableMfa is not set"))
}

/// The refusal of an operation. Names neither the policies nor the user.
fn denied(operation: Operation) -> IdpError {
    IdpError::new(Code::PermissionDenied, format!("permission denied: {}", operation.name()))
}

/// A user to evaluate policies for where there is none.
fn stand_in(key: UserKey<'_>) -> UserRecord {
    let (id, name) = match key {
        UserKey::Id(id) => (id, ""),
        UserKey::Name(name) => ("", name),
    };
    let (id, name, version) = (id.to_owned(), name.to_owned(), Version::default());
    UserRecord { id, name, disabled: false, created_at: None, mfa_factor_ids: Vec::new(), version }
}

/// The name in a request for an update.
struct NewName {
    kind: NameKind,
    given: String,
    forms: NameForms,
    /// The violation of the form of names. Held back until the user is known: the name that a user has is no new name.
    fault: Option<IdpError>,
}

impl NewName {
    fn new(kind: NameKind, given: String) -> Self {
        let (forms, valid) = NameForms::validated(kind, &given);
        Self { kind, given, forms, fault: valid.err() }
    }

    /// The name, unless the user has it: as it was given, for one that was stored under other rules, or normalised.
    fn of_rename(&self, user: &UserRecord) -> Option<String> {
        let is_same = self.given == user.name || self.forms.normal == self.kind.normalize(&user.name);
        (!is_same).then(|| self.forms.normal.clone())
    }
}

fn sorted(field: &str, filter: Option<Vec<String>>) -> Result<Option<Vec<String>>, IdpError> {
    let Some(mut values) = filter else { return Ok(None) };
    UserQuery::check_length(field, values.len())?;
    values.sort_unstable();
    values.dedup();
    Ok(Some(values))
}

//! Descope.

mod changes;
mod creation;
mod search;
mod wire;

use async_trait::async_trait;
use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;

use self::changes::Changes;
use self::creation::{hashed_password, new_user, secrets_of};
use self::search::SearchPage;
use self::wire::{DescopeAnswer, DescopeError, DescopeUser};
use super::backend::{Backend, Call, Credentials};
use super::failure::Failure;
use super::foreign_hash::{self, ForeignHash};
use super::listing::{self, ServicePage, Users, find_in_parts, is_email, is_name, retain_named, retain_with_ids};
use super::options::{Count, InvalidRemote, RemoteOptions, faults_of, first_fault, is_credential};
use super::request::{Answer, Authorization, Request};
use super::scramble::password_to_set;
use crate::directory::{
    Access, CallContext, Capabilities, Capability, Directory, DirectoryPage, ListRequest, ScanPage, ScannedUser,
    UserChange, user_not_found,
};
use crate::model::{CreateUser, IdpError, PasswordHash, SendPasswordResetEmail, UserKey, UserRecord, shortened};

/// The name of the service in errors.
const SERVICE: &str = "Descope";
/// The number of users on a page: Descope's default. Its maximum is not documented.
const PAGE: u32 = 100;
/// Ids of projects with at least this length name the region of the project: `Puse1…` is in `use1`.
const REGIONAL_ID: usize = 32;
/// The maximum length of a user's id or login ID. Longer URLs are refused before Descope looks for the user.
const MAX_KEY: usize = 1024;
/// The maximum length of a project's id. Descope's have about 32 characters.
const MAX_PROJECT_ID: usize = 64;

/// The paths of the calls.
const USER: [&str; 3] = ["v1", "mgmt", "user"];
const CREATE: [&str; 4] = ["v1", "mgmt", "user", "create"];
const DELETE: [&str; 4] = ["v1", "mgmt", "user", "delete"];
const RESET: [&str; 4] = ["v1", "auth", "password", "reset"];

/// The users of a Descope project.
///
/// The name of a user is the first login ID. A name with an `@` is also the user's e-mail address, set as verified. A rename, a
/// password and a status are separate requests: an update that fails in the midst says what took effect. Test users are users
/// like others.
///
/// A password can only be removed by setting a random one: see [`RemoteOptions::scramble_passwords`]. Reset mails have the
/// sender and the subject of the project's template: `fromName` and `subject` are refused. MFA factors are not shown.
#[derive(Debug)]
pub struct Descope {
    backend: Backend,
    /// The credentials of the calls that users can make themselves.
    project_id: SecretString,
    management_key: SecretString,
    capabilities: Capabilities,
    options: RemoteOptions,
}

/// Builder of [`Descope`].
pub struct DescopeBuilder {
    project_id: String,
    management_key: SecretString,
    options: RemoteOptions,
}

impl DescopeBuilder {
    /// Sets the options of the connection.
    #[must_use]
    pub fn options(mut self, options: RemoteOptions) -> Self {
        self.options = options;
        self
    }

    /// All faults of the parameters and the options. Nothing is asked of the service.
    pub fn faults(&self) -> Vec<InvalidRemote> {
        let Self { project_id, management_key, options } = self;
        faults_of([base_url(project_id).map(drop), check_key(management_key), options.check()])
    }

    /// Builds the directory. Connects at the first request.
    ///
    /// # Errors
    ///
    /// The first of the [`faults`](Self::faults).
    pub fn build(self) -> Result<Descope, InvalidRemote> {
        first_fault(self.faults())?;
        let Self { project_id, management_key, options } = self;
        let base = base_url(&project_id)?;
        let credentials = Credentials::Key(format!("{project_id}:{}", management_key.expose_secret()).into());
        let secret = options.secret_name("the management key");
        let to_check = format!("project_id, {secret} and its rights in the project");
        let backend = Backend::new(SERVICE, base, credentials, to_check, &options)?;
        let capabilities = Capabilities::all(SERVICE).without(Capability::Factors);
        let capabilities = options.without_counting(capabilities, &[Capability::Visibility]);
        let capabilities = options.without_clearing(capabilities);
        Ok(Descope { backend, project_id: project_id.into(), management_key, capabilities, options })
    }
}

/// The address of the API, which depends on the region of the project.
fn base_url(project_id: &str) -> Result<Url, InvalidRemote> {
    let is_id = project_id.starts_with('P')
        && project_id.len() <= MAX_PROJECT_ID
        && project_id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !is_id {
        let fault = format!(
            "must be the id of a Descope project, P and at most {} letters and digits: got {:?}",
            MAX_PROJECT_ID - 1,
            shortened(project_id)
        );
        return Err(InvalidRemote::Parameter { key: "project_id", fault });
    }
    let url = match project_id.get(1..5).filter(|_| project_id.len() >= REGIONAL_ID) {
        Some(region) => format!("https://api.{region}.descope.com"),
        None => "https://api.descope.com".to_owned(),
    };
    Url::parse(&url).map_err(|error| InvalidRemote::Client(error.to_string()))
}

fn check_key(key: &SecretString) -> Result<(), InvalidRemote> {
    if is_credential(key.expose_secret()) {
        return Ok(());
    }
    let fault = "must be a management key of the Descope company, without spaces".to_owned();
    Err(InvalidRemote::Parameter { key: "management_key", fault })
}

impl Descope {
    /// The users of the project, by a management key of its company.
    pub fn builder(project_id: impl Into<String>, management_key: impl Into<SecretString>) -> DescopeBuilder {
        DescopeBuilder {
            project_id: project_id.into(),
            management_key: management_key.into(),
            options: RemoteOptions::default(),
        }
    }

    /// A request with the management key.
    fn request(&self, method: Method, path: &[&str]) -> Request {
        Request::new(method, path).secret(&self.management_key)
    }

    fn post(&self, path: &[&str], body: Value) -> Request {
        self.request(Method::POST, path).json(body)
    }

    /// The user with the login ID or the id.
    async fn lookup(&self, call: &Call<'_>, key: &'static str, value: &str) -> Result<Option<UserRecord>, IdpError> {
        if value.is_empty() || value.len() > MAX_KEY {
            return Ok(None);
        }
        let request = self.request(Method::GET, &USER).query(key, value);
        match call.send(request).await.and_then(|answer| parse(&answer)) {
            Ok(answer) => Ok(answer.user.map(UserRecord::from)),
            Err(failure) if is_unknown_user(&failure) => Ok(None),
            Err(failure) => Err(call.failed(failure)),
        }
    }

    /// Whether a user has the name as a login ID, or has it as the e-mail address. Asked after a refusal: Descope's
    /// documentation has no code for names that are taken.
    async fn is_taken(&self, call: &Call<'_>, name: &str, by_other_than: Option<&str>) -> Result<bool, IdpError> {
        let is_other = |id: &str| Some(id) != by_other_than;
        if self.lookup(call, "loginId", name).await?.is_some_and(|user| is_other(&user.id)) {
            return Ok(true);
        }
        if !is_email(name) {
            return Ok(false);
        }
        let (users, _) = self.search(call, json!({ "emails": [name], "withTestUser": true })).await?;
        Ok(users.iter().any(|user| is_other(user.id())))
    }

    /// Whether a refusal means that the name is taken.
    async fn name_is_taken(&self, call: &Call<'_>, error: &DescopeError, name: &str, id: Option<&str>) -> bool {
        // A lookup that fails, too, says nothing more than the refusal.
        error.is_taken() || self.is_taken(call, name, id).await.unwrap_or(false)
    }
}

#[async_trait]
impl Users for Descope {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn count(&self) -> Count {
        self.options.count
    }

    async fn find(&self, call: &Call<'_>, key: UserKey<'_>) -> Result<Option<UserRecord>, IdpError> {
        Ok(match key {
            UserKey::Id(id) => self.lookup(call, "userId", id).await?.filter(|user| user.id == id),
            // Of the login IDs, only the first is the name.
            UserKey::Name(name) => self.lookup(call, "loginId", name).await?.filter(|user| is_name(&user.name, name)),
        })
    }

    async fn with_ids(&self, call: &Call<'_>, ids: &[String]) -> Result<Vec<UserRecord>, IdpError> {
        let mut found = find_in_parts(ids, PAGE as usize, |ids| self.filtered(call, "userIds", ids)).await?;
        retain_with_ids(&mut found, ids);
        Ok(found)
    }

    async fn with_names(&self, call: &Call<'_>, names: &[String]) -> Result<Vec<UserRecord>, IdpError> {
        let mut found = find_in_parts(names, PAGE as usize, |names| self.filtered(call, "loginIds", names)).await?;
        retain_named(&mut found, names);
        Ok(found)
    }

    async fn page(&self, call: &Call<'_>, after: Option<String>, limit: u32) -> Result<ServicePage, IdpError> {
        let SearchPage { users, next, total } = self.search_page(call, after, limit).await?;
        Ok(ServicePage { users: users.into_iter().map(UserRecord::from).collect(), next, total })
    }
}

#[async_trait]
impl Directory for Descope {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn get(&self, context: &CallContext, key: UserKey<'_>) -> Result<Option<UserRecord>, IdpError> {
        self.find(&self.backend.call(context), key).await
    }

    async fn list(&self, context: &CallContext, request: ListRequest) -> Result<DirectoryPage, IdpError> {
        listing::list(self, &self.backend.call(context), request).await
    }

    async fn scan(&self, context: &CallContext, after: Option<String>, limit: u32) -> Result<ScanPage, IdpError> {
        let SearchPage { users, next, total: _ } = self.search_page(&self.backend.call(context), after, limit).await?;
        let scanned = |user: DescopeUser| {
            let has_password = user.has_password();
            ScannedUser { has_password, record: user.into() }
        };
        Ok(ScanPage { users: users.into_iter().map(scanned).collect(), next })
    }

    async fn check_access(&self, context: &CallContext) -> Result<Access, IdpError> {
        listing::check_access(self, &self.backend.call(context)).await
    }

    fn hash_kinds(&self) -> &'static str {
        foreign_hash::KINDS
    }

    fn takes_hash(&self, hash: &PasswordHash) -> bool {
        ForeignHash::of(hash).is_some()
    }

    async fn create_with_hash(
        &self,
        context: &CallContext,
        user: CreateUser,
        hash: &PasswordHash,
    ) -> Result<UserRecord, IdpError> {
        let call = self.backend.call(context);
        let hash = ForeignHash::of(hash).ok_or_else(|| self.capabilities.unsupported("this kind of password hash"))?;
        let mut body = new_user(&user);
        body["hashedPassword"] = hashed_password(&hash);
        let mut request = self.post(&CREATE, body);
        for secret in secrets_of(&hash) {
            request = request.secret(&secret);
        }
        let created = self.send_new(&call, &user, request).await?;
        let lacks_password = created.lacks_password();
        let user = self.disable_new(&call, created, user.disabled).await?;
        if lacks_password {
            let detail = "Descope created the user without the password hash: a password has to be set";
            return Err(IdpError::failed_precondition(detail));
        }
        Ok(user.into_user())
    }

    async fn create(&self, context: &CallContext, user: CreateUser) -> Result<UserRecord, IdpError> {
        let call = self.backend.call(context);
        let mut body = new_user(&user);
        if let Some(password) = &user.password {
            body["password"] = password.expose_secret().into();
        }
        let request = user.password.iter().fold(self.post(&CREATE, body), Request::secret);
        let created = self.send_new(&call, &user, request).await?;
        let lacks_password = created.lacks_password();
        // Not every version of the call takes a status and a password.
        let mut changes = self.disable_new(&call, created, user.disabled).await?;
        if let Some(password) = user.password.as_ref().filter(|_| lacks_password) {
            changes.set_password(password).await?;
        }
        Ok(changes.into_user())
    }

    async fn update(
        &self,
        context: &CallContext,
        user: &UserRecord,
        change: &UserChange,
    ) -> Result<UserRecord, IdpError> {
        let UserChange { name, password, disabled } = change;
        let disabled = disabled.filter(|disabled| *disabled != user.disabled);
        let password = password_to_set(password)?;
        let password = password.as_deref();
        let call = self.backend.call(context);
        let mut changes = Changes::of(self, &call, user.clone());
        // The safest first: nobody is let in by half of an update.
        if disabled == Some(true) {
            changes.set_status(true).await?;
        }
        if let Some(name) = name.as_deref().filter(|name| !is_name(&user.name, name)) {
            changes.rename(name).await?;
        }
        if let Some(password) = password {
            changes.set_password(password).await?;
        }
        if disabled == Some(false) {
            changes.set_status(false).await?;
        }
        Ok(changes.into_user())
    }

    async fn delete(&self, context: &CallContext, user: &UserRecord) -> Result<(), IdpError> {
        let call = self.backend.call(context);
        // Deleting a deleted user has no effect.
        let request = self.post(&DELETE, json!({ "userId": user.id })).repeatable();
        match call.send(request).await.and_then(|answer| check(&answer)) {
            Ok(()) => Ok(()),
            Err(failure) if is_unknown_user(&failure) && call.was_repeated() => Ok(()),
            Err(failure) if is_unknown_user(&failure) => Err(user_not_found(&user.id)),
            Err(failure) => Err(call.failed(failure)),
        }
    }

    async fn send_password_reset_email(
        &self,
        context: &CallContext,
        user: &UserRecord,
        mail: &SendPasswordResetEmail,
    ) -> Result<(), IdpError> {
        let SendPasswordResetEmail { user_id: _, redirect_uri, from_name, subject } = mail;
        for (field, value) in [("fromName", from_name), ("subject", subject)] {
            if value.is_some() {
                let operation =
                    format!("{field} of a reset mail: set it in the project's e-mail template, and omit it");
                return Err(self.capabilities.unsupported(&operation));
            }
        }
        let call = self.backend.call(context);
        let request = self
            .post(&RESET, json!({ "loginId": user.name, "redirectUrl": redirect_uri }))
            .authorization(Authorization::Bearer(self.project_id.clone()));
        match call.send(request).await.and_then(|answer| check(&answer)) {
            Ok(()) => Ok(()),
            Err(failure) if is_unknown_user(&failure) => Err(user_not_found(&user.id)),
            Err(failure) if refusal(&failure).is_some() => {
                tracing::warn!(%failure, "Descope refuses to send a password-reset mail");
                let detail = "Descope refuses to send the mail: the project must have passwords enabled";
                Err(IdpError::failed_precondition(detail).with_source(failure))
            }
            Err(failure) => Err(call.failed_write(failure, "the mail was sent")),
        }
    }
}

impl Descope {
    /// The user of an answer to a write. `unknown` says what is open without one.
    fn user_of(&self, call: &Call<'_>, answer: DescopeAnswer, unknown: &str) -> Result<DescopeUser, IdpError> {
        answer.user.ok_or_else(|| call.failed_write(Failure::Malformed("no user".to_owned()), unknown))
    }
}

/// The content of an answer. Errors are recognised by their code, whatever the status.
fn parse(answer: &Answer) -> Result<DescopeAnswer, Failure> {
    let content: DescopeAnswer = answer.json()?;
    if content.is_error() {
        return Err(Failure::Refused { status: StatusCode::OK, body: answer.text(), wait: None });
    }
    Ok(content)
}

/// Checks an answer whose content is not described.
fn check(answer: &Answer) -> Result<(), Failure> {
    match parse(answer) {
        Err(failure @ Failure::Refused { .. }) => Err(failure),
        _ => Ok(()),
    }
}

fn is_unknown_user(failure: &Failure) -> bool {
    failure.refusal().is_some_and(|(_, body)| DescopeError::parse(body).is_unknown_user())
}

/// The error of an answer that refuses what was asked for, rather than who asked or when.
fn refusal(failure: &Failure) -> Option<DescopeError> {
    let (status, body) = failure.refusal()?;
    matches!(status, StatusCode::OK | StatusCode::BAD_REQUEST | StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY)
        .then(|| DescopeError::parse(body))
}

fn refused_name(name: &str) -> IdpError {
    IdpError::invalid_argument(format!("Descope refuses the name: {}", shortened(name)))
}

fn with_reason(refused: &str, error: DescopeError) -> String {
    match &*shortened(&error.reason()) {
        "" => refused.to_owned(),
        reason => format!("{refused}: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_of_the_api_depends_on_the_region_in_long_project_ids() {
        let host = |id: &str| base_url(id).unwrap().to_string();
        assert_eq!(host("P2aAc4T2V93bddihGEx2Ryhc8e5Z"), "https://api.descope.com/");
        assert_eq!(host("Puse12aAc4T2V93bddihGEx2Ryhc8e5Z"), "https://api.use1.descope.com/");
        assert_eq!(host(&format!("Peuc1{}", "a".repeat(26))), "https://api.descope.com/", "31 characters");
    }

    #[test]
    fn parameters_are_refused_with_key_and_advice() {
        let fault = |id: &str, key: &str| Descope::builder(id, key).build().unwrap_err().to_string();
        assert_eq!(
            fault("Pevil.example/", "key"),
            "project_id must be the id of a Descope project, P and at most 63 letters and digits: got \"Pevil.example/\""
        );
        for id in ["", "2abc", "P2:abc", "P2 abc", &"P".repeat(65)] {
            assert!(fault(id, "key").starts_with("project_id must be"), "{id}");
        }
        for key in ["", "my key", "key\n"] {
            assert_eq!(
                fault("P2abc", key),
                "management_key must be a management key of the Descope company, without spaces"
            );
        }
    }
}

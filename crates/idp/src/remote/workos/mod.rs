//! WorkOS User Management.

mod wire;

use async_trait::async_trait;
use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use url::Url;

use self::wire::{UserList, WorkOsError, WorkOsUser};
use super::backend::{Backend, Call, Credentials};
use super::failure::Failure;
use super::foreign_hash::{self, Argon2id, ForeignHash};
use super::listing::{self, ServicePage, Users, is_email};
use super::options::{Count, InvalidRemote, RemoteOptions, faults_of, first_fault, is_credential};
use super::request::{Request, is_segment};
use super::scramble::password_to_set;
use crate::directory::{
    Access, CallContext, Capabilities, Capability, Directory, DirectoryPage, ListRequest, ScanPage, UserChange,
    user_already_exists, user_not_found,
};
use crate::model::{CreateUser, IdpError, Password, PasswordHash, UserKey, UserRecord, shortened};

/// The name of the service in errors.
const SERVICE: &str = "WorkOS";
/// The address of its API.
const BASE_URL: &str = "https://api.workos.com";
/// The maximum number of users on one of its pages.
const PAGE: u32 = 100;
/// The maximum length of a user's id. WorkOS's have 31 characters; longer URLs are refused before WorkOS looks for the user.
const MAX_ID: usize = 255;
/// The path of the users.
const USERS: [&str; 2] = ["user_management", "users"];

/// The users of a WorkOS environment.
///
/// Names are e-mail addresses. WorkOS cannot disable users, gives no total of all users, and sends reset mails with a link of its
/// own only: those operations are refused. See [`RemoteOptions`] for totals and for removing passwords.
#[derive(Debug)]
pub struct WorkOs {
    backend: Backend,
    capabilities: Capabilities,
    options: RemoteOptions,
}

/// Builder of [`WorkOs`].
pub struct WorkOsBuilder {
    api_key: SecretString,
    options: RemoteOptions,
}

impl WorkOsBuilder {
    /// Sets the options of the connection.
    #[must_use]
    pub fn options(mut self, options: RemoteOptions) -> Self {
        self.options = options;
        self
    }

    /// All faults of the parameters and the options. Nothing is asked of the service.
    pub fn faults(&self) -> Vec<InvalidRemote> {
        let Self { api_key, options } = self;
        faults_of([check_key(api_key), options.check()])
    }

    /// Builds the directory. Connects at the first request.
    ///
    /// # Errors
    ///
    /// The first of the [`faults`](Self::faults).
    pub fn build(self) -> Result<WorkOs, InvalidRemote> {
        first_fault(self.faults())?;
        let Self { api_key, options } = self;
        let base = Url::parse(BASE_URL).map_err(|error| InvalidRemote::Client(error.to_string()))?;
        let to_check = options.secret_name("the secret key");
        let backend = Backend::new(SERVICE, base, Credentials::Key(api_key), to_check, &options)?;
        let capabilities = Capabilities::all(SERVICE)
            .without(Capability::Disable)
            .without(Capability::ResetMails)
            .without(Capability::Factors);
        let capabilities = options.without_counting(capabilities, &[Capability::Visibility, Capability::Totals]);
        let capabilities = options.without_clearing(capabilities);
        Ok(WorkOs { backend, capabilities, options })
    }
}

fn check_key(key: &SecretString) -> Result<(), InvalidRemote> {
    if is_credential(key.expose_secret()) {
        return Ok(());
    }
    let fault = "must be the secret key of a WorkOS environment, without spaces".to_owned();
    Err(InvalidRemote::Parameter { key: "api_key", fault })
}

impl WorkOs {
    /// The users of the environment that the secret key belongs to.
    pub fn builder(api_key: impl Into<SecretString>) -> WorkOsBuilder {
        WorkOsBuilder { api_key: api_key.into(), options: RemoteOptions::default() }
    }

    fn user_path<'a>(&self, id: &'a str) -> Result<[&'a str; 3], IdpError> {
        let [management, users] = USERS;
        if is_segment(id) { Ok([management, users, id]) } else { Err(user_not_found(id)) }
    }

    /// Names of users are their e-mail addresses.
    fn check_email(&self, name: &str) -> Result<(), IdpError> {
        if is_email(name) {
            return Ok(());
        }
        Err(self.capabilities.unsupported("users whose name is no e-mail address"))
    }

    async fn by_id(&self, call: &Call<'_>, id: &str) -> Result<Option<UserRecord>, IdpError> {
        if !is_segment(id) || id.len() > MAX_ID {
            return Ok(None);
        }
        match call.send(Request::new(Method::GET, &self.user_path(id)?)).await {
            Ok(answer) => Ok(Some(answer.json::<WorkOsUser>().map_err(|failure| call.failed(failure))?.into())),
            Err(failure) if is_unknown_user(&failure) => Ok(None),
            Err(failure) => Err(call.failed(failure)),
        }
    }

    async fn by_name(&self, call: &Call<'_>, name: &str) -> Result<Option<UserRecord>, IdpError> {
        if !is_email(name) {
            return Ok(None);
        }
        let request = Request::new(Method::GET, &USERS).query("email", name).query("limit", PAGE.to_string());
        let found = list(call, request).await?;
        // The filter could be a prefix or ignore the case of more than ASCII.
        Ok(found.data.into_iter().map(UserRecord::from).find(|user| user.name == name))
    }
}

#[async_trait]
impl Users for WorkOs {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn count(&self) -> Count {
        self.options.count
    }

    fn gives_total(&self) -> bool {
        false
    }

    async fn find(&self, call: &Call<'_>, key: UserKey<'_>) -> Result<Option<UserRecord>, IdpError> {
        match key {
            UserKey::Id(id) => self.by_id(call, id).await,
            UserKey::Name(name) => self.by_name(call, name).await,
        }
    }

    async fn page(&self, call: &Call<'_>, after: Option<String>, limit: u32) -> Result<ServicePage, IdpError> {
        let mut request =
            Request::new(Method::GET, &USERS).query("order", "asc").query("limit", limit.clamp(1, PAGE).to_string());
        if let Some(after) = after {
            request = request.query("after", after);
        }
        let UserList { data, list_metadata } = list(call, request).await?;
        let users = data.into_iter().map(UserRecord::from).collect();
        Ok(ServicePage { users, next: list_metadata.after, total: None })
    }
}

#[async_trait]
impl Directory for WorkOs {
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
        listing::scan(self, &self.backend.call(context), after, limit).await
    }

    async fn check_access(&self, context: &CallContext) -> Result<Access, IdpError> {
        listing::check_access(self, &self.backend.call(context)).await
    }

    fn check_name(&self, name: &str) -> Result<(), IdpError> {
        self.check_email(name)
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
        let CreateUser { name, password: _, disabled: _ } = user;
        let (kind, text) = match ForeignHash::of(hash) {
            Some(ForeignHash::Bcrypt(text)) => ("bcrypt", text),
            Some(ForeignHash::Argon2id(Argon2id { phc, .. })) => ("argon2", phc),
            None => return Err(self.capabilities.unsupported("this kind of password hash")),
        };
        let mut fields = fields(Some(&name), None);
        fields.insert("password_hash".to_owned(), text.into());
        fields.insert("password_hash_type".to_owned(), kind.into());
        let request = Request::new(Method::POST, &USERS).secret(&text.into()).json(Value::Object(fields));
        self.send_new(&self.backend.call(context), &name, request).await
    }

    async fn create(&self, context: &CallContext, user: CreateUser) -> Result<UserRecord, IdpError> {
        let CreateUser { name, password, disabled: _ } = user;
        self.check_email(&name)?;
        let request = body(Request::new(Method::POST, &USERS), Some(&name), password.as_ref());
        self.send_new(&self.backend.call(context), &name, request).await
    }

    async fn update(
        &self,
        context: &CallContext,
        user: &UserRecord,
        change: &UserChange,
    ) -> Result<UserRecord, IdpError> {
        let UserChange { name, password, disabled: _ } = change;
        let name = name.as_deref().filter(|name| *name != user.name);
        name.map_or(Ok(()), |name| self.check_email(name))?;
        let password = password_to_set(password)?;
        let password = password.as_deref();
        if name.is_none() && password.is_none() {
            return Ok(user.clone());
        }
        let call = self.backend.call(context);
        // Omitted fields stay as they are.
        let request = Request::new(Method::PUT, &self.user_path(&user.id)?);
        let answer = call.send(body(request, name, password)).await;
        let updated = answer.and_then(|answer| answer.json::<WorkOsUser>());
        updated.map(UserRecord::from).map_err(|failure| match failure {
            failure if is_unknown_user(&failure) => user_not_found(&user.id),
            failure => refused(&failure, name).unwrap_or_else(|| call.failed(failure)),
        })
    }

    async fn delete(&self, context: &CallContext, user: &UserRecord) -> Result<(), IdpError> {
        let call = self.backend.call(context);
        match call.send(Request::new(Method::DELETE, &self.user_path(&user.id)?)).await {
            Ok(_) => Ok(()),
            Err(failure) if is_unknown_user(&failure) && call.was_repeated() => Ok(()),
            Err(failure) if is_unknown_user(&failure) => Err(user_not_found(&user.id)),
            Err(failure) if failure.refusal().is_some_and(|(status, _)| status == StatusCode::CONFLICT) => {
                let detail = "WorkOS does not allow this user to be deleted";
                Err(IdpError::failed_precondition(detail).with_source(failure))
            }
            Err(failure) => Err(call.failed(failure)),
        }
    }
}

impl WorkOs {
    /// Sends the request that creates the user with this name.
    async fn send_new(&self, call: &Call<'_>, name: &str, request: Request) -> Result<UserRecord, IdpError> {
        let created = call.send(request).await.and_then(|answer| answer.json::<WorkOsUser>());
        created.map(UserRecord::from).map_err(|failure| {
            refused(&failure, Some(name)).unwrap_or_else(|| call.failed_write(failure, "the user was created"))
        })
    }
}

async fn list(call: &Call<'_>, request: Request) -> Result<UserList, IdpError> {
    let answer = call.send(request).await.and_then(|answer| answer.json());
    answer.map_err(|failure| call.failed(failure))
}

/// The request with the fields that are given.
fn body(request: Request, name: Option<&str>, password: Option<&Password>) -> Request {
    let request = request.json(Value::Object(fields(name, password)));
    password.into_iter().fold(request, Request::secret)
}

fn fields(name: Option<&str>, password: Option<&Password>) -> Map<String, Value> {
    let password = password.map(|password| password.expose_secret());
    let given = [("email", name), ("password", password)];
    given.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.into()))).collect()
}

/// Whether WorkOS has no user with the id of the path.
fn is_unknown_user(failure: &Failure) -> bool {
    failure
        .refusal()
        .is_some_and(|(status, body)| status == StatusCode::NOT_FOUND && WorkOsError::parse(body).is_of_a_resource())
}

/// The error for a name or a password that WorkOS refuses.
fn refused(failure: &Failure, name: Option<&str>) -> Option<IdpError> {
    let (status, body) = failure.refusal()?;
    if !matches!(status, StatusCode::BAD_REQUEST | StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY) {
        return None;
    }
    let error = WorkOsError::parse(body);
    if let Some(name) = name
        && error.has(&["email_not_available", "user_already_exists"])
    {
        return Some(user_already_exists(name));
    }
    if error.has(&["invalid_password_hash"]) {
        return Some(IdpError::invalid_argument("WorkOS refuses the password hash"));
    }
    if error.has(&["password_strength_error"]) {
        let reasons = error.reasons();
        let reasons = shortened(&reasons);
        return Some(IdpError::invalid_argument(match &*reasons {
            "" => "WorkOS refuses the password: it is too weak".to_owned(),
            reasons => format!("WorkOS refuses the password: {reasons}"),
        }));
    }
    if error.has(&["email_change_not_allowed"]) {
        return Some(IdpError::failed_precondition("WorkOS does not allow this user to be renamed"));
    }
    if let Some(name) = name
        && error.has(&["invalid_email", "email_required"])
    {
        return Some(IdpError::invalid_argument(format!("WorkOS refuses the e-mail address: {}", shortened(name))));
    }
    None
}

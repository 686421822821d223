//! Auth0, by its Management API v2.

mod lucene;
mod refusal;
mod steps;
mod window;
mod wire;

use std::collections::HashSet;

use async_trait::async_trait;
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use url::Url;

use self::refusal::{Scope, Written, is_unknown_id, missing_scopes, uncreated, unread, unwritten};
use self::steps::{Step, name_fields, steps};
use self::window::{PAGE, Page, Place, ScanPlace, WINDOW};
use self::wire::{Auth0User, FIELDS, UserPage};
use super::backend::{Backend, Call, Credentials};
use super::failure::after_effects;
use super::listing::{self, ServicePage, Users, is_email};
use super::options::{Count, InvalidRemote, RemoteOptions, faults_of, first_fault, is_credential};
use super::request::{Authorization, Request, is_segment};
use super::scramble::{password_to_set, random_password};
use super::token::TokenCache;
use crate::directory::{
    Access, CallContext, Capabilities, Capability, Directory, DirectoryPage, ListRequest, ScanPage, ScannedUser,
    UserChange, user_already_exists, user_not_found,
};
use crate::model::{Code, CreateUser, IdpError, Password, Timestamp, UserKey, UserRecord};

/// The name of the service in errors.
const SERVICE: &str = "Auth0";
/// The path of the users.
const USERS: [&str; 3] = ["api", "v2", "users"];
/// The maximum length of a user's id: that of its own part is 255, before it stands the provider.
const MAX_ID: usize = 512;
/// The maximum length of the name of a connection, in characters.
const MAX_CONNECTION: usize = 128;
/// The maximum length of a username, in characters.
const MAX_USERNAME: usize = 128;

/// The users of one database connection of an Auth0 tenant.
///
/// Users of other connections do not exist for the namespace. A user's name is the e-mail address; of users who have none, it is the
/// username. Auth0 sends reset mails with a link of its own only, and lists at most the first 1,000 users; removing MFA factors
/// is not supported. See [`RemoteOptions::scramble_passwords`] for removing passwords.
///
/// A user who is created without a password gets a random one, which nobody knows.
///
/// ```no_run
/// use tailor_idp_core::remote::Auth0;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let secret = std::env::var("AUTH0_SECRET")?;
/// let auth0 = Auth0::builder("acme.eu.auth0.com", "the client id", secret, "Username-Password-Authentication").build()?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Auth0 {
    backend: Backend,
    connection: String,
    capabilities: Capabilities,
    count: Count,
}

/// Builder of [`Auth0`].
pub struct Auth0Builder {
    domain: String,
    client_id: String,
    client_secret: SecretString,
    connection: String,
    options: RemoteOptions,
}

impl Auth0Builder {
    /// Sets the options of the connection. A [`base_url`](RemoteOptions::base_url) replaces the tenant's address for the API and for
    /// the token endpoint; the token's audience stays that of the domain.
    #[must_use]
    pub fn options(mut self, options: RemoteOptions) -> Self {
        self.options = options;
        self
    }

    /// All faults of the parameters and the options. Nothing is asked of the service.
    pub fn faults(&self) -> Vec<InvalidRemote> {
        let Self { domain, client_id, client_secret, connection, options } = self;
        faults_of([
            tenant(domain).map(drop),
            check_client_id(client_id),
            check_client_secret(client_secret),
            check_connection(connection),
            options.check(),
        ])
    }

    /// Builds the directory. Connects at the first request.
    ///
    /// # Errors
    ///
    /// The first of the [`faults`](Self::faults).
    pub fn build(self) -> Result<Auth0, InvalidRemote> {
        first_fault(self.faults())?;
        let Self { domain, client_id, client_secret, connection, options } = self;
        let base = tenant(&domain)?;
        let audience = format!("{base}api/v2/");
        let secret = options.secret_name("the secret");
        let to_check = format!("client_id, {secret} and the scopes that the application is granted");
        let token_request = move || {
            let form = vec![
                ("grant_type", "client_credentials".to_owned()),
                ("client_id", client_id.clone()),
                ("client_secret", client_secret.expose_secret().to_owned()),
                ("audience", audience.clone()),
            ];
            let request = Request::new(Method::POST, &["oauth", "token"]).form(form).secret(&client_secret);
            // A second token does no harm.
            request.authorization(Authorization::Anonymous).repeatable()
        };
        let credentials = Credentials::Token { cache: TokenCache::default(), request: Box::new(token_request) };
        let backend = Backend::new(SERVICE, base, credentials, to_check, &options)?;
        // Visibility: filtered by ids or names always, and else if users may be counted by reading them.
        let capabilities = Capabilities::all(SERVICE).without(Capability::ResetMails).without(Capability::Factors);
        let capabilities = options.without_counting(capabilities, &[Capability::Visibility]);
        let capabilities = options.without_clearing(capabilities);
        Ok(Auth0 { backend, connection, capabilities, count: options.count })
    }
}

/// The address of a tenant.
fn tenant(domain: &str) -> Result<Url, InvalidRemote> {
    let url = Url::parse(&format!("https://{domain}/")).ok();
    // Anything but a host would come back in another form.
    url.filter(|url| url.domain().is_some_and(|host| host.contains('.') && host == domain)).ok_or_else(|| {
        let fault = format!("must be the domain of the Auth0 tenant, such as acme.eu.auth0.com: got {domain:?}");
        InvalidRemote::Parameter { key: "domain", fault }
    })
}

fn check_client_id(id: &str) -> Result<(), InvalidRemote> {
    if is_credential(id) {
        return Ok(());
    }
    let fault = format!("must be the client id of a machine-to-machine application of the tenant: got {id:?}");
    Err(InvalidRemote::Parameter { key: "client_id", fault })
}

fn check_client_secret(secret: &SecretString) -> Result<(), InvalidRemote> {
    if is_credential(secret.expose_secret()) {
        return Ok(());
    }
    let fault = "must be the client secret of the application, without spaces".to_owned();
    Err(InvalidRemote::Parameter { key: "client_secret", fault })
}

fn check_connection(connection: &str) -> Result<(), InvalidRemote> {
    let is_name = !connection.is_empty()
        && connection.len() <= MAX_CONNECTION
        && connection.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if is_name {
        return Ok(());
    }
    let fault = format!(
        "must be the name of a database connection, such as Username-Password-Authentication (letters, digits and hyphens, \
         at most {MAX_CONNECTION}): got {connection:?}"
    );
    Err(InvalidRemote::Parameter { key: "connection", fault })
}

/// The error beyond the users that Auth0 gives in pages.
fn beyond_window() -> IdpError {
    IdpError::failed_precondition(format!(
        "{SERVICE} lists only the first {WINDOW} users of a connection: look users up by query.ids or query.names, or export all \
         users from {SERVICE}"
    ))
}

impl Auth0 {
    /// The users of a database connection. `domain` is the tenant's own, not a custom one; `client_id` and `client_secret` are those
    /// of a machine-to-machine application that is authorised for the Management API, with the scopes `read:users`,
    /// `create:users`, `update:users` and `delete:users`.
    pub fn builder(
        domain: impl Into<String>,
        client_id: impl Into<String>,
        client_secret: impl Into<SecretString>,
        connection: impl Into<String>,
    ) -> Auth0Builder {
        Auth0Builder {
            domain: domain.into(),
            client_id: client_id.into(),
            client_secret: client_secret.into(),
            connection: connection.into(),
            options: RemoteOptions::default(),
        }
    }

    async fn by_id(&self, call: &Call<'_>, id: &str) -> Result<Option<UserRecord>, IdpError> {
        if !is_segment(id) || id.len() > MAX_ID {
            return Ok(None);
        }
        let [api, version, users] = USERS;
        let request = Request::new(Method::GET, &[api, version, users, id]);
        match call.send(with_fields(request)).await.and_then(|answer| answer.json::<Auth0User>()) {
            Ok(user) => Ok(user.into_record(&self.connection)),
            Err(failure) if is_unknown_id(&failure) => Ok(None),
            Err(failure) => Err(unread(call, failure)),
        }
    }

    /// The user with an e-mail address. Unlike searches, this shows all writes at once.
    async fn by_email(&self, call: &Call<'_>, email: &str) -> Result<Option<UserRecord>, IdpError> {
        let request = Request::new(Method::GET, &["api", "v2", "users-by-email"]).query("email", email);
        let found: Vec<Auth0User> = read(call, with_fields(request)).await?;
        Ok(self.records(found).find(|user| user.name == email))
    }

    /// The users with these usernames. A search: what was written a moment ago can be missing.
    async fn by_usernames(&self, call: &Call<'_>, names: &[String]) -> Result<Vec<UserRecord>, IdpError> {
        // Auth0 keeps usernames in lower case. Longer ones do not exist.
        let wanted: HashSet<_> = names.iter().map(|name| name.to_lowercase()).collect();
        let usernames = wanted.iter().map(String::as_str);
        let usernames = usernames.filter(|name| !name.is_empty() && name.chars().count() <= MAX_USERNAME);
        let queries = lucene::by_usernames(&self.connection, usernames, PAGE);
        let searches = queries
            .into_iter()
            .map(async |query| read::<Vec<Auth0User>>(call, search(query, Page { number: 0, size: PAGE })).await);
        let found = listing::several(searches).await?;
        Ok(self.records(found.into_iter().flatten()).filter(|user| wanted.contains(&user.name)).collect())
    }

    /// The users who belong to the connection.
    fn records(&self, users: impl IntoIterator<Item = Auth0User>) -> impl Iterator<Item = UserRecord> {
        users.into_iter().filter_map(|user| user.into_record(&self.connection))
    }

    /// The user in the answer to a write.
    fn written(&self, call: &Call<'_>, user: Auth0User) -> Result<UserRecord, IdpError> {
        user.into_record(&self.connection).ok_or_else(|| call.unexpected("a written user is of another connection"))
    }

    /// Refuses a rename that would leave the user with the old name: a user with an e-mail address is known by it.
    fn check_rename(&self, user: &UserRecord, name: &str) -> Result<(), IdpError> {
        if is_email(&user.name) && !is_email(name) {
            return Err(self.capabilities.unsupported("replacing an e-mail address by a username"));
        }
        Ok(())
    }

    async fn patch(&self, call: &Call<'_>, user: &UserRecord, step: Step<'_>) -> Result<UserRecord, IdpError> {
        let Step { fields, password, written } = step;
        let [api, version, users] = USERS;
        let request = Request::new(Method::PATCH, &[api, version, users, &user.id]);
        let answer = call.send(with_body(request, fields, password)).await;
        match answer.and_then(|answer| answer.json::<Auth0User>()) {
            Ok(user) => self.written(call, user),
            Err(failure) => Err(unwritten(call, failure, Scope::Update, &user.id, written)),
        }
    }

    /// Checks that the user with the name, if there is one, is `user`.
    async fn check_free(&self, call: &Call<'_>, user: &UserRecord, name: &str) -> Result<(), IdpError> {
        let found = self.find(call, UserKey::Name(name)).await?;
        if found.is_some_and(|found| found.id != user.id) { Err(user_already_exists(name)) } else { Ok(()) }
    }

    /// A page of a search for the users of the connection since a time, with their number.
    async fn search_page(
        &self,
        call: &Call<'_>,
        since: Option<Timestamp>,
        page: Page,
    ) -> Result<(Vec<UserRecord>, usize, usize), IdpError> {
        let query = since.map_or_else(|| lucene::all(&self.connection), |time| lucene::since(&self.connection, time));
        let request = search(query, page).query("include_totals", "true");
        let UserPage { total, users } = read(call, request.query("sort", "created_at:1")).await?;
        let length = users.len();
        Ok((self.records(users).collect(), length, usize::try_from(total).unwrap_or(usize::MAX)))
    }

    /// At most `limit` users after a place, of those since a time; the place of the next page; and the number of those since then.
    async fn page_of(
        &self,
        call: &Call<'_>,
        since: Option<Timestamp>,
        place: Option<Place>,
        limit: u32,
    ) -> Result<(Vec<UserRecord>, Option<Place>, usize), IdpError> {
        let limit = (limit as usize).clamp(1, PAGE);
        let (mut start, wanted) = match &place {
            None => (0, limit),
            Some(place) => ((place.offset - 1).min(WINDOW - 1), limit + 1),
        };
        let (mut users, first, length, total) = loop {
            let page = Page::with(start, wanted);
            let (mut users, length, total) = self.search_page(call, since, page).await?;
            match place.as_ref().map(|place| place.passed(&users)) {
                // Users were deleted: those who follow have moved up.
                Some(None) if page.start() > 0 => start = (page.start() - 1).min(total.saturating_sub(1)),
                passed => {
                    let passed = passed.flatten().unwrap_or_default();
                    users.drain(..passed);
                    break (users, page.start() + passed, length - passed, total);
                }
            }
        };
        let end = if users.len() > limit { first + limit } else { first + length };
        users.truncate(limit);
        let next = match users.last() {
            _ if end >= total => None,
            Some(last) => Some(Place::after(last, end)),
            None if end >= WINDOW => return Err(beyond_window()),
            None if end <= start => return Err(call.unexpected("a page has fewer users than its total says")),
            // All of them are before the place: go on.
            None => place.map(|place| Place { offset: end + 1, ..place }),
        };
        Ok((users, next, total))
    }
}

#[async_trait]
impl Users for Auth0 {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn count(&self) -> Count {
        self.count
    }

    async fn find(&self, call: &Call<'_>, key: UserKey<'_>) -> Result<Option<UserRecord>, IdpError> {
        match key {
            UserKey::Id(id) => self.by_id(call, id).await,
            UserKey::Name(name) if is_email(name) => self.by_email(call, name).await,
            UserKey::Name(name) => Ok(self.by_usernames(call, &[name.to_owned()]).await?.into_iter().next()),
        }
    }

    async fn with_names(&self, call: &Call<'_>, names: &[String]) -> Result<Vec<UserRecord>, IdpError> {
        let (emails, usernames): (Vec<_>, Vec<_>) = names.iter().cloned().partition(|name| is_email(name));
        let mut found = listing::find_each(self, call, emails.iter().map(|email| UserKey::Name(email))).await?;
        found.extend(self.by_usernames(call, &usernames).await?);
        Ok(found)
    }

    async fn page(&self, call: &Call<'_>, after: Option<String>, limit: u32) -> Result<ServicePage, IdpError> {
        let place = after.map(|cursor| Place::parse(&cursor).ok_or_else(|| call.unexpected("a cursor is malformed")));
        let (users, next, total) = self.page_of(call, None, place.transpose()?, limit).await?;
        Ok(ServicePage { users, next: next.map(|place| place.cursor()), total: Some(total as u64) })
    }
}

#[async_trait]
impl Directory for Auth0 {
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
        let call = self.backend.call(context);
        let place =
            after.map(|cursor| ScanPlace::parse(&cursor).ok_or_else(|| call.unexpected("a cursor is malformed")));
        let (since, place) = place.transpose()?.map_or((None, None), |ScanPlace { since, place }| (since, Some(place)));
        let (users, next, _) = self.page_of(&call, since, place, limit).await?;
        let next = next.map(|place| ScanPlace { since, place }.rebased().cursor());
        Ok(ScanPage { users: users.into_iter().map(ScannedUser::from).collect(), next })
    }

    async fn check_access(&self, context: &CallContext) -> Result<Access, IdpError> {
        let access = listing::check_access(self, &self.backend.call(context)).await?;
        let granted = self.backend.granted_scopes().await;
        Ok(granted.map_or(access, |granted| Access { missing: missing_scopes(&granted), untold: Vec::new() }))
    }

    async fn create(&self, context: &CallContext, user: CreateUser) -> Result<UserRecord, IdpError> {
        let CreateUser { name, password, disabled } = user;
        let name = name.to_lowercase();
        // Connections require a password.
        let password = password.map_or_else(random_password, Ok)?;
        let mut fields = name_fields(&name);
        fields.insert("connection".to_owned(), self.connection.as_str().into());
        fields.insert("password".to_owned(), password.expose_secret().into());
        if disabled {
            fields.insert("blocked".to_owned(), true.into());
        }
        let call = self.backend.call(context);
        let answer = call.send(with_body(Request::new(Method::POST, &USERS), fields, Some(&password))).await;
        match answer.and_then(|answer| answer.json::<Auth0User>()) {
            Ok(user) => self.written(&call, user),
            Err(failure) => Err(uncreated(&call, failure, &name)),
        }
    }

    async fn update(
        &self,
        context: &CallContext,
        user: &UserRecord,
        change: &UserChange,
    ) -> Result<UserRecord, IdpError> {
        let UserChange { name, password, disabled } = change;
        let name = name.as_ref().map(|name| name.to_lowercase()).filter(|name| *name != user.name);
        let name = name.as_deref();
        name.map_or(Ok(()), |name| self.check_rename(user, name))?;
        let password = password_to_set(password)?;
        let password = password.as_deref();
        let call = self.backend.call(context);
        let steps = steps(&self.connection, name, password, *disabled);
        if let Some(name) = name
            && steps.len() > 1
        {
            // Before the first write, since a taken name would end the change in the midst.
            self.check_free(&call, user, name).await?;
        }
        let mut changed = None;
        for step in steps {
            let written = step.written;
            match self.patch(&call, user, step).await {
                Ok(record) => changed = Some(record),
                Err(error) if changed.is_some() => {
                    // Only the name comes before something else.
                    let effects = ["the user is disabled", "the name is changed"];
                    let effects = if *disabled == Some(true) { &effects[..] } else { &effects[1..] };
                    return Err(after_effects(error, effects));
                }
                Err(error) => {
                    // Auth0 refuses a taken name with the same code as others.
                    if let (Written::Name, Some(name), Code::InvalidArgument) = (written, name, error.code()) {
                        self.check_free(&call, user, name).await?;
                    }
                    return Err(error);
                }
            }
        }
        Ok(changed.unwrap_or_else(|| user.clone()))
    }

    async fn delete(&self, context: &CallContext, user: &UserRecord) -> Result<(), IdpError> {
        let call = self.backend.call(context);
        if !is_segment(&user.id) {
            return Err(user_not_found(&user.id));
        }
        let [api, version, users] = USERS;
        let request = Request::new(Method::DELETE, &[api, version, users, &user.id]);
        let answer = call.send(request).await;
        match answer {
            Ok(_) => Ok(()),
            Err(failure) if is_unknown_id(&failure) && call.was_repeated() => Ok(()),
            Err(failure) => Err(unwritten(&call, failure, Scope::Delete, &user.id, Written::Nothing)),
        }
    }
}

/// The answer to a read, as JSON.
async fn read<T: DeserializeOwned>(call: &Call<'_>, request: Request) -> Result<T, IdpError> {
    let answer = call.send(request).await.and_then(|answer| answer.json());
    answer.map_err(|failure| unread(call, failure))
}

/// A page of a search.
fn search(query: String, page: Page) -> Request {
    with_fields(Request::new(Method::GET, &USERS))
        .query("search_engine", "v3")
        .query("q", query)
        .query("page", page.number.to_string())
        .query("per_page", page.size.to_string())
}

fn with_fields(request: Request) -> Request {
    request.query("fields", FIELDS).query("include_fields", "true")
}

fn with_body(request: Request, fields: Map<String, Value>, password: Option<&Password>) -> Request {
    let request = request.json(Value::Object(fields));
    match password {
        Some(password) => request.secret(password),
        None => request,
    }
}

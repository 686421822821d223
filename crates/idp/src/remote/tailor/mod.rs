//! The Tailor Platform.

mod graphql;
mod message;
mod wire;

use async_trait::async_trait;
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use url::Url;

use self::graphql::request;
use self::wire::{Operation, PlatformUser, UserConnection};
use super::backend::{Backend, Call, Credentials};
use super::failure::Failure;
use super::listing::{self, ServicePage, Users, find_in_parts, is_name, retain_named, retain_with_ids};
use super::options::{AddressFault, Count, InvalidRemote, RemoteOptions, faults_of, first_fault, is_credential};
use super::request::{Authorization, Request};
use super::token::TokenCache;
use crate::directory::{
    Access, CallContext, Capabilities, Capability, Directory, DirectoryPage, ListRequest, PasswordUpdate, ScanPage,
    UserChange, user_not_found,
};
use crate::model::{CreateUser, IdpError, NamespaceName, SendPasswordResetEmail, UserKey, UserRecord, shortened};

/// The name of the service in errors.
const SERVICE: &str = "Tailor Platform";
/// The path of the token endpoint.
const TOKEN: [&str; 2] = ["oauth2", "token"];
/// The number of users on a page. The platform's maximum is not documented.
const PAGE: u32 = 100;

/// The users of an IdP namespace of the Tailor Platform, over the GraphQL of an application.
///
/// Everything that a store can do is supported. The rules of the platform's namespace apply beside those of the namespace here.
/// Its errors are passed on with their code where they have the form of the client's errors. All others are
/// [`Code::Internal`](crate::model::Code::Internal), and in the host's log.
#[derive(Debug)]
pub struct Tailor {
    backend: Backend,
    /// The application answers for its IdP subgraph: no request names the namespace. Errors in the host's log do.
    namespace: NamespaceName,
    capabilities: Capabilities,
    options: RemoteOptions,
}

/// Builder of [`Tailor`].
pub struct TailorBuilder {
    url: String,
    client_id: String,
    client_secret: SecretString,
    namespace: String,
    options: RemoteOptions,
}

impl TailorBuilder {
    /// Sets the options of the connection.
    #[must_use]
    pub fn options(mut self, options: RemoteOptions) -> Self {
        self.options = options;
        self
    }

    /// All faults of the parameters and the options. Nothing is asked of the service.
    pub fn faults(&self) -> Vec<InvalidRemote> {
        let Self { url, client_id, client_secret, namespace, options } = self;
        faults_of([
            application_url(url).map(drop),
            check_credential("client_id", client_id),
            check_credential("client_secret", client_secret.expose_secret()),
            platform_namespace(namespace).map(drop),
            options.check(),
        ])
    }

    /// Builds the directory. Connects at the first request.
    ///
    /// # Errors
    ///
    /// The first of the [`faults`](Self::faults).
    pub fn build(self) -> Result<Tailor, InvalidRemote> {
        first_fault(self.faults())?;
        let Self { url, client_id, client_secret, namespace, options } = self;
        let url = application_url(&url)?;
        let namespace = platform_namespace(&namespace)?;
        let request = Box::new(move || token_request(&client_id, &client_secret));
        let credentials = Credentials::Token { cache: TokenCache::default(), request };
        let secret = options.secret_name("the secret");
        let to_check = format!("client_id, {secret} and the permission of the machine user");
        let backend = Backend::new(SERVICE, url, credentials, to_check, &options)?;
        let capabilities = options.without_counting(Capabilities::all(SERVICE), &[Capability::Visibility]);
        Ok(Tailor { backend, namespace, capabilities, options })
    }
}

fn invalid(key: &'static str, fault: impl Into<String>) -> InvalidRemote {
    InvalidRemote::Parameter { key, fault: fault.into() }
}

fn application_url(url: &str) -> Result<Url, InvalidRemote> {
    let url = Url::parse(url).map_err(|error| {
        invalid("url", format!("must be the URL of an application, https://….erp.dev: got an invalid one ({error})"))
    })?;
    match AddressFault::of(&url) {
        None => Ok(url),
        Some(AddressFault::Scheme) => Err(invalid(
            "url",
            format!("must start with https:// (http:// only for this machine): got {}", shortened(url.as_str())),
        )),
        Some(AddressFault::Parts) => Err(invalid(
            "url",
            format!(
                "must have no user, password, query or fragment: got one for {:?}",
                url.host_str().unwrap_or_default()
            ),
        )),
    }
}

fn platform_namespace(name: &str) -> Result<NamespaceName, InvalidRemote> {
    NamespaceName::new(name)
        .map_err(|error| invalid("namespace", format!("must be the name of the platform's IdP namespace: {error}")))
}

fn check_credential(key: &'static str, value: &str) -> Result<(), InvalidRemote> {
    if is_credential(value) {
        return Ok(());
    }
    Err(invalid(key, "must be the credentials of a machine user of the application, without spaces"))
}

fn token_request(client_id: &str, client_secret: &SecretString) -> Request {
    let form = vec![
        ("grant_type", "client_credentials".to_owned()),
        ("client_id", client_id.to_owned()),
        ("client_secret", client_secret.expose_secret().to_owned()),
    ];
    // A second token has no effect on the first.
    Request::new(Method::POST, &TOKEN)
        .form(form)
        .authorization(Authorization::Anonymous)
        .secret(client_secret)
        .repeatable()
}

impl Tailor {
    /// The users of the platform's IdP `namespace`, over the application at `url`, as a machine user of the application.
    pub fn builder(
        url: impl Into<String>,
        client_id: impl Into<String>,
        client_secret: impl Into<SecretString>,
        namespace: impl Into<String>,
    ) -> TailorBuilder {
        TailorBuilder {
            url: url.into(),
            client_id: client_id.into(),
            client_secret: client_secret.into(),
            namespace: namespace.into(),
            options: RemoteOptions::default(),
        }
    }

    /// The users of a filter, all of them: `values` has at most [`PAGE`].
    async fn filtered(
        &self,
        call: &Call<'_>,
        operation: &Operation,
        values: &[String],
    ) -> Result<Vec<UserRecord>, IdpError> {
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let mut variables = json!({ "first": PAGE, "values": values });
            if let Some(after) = after {
                variables["after"] = Value::String(after);
            }
            let (users, next, _) = self.connection(call, operation, variables).await?;
            found.extend(users);
            match next {
                // A filter that the platform ignores.
                Some(_) if found.len() > values.len() => return Err(call.unexpected("more users than asked for")),
                Some(next) => after = Some(next),
                None => return Ok(found),
            }
        }
    }

    /// A page of users, the cursor of the next one, and the total.
    async fn connection(
        &self,
        call: &Call<'_>,
        operation: &Operation,
        variables: Value,
    ) -> Result<(Vec<UserRecord>, Option<String>, Option<u64>), IdpError> {
        let page = self.query::<UserConnection>(call, operation, variables).await;
        let page = page.map_err(|refusal| refusal.into_error(call))?;
        let page = page.filter(|page| !page.is_cut_off()).ok_or_else(|| call.unexpected("no page, or no cursor"))?;
        let total = page.total_count;
        let (users, next) = page.into_parts();
        Ok((users, next, total))
    }
}

#[async_trait]
impl Users for Tailor {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn count(&self) -> Count {
        self.options.count
    }

    async fn find(&self, call: &Call<'_>, key: UserKey<'_>) -> Result<Option<UserRecord>, IdpError> {
        if key.as_str().is_empty() {
            return Ok(None);
        }
        let found = match key {
            UserKey::Id(id) => self.query::<PlatformUser>(call, &wire::USER, json!({ "id": id })).await,
            UserKey::Name(name) => self.query::<PlatformUser>(call, &wire::USER_BY, json!({ "name": name })).await,
        };
        match found {
            Ok(user) => Ok(user.map(UserRecord::from).filter(|user| match key {
                UserKey::Id(id) => user.id == id,
                UserKey::Name(name) => is_name(&user.name, name),
            })),
            Err(refusal) if refusal.is_not_found() => Ok(None),
            Err(refusal) => Err(refusal.into_error(call)),
        }
    }

    async fn with_ids(&self, call: &Call<'_>, ids: &[String]) -> Result<Vec<UserRecord>, IdpError> {
        let find = |ids| self.filtered(call, &wire::USERS_WITH_IDS, ids);
        let mut found = find_in_parts(ids, PAGE as usize, find).await?;
        retain_with_ids(&mut found, ids);
        Ok(found)
    }

    async fn with_names(&self, call: &Call<'_>, names: &[String]) -> Result<Vec<UserRecord>, IdpError> {
        let find = |names| self.filtered(call, &wire::USERS_WITH_NAMES, names);
        let mut found = find_in_parts(names, PAGE as usize, find).await?;
        retain_named(&mut found, names);
        Ok(found)
    }

    async fn page(&self, call: &Call<'_>, after: Option<String>, limit: u32) -> Result<ServicePage, IdpError> {
        let mut variables = json!({ "first": limit.clamp(1, PAGE) });
        if let Some(after) = after {
            variables["after"] = Value::String(after);
        }
        let (users, next, total) = self.connection(call, &wire::USERS, variables).await?;
        Ok(ServicePage { users, next, total })
    }
}

#[async_trait]
impl Directory for Tailor {
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

    async fn create(&self, context: &CallContext, user: CreateUser) -> Result<UserRecord, IdpError> {
        let CreateUser { name, password, disabled } = user;
        let call = self.backend.call(context);
        let mut input = json!({ "name": name, "disabled": disabled });
        if let Some(password) = &password {
            input["password"] = password.expose_secret().into();
        }
        let request = request(&wire::CREATE, json!({ "input": input }));
        let request = password.iter().fold(request, Request::secret);
        let created = self.mutate::<PlatformUser>(&call, &wire::CREATE, request).await;
        let created = created.and_then(|user| user.ok_or_else(|| Failure::Malformed("no user".to_owned()).into()));
        created.map(UserRecord::from).map_err(|refusal| refusal.into_write_error(&call, "the user was created"))
    }

    async fn update(
        &self,
        context: &CallContext,
        user: &UserRecord,
        change: &UserChange,
    ) -> Result<UserRecord, IdpError> {
        let UserChange { name, password, disabled } = change;
        let mut input = Map::new();
        if let Some(name) = name.as_deref().filter(|name| !is_name(&user.name, name)) {
            input.insert("name".to_owned(), name.into());
        }
        if let Some(disabled) = disabled {
            input.insert("disabled".to_owned(), (*disabled).into());
        }
        let mut secret = None;
        match password {
            PasswordUpdate::Keep => {}
            PasswordUpdate::Clear => {
                input.insert("clearPassword".to_owned(), true.into());
            }
            PasswordUpdate::Set(password) => {
                let password = password.expose();
                input.insert("password".to_owned(), password.expose_secret().into());
                secret = Some(password);
            }
        }
        if input.is_empty() {
            return Ok(user.clone());
        }
        input.insert("id".to_owned(), (&*user.id).into());
        let call = self.backend.call(context);
        let request = request(&wire::UPDATE, json!({ "input": input })).repeatable();
        let request = secret.into_iter().fold(request, Request::secret);
        match self.mutate::<PlatformUser>(&call, &wire::UPDATE, request).await {
            Ok(Some(user)) => Ok(user.into()),
            Ok(None) => Err(user_not_found(&user.id)),
            Err(refusal) if refusal.is_not_found() => Err(user_not_found(&user.id)),
            Err(refusal) => Err(refusal.into_error(&call)),
        }
    }

    async fn delete(&self, context: &CallContext, user: &UserRecord) -> Result<(), IdpError> {
        let call = self.backend.call(context);
        let request = request(&wire::DELETE, json!({ "id": user.id })).repeatable();
        match self.mutate::<bool>(&call, &wire::DELETE, request).await {
            Ok(Some(true)) => Ok(()),
            Ok(Some(false) | None) if call.was_repeated() => Ok(()),
            Err(refusal) if refusal.is_not_found() && call.was_repeated() => Ok(()),
            Ok(Some(false) | None) => Err(user_not_found(&user.id)),
            Err(refusal) if refusal.is_not_found() => Err(user_not_found(&user.id)),
            Err(refusal) => Err(refusal.into_error(&call)),
        }
    }

    async fn send_password_reset_email(
        &self,
        context: &CallContext,
        user: &UserRecord,
        mail: &SendPasswordResetEmail,
    ) -> Result<(), IdpError> {
        let SendPasswordResetEmail { user_id: _, redirect_uri, from_name, subject } = mail;
        let call = self.backend.call(context);
        let mut input = json!({ "userId": user.id, "redirectUri": redirect_uri });
        for (field, value) in [("fromName", from_name), ("subject", subject)] {
            if let Some(value) = value {
                input[field] = value.as_str().into();
            }
        }
        let request = request(&wire::RESET, json!({ "input": input }));
        match self.mutate::<bool>(&call, &wire::RESET, request).await {
            Ok(Some(true)) => Ok(()),
            Ok(Some(false)) => Err(call.unexpected("_sendPasswordResetEmail is false, without an error")),
            Ok(None) => Err(user_not_found(&user.id)),
            Err(refusal) if refusal.is_not_found() => Err(user_not_found(&user.id)),
            Err(refusal) => Err(refusal.into_write_error(&call, "the mail was sent")),
        }
    }

    async fn remove_factor(&self, context: &CallContext, user: &UserRecord, factor_id: &str) -> Result<(), IdpError> {
        let unknown = || IdpError::not_found(format!("MFA factor not found: {}", shortened(factor_id)));
        if !user.mfa_factor_ids.iter().any(|id| id == factor_id) {
            return Err(unknown());
        }
        let call = self.backend.call(context);
        let input = json!({ "userId": user.id, "mfaFactorId": factor_id });
        let request = request(&wire::UNENROLL, json!({ "input": input })).repeatable();
        match self.mutate::<bool>(&call, &wire::UNENROLL, request).await {
            Ok(Some(true)) => Ok(()),
            Ok(Some(false) | None) if call.was_repeated() => Ok(()),
            Err(refusal) if refusal.is_not_found() && call.was_repeated() => Ok(()),
            Ok(Some(false) | None) => Err(unknown()),
            Err(refusal) => Err(refusal.into_error(&call)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://app-hash.erp.dev";

    #[test]
    fn parameters_are_refused_with_key_and_advice() {
        let fault = |url: &str, id: &str, secret: &str, namespace: &str| {
            Tailor::builder(url, id, secret, namespace).build().unwrap_err().to_string()
        };
        assert!(Tailor::builder(URL, "id", "secret", "main-idp").build().is_ok());
        assert_eq!(
            fault("app-hash.erp.dev", "id", "secret", "main-idp"),
            "url must be the URL of an application, https://….erp.dev: got an invalid one (relative URL without a base)"
        );
        assert_eq!(
            fault("http://app-hash.erp.dev", "id", "secret", "main-idp"),
            "url must start with https:// (http:// only for this machine): got http://app-hash.erp.dev/"
        );
        for url in ["https://ana:hidden@app-hash.erp.dev", "https://app-hash.erp.dev/?a=hidden"] {
            assert_eq!(
                fault(url, "id", "secret", "main-idp"),
                "url must have no user, password, query or fragment: got one for \"app-hash.erp.dev\""
            );
        }
        let advice = "must be the credentials of a machine user of the application, without spaces";
        assert_eq!(fault(URL, "", "secret", "main-idp"), format!("client_id {advice}"));
        assert_eq!(fault(URL, "id", "hidden secret", "main-idp"), format!("client_secret {advice}"));
        let refused = fault(URL, "id", "secret", "Main");
        assert!(refused.starts_with("namespace must be the name of the platform's IdP namespace: "), "{refused}");
    }
}

//! A fake of Auth0: the token endpoint and the users of the Management API v2, as their documents describe them.

#![allow(clippy::result_large_err, reason = "an answer is a response either way")]

#[path = "auth0/search.rs"]
mod search;
#[path = "auth0/state.rs"]
mod state;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, Query as Parameters, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use serde_json::{Map, Value, json};

use self::search::Query;
pub(crate) use self::state::{CLIENT_ID, CLIENT_SECRET, CONNECTION, Connection, Seen, Tenant};

/// The domain of the tenant, as the audience of tokens has it.
pub(crate) const DOMAIN: &str = "acme.eu.auth0.com";
/// The maximum size of a request's body.
const MAX_BODY: usize = 1024 * 1024;
/// The maximum length of a request's URI.
const MAX_URI: usize = 8 * 1024;
/// The number of users that can be paged through.
const WINDOW: u64 = 1000;
/// The fields of a request to change a user that exclude each other.
const EXCLUSIVE: [(&str, &str); 5] = [
    ("password", "email"),
    ("password", "email_verified"),
    ("username", "email"),
    ("username", "email_verified"),
    ("username", "password"),
];
/// The fields of a request to create a user.
const FIELDS: [&str; 17] = [
    "connection",
    "email",
    "username",
    "password",
    "blocked",
    "email_verified",
    "verify_email",
    "phone_number",
    "phone_verified",
    "user_metadata",
    "app_metadata",
    "given_name",
    "family_name",
    "name",
    "nickname",
    "picture",
    "user_id",
];

/// A tenant. Clones are the same one.
#[derive(Clone, Default)]
pub(crate) struct FakeAuth0(Arc<Mutex<Tenant>>);

type Answer = Result<Response, Response>;
type Fields = Map<String, Value>;

impl FakeAuth0 {
    /// What tests see and change.
    pub(crate) fn tenant(&self) -> MutexGuard<'_, Tenant> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The API as the documents describe it.
    pub(crate) fn api(&self) -> Router {
        let users = get(list).post(create);
        let user = get(read).patch(update).delete(delete);
        Router::new()
            .route("/oauth/token", post(token))
            .route("/api/v2/users", users)
            .route("/api/v2/users/{id}", user)
            .route("/api/v2/users-by-email", get(by_email))
            .with_state(self.clone())
    }

    /// What is in front of the API: the record of requests, latency and faults. To be put around the checks of the API.
    pub(crate) fn front(&self, api: Router) -> Router {
        api.layer(middleware::from_fn_with_state(self.clone(), front))
    }
}

async fn front(State(fake): State<FakeAuth0>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let (latency, fault) = {
        let mut tenant = fake.tenant();
        tenant.requests.push(Seen {
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            body: serde_json::from_slice(&body).unwrap_or_default(),
        });
        tenant.in_flight += 1;
        tenant.most_in_flight = tenant.most_in_flight.max(tenant.in_flight);
        let is_api = parts.uri.path().starts_with("/api/");
        let fault = if is_api && !tenant.faults.is_empty() { Some(tenant.faults.remove(0)) } else { None };
        (tenant.latency, fault)
    };
    tokio::time::sleep(latency).await;
    let answer = match fault {
        Some((status, body)) => (StatusCode::from_u16(status).unwrap_or_default(), Json(body)).into_response(),
        None => next.run(Request::from_parts(parts, Body::from(body))).await,
    };
    fake.tenant().in_flight -= 1;
    answer
}

fn error(status: StatusCode, code: &str, message: &str) -> Response {
    let reason = status.canonical_reason().unwrap_or_default();
    let body = json!({ "statusCode": status.as_u16(), "error": reason, "message": message, "errorCode": code });
    (status, Json(body)).into_response()
}

fn bad(code: &str, message: &str) -> Response {
    error(StatusCode::BAD_REQUEST, code, message)
}

fn no_user() -> Response {
    error(StatusCode::NOT_FOUND, "inexistent_user", "The user does not exist.")
}

async fn token(State(fake): State<FakeAuth0>, Form(form): Form<Fields>) -> Answer {
    let mut tenant = fake.tenant();
    let refused = |status, error: &str, description: &str| {
        (status, Json(json!({ "error": error, "error_description": description }))).into_response()
    };
    if form.get("grant_type") != Some(&json!("client_credentials")) {
        return Err(refused(StatusCode::FORBIDDEN, "unsupported_grant_type", "Unsupported grant type"));
    }
    if form.get("client_id") != Some(&json!(CLIENT_ID)) || form.get("client_secret") != Some(&json!(CLIENT_SECRET)) {
        return Err(refused(StatusCode::UNAUTHORIZED, "access_denied", "Unauthorized"));
    }
    if form.get("audience") != Some(&json!(format!("https://{DOMAIN}/api/v2/"))) {
        return Err(refused(StatusCode::FORBIDDEN, "access_denied", "Service not enabled within domain"));
    }
    let lifetime = tenant.token_lifetime.as_secs();
    let (token, scope) = tenant.issue_token();
    let answer = json!({ "access_token": token, "scope": scope, "expires_in": lifetime, "token_type": "Bearer" });
    Ok(Json(answer).into_response())
}

/// Checks the token, its scope and the rate.
fn authorize<'a>(fake: &'a FakeAuth0, headers: &HeaderMap, scope: &str) -> Result<MutexGuard<'a, Tenant>, Response> {
    let mut tenant = fake.tenant();
    if let Some(rate) = tenant.rate {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let (second, used) = tenant.window;
        tenant.window = if second == now { (now, used + 1) } else { (now, 1) };
        if tenant.window.1 > rate {
            let mut answer = error(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", "Global limit has been reached");
            let limits = [("limit", u64::from(rate)), ("remaining", 0), ("reset", now + 1)];
            for (name, value) in limits {
                let name = header::HeaderName::from_bytes(format!("x-ratelimit-{name}").as_bytes());
                answer.headers_mut().insert(name.unwrap_or(header::AGE), value.into());
            }
            return Err(answer);
        }
    }
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let Some(scopes) = token.and_then(|token| tenant.token_scopes(token)) else {
        return Err(error(StatusCode::UNAUTHORIZED, "invalid_token", "Invalid token."));
    };
    if !scopes.contains(&scope) {
        let message = format!("Insufficient scope, expected any of: {scope}");
        return Err(error(StatusCode::FORBIDDEN, "insufficient_scope", &message));
    }
    Ok(tenant)
}

/// The fields of a user that a request names.
fn shown(user: &Value, parameters: &Fields) -> Value {
    let (Some(Value::String(fields)), Some(user)) = (parameters.get("fields"), user.as_object()) else {
        return user.clone();
    };
    let fields: Vec<_> = fields.split(',').collect();
    let include = parameters.get("include_fields") != Some(&json!("false"));
    let kept = user.iter().filter(|(key, _)| fields.contains(&key.as_str()) == include);
    Value::Object(kept.map(|(key, value)| (key.clone(), value.clone())).collect())
}

async fn list(
    State(fake): State<FakeAuth0>,
    headers: HeaderMap,
    uri: axum::http::Uri,
    Parameters(parameters): Parameters<Fields>,
) -> Answer {
    let mut tenant = authorize(&fake, &headers, "read:users")?;
    if uri.to_string().len() > MAX_URI {
        return Err(error(StatusCode::URI_TOO_LONG, "request_uri_too_long", "Request-URI Too Large"));
    }
    let text = |key: &str| parameters.get(key).and_then(Value::as_str);
    let number = |key: &str, default: u64| match text(key).map(str::parse::<u64>) {
        None => Ok(default),
        Some(Ok(number)) => Ok(number),
        Some(Err(_)) => Err(bad("invalid_query_string", "Query validation error")),
    };
    let (page, size) = (number("page", 0)?, number("per_page", 50)?);
    if size > 100 {
        return Err(bad(
            "invalid_query_string",
            "Query validation error: 'Value is greater than maximum 100' on per_page",
        ));
    }
    if (page + 1) * size > WINDOW {
        return Err(bad("invalid_paging", "You can only page through the first 1000 records."));
    }
    if !matches!(text("search_engine"), None | Some("v3")) {
        return Err(bad("invalid_query_string", "You are not allowed to use this search_engine. Use v3 instead."));
    }
    let query = text("q").map(Query::parse).transpose();
    let query = query.map_err(|fault| bad("invalid_query_string", &format!("Failed to parse the query: {fault}")))?;
    let matching: Vec<_> =
        tenant.indexed().filter(|user| query.as_ref().is_none_or(|query| query.matches(user))).collect();
    let (total, start) = (matching.len(), page * size);
    let users = matching.into_iter().skip(start as usize).take(size as usize);
    let users: Vec<_> = users.map(|user| shown(user, &parameters)).collect();
    if text("include_totals") != Some("true") {
        return Ok(Json(users).into_response());
    }
    let length = users.len();
    Ok(Json(json!({ "start": start, "limit": size, "length": length, "total": total, "users": users })).into_response())
}

async fn by_email(
    State(fake): State<FakeAuth0>,
    headers: HeaderMap,
    Parameters(parameters): Parameters<Fields>,
) -> Answer {
    let tenant = authorize(&fake, &headers, "read:users")?;
    let Some(email) = parameters.get("email") else {
        return Err(bad("invalid_query_string", "Missing required property: email"));
    };
    let found = tenant.users().filter(|user| user["email"] == *email).map(|user| shown(user, &parameters));
    Ok(Json(found.collect::<Vec<_>>()).into_response())
}

fn check_id(id: &str) -> Result<(), Response> {
    if id.contains('|') {
        return Ok(());
    }
    Err(bad("invalid_uri", "Path validation error: 'Object didn't pass validation for format user-id' on property id"))
}

async fn read(
    State(fake): State<FakeAuth0>,
    headers: HeaderMap,
    Path(id): Path<String>,
    Parameters(parameters): Parameters<Fields>,
) -> Answer {
    let tenant = authorize(&fake, &headers, "read:users")?;
    check_id(&id)?;
    let user = tenant.user(&id).ok_or_else(no_user)?;
    Ok(Json(shown(&user, &parameters)).into_response())
}

fn fields(body: &Bytes) -> Result<Fields, Response> {
    if body.len() > MAX_BODY {
        return Err(error(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", "Payload too large"));
    }
    serde_json::from_slice(body).map_err(|_| bad("invalid_body", "Payload validation error"))
}

/// Auth0 gives a weak password no code of its own.
fn check_password(fields: &Fields) -> Result<(), Response> {
    let Some(password) = fields.get("password") else { return Ok(()) };
    let password = password.as_str().unwrap_or_default();
    if password.len() > 72 {
        return Err(bad("invalid_body", &format!("Payload validation error: too long: {password}")));
    }
    if password.chars().count() < 8 {
        let message = "PasswordStrengthError: Password is too weak";
        let body = json!({ "statusCode": 400, "error": "Bad Request", "message": message });
        return Err((StatusCode::BAD_REQUEST, Json(body)).into_response());
    }
    Ok(())
}

fn check_email(fields: &Fields) -> Result<(), Response> {
    let Some(email) = fields.get("email").and_then(Value::as_str) else { return Ok(()) };
    let is_valid = email.is_ascii()
        && email
            .split_once('@')
            .is_some_and(|(local, domain)| !local.is_empty() && domain.contains('.') && !domain.contains('@'));
    if is_valid {
        return Ok(());
    }
    let message = format!(
        "Payload validation error: 'Object didn't pass validation for format email: {email}' on property email"
    );
    Err(bad("invalid_body", &message))
}

/// The first user of the connection, other than `id`, with one of the names in the fields.
fn owner(tenant: &Tenant, connection: &str, fields: &Fields, id: &str) -> Option<Value> {
    let mut users =
        tenant.users().filter(|user| user["identities"][0]["connection"] == connection && user["user_id"] != id);
    let same = |user: &Value, key: &str| fields.get(key).is_some_and(|value| user[key] == *value);
    users.find(|user| same(user, "email") || same(user, "username")).cloned()
}

async fn create(State(fake): State<FakeAuth0>, headers: HeaderMap, body: Bytes) -> Answer {
    let mut tenant = authorize(&fake, &headers, "create:users")?;
    let mut fields = fields(&body)?;
    if let Some(unknown) = fields.keys().find(|key| !FIELDS.contains(&key.as_str())) {
        return Err(bad(
            "invalid_body",
            &format!("Payload validation error: 'Additional properties not allowed: {unknown}'"),
        ));
    }
    let connection = fields.remove("connection").and_then(|name| name.as_str().map(ToOwned::to_owned));
    let connection = connection.ok_or_else(|| bad("invalid_body", "Missing required property: connection"))?;
    let settings = tenant.connections.get(&connection);
    let usernames = settings.ok_or_else(|| bad("inexistent_connection", "The connection does not exist."))?.usernames;
    if fields.contains_key("username") && !usernames {
        return Err(bad("auth0_idp_error", "Cannot set username for connection without requires_username"));
    }
    if !fields.contains_key("email") && !usernames {
        return Err(bad("invalid_body", "Payload validation error: 'Missing required property: email'"));
    }
    if !fields.contains_key("password") {
        return Err(bad("invalid_body", "Payload validation error: 'Missing required property: password'"));
    }
    check_email(&fields)?;
    check_password(&fields)?;
    if owner(&tenant, &connection, &fields, "").is_some() {
        return Err(error(StatusCode::CONFLICT, "auth0_idp_error", "The user already exists."));
    }
    let verified = fields.get("email_verified") == Some(&json!(true));
    if fields.remove("verify_email").map_or(!verified, |verify| verify == json!(true)) {
        tenant.mails.push("verify your e-mail address".to_owned());
    }
    let password = fields.remove("password");
    let id = tenant.add(&connection, Value::Object(fields));
    if let Some(Value::String(password)) = password {
        tenant.passwords.insert(id.clone(), password);
    }
    let user = tenant.user(&id).unwrap_or_default();
    Ok((StatusCode::CREATED, Json(user)).into_response())
}

async fn update(State(fake): State<FakeAuth0>, headers: HeaderMap, Path(id): Path<String>, body: Bytes) -> Answer {
    let mut tenant = authorize(&fake, &headers, "update:users")?;
    check_id(&id)?;
    let mut fields = fields(&body)?;
    if let Some((one, other)) =
        EXCLUSIVE.iter().find(|(one, other)| fields.contains_key(*one) && fields.contains_key(*other))
    {
        let message = format!("Cannot update {one} and {other} simultaneously");
        return Err(bad("operation_not_supported", &message));
    }
    let user = tenant.user(&id).ok_or_else(no_user)?;
    let connection = fields.remove("connection").unwrap_or_else(|| user["identities"][0]["connection"].clone());
    let identities = user["identities"].as_array().cloned().unwrap_or_default();
    if !identities.iter().any(|identity| identity["connection"] == connection) {
        return Err(bad("inexistent_connection", "The connection does not exist."));
    }
    check_email(&fields)?;
    check_password(&fields)?;
    if owner(&tenant, connection.as_str().unwrap_or_default(), &fields, &id).is_some() {
        return Err(bad("auth0_idp_error", "The specified new email already exists"));
    }
    if fields.remove("verify_email") == Some(json!(true)) {
        tenant.mails.push("verify your e-mail address".to_owned());
    }
    if let Some(Value::String(password)) = fields.remove("password") {
        tenant.passwords.insert(id.clone(), password);
    }
    let user = tenant.change(&id, fields).ok_or_else(no_user)?;
    Ok(Json(user).into_response())
}

async fn delete(State(fake): State<FakeAuth0>, headers: HeaderMap, Path(id): Path<String>) -> Answer {
    let mut tenant = authorize(&fake, &headers, "delete:users")?;
    check_id(&id)?;
    // Nobody is told whether the user existed.
    tenant.remove(&id);
    Ok(StatusCode::NO_CONTENT.into_response())
}

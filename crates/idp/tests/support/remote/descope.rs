//! Descope's management API, as far as its published description and its SDKs have it.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use serde_json::{Value, json};

/// The id of the project.
pub(crate) const PROJECT: &str = "P2aAc4T2V93bddihGEx2Ryhc8e5Z";
/// A management key of the project.
pub(crate) const KEY: &str = "K2secretManagementKey";

/// The time of the first user's creation, in seconds since the epoch.
const START: i64 = 1_767_225_600;
/// The length below which the project's policy refuses passwords.
const MIN_PASSWORD: usize = 8;

/// The project: its users, and what it was asked.
#[derive(Default)]
pub(crate) struct FakeDescope {
    state: Mutex<Project>,
}

#[derive(Default)]
struct Project {
    users: Vec<DescopeUser>,
    created: i64,
    requests: Vec<(String, Value)>,
    faults: Vec<Fault>,
    /// Whether creating users ignores status and password, as older versions of the API do.
    creates_bare_users: bool,
    ignores_filters: bool,
}

/// The answer to one request, in place of the service's own.
struct Fault {
    path: &'static str,
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

#[derive(Clone)]
struct DescopeUser {
    id: String,
    login_ids: Vec<String>,
    email: Option<String>,
    verified_email: bool,
    status: String,
    password: Option<String>,
    created: i64,
    test: bool,
}

impl DescopeUser {
    fn json(&self) -> Value {
        let mut user = json!({
            "userId": self.id, "loginIds": self.login_ids, "status": self.status, "password": self.password.is_some(),
            "createdTime": self.created, "verifiedEmail": self.verified_email, "roleNames": [], "userTenants": [],
            "test": self.test, "TOTP": false, "SAML": false, "OAuth": {}, "customAttributes": {}, "name": "", "phone": "",
        });
        user["email"] = self.email.clone().unwrap_or_default().into();
        user
    }

    fn has_login_id(&self, login_id: &Value) -> bool {
        self.login_ids.iter().any(|id| login_id == id)
    }
}

/// A refusal: status, code, text.
type Refusal = (u16, &'static str, String);

fn unknown_user() -> Refusal {
    (400, "E112102", "User not found".to_owned())
}

fn bad_request(text: &str) -> Refusal {
    (400, "E011003", text.to_owned())
}

impl FakeDescope {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// The API. `check` sees what the service itself answers, without the faults of [`fail`](Self::fail).
    pub(crate) fn server(self: &Arc<Self>, check: impl FnOnce(Router) -> Router) -> Router {
        let service = Router::new().fallback(handle).with_state(Arc::clone(self));
        check(service).layer(middleware::from_fn_with_state(Arc::clone(self), record))
    }

    /// The requests so far: method and path, and the body or the parameters.
    pub(crate) fn requests(&self) -> Vec<(String, Value)> {
        self.state.lock().unwrap().requests.clone()
    }

    /// The paths of the requests since the last call.
    pub(crate) fn take_paths(&self) -> Vec<String> {
        let requests = std::mem::take(&mut self.state.lock().unwrap().requests);
        requests.into_iter().map(|(path, _)| path).collect()
    }

    /// Answers the next request to the path in another way.
    pub(crate) fn fail(&self, path: &'static str, status: u16, headers: &[(&'static str, &str)], body: impl ToString) {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.state.lock().unwrap().faults.push(Fault { path, status, headers, body: body.to_string() });
    }

    /// Lets the creation of users ignore status and password.
    pub(crate) fn create_bare_users(&self) {
        self.state.lock().unwrap().creates_bare_users = true;
    }

    /// Lets searches ignore their filters.
    pub(crate) fn ignore_filters(&self) {
        self.state.lock().unwrap().ignores_filters = true;
    }

    /// Adds a user whom another program created.
    pub(crate) fn add(&self, login_ids: &[&str], test: bool) -> String {
        let mut state = self.state.lock().unwrap();
        let (id, created) = state.next();
        let login_ids = login_ids.iter().map(|id| (*id).to_owned()).collect();
        let (status, password) = ("invited".to_owned(), None);
        let user = DescopeUser {
            id: id.clone(),
            login_ids,
            email: None,
            verified_email: false,
            status,
            password,
            created,
            test,
        };
        state.users.push(user);
        id
    }

    /// The password of the user, if there is one.
    pub(crate) fn password(&self, id: &str) -> Option<String> {
        self.state.lock().unwrap().users.iter().find(|user| user.id == id)?.password.clone()
    }

    /// The status and the e-mail address of the user.
    pub(crate) fn status_and_email(&self, id: &str) -> (String, Option<String>) {
        let state = self.state.lock().unwrap();
        let user = state.users.iter().find(|user| user.id == id).unwrap();
        (user.status.clone(), user.email.clone())
    }

    /// Removes the user.
    pub(crate) fn remove(&self, id: &str) {
        self.state.lock().unwrap().users.retain(|user| user.id != id);
    }
}

impl Project {
    /// The id and the time of a new user. Ids are in no order, and two users have the same time.
    fn next(&mut self) -> (String, i64) {
        let number = self.created;
        self.created += 1;
        (format!("U2{:04}n{number}", number * 7919 % 10_000), START + number / 2)
    }

    fn user(&mut self, login_id: &Value) -> Result<&mut DescopeUser, Refusal> {
        self.users.iter_mut().find(|user| user.has_login_id(login_id)).ok_or_else(unknown_user)
    }

    fn answer(&mut self, method: &Method, path: &str, body: &Value) -> Result<Value, Refusal> {
        match (method.as_str(), path) {
            ("GET", "/v1/mgmt/user") => {
                let found = self.users.iter().find(|user| match body.get("userId") {
                    Some(id) => user.id == *id,
                    None => user.has_login_id(&body["loginId"]),
                });
                found.map(|user| json!({ "user": user.json() })).ok_or_else(unknown_user)
            }
            ("POST", "/v2/mgmt/user/search") => Ok(self.search(body)),
            ("POST", "/v1/mgmt/user/create") => self.create(body),
            ("POST", "/v1/mgmt/user/update/status") => {
                let status = body["status"].as_str().unwrap_or_default().to_owned();
                if !["enabled", "disabled", "invited"].contains(&&*status) {
                    return Err(bad_request("The status field is invalid"));
                }
                let user = self.user(&body["loginId"])?;
                user.status = status;
                Ok(json!({ "user": user.json() }))
            }
            ("POST", "/v1/mgmt/user/update/loginid") => {
                let new = &body["newLoginId"];
                if self.users.iter().any(|user| user.has_login_id(new)) {
                    return Err(bad_request("Login ID is already in use"));
                }
                let user = self.user(&body["loginId"])?;
                for id in &mut user.login_ids {
                    if body["loginId"] == **id {
                        new.as_str().unwrap_or_default().clone_into(id);
                    }
                }
                Ok(json!({ "user": user.json() }))
            }
            ("POST", "/v1/mgmt/user/update/email") => {
                let email = body["email"].as_str().unwrap_or_default().to_owned();
                let id = self.user(&body["loginId"])?.id.clone();
                let owner = self.users.iter().position(|user| user.email.as_ref() == Some(&email) && user.id != id);
                if let Some(owner) = owner {
                    if body["failOnConflict"] == true {
                        return Err(bad_request("The email is in use"));
                    }
                    // Merges the users.
                    self.users.remove(owner);
                }
                let user = self.user(&body["loginId"])?;
                (user.email, user.verified_email) = (Some(email), body["verified"] == true);
                Ok(json!({ "user": user.json() }))
            }
            ("POST", "/v1/mgmt/user/password/set/active") => {
                let password = body["password"].as_str().unwrap_or_default().to_owned();
                check_password(&password)?;
                self.user(&body["loginId"])?.password = Some(password);
                Ok(json!({}))
            }
            ("POST", "/v1/mgmt/user/delete") => {
                let before = self.users.len();
                self.users.retain(|user| body["userId"] != user.id && !user.has_login_id(&body["loginId"]));
                if self.users.len() < before { Ok(json!({})) } else { Err(unknown_user()) }
            }
            ("POST", "/v1/auth/password/reset") => {
                let user = self.user(&body["loginId"])?;
                let email = user.email.clone().ok_or_else(|| bad_request("User has no email"))?;
                let masked = format!("{}****", &email[..1]);
                Ok(json!({ "resetMethod": "magiclink", "pendingRef": "", "linkId": "", "maskedEmail": masked }))
            }
            _ => Err((404, "E011001", format!("No such call: {method} {path}"))),
        }
    }

    fn create(&mut self, body: &Value) -> Result<Value, Refusal> {
        let login_id = body["loginId"].as_str().unwrap_or_default().to_owned();
        if login_id.is_empty() || login_id.contains("refused") {
            return Err(bad_request("The loginId field is invalid"));
        }
        if self.users.iter().any(|user| user.has_login_id(&body["loginId"])) {
            return Err(bad_request("User already exists"));
        }
        let email = body["email"].as_str().map(ToOwned::to_owned);
        let verified_email = body["verifiedEmail"] == true;
        if email.is_some() && !verified_email {
            return Err(bad_request("One of verifiedEmail and verifiedPhone must be true"));
        }
        let password = body["password"].as_str().filter(|_| !self.creates_bare_users).map(ToOwned::to_owned);
        password.as_deref().map_or(Ok(()), check_password)?;
        let hashed = body.get("hashedPassword").filter(|_| !self.creates_bare_users).map(Value::to_string);
        let password = password.or(hashed);
        let status = body["status"].as_str().filter(|_| !self.creates_bare_users).unwrap_or("invited").to_owned();
        let (id, created) = self.next();
        let user = DescopeUser {
            id,
            login_ids: vec![login_id],
            email,
            verified_email,
            status,
            password,
            created,
            test: false,
        };
        let answer = json!({ "user": user.json() });
        self.users.push(user);
        Ok(answer)
    }

    fn search(&self, body: &Value) -> Value {
        // "If not empty": an empty filter is none.
        let allows = |filter: &str, matches: &dyn Fn(&Value) -> bool| {
            let values = body[filter].as_array().filter(|values| !values.is_empty() && !self.ignores_filters);
            values.is_none_or(|values| values.iter().any(matches))
        };
        let mut found: Vec<_> = self
            .users
            .iter()
            .filter(|user| !user.test || body["withTestUser"] == true)
            .filter(|user| allows("userIds", &|id| *id == *user.id))
            .filter(|user| allows("loginIds", &|id| user.has_login_id(id)))
            .filter(|user| allows("emails", &|email| user.email.as_ref().is_some_and(|own| email == own)))
            .collect();
        let sort: Vec<_> = body["sort"].as_array().into_iter().flatten().map(|sort| sort["field"].clone()).collect();
        if sort == ["createdTime", "id"] {
            found.sort_by_key(|user| (user.created, &user.id));
        } else {
            // An order of its own.
            found.sort_by_key(|user| std::cmp::Reverse(&user.id));
        }
        let (limit, page) = (body["limit"].as_u64().unwrap_or(100), body["page"].as_u64().unwrap_or(0));
        let users: Vec<_> =
            found.iter().skip((limit * page) as usize).take(limit.min(100) as usize).map(|user| user.json()).collect();
        json!({ "users": users, "total": found.len() })
    }
}

/// The text repeats the password: whatever a service answers, it must not get further.
fn check_password(password: &str) -> Result<(), Refusal> {
    if password.len() >= MIN_PASSWORD {
        return Ok(());
    }
    Err(bad_request(&format!("Password {password} must have at least {MIN_PASSWORD} characters")))
}

/// Records the request, and answers it with the next fault of its path, if there is one.
async fn record(State(fake): State<Arc<FakeDescope>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    let path = parts.uri.path();
    let fault = {
        let mut state = fake.state.lock().unwrap();
        state.requests.push((format!("{} {path}", parts.method), content(&parts, &bytes)));
        let fault = state.faults.iter().position(|fault| fault.path == path);
        fault.map(|index| state.faults.remove(index))
    };
    let Some(Fault { path: _, status, headers, body }) = fault else {
        return next.run(Request::from_parts(parts, Body::from(bytes))).await;
    };
    let answer = Response::builder().status(status);
    let answer = headers.into_iter().fold(answer, |answer, (name, value)| answer.header(name, value));
    answer.body(Body::from(body)).unwrap()
}

async fn handle(State(fake): State<Arc<FakeDescope>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = content(&parts, &to_bytes(body, usize::MAX).await.unwrap());
    let answer = match is_authorized(&parts.headers, parts.uri.path()) {
        true => fake.state.lock().unwrap().answer(&parts.method, parts.uri.path(), &body),
        false => Err((401, "E061102", format!("Invalid credentials: {:?}", parts.headers.get(header::AUTHORIZATION)))),
    };
    let (status, body) = match answer {
        Ok(body) => (StatusCode::OK, body),
        Err((status, code, text)) => {
            let body = json!({ "errorCode": code, "errorDescription": "Request failed", "errorMessage": text });
            (StatusCode::from_u16(status).unwrap(), body)
        }
    };
    let answer = Response::builder().status(status).header(header::CONTENT_TYPE, "application/json");
    answer.body(Body::from(body.to_string())).unwrap()
}

/// The body, or the parameters where there is none.
fn content(parts: &Parts, body: &[u8]) -> Value {
    if !body.is_empty() {
        return serde_json::from_slice(body).unwrap_or_default();
    }
    let parameters = url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
    parameters.map(|(key, value)| (key.into_owned(), Value::String(value.into_owned()))).collect()
}

fn is_authorized(headers: &HeaderMap, path: &str) -> bool {
    let credentials = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match path.starts_with("/v1/auth/") {
        true => credentials == format!("Bearer {PROJECT}"),
        false => credentials == format!("Bearer {PROJECT}:{KEY}"),
    }
}

//! The platform: the token endpoint of an application, and the GraphQL of its IdP subgraph, as far as the platform's guide has
//! it. Documents are parsed and checked against the types there. A literal text in one is refused: it would have been
//! interpolated.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Form, Json, Router};
use graphql_parser::query::{
    Definition, Field, OperationDefinition, Selection, SelectionSet, Value as Literal, VariableDefinition, parse_query,
};
use serde_json::{Map, Value, json};

/// The client id of a machine user.
pub(crate) const CLIENT_ID: &str = "machine-user";
/// The secret of the machine user.
pub(crate) const CLIENT_SECRET: &str = "s3cret/+&=machine";

/// The time of the first user's creation.
const START: &str = "2026-01-01T00:00:00";
/// The length below which the namespace's policy refuses passwords.
const MIN_PASSWORD: usize = 8;
/// The maximum number of users on a page.
const MAX_PAGE: u64 = 100;

/// The application: its users, and what it was asked.
#[derive(Default)]
pub(crate) struct FakePlatform {
    state: Mutex<Application>,
}

#[derive(Default)]
struct Application {
    users: Vec<PlatformUser>,
    created: usize,
    /// The number of tokens so far. The last one is valid.
    tokens: usize,
    requests: Vec<(String, Value)>,
    mails: Vec<Value>,
    faults: Vec<Fault>,
    /// Whether an unknown user is an error rather than `null`.
    unknown_is_error: bool,
    ignores_filters: bool,
}

/// The answer to one request, in place of the platform's own.
struct Fault {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

#[derive(Clone)]
struct PlatformUser {
    id: String,
    name: String,
    disabled: bool,
    password: Option<String>,
    created_at: String,
    factors: Vec<String>,
}

impl PlatformUser {
    fn json(&self) -> Value {
        json!({
            "id": self.id, "name": self.name, "disabled": self.disabled, "createdAt": self.created_at,
            "mfaEnrolled": !self.factors.is_empty(), "mfaFactorIds": self.factors,
        })
    }
}

/// The text of an error in the platform's form.
fn failure(method: &str, description: &str, detail: &str) -> String {
    format!("{method} failed: code: '{description}', message: {detail:?}")
}

fn invalid(method: &str, detail: &str) -> String {
    failure(method, "Client specified an invalid argument", detail)
}

fn not_found(method: &str, detail: &str) -> String {
    failure(method, "Some requested entity was not found", detail)
}

impl FakePlatform {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn server(self: &Arc<Self>) -> Router {
        Router::new().route("/oauth2/token", post(token)).route("/query", post(query)).with_state(Arc::clone(self))
    }

    /// The documents and the variables of the requests since the last call.
    pub(crate) fn take_requests(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut self.state.lock().unwrap().requests)
    }

    /// Answers the next GraphQL request in another way.
    pub(crate) fn fail(&self, status: u16, headers: &[(&'static str, &str)], body: impl ToString) {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.state.lock().unwrap().faults.push(Fault { status, headers, body: body.to_string() });
    }

    /// Answers for unknown users with errors.
    pub(crate) fn report_unknown_users(&self) {
        self.state.lock().unwrap().unknown_is_error = true;
    }

    /// Lets listings ignore their filters.
    pub(crate) fn ignore_filters(&self) {
        self.state.lock().unwrap().ignores_filters = true;
    }

    /// Ends the current access token.
    pub(crate) fn revoke_tokens(&self) {
        self.state.lock().unwrap().tokens += 1;
    }

    /// The number of tokens so far.
    pub(crate) fn tokens(&self) -> usize {
        self.state.lock().unwrap().tokens
    }

    pub(crate) fn add_factor(&self, user_id: &str, factor_id: &str) {
        let mut state = self.state.lock().unwrap();
        let user = state.users.iter_mut().find(|user| user.id == user_id).unwrap();
        user.factors.push(factor_id.to_owned());
    }

    pub(crate) fn password(&self, user_id: &str) -> Option<String> {
        self.state.lock().unwrap().users.iter().find(|user| user.id == user_id)?.password.clone()
    }

    pub(crate) fn remove(&self, user_id: &str) {
        self.state.lock().unwrap().users.retain(|user| user.id != user_id);
    }

    /// The mails so far.
    pub(crate) fn mails(&self) -> Vec<Value> {
        self.state.lock().unwrap().mails.clone()
    }
}

/// The type of an argument, or of a variable in it.
fn type_of(path: &str) -> Option<&'static str> {
    Some(match path {
        "_users.first" => "Int",
        "_users.after" => "String",
        "_users.query.ids" => "[ID!]",
        "_users.query.names" => "[String!]",
        "_user.id" | "_deleteUser.id" => "ID!",
        "_userBy.id" => "ID",
        "_userBy.name" => "String",
        "_createUser.input" => "_CreateUserInput!",
        "_updateUser.input" => "_UpdateUserInput!",
        "_sendPasswordResetEmail.input" => "_SendPasswordResetEmailInput!",
        "_unenrollMfa.input" => "_UnenrollMfaInput!",
        _ => return None,
    })
}

/// The fields of an input type, and their types.
fn fields_of(input: &str) -> &'static [(&'static str, &'static str)] {
    match input {
        "_CreateUserInput" => &[("name", "String!"), ("password", "String"), ("disabled", "Boolean")],
        "_UpdateUserInput" => &[
            ("id", "ID!"),
            ("name", "String"),
            ("password", "String"),
            ("clearPassword", "Boolean"),
            ("disabled", "Boolean"),
        ],
        "_SendPasswordResetEmailInput" => {
            &[("userId", "ID!"), ("redirectUri", "String!"), ("fromName", "String"), ("subject", "String")]
        }
        "_UnenrollMfaInput" => &[("userId", "ID!"), ("mfaFactorId", "ID!")],
        _ => &[],
    }
}

/// Checks a value against a type.
fn check(value: &Value, kind: &str) -> Result<(), String> {
    let (kind, required) = kind.strip_suffix('!').map_or((kind, false), |kind| (kind, true));
    let fits = match (value, kind) {
        (Value::Null, _) => !required,
        (Value::String(_), "String" | "ID") | (Value::Bool(_), "Boolean") => true,
        (Value::Number(number), "Int") => number.is_i64(),
        (Value::Array(values), _) => {
            let member = kind.strip_prefix('[').and_then(|kind| kind.strip_suffix(']')).ok_or("not a list")?;
            values.iter().try_for_each(|value| check(value, member))?;
            true
        }
        (Value::Object(object), _) => {
            let fields = fields_of(kind);
            for key in object.keys() {
                if !fields.iter().any(|(name, _)| name == key) {
                    return Err(format!("{kind} has no field {key}"));
                }
            }
            fields.iter().try_for_each(|(name, kind)| check(object.get(*name).unwrap_or(&Value::Null), kind))?;
            !fields.is_empty()
        }
        _ => false,
    };
    if fits { Ok(()) } else { Err(format!("{value} is no {kind}")) }
}

type Variables<'v, 'd> = (&'v [VariableDefinition<'d, String>], &'v Value);

/// The value of an argument: of variables, and of objects with variables in them.
fn argument(path: &str, literal: &Literal<'_, String>, variables: Variables<'_, '_>) -> Result<Option<Value>, String> {
    let (definitions, values) = variables;
    match literal {
        Literal::Variable(name) => {
            let definition = definitions.iter().find(|definition| definition.name == *name);
            let declared = definition.ok_or(format!("${name} is not declared"))?.var_type.to_string();
            let expected = type_of(path).ok_or(format!("{path} is no argument"))?;
            if declared != expected && declared.strip_suffix('!') != Some(expected) {
                return Err(format!("${name} of type {declared} cannot be {path} of type {expected}"));
            }
            let value = values.get(name);
            check(value.unwrap_or(&Value::Null), &declared)?;
            Ok(value.cloned())
        }
        Literal::Object(fields) => {
            let mut object = Map::new();
            for (key, literal) in fields {
                if let Some(value) = argument(&format!("{path}.{key}"), literal, variables)? {
                    object.insert(key.clone(), value);
                }
            }
            Ok(Some(Value::Object(object)))
        }
        literal => Err(format!("{path} has the literal {literal}, not a variable")),
    }
}

/// The fields of the value that are selected.
fn select(value: &Value, selection: &SelectionSet<'_, String>) -> Result<Value, String> {
    match value {
        Value::Array(values) => values.iter().map(|value| select(value, selection)).collect(),
        Value::Object(object) => {
            let mut selected = Map::new();
            for field in fields(selection)? {
                let value = object.get(&field.name).ok_or(format!("no field {}", field.name))?;
                selected.insert(field.name.clone(), select(value, &field.selection_set)?);
            }
            if selected.is_empty() {
                Err("an object without selection".to_owned())
            } else {
                Ok(Value::Object(selected))
            }
        }
        value => Ok(value.clone()),
    }
}

fn fields<'s, 'd>(selection: &'s SelectionSet<'d, String>) -> Result<Vec<&'s Field<'d, String>>, String> {
    let field = |item: &'s Selection<'d, String>| match item {
        Selection::Field(field) => Ok(field),
        _ => Err("fragments are not needed".to_owned()),
    };
    selection.items.iter().map(field).collect()
}

impl Application {
    /// Executes a document with one field.
    fn execute(&mut self, document: &str, variables: &Value) -> Value {
        match self.try_execute(document, variables) {
            Ok((name, Ok(result))) => json!({ "data": { name: result } }),
            Ok((name, Err(message))) => json!({
                "data": { &*name: null },
                "errors": [{ "message": message, "path": [name], "extensions": {} }],
            }),
            Err(message) => json!({ "errors": [{ "message": format!("invalid document: {message}") }] }),
        }
    }

    fn try_execute(&mut self, document: &str, variables: &Value) -> Result<(String, Result<Value, String>), String> {
        let document = parse_query::<String>(document).map_err(|error| error.to_string())?;
        let [Definition::Operation(operation)] = &document.definitions[..] else {
            return Err("definitions".to_owned());
        };
        let (definitions, selection, is_mutation) = match operation {
            OperationDefinition::Query(query) => (&query.variable_definitions, &query.selection_set, false),
            OperationDefinition::Mutation(mutation) => (&mutation.variable_definitions, &mutation.selection_set, true),
            _ => return Err("neither a query nor a mutation".to_owned()),
        };
        for name in variables.as_object().into_iter().flatten().map(|(name, _)| name) {
            if !definitions.iter().any(|definition| definition.name == *name) {
                return Err(format!("${name} is not declared"));
            }
        }
        let [field] = fields(selection)?[..] else { return Err("more than one field".to_owned()) };
        if is_mutation == field.name.starts_with("_user") {
            return Err(format!("{} is of the other kind", field.name));
        }
        let mut arguments = HashMap::new();
        for (name, literal) in &field.arguments {
            let path = format!("{}.{name}", field.name);
            arguments.insert(name.clone(), argument(&path, literal, (definitions, variables))?.unwrap_or_default());
        }
        let result = match self.resolve(&field.name, &arguments)? {
            Ok(result) => Ok(select(&result, &field.selection_set)?),
            Err(message) => Err(message),
        };
        Ok((field.name.clone(), result))
    }

    fn resolve(&mut self, field: &str, arguments: &HashMap<String, Value>) -> Result<Result<Value, String>, String> {
        let null = Value::Null;
        let get = |name: &str| arguments.get(name).unwrap_or(&null);
        Ok(match field {
            "_users" => Ok(self.users(get("first"), get("after"), get("query"))),
            "_user" => self.find("user", |user| *get("id") == user.id, get("id")),
            "_userBy" => self.find("userByName", |user| *get("name") == user.name, get("name")),
            "_createUser" => self.create(get("input")),
            "_updateUser" => self.update(get("input")),
            "_deleteUser" => self.with_user("deleteUser", get("id"), |state, index| {
                state.users.remove(index);
                Ok(true)
            }),
            "_sendPasswordResetEmail" => {
                let mail = get("input").clone();
                self.with_user("sendPasswordResetEmail", &get("input")["userId"], |state, _| {
                    state.mails.push(mail);
                    Ok(true)
                })
            }
            "_unenrollMfa" => {
                let factor = get("input")["mfaFactorId"].clone();
                self.with_user("unenrollMfa", &get("input")["userId"], |state, index| {
                    let factors = &mut state.users[index].factors;
                    let before = factors.len();
                    factors.retain(|id| factor != **id);
                    if factors.len() < before {
                        Ok(true)
                    } else {
                        Err(not_found("unenrollMfa", "MFA factor not found"))
                    }
                })
            }
            _ => return Err(format!("no field {field}")),
        })
    }

    fn unknown(&self, method: &str, key: &Value) -> Result<Value, String> {
        match self.unknown_is_error {
            true => Err(not_found(method, &format!("user not found: {}", key.as_str().unwrap_or_default()))),
            false => Ok(Value::Null),
        }
    }

    fn find(&self, method: &str, matches: impl Fn(&PlatformUser) -> bool, key: &Value) -> Result<Value, String> {
        match self.users.iter().find(|user| matches(user)) {
            Some(user) => Ok(user.json()),
            None => self.unknown(method, key),
        }
    }

    fn with_user(
        &mut self,
        method: &str,
        id: &Value,
        then: impl FnOnce(&mut Self, usize) -> Result<bool, String>,
    ) -> Result<Value, String> {
        match self.users.iter().position(|user| *id == user.id) {
            Some(index) => then(self, index).map(Value::Bool),
            None => self.unknown(method, id),
        }
    }

    fn create(&mut self, input: &Value) -> Result<Value, String> {
        let name = input["name"].as_str().unwrap_or_default().to_owned();
        self.check_name("createUser", &name)?;
        let password = input["password"].as_str().map(ToOwned::to_owned);
        check_password("createUser", password.as_deref())?;
        let number = self.created;
        self.created += 1;
        self.users.push(PlatformUser {
            id: format!("0192f0c1-0000-7000-8000-{number:012}"),
            name,
            disabled: input["disabled"] == true,
            password,
            created_at: format!("{START}.{:03}Z", number % 1000),
            factors: Vec::new(),
        });
        Ok(self.users.last().map(PlatformUser::json).unwrap_or_default())
    }

    fn update(&mut self, input: &Value) -> Result<Value, String> {
        let Some(index) = self.users.iter().position(|user| input["id"] == user.id) else {
            return self.unknown("updateUser", &input["id"]);
        };
        let name = input["name"].as_str().map(ToOwned::to_owned);
        if let Some(name) = name.as_ref().filter(|name| **name != self.users[index].name) {
            self.check_name("updateUser", name)?;
        }
        check_password("updateUser", input["password"].as_str())?;
        let user = &mut self.users[index];
        user.name = name.unwrap_or_else(|| user.name.clone());
        user.disabled = input["disabled"].as_bool().unwrap_or(user.disabled);
        if input["clearPassword"] == true {
            user.password = None;
        }
        user.password = input["password"].as_str().map(ToOwned::to_owned).or(user.password.take());
        Ok(user.json())
    }

    fn check_name(&self, method: &str, name: &str) -> Result<(), String> {
        if self.users.iter().any(|user| user.name == name) {
            let description = "Some entity that we attempted to create already exists";
            return Err(failure(method, description, &format!("user already exists: {name}")));
        }
        Ok(())
    }

    fn users(&self, first: &Value, after: &Value, query: &Value) -> Value {
        let allows = |filter: &str, value: &str| {
            query[filter].as_array().is_none_or(|values| self.ignores_filters || values.iter().any(|one| one == value))
        };
        let found: Vec<_> =
            self.users.iter().filter(|user| allows("ids", &user.id) && allows("names", &user.name)).collect();
        let after = after.as_str().and_then(|cursor| cursor.strip_prefix("after "));
        let rest: Vec<_> = found.iter().filter(|user| after.is_none_or(|after| &*user.id > after)).collect();
        let first = first.as_u64().unwrap_or(MAX_PAGE).min(MAX_PAGE) as usize;
        let page = &rest[..first.min(rest.len())];
        json!({
            "edges": page.iter().map(|user| json!({ "node": user.json() })).collect::<Vec<_>>(),
            "pageInfo": {
                "hasNextPage": page.len() < rest.len(),
                "endCursor": page.last().map(|user| format!("after {}", user.id)),
            },
            "totalCount": found.len(),
        })
    }
}

/// The text repeats the password: whatever a service answers, it must not get further.
fn check_password(method: &str, password: Option<&str>) -> Result<(), String> {
    match password.filter(|password| password.len() < MIN_PASSWORD) {
        Some(password) => Err(invalid(method, &format!("password {password} is shorter than {MIN_PASSWORD}"))),
        None => Ok(()),
    }
}

async fn token(
    State(fake): State<Arc<FakePlatform>>,
    Form(form): Form<HashMap<String, String>>,
) -> (StatusCode, Json<Value>) {
    let expected = [("grant_type", "client_credentials"), ("client_id", CLIENT_ID), ("client_secret", CLIENT_SECRET)];
    if form.len() != expected.len()
        || expected.iter().any(|(key, value)| form.get(*key).is_none_or(|sent| sent != value))
    {
        // The body repeats what was sent.
        return (StatusCode::UNAUTHORIZED, Json(json!({ "error": "invalid_client", "error_description": form })));
    }
    let mut state = fake.state.lock().unwrap();
    state.tokens += 1;
    let token = format!("access-token-{}", state.tokens);
    (StatusCode::OK, Json(json!({ "access_token": token, "expires_in": 3600, "token_type": "Bearer" })))
}

async fn query(State(fake): State<Arc<FakePlatform>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body: Value = serde_json::from_slice(&to_bytes(body, usize::MAX).await.unwrap()).unwrap_or_default();
    let document = body["query"].as_str().unwrap_or_default().to_owned();
    let mut state = fake.state.lock().unwrap();
    if !is_authorized(&parts.headers, state.tokens) {
        return (StatusCode::UNAUTHORIZED, Json(json!({ "errors": [{ "message": "unauthorized" }] }))).into_response();
    }
    state.requests.push((document.clone(), body["variables"].clone()));
    if !state.faults.is_empty() {
        let Fault { status, headers, body } = state.faults.remove(0);
        let answer = Response::builder().status(status);
        let answer = headers.into_iter().fold(answer, |answer, (name, value)| answer.header(name, value));
        return answer.body(Body::from(body)).unwrap();
    }
    Json(state.execute(&document, &body["variables"])).into_response()
}

fn is_authorized(headers: &HeaderMap, tokens: usize) -> bool {
    headers.get(header::AUTHORIZATION).is_some_and(|sent| *sent == *format!("Bearer access-token-{tokens}"))
}

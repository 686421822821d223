//! Published descriptions of services (OpenAPI). The requests of a test, and the answers of a fake, are checked against them.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::Response;
use jsonschema::Validator;
use serde_json::{Value, json};

/// The description of one service.
pub(crate) struct OpenApi {
    document: Value,
    /// The path of the service's URL in the description, such as `/api/v2`.
    base: String,
    violations: Mutex<Vec<String>>,
    /// The compiled schemas.
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

impl OpenApi {
    /// Reads the description from the folder beside the checkout. `None`, and a note on stderr, if it is not there.
    pub(crate) fn load(file: &str, base: &str) -> Option<Arc<Self>> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .map(|folder| folder.join("../shared/spec/openapi").join(file));
        let Some(path) = path.into_iter().find(|path| path.is_file()) else {
            eprintln!("left out: requests and answers are not checked, since {file} is not available");
            return None;
        };
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut document: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
        allow_null(&mut document);
        Some(Arc::new(Self {
            document,
            base: base.to_owned(),
            violations: Mutex::default(),
            validators: Mutex::default(),
        }))
    }

    /// Reads a description that does not say whether objects may have further properties: they may not.
    pub(crate) fn load_closed(file: &str, base: &str) -> Option<Arc<Self>> {
        let mut description = Arc::into_inner(Self::load(file, base)?)?;
        close(&mut description.document["components"]["schemas"]);
        Some(Arc::new(description))
    }

    /// Checks all requests to the server and all answers of it.
    pub(crate) fn check(self: &Arc<Self>, server: Router) -> Router {
        server.layer(middleware::from_fn_with_state(Arc::clone(self), observe))
    }

    /// What did not agree with the description, one line each.
    pub(crate) fn violations(&self) -> Vec<String> {
        self.violations.lock().unwrap().clone()
    }

    /// Checks one exchange.
    pub(crate) fn exchange(&self, request: (&Method, &str, &str, &[u8]), answer: (StatusCode, &[u8])) {
        let (method, path, query, body) = request;
        // Other paths of the same server, such as a token endpoint, are not part of the description.
        let Some(path) = path.strip_prefix(&self.base) else { return };
        let line = format!("{method} {path}");
        let report = |what: String| self.violations.lock().unwrap().push(format!("{line}: {what}"));
        let Some(operation) = self.operation(method, path) else {
            return report("is not in the description".to_owned());
        };

        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let parameter = parameters.iter().find(|parameter| parameter["in"] == "query" && parameter["name"] == *key);
            match parameter {
                None => report(format!("query parameter {key} is not in the description")),
                Some(parameter) => {
                    let value = self.typed(&parameter["schema"], &value);
                    self.faults(&parameter["schema"], &value)
                        .into_iter()
                        .for_each(|fault| report(format!("{key}: {fault}")));
                }
            }
        }
        let refused_form = answer.0.is_client_error();
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        // A request that the service refuses need not be valid.
        if !refused_form && !schema.is_null() {
            match serde_json::from_slice(body) {
                Ok(body) => {
                    self.faults(schema, &body).into_iter().for_each(|fault| report(format!("request: {fault}")))
                }
                Err(error) => report(format!("request: {error}")),
            }
        }
        let status = answer.0.as_u16().to_string();
        let mut statuses = operation["responses"].as_object().into_iter().flatten();
        // A description without any error says nothing about errors.
        if !answer.0.is_success() && statuses.all(|(status, _)| status.starts_with('2')) {
            return;
        }
        let Some(described) = operation["responses"].get(&status) else {
            return report(format!("status {status} is not in the description"));
        };
        let schema = &described["content"]["application/json"]["schema"];
        if !schema.is_null() {
            match serde_json::from_slice(answer.1) {
                Ok(body) => self.faults(schema, &body).into_iter().for_each(|fault| report(format!("answer: {fault}"))),
                Err(error) => report(format!("answer {status}: {error}")),
            }
        }
    }

    /// The operation of a path, of which `{…}` match any segment. Literal segments have precedence.
    fn operation(&self, method: &Method, path: &str) -> Option<&Value> {
        let segments: Vec<_> = path.split('/').collect();
        let fits = |template: &str| {
            let template: Vec<_> = template.split('/').collect();
            template.len() == segments.len()
                && template.iter().zip(&segments).all(|(part, segment)| part.starts_with('{') || part == segment)
        };
        let paths = self.document["paths"].as_object()?;
        let fitting = paths.iter().filter(|(template, _)| fits(template));
        let (_, operations) = fitting.min_by_key(|(template, _)| template.matches('{').count())?;
        operations.get(method.as_str().to_lowercase())
    }

    fn faults(&self, schema: &Value, value: &Value) -> Vec<String> {
        let validator = self.validator(schema);
        validator.iter_errors(value).map(|error| format!("{} at {:?}", error, error.instance_path().as_str())).collect()
    }

    fn validator(&self, schema: &Value) -> Arc<Validator> {
        let mut validators = self.validators.lock().unwrap();
        let compile = || {
            // References in the schema start at the root.
            let root = json!({ "allOf": [schema], "components": self.document["components"] });
            let options = jsonschema::options().with_draft(jsonschema::Draft::Draft202012);
            Arc::new(options.build(&root).unwrap_or_else(|error| panic!("a schema is invalid: {error}")))
        };
        Arc::clone(validators.entry(schema.to_string()).or_insert_with(compile))
    }

    /// The value of a query parameter in the type of its schema.
    fn typed(&self, schema: &Value, value: &str) -> Value {
        let schema = schema["$ref"].as_str().and_then(|path| self.document.pointer(&path[1..])).unwrap_or(schema);
        match schema["type"].as_str() {
            Some("integer" | "number" | "boolean") => serde_json::from_str(value).unwrap_or_else(|_| value.into()),
            _ => value.into(),
        }
    }
}

/// Forbids properties that a schema does not list.
fn close(schema: &mut Value) {
    match schema {
        Value::Array(values) => values.iter_mut().for_each(close),
        Value::Object(fields) => {
            // A property can be called `properties`: that of a schema stands beside its type.
            if fields.get("type") == Some(&json!("object")) && fields.contains_key("properties") {
                fields.entry("additionalProperties").or_insert(json!(false));
            }
            fields.values_mut().for_each(close);
        }
        _ => {}
    }
}

/// `nullable` of OpenAPI 3.0 in the words of JSON Schema.
fn allow_null(schema: &mut Value) {
    match schema {
        Value::Array(values) => values.iter_mut().for_each(allow_null),
        Value::Object(fields) => {
            if fields.get("nullable") == Some(&json!(true))
                && let Some(kind) = fields.get("type").filter(|kind| kind.is_string()).cloned()
            {
                fields.insert("type".to_owned(), json!([kind, "null"]));
            }
            fields.values_mut().for_each(allow_null);
        }
        _ => {}
    }
}

async fn observe(State(description): State<Arc<OpenApi>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let sent = whole(body).await;
    let (method, uri) = (parts.method.clone(), parts.uri.clone());
    let answer = next.run(Request::from_parts(parts, Body::from(sent.clone()))).await;
    let (parts, body) = answer.into_parts();
    let answered = whole(body).await;
    description.exchange((&method, uri.path(), uri.query().unwrap_or_default(), &sent), (parts.status, &answered));
    Response::from_parts(parts, Body::from(answered))
}

async fn whole(body: Body) -> Bytes {
    to_bytes(body, usize::MAX).await.unwrap_or_default()
}

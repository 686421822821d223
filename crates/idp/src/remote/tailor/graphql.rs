//! GraphQL requests, their results and their errors.

use reqwest::{Method, StatusCode};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::message::PlatformMessage;
use super::wire::{Operation, Reply};
use super::{SERVICE, Tailor};
use crate::http::beginning;
use crate::model::{Code, IdpError, internal, shortened};
use crate::remote::backend::Call;
use crate::remote::failure::Failure;
use crate::remote::request::{Request, redact};

/// The path of the GraphQL endpoint.
const QUERY: [&str; 1] = ["query"];
/// The maximum length of messages in the host's log, in characters.
const MAX_MESSAGES_SHOWN: usize = 512;

/// The request of an operation. A query is repeatable.
pub(super) fn request(operation: &Operation, variables: Value) -> Request {
    let body = json!({ "query": operation.document, "variables": variables });
    let request = Request::new(Method::POST, &QUERY).json(body);
    if operation.document.starts_with("query") { request.repeatable() } else { request }
}

/// What a GraphQL request led to. A result and an error exclude each other only where the result is `Null`.
struct Outcome {
    result: Value,
    error: Option<IdpError>,
}

/// Why an operation has no result.
pub(super) enum Refusal {
    /// The platform did not answer as it should.
    Failure(Failure),
    /// The platform answered with an error.
    Error(IdpError),
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl Refusal {
    /// The error of a read, or of a write that may be repeated.
    pub(super) fn into_error(self, call: &Call<'_>) -> IdpError {
        match self {
            Self::Failure(failure) => call.failed(failure),
            Self::Error(error) => error,
        }
    }

    /// The error of a write that is not repeated. `unknown` says what is open if its outcome is not known.
    pub(super) fn into_write_error(self, call: &Call<'_>, unknown: &str) -> IdpError {
        match self {
            Self::Failure(failure) => call.failed_write(failure, unknown),
            Self::Error(error) => error,
        }
    }

    pub(super) fn is_not_found(&self) -> bool {
        matches!(self, Self::Error(error) if error.code() == Code::NotFound)
    }
}

impl Tailor {
    /// Executes a query. `None` is `null`.
    pub(super) async fn query<T: DeserializeOwned>(
        &self,
        call: &Call<'_>,
        operation: &Operation,
        variables: Value,
    ) -> Result<Option<T>, Refusal> {
        let Outcome { result, error } = self.execute(call, operation, request(operation, variables)).await?;
        // A part of the data would be a wrong answer.
        error.map_or(Ok(()), |error| Err(Refusal::Error(error)))?;
        parse(result).map_err(Refusal::from)
    }

    /// Executes a mutation. `None` is `null`.
    pub(super) async fn mutate<T: DeserializeOwned>(
        &self,
        call: &Call<'_>,
        operation: &Operation,
        request: Request,
    ) -> Result<Option<T>, Refusal> {
        let Outcome { result, error } = self.execute(call, operation, request).await?;
        match (result, error) {
            (Value::Null | Value::Bool(false), Some(error)) => Err(Refusal::Error(error)),
            // There is a result: the mutation took effect, whatever failed after it.
            (result, error) => {
                let result = parse(result)?;
                if let Some(error) = error {
                    let source = std::error::Error::source(&error);
                    tracing::warn!(source, field = operation.field, "the platform executed a mutation, with errors");
                }
                Ok(result)
            }
        }
    }

    async fn execute(&self, call: &Call<'_>, operation: &Operation, request: Request) -> Result<Outcome, Failure> {
        let (mut reply, secrets) = match call.send(request).await {
            Ok(answer) => (answer.json::<Reply>()?, answer.secrets),
            Err(failure) => match refused_reply(&failure) {
                // Its secrets are removed.
                Some(reply) => (reply, Vec::new()),
                None => return Err(failure),
            },
        };
        if reply.is_empty() {
            return Err(Failure::Malformed("neither data nor errors".to_owned()));
        }
        let result = reply.take(operation);
        let errors = reply.errors();
        let error = (!errors.is_empty()).then(|| self.error(&errors, &secrets));
        Ok(Outcome { result, error })
    }

    /// The error of an answer with these messages: the first that is meant for callers.
    fn error(&self, messages: &[&str], secrets: &[SecretString]) -> IdpError {
        let mut told = None;
        let mut texts = Vec::new();
        for message in messages {
            texts.push(match PlatformMessage::parse(message) {
                Some(PlatformMessage { code, detail }) => {
                    let detail = redact(secrets, detail);
                    let text = format!("{code}: {detail}");
                    told = told.or(Some((code, detail)));
                    text
                }
                None => redact(secrets, (*message).to_owned()),
            });
        }
        let texts = beginning(texts.join("; ").as_bytes(), MAX_MESSAGES_SHOWN);
        let source = format!("{SERVICE}, namespace {}: {texts}", self.namespace);
        match told.filter(|(code, _)| *code != Code::Internal) {
            Some((code, detail)) => IdpError::new(code, shortened(&detail)).with_source(source),
            None => internal(source),
        }
    }
}

/// The result in an answer. `None` is `null`.
fn parse<T: DeserializeOwned>(result: Value) -> Result<Option<T>, Failure> {
    // Without the error's own text, which quotes values.
    serde_json::from_value(result)
        .map_err(|error| Failure::Malformed(format!("{:?} error in the result", error.classify())))
}

/// The GraphQL answer with a status that refuses the request itself, rather than who asked or when.
fn refused_reply(failure: &Failure) -> Option<Reply> {
    let (status, body) = failure.refusal()?;
    matches!(
        status,
        StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND | StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY
    )
    .then(|| serde_json::from_str::<Reply>(body).ok())?
    .filter(|reply| !reply.errors().is_empty())
}

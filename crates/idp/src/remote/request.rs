//! Requests to a service, and its answers.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::form_urlencoded;

use super::failure::Failure;

/// Everything but the unreserved characters of RFC 3986: ids contain `|` and `/`.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A request. Not printed by `Debug`: it contains passwords.
pub(super) struct Request {
    pub(super) method: Method,
    /// The path below the service's base URL, percent-encoded.
    pub(super) path: String,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) body: Body,
    pub(super) authorization: Authorization,
    /// Whether a second request of the same kind has no further effect.
    pub(super) repeatable: bool,
    /// Passwords in the body, which a service could repeat in its answer.
    pub(super) secrets: Vec<SecretString>,
}

#[derive(Default)]
pub(super) enum Body {
    #[default]
    Empty,
    Json(Value),
    Form(Vec<(&'static str, String)>),
}

/// The header `Authorization` of a request.
#[derive(Default)]
pub(super) enum Authorization {
    /// The credentials of the service's backend.
    #[default]
    Default,
    /// Another bearer token.
    Bearer(SecretString),
    /// None.
    Anonymous,
}

impl Request {
    /// A request to the path of these segments, each of which is encoded. GET, PUT, PATCH and DELETE are repeatable: they set
    /// absolute values.
    pub(super) fn new(method: Method, segments: &[&str]) -> Self {
        let repeatable = method != Method::POST;
        let mut path = String::new();
        for segment in segments {
            path.push('/');
            path.extend(utf8_percent_encode(segment, SEGMENT));
        }
        let (body, authorization) = (Body::default(), Authorization::default());
        Self { method, path, query: Vec::new(), body, authorization, repeatable, secrets: Vec::new() }
    }

    pub(super) fn query(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.query.push((key, value.into()));
        self
    }

    pub(super) fn json(mut self, body: Value) -> Self {
        self.body = Body::Json(body);
        self
    }

    pub(super) fn form(mut self, body: Vec<(&'static str, String)>) -> Self {
        self.body = Body::Form(body);
        self
    }

    pub(super) fn authorization(mut self, authorization: Authorization) -> Self {
        self.authorization = authorization;
        self
    }

    /// Declares that a second request has no further effect: a POST that only reads, or sets absolute values.
    pub(super) fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    /// Names a secret in the body.
    pub(super) fn secret(mut self, secret: &SecretString) -> Self {
        self.secrets.push(secret.clone());
        self
    }
}

/// `text` without the secrets of a request.
pub(super) fn redact(secrets: &[SecretString], text: String) -> String {
    secrets.iter().map(ExposeSecret::expose_secret).filter(|secret| !secret.is_empty()).fold(text, |text, secret| {
        // As it stands in JSON and in a form, too.
        let quoted = serde_json::to_string(secret).unwrap_or_default();
        let quoted = quoted.strip_prefix('"').and_then(|quoted| quoted.strip_suffix('"')).unwrap_or(secret);
        let encoded: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        [quoted, &*encoded, secret].into_iter().fold(text, |text, spelling| text.replace(spelling, REDACTED))
    })
}

/// What stands in a text in place of a secret.
const REDACTED: &str = "[redacted]";

/// JSON without the secrets of a request, however their characters are escaped in its text.
fn redact_json(secrets: &[SecretString], value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(redact(secrets, text)),
        Value::Array(values) => values.into_iter().map(|value| redact_json(secrets, value)).collect(),
        Value::Object(fields) => {
            let redacted = |(key, value)| (redact(secrets, key), redact_json(secrets, value));
            fields.into_iter().map(redacted).collect()
        }
        value => value,
    }
}

/// An answer with a status of 2xx.
pub(super) struct Answer {
    pub(super) body: Vec<u8>,
    /// What a text from the body must not contain: the secrets of the request, and its token.
    pub(super) secrets: Vec<SecretString>,
}

impl Answer {
    /// The body as a text for the host, without the secrets of the request.
    pub(super) fn text(&self) -> String {
        let text = redact(&self.secrets, String::from_utf8_lossy(&self.body).into_owned());
        // JSON can spell any character of a secret as an escape.
        match serde_json::from_str(&text) {
            Ok(value) if text.contains('\\') => redact_json(&self.secrets, value).to_string(),
            _ => text,
        }
    }

    /// The body as JSON.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        // The place only: the error's own text quotes values, which can be tokens.
        serde_json::from_slice(&self.body).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            Failure::Malformed(format!("{:?} error in the JSON at line {line}, column {column}", error.classify()))
        })
    }
}

/// Whether `id` can be a segment of a path: an empty one would address the whole collection, and dots another resource.
pub(super) fn is_segment(id: &str) -> bool {
    !matches!(id, "" | "." | "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_of_a_path_are_encoded() {
        let path = Request::new(Method::GET, &["users", "auth0|a/../b?c#d é"]).path;
        assert_eq!(path, "/users/auth0%7Ca%2F..%2Fb%3Fc%23d%20%C3%A9");
    }

    #[test]
    fn malformed_answers_are_not_quoted() {
        let answer = Answer { body: br#"{"expires_in":"a token"}"#.to_vec(), secrets: Vec::new() };
        #[derive(Debug, serde::Deserialize)]
        #[allow(dead_code, reason = "only its type matters")]
        struct Token {
            expires_in: u64,
        }
        let failure = answer.json::<Token>().unwrap_err().to_string();
        assert_eq!(failure, "the answer is malformed: Data error in the JSON at line 1, column 23");
    }

    #[test]
    fn secrets_are_redacted_in_json_and_in_text() {
        let secret = SecretString::from("a\"b\\c");
        let answer = r#"{"message":"a\"b\\c is too weak"} a"b\c"#.to_owned();
        assert_eq!(redact(&[secret], answer), r#"{"message":"[redacted] is too weak"} [redacted]"#);
        assert_eq!(redact(&["\"quoted\"".into()], r#"["\"quoted\""]"#.to_owned()), r#"["[redacted]"]"#);
        let form = "client_secret=a%2Fb+c&grant_type=x".to_owned();
        assert_eq!(redact(&["a/b c".into()], form), "client_secret=[redacted]&grant_type=x");
    }

    #[test]
    fn secrets_are_redacted_in_json_however_they_are_escaped() {
        let text = |body: &str| Answer { body: body.as_bytes().to_vec(), secrets: vec!["pass/wörd".into()] }.text();
        assert_eq!(
            text(r#"{"message":"pass\/w\u00f6rd is too weak","tried":["\u0070ass/wörd"]}"#),
            r#"{"message":"[redacted] is too weak","tried":["[redacted]"]}"#
        );
        assert_eq!(text("<p>pass/wörd</p>"), "<p>[redacted]</p>");
    }
}

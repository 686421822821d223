//! Requests that Auth0 refuses, by status and error code. Its texts are for people: nothing is decided by them.

use reqwest::StatusCode;

use super::SERVICE;
use super::wire::Auth0Error;
use crate::directory::{Capability, MissingRight, user_already_exists, user_not_found};
use crate::model::{Code, IdpError, internal, shortened};
use crate::remote::backend::Call;
use crate::remote::failure::Failure;

/// The rights of the Management API that the application needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Read,
    Create,
    Update,
    Delete,
}

impl Scope {
    const ALL: [Self; 4] = [Self::Read, Self::Create, Self::Update, Self::Delete];

    /// What cannot be done without it. Nothing at all without [`Read`](Self::Read): changes read the user first.
    fn capabilities(self) -> &'static [Capability] {
        match self {
            Self::Read => &Capability::ALL,
            Self::Create => &[Capability::Create],
            Self::Update => &[Capability::Update, Capability::Rename, Capability::ClearPassword, Capability::Disable],
            Self::Delete => &[Capability::Delete],
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Read => "read:users",
            Self::Create => "create:users",
            Self::Update => "update:users",
            Self::Delete => "delete:users",
        }
    }
}

/// The scopes that are not among those of the access token.
pub(super) fn missing_scopes(granted: &str) -> Vec<MissingRight> {
    let missing = Scope::ALL.into_iter().filter(|scope| !granted.split_whitespace().any(|name| name == scope.name()));
    let missing: Vec<_> = missing.collect();
    // A password is set at creation, or by an update.
    let sets_none = [Scope::Create, Scope::Update].iter().all(|scope| missing.contains(scope));
    let right = |scope: &Scope| {
        let mut capabilities = scope.capabilities().to_vec();
        capabilities.extend((sets_none && *scope == Scope::Update).then_some(Capability::SetPassword));
        MissingRight { right: format!("the scope {}", scope.name()), capabilities }
    };
    missing.iter().map(right).collect()
}

/// The host's text of a refusal for lack of a right.
#[derive(Debug, thiserror::Error)]
#[error("the application needs the scope {} of the Auth0 Management API: {failure}", scope.name())]
struct MissingScope {
    scope: Scope,
    failure: Failure,
}

/// What a request writes: the part that Auth0 can refuse.
#[derive(Debug, Clone, Copy)]
pub(super) enum Written<'a> {
    /// A new user with this name, and a password from the caller or a random one.
    User { name: &'a str },
    /// Another name.
    Name,
    /// Another password.
    Password,
    /// Nothing that can be refused.
    Nothing,
}

/// Whether Auth0 has no user with this id, or takes it for no id at all.
pub(super) fn is_unknown_id(failure: &Failure) -> bool {
    failure.refusal().is_some_and(|(status, body)| match status {
        // A path that does not exist has no error code.
        StatusCode::NOT_FOUND => !Auth0Error::parse(body).error_code.is_empty(),
        StatusCode::BAD_REQUEST => Auth0Error::parse(body).error_code == "invalid_uri",
        _ => false,
    })
}

/// The error of a failed read.
pub(super) fn unread(call: &Call<'_>, failure: Failure) -> IdpError {
    missing_scope(failure, Scope::Read).unwrap_or_else(|failure| call.failed(failure))
}

/// The error of a failed write to the user with this id.
pub(super) fn unwritten(call: &Call<'_>, failure: Failure, scope: Scope, id: &str, written: Written<'_>) -> IdpError {
    if is_unknown_id(&failure) {
        return user_not_found(id).with_source(failure);
    }
    let failure = match missing_scope(failure, scope) {
        Ok(error) => return error,
        Err(failure) => failure,
    };
    refused(failure, written).unwrap_or_else(|failure| call.failed(failure))
}

/// The error of a failed creation.
pub(super) fn uncreated(call: &Call<'_>, failure: Failure, name: &str) -> IdpError {
    let failure = match missing_scope(failure, Scope::Create) {
        Ok(error) => return error,
        Err(failure) => failure,
    };
    refused(failure, Written::User { name })
        .unwrap_or_else(|failure| call.failed_write(failure, "the user was created"))
}

fn missing_scope(failure: Failure, scope: Scope) -> Result<IdpError, Failure> {
    match failure.refusal() {
        Some((StatusCode::FORBIDDEN, body)) if Auth0Error::parse(body).error_code == "insufficient_scope" => {
            let detail = format!("{SERVICE} refuses the credentials of the host");
            Ok(IdpError::new(Code::Unauthenticated, detail).with_source(MissingScope { scope, failure }))
        }
        _ => Err(failure),
    }
}

/// The error for a value that Auth0 refuses, else the failure.
fn refused(failure: Failure, written: Written<'_>) -> Result<IdpError, Failure> {
    let Some((status, body)) = failure.refusal() else { return Err(failure) };
    let Auth0Error { error_code, message } = Auth0Error::parse(body);
    let what = match (status, written) {
        (StatusCode::CONFLICT, Written::User { name }) => return Ok(user_already_exists(name).with_source(failure)),
        (StatusCode::BAD_REQUEST, Written::User { .. }) => "user",
        (StatusCode::BAD_REQUEST, Written::Name) => "name",
        (StatusCode::BAD_REQUEST, Written::Password) => "password",
        _ => return Err(failure),
    };
    match &*error_code {
        // A fault of the settings.
        "inexistent_connection" => Ok(internal(failure)),
        "operation_not_supported" => {
            let detail = format!("{SERVICE} does not allow this change for the users of the connection");
            Ok(IdpError::failed_precondition(detail).with_source(failure))
        }
        // Passwords that are too weak have no error code of their own.
        _ => {
            let detail = match &*shortened(message.trim()) {
                "" => format!("{SERVICE} refuses the {what}"),
                reason => format!("{SERVICE} refuses the {what}: {reason}"),
            };
            Ok(IdpError::invalid_argument(detail).with_source(failure))
        }
    }
}

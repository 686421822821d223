//! Failures of operations: codes and texts.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// The gRPC status code of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Code {
    /// A wrong type or value.
    InvalidArgument,
    /// An unknown namespace, user or factor.
    NotFound,
    /// The name is taken.
    AlreadyExists,
    /// The namespace's permission denies it.
    PermissionDenied,
    /// The namespace is not configured for the operation.
    FailedPrecondition,
    /// A rate or call limit.
    ResourceExhausted,
    /// A backend rejects the host's credentials.
    Unauthenticated,
    /// The backend does not support the operation.
    Unimplemented,
    /// A backend did not answer in time.
    DeadlineExceeded,
    /// A backend cannot be reached.
    Unavailable,
    /// The user changed at the same time, or conflicts outlasted the retries.
    Aborted,
    /// Anything else.
    Internal,
}

impl Code {
    /// All codes.
    const ALL: [Self; 12] = [
        Self::InvalidArgument,
        Self::NotFound,
        Self::AlreadyExists,
        Self::PermissionDenied,
        Self::FailedPrecondition,
        Self::ResourceExhausted,
        Self::Unauthenticated,
        Self::Unimplemented,
        Self::DeadlineExceeded,
        Self::Unavailable,
        Self::Aborted,
        Self::Internal,
    ];

    /// The code with this [`name`](Self::name).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.name() == name)
    }

    /// The code with this [`description`](Self::description).
    #[cfg(feature = "remote")]
    pub(crate) fn from_description(description: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.description() == description)
    }

    /// The name of the code, which scripts read from an error's `code`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::NotFound => "NOT_FOUND",
            Self::AlreadyExists => "ALREADY_EXISTS",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::FailedPrecondition => "FAILED_PRECONDITION",
            Self::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Unimplemented => "UNIMPLEMENTED",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::Unavailable => "UNAVAILABLE",
            Self::Aborted => "ABORTED",
            Self::Internal => "INTERNAL",
        }
    }

    /// The description of the code in an error message.
    pub const fn description(self) -> &'static str {
        match self {
            Self::InvalidArgument => "Client specified an invalid argument",
            Self::NotFound => "Some requested entity was not found",
            Self::AlreadyExists => "Some entity that we attempted to create already exists",
            Self::PermissionDenied => "The caller does not have permission to execute the specified operation",
            Self::FailedPrecondition => "The system is not in a state required for the operation's execution",
            Self::ResourceExhausted => "Some resource has been exhausted",
            Self::Unauthenticated => "The request does not have valid authentication credentials",
            Self::Unimplemented => "Operation is not implemented or not supported",
            Self::DeadlineExceeded => "Deadline expired before operation could complete",
            Self::Unavailable => "The service is currently unavailable",
            Self::Aborted => "The operation was aborted",
            Self::Internal => "Internal error",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A failed operation: a code, and a detail text for the script.
///
/// The detail contains no secret and no path. Information for the host alone is in the
/// [`source`](std::error::Error::source).
#[derive(Debug, thiserror::Error)]
#[error("{detail}")]
pub struct IdpError {
    code: Code,
    detail: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
    retry_after: Option<Duration>,
}

impl IdpError {
    /// An error with a `detail` for the script.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), source: None, retry_after: None }
    }

    /// Adds the `source`, which only the host sees.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Sets the time after which the call can be repeated.
    #[must_use]
    pub fn with_retry_after(mut self, retry_after: Duration) -> Self {
        self.retry_after = Some(retry_after);
        self
    }

    /// The time after which the call can be repeated, if the backend has named one.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Adds text to the end of the detail.
    #[cfg(feature = "remote")]
    #[must_use]
    pub(crate) fn with_addition(mut self, text: &str) -> Self {
        self.detail.push_str(text);
        self
    }

    /// An error with [`Code::InvalidArgument`].
    pub fn invalid_argument(detail: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, detail)
    }

    /// An error with [`Code::NotFound`].
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(Code::NotFound, detail)
    }

    /// An error with [`Code::Unimplemented`]: names the backend and the operation.
    pub fn unimplemented(backend: &str, operation: &str) -> Self {
        Self::new(Code::Unimplemented, format!("{backend} does not support {operation}"))
    }

    /// An error with [`Code::Aborted`]: the user is not as it was read. The caller reads, decides and writes again.
    pub fn conflict() -> Self {
        Self::new(Code::Aborted, "the user changed at the same time, try again").with_source(VersionConflict)
    }

    /// Whether the error is a [`conflict`](Self::conflict). Other errors with [`Code::Aborted`] must not be repeated blindly.
    pub fn is_conflict(&self) -> bool {
        self.source.as_ref().is_some_and(|source| source.is::<VersionConflict>())
    }

    /// An error with [`Code::FailedPrecondition`].
    pub fn failed_precondition(detail: impl Into<String>) -> Self {
        Self::new(Code::FailedPrecondition, detail)
    }

    /// The gRPC status code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The detail text for the script.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The message of the JavaScript error with which the client method `method` rejects.
    ///
    /// ```
    /// use tailor_idp_core::IdpError;
    ///
    /// assert_eq!(
    ///     IdpError::not_found("user not found: ghost").message("deleteUser"),
    ///     r#"deleteUser failed: code: 'Some requested entity was not found', message: "user not found: ghost""#,
    /// );
    /// ```
    pub fn message(&self, method: &str) -> String {
        format!("{method} failed: code: '{}', message: {:?}", self.code.description(), self.detail)
    }
}

/// The source of a conflict.
#[derive(Debug, thiserror::Error)]
#[error("the version of the user is another")]
struct VersionConflict;

/// An error with [`Code::Internal`]: the script learns nothing, the host reads the source.
pub(crate) fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> IdpError {
    IdpError::new(Code::Internal, "internal error").with_source(source)
}

/// `text` cut to a length that an error message can quote.
pub fn shortened(text: &str) -> Cow<'_, str> {
    /// The length of the longest name.
    const MAX_CHARS: usize = 256;
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

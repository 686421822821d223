//! Why an operation failed.

use std::borrow::Cow;
use std::fmt;

/// The gRPC code of a failure.
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
    /// The namespace is not set up for the operation.
    FailedPrecondition,
    /// A rate or call limit.
    ResourceExhausted,
    /// A backend refuses the host's credentials.
    Unauthenticated,
    /// A backend cannot do it.
    Unimplemented,
    /// A backend did not answer in time.
    DeadlineExceeded,
    /// A backend cannot be reached.
    Unavailable,
    /// Anything else.
    Internal,
}

impl Code {
    /// The code's name, as scripts read it from an error's `code`.
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
            Self::Internal => "INTERNAL",
        }
    }

    /// The sentence that stands for the code in a message.
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
            Self::Internal => "Internal error",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A failed operation: a code, and a detail that a script may read.
///
/// The detail carries no secret and no path. What only the host may know is the [`source`](std::error::Error::source).
#[derive(Debug, thiserror::Error)]
#[error("{detail}")]
pub struct IdpError {
    code: Code,
    detail: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl IdpError {
    /// A failure with a `detail` for the script.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), source: None }
    }

    /// The same failure, with the `source` that only the host gets to see.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// [`Code::InvalidArgument`].
    pub fn invalid_argument(detail: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, detail)
    }

    /// [`Code::NotFound`].
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(Code::NotFound, detail)
    }

    /// [`Code::FailedPrecondition`].
    pub fn failed_precondition(detail: impl Into<String>) -> Self {
        Self::new(Code::FailedPrecondition, detail)
    }

    /// The gRPC code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// What went wrong, for the script.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The message of the rejection that a script gets from `method`.
    ///
    /// ```
    /// use tailor_idp::idp::IdpError;
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

/// What somebody gave, so much of it as helps to recognise it in an error.
pub(crate) fn shortened(text: &str) -> Cow<'_, str> {
    /// As long as names get.
    const MAX_CHARS: usize = 256;
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

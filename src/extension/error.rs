//! Errors of client methods, and the errors that scripts see.

use deno_core::v8::{self, Global, Local, Object, PinScope, PropertyAttribute, Value};

use crate::idp::IdpError;

/// Why a call fails.
pub(super) enum CallError {
    /// An argument is invalid, or the operation failed.
    Failed(IdpError),
    /// JavaScript that ran while a value was converted threw this exception.
    Thrown(Global<Value>),
}

/// The result of a step that can run JavaScript, such as reading a property.
pub(super) type Fallible<T> = Result<T, CallError>;

impl From<IdpError> for CallError {
    fn from(error: IdpError) -> Self {
        Self::Failed(error)
    }
}

/// The place of a call in the script.
///
/// Represented by the error object that the call rejects with if it fails: V8 captures the stack when the object is created.
pub(super) struct CallSite<'s>(Local<'s, Object>);

impl<'s> CallSite<'s> {
    /// The current place in the script.
    pub(super) fn current(scope: &mut PinScope<'s, '_>) -> Self {
        let message = v8::String::empty(scope);
        let error = v8::Exception::error(scope, message);
        Self(error.try_cast().unwrap_or_else(|_| Object::new(scope)))
    }

    /// Keeps the site beyond the current scope, until the result arrives.
    pub(super) fn into_global(self, scope: &mut PinScope<'s, '_>) -> Global<Object> {
        Global::new(scope, self.0)
    }

    /// Restores a site from [`into_global`](Self::into_global).
    pub(super) fn from_global(scope: &mut PinScope<'s, '_>, site: Global<Object>) -> Self {
        Self(Local::new(scope, site))
    }

    /// Rejects the promise with an error that has the platform's message, a `code`, and the stack of this site.
    ///
    /// Both properties are defined, not assigned, so that setters on a prototype are not called. V8 adds the message to the
    /// stack when the script first reads `stack`.
    pub(super) fn reject(
        self,
        scope: &mut PinScope<'s, '_>,
        resolver: Local<'s, v8::PromiseResolver>,
        method: &str,
        error: &IdpError,
    ) {
        self.define(scope, "message", &error.message(method));
        self.define(scope, "code", error.code().name());
        resolver.reject(scope, self.0.into());
    }

    fn define(&self, scope: &mut PinScope<'s, '_>, key: &str, value: &str) {
        if let (Some(key), Some(value)) = (v8::String::new(scope, key), v8::String::new(scope, value)) {
            self.0.define_own_property(scope, key.into(), value.into(), PropertyAttribute::DONT_ENUM);
        }
    }
}

/// Thrown by `new tailor.idp.Client(…)` for an invalid argument.
#[derive(Debug, thiserror::Error, deno_error::JsError)]
#[class(type)]
#[error("tailor.idp.Client: {0}")]
pub(super) struct InvalidConfig(pub(super) String);

//! A failed operation on its way to the script.

use deno_core::v8::{self, Global, Local, Object, PinScope, PropertyAttribute};

use crate::idp::IdpError;

/// The error of a call that has not failed yet: its stack is that of the script's line that made the call.
pub(super) struct Site<'s>(Local<'s, Object>);

impl<'s> Site<'s> {
    /// The line that the script is at.
    pub(super) fn here(scope: &mut PinScope<'s, '_>) -> Self {
        let message = v8::String::empty(scope);
        let error = v8::Exception::error(scope, message);
        Self(error.try_cast().unwrap_or_else(|_| Object::new(scope)))
    }

    /// Keeps the site until the answer has come.
    pub(super) fn kept(self, scope: &mut PinScope<'s, '_>) -> Global<Object> {
        Global::new(scope, self.0)
    }

    /// A site that was kept.
    pub(super) fn of(scope: &mut PinScope<'s, '_>, kept: Global<Object>) -> Self {
        Self(Local::new(scope, kept))
    }

    /// Rejects with an error of the platform's form, and a `code`, made at this site.
    ///
    /// Both are defined, not assigned: a setter that a script has put on a prototype does not see them. The engine puts
    /// the message into the stack when the script asks for that.
    pub(super) fn reject(
        self,
        scope: &mut PinScope<'s, '_>,
        resolver: Local<'s, v8::PromiseResolver>,
        method: &str,
        failure: &IdpError,
    ) {
        self.define(scope, "message", &failure.message(method));
        self.define(scope, "code", failure.code().name());
        resolver.reject(scope, self.0.into());
    }

    fn define(&self, scope: &mut PinScope<'s, '_>, key: &str, value: &str) {
        if let (Some(key), Some(value)) = (v8::String::new(scope, key), v8::String::new(scope, value)) {
            self.0.define_own_property(scope, key.into(), value.into(), PropertyAttribute::DONT_ENUM);
        }
    }
}

/// What `new tailor.idp.Client(…)` throws.
#[derive(Debug, thiserror::Error, deno_error::JsError)]
#[class(type)]
#[error("tailor.idp.Client: {0}")]
pub(super) struct InvalidConfig(pub(super) String);

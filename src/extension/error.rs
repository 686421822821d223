//! A failed operation on its way to the script.

use deno_error::{AdditionalProperties, JsErrorClass, PropertyValue};

use crate::idp::IdpError;

/// The rejection of a client method. `js/idp.js` makes the script's error of it.
#[derive(Debug, thiserror::Error)]
#[error("{}", .error.message(.method))]
pub(super) struct Rejection {
    method: &'static str,
    #[source]
    error: IdpError,
}

impl Rejection {
    /// The rejections of `method`.
    pub(super) fn of(method: &'static str) -> impl FnOnce(IdpError) -> Self + Copy {
        move |error| Self { method, error }
    }
}

impl JsErrorClass for Rejection {
    fn get_class(&self) -> std::borrow::Cow<'static, str> {
        "Error".into()
    }

    fn get_message(&self) -> std::borrow::Cow<'static, str> {
        self.to_string().into()
    }

    fn get_additional_properties(&self) -> AdditionalProperties {
        let code = PropertyValue::String(self.error.code().name().into());
        Box::new(std::iter::once(("code".into(), code)))
    }

    fn get_ref(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        self
    }
}

/// What `new tailor.idp.Client(…)` throws.
#[derive(Debug, thiserror::Error, deno_error::JsError)]
#[class(type)]
#[error("tailor.idp.Client: {0}")]
pub(super) struct InvalidConfig(pub(super) String);

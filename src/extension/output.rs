//! Converting the results of operations to JavaScript values.

use deno_core::v8::{self, Function, Local, PinScope, Value};

use super::error::{CallError, Fallible};
use super::input::property_name;
use crate::idp::{Code, IdpError, Timestamp, UserPage};

/// A result that can be converted to a JavaScript value, as `tailor.d.ts` declares it.
pub(super) trait IntoScript {
    /// Converts the result. `make_user` creates the objects of users: see [`super::user`].
    ///
    /// # Errors
    ///
    /// The value does not fit into the memory of the script, or the script is being terminated.
    fn into_script<'s>(
        self,
        scope: &mut PinScope<'s, '_>,
        make_user: Local<'s, Function>,
    ) -> Fallible<Local<'s, Value>>;
}

/// The result of an operation that returns no data: `true`.
impl IntoScript for () {
    fn into_script<'s>(self, scope: &mut PinScope<'s, '_>, _: Local<'s, Function>) -> Fallible<Local<'s, Value>> {
        Ok(v8::Boolean::new(scope, true).into())
    }
}

impl IntoScript for UserPage {
    fn into_script<'s>(
        self,
        scope: &mut PinScope<'s, '_>,
        make_user: Local<'s, Function>,
    ) -> Fallible<Local<'s, Value>> {
        let Self { users, next_page_token, total_count } = self;
        let page = v8::Object::new(scope);
        let users: Vec<_> =
            users.into_iter().map(|user| user.into_script(scope, make_user)).collect::<Fallible<_>>()?;
        define(scope, page, "users", v8::Array::new_with_elements(scope, &users).into())?;
        let token = match next_page_token {
            Some(token) => string(scope, &token)?,
            None => v8::null(scope).into(),
        };
        define(scope, page, "nextPageToken", token)?;
        // Exact up to 2^53.
        define(scope, page, "totalCount", v8::Number::new(scope, total_count as f64).into())?;
        Ok(page.into())
    }
}

/// The value of a field. `undefined` for a field that is left out of the object.
pub(super) trait FieldValue {
    fn value<'s>(&self, scope: &mut PinScope<'s, '_>) -> Fallible<Local<'s, Value>>;
}

impl FieldValue for String {
    fn value<'s>(&self, scope: &mut PinScope<'s, '_>) -> Fallible<Local<'s, Value>> {
        string(scope, self)
    }
}

impl FieldValue for bool {
    fn value<'s>(&self, scope: &mut PinScope<'s, '_>) -> Fallible<Local<'s, Value>> {
        Ok(v8::Boolean::new(scope, *self).into())
    }
}

impl FieldValue for Timestamp {
    fn value<'s>(&self, scope: &mut PinScope<'s, '_>) -> Fallible<Local<'s, Value>> {
        string(scope, &self.to_string())
    }
}

impl<T: FieldValue> FieldValue for Option<T> {
    fn value<'s>(&self, scope: &mut PinScope<'s, '_>) -> Fallible<Local<'s, Value>> {
        match self {
            Some(value) => value.value(scope),
            None => Ok(v8::undefined(scope).into()),
        }
    }
}

/// `undefined` for an empty list: `[]` as a default in JavaScript is faster than `v8::Array::new`.
impl<T: FieldValue> FieldValue for Vec<T> {
    fn value<'s>(&self, scope: &mut PinScope<'s, '_>) -> Fallible<Local<'s, Value>> {
        if self.is_empty() {
            return Ok(v8::undefined(scope).into());
        }
        let elements: Vec<_> = self.iter().map(|element| element.value(scope)).collect::<Fallible<_>>()?;
        Ok(v8::Array::new_with_elements(scope, &elements).into())
    }
}

/// Defines a property. An assignment could call a setter that a script put on `Object.prototype`.
fn define<'s>(
    scope: &mut PinScope<'s, '_>,
    object: Local<'s, v8::Object>,
    key: &str,
    value: Local<'s, Value>,
) -> Fallible<()> {
    let key = property_name(scope, key).ok_or_else(too_large)?;
    object.create_data_property(scope, key.into(), value).map(drop).ok_or_else(too_large)
}

fn string<'s>(scope: &mut PinScope<'s, '_>, text: &str) -> Fallible<Local<'s, Value>> {
    let text = match text.is_ascii() {
        // Most strings are ASCII, which needs no decoding.
        true => v8::String::new_from_one_byte(scope, text.as_bytes(), v8::NewStringType::Normal),
        false => v8::String::new(scope, text),
    };
    text.map(Into::into).ok_or_else(too_large)
}

fn too_large() -> CallError {
    CallError::Failed(IdpError::new(Code::Internal, "the answer is too large for the script"))
}

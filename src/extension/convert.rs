//! Between JavaScript's values and the identity provider's.
//!
//! What comes in has been read by `js/idp.js`: primitives, or arrays of ours, so that no conversion runs a script's
//! code. A value of the wrong type is refused with the field, what was expected and what came.

use deno_core::ToV8;
use deno_core::v8::{self, Local, PinScope, Value};

use crate::idp::{IdpError, Password, User, UserPage};

/// UTF-16 units in one argument at the most: above every limit of the rules, and below what it costs to copy.
const MAX_TEXT: usize = 16 * 1024;

/// JavaScript's integers end here (`Number.MAX_SAFE_INTEGER`).
const MAX_SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;

/// Where a value came from, for the texts of errors.
pub(super) type Field = &'static str;

/// What is `undefined` is not there; anything else is read by `read`.
pub(super) fn optional<'s, T>(
    scope: &mut PinScope<'s, '_>,
    field: Field,
    value: Local<'s, Value>,
    read: impl FnOnce(&mut PinScope<'s, '_>, Field, Local<'s, Value>) -> Result<T, IdpError>,
) -> Result<Option<T>, IdpError> {
    if value.is_undefined() { Ok(None) } else { read(scope, field, value).map(Some) }
}

/// An argument that is read field by field.
pub(super) fn object<'s>(scope: &mut PinScope<'s, '_>, field: Field, value: Local<'s, Value>) -> Result<(), IdpError> {
    if value.is_object() && !value.is_function() && !value.is_array() {
        Ok(())
    } else {
        Err(refused(scope, field, "an object", value))
    }
}

pub(super) fn string<'s>(
    scope: &mut PinScope<'s, '_>,
    field: Field,
    value: Local<'s, Value>,
) -> Result<String, IdpError> {
    let Ok(text) = value.try_cast::<v8::String>() else {
        return Err(refused(scope, field, "a string", value));
    };
    let length = text.length();
    if length > MAX_TEXT {
        return Err(IdpError::invalid_argument(format!("{field} must be at most {MAX_TEXT} characters: got {length}")));
    }
    if text.contains_only_onebyte() {
        return Ok(text.to_rust_string_lossy(scope));
    }
    let mut units = vec![0; length];
    text.write_v2(scope, 0, &mut units, v8::WriteFlags::empty());
    // Replacing lone surrogates would make different texts equal: names, or passwords.
    String::from_utf16(&units)
        .map_err(|_| IdpError::invalid_argument(format!("{field} must be well-formed text: it has a lone surrogate")))
}

pub(super) fn password<'s>(
    scope: &mut PinScope<'s, '_>,
    field: Field,
    value: Local<'s, Value>,
) -> Result<Password, IdpError> {
    string(scope, field, value).map(Password::from)
}

pub(super) fn boolean<'s>(
    scope: &mut PinScope<'s, '_>,
    field: Field,
    value: Local<'s, Value>,
) -> Result<bool, IdpError> {
    if value.is_boolean() { Ok(value.is_true()) } else { Err(refused(scope, field, "a boolean", value)) }
}

pub(super) fn integer<'s>(
    scope: &mut PinScope<'s, '_>,
    field: Field,
    value: Local<'s, Value>,
) -> Result<i64, IdpError> {
    let number = value.try_cast::<v8::Number>().map(|number| number.value());
    match number {
        Ok(number) if number.fract() == 0.0 && number.abs() <= MAX_SAFE_INTEGER => Ok(number as i64),
        Ok(number) => Err(IdpError::invalid_argument(format!("{field} must be an integer, got {number}"))),
        Err(_) => Err(refused(scope, field, "an integer", value)),
    }
}

/// An array of strings, refused by its length before it is read: `max` is the rule's limit, told by its own text.
pub(super) fn strings<'s>(
    scope: &mut PinScope<'s, '_>,
    field: Field,
    value: Local<'s, Value>,
) -> Result<Vec<String>, IdpError> {
    let Ok(array) = value.try_cast::<v8::Array>() else {
        return Err(refused(scope, field, "an array of strings", value));
    };
    let mut strings = Vec::new();
    for index in 0..array.length() {
        let element = array.get_index(scope, index).unwrap_or_else(|| v8::undefined(scope).into());
        let text = string(scope, field, element).map_err(|error| {
            // `names must be …` becomes `names[3] must be …`.
            let detail = error.detail().strip_prefix(field).unwrap_or(error.detail());
            IdpError::invalid_argument(format!("{field}[{index}]{detail}"))
        })?;
        strings.push(text);
    }
    Ok(strings)
}

fn refused<'s>(scope: &mut PinScope<'s, '_>, field: Field, expected: &str, value: Local<'s, Value>) -> IdpError {
    IdpError::invalid_argument(format!("{field} must be {expected}, got {}", kind(scope, value)))
}

/// What a value is, without a word of what is in it: it may be a password.
pub(super) fn kind<'s>(scope: &mut PinScope<'s, '_>, value: Local<'s, Value>) -> String {
    if value.is_null() {
        "null".to_owned()
    } else if value.is_array() {
        "an array".to_owned()
    } else {
        match value.type_of(scope).to_rust_string_lossy(scope).as_str() {
            "undefined" => "undefined".to_owned(),
            "object" => "an object".to_owned(),
            kind => format!("a {kind}"),
        }
    }
}

/// A `User` of `tailor.d.ts`.
#[derive(ToV8)]
pub(super) struct UserObject {
    id: String,
    name: String,
    disabled: bool,
    #[to_v8(skip_if = Option::is_none)]
    created_at: Option<String>,
    mfa_enrolled: bool,
    mfa_factor_ids: Vec<String>,
}

impl From<User> for UserObject {
    fn from(user: User) -> Self {
        let User { id, name, disabled, created_at, mfa_enrolled, mfa_factor_ids } = user;
        let created_at = created_at.map(|moment| moment.to_string());
        Self { id, name, disabled, created_at, mfa_enrolled, mfa_factor_ids }
    }
}

/// A `ListUsersResponse` of `tailor.d.ts`.
#[derive(ToV8)]
pub(super) struct UserPageObject {
    users: Vec<UserObject>,
    next_page_token: Option<String>,
    // Exact up to 2^53 users.
    total_count: f64,
}

impl From<UserPage> for UserPageObject {
    fn from(page: UserPage) -> Self {
        Self {
            users: page.users.into_iter().map(UserObject::from).collect(),
            next_page_token: page.next_page_token,
            total_count: page.total_count as f64,
        }
    }
}

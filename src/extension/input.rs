//! Reading the arguments of client methods from JavaScript values.
//!
//! A value of the wrong type is rejected with the field, the expected type and the actual type. Reading a property can run
//! code of the script: an exception that this code throws becomes the rejection of the call.

use deno_core::v8::{self, Global, Local, PinScope, Value};
use zeroize::Zeroizing;

use super::error::{CallError, Fallible};
use crate::idp::{IdpError, Password, UserQuery};

/// Maximum UTF-16 units read of one argument.
///
/// Far above the limits of the rules, which have error texts of their own, and low enough to bound the cost of a call.
const MAX_TEXT: usize = 1024 * 1024;

/// `Number.MAX_SAFE_INTEGER`.
const MAX_SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;

/// An object argument, read field by field.
#[derive(Clone, Copy)]
pub(super) struct Fields<'s> {
    // `None` if the argument was omitted: every field is `undefined`.
    object: Option<Local<'s, v8::Object>>,
    // Precedes the names of fields in errors: `query.` in `query.ids`.
    prefix: &'static str,
}

impl<'s> Fields<'s> {
    /// The fields of a required argument.
    pub(super) fn of(scope: &mut PinScope<'s, '_>, argument: &str, value: Local<'s, Value>) -> Fallible<Self> {
        if value.is_function() || value.is_array() {
            return Err(wrong_type(scope, argument, "an object", value));
        }
        match value.try_cast() {
            Ok(object) => Ok(Self { object: Some(object), prefix: "" }),
            Err(_) => Err(wrong_type(scope, argument, "an object", value)),
        }
    }

    /// The fields of an optional argument.
    pub(super) fn of_optional(scope: &mut PinScope<'s, '_>, argument: &str, value: Local<'s, Value>) -> Fallible<Self> {
        if value.is_undefined() { Ok(Self { object: None, prefix: "" }) } else { Self::of(scope, argument, value) }
    }

    /// The fields of an optional field. `prefix` precedes their names in errors.
    pub(super) fn nested(&self, scope: &mut PinScope<'s, '_>, field: &str, prefix: &'static str) -> Fallible<Self> {
        let value = self.get(scope, field)?;
        Ok(Self { prefix, ..Self::of_optional(scope, field, value)? })
    }

    /// Reads a required field.
    pub(super) fn required<T>(
        &self,
        scope: &mut PinScope<'s, '_>,
        field: &str,
        read: impl FnOnce(&mut PinScope<'s, '_>, &str, Local<'s, Value>) -> Fallible<T>,
    ) -> Fallible<T> {
        let value = self.get(scope, field)?;
        read(scope, &format!("{}{field}", self.prefix), value)
    }

    /// Reads an optional field. `None` if it is missing or `undefined`.
    pub(super) fn optional<T>(
        &self,
        scope: &mut PinScope<'s, '_>,
        field: &str,
        read: impl FnOnce(&mut PinScope<'s, '_>, &str, Local<'s, Value>) -> Fallible<T>,
    ) -> Fallible<Option<T>> {
        let value = self.get(scope, field)?;
        if value.is_undefined() {
            return Ok(None);
        }
        read(scope, &format!("{}{field}", self.prefix), value).map(Some)
    }

    fn get(&self, scope: &mut PinScope<'s, '_>, field: &str) -> Fallible<Local<'s, Value>> {
        let Some(object) = self.object else { return Ok(v8::undefined(scope).into()) };
        let key = property_name(scope, field).unwrap_or_else(|| v8::String::empty(scope));
        attempt(scope, |scope| object.get(scope, key.into()))
    }
}

/// Runs an operation that can run code of the script, and catches the exception that it throws.
pub(super) fn attempt<'s, T>(
    scope: &mut PinScope<'s, '_>,
    run: impl FnOnce(&mut PinScope<'s, '_>) -> Option<T>,
) -> Fallible<T> {
    v8::tc_scope!(let scope, scope);
    run(scope).ok_or_else(|| {
        let thrown = scope.exception().unwrap_or_else(|| v8::undefined(scope).into());
        CallError::Thrown(Global::new(scope, thrown))
    })
}

pub(super) fn string<'s>(scope: &mut PinScope<'s, '_>, field: &str, value: Local<'s, Value>) -> Fallible<String> {
    let text = string_within_limit(scope, field, value)?;
    well_formed(scope, text).ok_or_else(|| lone_surrogate(field))
}

/// Reads a string or `null`.
pub(super) fn nullable_string<'s>(
    scope: &mut PinScope<'s, '_>,
    field: &str,
    value: Local<'s, Value>,
) -> Fallible<Option<String>> {
    if value.is_null() { Ok(None) } else { string(scope, field, value).map(Some) }
}

fn string_within_limit<'s>(
    scope: &mut PinScope<'s, '_>,
    field: &str,
    value: Local<'s, Value>,
) -> Fallible<Local<'s, v8::String>> {
    let text = value.try_cast::<v8::String>().map_err(|_| wrong_type(scope, field, "a string", value))?;
    let length = text.length();
    if length > MAX_TEXT {
        return Err(invalid(format!("{field} is far too long: {length} characters")));
    }
    Ok(text)
}

fn lone_surrogate(field: &str) -> CallError {
    invalid(format!("{field} must be well-formed text: it has a lone surrogate"))
}

/// Converts a string. `None` if it has lone surrogates.
///
/// Replacing lone surrogates would make different names, keys or passwords equal.
pub(crate) fn well_formed<'s>(scope: &mut PinScope<'s, '_>, text: Local<'s, v8::String>) -> Option<String> {
    if text.contains_only_onebyte() {
        return Some(text.to_rust_string_lossy(scope));
    }
    let mut units = vec![0; text.length()];
    text.write_v2(scope, 0, &mut units, v8::WriteFlags::empty());
    String::from_utf16(&units).ok()
}

/// Reads a password. All copies are wiped except for the script's own string, which lives as long as the isolate.
pub(super) fn password<'s>(scope: &mut PinScope<'s, '_>, field: &str, value: Local<'s, Value>) -> Fallible<Password> {
    let text = string_within_limit(scope, field, value)?;
    let mut units = Zeroizing::new(vec![0; text.length()]);
    text.write_v2(scope, 0, &mut units, v8::WriteFlags::empty());
    // A unit takes at most three bytes in UTF-8. The buffer must not be reallocated: that would leave a copy behind.
    let mut password = Zeroizing::new(String::with_capacity(3 * units.len()));
    for character in char::decode_utf16(units.iter().copied()) {
        password.push(character.map_err(|_| lone_surrogate(field))?);
    }
    Ok(Password::from(password.as_str()))
}

pub(super) fn boolean<'s>(scope: &mut PinScope<'s, '_>, field: &str, value: Local<'s, Value>) -> Fallible<bool> {
    if value.is_boolean() { Ok(value.is_true()) } else { Err(wrong_type(scope, field, "a boolean", value)) }
}

pub(super) fn integer<'s>(scope: &mut PinScope<'s, '_>, field: &str, value: Local<'s, Value>) -> Fallible<i64> {
    match value.try_cast::<v8::Number>().map(|number| number.value()) {
        Ok(number) if number.fract() == 0.0 && number.abs() <= MAX_SAFE_INTEGER => Ok(number as i64),
        // Formatted by V8, for example `1e+21` or `NaN`.
        Ok(_) => Err(invalid(format!("{field} must be an integer, got {}", value.to_rust_string_lossy(scope)))),
        Err(_) => Err(wrong_type(scope, field, "an integer", value)),
    }
}

/// Reads the entries of a filter. An array that is too long is rejected before its elements are read.
pub(super) fn strings<'s>(scope: &mut PinScope<'s, '_>, field: &str, value: Local<'s, Value>) -> Fallible<Vec<String>> {
    let array = match value.try_cast::<v8::Object>() {
        Ok(array) if is_array(scope, array) => array,
        _ => return Err(wrong_type(scope, field, "an array of strings", value)),
    };
    let length = v8::String::new(scope, "length").unwrap_or_else(|| v8::String::empty(scope));
    let length = attempt(scope, |scope| array.get(scope, length.into())?.uint32_value(scope))?;
    UserQuery::check_length(field, length as usize)?;
    let mut left = MAX_TEXT;
    (0..length)
        .map(|index| {
            let element = attempt(scope, |scope| array.get_index(scope, index))?;
            let text = string(scope, &format!("{field}[{index}]"), element)?;
            left = left.checked_sub(text.len()).ok_or_else(|| invalid(format!("{field} is far too long")))?;
            Ok(text)
        })
        .collect()
}

/// `Array.isArray`: also true for a proxy of an array.
pub(crate) fn is_array<'s>(scope: &mut PinScope<'s, '_>, object: Local<'s, v8::Object>) -> bool {
    let mut value: Local<'s, Value> = object.into();
    while let Ok(proxy) = value.try_cast::<v8::Proxy>() {
        // QuickJS cannot return the target of a revoked proxy.
        if proxy.is_revoked() {
            return false;
        }
        value = proxy.get_target(scope);
    }
    value.is_array()
}

fn invalid(detail: String) -> CallError {
    CallError::Failed(IdpError::invalid_argument(detail))
}

fn wrong_type<'s>(scope: &mut PinScope<'s, '_>, field: &str, expected: &str, value: Local<'s, Value>) -> CallError {
    invalid(format!("{field} must be {expected}, got {}", type_name(scope, value)))
}

/// The type of a value, for error texts. Never its content, which can be a password.
pub(super) fn type_name<'s>(scope: &mut PinScope<'s, '_>, value: Local<'s, Value>) -> String {
    if value.is_null() {
        "null".to_owned()
    } else if value.is_array() {
        "an array".to_owned()
    } else {
        match value.type_of(scope).to_rust_string_lossy(scope).as_str() {
            "undefined" => "undefined".to_owned(),
            "object" => "an object".to_owned(),
            name => format!("a {name}"),
        }
    }
}

/// The name of a property. Internalized: a look-up in V8's string table is faster than a new string.
pub(super) fn property_name<'s>(scope: &mut PinScope<'s, '_>, name: &str) -> Option<Local<'s, v8::String>> {
    debug_assert!(name.is_ascii());
    v8::String::new_from_one_byte(scope, name.as_bytes(), v8::NewStringType::Internalized)
}

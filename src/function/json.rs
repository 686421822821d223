//! Conversion of the result of a handler to JSON.
//!
//! A result is converted as `JSON.stringify` does, including `toJSON`. Values that JSON cannot represent are errors with the
//! path of the value; `JSON.stringify` would drop them silently.

use std::fmt::Write as _;

use deno_core::v8::{self, GetPropertyNamesArgsBuilder, Local, PinScope};
use serde_json::{Map, Value};

use super::execution::ExecutionError;
use super::limits::{Limit, ResultLimits};
use super::script_error::from_exception;
use super::stringified;
use crate::extension::{is_array, well_formed};

/// Largest nesting depth that fits the stack of an isolate thread: see [`ResultLimits::depth`].
const MAX_DEPTH: usize = 100;

/// Steps of a path that error messages show.
const MAX_PATH_STEPS: usize = 20;

/// Converts the return value of a handler.
///
/// # Errors
///
/// Fails if the value is not JSON, exceeds the limits, or throws while it is read.
pub(super) fn from_v8<'s>(
    scope: &mut PinScope<'s, '_>,
    value: Local<'s, v8::Value>,
    limits: &ResultLimits,
) -> Result<Value, ExecutionError> {
    let mut reader = ResultReader { limits, path: vec![], ancestors: vec![], values: 0, text_bytes: 0 };
    // A function without `return` returns `undefined`, which becomes null.
    reader.value(scope, value).map(Option::unwrap_or_default).map_err(|error| match error {
        ReadError::Thrown(error) => error,
        ReadError::NotJson(what) => {
            ExecutionError::invalid_script("TypeError", format!("{} is not JSON: it is {what}", reader.path()))
        }
        ReadError::LimitExceeded(what) => {
            let message = format!("{} is not JSON: it is {what}", reader.path());
            ExecutionError { limit: Some(Limit::Result), ..ExecutionError::invalid_script("TypeError", message) }
        }
    })
}

enum ReadError {
    /// A getter, `toJSON` or a proxy trap threw.
    Thrown(ExecutionError),
    /// Description of a value that JSON cannot represent.
    NotJson(String),
    /// Description of the exceeded limit.
    LimitExceeded(String),
}

fn limit_exceeded<T>(what: String) -> Result<T, ReadError> {
    Err(ReadError::LimitExceeded(what))
}

fn not_json<T>(what: impl Into<String>) -> Result<T, ReadError> {
    Err(ReadError::NotJson(what.into()))
}

enum Step {
    Key(String),
    Index(u32),
}

struct ResultReader<'l, 's> {
    limits: &'l ResultLimits,
    /// Path from the result to the current value. Kept on error, for the message.
    path: Vec<Step>,
    /// Objects on the path, to detect cycles.
    ancestors: Vec<Local<'s, v8::Object>>,
    /// Values read so far.
    values: usize,
    /// Text read so far, in bytes.
    text_bytes: usize,
}

impl<'s> ResultReader<'_, 's> {
    fn path(&self) -> String {
        let mut path = "result".to_owned();
        for step in self.path.iter().take(MAX_PATH_STEPS) {
            // Writing to a `String` does not fail.
            let _ = match step {
                Step::Index(index) => write!(path, "[{index}]"),
                Step::Key(key) if is_identifier(key) => write!(path, ".{key}"),
                Step::Key(key) => write!(path, "[{key:?}]"),
            };
        }
        if self.path.len() > MAX_PATH_STEPS {
            path.push('…');
        }
        path
    }

    /// Reads a value. None for `undefined`.
    fn value(&mut self, scope: &mut PinScope<'s, '_>, value: Local<'s, v8::Value>) -> Result<Option<Value>, ReadError> {
        self.values += 1;
        if self.values > self.limits.values {
            return limit_exceeded(format!("in a result of more than {} values", self.limits.values));
        }
        let value = self.unwrap(scope, value)?;
        if value.is_undefined() {
            return Ok(None);
        }
        let json = if value.is_null() {
            Value::Null
        } else if value.is_boolean() {
            Value::Bool(value.is_true())
        } else if let Ok(number) = value.try_cast::<v8::Number>() {
            self.number(number.value())?
        } else if value.is_string() {
            Value::String(self.read_text(scope, value)?)
        } else if value.is_big_int() {
            return not_json("a BigInt");
        } else if value.is_symbol() {
            return not_json("a symbol");
        } else if value.is_promise() {
            // `JSON.stringify` writes `{}`, which hides a missing `await`.
            return not_json("a promise: is an await missing?");
        } else if value.is_function() {
            return not_json("a function");
        } else if let Ok(object) = value.try_cast::<v8::Object>() {
            self.container(scope, object)?
        } else {
            return not_json("of an unknown kind");
        };
        Ok(Some(json))
    }

    /// Applies `toJSON`, and unwraps `Number`, `String` and `Boolean` objects.
    fn unwrap(
        &mut self,
        scope: &mut PinScope<'s, '_>,
        value: Local<'s, v8::Value>,
    ) -> Result<Local<'s, v8::Value>, ReadError> {
        let object = match value.try_cast::<v8::Object>() {
            Ok(object) => object,
            // The only primitive type whose `toJSON` is used by `JSON.stringify`.
            Err(_) if value.is_big_int() => attempt(scope, |scope| value.to_object(scope))?,
            Err(_) => return Ok(value),
        };
        let to_json = self.property(scope, object, "toJSON")?;
        let value = match to_json.try_cast::<v8::Function>() {
            Err(_) => value,
            Ok(to_json) => {
                let key = match self.path.last() {
                    None => String::new(),
                    Some(Step::Key(key)) => key.clone(),
                    Some(Step::Index(index)) => index.to_string(),
                };
                let key = text(scope, &key)?;
                attempt(scope, |scope| to_json.call(scope, value, &[key.into()]))?
            }
        };
        if value.is_number_object() {
            attempt(scope, |scope| value.to_number(scope)).map(Into::into)
        } else if value.is_string_object() {
            attempt(scope, |scope| value.to_string(scope)).map(Into::into)
        } else if value.is_boolean_object() {
            // V8's API has no accessor for the wrapped boolean.
            let json = attempt(scope, |scope| v8::json::stringify(scope, value))?;
            Ok(v8::Boolean::new(scope, json.to_rust_string_lossy(scope) == "true").into())
        } else if value.is_big_int_object() {
            not_json("a BigInt")
        } else {
            Ok(value)
        }
    }

    fn number(&self, number: f64) -> Result<Value, ReadError> {
        stringified::number(number).map(Value::Number).map_or_else(
            || {
                not_json(if number.is_nan() {
                    "NaN"
                } else if number > 0.0 {
                    "Infinity"
                } else {
                    "-Infinity"
                })
            },
            Ok,
        )
    }

    fn container(&mut self, scope: &mut PinScope<'s, '_>, object: Local<'s, v8::Object>) -> Result<Value, ReadError> {
        if self.ancestors.iter().any(|ancestor| ancestor.strict_equals(object.into())) {
            return not_json("a cycle");
        }
        let depth = self.limits.depth.min(MAX_DEPTH);
        if self.ancestors.len() == depth {
            return limit_exceeded(format!("nested more than {depth} levels deep"));
        }
        self.ancestors.push(object);
        let read = if is_array(scope, object) { self.array(scope, object) } else { self.object(scope, object) };
        self.ancestors.pop();
        read
    }

    fn array(&mut self, scope: &mut PinScope<'s, '_>, array: Local<'s, v8::Object>) -> Result<Value, ReadError> {
        let length = self.property(scope, array, "length")?;
        let length = attempt(scope, |scope| length.uint32_value(scope))?;
        let mut values = Vec::new();
        for index in 0..length {
            let element = attempt(scope, |scope| array.get_index(scope, index))?;
            self.path.push(Step::Index(index));
            // Holes become null, as in `JSON.stringify`.
            values.push(self.value(scope, element)?.unwrap_or_default());
            self.path.pop();
        }
        Ok(Value::Array(values))
    }

    fn object(&mut self, scope: &mut PinScope<'s, '_>, object: Local<'s, v8::Object>) -> Result<Value, ReadError> {
        if let Ok(array) = object.try_cast::<v8::TypedArray>()
            && array.length() > self.limits.values
        {
            // Checked first: V8 would create a key for each element.
            return limit_exceeded(format!("in a result of more than {} values", self.limits.values));
        }
        let keys = attempt(scope, |scope| {
            let as_strings =
                GetPropertyNamesArgsBuilder::new().key_conversion(v8::KeyConversionMode::ConvertToString).build();
            object.get_own_property_names(scope, as_strings)
        })?;
        let mut members = Map::new();
        for index in 0..keys.length() {
            let key = attempt(scope, |scope| keys.get_index(scope, index))?;
            let member = attempt(scope, |scope| object.get(scope, key))?;
            let key = self.read_text(scope, key)?;
            self.path.push(Step::Key(key.clone()));
            if let Some(value) = self.value(scope, member)? {
                members.insert(key, value);
            }
            self.path.pop();
        }
        Ok(Value::Object(members))
    }

    /// Reads a string or a property key.
    fn read_text(&mut self, scope: &mut PinScope<'s, '_>, value: Local<'s, v8::Value>) -> Result<String, ReadError> {
        let text = attempt(scope, |scope| value.to_string(scope))?;
        self.text_bytes += text.utf8_length(scope);
        if self.text_bytes > self.limits.text {
            return limit_exceeded(format!("in a result with more than {} bytes of text", self.limits.text));
        }
        well_formed(scope, text).map_or_else(|| not_json("text with a lone surrogate"), Ok)
    }

    fn property(
        &self,
        scope: &mut PinScope<'s, '_>,
        object: Local<'s, v8::Object>,
        name: &str,
    ) -> Result<Local<'s, v8::Value>, ReadError> {
        let name = text(scope, name)?;
        attempt(scope, |scope| object.get(scope, name.into()))
    }
}

/// Runs an operation that can call into the script, and converts an exception.
fn attempt<'s, T>(
    scope: &mut PinScope<'s, '_>,
    run: impl FnOnce(&mut PinScope<'s, '_>) -> Option<T>,
) -> Result<T, ReadError> {
    v8::tc_scope!(let scope, scope);
    run(scope).ok_or_else(|| {
        let exception = scope.exception();
        ReadError::Thrown(from_exception(scope, exception))
    })
}

fn text<'s>(scope: &mut PinScope<'s, '_>, text: &str) -> Result<Local<'s, v8::String>, ReadError> {
    v8::String::new(scope, text).map_or_else(|| not_json("under a key that is too long"), Ok)
}

fn is_identifier(key: &str) -> bool {
    let start = |c: char| c.is_alphabetic() || c == '_' || c == '$';
    key.starts_with(start) && key.chars().all(|c| start(c) || c.is_numeric())
}

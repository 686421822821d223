//! The JSON boundary of a script: what it is called with, and what it returns.
//!
//! A result is read as `JSON.stringify` reads it, `toJSON` and all, but what JSON cannot hold is an error that names
//! the place, where `JSON.stringify` would quietly lose it.

use std::fmt::Write as _;

use deno_core::v8::{self, GetPropertyNamesArgsBuilder, Local, PinScope};
use serde_json::{Map, Number, Value};

use super::execution::ExecutionError;
use super::failure::thrown;
use super::limits::{Limit, ResultLimits};
use crate::extension::{is_array, well_formed};

/// The deepest that a result can be read on the stack of a function's thread: see [`ResultLimits::depth`].
const MAX_DEPTH: usize = 100;

/// Steps of a path that an error shows.
const MAX_STEPS: usize = 20;

/// Beyond this a whole number does not fit an `i64`.
const MAX_WHOLE: f64 = 9_223_372_036_854_775_807.0;

/// The JSON text as a script gets it.
pub(super) fn to_v8<'s>(scope: &mut PinScope<'s, '_>, json: &str) -> Result<Local<'s, v8::Value>, ExecutionError> {
    v8::String::new(scope, json)
        .and_then(|text| v8::json::parse(scope, text))
        .ok_or_else(|| ExecutionError::unusable("RangeError", "the argument is too large for the script"))
}

/// The value that a script returned.
pub(super) fn from_v8<'s>(
    scope: &mut PinScope<'s, '_>,
    value: Local<'s, v8::Value>,
    limits: &ResultLimits,
) -> Result<Value, ExecutionError> {
    let mut reader = Reader { limits, path: vec![], open: vec![], values: 0, text: 0 };
    // `undefined` is what a function without `return` returns.
    let read = reader.value(scope, value).map(Option::unwrap_or_default);
    read.map_err(|error| match error {
        Unreadable::Thrown(error) => error,
        Unreadable::NotJson(what) => {
            ExecutionError::unusable("TypeError", format!("{} is not JSON: it is {what}", reader.path()))
        }
        Unreadable::TooMuch(what) => {
            let message = format!("{} is not JSON: it is {what}", reader.path());
            ExecutionError { limit: Some(Limit::Result), ..ExecutionError::unusable("TypeError", message) }
        }
    })
}

enum Unreadable {
    /// A getter, a `toJSON` or a proxy threw.
    Thrown(ExecutionError),
    /// What the value at the path is instead.
    NotJson(String),
    /// What there is too much of.
    TooMuch(String),
}

fn too_much<T>(what: String) -> Result<T, Unreadable> {
    Err(Unreadable::TooMuch(what))
}

fn not_json<T>(what: impl Into<String>) -> Result<T, Unreadable> {
    Err(Unreadable::NotJson(what.into()))
}

enum Step {
    Key(String),
    Index(u32),
}

struct Reader<'l, 's> {
    limits: &'l ResultLimits,
    /// From the result to the value being read; left as it is by an error.
    path: Vec<Step>,
    /// The objects that the path leads through: one that turns up again is a cycle.
    open: Vec<Local<'s, v8::Object>>,
    /// Read so far.
    values: usize,
    /// Bytes of text read so far.
    text: usize,
}

impl<'s> Reader<'_, 's> {
    fn path(&self) -> String {
        let mut path = "result".to_owned();
        for step in self.path.iter().take(MAX_STEPS) {
            // Writing to a string does not fail.
            let _ = match step {
                Step::Index(index) => write!(path, "[{index}]"),
                Step::Key(key) if is_identifier(key) => write!(path, ".{key}"),
                Step::Key(key) => write!(path, "[{key:?}]"),
            };
        }
        if self.path.len() > MAX_STEPS {
            path.push('…');
        }
        path
    }

    /// The value, or nothing for `undefined`.
    fn value(
        &mut self,
        scope: &mut PinScope<'s, '_>,
        value: Local<'s, v8::Value>,
    ) -> Result<Option<Value>, Unreadable> {
        self.values += 1;
        if self.values > self.limits.values {
            return too_much(format!("in a result of more than {} values", self.limits.values));
        }
        let value = self.unwrapped(scope, value)?;
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
            Value::String(self.text_of(scope, value)?)
        } else if value.is_big_int() {
            return not_json("a BigInt");
        } else if value.is_symbol() {
            return not_json("a symbol");
        } else if value.is_promise() {
            // `JSON.stringify` makes `{}` of it.
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

    /// What `toJSON` makes of the value, and the primitive in a `Number`, `String`, `Boolean` or `BigInt` object.
    fn unwrapped(
        &mut self,
        scope: &mut PinScope<'s, '_>,
        value: Local<'s, v8::Value>,
    ) -> Result<Local<'s, v8::Value>, Unreadable> {
        let object = match value.try_cast::<v8::Object>() {
            Ok(object) => object,
            // The one primitive that `JSON.stringify` asks for its `toJSON`.
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
            // The engine's interface has no other way to the boolean inside.
            let json = attempt(scope, |scope| v8::json::stringify(scope, value))?;
            Ok(v8::Boolean::new(scope, json.to_rust_string_lossy(scope) == "true").into())
        } else if value.is_big_int_object() {
            not_json("a BigInt")
        } else {
            Ok(value)
        }
    }

    fn number(&self, number: f64) -> Result<Value, Unreadable> {
        if number.fract() == 0.0 && number.abs() < MAX_WHOLE {
            return Ok(Value::from(number as i64));
        }
        Number::from_f64(number).map(Value::Number).map_or_else(
            // As JavaScript spells it.
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

    fn container(&mut self, scope: &mut PinScope<'s, '_>, object: Local<'s, v8::Object>) -> Result<Value, Unreadable> {
        if self.open.iter().any(|open| open.strict_equals(object.into())) {
            return not_json("a cycle");
        }
        let depth = self.limits.depth.min(MAX_DEPTH);
        if self.open.len() == depth {
            return too_much(format!("nested more than {depth} levels deep"));
        }
        self.open.push(object);
        let read = if is_array(scope, object) { self.array(scope, object) } else { self.object(scope, object) };
        self.open.pop();
        read
    }

    fn array(&mut self, scope: &mut PinScope<'s, '_>, array: Local<'s, v8::Object>) -> Result<Value, Unreadable> {
        let length = self.property(scope, array, "length")?;
        let length = attempt(scope, |scope| length.uint32_value(scope))?;
        let mut values = Vec::new();
        for index in 0..length {
            let element = attempt(scope, |scope| array.get_index(scope, index))?;
            self.path.push(Step::Index(index));
            // A gap in an array is `null`, as in `JSON.stringify`.
            values.push(self.value(scope, element)?.unwrap_or_default());
            self.path.pop();
        }
        Ok(Value::Array(values))
    }

    fn object(&mut self, scope: &mut PinScope<'s, '_>, object: Local<'s, v8::Object>) -> Result<Value, Unreadable> {
        if let Ok(array) = object.try_cast::<v8::TypedArray>()
            && array.length() > self.limits.values
        {
            // The engine would list a key for each element first.
            return too_much(format!("in a result of more than {} values", self.limits.values));
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
            let key = self.text_of(scope, key)?;
            self.path.push(Step::Key(key.clone()));
            if let Some(value) = self.value(scope, member)? {
                members.insert(key, value);
            }
            self.path.pop();
        }
        Ok(Value::Object(members))
    }

    /// The text of a string or a key.
    fn text_of(&mut self, scope: &mut PinScope<'s, '_>, value: Local<'s, v8::Value>) -> Result<String, Unreadable> {
        let text = attempt(scope, |scope| value.to_string(scope))?;
        self.text += text.utf8_length(scope);
        if self.text > self.limits.text {
            return too_much(format!("in a result with more than {} bytes of text", self.limits.text));
        }
        well_formed(scope, text).map_or_else(|| not_json("text with a lone surrogate"), Ok)
    }

    fn property(
        &self,
        scope: &mut PinScope<'s, '_>,
        object: Local<'s, v8::Object>,
        name: &str,
    ) -> Result<Local<'s, v8::Value>, Unreadable> {
        let name = text(scope, name)?;
        attempt(scope, |scope| object.get(scope, name.into()))
    }
}

/// Runs what may run a script's code, and takes what that throws.
fn attempt<'s, T>(
    scope: &mut PinScope<'s, '_>,
    run: impl FnOnce(&mut PinScope<'s, '_>) -> Option<T>,
) -> Result<T, Unreadable> {
    v8::tc_scope!(let scope, scope);
    run(scope).ok_or_else(|| {
        let exception = scope.exception();
        Unreadable::Thrown(thrown(scope, exception))
    })
}

fn text<'s>(scope: &mut PinScope<'s, '_>, text: &str) -> Result<Local<'s, v8::String>, Unreadable> {
    v8::String::new(scope, text).map_or_else(|| not_json("under a key that is too long"), Ok)
}

fn is_identifier(key: &str) -> bool {
    let start = |c: char| c.is_alphabetic() || c == '_' || c == '$';
    key.starts_with(start) && key.chars().all(|c| start(c) || c.is_numeric())
}

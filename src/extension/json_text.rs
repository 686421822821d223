//! JSON of the host as JavaScript values.
//!
//! V8 15.0 misreads some keys with an escape, since it compares the escaped text with a key that it has seen before: in
//! `[{"u":1,"a\\":1},{"u":2,"a\n":2}]`, it can take the second `"a\n"` for `"a\\"`. Keys without escapes are read right.

use std::collections::HashSet;
use std::ptr;

use deno_core::v8::{self, Local, PinScope};
use serde_json::Value;

/// JSON that becomes a JavaScript value exactly as it was sent.
pub(crate) struct JsonText {
    text: String,
    /// The value, if the engine's parser cannot be trusted with the text.
    tree: Option<Value>,
}

impl JsonText {
    pub(crate) fn new(value: Value) -> Self {
        let text = value.to_string();
        let has_escaped_key = text.contains('\\') && contains_escaped_key(&value);
        Self { text, tree: has_escaped_key.then_some(value) }
    }

    /// Length of the text in bytes.
    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    /// The JavaScript value. None if the heap has not enough memory for it.
    pub(crate) fn to_v8<'s>(&self, scope: &mut PinScope<'s, '_>) -> Option<Local<'s, v8::Value>> {
        let Some(tree) = &self.tree else { return parse(scope, &self.text) };
        let mut with_escaped_keys = HashSet::new();
        find_escaped_keys(tree, &mut with_escaped_keys);
        build(scope, tree, &with_escaped_keys)
    }
}

fn parse<'s>(scope: &mut PinScope<'s, '_>, json: &str) -> Option<Local<'s, v8::Value>> {
    let text = v8::String::new(scope, json)?;
    v8::json::parse(scope, text)
}

/// Builds the containers that have an escaped key, at any depth, and lets the engine parse the others.
fn build<'s>(
    scope: &mut PinScope<'s, '_>,
    value: &Value,
    with_escaped_keys: &HashSet<*const Value>,
) -> Option<Local<'s, v8::Value>> {
    if !with_escaped_keys.contains(&ptr::from_ref(value)) {
        return parse(scope, &value.to_string());
    }
    match value {
        Value::Array(elements) => {
            let mut built = Vec::with_capacity(elements.len());
            for element in elements {
                built.push(build(scope, element, with_escaped_keys)?);
            }
            Some(v8::Array::new_with_elements(scope, &built).into())
        }
        Value::Object(members) => {
            let object = v8::Object::new(scope);
            for (key, member) in members {
                let key = v8::String::new(scope, key)?;
                let member = build(scope, member, with_escaped_keys)?;
                // Defined, as the parser does: a key can be `__proto__`, and a script can put setters on `Object.prototype`.
                object.create_data_property(scope, key.into(), member)?;
            }
            Some(object.into())
        }
        scalar => parse(scope, &scalar.to_string()),
    }
}

/// Adds the containers that have an escaped key, at any depth. Returns whether `value` is one.
fn find_escaped_keys(value: &Value, found: &mut HashSet<*const Value>) -> bool {
    let mut has_escaped_key = false;
    match value {
        Value::Array(elements) => {
            for element in elements {
                has_escaped_key |= find_escaped_keys(element, found);
            }
        }
        Value::Object(members) => {
            for (key, member) in members {
                has_escaped_key |= find_escaped_keys(member, found) || is_escaped(key);
            }
        }
        _ => {}
    }
    if has_escaped_key {
        found.insert(ptr::from_ref(value));
    }
    has_escaped_key
}

fn contains_escaped_key(value: &Value) -> bool {
    match value {
        Value::Array(elements) => elements.iter().any(contains_escaped_key),
        Value::Object(members) => members.iter().any(|(key, member)| is_escaped(key) || contains_escaped_key(member)),
        _ => false,
    }
}

/// Whether `serde_json` writes the key with a backslash.
fn is_escaped(key: &str) -> bool {
    key.bytes().any(|byte| matches!(byte, b'"' | b'\\' | ..b' '))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_values_with_escaped_keys_are_built_by_hand() {
        for (value, by_hand) in [
            (json!({ "a": "\\", "ü\u{7f}": ["\n"] }), false),
            (json!({ "a\\": 1 }), true),
            (json!([1, [{ "\"": 1 }]]), true),
            (json!({ "a": { "\u{1f}": 1 } }), true),
            (json!("\\"), false),
        ] {
            assert_eq!(JsonText::new(value.clone()).tree.is_some(), by_hand, "{value}");
        }
    }

    #[test]
    fn keys_are_escaped_where_the_text_has_a_backslash() {
        for character in '\0'..='\u{300}' {
            let key = character.to_string();
            assert_eq!(is_escaped(&key), json!(key).to_string().contains('\\'), "{key:?}");
        }
    }
}

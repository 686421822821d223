//! JSON of the host as JavaScript values.
//!
//! V8 15.0 misreads some keys with an escape, since it compares the escaped text with a key that it has seen before: in
//! `[{"u":1,"a\\":1},{"u":2,"a\n":2}]`, it can take the second `"a\n"` for `"a\\"`. Keys without escapes are read right.

use deno_core::v8::{self, Local, PinScope};
use serde_json::Value;

/// JSON that becomes a JavaScript value exactly as it was sent.
pub(crate) struct JsonText {
    text: String,
    /// How to build the value, if the engine's parser cannot be trusted with the text.
    built: Option<Built>,
}

/// An array or an object that has an escaped key, at any depth.
enum Built {
    Array(Vec<Part>),
    Object(Vec<(String, Part)>),
}

/// An element or a member of a [`Built`].
enum Part {
    /// JSON without escaped keys: the engine parses it.
    Parsed(String),
    Built(Built),
}

impl JsonText {
    pub(crate) fn new(value: Value) -> Self {
        let text = value.to_string();
        let built = text.contains('\\').then(|| Built::new(&value)).flatten();
        Self { text, built }
    }

    /// Reads a text that [`as_str`](Self::as_str) returned. None if it is not JSON.
    pub(crate) fn parse(text: String) -> Option<Self> {
        match text.contains('\\') {
            true => serde_json::from_str(&text).ok().map(Self::new),
            // The engine's parser reads the text.
            false => Some(Self { text, built: None }),
        }
    }

    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Length of the text in bytes.
    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    /// The JavaScript value. None if the heap has not enough memory for it.
    pub(crate) fn to_v8<'s>(&self, scope: &mut PinScope<'s, '_>) -> Option<Local<'s, v8::Value>> {
        match &self.built {
            Some(built) => built.to_v8(scope),
            None => parse(scope, &self.text),
        }
    }
}

impl Built {
    /// None if the value has no escaped key, at any depth.
    fn new(value: &Value) -> Option<Self> {
        match value {
            Value::Array(elements) => {
                let built: Vec<_> = elements.iter().map(Self::new).collect();
                let has_escaped_key = built.iter().any(Option::is_some);
                let parts = elements.iter().zip(built).map(|(element, built)| Part::new(element, built));
                has_escaped_key.then(|| Self::Array(parts.collect()))
            }
            Value::Object(members) => {
                let built: Vec<_> = members.values().map(Self::new).collect();
                let has_escaped_key = built.iter().any(Option::is_some) || members.keys().any(|key| is_escaped(key));
                let parts =
                    members.iter().zip(built).map(|((key, member), built)| (key.clone(), Part::new(member, built)));
                has_escaped_key.then(|| Self::Object(parts.collect()))
            }
            _ => None,
        }
    }

    fn to_v8<'s>(&self, scope: &mut PinScope<'s, '_>) -> Option<Local<'s, v8::Value>> {
        match self {
            Self::Array(parts) => {
                let mut elements = Vec::with_capacity(parts.len());
                for part in parts {
                    elements.push(part.to_v8(scope)?);
                }
                Some(v8::Array::new_with_elements(scope, &elements).into())
            }
            Self::Object(members) => {
                let object = v8::Object::new(scope);
                for (key, member) in members {
                    let key = v8::String::new(scope, key)?;
                    let member = member.to_v8(scope)?;
                    // Defined, as the parser does: a key can be `__proto__`, and a script can put setters on `Object.prototype`.
                    object.create_data_property(scope, key.into(), member)?;
                }
                Some(object.into())
            }
        }
    }
}

impl Part {
    fn new(value: &Value, built: Option<Built>) -> Self {
        built.map_or_else(|| Self::Parsed(value.to_string()), Self::Built)
    }

    fn to_v8<'s>(&self, scope: &mut PinScope<'s, '_>) -> Option<Local<'s, v8::Value>> {
        match self {
            Self::Parsed(json) => parse(scope, json),
            Self::Built(built) => built.to_v8(scope),
        }
    }
}

fn parse<'s>(scope: &mut PinScope<'s, '_>, json: &str) -> Option<Local<'s, v8::Value>> {
    let text = v8::String::new(scope, json)?;
    v8::json::parse(scope, text)
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
            assert_eq!(JsonText::new(value.clone()).built.is_some(), by_hand, "{value}");
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

//! `--invoker`: the user or machine that a script runs for.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tailor_idp::idp::Invoker;

use super::error::UsageError;
use super::files;

/// Fields of an invoker: name, expected type, and whether it is required.
const FIELDS: [(&str, &str, bool); 5] = [
    ("id", "a string", true),
    ("type", r#""user" or "machine_user""#, true),
    ("workspaceId", "a string", false),
    ("attributes", "a list of strings", false),
    ("attributeMap", "an object", false),
];

/// Reads an invoker from JSON, or from a file with JSON. `null` means no invoker.
pub(super) fn read(given: &str) -> Result<Option<Invoker>, UsageError> {
    let (origin, text) = if is_inline(given) {
        ("--invoker".to_owned(), given.to_owned())
    } else {
        let text = files::read_text(Path::new(given));
        let text = text.map_err(|error| UsageError(format!("cannot read --invoker {given}: {error}")))?;
        (given.to_owned(), text)
    };
    let value = serde_json::from_str(&text).map_err(|error| UsageError(format!("{origin} is not JSON: {error}")))?;
    from_value(value).map_err(|error| UsageError(format!("{origin}: {error}")))
}

/// The path, if the argument is a file rather than JSON.
pub(super) fn file(given: &str) -> Option<PathBuf> {
    (!is_inline(given)).then(|| given.into())
}

fn is_inline(given: &str) -> bool {
    given.trim_start().starts_with(['{', '[', '"']) || given.trim() == "null"
}

fn from_value(value: Value) -> Result<Option<Invoker>, String> {
    let fields = match &value {
        Value::Null => return Ok(None),
        Value::Object(fields) => fields,
        _ => return Err("an invoker must be an object, or null for nobody".to_owned()),
    };
    let mut faults = Vec::new();
    for (name, expected, required) in FIELDS {
        match fields.get(name) {
            None if required => faults.push(format!("{name} is missing: it must be {expected}")),
            Some(value) if !has_expected_type(name, value) => {
                faults.push(format!("{name} must be {expected}: got {value}"))
            }
            _ => {}
        }
    }
    let unknown = fields.keys().filter(|name| !FIELDS.iter().any(|(known, ..)| known == name));
    let known = FIELDS.map(|(name, ..)| name).join(", ");
    faults.extend(unknown.map(|name| format!("unknown field {name:?}: expected {known}")));
    if !faults.is_empty() {
        return Err(faults.join("; "));
    }
    serde_json::from_value(value).map(Some).map_err(|error| error.to_string())
}

fn has_expected_type(name: &str, value: &Value) -> bool {
    match name {
        "type" => matches!(value.as_str(), Some("user" | "machine_user")),
        "attributes" => value.as_array().is_some_and(|list| list.iter().all(Value::is_string)),
        "attributeMap" => value.is_object(),
        _ => value.is_string(),
    }
}

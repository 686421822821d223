//! `permission`: compiles the policies of a namespace and reports each fault at its line.

use serde::Deserialize;
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer, ValueDeserializer};

use super::reader::{Section, join};
use tailor_idp_core::{Operation, Permission, PermissionConfig, PermissionFault};

/// Names of the operations that a permission has policies for.
pub const OPERATIONS: [&str; Operation::ALL.len()] = {
    let [a, b, c, d, e, f] = Operation::ALL;
    [a.name(), b.name(), c.name(), d.name(), e.name(), f.name()]
};

const KEY: &str = "permission";

/// Summary of whom an operation is permitted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// No policy permits it.
    Nobody,
    /// It is permitted without a condition.
    Everybody,
    /// It depends on this number of policies.
    Policies(usize),
}

/// Reads the permission of a namespace and the audience of each of the [`OPERATIONS`]. A namespace without the key permits
/// nothing. Returns `None` if a fault was recorded.
pub(super) fn read(namespace: &Section<'_, '_>) -> Option<(Permission, [Audience; OPERATIONS.len()])> {
    let Some(value) = namespace.spanned(KEY) else {
        return Some((Permission::deny_all(), [Audience::Nobody; OPERATIONS.len()]));
    };
    let mut quoted = value.clone();
    quote_dates(quoted.get_mut());
    let config = match PermissionConfig::deserialize(ValueDeserializer::from(quoted)) {
        Ok(config) => config,
        Err(error) => {
            namespace.reader().toml_fault(namespace.position(KEY), namespace.path(KEY), &error);
            return None;
        }
    };
    match config.compile() {
        Ok(permission) => Some((permission, OPERATIONS.map(|operation| audience(&config, operation)))),
        Err(faults) => {
            faults.into_iter().for_each(|fault| locate(namespace, value, fault));
            None
        }
    }
}

/// Parses a TOML document into JSON, for the program. Dates become strings.
#[doc(hidden)]
pub fn json_from_toml(text: &str) -> Result<Value, toml::de::Error> {
    let mut document = DeTable::parse(text)?;
    document.get_mut().iter_mut().for_each(|(_, value)| quote_dates(value.get_mut()));
    Value::deserialize(Deserializer::from(document))
}

/// Replaces dates by their text. JSON has no dates: toml deserializes one as an object with a private key.
fn quote_dates(value: &mut DeValue<'_>) {
    match value {
        DeValue::Datetime(date) => *value = DeValue::String(date.to_string().into()),
        DeValue::Array(entries) => entries.iter_mut().for_each(|entry| quote_dates(entry.get_mut())),
        DeValue::Table(table) => table.iter_mut().for_each(|(_, value)| quote_dates(value.get_mut())),
        DeValue::String(_) | DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) => {}
    }
}

fn audience(config: &PermissionConfig, operation: &str) -> Audience {
    let operations = match config {
        PermissionConfig::Keyword(_) => return Audience::Everybody,
        PermissionConfig::Policies(operations) => operations,
    };
    let policies = operations.get(operation).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let unconditional = |policy: &Value| policy["conditions"].as_array().is_some_and(Vec::is_empty);
    let permits = |policy: &Value| policy["permit"].as_bool().unwrap_or(true);
    match policies {
        [] => Audience::Nobody,
        [only] if unconditional(only) && permits(only) => Audience::Everybody,
        many if !many.iter().any(permits) => Audience::Nobody,
        many => Audience::Policies(many.len()),
    }
}

/// Records a fault of the compiler at the innermost part of its path that is in the file.
fn locate(namespace: &Section<'_, '_>, permission: &Spanned<DeValue<'_>>, fault: PermissionFault) {
    let mut path = namespace.path(KEY);
    let mut at = namespace.position(KEY);
    let mut value = Some(permission.get_ref());
    for part in &fault.path {
        let next = match value {
            Some(DeValue::Table(table)) => {
                path = join(&path, part);
                table.get_key_value(part.as_str()).map(|(key, value)| (key.span().start, value.get_ref()))
            }
            Some(DeValue::Array(entries)) => {
                path = format!("{path}[{part}]");
                let index = part.parse::<usize>().ok();
                index.and_then(|index| entries.get(index)).map(|entry| (entry.span().start, entry.get_ref()))
            }
            _ => {
                path = join(&path, part);
                None
            }
        };
        at = next.map_or(at, |(at, _)| at);
        value = next.map(|(_, value)| value);
    }
    namespace.reader().fault(at, path, fault.text);
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use pretty_assertions::assert_eq;

    use super::super::reader::Reader;
    use super::*;

    #[test]
    fn read_takes_dates_as_text() {
        let read = |operand: &str| {
            let text =
                format!("[permission]\nread = [{{ conditions = [[{{ user = \"since\" }}, \"=\", {operand}]] }}]");
            let reader = Reader::new(&text);
            let tree = reader.parse().unwrap();
            let permission = read(&Section::new(&reader, "namespace.main".to_owned(), 0, &tree));
            reader.finish(Path::new("f")).unwrap();
            (format!("{permission:?}"), json_from_toml(&text).unwrap())
        };
        for date in ["2026-01-02", "2026-01-02T03:04:05Z", "03:04:05"] {
            assert_eq!(read(date), read(&format!("{date:?}")));
        }
    }

    #[test]
    fn locate_reports_the_innermost_part_that_is_in_the_file() {
        let text = r#"[permission]
create = []
read = [
  { conditions = [] },
  { conditions = [
    ["a", "=", "b"],
    ["a", "like", "b"],
  ] },
]
"#;
        let reader = Reader::new(text);
        let tree = reader.parse().unwrap();
        let section = Section::new(&reader, "namespace.main".to_owned(), 0, &tree);
        let permission = section.spanned(KEY).unwrap();
        for path in [&["read", "1", "conditions", "1", "1"][..], &["read", "1", "permit"], &["read", "7"], &[]] {
            let path = path.iter().map(ToString::to_string).collect();
            locate(&section, permission, PermissionFault { path, text: "is wrong".to_owned() });
        }
        let error = reader.finish(Path::new("f")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "f:1: namespace.main.permission: is wrong\n\
             f:3: namespace.main.permission.read[7]: is wrong\n\
             f:5: namespace.main.permission.read[1].permit: is wrong\n\
             f:7: namespace.main.permission.read[1].conditions[1][1]: is wrong"
        );
    }
}

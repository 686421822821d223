//! `permission`: policies, with their faults at the line they are on.

use serde::Deserialize;
use serde_json::Value;
use toml::de::DeValue;

use super::reader::{Reader, Section, join, table_at, unknown, wrong};
use crate::idp::{ALLOW_ALL, Operation, Permission, PermissionConfig, PermissionFault};

/// What a permission has lists of policies for.
pub const OPERATIONS: [&str; Operation::ALL.len()] = {
    let [a, b, c, d, e, f] = Operation::ALL;
    [a.name(), b.name(), c.name(), d.name(), e.name(), f.name()]
};

const KEY: &str = "permission";

/// Whom the policies of an operation are about, at a glance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Audience {
    /// Nothing permits it to anybody.
    Nobody,
    /// It is permitted without a condition.
    Everybody,
    /// That depends on so many policies.
    Policies(usize),
}

/// The permission of a namespace, where nothing is wrong with it, and whom each of the [`OPERATIONS`] is open to. Where the
/// namespace has none, nothing is permitted.
pub(super) fn read(namespace: &Section<'_, '_>) -> Option<(Permission, [Audience; OPERATIONS.len()])> {
    let Some(value) = namespace.value(KEY) else {
        return Some((Permission::deny_all(), [Audience::Nobody; OPERATIONS.len()]));
    };
    let reader = namespace.reader();
    let before = reader.count();
    match value {
        DeValue::String(word) if word == ALLOW_ALL => {}
        DeValue::String(word) => {
            namespace.fault(KEY, format!("must be {ALLOW_ALL:?} or lists of policies: got {word:?}"));
        }
        DeValue::Table(_) => {
            if let Some(operations) = namespace.section(KEY) {
                operations.entries().for_each(|(name, at, list)| check_list(&operations, name, at, list));
            }
        }
        other => namespace.fault(KEY, wrong(&format!("{ALLOW_ALL:?} or lists of policies"), other)),
    }
    let source = json(value);
    let compiled = match PermissionConfig::deserialize(&source) {
        Ok(config) => config.compile(),
        Err(error) => {
            if reader.count() == before {
                namespace.fault(KEY, error.to_string());
            }
            return None;
        }
    };
    match compiled {
        Ok(permission) if reader.count() == before => {
            Some((permission, OPERATIONS.map(|operation| audience(&source, operation))))
        }
        Ok(_) => None,
        Err(faults) => {
            faults.into_iter().for_each(|fault| locate(namespace, value, fault));
            None
        }
    }
}

fn audience(permission: &Value, operation: &str) -> Audience {
    if permission.is_string() {
        return Audience::Everybody;
    }
    let policies = permission[operation].as_array().map_or(&[][..], Vec::as_slice);
    let unconditional = |policy: &Value| policy["conditions"].as_array().is_none_or(Vec::is_empty);
    let permits = |policy: &Value| policy["permit"].as_bool().unwrap_or(true);
    match policies {
        [] => Audience::Nobody,
        [only] if unconditional(only) && permits(only) => Audience::Everybody,
        many if !many.iter().any(permits) => Audience::Nobody,
        many => Audience::Policies(many.len()),
    }
}

/// The form of the list of one operation. What the policies say is checked when they are compiled.
fn check_list(operations: &Section<'_, '_>, name: &str, at: usize, list: &DeValue<'_>) {
    let (reader, path) = (operations.reader(), operations.path(name));
    if !OPERATIONS.contains(&name) {
        return reader.fault(at, path, unknown(name, &OPERATIONS));
    }
    let DeValue::Array(policies) = list else {
        return reader.fault(at, path, wrong("a list of policies", list));
    };
    for (index, policy) in policies.iter().enumerate() {
        check_policy(reader, format!("{path}[{index}]"), policy.span().start, policy.get_ref());
    }
}

fn check_policy<'t>(reader: &Reader<'t>, path: String, at: usize, policy: &DeValue<'t>) {
    let Some(section) = table_at(reader, path, at, policy) else { return };
    section.boolean("permit");
    section.string("description");
    if let Some(other) = section.value("conditions")
        && !matches!(other, DeValue::Array(_))
    {
        section.fault("conditions", wrong("a list of conditions", other));
    }
    section.finish();
}

/// Notes a fault at the innermost part of its path that is in the file, unless its form has been found faulty there.
fn locate(namespace: &Section<'_, '_>, permission: &DeValue<'_>, fault: PermissionFault) {
    let mut path = namespace.path(KEY);
    let mut at = None;
    let mut value = Some(permission);
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
        at = next.map(|(at, _)| at).or(at);
        value = next.map(|(_, value)| value);
    }
    let at = at.unwrap_or_else(|| namespace.place(KEY));
    if !namespace.reader().has_fault(at, &path) {
        namespace.reader().fault(at, path, fault.text);
    }
}

fn json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => text.as_ref().into(),
        DeValue::Boolean(value) => (*value).into(),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => number.into(),
            Err(_) => number.to_string().into(),
        },
        DeValue::Float(number) => match number.as_str().parse::<f64>() {
            Ok(number) => number.into(),
            Err(_) => number.to_string().into(),
        },
        DeValue::Datetime(moment) => moment.to_string().into(),
        DeValue::Array(entries) => entries.iter().map(|entry| json(entry.get_ref())).collect(),
        DeValue::Table(table) => {
            Value::Object(table.iter().map(|(key, value)| (key.get_ref().to_string(), json(value.get_ref()))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn a_fault_of_a_policy_is_at_the_innermost_part_that_is_in_the_file() {
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
        let permission = section.value(KEY).unwrap();
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

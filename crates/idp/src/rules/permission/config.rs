//! The configuration form of permission.

use std::fmt;

use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The keyword that permits everything.
pub(super) const ALLOW_ALL: &str = "allow-all";

/// The permission of a namespace before compilation. It can be deserialised from any format, and is validated when it is
/// [compiled](Self::compile).
///
/// ```
/// use tailor_idp_core::PermissionConfig;
///
/// let config: PermissionConfig = serde_json::from_str(r#"{
///     "read": [{ "conditions": [[{ "user": "_loggedIn" }, "=", true]] }],
///     "updte": []
/// }"#)?;
/// let faults = config.compile().unwrap_err();
/// assert_eq!(faults[0].to_string(), r#"updte: unknown operation "updte": did you mean "update"?"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum PermissionConfig {
    /// `"allow-all"`.
    Keyword(String),
    /// Lists of policies by operation: `create`, `read`, `update`, `delete`, `sendPasswordResetEmail`, `unenrollMfa`.
    Policies(Map<String, Value>),
}

/// Denies everything.
impl Default for PermissionConfig {
    fn default() -> Self {
        Self::Policies(Map::new())
    }
}

/// A violation in a [`PermissionConfig`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{}{text}", joined(path), if path.is_empty() { "" } else { ": " })]
pub struct PermissionFault {
    /// The path to the violation: keys and indexes such as `read`, `0`, `conditions`, `1`.
    pub path: Vec<String>,
    /// The violation.
    pub text: String,
}

/// The path as text: `read[0].conditions[1]`.
fn joined(path: &[String]) -> String {
    let mut text = String::new();
    for step in path {
        let is_index = !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit());
        match (is_index && !text.is_empty(), text.is_empty()) {
            (true, _) => text.push_str(&format!("[{step}]")),
            (false, true) => text.push_str(step),
            (false, false) => text.push_str(&format!(".{step}")),
        }
    }
    text
}

// By hand, for an error text that names both forms.
impl<'de> Deserialize<'de> for PermissionConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Config;

        impl<'de> Visitor<'de> for Config {
            type Value = PermissionConfig;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(r#""allow-all", or lists of policies by operation"#)
            }

            fn visit_str<E: Error>(self, keyword: &str) -> Result<PermissionConfig, E> {
                Ok(PermissionConfig::Keyword(keyword.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<PermissionConfig, A::Error> {
                let mut policies = Map::new();
                while let Some((operation, list)) = entries.next_entry::<String, Value>()? {
                    if policies.contains_key(&operation) {
                        return Err(A::Error::custom(format!("{operation:?} is there twice")));
                    }
                    policies.insert(operation, list);
                }
                Ok(PermissionConfig::Policies(policies))
            }
        }

        deserializer.deserialize_any(Config)
    }
}

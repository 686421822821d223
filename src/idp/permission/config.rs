//! Policies as a configuration spells them.

use std::fmt;

use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Permission, compile};

/// The permission of a namespace, not yet compiled: it can be read from any format, and holds whatever was written.
///
/// ```
/// use tailor_idp::idp::PermissionConfig;
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

/// Nothing is permitted.
impl Default for PermissionConfig {
    fn default() -> Self {
        Self::Policies(Map::new())
    }
}

/// A fault in a [`PermissionConfig`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{}{text}", path.join("."), if path.is_empty() { "" } else { ": " })]
pub struct PermissionFault {
    /// Keys and indexes from the permission to the fault, such as `read`, `0`, `conditions`, `1`.
    pub path: Vec<String>,
    /// What is wrong.
    pub text: String,
}

impl PermissionConfig {
    /// The permission.
    ///
    /// # Errors
    ///
    /// All that is wrong with the configuration, in its order.
    pub fn compile(&self) -> Result<Permission, Vec<PermissionFault>> {
        compile::permission(self)
    }
}

// By hand: what is neither text nor a table is told as such.
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

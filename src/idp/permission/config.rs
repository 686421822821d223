//! Policies as a configuration spells them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::Permission;

/// The permission of a namespace, not yet compiled.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum PermissionConfig {
    /// `"allow-all"`.
    Keyword(String),
    /// Lists of policies by operation: `create`, `read`, `update`, `delete`, `sendPasswordResetEmail`, `unenrollMfa`.
    Policies(BTreeMap<String, Vec<PolicyConfig>>),
}

/// One policy.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicyConfig {
    /// `[left, operator, right]` each, joined by AND.
    #[serde(default)]
    pub conditions: Vec<Value>,
    /// Whether the policy permits; it does if it does not say.
    pub permit: Option<bool>,
    /// What the policy is for.
    pub description: Option<String>,
}

/// A fault in a [`PermissionConfig`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermissionFault {
    /// Keys and indexes from the permission to the fault, such as `read`, `0`, `conditions`, `1`.
    pub path: Vec<String>,
    /// What is wrong.
    pub text: String,
}

impl PermissionConfig {
    /// The permission, or all that is wrong with it.
    pub fn compile(&self) -> Result<Permission, Vec<PermissionFault>> {
        match self {
            Self::Keyword(keyword) if keyword == "allow-all" => Ok(Permission::allow_all()),
            _ => Ok(Permission::deny_all()),
        }
    }
}

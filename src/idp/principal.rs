//! Who asks for an operation.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// What an [`Invoker`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InvokerType {
    /// A person who has signed in.
    User,
    /// A program with credentials of its own.
    MachineUser,
}

/// Who a function runs for: what scripts read with `tailor.context.getInvoker()`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Invoker {
    /// The id of the user or machine user.
    pub id: String,
    /// Which of the two.
    #[serde(rename = "type")]
    pub kind: InvokerType,
    /// The workspace.
    #[serde(default)]
    pub workspace_id: String,
    /// The ids of the attributes, as the platform lists them.
    #[serde(default)]
    pub attributes: Vec<String>,
    /// The attributes by key, for policies.
    #[serde(default)]
    pub attribute_map: serde_json::Map<String, serde_json::Value>,
}

/// On whose behalf an operation is asked for. The namespace's permission decides on it.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Principal {
    /// Nobody who has signed in.
    #[default]
    Anonymous,
    /// Somebody who has.
    Invoker(Arc<Invoker>),
    /// The host itself, which no permission binds: its own tools, never a script.
    Host,
}

impl Principal {
    /// The invoker, if there is one.
    pub fn invoker(&self) -> Option<&Invoker> {
        match self {
            Self::Invoker(invoker) => Some(invoker),
            Self::Anonymous | Self::Host => None,
        }
    }
}

impl From<Option<Invoker>> for Principal {
    fn from(invoker: Option<Invoker>) -> Self {
        invoker.map_or(Self::Anonymous, |invoker| Self::Invoker(Arc::new(invoker)))
    }
}

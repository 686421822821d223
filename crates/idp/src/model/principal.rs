//! Principals: on whose behalf an operation is executed.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The type of an [`Invoker`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InvokerType {
    /// A signed-in person.
    User,
    /// A program with its own credentials.
    MachineUser,
}

/// The user or machine user on whose behalf a function runs. Scripts read it with `tailor.context.getInvoker()`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Invoker {
    /// The id of the user or machine user.
    pub id: String,
    /// Whether it is a user or a machine user.
    #[serde(rename = "type")]
    pub kind: InvokerType,
    /// The id of the workspace.
    #[serde(default)]
    pub workspace_id: String,
    /// The ids of the attributes, in the platform's order.
    #[serde(default)]
    pub attributes: Vec<String>,
    /// The attributes by key, which policies compare: strings, booleans, and lists. Members of a list that are neither strings
    /// nor booleans are passed over. Policies treat anything else as missing.
    #[serde(default)]
    pub attribute_map: serde_json::Map<String, serde_json::Value>,
}

/// The subject of an access decision: on whose behalf an operation is executed.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Principal {
    /// A caller that has not signed in.
    #[default]
    Anonymous,
    /// A signed-in user or machine user.
    Invoker(Arc<Invoker>),
    /// The host and its tools, which permission does not restrict. Never a script.
    Host,
}

impl Principal {
    /// The invoker, unless the principal is anonymous or the host.
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

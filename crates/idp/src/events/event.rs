//! Events as receivers see them.

use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::model::{EventKind, Timestamp};

/// A committed change of a user. It contains the id of the user and not the new values, which receivers can read.
///
/// As JSON: `id`, `type`, `time`, `workspaceId`, `namespaceName`, `userId`, all strings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserEvent {
    /// The id, a UUIDv7. Ids sort in commit order within a namespace. An event that is delivered twice has the same id.
    pub id: String,
    /// The kind of the change.
    pub kind: EventKind,
    /// The time of the change.
    pub time: Timestamp,
    /// The workspace id of the namespace's settings.
    pub workspace_id: String,
    /// The name of the namespace.
    pub namespace_name: String,
    /// The id of the user who changed.
    pub user_id: String,
}

impl Serialize for UserEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut event = serializer.serialize_struct("UserEvent", 6)?;
        event.serialize_field("id", &self.id)?;
        event.serialize_field("type", self.kind.type_name())?;
        event.serialize_field("time", &self.time.to_string())?;
        event.serialize_field("workspaceId", &self.workspace_id)?;
        event.serialize_field("namespaceName", &self.namespace_name)?;
        event.serialize_field("userId", &self.user_id)?;
        event.end()
    }
}

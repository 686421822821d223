//! What a receiver is told.

use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::idp::Timestamp;
use crate::store::EventKind;

/// A committed change of a user. It says who changed, not how the user is now: whoever needs that asks.
///
/// As JSON: `id`, `type`, `time`, `workspaceId`, `namespaceName`, `userId`, all of them strings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserEvent {
    /// A UUIDv7. Ids sort in commit order within a namespace; an event that comes twice has the same.
    pub id: String,
    /// What became of the user.
    pub kind: EventKind,
    /// When.
    pub time: Timestamp,
    /// The workspace of the namespace's settings.
    pub workspace_id: String,
    /// The namespace.
    pub namespace_name: String,
    /// Who changed.
    pub user_id: String,
}

impl EventKind {
    /// The `type` of the event: `idp.user.created` and its like.
    pub const fn type_name(self) -> &'static str {
        match self {
            Self::Created => "idp.user.created",
            Self::Updated => "idp.user.updated",
            Self::Deleted => "idp.user.deleted",
        }
    }
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

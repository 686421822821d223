//! Events: committed changes of users.

use super::Timestamp;

/// The kind of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EventKind {
    /// The user was created or imported.
    Created,
    /// The name, the password, the state or the factors of the user changed.
    Updated,
    /// The user was deleted.
    Deleted,
}

impl EventKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Created, Self::Updated, Self::Deleted];

    /// The kind in one word: `created`, `updated` or `deleted`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
        }
    }

    /// The kind with this [`name`](Self::name).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The event type that receivers see, such as `idp.user.created`.
    pub const fn type_name(self) -> &'static str {
        match self {
            Self::Created => "idp.user.created",
            Self::Updated => "idp.user.updated",
            Self::Deleted => "idp.user.deleted",
        }
    }
}

/// A committed change of a user, as a store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRecord {
    /// The id that the store assigned. Ids sort in commit order within a namespace.
    pub id: String,
    /// The id of the user who changed.
    pub user_id: String,
    /// The kind of the change.
    pub kind: EventKind,
    /// The time of the change.
    pub time: Timestamp,
}

//! The JSON of WorkOS.

use serde::Deserialize;

use crate::model::{UserRecord, Version};

/// A user.
#[derive(Deserialize)]
pub(super) struct WorkOsUser {
    id: String,
    email: String,
    created_at: String,
}

impl From<WorkOsUser> for UserRecord {
    fn from(user: WorkOsUser) -> Self {
        let WorkOsUser { id, email, created_at } = user;
        Self {
            id,
            name: email.to_lowercase(),
            // WorkOS cannot disable users.
            disabled: false,
            created_at: created_at.parse().ok(),
            mfa_factor_ids: Vec::new(),
            version: Version::default(),
        }
    }
}

/// A page of users.
#[derive(Deserialize)]
pub(super) struct UserList {
    pub(super) data: Vec<WorkOsUser>,
    pub(super) list_metadata: ListMetadata,
}

#[derive(Deserialize)]
pub(super) struct ListMetadata {
    /// The id of the last user, unless there are no more.
    pub(super) after: Option<String>,
}

/// An error.
#[derive(Default, Deserialize)]
pub(super) struct WorkOsError {
    code: Option<String>,
    message: Option<String>,
    #[serde(default)]
    errors: Vec<ErrorEntry>,
}

#[derive(Deserialize)]
struct ErrorEntry {
    code: Option<String>,
    message: Option<String>,
}

impl WorkOsError {
    /// The error in a body, empty if the body is something else.
    pub(super) fn parse(body: &str) -> Self {
        serde_json::from_str(body).unwrap_or_default()
    }

    /// Whether the error, or one of its entries, has one of the codes.
    pub(super) fn has(&self, codes: &[&str]) -> bool {
        let entries = self.errors.iter().filter_map(|entry| entry.code.as_deref());
        self.code.as_deref().into_iter().chain(entries).any(|code| codes.contains(&code))
    }

    /// Whether an error with the status 404 is about a resource, rather than about a path that does not exist. WorkOS documents
    /// no code of its own for the latter, but that the text for the former names the resource.
    pub(super) fn is_of_a_resource(&self) -> bool {
        let is_of_entity = self.code.as_deref() == Some("entity_not_found");
        let about_path = |message: &String| {
            message.trim_end_matches('.').eq_ignore_ascii_case("not found") || message.starts_with("Cannot ")
        };
        is_of_entity || self.message.as_ref().is_some_and(|message| !about_path(message))
    }

    /// The texts of the entries.
    pub(super) fn reasons(&self) -> String {
        let reasons: Vec<_> = self.errors.iter().filter_map(|entry| entry.message.as_deref()).collect();
        reasons.join("; ")
    }
}

//! The JSON of Descope.

use serde::Deserialize;

use crate::model::{Timestamp, UserRecord, Version};

/// The code of an unknown user, whatever the status of the answer.
const UNKNOWN_USER: &str = "E112102";
/// The code of a login ID that is taken.
const TAKEN: &str = "E062107";

/// An answer, of any of the calls.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct DescopeAnswer {
    pub(super) user: Option<DescopeUser>,
    pub(super) users: Option<Vec<DescopeUser>>,
    /// The number of users that match a search.
    pub(super) total: Option<u64>,
    error_code: Option<String>,
}

impl DescopeAnswer {
    /// Whether it is an error in spite of its status.
    pub(super) fn is_error(&self) -> bool {
        self.error_code.as_ref().is_some_and(|code| !code.is_empty())
    }
}

/// A user.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescopeUser {
    user_id: String,
    #[serde(default)]
    login_ids: Vec<String>,
    status: Option<String>,
    /// In seconds since the epoch.
    created_time: Option<i64>,
    /// Whether the user has a password.
    password: Option<bool>,
}

impl DescopeUser {
    pub(super) fn id(&self) -> &str {
        &self.user_id
    }

    /// Whether the user has a password, if Descope says so.
    pub(super) fn has_password(&self) -> Option<bool> {
        self.password
    }

    /// Whether Descope says that the user has no password.
    pub(super) fn lacks_password(&self) -> bool {
        self.password == Some(false)
    }
}

impl From<DescopeUser> for UserRecord {
    fn from(user: DescopeUser) -> Self {
        let DescopeUser { user_id, login_ids, status, created_time, password: _ } = user;
        let seconds = created_time.filter(|seconds| *seconds > 0);
        Self {
            // A user whose login IDs have all been removed is known by the id alone.
            name: login_ids.into_iter().next().unwrap_or_else(|| user_id.clone()),
            id: user_id,
            disabled: status.as_deref() == Some("disabled"),
            created_at: seconds.map(|seconds| Timestamp::from_unix_millis(seconds.saturating_mul(1000))),
            mfa_factor_ids: Vec::new(),
            version: Version::default(),
        }
    }
}

/// An error.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct DescopeError {
    error_code: String,
    error_description: String,
    error_message: Option<String>,
}

impl DescopeError {
    /// The error in a body, empty if the body is something else.
    pub(super) fn parse(body: &str) -> Self {
        serde_json::from_str(body).unwrap_or_default()
    }

    /// Whether the user is unknown.
    pub(super) fn is_unknown_user(&self) -> bool {
        self.error_code == UNKNOWN_USER
    }

    /// Whether another user has the login ID.
    pub(super) fn is_taken(&self) -> bool {
        self.error_code == TAKEN
    }

    /// The text of the error, without the code.
    pub(super) fn reason(self) -> String {
        self.error_message.filter(|message| !message.is_empty()).unwrap_or(self.error_description)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(json: &str) -> UserRecord {
        serde_json::from_str::<DescopeUser>(json).unwrap().into()
    }

    #[test]
    fn times_are_seconds_and_only_the_status_disabled_disables() {
        let ana = record(r#"{"userId":"U1","loginIds":["ana","+81"],"status":"disabled","createdTime":1767225600}"#);
        assert_eq!((&*ana.id, &*ana.name, ana.disabled), ("U1", "ana", true));
        assert_eq!(ana.created_at.unwrap().to_string(), "2026-01-01T00:00:00.000Z");
        for status in ["enabled", "invited", "expired"] {
            let user = record(&format!(r#"{{"userId":"U1","status":"{status}","createdTime":0}}"#));
            assert_eq!((&*user.name, user.disabled, user.created_at), ("U1", false, None), "{status}");
        }
    }
}

//! The JSON of Auth0.

use serde::Deserialize;
use serde_json::Value;

use crate::model::{UserRecord, Version};

/// The fields of [`Auth0User`], for the parameter `fields`: without it, an answer contains the user's metadata.
pub(super) const FIELDS: &str = "user_id,email,username,created_at,blocked,identities";

/// A user.
#[derive(Deserialize)]
pub(super) struct Auth0User {
    user_id: String,
    email: Option<String>,
    username: Option<String>,
    /// The description of the API allows objects, too.
    created_at: Option<Value>,
    /// Absent for a user who was never blocked.
    blocked: Option<bool>,
    #[serde(default)]
    identities: Vec<Identity>,
}

/// An account of the user in one connection. The first is the primary one, whose profile is the user's own; further ones are
/// linked.
#[derive(Deserialize)]
struct Identity {
    connection: Option<String>,
    #[serde(rename = "profileData")]
    profile: Option<Profile>,
}

#[derive(Deserialize)]
struct Profile {
    email: Option<String>,
    username: Option<String>,
}

impl Auth0User {
    /// The user as one of the connection. `None` for users of other connections.
    pub(super) fn into_record(self, connection: &str) -> Option<UserRecord> {
        let Self { user_id, email, username, created_at, blocked, identities } = self;
        let of_connection = |identity: &Identity| identity.connection.as_deref() == Some(connection);
        let place = identities.iter().position(of_connection)?;
        let linked = identities.into_iter().nth(place).filter(|_| place > 0).and_then(|identity| identity.profile);
        let name = linked
            .and_then(|profile| profile.email.or(profile.username))
            .or(email)
            .or(username)
            .map_or_else(|| user_id.clone(), |name| name.to_lowercase());
        Some(UserRecord {
            id: user_id,
            name,
            disabled: blocked.unwrap_or(false),
            created_at: created_at.as_ref().and_then(Value::as_str).and_then(|text| text.parse().ok()),
            mfa_factor_ids: Vec::new(),
            version: Version::default(),
        })
    }
}

/// A page of a search, with the total.
#[derive(Deserialize)]
pub(super) struct UserPage {
    pub(super) total: u64,
    pub(super) users: Vec<Auth0User>,
}

/// An error.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Auth0Error {
    pub(super) error_code: String,
    pub(super) message: String,
}

impl Auth0Error {
    /// The error in a body, empty if the body is something else.
    pub(super) fn parse(body: &str) -> Self {
        serde_json::from_str(body).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(user: Value) -> Option<UserRecord> {
        serde_json::from_value::<Auth0User>(user).unwrap().into_record("staff")
    }

    #[test]
    fn users_have_the_name_of_their_identity_in_the_connection() {
        let (staff, google) = (json!({ "connection": "staff" }), json!({ "connection": "google-oauth2" }));
        let user =
            json!({ "user_id": "auth0|1", "email": "Ana@Example.com", "username": "ana", "identities": [staff] });
        assert_eq!(record(user).unwrap().name, "ana@example.com");
        let user = json!({ "user_id": "auth0|1", "username": "Ana", "identities": [staff, google] });
        assert_eq!(record(user).unwrap().name, "ana");
        let linked = json!({ "connection": "staff", "profileData": { "email": "ana@work.example" } });
        let user = json!({ "user_id": "g|1", "email": "ana@home.example", "identities": [google, linked] });
        assert_eq!(record(user).unwrap().name, "ana@work.example");
        let user = json!({ "user_id": "auth0|1", "phone_number": "+1", "email": null, "identities": [staff] });
        assert_eq!(record(user).unwrap().name, "auth0|1");
    }

    #[test]
    fn users_of_other_connections_are_none_of_ours() {
        for identities in [json!([]), json!([{ "connection": "google-oauth2" }]), json!([{ "connection": "STAFF" }])] {
            let user = json!({ "user_id": "auth0|1", "email": "ana@example.com", "identities": identities });
            assert_eq!(record(user), None);
        }
    }
}

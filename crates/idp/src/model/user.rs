//! Users, and requests to change them.

use super::{Password, Timestamp};

/// A user as scripts see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The id. Opaque; the embedded stores assign UUIDv7, so that creation order is id order.
    pub id: String,
    /// The name, unique in its namespace.
    pub name: String,
    /// Whether the user is disabled and cannot sign in.
    pub disabled: bool,
    /// The time of creation, if the backend knows it.
    pub created_at: Option<Timestamp>,
    /// Whether the namespace has MFA enabled and the user has a factor.
    pub mfa_enrolled: bool,
    /// The ids of the user's MFA factors, oldest first. Empty if the namespace does not have MFA enabled.
    pub mfa_factor_ids: Vec<String>,
}

/// The version of a user. Every change of the user makes a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Version(pub u64);

/// A user as a directory or store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// The id that the backend assigned. In stores, ids sort in creation order.
    pub id: String,
    /// The name, unique in the namespace. Stores compare it byte by byte.
    pub name: String,
    /// Whether the user is disabled and cannot sign in.
    pub disabled: bool,
    /// The time of creation, if the backend knows it.
    pub created_at: Option<Timestamp>,
    /// The ids of the user's confirmed MFA factors, oldest first.
    pub mfa_factor_ids: Vec<String>,
    /// The version, for conditional writes. [`Version::default`] where the backend has none.
    pub version: Version,
}

/// The key to look up a user by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserKey<'a> {
    /// The id that the backend assigned.
    Id(&'a str),
    /// The name; normalised, where a directory or store is asked. If that finds nobody, a directory is asked again for the
    /// spelling in which earlier versions stored the name, where it differs: lower-cased, with the domain as it was given.
    Name(&'a str),
}

impl<'a> UserKey<'a> {
    /// The id or name.
    pub const fn as_str(self) -> &'a str {
        match self {
            Self::Id(key) | Self::Name(key) => key,
        }
    }
}

/// Parameters for creating a user.
#[derive(Debug, Default)]
pub struct CreateUser {
    /// The name: an e-mail address, unless the namespace takes any identifier.
    pub name: String,
    /// The password. `None`: the user cannot sign in with a password until one is set.
    pub password: Option<Password>,
    /// Whether the user starts out disabled.
    pub disabled: bool,
}

/// Parameters for updating a user. Fields that are `None` stay as they are.
#[derive(Debug, Default)]
pub struct UpdateUser {
    /// The id of the user.
    pub id: String,
    /// A new name. Invalidates the user's reset links, unless it is the name that the user has.
    pub name: Option<String>,
    /// A new password. Invalidates the user's reset links.
    pub password: Option<Password>,
    /// Whether to remove the password; excludes `password`. Invalidates the user's reset links.
    pub clear_password: bool,
    /// Whether to disable or enable the user. Disabling invalidates the user's reset links.
    pub disabled: Option<bool>,
}

/// Parameters for sending a password-reset mail.
#[derive(Debug, Clone, Default)]
pub struct SendPasswordResetEmail {
    /// The id of the user.
    pub user_id: String,
    /// The URL that the browser goes to after the reset: absolute, `http` or `https`, without user and password.
    pub redirect_uri: String,
    /// The sender's name; at most 200 characters, no line breaks.
    pub from_name: Option<String>,
    /// The subject; at most 200 characters, no line breaks.
    pub subject: Option<String>,
}

/// Parameters for removing an MFA factor.
#[derive(Debug, Clone, Default)]
pub struct UnenrollMfa {
    /// The id of the user.
    pub user_id: String,
    /// One of the user's `mfa_factor_ids`.
    pub mfa_factor_id: String,
}

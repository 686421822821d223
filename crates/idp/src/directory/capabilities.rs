//! Capabilities: what a directory can do.

use crate::model::IdpError;

/// One thing that a directory may or may not support.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Capability {
    /// Listing all users, with an exact total.
    Totals,
    /// Listing filtered by ids and by names, with an exact total of the users who match.
    Filters,
    /// Listing only the users for whom a [`Predicate`](crate::model::Predicate) holds, with an exact total of those. Without it,
    /// [`Enforced`](super::Enforced) filters the users of a listing by ids or names itself, and refuses other listings of a
    /// principal who may not read everybody.
    Visibility,
    /// Creating users.
    Create,
    /// Creating and updating users with a password.
    SetPassword,
    /// Removing a password.
    ClearPassword,
    /// Updating users.
    Update,
    /// Renaming users.
    Rename,
    /// Disabling users, at creation too.
    Disable,
    /// Deleting users.
    Delete,
    /// Sending password-reset mails.
    ResetMails,
    /// Removing MFA factors.
    Factors,
}

impl Capability {
    /// All capabilities.
    pub const ALL: [Self; 12] = [
        Self::Totals,
        Self::Filters,
        Self::Visibility,
        Self::Create,
        Self::SetPassword,
        Self::ClearPassword,
        Self::Update,
        Self::Rename,
        Self::Disable,
        Self::Delete,
        Self::ResetMails,
        Self::Factors,
    ];

    /// The operation in an error text: "… does not support *listing users*".
    pub const fn operation(self) -> &'static str {
        match self {
            Self::Totals => "listing all users with an exact total",
            Self::Filters => "listing users by ids or names",
            Self::Visibility => "listing only the users whom the permission lets the caller read",
            Self::Create => "creating users",
            Self::SetPassword => "setting a password",
            Self::ClearPassword => "removing a password",
            Self::Update => "updating users",
            Self::Rename => "renaming users",
            Self::Disable => "disabling users",
            Self::Delete => "deleting users",
            Self::ResetMails => "sending password-reset mails",
            Self::Factors => "removing MFA factors",
        }
    }

    /// Whether it changes nothing.
    pub const fn is_read(self) -> bool {
        matches!(self, Self::Totals | Self::Filters | Self::Visibility)
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// What a directory can do, and its name in errors.
///
/// ```
/// use tailor_idp_core::directory::{Capabilities, Capability};
///
/// let capabilities = Capabilities::all("the staff list").without(Capability::ResetMails);
/// assert!(capabilities.has(Capability::Create));
/// let error = capabilities.require(Capability::ResetMails).unwrap_err();
/// assert_eq!(error.detail(), "the staff list does not support sending password-reset mails");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    backend: String,
    bits: u32,
    /// The settings that add capabilities.
    settings: Vec<(Capability, &'static str)>,
}

impl Capabilities {
    /// All capabilities. `backend` names the backend in errors.
    pub fn all(backend: impl Into<String>) -> Self {
        Capability::ALL.into_iter().fold(Self::none(backend), Self::with)
    }

    /// No capability beyond looking up users. `backend` names the backend in errors.
    pub fn none(backend: impl Into<String>) -> Self {
        Self { backend: backend.into(), bits: 0, settings: Vec::new() }
    }

    /// Adds a capability.
    #[must_use]
    pub fn with(mut self, capability: Capability) -> Self {
        self.bits |= capability.bit();
        self
    }

    /// Removes a capability.
    #[must_use]
    pub fn without(mut self, capability: Capability) -> Self {
        self.bits &= !capability.bit();
        self
    }

    /// Removes a capability that a setting of the namespace adds: `scramble_passwords = true`. Errors name the setting.
    #[must_use]
    pub fn without_unless(mut self, capability: Capability, setting: &'static str) -> Self {
        self.settings.push((capability, setting));
        self.without(capability)
    }

    /// The setting of the namespace that adds a capability which the directory does not have.
    pub fn setting(&self, capability: Capability) -> Option<&'static str> {
        let found = self.settings.iter().find(|(added, _)| *added == capability);
        found.filter(|_| !self.has(capability)).map(|(_, setting)| *setting)
    }

    /// The name of the backend in errors.
    pub fn backend(&self) -> &str {
        &self.backend
    }

    /// Whether the directory has the capability.
    pub const fn has(&self, capability: Capability) -> bool {
        self.bits & capability.bit() != 0
    }

    /// Checks that the directory has the capability.
    ///
    /// # Errors
    ///
    /// [`Code::Unimplemented`](crate::model::Code::Unimplemented), with the backend, the operation and the setting that adds it.
    pub fn require(&self, capability: Capability) -> Result<(), IdpError> {
        if self.has(capability) {
            return Ok(());
        }
        let operation = capability.operation();
        Err(self.unsupported(&match self.setting(capability) {
            Some(setting) => format!("{operation}: {setting} in the settings of the namespace allows it"),
            None => operation.to_owned(),
        }))
    }

    /// The error for an operation that the directory does not support.
    pub fn unsupported(&self, operation: &str) -> IdpError {
        IdpError::unimplemented(&self.backend, operation)
    }
}

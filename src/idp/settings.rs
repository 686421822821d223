//! What a host can set for a namespace.

use std::ops::RangeInclusive;

use super::{AttemptLimits, IdpError, Permission};
use secrecy::ExposeSecret;

/// What names look like in a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NameKind {
    /// E-mail addresses, lower-cased.
    #[default]
    Email,
    /// Any text of at most 256 characters without control characters, NFC-normalised, case-sensitive
    /// (`useNonEmailIdentifier`).
    Any,
}

/// The settings of one namespace. The defaults are the platform's.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NamespaceSettings {
    /// What names look like.
    pub name_kind: NameKind,
    /// Whether users can have MFA factors (`enableMfa`).
    pub enable_mfa: bool,
    /// Whether users without a factor have to enrol one before they are signed in (`requireMfa`).
    pub require_mfa: bool,
    /// Whom authenticator apps show as the issuer (`mfaIssuer`); if empty, [`DEFAULT_MFA_ISSUER`](Self::DEFAULT_MFA_ISSUER).
    pub mfa_issuer: String,
    /// Whether no password signs anybody in (`disablePasswordAuth`).
    pub disable_password_auth: bool,
    /// How often signing in may fail.
    pub attempt_limits: AttemptLimits,
    /// The shortest password, in Unicode scalar values.
    pub password_min_length: usize,
    /// The longest password, in Unicode scalar values.
    pub password_max_length: usize,
    /// Who may do what; nothing, if it is not said.
    pub permission: Permission,
    /// Whether changes of users leave events (`publishUserEvents`).
    pub publish_user_events: bool,
    /// The workspace that events name (`workspaceId`).
    pub workspace_id: String,
}

impl Default for NamespaceSettings {
    fn default() -> Self {
        Self {
            name_kind: NameKind::Email,
            enable_mfa: false,
            require_mfa: false,
            mfa_issuer: String::new(),
            disable_password_auth: false,
            attempt_limits: AttemptLimits::default(),
            password_min_length: 6,
            password_max_length: 4096,
            permission: Permission::deny_all(),
            publish_user_events: false,
            workspace_id: String::new(),
        }
    }
}

impl NamespaceSettings {
    /// The platform's name for itself.
    pub const DEFAULT_MFA_ISSUER: &str = "Tailor Platform IdP";

    /// With names of this kind.
    #[must_use]
    pub fn name_kind(mut self, name_kind: NameKind) -> Self {
        self.name_kind = name_kind;
        self
    }

    /// With MFA on or off.
    #[must_use]
    pub fn enable_mfa(mut self, enable_mfa: bool) -> Self {
        self.enable_mfa = enable_mfa;
        self
    }

    /// With MFA asked of every user, or not.
    #[must_use]
    pub fn require_mfa(mut self, require_mfa: bool) -> Self {
        self.require_mfa = require_mfa;
        self
    }

    /// With this issuer in authenticator apps.
    #[must_use]
    pub fn mfa_issuer(mut self, mfa_issuer: impl Into<String>) -> Self {
        self.mfa_issuer = mfa_issuer.into();
        self
    }

    /// With sign-in by password blocked, or not.
    #[must_use]
    pub fn disable_password_auth(mut self, disable_password_auth: bool) -> Self {
        self.disable_password_auth = disable_password_auth;
        self
    }

    /// With these limits on failed attempts to sign in.
    #[must_use]
    pub fn attempt_limits(mut self, attempt_limits: AttemptLimits) -> Self {
        self.attempt_limits = attempt_limits;
        self
    }

    /// With this permission.
    #[must_use]
    pub fn permission(mut self, permission: Permission) -> Self {
        self.permission = permission;
        self
    }

    /// With events of changes of users, or without.
    #[must_use]
    pub fn publish_user_events(mut self, publish_user_events: bool) -> Self {
        self.publish_user_events = publish_user_events;
        self
    }

    /// With this workspace in its events.
    #[must_use]
    pub fn workspace_id(mut self, workspace_id: impl Into<String>) -> Self {
        self.workspace_id = workspace_id.into();
        self
    }

    /// With passwords of these lengths, in Unicode scalar values.
    #[must_use]
    pub fn password_length(mut self, lengths: RangeInclusive<usize>) -> Self {
        (self.password_min_length, self.password_max_length) = lengths.into_inner();
        self
    }

    /// Checks a new password against the policy. The error says how long it is, never what it is.
    pub(super) fn check_password(&self, password: &super::Password) -> Result<(), IdpError> {
        let length = password.expose_secret().chars().count();
        let (min, max) = (self.password_min_length, self.password_max_length);
        if length < min {
            return Err(IdpError::invalid_argument(format!(
                "password must be at least {min} characters: got {length}"
            )));
        }
        if length > max {
            return Err(IdpError::invalid_argument(format!("password must be at most {max} characters: got {length}")));
        }
        Ok(())
    }
}

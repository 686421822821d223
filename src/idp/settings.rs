//! What a host can set for a namespace.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::{IdpError, Permission};
use crate::store::MailLimit;
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

/// The language of mails and pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Japanese.
    Ja,
}

impl Lang {
    /// The tag of BCP 47, which is what configurations say, too.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Ja => "ja",
        }
    }
}

/// What mails say where the request does not (`emailConfig`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EmailConfig {
    /// The sender's name.
    pub from_name: Option<String>,
    /// The subject of password-reset mails.
    pub password_reset_subject: Option<String>,
}

/// Enough for somebody who asks again and looks into the wrong inbox; too little to flood one.
const RESET_MAIL_LIMIT: MailLimit = MailLimit { mails: 5, window: Duration::from_secs(60 * 60) };

/// The settings of one namespace. The defaults are the platform's.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NamespaceSettings {
    /// What names look like.
    pub name_kind: NameKind,
    /// Whether users can have MFA factors (`enableMfa`).
    pub enable_mfa: bool,
    /// The shortest password, in Unicode scalar values.
    pub password_min_length: usize,
    /// The longest password, in Unicode scalar values.
    pub password_max_length: usize,
    /// Who may do what; nothing, if it is not said.
    pub permission: Permission,
    /// Whether changes of users leave events (`publishUserEvents`).
    pub publish_user_events: bool,
    /// The language of mails and pages (`lang`).
    pub lang: Lang,
    /// What mails say where the request does not (`emailConfig`).
    pub email_config: EmailConfig,
    /// How often one user is sent a password-reset mail.
    pub reset_mail_limit: MailLimit,
}

impl Default for NamespaceSettings {
    fn default() -> Self {
        Self {
            name_kind: NameKind::Email,
            enable_mfa: false,
            password_min_length: 6,
            password_max_length: 4096,
            permission: Permission::deny_all(),
            publish_user_events: false,
            lang: Lang::En,
            email_config: EmailConfig::default(),
            reset_mail_limit: RESET_MAIL_LIMIT,
        }
    }
}

impl NamespaceSettings {
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

    /// With this permission.
    #[must_use]
    pub fn permission(mut self, permission: Permission) -> Self {
        self.permission = permission;
        self
    }

    /// With mails and pages in this language.
    #[must_use]
    pub fn lang(mut self, lang: Lang) -> Self {
        self.lang = lang;
        self
    }

    /// With this sender and subject of mails.
    #[must_use]
    pub fn email_config(mut self, email_config: EmailConfig) -> Self {
        self.email_config = email_config;
        self
    }

    /// With so many password-reset mails to one user.
    #[must_use]
    pub fn reset_mail_limit(mut self, limit: MailLimit) -> Self {
        self.reset_mail_limit = limit;
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

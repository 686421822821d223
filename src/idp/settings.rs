//! What a host can set for a namespace: section 5 of the contract.

use std::fmt;
use std::ops::RangeInclusive;

use super::{AttemptLimits, Permission, UserAuthPolicy};
use crate::store::MailLimit;

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

/// The language of what users read: mails and pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Japanese.
    Ja,
}

impl Lang {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::En, Self::Ja];

    /// As configurations spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Ja => "ja",
        }
    }

    /// The subject of a password-reset mail where nobody has set one.
    pub const fn password_reset_subject(self) -> &'static str {
        match self {
            Self::En => "Reset your password",
            Self::Ja => "パスワードの再設定",
        }
    }
}

impl fmt::Display for Lang {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A setting that is against the rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {text}")]
pub struct SettingFault {
    /// The setting, as configurations spell it: `passwordMinLength`.
    pub key: &'static str,
    /// The rule, in the platform's words where it has some, and what was given.
    pub text: String,
}

impl SettingFault {
    pub(super) fn new(key: &'static str, text: impl Into<String>) -> Self {
        Self { key, text: text.into() }
    }
}

/// The namespace's own words in mails (`emailConfig`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct EmailConfig {
    /// The sender's name (`fromName`).
    pub from_name: Option<String>,
    /// The subject of password-reset mails (`passwordResetSubject`).
    pub password_reset_subject: Option<String>,
}

impl EmailConfig {
    /// The sender's name of a namespace that sets none.
    pub const DEFAULT_FROM_NAME: &str = "Tailor Platform IdP";

    /// All that is against the rules.
    pub fn faults(&self) -> Vec<SettingFault> {
        let texts = [("fromName", &self.from_name), ("passwordResetSubject", &self.password_reset_subject)];
        let texts = texts.into_iter().filter_map(|(key, text)| Some((key, text.as_deref()?)));
        texts.filter_map(|(key, text)| Some(SettingFault::new(key, mail_text_fault(text)?))).collect()
    }
}

/// Characters in a mail's sender name or subject.
const MAX_MAIL_TEXT: usize = 200;

/// What is wrong with a text that goes into a mail's header.
pub(super) fn mail_text_fault(text: &str) -> Option<String> {
    let length = text.chars().count();
    if length > MAX_MAIL_TEXT {
        return Some(format!("must be {MAX_MAIL_TEXT} characters or less: got {length}"));
    }
    text.contains(['\r', '\n']).then(|| format!("must not contain newline characters: got {text:?}"))
}

/// The settings of one namespace. The defaults are the platform's.
///
/// ```
/// use tailor_idp::idp::{Lang, NamespaceSettings, Permission, UserAuthPolicy};
///
/// let mut policy = UserAuthPolicy::default();
/// policy.password_min_length = 12;
/// policy.password_require_numeric = true;
/// let settings = NamespaceSettings::default()
///     .user_auth_policy(policy)
///     .lang(Lang::Ja)
///     .permission(Permission::allow_all());
/// assert_eq!(settings.faults(), []);
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct NamespaceSettings {
    /// How users are named and sign in (`userAuthPolicy`).
    pub user_auth_policy: UserAuthPolicy,
    /// The namespace's own words in mails (`emailConfig`).
    pub email_config: EmailConfig,
    /// The language of mails and pages (`lang`).
    pub lang: Lang,
    /// Whether changes of users leave events (`publishUserEvents`).
    pub publish_user_events: bool,
    /// The workspace that events name (`workspaceId`).
    pub workspace_id: String,
    /// Who may do what; nothing, if it is not said.
    pub permission: Permission,
    /// How often signing in may fail.
    pub attempt_limits: AttemptLimits,
    /// How often one user is sent a password-reset mail.
    pub reset_mail_limit: MailLimit,
}

impl NamespaceSettings {
    /// With this policy.
    #[must_use]
    pub fn user_auth_policy(mut self, user_auth_policy: UserAuthPolicy) -> Self {
        self.user_auth_policy = user_auth_policy;
        self
    }

    /// With these words in mails.
    #[must_use]
    pub fn email_config(mut self, email_config: EmailConfig) -> Self {
        self.email_config = email_config;
        self
    }

    /// With mails and pages in this language.
    #[must_use]
    pub fn lang(mut self, lang: Lang) -> Self {
        self.lang = lang;
        self
    }

    /// With or without events.
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

    /// With these limits on attempts to sign in.
    #[must_use]
    pub fn attempt_limits(mut self, attempt_limits: AttemptLimits) -> Self {
        self.attempt_limits = attempt_limits;
        self
    }

    /// With so many password-reset mails to one user.
    #[must_use]
    pub fn reset_mail_limit(mut self, limit: MailLimit) -> Self {
        self.reset_mail_limit = limit;
        self
    }

    /// With this permission.
    #[must_use]
    pub fn permission(mut self, permission: Permission) -> Self {
        self.permission = permission;
        self
    }

    /// With names of this kind.
    #[must_use]
    pub fn name_kind(mut self, name_kind: NameKind) -> Self {
        self.user_auth_policy.use_non_email_identifier = name_kind == NameKind::Any;
        self
    }

    /// With MFA on or off.
    #[must_use]
    pub fn enable_mfa(mut self, enable_mfa: bool) -> Self {
        self.user_auth_policy.enable_mfa = enable_mfa;
        self
    }

    /// With MFA asked of everybody, or not.
    #[must_use]
    pub fn require_mfa(mut self, require_mfa: bool) -> Self {
        self.user_auth_policy.require_mfa = require_mfa;
        self
    }

    /// With this issuer in authenticator apps.
    #[must_use]
    pub fn mfa_issuer(mut self, mfa_issuer: impl Into<String>) -> Self {
        self.user_auth_policy.mfa_issuer = mfa_issuer.into();
        self
    }

    /// With passwords, or without.
    #[must_use]
    pub fn disable_password_auth(mut self, disable_password_auth: bool) -> Self {
        self.user_auth_policy.disable_password_auth = disable_password_auth;
        self
    }

    /// With passwords of these lengths, in Unicode scalar values.
    #[must_use]
    pub fn password_length(mut self, lengths: RangeInclusive<usize>) -> Self {
        let policy = &mut self.user_auth_policy;
        (policy.password_min_length, policy.password_max_length) = lengths.into_inner();
        self
    }

    /// All that is against the rules of a configuration. The settings file is checked by it when it is loaded; a host
    /// that makes settings of its own can ask, and is otherwise taken at its word.
    pub fn faults(&self) -> Vec<SettingFault> {
        let mut faults = self.user_auth_policy.faults();
        faults.extend(self.email_config.faults());
        faults
    }

    /// The sender's name of a password-reset mail: the request's, else the namespace's, else the platform's. An empty one
    /// counts as none.
    pub fn mail_from_name<'a>(&'a self, requested: Option<&'a str>) -> &'a str {
        first_of([requested, self.email_config.from_name.as_deref()]).unwrap_or(EmailConfig::DEFAULT_FROM_NAME)
    }

    /// The subject of a password-reset mail: the request's, else the namespace's, else that of the language. An empty
    /// one counts as none.
    pub fn password_reset_subject<'a>(&'a self, requested: Option<&'a str>) -> &'a str {
        let set = [requested, self.email_config.password_reset_subject.as_deref()];
        first_of(set).unwrap_or(self.lang.password_reset_subject())
    }
}

fn first_of(texts: [Option<&str>; 2]) -> Option<&str> {
    texts.into_iter().flatten().find(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn a_mail_takes_the_words_of_the_request_before_those_of_the_namespace_before_the_default() {
        let mut settings = NamespaceSettings::default();
        assert_eq!(settings.mail_from_name(None), "Tailor Platform IdP");
        assert_eq!(settings.password_reset_subject(None), "Reset your password");
        settings.lang = Lang::Ja;
        assert_eq!(settings.password_reset_subject(Some("")), "パスワードの再設定");
        settings.email_config.from_name = Some("Shop".into());
        settings.email_config.password_reset_subject = Some("New password".into());
        assert_eq!(settings.mail_from_name(None), "Shop");
        assert_eq!(settings.mail_from_name(Some("")), "Shop");
        assert_eq!(settings.password_reset_subject(None), "New password");
        assert_eq!(settings.mail_from_name(Some("Ana's shop")), "Ana's shop");
        assert_eq!(settings.password_reset_subject(Some("Hello")), "Hello");
    }

    #[test]
    fn the_defaults_are_those_of_the_contract_and_within_its_rules() {
        let settings = NamespaceSettings::default();
        let expected = UserAuthPolicy {
            use_non_email_identifier: false,
            allow_self_password_reset: false,
            password_require_uppercase: false,
            password_require_lowercase: false,
            password_require_non_alphanumeric: false,
            password_require_numeric: false,
            password_min_length: 6,
            password_max_length: 4096,
            allowed_email_domains: vec![],
            allow_google_oauth: false,
            allow_microsoft_oauth: false,
            disable_password_auth: false,
            enable_mfa: false,
            require_mfa: false,
            allowed_return_origins: vec![],
            mfa_issuer: String::new(),
        };
        assert_eq!(settings.user_auth_policy, expected);
        assert_eq!(settings.user_auth_policy.mfa_issuer(), "Tailor Platform IdP");
        assert_eq!(settings.email_config, EmailConfig { from_name: None, password_reset_subject: None });
        assert_eq!(settings.lang, Lang::En);
        assert!(!settings.publish_user_events);
        assert_eq!(settings.faults(), []);
    }
}

//! Settings of a namespace.

use std::fmt;
use std::ops::RangeInclusive;

use super::reset_mail::mail_text_fault;
use super::setting_fault::SettingFault;
use super::{AttemptLimits, MailLimit, NameKind, Permission, UserAuthPolicy};

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
    /// All languages.
    pub const ALL: [Self; 2] = [Self::En, Self::Ja];

    /// The language tag in configurations.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Ja => "ja",
        }
    }

    /// The default subject of a password-reset mail.
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

/// Texts of a namespace's mails (`emailConfig`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct EmailConfig {
    /// The sender's name (`fromName`).
    pub from_name: Option<String>,
    /// The subject of password-reset mails (`passwordResetSubject`).
    pub password_reset_subject: Option<String>,
}

impl EmailConfig {
    /// The default sender's name.
    pub const DEFAULT_FROM_NAME: &str = "Tailor Platform IdP";

    /// All violations of the rules.
    pub fn faults(&self) -> Vec<SettingFault> {
        let texts = [("fromName", &self.from_name), ("passwordResetSubject", &self.password_reset_subject)];
        let texts = texts.into_iter().filter_map(|(key, text)| Some((key, text.as_deref()?)));
        texts.filter_map(|(key, text)| Some(SettingFault::new(key, mail_text_fault(text)?))).collect()
    }
}

/// The settings of one namespace. The defaults are the platform's.
///
/// ```
/// use tailor_idp_core::{Lang, NamespaceSettings, Permission, UserAuthPolicy};
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
    /// Rules for names and sign-in (`userAuthPolicy`).
    pub user_auth_policy: UserAuthPolicy,
    /// Texts of mails (`emailConfig`).
    pub email_config: EmailConfig,
    /// The language of mails and pages (`lang`).
    pub lang: Lang,
    /// Whether changes of users are recorded as events (`publishUserEvents`).
    pub publish_user_events: bool,
    /// The workspace id in events (`workspaceId`).
    pub workspace_id: String,
    /// The access policies. By default everything is denied.
    pub permission: Permission,
    /// Limits on failed sign-in attempts.
    pub attempt_limits: AttemptLimits,
    /// The rate limit for password-reset mails.
    pub reset_mail_limit: MailLimit,
}

impl NamespaceSettings {
    /// Sets the rules for names and sign-in.
    #[must_use]
    pub fn user_auth_policy(mut self, user_auth_policy: UserAuthPolicy) -> Self {
        self.user_auth_policy = user_auth_policy;
        self
    }

    /// Sets the texts of mails.
    #[must_use]
    pub fn email_config(mut self, email_config: EmailConfig) -> Self {
        self.email_config = email_config;
        self
    }

    /// Sets the language of mails and pages.
    #[must_use]
    pub fn lang(mut self, lang: Lang) -> Self {
        self.lang = lang;
        self
    }

    /// Sets whether changes are recorded as events.
    #[must_use]
    pub fn publish_user_events(mut self, publish_user_events: bool) -> Self {
        self.publish_user_events = publish_user_events;
        self
    }

    /// Sets the workspace id in events.
    #[must_use]
    pub fn workspace_id(mut self, workspace_id: impl Into<String>) -> Self {
        self.workspace_id = workspace_id.into();
        self
    }

    /// Sets the limits on failed sign-in attempts.
    #[must_use]
    pub fn attempt_limits(mut self, attempt_limits: AttemptLimits) -> Self {
        self.attempt_limits = attempt_limits;
        self
    }

    /// Sets the rate limit for password-reset mails.
    #[must_use]
    pub fn reset_mail_limit(mut self, limit: MailLimit) -> Self {
        self.reset_mail_limit = limit;
        self
    }

    /// Sets the access policies.
    #[must_use]
    pub fn permission(mut self, permission: Permission) -> Self {
        self.permission = permission;
        self
    }

    /// Sets the kind of names.
    #[must_use]
    pub fn name_kind(mut self, name_kind: NameKind) -> Self {
        self.user_auth_policy.use_non_email_identifier = name_kind == NameKind::Any;
        self
    }

    /// Sets whether users can have MFA factors.
    #[must_use]
    pub fn enable_mfa(mut self, enable_mfa: bool) -> Self {
        self.user_auth_policy.enable_mfa = enable_mfa;
        self
    }

    /// Sets whether users need an MFA factor to sign in.
    #[must_use]
    pub fn require_mfa(mut self, require_mfa: bool) -> Self {
        self.user_auth_policy.require_mfa = require_mfa;
        self
    }

    /// Sets the issuer that authenticator apps show.
    #[must_use]
    pub fn mfa_issuer(mut self, mfa_issuer: impl Into<String>) -> Self {
        self.user_auth_policy.mfa_issuer = mfa_issuer.into();
        self
    }

    /// Sets whether passwords are disabled.
    #[must_use]
    pub fn disable_password_auth(mut self, disable_password_auth: bool) -> Self {
        self.user_auth_policy.disable_password_auth = disable_password_auth;
        self
    }

    /// Sets the valid lengths of passwords, in Unicode scalar values.
    #[must_use]
    pub fn password_length(mut self, lengths: RangeInclusive<usize>) -> Self {
        let policy = &mut self.user_auth_policy;
        (policy.password_min_length, policy.password_max_length) = lengths.into_inner();
        self
    }

    /// All violations of the rules for a configuration. Loading a settings file checks them; a host that builds settings in code
    /// calls this itself.
    pub fn faults(&self) -> Vec<SettingFault> {
        let mut faults = self.user_auth_policy.faults();
        faults.extend(self.email_config.faults());
        faults
    }

    /// The sender's name of a password-reset mail: the request's, else the namespace's, else the default. Empty texts count as
    /// absent.
    pub fn mail_from_name<'a>(&'a self, requested: Option<&'a str>) -> &'a str {
        first_of([requested, self.email_config.from_name.as_deref()]).unwrap_or(EmailConfig::DEFAULT_FROM_NAME)
    }

    /// The subject of a password-reset mail: the request's, else the namespace's, else the default of the language. Empty texts
    /// count as absent.
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
    fn mail_texts_prefer_the_request_over_the_namespace_over_the_default() {
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
    fn default_settings_equal_the_contract_and_are_valid() {
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

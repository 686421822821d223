//! `userAuthPolicy`: rules for names, passwords, sign-in and redirects, and the validation of the policy itself.

use std::fmt::Display;
use std::ops::RangeInclusive;

use secrecy::ExposeSecret;
use unicode_normalization::char::is_combining_mark;
use url::Url;

use super::setting_fault::SettingFault;
use super::{NameKind, names, uris};
use crate::model::{IdpError, Password};

/// Valid values of `passwordMinLength`, as on the platform.
const MIN_LENGTHS: RangeInclusive<usize> = 6..=30;
/// Valid values of `passwordMaxLength`, as on the platform.
const MAX_LENGTHS: RangeInclusive<usize> = 6..=4096;
/// The maximum number of entries of `allowedEmailDomains`, as on the platform.
const MAX_DOMAINS: usize = 100;
/// The maximum length of `mfaIssuer` in characters, as on the platform.
const MAX_MFA_ISSUER: usize = 64;
/// The issuer if `mfaIssuer` is empty.
const DEFAULT_MFA_ISSUER: &str = "Tailor Platform IdP";
/// The entry of `allowedEmailDomains` that allows all domains.
const ALL_DOMAINS: &str = "*";
/// The maximum number of domains or origins that an error lists.
const LISTED: usize = 5;

/// Rules for the names and the sign-in of a namespace's users. The defaults are those of the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserAuthPolicy {
    /// Whether names are any text rather than e-mail addresses.
    pub use_non_email_identifier: bool,
    /// Whether users can request a reset mail themselves.
    pub allow_self_password_reset: bool,
    /// Whether a password must contain an upper-case letter.
    pub password_require_uppercase: bool,
    /// Whether a password must contain a lower-case letter.
    pub password_require_lowercase: bool,
    /// Whether a password must contain a character that is neither a letter nor a number.
    pub password_require_non_alphanumeric: bool,
    /// Whether a password must contain a number.
    pub password_require_numeric: bool,
    /// The minimum length of a password, in Unicode scalar values.
    pub password_min_length: usize,
    /// The maximum length of a password, in Unicode scalar values.
    pub password_max_length: usize,
    /// The allowed domains of e-mail addresses, compared in ASCII and lower case. Empty or a single `*`: all.
    pub allowed_email_domains: Vec<String>,
    /// Whether users can sign in with Google.
    pub allow_google_oauth: bool,
    /// Whether users can sign in with Microsoft.
    pub allow_microsoft_oauth: bool,
    /// Whether passwords are disabled: they cannot be used, set, cleared or reset.
    pub disable_password_auth: bool,
    /// Whether users can have MFA factors.
    pub enable_mfa: bool,
    /// Whether users need an MFA factor to sign in.
    pub require_mfa: bool,
    /// The origins that a browser may be redirected to, such as `https://app.example.com`. Empty: all.
    pub allowed_return_origins: Vec<String>,
    /// The issuer that authenticator apps show. Empty: the default, see [`mfa_issuer`](Self::mfa_issuer).
    pub mfa_issuer: String,
}

impl Default for UserAuthPolicy {
    fn default() -> Self {
        Self {
            use_non_email_identifier: false,
            allow_self_password_reset: false,
            password_require_uppercase: false,
            password_require_lowercase: false,
            password_require_non_alphanumeric: false,
            password_require_numeric: false,
            password_min_length: 6,
            password_max_length: 4096,
            allowed_email_domains: Vec::new(),
            allow_google_oauth: false,
            allow_microsoft_oauth: false,
            disable_password_auth: false,
            enable_mfa: false,
            require_mfa: false,
            allowed_return_origins: Vec::new(),
            mfa_issuer: String::new(),
        }
    }
}

impl UserAuthPolicy {
    /// The kind of names.
    pub fn name_kind(&self) -> NameKind {
        if self.use_non_email_identifier { NameKind::Any } else { NameKind::Email }
    }

    /// The issuer that authenticator apps show.
    pub fn mfa_issuer(&self) -> &str {
        if self.mfa_issuer.is_empty() { DEFAULT_MFA_ISSUER } else { &self.mfa_issuer }
    }

    /// Brings [`allowed_email_domains`](Self::allowed_email_domains) into the form in which names have them, for texts that list
    /// them. Entries that are no domains stay as they are.
    pub fn normalize_domains(&mut self) {
        for domain in &mut self.allowed_email_domains {
            if let Some(normal) = names::domain(domain) {
                *domain = normal;
            }
        }
    }

    /// All violations of the rules for a configuration.
    pub fn faults(&self) -> Vec<SettingFault> {
        let mut faults = self.length_faults();
        faults.extend(self.domain_faults());
        faults.extend(self.origin_faults());
        faults.extend(self.combination_faults());
        let issuer = self.mfa_issuer.chars().count();
        if issuer > MAX_MFA_ISSUER {
            let text = format!("mfaIssuer must be {MAX_MFA_ISSUER} characters or less: got {issuer}");
            faults.push(SettingFault::new("mfaIssuer", text));
        }
        faults
    }

    /// The violation of a `passwordMinLength` that is out of range.
    pub fn min_length_fault(got: impl Display) -> SettingFault {
        out_of_range("passwordMinLength", MIN_LENGTHS, got)
    }

    /// The violation of a `passwordMaxLength` that is out of range.
    pub fn max_length_fault(got: impl Display) -> SettingFault {
        out_of_range("passwordMaxLength", MAX_LENGTHS, got)
    }

    fn length_faults(&self) -> Vec<SettingFault> {
        let (min, max) = (self.password_min_length, self.password_max_length);
        let mut faults = Vec::new();
        if !MIN_LENGTHS.contains(&min) {
            faults.push(Self::min_length_fault(min));
        }
        if !MAX_LENGTHS.contains(&max) {
            faults.push(Self::max_length_fault(max));
        }
        if faults.is_empty() && min > max {
            let text =
                format!("passwordMinLength must be less than or equal to passwordMaxLength: got {min} and {max}");
            faults.push(SettingFault::new("passwordMinLength", text));
        }
        faults
    }

    fn domain_faults(&self) -> Vec<SettingFault> {
        let domains = &self.allowed_email_domains;
        let fault = |text| SettingFault::new("allowedEmailDomains", text);
        let mut faults = Vec::new();
        if domains.len() > MAX_DOMAINS {
            let got = domains.len();
            faults.push(fault(format!("allowedEmailDomains must have at most {MAX_DOMAINS} entries: got {got}")));
        }
        if domains.len() > 1 && domains.iter().any(|domain| domain == ALL_DOMAINS) {
            faults.push(fault(r#"allowedEmailDomains must have "*" alone or not at all"#.to_owned()));
        }
        let strange = domains.iter().filter(|domain| *domain != ALL_DOMAINS && names::domain(domain).is_none());
        faults.extend(strange.map(|domain| {
            fault(format!("allowedEmailDomains must be domains such as example.com, or \"*\": got {domain:?}"))
        }));
        faults
    }

    fn origin_faults(&self) -> Vec<SettingFault> {
        let strange = self.allowed_return_origins.iter().filter(|origin| origin_of(origin).is_none());
        let fault = |origin: &String| {
            let text = "allowedReturnOrigins must be http or https origins such as https://app.example.com";
            SettingFault::new("allowedReturnOrigins", format!("{text}: got {:?}", uris::without_userinfo(origin)))
        };
        strange.map(fault).collect()
    }

    /// Invalid combinations of settings, with the platform's texts.
    fn combination_faults(&self) -> Vec<SettingFault> {
        let (non_email, domains) = (self.use_non_email_identifier, !self.allowed_email_domains.is_empty());
        let (google, microsoft) = (self.allow_google_oauth, self.allow_microsoft_oauth);
        let no_password = self.disable_password_auth;
        let rules = [
            (
                domains && non_email,
                "allowedEmailDomains",
                "allowedEmailDomains cannot be set when useNonEmailIdentifier is true",
            ),
            (
                google && non_email,
                "allowGoogleOauth",
                "allowGoogleOauth cannot be set when useNonEmailIdentifier is true",
            ),
            (google && !domains, "allowGoogleOauth", "allowGoogleOauth requires allowedEmailDomains to be set"),
            (
                microsoft && non_email,
                "allowMicrosoftOauth",
                "allowMicrosoftOauth cannot be set when useNonEmailIdentifier is true",
            ),
            (
                microsoft && !domains,
                "allowMicrosoftOauth",
                "allowMicrosoftOauth requires allowedEmailDomains to be set",
            ),
            (
                microsoft && !no_password,
                "allowMicrosoftOauth",
                "allowMicrosoftOauth requires disablePasswordAuth to be enabled",
            ),
            (
                no_password && !google && !microsoft,
                "disablePasswordAuth",
                "disablePasswordAuth requires allowGoogleOauth or allowMicrosoftOauth to be enabled",
            ),
            (
                no_password && self.allow_self_password_reset,
                "disablePasswordAuth",
                "disablePasswordAuth cannot be used with allowSelfPasswordReset",
            ),
            (self.require_mfa && !self.enable_mfa, "requireMfa", "requireMfa requires enableMfa to be enabled"),
            (
                self.enable_mfa && self.allowed_return_origins.is_empty(),
                "enableMfa",
                "enableMfa requires allowedReturnOrigins to list at least one origin so MFA self-service has a valid \
                 return target",
            ),
        ];
        let broken = rules.into_iter().filter(|(broken, ..)| *broken);
        broken.map(|(_, key, text)| SettingFault::new(key, text)).collect()
    }

    /// Checks a new password. The error contains its length and the missing kinds of characters, never the password.
    pub(crate) fn check_password(&self, password: &Password) -> Result<(), IdpError> {
        let password = password.expose_secret();
        let length = password.chars().count();
        let (min, max) = (self.password_min_length, self.password_max_length);
        let mut faults = Vec::new();
        if length < min {
            faults.push(format!("password must be at least {min} characters: got {length}"));
        }
        if length > max {
            faults.push(format!("password must be at most {max} characters: got {length}"));
        }
        let missing = self.missing_characters(password);
        if !missing.is_empty() {
            faults.push(format!("password must contain {}", missing.join(", ")));
        }
        if faults.is_empty() { Ok(()) } else { Err(IdpError::invalid_argument(faults.join("; "))) }
    }

    /// Uses Unicode properties, so that `Ä`, `ж` and `٣` are classified correctly. A letter without case is neither upper nor
    /// lower case; white space counts as non-alphanumeric, combining marks and control characters do not.
    fn missing_characters(&self, password: &str) -> Vec<&'static str> {
        let symbol = |c: char| !c.is_alphanumeric() && !is_combining_mark(c) && !c.is_control();
        let classes = [
            (self.password_require_uppercase, "an upper-case letter", password.chars().any(char::is_uppercase)),
            (self.password_require_lowercase, "a lower-case letter", password.chars().any(char::is_lowercase)),
            (self.password_require_numeric, "a number", password.chars().any(char::is_numeric)),
            (
                self.password_require_non_alphanumeric,
                "a character that is neither letter nor number",
                password.chars().any(symbol),
            ),
        ];
        classes.into_iter().filter(|(required, _, there)| *required && !there).map(|(_, class, _)| class).collect()
    }

    /// Rejects `field`, which is about a password, if passwords are disabled.
    pub(crate) fn check_password_use(&self, field: &str) -> Result<(), IdpError> {
        if self.disable_password_auth {
            return Err(IdpError::invalid_argument(format!("{field} must not be given: disablePasswordAuth is set")));
        }
        Ok(())
    }

    /// Checks the domain of a valid e-mail address. A domain does not include its subdomains.
    pub(crate) fn check_domain(&self, name: &str) -> Result<(), IdpError> {
        let allowed = &self.allowed_email_domains;
        let all = allowed.is_empty() || allowed.iter().any(|domain| domain == ALL_DOMAINS);
        if all || self.use_non_email_identifier {
            return Ok(());
        }
        // A user from before has the domain in another spelling.
        let domain = name.rsplit_once('@').and_then(|(_, domain)| names::domain(domain));
        if domain.is_some() && allowed.iter().any(|allowed| names::domain(allowed) == domain) {
            return Ok(());
        }
        let allowed = listed(allowed);
        Err(IdpError::invalid_argument(format!("name must be at an allowed e-mail domain ({allowed}): got {name:?}")))
    }

    /// Checks a redirect URI of the right form, which has no user and password, against the allowed origins.
    pub(crate) fn check_return(&self, redirect_uri: &str) -> Result<(), IdpError> {
        let allowed = &self.allowed_return_origins;
        let origin = Url::parse(redirect_uri).map(|url| url.origin()).ok();
        let matches = |allowed: &String| origin.is_some() && origin_of(allowed) == origin;
        if allowed.is_empty() || allowed.iter().any(matches) {
            return Ok(());
        }
        let allowed = listed(allowed);
        Err(IdpError::invalid_argument(format!(
            "redirectUri must be at one of the allowedReturnOrigins ({allowed}): got {redirect_uri:?}"
        )))
    }
}

fn out_of_range(key: &'static str, range: RangeInclusive<usize>, got: impl Display) -> SettingFault {
    SettingFault::new(key, format!("{key} must be between {} and {}: got {got}", range.start(), range.end()))
}

fn listed(entries: &[String]) -> String {
    let shown = entries.iter().take(LISTED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match entries.len().checked_sub(LISTED) {
        Some(more) if more > 0 => format!("{shown} and {more} more"),
        _ => shown,
    }
}

/// The origin, if the entry is an origin and nothing more. There are no wildcards.
fn origin_of(entry: &str) -> Option<url::Origin> {
    let url = Url::parse(entry).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let (_, authority) = entry.split_once("://")?;
    let bare = !authority.is_empty() && !authority.contains(['/', '\\', '@', '?', '#', '*']);
    let clean = !entry.chars().any(|c| c.is_whitespace() || c.is_control());
    (bare && clean).then(|| url.origin())
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn check_domain_lists_some_allowed_domains() {
        let allowed_email_domains = (1..=7).map(|number| format!("d{number}.example")).collect();
        let policy = UserAuthPolicy { allowed_email_domains, ..UserAuthPolicy::default() };
        assert_eq!(
            policy.check_domain("ana@example.com").unwrap_err().detail(),
            "name must be at an allowed e-mail domain (d1.example, d2.example, d3.example, d4.example, d5.example and 2 \
             more): got \"ana@example.com\""
        );
        assert!(policy.check_domain("ana@d7.example").is_ok());
    }

    #[test]
    fn domains_and_origins_are_validated() {
        for domain in ["example.com", "EXAMPLE.com", "bücher.example", "a-b.co.uk", "xn--bcher-kva.example"] {
            assert!(names::domain(domain).is_some(), "{domain}");
        }
        for domain in
            ["", "example", ".com", "a..b", "-a.com", "a b.com", "@example.com", "*.example.com", "ex%61mple.com"]
        {
            assert!(names::domain(domain).is_none(), "{domain}");
        }
        for origin in ["https://app.example.com", "http://localhost:3000", "http://[::1]:8080"] {
            assert!(origin_of(origin).is_some(), "{origin}");
        }
        for origin in [
            "",
            "https://",
            "app.example.com",
            "https://a.com/",
            "https:a.com",
            "ftp://a.com",
            "https://u@a.com",
            "https://*",
        ] {
            assert!(origin_of(origin).is_none(), "{origin}");
        }
    }
}

//! `[namespace.<name>]`: store and settings of a namespace.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::DeValue;

use super::permission::{self, Audience, OPERATIONS};
use super::postgres::{self, PostgresEntry};
use super::reader::{Section, wrong_type};
use super::remote::{self, RemoteEntry};
use tailor_idp_core::{
    AttemptLimits, EmailConfig, Lang, MailLimit, NamespaceSettings, SettingFault, UserAuthPolicy, shortened,
};

/// Location of the users of a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreLocation {
    /// In memory, until the program ends.
    Memory,
    /// In a SQLite database at this path, already joined to the folder of the settings file.
    Sqlite(PathBuf),
    /// In a PostgreSQL database.
    Postgres(PostgresEntry),
    /// At another identity service.
    Remote(Box<RemoteEntry>),
}

/// A namespace of a settings file.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NamespaceEntry {
    /// Location of its users.
    pub store: StoreLocation,
    /// Its policies and limits.
    pub settings: NamespaceSettings,
    /// Audience of each of the [`OPERATIONS`], in their order.
    pub audiences: [Audience; OPERATIONS.len()],
}

/// Valid values of `store`, for fault texts.
const STORES: &str = r#"{ sqlite = "users.db" }, { postgres = { url_env = "DATABASE_URL" } }, "memory" or a service such as { workos = { … } }"#;

/// Reads a namespace. Returns `None` only if a fault was recorded.
pub(super) fn read(section: Section<'_, '_>, folder: &Path) -> Option<NamespaceEntry> {
    let store = read_store(&section, folder);
    let permission = permission::read(&section);
    let mut settings = NamespaceSettings::default();
    if let Some(policy) = section.section("userAuthPolicy") {
        settings.user_auth_policy = read_policy(policy);
    }
    if let Some(email) = section.section("emailConfig") {
        settings.email_config = read_email(email);
    }
    let langs = Lang::ALL.map(|lang| (lang.as_str(), lang));
    settings.lang = section.choice("lang", &langs).unwrap_or_default();
    settings.publish_user_events = section.boolean("publishUserEvents").unwrap_or_default();
    settings.workspace_id = section.string("workspaceId").unwrap_or_default();
    if let Some(limits) = section.section("attemptLimits") {
        settings.attempt_limits = read_attempt_limits(limits);
    }
    if let Some(limit) = section.section("resetMailLimit") {
        settings.reset_mail_limit = read_mail_limit(limit);
    }
    section.finish();
    let (permission, audiences) = permission?;
    Some(NamespaceEntry { store: store?, settings: settings.permission(permission), audiences })
}

fn read_store(section: &Section<'_, '_>, folder: &Path) -> Option<StoreLocation> {
    match section.value("store") {
        None => section.fault("store", format!("is missing: {STORES}")),
        Some(DeValue::String(word)) if word == "memory" => return Some(StoreLocation::Memory),
        Some(DeValue::String(word)) => {
            section.fault("store", format!("must be {STORES}: got {:?}", shortened(word)));
        }
        Some(DeValue::Table(_)) => {
            let table = section.section("store")?;
            let path = table.string("sqlite");
            if path.as_deref() == Some("") {
                table.fault("sqlite", "must not be empty");
            }
            let mut found = path.map(|path| StoreLocation::Sqlite(folder.join(path)));
            if table.has("postgres") {
                found = table.section("postgres").and_then(postgres::read).map(StoreLocation::Postgres).or(found);
            } else {
                // Known to `finish`.
                let _ = table.value("postgres");
            }
            for service in remote::SERVICES {
                found = remote::read(&table, service).map(|entry| StoreLocation::Remote(Box::new(entry))).or(found);
            }
            match table.entries().count() {
                0 => table.own_fault(format!("must be {STORES}")),
                1 => {}
                _ => table.own_fault("must name one place: the users of a namespace are in one"),
            }
            table.finish();
            return found;
        }
        Some(other) => section.fault("store", wrong_type(STORES, other)),
    }
    None
}

fn read_policy(section: Section<'_, '_>) -> UserAuthPolicy {
    let mut policy = UserAuthPolicy::default();
    let mut faults = Vec::new();
    set(&mut policy.use_non_email_identifier, section.boolean("useNonEmailIdentifier"));
    set(&mut policy.allow_self_password_reset, section.boolean("allowSelfPasswordReset"));
    set(&mut policy.password_require_uppercase, section.boolean("passwordRequireUppercase"));
    set(&mut policy.password_require_lowercase, section.boolean("passwordRequireLowercase"));
    set(&mut policy.password_require_non_alphanumeric, section.boolean("passwordRequireNonAlphanumeric"));
    set(&mut policy.password_require_numeric, section.boolean("passwordRequireNumeric"));
    let mut length = |length: &mut usize, given: Option<i128>, fault: fn(i128) -> SettingFault| {
        let Some(given) = given else { return };
        match usize::try_from(given) {
            Ok(given) => *length = given,
            Err(_) => faults.push(fault(given)),
        }
    };
    length(&mut policy.password_min_length, section.integer("passwordMinLength"), UserAuthPolicy::min_length_fault);
    length(&mut policy.password_max_length, section.integer("passwordMaxLength"), UserAuthPolicy::max_length_fault);
    set(&mut policy.allowed_email_domains, section.strings("allowedEmailDomains"));
    set(&mut policy.allow_google_oauth, section.boolean("allowGoogleOauth"));
    set(&mut policy.allow_microsoft_oauth, section.boolean("allowMicrosoftOauth"));
    set(&mut policy.disable_password_auth, section.boolean("disablePasswordAuth"));
    set(&mut policy.enable_mfa, section.boolean("enableMfa"));
    set(&mut policy.require_mfa, section.boolean("requireMfa"));
    set(&mut policy.allowed_return_origins, section.strings("allowedReturnOrigins"));
    set(&mut policy.mfa_issuer, section.string("mfaIssuer"));
    faults.extend(policy.faults().into_iter().filter(|fault| !section.depends_on_invalid_key(&fault.text)));
    faults.into_iter().for_each(|fault| section.fault(fault.key, fault.text));
    section.finish();
    policy.normalize_domains();
    policy
}

fn read_email(section: Section<'_, '_>) -> EmailConfig {
    let mut email = EmailConfig::default();
    email.from_name = section.string("fromName");
    email.password_reset_subject = section.string("passwordResetSubject");
    email.faults().into_iter().for_each(|fault| section.fault(fault.key, fault.text));
    section.finish();
    email
}

fn read_attempt_limits(section: Section<'_, '_>) -> AttemptLimits {
    let mut limits = AttemptLimits::default();
    set(&mut limits.per_user, within(&section, "perUser", 1..=1_000));
    set(&mut limits.per_namespace, within(&section, "perNamespace", 1..=1_000_000));
    set(&mut limits.window, within(&section, "minutes", MINUTES).map(minutes));
    section.finish();
    limits
}

fn read_mail_limit(section: Section<'_, '_>) -> MailLimit {
    let mut limit = MailLimit::default();
    set(&mut limit.mails, within(&section, "mails", 1..=1_000));
    set(&mut limit.window, within(&section, "minutes", MINUTES).map(minutes));
    section.finish();
    limit
}

/// Bounds of the window that a limit counts over: up to a day.
const MINUTES: RangeInclusive<u32> = 1..=24 * 60;

fn minutes(minutes: u32) -> Duration {
    Duration::from_secs(60 * u64::from(minutes))
}

fn within(section: &Section<'_, '_>, key: &'static str, range: RangeInclusive<u32>) -> Option<u32> {
    let given = section.integer(key)?;
    let number = u32::try_from(given).ok().filter(|number| range.contains(number));
    if number.is_none() {
        section.fault(key, format!("must be between {} and {}: got {given}", range.start(), range.end()));
    }
    number
}

fn set<T>(setting: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *setting = given;
    }
}

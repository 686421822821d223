//! Values of valid settings.

use std::path::{Path, PathBuf};
use std::time::Duration;

use pretty_assertions::assert_eq;
use tailor_idp::function::Limits;
use tailor_idp::idp::mail::SmtpTls;
use tailor_idp::idp::{Lang, NamespaceSettings};
use tailor_idp::settings::{FunctionLimits, MailRoute, Settings, StoreLocation};

use super::parse;

#[test]
fn empty_namespace_has_documented_defaults() {
    let settings = parse("[namespace.main]\nstore = \"memory\"").unwrap();
    let namespace = &settings.namespaces["main"];
    let default = NamespaceSettings::default();
    assert_eq!(namespace.store, StoreLocation::Memory);
    assert_eq!(namespace.settings.user_auth_policy, default.user_auth_policy);
    assert_eq!(namespace.settings.email_config, default.email_config);
    assert_eq!(namespace.settings.lang, Lang::En);
    assert!(!namespace.settings.publish_user_events);
    assert!(settings.mail.is_none() && settings.reset_page.is_none() && settings.webhook.is_none());
    assert!(settings.mfa_key.is_none() && settings.secrets().is_empty());
    assert_eq!(settings.function, FunctionLimits::default());
    assert_eq!((settings.function.timeout, settings.function.memory), (Duration::from_secs(60), 32 * 1024 * 1024));
}

#[test]
fn settings_set_every_value() {
    let text = r#"
mfa_key_env = "MFA_KEY"

[namespace.main]
store = { sqlite = "data/users.db" }
lang = "ja"
publishUserEvents = true
permission = "allow-all"
workspaceId = "1f0c0e5e-8f65-4b6f-9d0a-2f6f3f6a7b10"
attemptLimits = { perUser = 3, perNamespace = 50, minutes = 15 }
resetMailLimit = { mails = 2, minutes = 30 }

[namespace.main.userAuthPolicy]
allowSelfPasswordReset = true
passwordRequireUppercase = true
passwordRequireLowercase = true
passwordRequireNonAlphanumeric = true
passwordRequireNumeric = true
passwordMinLength = 8
passwordMaxLength = 0x80
allowedEmailDomains = ["example.com"]
allowGoogleOauth = true
enableMfa = true
requireMfa = true
allowedReturnOrigins = ["https://app.example.com"]
mfaIssuer = "Shop"

[namespace.main.emailConfig]
fromName = "Shop"
passwordResetSubject = "New password"

[mail]
from = "no-reply@example.com"
smtp = { host = "smtp.example.com", tls = "implicit", username = "idp", password_env = "SMTP_PASSWORD" }

[reset_page]
base_url = "https://id.example.com/reset"

[events.webhook]
url = "https://hook.example.com"
secret_env = "WEBHOOK_SECRET"

[function]
timeout = "90s"
memory = "1GB"
max_calls = 200_000
"#;
    let settings = Settings::parse(text, Path::new("etc/tailor-idp.toml")).unwrap();
    let namespace = &settings.namespaces["main"];
    assert_eq!(namespace.store, StoreLocation::Sqlite(PathBuf::from("etc/data/users.db")));
    let policy = &namespace.settings.user_auth_policy;
    assert!(policy.allow_self_password_reset && policy.password_require_uppercase);
    assert!(policy.password_require_lowercase && policy.password_require_numeric);
    assert!(policy.password_require_non_alphanumeric && policy.allow_google_oauth);
    assert!(policy.enable_mfa && policy.require_mfa);
    assert_eq!((policy.password_min_length, policy.password_max_length), (8, 128));
    assert_eq!(policy.allowed_email_domains, ["example.com"]);
    assert_eq!(policy.allowed_return_origins, ["https://app.example.com"]);
    assert_eq!(policy.mfa_issuer(), "Shop");
    assert_eq!(namespace.settings.mail_from_name(None), "Shop");
    assert_eq!(namespace.settings.password_reset_subject(None), "New password");
    assert_eq!(namespace.settings.lang, Lang::Ja);
    assert!(namespace.settings.publish_user_events);
    assert_eq!(namespace.settings.workspace_id, "1f0c0e5e-8f65-4b6f-9d0a-2f6f3f6a7b10");
    let attempts = namespace.settings.attempt_limits;
    assert_eq!((attempts.per_user, attempts.per_namespace, attempts.window), (3, 50, Duration::from_secs(900)));
    let mails = namespace.settings.reset_mail_limit;
    assert_eq!((mails.mails, mails.window), (2, Duration::from_secs(1800)));

    let mail = settings.mail.as_ref().unwrap();
    let MailRoute::Smtp(smtp) = &mail.transport else { panic!("{mail:?}") };
    assert_eq!(mail.from.as_deref(), Some("no-reply@example.com"));
    assert_eq!((smtp.host.as_str(), smtp.port, smtp.tls), ("smtp.example.com", 465, SmtpTls::Implicit));
    assert_eq!(smtp.credentials.as_ref().unwrap().0, "idp");
    assert_eq!(settings.reset_page.as_ref().unwrap().as_str(), "https://id.example.com/reset");
    assert_eq!(settings.webhook.as_ref().unwrap().url.as_str(), "https://hook.example.com/");
    assert_eq!((settings.function.timeout, settings.function.memory), (Duration::from_secs(90), 1 << 30));
    assert_eq!((settings.function.max_calls, Limits::from(&settings.function).calls), (200_000, 200_000));
    let secrets: Vec<_> = settings.secrets().iter().map(|secret| (secret.variable(), secret.key())).collect();
    assert_eq!(
        secrets,
        [
            ("SMTP_PASSWORD", "mail.smtp.password_env"),
            ("WEBHOOK_SECRET", "events.webhook.secret_env"),
            ("MFA_KEY", "mfa_key_env"),
        ]
    );
}

#[test]
fn allowed_domains_are_normalised_when_loaded() {
    let domains = |list: &str| {
        let text = format!("[namespace.main]\nstore = \"memory\"\nuserAuthPolicy.allowedEmailDomains = {list}\n");
        let settings = Settings::parse(&text, Path::new("tailor-idp.toml")).map_err(|error| error.to_string())?;
        Ok::<_, String>(settings.namespaces["main"].settings.user_auth_policy.allowed_email_domains.clone())
    };
    let normal = ["example.com", "xn--bcher-kva.example", "xn--bcher-kva.example"].map(ToOwned::to_owned);
    assert_eq!(domains(r#"["ｅxample.COM", "Bücher.example", "XN--bcher-kva.example"]"#).unwrap(), normal);
    assert_eq!(domains(r#"["*"]"#).unwrap(), ["*"]);
    for domain in ["example", "exam_ple.com", "xn--a.example", "example.com.", "*.example.com"] {
        let fault = format!(
            "tailor-idp.toml:3: namespace.main.userAuthPolicy.allowedEmailDomains: allowedEmailDomains must be domains such as \
             example.com, or \"*\": got {domain:?}"
        );
        assert_eq!(domains(&format!("[{domain:?}]")).unwrap_err(), fault);
    }
}

#[test]
fn mail_folder_is_relative_to_settings_file() {
    let text = "[namespace.main]\nstore = \"memory\"\n[mail]\nfolder = \"mails\"";
    let settings = Settings::parse(text, Path::new("etc/tailor-idp.toml")).unwrap();
    assert_eq!(settings.mail.unwrap().transport, MailRoute::Folder(PathBuf::from("etc/mails")));
}

#[test]
fn unset_secret_is_an_error_on_read() {
    let text = "mfa_key_env = \"NO_SUCH_VARIABLE_ANYWHERE\"\n[namespace.main]\nstore = \"memory\"";
    let secret = parse(text).unwrap().mfa_key.unwrap();
    let error = secret.read().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the environment variable NO_SUCH_VARIABLE_ANYWHERE is not set: mfa_key_env names it"
    );
}

#[test]
fn users_of_services_have_parameters_and_options() {
    let text = r#"
[namespace.a]
store = { auth0 = { domain = "acme.eu.auth0.com", client_id = "id", client_secret_env = "AUTH0_SECRET", connection = "Users" } }
[namespace.b-1]
store = { descope = { project_id = "P2abc", management_key_env = "DESCOPE_KEY", timeout = "5s", retries = 0 } }
[namespace.c-1.store.workos]
api_key_env = "WORKOS_KEY"
base_url = "http://127.0.0.1:4100"
max_requests = 4
scramble_passwords = true
count = "walk"
[namespace.d-1.store.tailor]
url = "https://app-hash.erp.dev"
client_id = "id"
client_secret_env = "TAILOR_SECRET"
namespace = "main-idp"
"#
    .replace("namespace.a]", "namespace.a-1]");
    let settings = Settings::parse(&text, Path::new("tailor-idp.toml")).unwrap();
    let shown: Vec<_> = settings
        .namespaces
        .values()
        .map(|namespace| match &namespace.store {
            StoreLocation::Remote(remote) => remote.to_string(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        shown,
        [
            "Auth0, acme.eu.auth0.com, connection Users",
            "Descope, project P2abc",
            "WorkOS, at http://127.0.0.1:4100/",
            "Tailor Platform, https://app-hash.erp.dev/, namespace main-idp",
        ]
    );
    let StoreLocation::Remote(workos) = &settings.namespaces["c-1"].store else { panic!("no service") };
    assert_eq!((workos.options.max_requests, workos.options.scramble_passwords), (4, true));
}

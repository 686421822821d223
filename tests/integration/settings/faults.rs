//! Errors in settings: line, key and text.

use pretty_assertions::assert_eq;
use tailor_idp::settings::{MailRoute, Settings};

use super::{faults, parse};

/// Lines of a policy, and the line, key and text of each expected error.
type Rule<'a> = (&'a [&'a str], &'a [(usize, &'a str, &'a str)]);

/// Settings of a namespace with these lines in its `userAuthPolicy`, which start at line 4.
fn policy(lines: &str) -> String {
    format!("[namespace.main]\nstore = \"memory\"\n[namespace.main.userAuthPolicy]\n{lines}\n")
}

#[test]
fn policy_errors_have_line_and_text_of_each_rule() {
    let long_issuer = format!("mfaIssuer = \"{}\"", "m".repeat(65));
    let many_domains = format!("allowedEmailDomains = [{}]", "\"example.com\", ".repeat(101));
    let google = "allowGoogleOauth = true";
    let microsoft = "allowMicrosoftOauth = true";
    let domains = "allowedEmailDomains = [\"example.com\"]";
    let no_password = "disablePasswordAuth = true";
    let non_email = "useNonEmailIdentifier = true";
    let rules: &[Rule<'_>] = &[
        (&["passwordMinLength = 5"], &[(4, "passwordMinLength", "passwordMinLength must be between 6 and 30: got 5")]),
        (
            &["passwordMinLength = 31"],
            &[(4, "passwordMinLength", "passwordMinLength must be between 6 and 30: got 31")],
        ),
        (
            &["passwordMinLength = -1"],
            &[(4, "passwordMinLength", "passwordMinLength must be between 6 and 30: got -1")],
        ),
        (
            &["", "passwordMaxLength = 5"],
            &[(5, "passwordMaxLength", "passwordMaxLength must be between 6 and 4096: got 5")],
        ),
        (
            &["passwordMaxLength = 4097"],
            &[(4, "passwordMaxLength", "passwordMaxLength must be between 6 and 4096: got 4097")],
        ),
        (
            &["passwordMaxLength = 10", "passwordMinLength = 20"],
            &[(
                5,
                "passwordMinLength",
                "passwordMinLength must be less than or equal to passwordMaxLength: got 20 and 10",
            )],
        ),
        (
            &[non_email, domains],
            &[(5, "allowedEmailDomains", "allowedEmailDomains cannot be set when useNonEmailIdentifier is true")],
        ),
        (
            &[non_email, google],
            &[
                (5, "allowGoogleOauth", "allowGoogleOauth cannot be set when useNonEmailIdentifier is true"),
                (5, "allowGoogleOauth", "allowGoogleOauth requires allowedEmailDomains to be set"),
            ],
        ),
        (&[google], &[(4, "allowGoogleOauth", "allowGoogleOauth requires allowedEmailDomains to be set")]),
        (
            &[non_email, microsoft, no_password],
            &[
                (5, "allowMicrosoftOauth", "allowMicrosoftOauth cannot be set when useNonEmailIdentifier is true"),
                (5, "allowMicrosoftOauth", "allowMicrosoftOauth requires allowedEmailDomains to be set"),
            ],
        ),
        (
            &[microsoft, no_password],
            &[(4, "allowMicrosoftOauth", "allowMicrosoftOauth requires allowedEmailDomains to be set")],
        ),
        (
            &[domains, microsoft],
            &[(5, "allowMicrosoftOauth", "allowMicrosoftOauth requires disablePasswordAuth to be enabled")],
        ),
        (
            &[no_password],
            &[(
                4,
                "disablePasswordAuth",
                "disablePasswordAuth requires allowGoogleOauth or allowMicrosoftOauth to be enabled",
            )],
        ),
        (
            &[domains, google, "allowSelfPasswordReset = true", no_password],
            &[(7, "disablePasswordAuth", "disablePasswordAuth cannot be used with allowSelfPasswordReset")],
        ),
        (&["requireMfa = true"], &[(4, "requireMfa", "requireMfa requires enableMfa to be enabled")]),
        (
            &["requireMfa = true", "enableMfa = true"],
            &[(
                5,
                "enableMfa",
                "enableMfa requires allowedReturnOrigins to list at least one origin so MFA self-service has a valid \
                 return target",
            )],
        ),
        (&[&long_issuer], &[(4, "mfaIssuer", "mfaIssuer must be 64 characters or less: got 65")]),
        (&[&many_domains], &[(4, "allowedEmailDomains", "allowedEmailDomains must have at most 100 entries: got 101")]),
        (
            &["allowedEmailDomains = [\"*\", \"example.com\"]"],
            &[(4, "allowedEmailDomains", "allowedEmailDomains must have \"*\" alone or not at all")],
        ),
        (
            &["allowedEmailDomains = [\"ana@example.com\", \"example\"]"],
            &[
                (
                    4,
                    "allowedEmailDomains",
                    "allowedEmailDomains must be domains such as example.com, or \"*\": got \"ana@example.com\"",
                ),
                (
                    4,
                    "allowedEmailDomains",
                    "allowedEmailDomains must be domains such as example.com, or \"*\": got \"example\"",
                ),
            ],
        ),
        (
            &["allowedReturnOrigins = [\"https://app.example.com/\"]"],
            &[(
                4,
                "allowedReturnOrigins",
                "allowedReturnOrigins must be http or https origins such as https://app.example.com: got \
                 \"https://app.example.com/\"",
            )],
        ),
        (&["enableMfa = 1"], &[(4, "enableMfa", "must be true or false: got an integer")]),
        (&["passwordMinLength = \"8\""], &[(4, "passwordMinLength", "must be an integer: got a string")]),
        (
            &["allowedEmailDomains = [1]", google],
            &[(4, "allowedEmailDomains", "must be a list of strings: got an integer")],
        ),
    ];
    for (lines, expected) in rules {
        let expected = expected
            .iter()
            .map(|(line, key, text)| format!("tailor-idp.toml:{line}: namespace.main.userAuthPolicy.{key}: {text}"))
            .collect::<Vec<_>>();
        assert_eq!(faults(&policy(&lines.join("\n"))), expected.join("\n"), "{lines:?}");
    }
}

#[test]
fn policy_accepts_values_at_limits() {
    let issuer = "m".repeat(64);
    let text = policy(&format!(
        "passwordMinLength = 30\npasswordMaxLength = 30\nmfaIssuer = \"{issuer}\"\nallowedEmailDomains = [{}]",
        "\"example.com\", ".repeat(100)
    ));
    let settings = super::parse(&text).unwrap();
    assert_eq!(settings.namespaces["main"].settings.user_auth_policy.password_min_length, 30);
}

#[test]
fn email_config_errors_have_text_of_each_rule() {
    for key in ["fromName", "passwordResetSubject"] {
        let email = |text: &str| {
            faults(&format!("[namespace.main]\nstore = \"memory\"\n[namespace.main.emailConfig]\n{key} = \"{text}\""))
        };
        let place = format!("tailor-idp.toml:4: namespace.main.emailConfig.{key}:");
        assert_eq!(email(&"x".repeat(201)), format!("{place} must be 200 characters or less: got 201"));
        assert_eq!(email("a\\nb"), format!("{place} must not contain newline characters: got \"a\\nb\""));
        assert_eq!(email("a\\rb"), format!("{place} must not contain newline characters: got \"a\\rb\""));
    }
}

#[test]
fn fetch_settings_are_validated() {
    let text = "[namespace.main]\nstore = \"memory\"\n[function.fetch]\nallow = [\"https://example.com/\"]\n\
                timeout = \"0s\"\nmax_body = \"2GB\"\nmax_requests = 0\nproxy = \"x\"\n\
                max_streamed_body = \"10KB\"\nca = 1\n";
    assert_eq!(
        faults(text),
        [
            "tailor-idp.toml:4: function.fetch.allow: must be a host such as \"api.example.com\", \"api.example.com:8443\", \
             \"*.example.com\", \"10.0.0.7\" or \"*\": got \"https://example.com/\"",
            "tailor-idp.toml:5: function.fetch.timeout: must be between 1ms and 24h: got \"0s\"",
            "tailor-idp.toml:6: function.fetch.max_body: must be between 1MB and 1GB: got \"2GB\"",
            "tailor-idp.toml:7: function.fetch.max_requests: must be between 1 and 100000: got 0",
            "tailor-idp.toml:8: function.fetch.proxy: unknown key: expected allow, timeout, max_body, max_streamed_body, max_requests, \
             ca",
            "tailor-idp.toml:9: function.fetch.max_streamed_body: must be a size such as \"100MB\": got \"10KB\"",
            "tailor-idp.toml:10: function.fetch.ca: must be a string: got an integer",
        ]
        .join("\n")
    );
}

#[test]
fn file_of_certificate_authorities_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("empty.pem", "no certificate");
    write("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let fault = |name: &str| {
        let text = format!("[namespace.main]\nstore = \"memory\"\n[function.fetch]\nca = \"{name}\"\n");
        let file = folder.path().join("tailor-idp.toml");
        let error = Settings::parse(&text, &file).unwrap_err().to_string();
        let error = error.replace(&format!("{}/", folder.path().display()), "");
        error.strip_prefix("tailor-idp.toml:4: function.fetch.ca: ").unwrap_or(&error).to_owned()
    };
    assert_eq!(fault("missing.pem"), "cannot read missing.pem: No such file or directory (os error 2)");
    assert_eq!(
        fault("empty.pem"),
        "empty.pem contains no certificate in PEM form, which starts with -----BEGIN CERTIFICATE-----"
    );
    assert!(fault("broken.pem").starts_with("broken.pem certificate 1 is malformed: "), "{}", fault("broken.pem"));
}

#[test]
fn limit_out_of_range_is_rejected_with_the_range() {
    let text = "[namespace.main]\nstore = \"memory\"\n\
                attemptLimits = { perUser = 0, perNamespace = 1000001, minutes = -1 }\n\
                [namespace.main.resetMailLimit]\nmails = 1001\nminutes = 1441\nhours = 1\n";
    assert_eq!(
        faults(text),
        [
            "tailor-idp.toml:3: namespace.main.attemptLimits.perUser: must be between 1 and 1000: got 0",
            "tailor-idp.toml:3: namespace.main.attemptLimits.perNamespace: must be between 1 and 1000000: got 1000001",
            "tailor-idp.toml:3: namespace.main.attemptLimits.minutes: must be between 1 and 1440: got -1",
            "tailor-idp.toml:5: namespace.main.resetMailLimit.mails: must be between 1 and 1000: got 1001",
            "tailor-idp.toml:6: namespace.main.resetMailLimit.minutes: must be between 1 and 1440: got 1441",
            "tailor-idp.toml:7: namespace.main.resetMailLimit.hours: unknown key: expected mails, minutes",
        ]
        .join("\n")
    );
}

#[test]
fn all_errors_are_reported_in_order_of_lines() {
    let text = r#"
mfa_key = "hunter2hunter2"
[namespace.Main]
store = "disk"
lang = "fr"
publishUserEvents = "yes"
permission = "allow-some"
[namespace.main.userAuthPolicy]
password_min_length = 8
passwordMaxLength = 5000
shoeSize = 43
[namespace.main.emailConfig]
form_name = "Shop"
[mail]
from = "nobody"
smtp = { hots = "h", port = 70000, tls = "tls", username = "u", password = "hunter2" }
[reset_page]
base_url = "/reset"
[events.webhook]
url = "https://hook.example.com"
secret = "hunter2"
secret_env = "hunter2-hunter2"
mfa_key_env = "MFA_KEY"
[function]
timeout = "25h"
memory = "32 potatoes"
max_calls = 10_000_001
[funktion]
"#;
    let all = faults(text);
    assert!(!all.contains("hunter2"), "{all}");
    let secret = "a secret does not belong in the file: put it in an environment variable and name that";
    let expected = [
        format!("2: mfa_key: {secret}: mfa_key_env = \"TAILOR_IDP_MFA_KEY\""),
        "3: namespace.Main: a namespace name is 3 to 63 lower-case letters, digits and hyphens, with a letter or digit \
         at both ends: got \"Main\""
            .into(),
        "4: namespace.Main.store: must be { sqlite = \"users.db\" }, { postgres = { url_env = \"DATABASE_URL\" } }, \"memory\" or a service such as { workos = { … } }: got \"disk\"".into(),
        "5: namespace.Main.lang: must be \"en\" or \"ja\": got \"fr\"".into(),
        "6: namespace.Main.publishUserEvents: must be true or false: got a string".into(),
        "7: namespace.Main.permission: unknown permission \"allow-some\": the only keyword is \"allow-all\"".into(),
        "8: namespace.main.store: is missing: { sqlite = \"users.db\" }, { postgres = { url_env = \"DATABASE_URL\" } }, \"memory\" or a service such as { workos = { … } }".into(),
        "9: namespace.main.userAuthPolicy.password_min_length: unknown key: did you mean passwordMinLength?".into(),
        "10: namespace.main.userAuthPolicy.passwordMaxLength: passwordMaxLength must be between 6 and 4096: got 5000"
            .into(),
        "11: namespace.main.userAuthPolicy.shoeSize: unknown key: expected useNonEmailIdentifier, \
         allowSelfPasswordReset, passwordRequireUppercase, passwordRequireLowercase, passwordRequireNonAlphanumeric, \
         passwordRequireNumeric, passwordMinLength, passwordMaxLength, allowedEmailDomains, allowGoogleOauth, \
         allowMicrosoftOauth, disablePasswordAuth, enableMfa, requireMfa, allowedReturnOrigins, mfaIssuer"
            .into(),
        "13: namespace.main.emailConfig.form_name: unknown key: did you mean fromName?".into(),
        "15: mail.from: must be an e-mail address in ASCII: got \"nobody\"".into(),
        "16: mail.smtp.host: is missing".into(),
        "16: mail.smtp.hots: unknown key: did you mean host?".into(),
        "16: mail.smtp.port: must be between 1 and 65535: got 70000".into(),
        "16: mail.smtp.tls: must be \"starttls\", \"implicit\" or \"none\": got \"tls\"".into(),
        format!("16: mail.smtp.password: {secret}: password_env = \"SMTP_PASSWORD\""),
        "18: reset_page.base_url: must be an absolute http or https URL: got \"/reset\"".into(),
        format!("21: events.webhook.secret: {secret}: secret_env = \"WEBHOOK_SECRET\""),
        "22: events.webhook.secret_env: must be the name of an environment variable, in capitals, such as \
         WEBHOOK_SECRET"
            .into(),
        "23: events.webhook.mfa_key_env: unknown key: mfa_key_env belongs at the top of the file, before the first table"
            .into(),
        "25: function.timeout: must be between 1ms and 24h: got \"25h\"".into(),
        "26: function.memory: must be a size such as \"32MB\": got \"32 potatoes\"".into(),
        "27: function.max_calls: must be between 1 and 10000000: got 10000001".into(),
        "28: funktion: unknown key: did you mean function?".into(),
    ];
    let expected = expected.map(|fault: String| format!("tailor-idp.toml:{fault}")).join("\n");
    assert_eq!(all, expected);
}

#[test]
fn error_lines_are_right_for_inline_dotted_and_missing_keys() {
    let inline = "namespace.main = { store = \"memory\", lang = \"xx\" }";
    assert_eq!(faults(inline), "tailor-idp.toml:1: namespace.main.lang: must be \"en\" or \"ja\": got \"xx\"");
    let dotted =
        "\r\n# Ünïcödé\r\nnamespace.main.store = \"memory\"\r\nnamespace.main.userAuthPolicy.requireMfa = true\r\n";
    assert_eq!(
        faults(dotted),
        "tailor-idp.toml:4: namespace.main.userAuthPolicy.requireMfa: requireMfa requires enableMfa to be enabled"
    );
    let header = "[namespace.main]\nstore = \"memory\"\n\n[namespace.main.usrAuthPolicy]\nrequireMfa = true\n";
    assert_eq!(
        faults(header),
        "tailor-idp.toml:4: namespace.main.usrAuthPolicy: unknown key: did you mean userAuthPolicy?"
    );
    let missing = "\n[mail]\nfrom = \"a@example.com\"\n[namespace.main]\nstore = \"memory\"\n";
    assert_eq!(faults(missing), "tailor-idp.toml:2: mail: must have a folder or smtp");
}

#[test]
fn permission_errors_have_line_of_the_policy() {
    let text = r#"[namespace.main]
store = "memory"
[namespace.main.permission]
read = [
  { conditions = [] },
  { condition = [] },
  { permit = "yes" },
  3,
  { permit = true },
]
reed = []
create = { conditions = [] }
[[namespace.main.permission.delete]]
description = "oneself only"
"#;
    assert_eq!(
        faults(text),
        "tailor-idp.toml:6: namespace.main.permission.read[1].condition: unknown key \"condition\": did you mean \"conditions\"?\n\
         tailor-idp.toml:7: namespace.main.permission.read[2].conditions: is missing: write conditions = [] for a policy that matches everybody\n\
         tailor-idp.toml:7: namespace.main.permission.read[2].permit: expected true or false: got a string\n\
         tailor-idp.toml:8: namespace.main.permission.read[3]: expected a policy, { conditions, permit, description }: \
         got a number\n\
         tailor-idp.toml:9: namespace.main.permission.read[4].conditions: is missing: write conditions = [] for a policy that matches everybody\n\
         tailor-idp.toml:11: namespace.main.permission.reed: unknown operation \"reed\": did you mean \"read\"?\n\
         tailor-idp.toml:12: namespace.main.permission.create: expected a list of policies: got an object\n\
         tailor-idp.toml:13: namespace.main.permission.delete[0].conditions: is missing: write conditions = [] for a policy that matches everybody"
    );
    let keyword = "[namespace.main]\nstore = \"memory\"\npermission = 5\n";
    assert_eq!(
        faults(keyword),
        "tailor-idp.toml:3: namespace.main.permission: invalid type: integer `5`, expected \"allow-all\", or lists of \
         policies by operation"
    );
}

#[test]
fn toml_syntax_errors_have_lines_and_quote_no_text() {
    let text = "password = \"hunter2\nlang = hunter2\n";
    let all = faults(text);
    assert!(!all.contains("hunter2"), "{all}");
    assert!(all.starts_with("tailor-idp.toml:1: ") && all.contains("\ntailor-idp.toml:2: "), "{all}");
}

#[test]
fn mail_settings_take_one_route_and_reject_passwords_without_tls() {
    let mail = |lines: &str| faults(&format!("[namespace.main]\nstore = \"memory\"\n[mail]\n{lines}"));
    assert_eq!(
        mail("folder = \"mails\"\nfrom = \"a@example.com\"\nsmtp = { host = \"h.example.com\" }"),
        "tailor-idp.toml:6: mail.smtp: excludes folder: mails go one way"
    );
    assert_eq!(
        mail("smtp = { host = \"localhost\" }"),
        "tailor-idp.toml:3: mail.from: is missing: the sender's address of mails that leave over SMTP"
    );
    let credentials = "username = \"u\", password_env = \"PASSWORD\"";
    assert_eq!(
        mail(&format!(
            "from = \"a@example.com\"\nsmtp = {{ host = \"h.example.com\", tls = \"none\", {credentials} }}"
        )),
        "tailor-idp.toml:5: mail.smtp.tls: must not be \"none\" with a password, unless the host is this machine"
    );
    assert_eq!(
        mail("from = \"a@example.com\"\nsmtp = { host = \"localhost\", username = \"u\" }"),
        "tailor-idp.toml:5: mail.smtp.username: requires password_env, the environment variable with the password"
    );
    assert_eq!(
        mail("from = \"a@example.com\"\nsmtp = { host = \"localhost\", password_env = \"P\" }"),
        "tailor-idp.toml:5: mail.smtp.password_env: requires username"
    );
}

#[test]
fn mail_settings_reject_invalid_sender_and_host() {
    let mail = |from: &str, host: &str| {
        format!("[namespace.main]\nstore = \"memory\"\n[mail]\nfrom = \"{from}\"\nsmtp = {{ host = \"{host}\" }}")
    };
    for from in ["anä@example.com", "Ana <ana@example.com>", "ana"] {
        let expected = format!("tailor-idp.toml:4: mail.from: must be an e-mail address in ASCII: got {from:?}");
        assert_eq!(faults(&mail(from, "localhost")), expected);
    }
    for host in ["", "a b", "[::1", "[localhost]", "https://mail.example.com"] {
        let expected = format!("tailor-idp.toml:5: mail.smtp.host: must be a host name or address: got {host:?}");
        assert_eq!(faults(&mail("ana@example.com", host)), expected);
    }
    for (host, bare) in [("[::1]", "::1"), ("::1", "::1"), ("127.0.0.1", "127.0.0.1"), ("a.example", "a.example")] {
        let settings = parse(&mail("ana@example.com", host)).unwrap();
        let Some(MailRoute::Smtp(smtp)) = settings.mail.map(|mail| mail.transport) else {
            panic!("{host}: no mail server");
        };
        assert_eq!(smtp.host, bare);
    }
}

#[test]
fn url_with_password_is_rejected_and_not_quoted() {
    let url = |url: &str| faults(&format!("[namespace.main]\nstore = \"memory\"\n[reset_page]\nbase_url = \"{url}\""));
    let place = "tailor-idp.toml:4: reset_page.base_url:";
    assert_eq!(
        url("https://ana:hunter2@example.com"),
        format!("{place} must have no user name and no password: a secret does not belong in the file")
    );
    assert_eq!(url("ftp://ana:hunter2@example.com"), format!("{place} must be an absolute http or https URL"));
    assert_eq!(
        url("https://example.com/?a=b"),
        format!("{place} must have no query and no fragment: got \"https://example.com/?a=b\"")
    );
}

#[test]
fn settings_without_namespaces_are_rejected() {
    let text = "must have at least one namespace, such as [namespace.builtin-idp]";
    assert_eq!(faults(""), format!("tailor-idp.toml:1: namespace: {text}"));
    assert_eq!(faults("\n[namespace]"), format!("tailor-idp.toml:2: namespace: {text}"));
}

#[test]
fn missing_settings_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tailor-idp.toml");
    let error = Settings::load(&path).unwrap_err();
    assert!(error.to_string().starts_with(&format!("{}: cannot be read: ", path.display())), "{error}");
    assert_eq!(error.faults()[0].line, None);
}

#[test]
fn parameters_of_services_are_checked() {
    let one = |store: &str| faults(&format!("[namespace.main]\nstore = {store}\n"));
    for (store, key, text) in [
        (
            "{ workos = {} }",
            "workos.api_key_env",
            "is missing: the environment variable with the secret, such as \"WORKOS_KEY\"",
        ),
        (
            "{ workos = { api_key_env = \"sk_live_secret\" } }",
            "workos.api_key_env",
            "must be the name of an environment variable, in capitals, such as WORKOS_KEY",
        ),
        (
            "{ workos = { api_key_env = \"K\", base_url = \"http://api.example.com\" } }",
            "workos.base_url",
            "must start with https:// (http:// only for this machine): got http://api.example.com/",
        ),
        ("{ workos = { api_key_env = \"K\", retries = 11 } }", "workos.retries", "must be at most 10: got 11"),
        (
            "{ workos = { api_key_env = \"K\", count = \"guess\" } }",
            "workos.count",
            "must be \"refuse\" or \"walk\": got \"guess\"",
        ),
        ("{ descope = { management_key_env = \"K\" } }", "descope.project_id", "is missing"),
        (
            "{ descope = { project_id = \"2abc\", management_key_env = \"K\" } }",
            "descope.project_id",
            "must be the id of a Descope project, P and at most 63 letters and digits: got \"2abc\"",
        ),
        (
            "{ tailor = { url = \"http://app.example.com\", client_id = \"i\", client_secret_env = \"K\", namespace = \"n-1\" } }",
            "tailor.url",
            "must start with https:// (http:// only for this machine): got http://app.example.com/",
        ),
        (
            "{ workos = { api_key_env = \"K\" }, sqlite = \"users.db\" }",
            "",
            "must name one place: the users of a namespace are in one",
        ),
        (
            "{ postgres = {} }",
            "postgres.url_env",
            "is missing: the environment variable with the URL, such as \"DATABASE_URL\"",
        ),
        (
            "{ postgres = { url = \"postgres://idp:secret@db/idp\" } }",
            "postgres.url",
            "a secret does not belong in the file: put it in an environment variable and name that: url_env = \"DATABASE_URL\"",
        ),
        (
            "{ postgres = { url_env = \"U\", schema = \"Idp\" } }",
            "postgres.schema",
            "must be 1 to 63 lower-case letters, digits and underscores, and not begin with a digit or pg_: got \"Idp\"",
        ),
        ("{ postgres = { url_env = \"U\", max_connections = 0 } }", "postgres.max_connections", "must be at least 1"),
        ("{ workso = { api_key_env = \"K\" } }", "workso", "unknown key: did you mean workos?"),
    ] {
        let key =
            ["namespace.main.store", key].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".");
        assert_eq!(one(store), format!("tailor-idp.toml:2: {key}: {text}"), "{store}");
    }
}

#[test]
fn all_faulty_parameters_of_a_service_are_reported_with_their_lines() {
    let text = r#"
[namespace.main.store.auth0]
domain = "https://acme.eu.auth0.com"
client_id = "two words"
client_secret_env = "AUTH0_SECRET"
connection = "Users and more"
retries = 11
"#;
    let expected = "\
tailor-idp.toml:3: namespace.main.store.auth0.domain: must be the domain of the Auth0 tenant, such as acme.eu.auth0.com: got \"https://acme.eu.auth0.com\"
tailor-idp.toml:4: namespace.main.store.auth0.client_id: must be the client id of a machine-to-machine application of the tenant: got \"two words\"
tailor-idp.toml:6: namespace.main.store.auth0.connection: must be the name of a database connection, such as Username-Password-Authentication (letters, digits and hyphens, at most 128): got \"Users and more\"
tailor-idp.toml:7: namespace.main.store.auth0.retries: must be at most 10: got 11";
    assert_eq!(faults(text), expected);
}

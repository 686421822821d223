//! `check` and `init`, and how other commands find settings.

use std::path::Path;
use std::process::Command;

use pretty_assertions::assert_eq;
use tempfile::TempDir;

use crate::support::{End, program};

pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(TempDir::new().unwrap());
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Runs the program in this folder.
    pub(crate) fn run(&self, arguments: &[&str]) -> End {
        self.run_with(arguments, |program| program)
    }

    pub(crate) fn run_with(&self, arguments: &[&str], more: impl FnOnce(&mut Command) -> &mut Command) -> End {
        End::of(more(program().current_dir(self.path()).args(arguments)))
    }
}

pub(crate) fn end(code: i32, stdout: &str, stderr: &str) -> End {
    End { code: Some(code), stdout: stdout.to_owned(), stderr: stderr.to_owned() }
}

pub(crate) const OPEN: &str = "[namespace.main]\nstore = { sqlite = \"users.db\" }\npermission = \"allow-all\"\n";
const CREATE: &str = "export default async () => (await new tailor.idp.Client(\"main\").createUser({ name: \"ana@example.com\" })).name;";

#[test]
fn init_writes_project_that_checks_runs_and_passes_its_test() {
    let folder = Folder::new(&[]);
    let init = folder.run(&["init"]);
    assert_eq!(
        init,
        end(
            0,
            "wrote tailor-idp.toml\nwrote handlers/sign-up/main.js\nwrote handlers/sign-up/args.json\n\
             wrote handlers/sign-up/expected.txt\n\n\
             Now: tailor-idp run handlers/sign-up/main.js --arg-file handlers/sign-up/args.json\n\
             Its golden test: tailor-idp test\n",
            ""
        )
    );
    let check = folder.run(&["check"]);
    assert_eq!((check.code, check.stderr.as_str()), (Some(0), ""), "{check:#?}");

    let golden = folder.run(&["test"]);
    assert_eq!(golden.code, Some(0), "{golden:#?}");
    assert!(golden.stdout.contains("1 case: 1 passed"), "{golden:#?}");
    assert!(!folder.path().join("users.db").exists(), "a test does not use the store of the settings");

    let run = ["run", "handlers/sign-up/main.js", "--arg-file", "handlers/sign-up/args.json"];
    assert_eq!(folder.run(&run).json()["created"], true);
    assert_eq!(folder.run(&run).json()["created"], false, "the user is in the settings' store");
    let short = "{\"email\": \"bo@example.com\", \"password\": \"seven77\"}";
    let refused = folder.run(&["run", "handlers/sign-up/main.js", "--arg", short]);
    assert!(refused.stderr.contains("password must be at least 8 characters: got 7"), "{refused:#?}");
    assert_eq!(folder.run(&["users", "list", "--json"]).json()["totalCount"], 1);
}

#[test]
fn init_writes_nothing_if_a_file_exists() {
    let folder = Folder::new(&[("there/handlers/sign-up/main.js", "mine")]);
    assert_eq!(
        folder.run(&["init", "there"]),
        end(2, "", "error: there has handlers/sign-up/main.js already: nothing was written\n")
    );
    assert!(!folder.path().join("there/tailor-idp.toml").exists());
    assert_eq!(folder.run(&["init", "new/folder"]).code, Some(0));
    assert_eq!(folder.run(&["check", "new/folder/tailor-idp.toml"]).code, Some(0));
}

#[test]
fn check_prints_rules_of_every_namespace() {
    let text = r#"
[namespace.customers]
store = { sqlite = "users.db" }
lang = "ja"
publishUserEvents = true
[namespace.customers.userAuthPolicy]
passwordMinLength = 12
passwordRequireNumeric = true
passwordRequireNonAlphanumeric = true
allowedEmailDomains = ["example.com", "example.org"]
enableMfa = true
requireMfa = true
allowedReturnOrigins = ["https://app.example.com"]
[namespace.customers.permission]
create = [{ conditions = [] }]
read = [{ conditions = [[{ user = "_loggedIn" }, "=", true]] }]
update = [{ conditions = [[{ user = "role" }, "=", "ADMIN"]] }, { conditions = [], permit = false }]
delete = []

[namespace.staff]
store = "memory"
permission = "allow-all"
[namespace.staff.userAuthPolicy]
useNonEmailIdentifier = true

[mail]
from = "no-reply@example.com"
smtp = { host = "smtp.example.com", username = "idp", password_env = "NO_SUCH_PASSWORD" }
[events.webhook]
url = "https://hook.example.com/users"
secret_env = "THERE_IS_A_SECRET"
"#;
    let folder = Folder::new(&[("tailor-idp.toml", text), ("below/it/x", "")]);
    let expected = "tailor-idp.toml is valid

namespace customers
  store                   SQLite database users.db
  names                   e-mail addresses at example.com, example.org
  passwords               12 to 4096 characters, with a number, a character that is neither letter nor number
  sign-in                 password
  MFA                     required, as \"Tailor Platform IdP\"
  returns to              https://app.example.com
  events                  published to https://hook.example.com/users
  mail                    by SMTP over smtp.example.com:587; language ja
  create                  everybody
  read                    1 policy
  update                  2 policies
  delete                  nobody
  sendPasswordResetEmail  nobody
  unenrollMfa             nobody

namespace staff
  store                   memory: gone when the program ends
  names                   any text
  passwords               6 to 4096 characters
  sign-in                 password
  MFA                     off
  returns to              any http or https URL
  events                  not published
  mail                    by SMTP over smtp.example.com:587; language en
  create                  everybody
  read                    everybody
  update                  everybody
  delete                  everybody
  sendPasswordResetEmail  everybody
  unenrollMfa             everybody
";
    let warning = "warning: the environment variable NO_SUCH_PASSWORD is not set: mail.smtp.password_env names it
warning: namespace customers has enableMfa, and no mfa_key_env names the key of MFA secrets
";
    let checked = folder.run_with(&["check"], |program| program.env("THERE_IS_A_SECRET", "sixteen and more"));
    assert_eq!(checked.stdout, expected);
    assert_eq!((checked.code, checked.stderr.as_str()), (Some(0), warning));
    let below = End::of(program().current_dir(folder.path().join("below/it")).arg("check"));
    assert_eq!(below.code, Some(0), "found upwards: {below:#?}");
}

#[test]
fn check_warns_of_names_in_policies_that_no_user_can_have() {
    let settings = r#"
[namespace.main]
store = "memory"
[namespace.main.permission]
read = [
  { conditions = [[{ idpUser = "name" }, "=", "ana@example.com"], ["Ana@example.com", "!=", { idpUser = "name" }]] },
  { conditions = [[{ idpUser = "name" }, "not in", ["bo@example.com", "bo@BÜCHER.example"]], [{ idpUser = "id" }, "=", "ANA"]] },
]
[namespace.text]
store = "memory"
userAuthPolicy.useNonEmailIdentifier = true
permission.read = [{ conditions = [[{ idpUser = "name" }, "=", "Ana@example.com"]] }]
"#;
    let folder = Folder::new(&[("tailor-idp.toml", settings)]);
    let end = folder.run(&["check"]);
    let text = "names are compared in normal form";
    let expected = format!(
        "warning: namespace.main.permission.read[0].conditions[1]: no user is named \"Ana@example.com\": {text}, \"ana@example.com\"
warning: namespace.main.permission.read[1].conditions[0]: no user is named \"bo@BÜCHER.example\": {text}, \"bo@xn--bcher-kva.example\"
"
    );
    assert_eq!((end.code, end.stderr), (Some(0), expected));
}

#[test]
fn check_prints_limits_of_fetch_and_origins_as_they_are_compared() {
    let settings = r#"
[namespace.main]
store = "memory"
userAuthPolicy.allowedReturnOrigins = ["https://APP.example.com:443"]
[function.fetch]
allow = ["api.example.com"]
max_body = "2MB"
max_requests = 7
"#;
    let end = Folder::new(&[("tailor-idp.toml", settings)]).run(&["check"]);
    assert!(end.stdout.contains("  returns to              https://app.example.com\n"), "{end:#?}");
    let fetch = "  fetch   api.example.com\n          7 requests; bodies of 2 MB, streamed 100 MB\n";
    assert!(end.stdout.ends_with(fetch), "{end:#?}");
}

#[test]
fn check_prints_all_errors_and_fails() {
    let folder = Folder::new(&[("bad.toml", "[namespace.main]\nlang = \"fr\"\nstore = 1\n")]);
    assert_eq!(
        folder.run(&["check", "bad.toml"]),
        end(
            1,
            "",
            "bad.toml:2: namespace.main.lang: must be \"en\" or \"ja\": got \"fr\"\n\
             bad.toml:3: namespace.main.store: must be { sqlite = \"users.db\" }, { postgres = { url_env = \"DATABASE_URL\" } }, \"memory\" or a service such as { workos = { … } }: got an integer\n"
        )
    );
}

#[test]
fn run_searches_settings_from_script_and_users_from_current_folder() {
    let folder = Folder::new(&[("app/tailor-idp.toml", OPEN), ("app/handlers/create.js", CREATE)]);
    assert_eq!(folder.run(&["run", "app/handlers/create.js"]), end(0, "\"ana@example.com\"\n", ""));
    assert!(folder.path().join("app/users.db").exists(), "relative to the file");
    let users = ["users", "get", "ana@example.com", "--json"];
    let app = End::of(program().current_dir(folder.path().join("app/handlers")).args(users));
    assert_eq!(app.json()["name"], "ana@example.com");
    let here = folder.run(&users);
    assert_eq!(here, end(2, "", "error: --db PATH is missing, and there is no tailor-idp.toml: which database?\n"));
    let named = folder.run(&[&users[..], &["--config", "app/tailor-idp.toml"]].concat());
    assert_eq!(named.json()["name"], "ana@example.com");
}

#[test]
fn db_flag_overrides_store_of_settings() {
    let folder = Folder::new(&[("tailor-idp.toml", OPEN), ("create.js", CREATE)]);
    assert_eq!(folder.run(&["run", "create.js", "--db", "other.db"]), end(0, "\"ana@example.com\"\n", ""));
    assert!(folder.path().join("other.db").exists() && !folder.path().join("users.db").exists());
    assert_eq!(folder.run(&["users", "list", "--json", "--db", "other.db"]).json()["totalCount"], 1);
}

#[test]
fn run_without_settings_allows_everything_with_a_note() {
    let closed = OPEN.replace("allow-all", "allow-nobody-knows-what");
    let folder = Folder::new(&[("tailor-idp.toml", &closed), ("create.js", CREATE)]);
    assert_eq!(
        folder.run(&["run", "create.js", "--no-config", "--namespace", "main", "--db", "users.db"]),
        end(0, "\"ana@example.com\"\n", "note: without settings, namespace main is open to every script (allow-all)\n")
    );
    assert_eq!(folder.run(&["run", "create.js"]).code, Some(1), "the file holds where it is not ignored");
}

#[test]
fn flags_that_conflict_with_settings_are_rejected() {
    let folder = Folder::new(&[("tailor-idp.toml", OPEN), ("create.js", CREATE)]);
    assert_eq!(
        folder.run(&["run", "create.js", "--namespace", "elsewhere"]),
        end(
            2,
            "",
            "error: there is no namespace elsewhere in tailor-idp.toml: it has main; --no-config ignores the file\n"
        )
    );
    assert_eq!(
        folder.run(&["run", "create.js", "--enable-mfa"]),
        end(
            2,
            "",
            "error: --enable-mfa is for runs without settings: set userAuthPolicy.enableMfa in tailor-idp.toml, or \
             ignore the file with --no-config\n"
        )
    );
    assert_eq!(folder.run(&["run", "create.js", "--config", "x.toml", "--no-config"]).code, Some(2));
}

#[test]
fn missing_file_of_a_flag_is_a_usage_error() {
    let folder = Folder::new(&[("tailor-idp.toml", OPEN), ("create.js", CREATE)]);
    let read = "explain --operation read --user-json {\"name\":\"ana@example.com\"}";
    let cases = [
        ("run create.js --config x", "cannot read --config x: "),
        ("users list --config x", "cannot read --config x: "),
        ("events list --config x", "cannot read --config x: "),
        ("mail list --config x", "cannot read --config x: "),
        (&format!("{read} --config x"), "cannot read --config x: "),
        (&format!("{read} --permission x"), "x: "),
        ("run create.js --arg-file x", "cannot read --arg-file x: "),
        ("run create.js --invoker x", "cannot read --invoker x: "),
        ("users enroll-mfa ana@example.com --mfa-key-file x", "--mfa-key-file x: "),
        ("users list --db x", "there is no database at x"),
        ("check x", "cannot read x: "),
        ("run x", ""),
        ("users import x --db users.db", "cannot read x: "),
    ];
    for (command, text) in cases {
        let end = folder.run(&command.split(' ').collect::<Vec<_>>());
        assert_eq!(end.code, Some(2), "{command}: {end:#?}");
        assert!(end.stderr.starts_with(&format!("error: {text}")), "{command}: {end:#?}");
    }
}

#[test]
fn commands_offer_only_the_settings_overrides_they_use() {
    let folder = Folder::new(&[]);
    let all = ["--use-non-email-identifier", "--enable-mfa", "--publish-user-events", "--workspace-id", "--lang"];
    let cases: [(&str, &[&str]); 6] = [
        ("run", &all[..3]),
        ("users", &all[..3]),
        ("explain", &[]),
        ("events", &all[3..4]),
        ("mail", &all[4..]),
        ("serve", &[all[2], all[4]]),
    ];
    for (command, expected) in cases {
        let help = folder.run(&[command, "--help"]).stdout;
        let offered = all.into_iter().filter(|flag| help.contains(flag)).collect::<Vec<_>>();
        assert_eq!(offered, expected, "{command}\n{help}");
    }
}

#[test]
fn users_list_shows_factors_only_while_mfa_is_enabled() {
    let folder = Folder::new(&[]);
    let users = |arguments: &str| {
        folder.run(&[&["users", "--db", "users.db"], &arguments.split(' ').collect::<Vec<_>>()[..]].concat())
    };
    assert_eq!(users("create ana@example.com").code, Some(0));
    assert_eq!(users("enroll-mfa ana@example.com --enable-mfa").code, Some(0));
    let (off, on) = (users("list").stdout, users("list --enable-mfa").stdout);
    assert!(off.contains("  enabled\n"), "{off}");
    assert!(on.contains("  enabled, MFA (1)\n"), "{on}");
}

#[test]
fn users_command_rejects_memory_store() {
    let memory = OPEN.replace("{ sqlite = \"users.db\" }", "\"memory\"");
    let folder = Folder::new(&[("tailor-idp.toml", &memory)]);
    assert_eq!(
        folder.run(&["users", "list"]),
        end(2, "", "error: the users of namespace main live in memory: --db PATH names a database\n")
    );
}

//! `check --online`.

use pretty_assertions::assert_eq;

use super::{Auth0, CLIENT_SECRET, Emulator, run, workos};
use crate::settings::commands::{Folder, OPEN};

/// What follows the summary.
fn online(stdout: &str) -> &str {
    stdout.find(" online\n").map_or("", |at| &stdout[stdout[..at].rfind('\n').map_or(0, |start| start + 1)..])
}

#[test]
fn check_online_prints_what_each_namespace_can_do() {
    let auth0 = Auth0::start();
    auth0.fake.tenant().scopes = vec!["read:users", "update:users"];
    let folder = Folder::new(&[("tailor-idp.toml", &format!("{OPEN}{}", auth0.namespace("staff")))]);
    let checked = run(&folder, None, "check --online");
    assert_eq!((checked.code, &*checked.stderr), (Some(0), ""), "{checked:#?}");
    let expected = "namespace main online
  not there yet: the first command that writes to it creates it

namespace staff online
  listing all users with an exact total                            yes
  listing users by ids or names                                    yes
  listing only the users whom the permission lets the caller read  no: count = \"walk\" allows it
  creating users                                                   no: the credentials lack the scope create:users
  setting a password                                               yes
  removing a password                                              no: scramble_passwords = true allows it
  updating users                                                   yes
  renaming users                                                   yes
  disabling users                                                  yes
  deleting users                                                   no: the credentials lack the scope delete:users
  sending password-reset mails                                     no
  removing MFA factors                                             no
";
    assert_eq!(online(&checked.stdout), expected);
    assert!(!folder.path().join("users.db").exists(), "nothing is created");

    assert_eq!(run(&folder, None, "users create ana@example.com --namespace main").code, Some(0));
    let checked = run(&folder, None, "check --online");
    let main = online(&checked.stdout).split("\n\n").next().unwrap_or_default();
    assert_eq!(main.lines().filter(|line| line.ends_with(" yes")).count(), 12, "{main}");
}

#[test]
fn check_online_names_each_failing_service_and_checks_the_others() {
    let auth0 = Auth0::start();
    let gone =
        "[namespace.gone.store.workos]\napi_key_env = \"WORKOS_KEY\"\nbase_url = \"http://127.0.0.1:1\"\nretries = 0\n";
    let settings = format!("{gone}{}", auth0.namespace("staff"));
    let folder = Folder::new(&[("tailor-idp.toml", &settings)]);
    let checked = run(&folder, None, "check --online");
    assert_eq!(checked.code, Some(1), "{checked:#?}");
    let start = "error: namespace gone: WorkOS cannot be reached: cannot connect: ";
    assert!(checked.stderr.starts_with(start), "{}", checked.stderr);
    let advice = ": check base_url (http://127.0.0.1:1) and the network\n";
    assert!(checked.stderr.ends_with(advice), "{}", checked.stderr);
    let block = "namespace gone online\n  does not work: WorkOS cannot be reached: cannot connect: ";
    assert!(checked.stdout.contains(block), "{}", checked.stdout);
    assert_eq!(checked.stderr.lines().count(), 1, "{}", checked.stderr);
    assert!(checked.stdout.contains("namespace staff online\n"), "{}", checked.stdout);

    let wrong = folder.run_with(&["check", "--online"], |program| {
        program.env("AUTH0_SECRET", "wrong-secret").env_remove("WORKOS_KEY")
    });
    let expected = "error: namespace gone: the environment variable WORKOS_KEY is not set: namespace.gone.store.workos.api_key_env names it
error: namespace staff: Auth0 refuses the credentials of the host: cannot get an access token: answered 401 Unauthorized: \
{\"error\":\"access_denied\",\"error_description\":\"Unauthorized\"}: check client_id, the secret in AUTH0_SECRET and the scopes \
that the application is granted
";
    assert_eq!((wrong.code, &*wrong.stderr), (Some(1), expected));

    auth0.fake.tenant().scopes = vec!["create:users"];
    let unscoped = run(&folder, None, "check --online");
    let text = "error: namespace staff: Auth0 refuses the credentials of the host: the application needs the scope read:users of the \
                Auth0 Management API: answered 403 Forbidden: ";
    assert!(unscoped.stderr.contains(text), "{}", unscoped.stderr);
    assert!(!format!("{unscoped:?}{wrong:?}").contains(CLIENT_SECRET));
}

#[test]
fn check_online_reads_a_user_of_workos_without_a_total() {
    let Some(emulator) = Emulator::start() else { return };
    let folder = Folder::new(&[("tailor-idp.toml", &workos(&emulator, "staff"))]);
    let checked = run(&folder, Some(&emulator), "check --online");
    assert_eq!((checked.code, &*checked.stderr), (Some(0), ""), "{checked:#?}");
    let all = "  listing all users with an exact total                            no: count = \"walk\" allows it\n";
    assert!(checked.stdout.contains(all), "{}", checked.stdout);
    let names = "  listing users by ids or names                                    yes\n";
    assert!(checked.stdout.contains(names), "{}", checked.stdout);
    let create = "  creating users                                                   unknown: WorkOS does not tell the rights of the credentials\n";
    assert!(checked.stdout.contains(create), "{}", checked.stdout);
    let wrong = folder.run_with(&["check", "--online"], |program| program.env("WORKOS_KEY", "sk_test_wrong"));
    assert_eq!(wrong.code, Some(1));
    let start = "error: namespace staff: WorkOS refuses the credentials of the host: answered 401 Unauthorized: ";
    assert!(wrong.stderr.starts_with(start), "{}", wrong.stderr);
    assert!(wrong.stderr.ends_with(": check the secret key in WORKOS_KEY\n"), "{}", wrong.stderr);
}

#[test]
fn empty_variable_of_a_secret_is_called_empty() {
    let settings = "[namespace.staff.store.workos]\napi_key_env = \"WORKOS_KEY\"\n";
    let folder = Folder::new(&[("tailor-idp.toml", settings)]);
    let text = "the environment variable WORKOS_KEY is empty: namespace.staff.store.workos.api_key_env names it\n";
    let with_empty = |arguments: &[&str]| folder.run_with(arguments, |program| program.env("WORKOS_KEY", ""));
    let offline = with_empty(&["check"]);
    assert_eq!((offline.code, offline.stderr), (Some(0), format!("warning: {text}")));
    let online = with_empty(&["check", "--online"]);
    assert_eq!((online.code, online.stderr), (Some(1), format!("error: namespace staff: {text}")));
}

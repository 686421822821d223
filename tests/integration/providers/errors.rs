//! What users of the program and scripts learn when a service does not do what was asked for.

use pretty_assertions::assert_eq;

use super::{Emulator, run, workos};
use crate::settings::commands::{Folder, end};

const LIST: &str = r#"
export default async () => {
  const idp = new tailor.idp.Client({ namespace: "staff" });
  const failure = async (call) => { try { await call(); } catch (error) { return `${error.code} ${error.message}`; } };
  return [await failure(() => idp.users()), await failure(() => idp.user("ghost"))];
};
"#;

fn folder(settings: &str) -> Folder {
    let settings = format!("{settings}[namespace.staff]\npermission = \"allow-all\"\n");
    Folder::new(&[("tailor-idp.toml", &settings), ("list.js", LIST)])
}

#[test]
fn refused_listing_names_the_namespace_and_the_setting_that_allows_it() {
    let Some(emulator) = Emulator::start() else { return };
    let folder = folder(&workos(&emulator, "staff"));
    let refusal = "WorkOS does not support listing all users with an exact total: count = \"walk\" in the settings of the \
                   namespace allows it";
    let listed = run(&folder, Some(&emulator), "users list");
    assert_eq!(listed, end(1, "", &format!("error: namespace staff: {refusal}\n")));
    let script = run(&folder, Some(&emulator), "run list.js");
    let failures = script.json();
    let text = failures[0].as_str().unwrap();
    assert!(text.starts_with("UNIMPLEMENTED users failed: ") && text.contains("count = \\\"walk\\\""), "{text}");
    let unknown =
        "NOT_FOUND user failed: code: 'Some requested entity was not found', message: \"user not found: ghost\"";
    assert_eq!(failures[1], unknown);
}

#[test]
fn wrong_secret_is_told_to_the_host_with_its_variable_and_not_to_scripts() {
    let Some(emulator) = Emulator::start() else { return };
    let folder = folder(&workos(&emulator, "staff"));
    let wrong = |arguments: &[&str]| folder.run_with(arguments, |program| program.env("WORKOS_KEY", "sk_test_wrong"));
    let found = wrong(&["users", "get", "ana@example.com"]);
    let start = "error: namespace staff: WorkOS refuses the credentials of the host: answered 401 Unauthorized: ";
    assert!(found.stderr.starts_with(start), "{}", found.stderr);
    assert!(found.stderr.ends_with(": check the secret key in WORKOS_KEY\n"), "{}", found.stderr);
    let script = wrong(&["run", "list.js"]);
    let text = script.json()[1].to_string();
    assert!(text.contains("UNAUTHENTICATED") && text.contains("WorkOS refuses the credentials of the host"), "{text}");
    assert!(!text.contains("WORKOS_KEY") && !text.contains("401"), "{text}");
    let log = &script.stderr;
    assert!(log.contains("namespace=staff method=\"user\"") && log.contains("the secret key in WORKOS_KEY"), "{log}");
    assert!(!format!("{found:?}{script:?}").contains("sk_test_wrong"));
}

#[test]
fn wrong_path_of_a_base_url_is_told_with_service_and_address() {
    let Some(emulator) = Emulator::start() else { return };
    let address = format!("{}/wrong", emulator.url);
    let folder = folder(&workos(&emulator, "staff").replace(&emulator.url, &address));
    let text = format!(
        "WorkOS answered with something else than its API: answered 404 Not Found: {{\"message\":\"Not Found\",\"code\":\"not_found\"}}: \
         check base_url ({address}): the API of WorkOS must be there\n"
    );
    let text = format!("error: namespace staff: {text}");
    for command in ["users get ana@example.com", "users get user_1", "check --online"] {
        let failed = run(&folder, Some(&emulator), command);
        assert_eq!((failed.code, &*failed.stderr), (Some(1), &*text), "{command}");
    }
}

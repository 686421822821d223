//! `users copy`.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use pretty_assertions::assert_eq;
use serde_json::{Value, json};

use super::{Auth0, CLIENT_SECRET, CONNECTION, Emulator, run, workos};
use crate::backends::descope::{FakeDescope, KEY, PROJECT};
use crate::settings::commands::{Folder, OPEN, end};
use crate::support::{program, send_signal};

const BCRYPT: &str = "$2b$04$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy";
const SCRYPT: &str = "$scrypt$ln=14,r=8,p=1$c29kaXVtIGNobG9yaWRlIQ$bmFjbG5hY2xuYWNsbmFjbGFjbGE";

/// The number of users who are copied over the emulator and back. `TAILOR_IDP_COPY_USERS` sets another one.
fn round_trip_users() -> usize {
    std::env::var("TAILOR_IDP_COPY_USERS").ok().and_then(|text| text.parse().ok()).unwrap_or(300)
}

/// The settings of `main`, of further namespaces, and of `back`, over a database of its own.
fn settings(more: &str) -> String {
    let back = "[namespace.back]\nstore = { sqlite = \"back.db\" }\npermission = \"allow-all\"\n";
    format!("{OPEN}{back}{more}")
}

/// A folder with these settings, and with users in `main`.
fn with_users(settings: &str, lines: &[Value]) -> Folder {
    let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let folder = Folder::new(&[("tailor-idp.toml", settings), ("users.jsonl", &lines)]);
    let imported = folder.run(&["users", "import", "users.jsonl", "--namespace", "main"]);
    assert_eq!(imported.code, Some(0), "{imported:#?}");
    folder
}

fn named(name: &str) -> Value {
    json!({ "name": name })
}

/// The lines of an export.
fn exported(folder: &Folder, emulator: Option<&Emulator>, arguments: &str) -> Vec<Value> {
    let exported = run(folder, emulator, &format!("users export {arguments}"));
    assert_eq!(exported.code, Some(0), "{exported:#?}");
    exported.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn copy_between_databases_carries_hashes_states_and_times_and_can_be_repeated() {
    let users = [
        json!({ "name": "ana@example.com", "passwordHash": BCRYPT, "createdAt": "2012-03-04T05:06:07.089Z" }),
        json!({ "name": "bo@example.com", "disabled": true, "createdAt": "2013-03-04T05:06:07.000Z" }),
    ];
    let folder = with_users(&settings(""), &users);
    let copy = ["users", "copy", "--from", "main", "--to", "back"];
    let dry = folder.run(&[&copy[..], &["--dry-run"]].concat());
    let text = "2 users; 0 already there, 0 there and differing, 0 skipped, 0 failed\n  1 with the password hash\n  \
                1 without a password, as before\n";
    let note = "note: not copied to the user store: ids, MFA factors\n";
    assert_eq!(dry, end(0, &format!("would copy {text}"), note));
    assert!(!folder.path().join("back.db").exists(), "nothing is created");
    assert_eq!(folder.run(&copy), end(0, &format!("copied {text}"), note));
    assert_eq!(exported(&folder, None, "--namespace back --hashes"), users);
    let text = "copied 0 users; 2 already there, 0 there and differing, 0 skipped, 0 failed\n  \
                1 there before, with a password\n  1 without a password, as before\n";
    assert_eq!(folder.run(&copy), end(0, text, note));
    assert_eq!(exported(&folder, None, "--namespace back --hashes"), users);
}

#[test]
fn copy_reports_users_who_differ_or_break_the_rules_and_leaves_them_as_they_are() {
    let text = settings("userAuthPolicy.allowedEmailDomains = [\"example.com\"]\n")
        .replace("[namespace.main]", "[namespace.main]\nuserAuthPolicy.useNonEmailIdentifier = true");
    let names = ["ana@example.com", "Bo@example.com", "bo@example.com", "cy", "di@example.org"];
    let folder = with_users(&text, &names.map(named));
    let created = folder.run(&["users", "create", "ana@example.com", "--disabled", "--namespace", "back"]);
    assert_eq!(created.code, Some(0));
    let copied = folder.run(&["users", "copy", "--from", "main", "--to", "back", "--json"]);
    let report = copied.json();
    assert_eq!((copied.code, &report["copied"], &report["alreadyThere"]), (Some(1), &json!(1), &json!(0)));
    let difference = "enabled where it comes from, and disabled there";
    assert_eq!(report["differing"], json!([{ "name": "ana@example.com", "difference": difference }]));
    let failed: Vec<_> = report["failed"].as_array().unwrap().iter().map(|failed| failed["name"].clone()).collect();
    assert_eq!(failed, ["Bo@example.com", "cy", "di@example.org"]);
    assert_eq!(report["failed"][0]["reason"], "the name becomes bo@example.com, as that of bo@example.com does");
    assert!(copied.stderr.contains("failed: cy: "), "{}", copied.stderr);
    let there: Vec<_> = exported(&folder, None, "--namespace back").iter().map(|user| user["name"].clone()).collect();
    assert_eq!(there, ["ana@example.com", "bo@example.com"]);
}

#[test]
fn copy_needs_two_namespaces_that_outlive_it() {
    let folder = with_users(&settings("[namespace.passing]\nstore = \"memory\"\n"), &[named("ana@example.com")]);
    for (arguments, text) in [
        ("--from main --to main", "--from and --to are the same namespace: users are copied to another one"),
        ("--from main --to back --namespace main", "--from and --to name the namespaces: leave out --namespace"),
        (
            "--from main --to back --db other.db",
            "--db replaces the stores of both namespaces: name the database in tailor-idp.toml, or ignore the file with --no-config",
        ),
        ("--from main --to passing", "the users of namespace passing live in memory: --db PATH names a database"),
        (
            "--from main --to ghost",
            "there is no namespace ghost in tailor-idp.toml: it has back, main, passing; --no-config ignores the file",
        ),
    ] {
        let refused = run(&folder, None, &format!("users copy {arguments}"));
        assert_eq!(refused, end(2, "", &format!("error: {text}\n")), "{arguments}");
    }
    let within = run(&folder, None, "users copy --from main --to other --db users.db --no-config");
    assert_eq!(within.code, Some(0), "{within:#?}");
}

#[test]
fn users_survive_the_way_to_workos_and_back_when_the_copy_is_killed() {
    let Some(emulator) = Emulator::start() else { return };
    let count = round_trip_users();
    let user = |number: usize| match number % 3 {
        0 => json!({ "name": format!("user{number}@example.com"), "passwordHash": BCRYPT }),
        1 => json!({ "name": format!("user{number}@example.com"), "passwordHash": SCRYPT }),
        _ => named(&format!("user{number}@example.com")),
    };
    let users: Vec<_> = (0..count).map(user).collect();
    let folder = with_users(&settings(&workos(&emulator, "staff")), &users);
    let copy = ["users", "copy", "--from", "main", "--to", "staff", "--json"];
    let mut killed = program();
    killed.current_dir(folder.path()).args(copy).env("WORKOS_KEY", &emulator.api_key);
    let mut killed = killed.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while exported(&folder, Some(&emulator), "--namespace staff").len() < count / 10 {
        assert_eq!(killed.try_wait().unwrap(), None, "it ended before it could be killed");
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    let first = exported(&folder, Some(&emulator), "--namespace staff").len();
    assert!(first < count, "it was killed too late");

    let resumed = run(&folder, Some(&emulator), &copy.join(" "));
    let report = resumed.json();
    assert_eq!(resumed.code, Some(0), "{resumed:#?}");
    // Requests under way when it was killed could still take effect.
    assert_eq!(report["copied"].as_u64().unwrap() + report["alreadyThere"].as_u64().unwrap(), count as u64);
    assert!(report["alreadyThere"].as_u64().unwrap() >= first as u64, "{report}");
    let passwords: Vec<_> = ["copied", "none", "notTaken"].iter().map(|state| &report["passwords"][state]).collect();
    assert!(passwords.iter().all(|state| state.as_u64() > Some(0)), "{report}");

    let back = run(&folder, Some(&emulator), "users copy --from staff --to back --json");
    assert_eq!((back.code, &back.json()["copied"]), (Some(0), &json!(count)), "{back:#?}");
    assert_eq!(back.json()["passwords"]["unknown"], json!(count));
    let names = |namespace: &str| -> BTreeSet<String> {
        let users = exported(&folder, Some(&emulator), &format!("--namespace {namespace}"));
        assert_eq!(users.len(), count, "{namespace}");
        users.iter().map(|user| user["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("back"), names("main"));
}

#[test]
fn copy_to_a_service_says_whom_it_cannot_have() {
    let Some(emulator) = Emulator::start() else { return };
    let users = [named("ana@example.com"), json!({ "name": "bo@example.com", "disabled": true })];
    let folder = with_users(&settings(&workos(&emulator, "staff")), &users);
    let stderr = "note: not copied to WorkOS: ids, MFA factors, times of creation, password hashes other than bcrypt and Argon2id\n\
                  note: skipped, because WorkOS cannot have them: disabled users\n\
                  skipped: bo@example.com: WorkOS does not support disabling users\n";
    for (flag, verb) in [(" --dry-run", "would copy"), ("", "copied")] {
        let copied = run(&folder, Some(&emulator), &format!("users copy --from main --to staff{flag}"));
        let text = format!(
            "{verb} 1 user; 0 already there, 0 there and differing, 1 skipped, 0 failed\n  1 without a password, as before\n"
        );
        assert_eq!(copied, end(0, &text, stderr));
    }
}

#[test]
fn copy_skips_users_whose_names_a_service_cannot_have() {
    let Some(emulator) = Emulator::start() else { return };
    let names = "userAuthPolicy.useNonEmailIdentifier = true\n";
    let text = settings(&format!("{}[namespace.staff]\n{names}", workos(&emulator, "staff")))
        .replace("[namespace.main]", &format!("[namespace.main]\n{names}"));
    let folder = with_users(&text, &["ana@example.com", "bo"].map(named));
    let copied = run(&folder, Some(&emulator), "users copy --from main --to staff --json");
    let report = copied.json();
    assert_eq!((copied.code, &report["copied"], &report["failed"]), (Some(0), &json!(1), &json!([])), "{copied:#?}");
    let reason = "WorkOS does not support users whose name is no e-mail address";
    assert_eq!(report["skipped"], json!([{ "name": "bo", "reason": reason }]));
    assert_eq!(report["skippedKinds"], json!(["disabled users", "users whose name is no e-mail address"]));
}

#[test]
fn repeated_copy_names_the_same_users_who_need_a_new_password() {
    let auth0 = Auth0::start();
    let users = [json!({ "name": "ana@example.com", "passwordHash": BCRYPT }), named("bo@example.com")];
    let folder = with_users(&settings(&auth0.namespace("staff")), &users);
    let lines = "  1 without a password, as before\n  \
                 1 without a password, so a new one has to be set: Auth0 does not take the hash\n";
    for (flag, counts) in [
        (" --dry-run", "would copy 2 users; 0 already there"),
        ("", "copied 2 users; 0 already there"),
        ("", "copied 0 users; 2 already there"),
    ] {
        let copied = run(&folder, None, &format!("users copy --from main --to staff{flag}"));
        let text = format!("{counts}, 0 there and differing, 0 skipped, 0 failed\n{lines}");
        assert_eq!((copied.code, &*copied.stdout), (Some(0), &*text));
        let named = copied.stderr.lines().skip(1).collect::<Vec<_>>();
        assert_eq!(named, ["new password: ana@example.com: Auth0 does not take the hash"]);
    }
    let report = run(&folder, None, "users copy --from main --to staff --json").json();
    let needing = json!([{ "name": "ana@example.com", "reason": "Auth0 does not take the hash" }]);
    assert_eq!((&report["needNewPassword"], &report["passwords"]["notTaken"]), (&needing, &json!(1)));
}

#[test]
fn repeated_copy_says_what_is_known_of_passwords_on_the_other_side() {
    let Some(emulator) = Emulator::start() else { return };
    let users = [
        json!({ "name": "ana@example.com", "passwordHash": BCRYPT }),
        json!({ "name": "bo@example.com", "passwordHash": SCRYPT }),
    ];
    let folder = with_users(&settings(&workos(&emulator, "staff")), &users);
    let passwords = |command: &str| {
        let report = run(&folder, Some(&emulator), &format!("users copy --from main {command} --json")).json();
        let counts = report["passwords"].as_object().unwrap().iter().filter(|(_, count)| **count != json!(0));
        let counts: Vec<_> = counts.map(|(state, _)| state.clone()).collect();
        (counts, report["needNewPassword"].clone())
    };
    // WorkOS does not tell who has a password.
    let bo = json!([{ "name": "bo@example.com", "reason": "WorkOS does not take the hash" }]);
    assert_eq!(passwords("--to staff"), (vec!["copied".to_owned(), "notTaken".to_owned()], bo.clone()));
    assert_eq!(passwords("--to staff"), (vec!["notTaken".to_owned(), "notTold".to_owned()], bo));
    // A database does.
    assert_eq!(run(&folder, None, "users create ana@example.com --namespace back").code, Some(0));
    let ana = json!([{ "name": "ana@example.com", "reason": "there before, without a password" }]);
    assert_eq!(passwords("--to back"), (vec!["copied".to_owned(), "missing".to_owned()], ana.clone()));
    assert_eq!(passwords("--to back"), (vec!["kept".to_owned(), "missing".to_owned()], ana));
}

#[test]
fn repeated_copy_to_descope_knows_who_has_a_password() {
    let descope = FakeDescope::new();
    let url = super::serve(descope.server(|service| service));
    let staff = format!(
        "[namespace.staff.store.descope]\nproject_id = \"{PROJECT}\"\nmanagement_key_env = \"DESCOPE_KEY\"\nbase_url = \"{url}\"\n"
    );
    let users = [
        json!({ "name": "ana@example.com", "passwordHash": BCRYPT }),
        json!({ "name": "bo@example.com", "passwordHash": SCRYPT }),
    ];
    let folder = with_users(&settings(&staff), &users);
    let copy = |arguments: &[&str]| {
        let copied = folder
            .run_with(&[&["users", "copy", "--json"], arguments].concat(), |program| program.env("DESCOPE_KEY", KEY));
        assert_eq!(copied.code, Some(0), "{copied:#?}");
        let report = copied.json();
        let counts = report["passwords"].as_object().unwrap().clone();
        let states: Vec<_> =
            counts.into_iter().filter(|(_, count)| *count != json!(0)).map(|(state, _)| state).collect();
        (states, report["needNewPassword"].as_array().unwrap().len())
    };
    let states = |states: [&str; 2]| states.map(str::to_owned).to_vec();
    assert_eq!(copy(&["--from", "main", "--to", "staff"]), (states(["copied", "notTaken"]), 1));
    assert_eq!(copy(&["--from", "main", "--to", "staff"]), (states(["kept", "notTaken"]), 1));
    // Whoever has no password at Descope needs none elsewhere.
    assert_eq!(copy(&["--from", "staff", "--to", "back"]), (states(["none", "unknown"]), 1));
}

#[test]
fn copy_keeps_to_the_rate_of_a_service() {
    let auth0 = Auth0::start();
    auth0.fake.tenant().rate = Some(5);
    let users: Vec<_> = (0..20).map(|number| named(&format!("user{number}@example.com"))).collect();
    let folder = with_users(&settings(&auth0.namespace("staff")), &users);
    let copied = run(&folder, None, "users copy --from main --to staff");
    assert_eq!(copied.code, Some(0), "{copied:#?}");
    assert!(copied.stdout.starts_with("copied 20 users; "), "{copied:#?}");
    assert!(copied.stderr.contains("s: Auth0 takes no more requests for now: try again in "), "{copied:#?}");
    assert_eq!(auth0.fake.tenant().users().count(), 20);
}

#[test]
fn copy_from_auth0_into_a_database_keeps_states_and_times() {
    let auth0 = Auth0::start();
    for (email, blocked) in [("ana@example.com", false), ("bo@example.com", true)] {
        let fields = json!({ "email": email, "blocked": blocked, "created_at": "2012-03-04T05:06:07.089Z" });
        auth0.fake.tenant().add(CONNECTION, fields);
    }
    let folder = with_users(&settings(&auth0.namespace("staff")), &[named("cy@example.com")]);
    let copied = run(&folder, None, "users copy --from staff --to main");
    let text = "copied 2 users; 0 already there, 0 there and differing, 0 skipped, 0 failed\n  \
                2 without a password, so a new one has to be set: Auth0 gives out no hashes\n";
    let stderr = "note: not copied to the user store: ids, MFA factors, passwords (Auth0 gives out no hashes)\n\
                  new password: ana@example.com: Auth0 gives out no hashes\n\
                  new password: bo@example.com: Auth0 gives out no hashes\n";
    assert_eq!(copied, end(0, text, stderr));
    let users = exported(&folder, None, "--namespace main");
    let time = "2012-03-04T05:06:07.089Z";
    assert_eq!(
        users[1..],
        [
            json!({ "name": "ana@example.com", "createdAt": time }),
            json!({ "name": "bo@example.com", "disabled": true, "createdAt": time }),
        ]
    );
}

#[cfg(unix)]
#[test]
fn interrupted_copy_ends_what_is_under_way_and_says_how_to_go_on() {
    let auth0 = Auth0::start();
    auth0.fake.tenant().latency = Duration::from_millis(100);
    let users: Vec<_> = (0..300).map(|number| named(&format!("user{number}@example.com"))).collect();
    let folder = with_users(&settings(&auth0.namespace("staff")), &users);
    let mut copy = program();
    copy.current_dir(folder.path()).args(["users", "copy", "--from", "main", "--to", "staff"]);
    let copy = copy.env("AUTH0_SECRET", CLIENT_SECRET).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while auth0.fake.tenant().users().count() == 0 {
        std::thread::sleep(Duration::from_millis(10));
    }
    send_signal(copy.id(), rustix::process::Signal::INT);
    let ended = copy.wait_with_output().unwrap();
    let there = auth0.fake.tenant().users().count();
    assert!(there < 300, "{there}");
    let note = "note: not copied to Auth0: ids, MFA factors, times of creation, password hashes\n";
    let text = format!("{note}interrupted: {there} users were copied; the same copy again adds the rest\n");
    assert_eq!((ended.status.code(), String::from_utf8(ended.stderr).unwrap()), (Some(130), text));
}

#[test]
fn copy_ends_at_once_when_the_credentials_are_wrong_or_lack_a_right() {
    let auth0 = Auth0::start();
    auth0.fake.tenant().scopes = vec!["read:users"];
    let users: Vec<_> = (0..40).map(|number| named(&format!("user{number}@example.com"))).collect();
    let folder = with_users(&settings(&auth0.namespace("staff")), &users);
    let copied = run(&folder, None, "users copy --from main --to staff");
    let text = "note: not copied to Auth0: ids, MFA factors, times of creation, password hashes\n\
                error: 0 users were copied; the same copy again adds the rest: Auth0 refuses the credentials of the host: the \
                application needs the scope create:users of the Auth0 Management API: answered 403 Forbidden: ";
    assert_eq!(copied.code, Some(1), "{copied:#?}");
    assert!(copied.stderr.starts_with(text), "{copied:#?}");
    let refused = auth0.fake.tenant().calls().iter().filter(|call| *call == "POST /users").count();
    assert!(refused <= 16, "those that were under way: {refused}");

    let wrong = folder.run_with(&["users", "copy", "--from", "main", "--to", "staff"], |program| {
        program.env("AUTH0_SECRET", "wrong-secret")
    });
    assert_eq!(wrong.code, Some(1));
    assert!(
        wrong.stderr.starts_with("error: namespace staff: Auth0 refuses the credentials of the host"),
        "{wrong:#?}"
    );
    assert!(!format!("{copied:?}{wrong:?}").contains(CLIENT_SECRET));
}

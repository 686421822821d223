//! `users export`.

use pretty_assertions::assert_eq;
use serde_json::{Value, json};

use super::{Auth0, CONNECTION, Emulator, run, workos};
use crate::settings::commands::{Folder, OPEN, end};

const BCRYPT: &str = "$2b$04$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy";

/// A file of users in the form of an import.
fn users() -> String {
    let ana = json!({ "name": "ana@example.com", "passwordHash": BCRYPT, "createdAt": "2012-03-04T05:06:07.089Z" });
    let bo = json!({ "name": "bo@example.com", "disabled": true, "createdAt": "2013-03-04T05:06:07.000Z" });
    format!("{ana}\n{bo}\n")
}

fn imported() -> Folder {
    let folder = Folder::new(&[("tailor-idp.toml", OPEN), ("users.jsonl", &users())]);
    assert_eq!(folder.run(&["users", "import", "users.jsonl"]).code, Some(0));
    folder
}

#[test]
fn export_with_hashes_is_what_was_imported() {
    let folder = imported();
    let exported = folder.run(&["users", "export", "--hashes"]);
    assert_eq!(exported, end(0, &users(), "exported 2 users, 1 with a password hash\n"));
    let to_file = folder.run(&["users", "export", "out.jsonl", "--hashes", "--json"]);
    assert_eq!((to_file.code, to_file.json()), (Some(0), json!({ "exported": 2, "hashes": 1 })));
    assert_eq!(std::fs::read_to_string(folder.path().join("out.jsonl")).unwrap(), users());
    let again = folder.run(&["users", "import", "out.jsonl", "--db", "other.db"]);
    assert_eq!(again.stdout, "imported 2 users, skipped 0 whose names were taken\n");
}

#[test]
fn export_has_no_hashes_unless_asked_for() {
    let folder = imported();
    let exported = folder.run(&["users", "export"]);
    assert!(exported.stdout.contains("ana@example.com") && !exported.stdout.contains("$2b$"), "{exported:#?}");
}

#[test]
fn export_replaces_a_file_only_if_forced_and_leaves_no_other() {
    let folder = imported();
    let refused = folder.run(&["users", "export", "users.jsonl"]);
    assert_eq!(refused, end(2, "", "error: there is a file users.jsonl: --force replaces it\n"));
    let replaced = folder.run(&["users", "export", "users.jsonl", "--force"]);
    assert_eq!(replaced, end(0, "exported 2 users, 0 with a password hash\n", ""));
    let missing = folder.run(&["users", "export", "no/such/folder.jsonl"]);
    assert_eq!(missing.code, Some(2), "{missing:#?}");
    let files = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(files.into_iter().all(|name| !name.to_string_lossy().ends_with(".tmp")));
}

#[cfg(unix)]
#[test]
fn exported_file_is_readable_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = imported();
    assert_eq!(folder.run(&["users", "export", "out.jsonl", "--hashes"]).code, Some(0));
    let mode = std::fs::metadata(folder.path().join("out.jsonl")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn users_of_a_service_are_exported_without_a_total_over_several_pages() {
    let Some(emulator) = Emulator::start() else { return };
    let folder = Folder::new(&[("tailor-idp.toml", &workos(&emulator, "staff"))]);
    for number in 0..3 {
        let name = format!("users create user{number}@example.com");
        assert_eq!(run(&folder, Some(&emulator), &name).code, Some(0));
    }
    let exported = run(&folder, Some(&emulator), "users export");
    assert_eq!(exported.code, Some(0), "{exported:#?}");
    let names: Vec<_> =
        exported.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["name"].clone()).collect();
    assert_eq!(names, ["user0@example.com", "user1@example.com", "user2@example.com"]);
    let hashes = run(&folder, Some(&emulator), "users export --hashes");
    let text = "error: --hashes: WorkOS holds the users of namespace staff and gives out no hashes\n";
    assert_eq!(hashes, end(2, "", text));
}

#[test]
fn users_of_auth0_are_exported_beyond_the_window_of_its_listings() {
    let auth0 = Auth0::start();
    for number in 0..1200 {
        let fields = json!({ "email": format!("user{number}@example.com"), "blocked": number == 7 });
        auth0.fake.tenant().add(CONNECTION, fields);
    }
    let folder = Folder::new(&[("tailor-idp.toml", &auth0.namespace("staff"))]);
    let exported = run(&folder, None, "users export out.jsonl");
    assert_eq!(exported, end(0, "exported 1200 users, 0 with a password hash\n", ""));
    let lines = std::fs::read_to_string(folder.path().join("out.jsonl")).unwrap();
    let users: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(users.len(), 1200);
    assert_eq!((&users[1199]["name"], &users[7]["disabled"]), (&json!("user1199@example.com"), &json!(true)));
}

#[test]
fn export_that_fails_in_the_midst_leaves_no_file() {
    let auth0 = Auth0::start();
    for number in 0..1001 {
        // All at one time: Auth0 does not list those beyond the thousandth.
        let fields = json!({ "email": format!("user{number}@example.com"), "created_at": "2026-01-15T12:00:00.000Z" });
        auth0.fake.tenant().add(CONNECTION, fields);
    }
    let folder = Folder::new(&[("tailor-idp.toml", &auth0.namespace("staff"))]);
    let exported = run(&folder, None, "users export out.jsonl");
    assert_eq!(exported.code, Some(1), "{exported:#?}");
    let start =
        "error: namespace staff: not all users could be read: Auth0 lists only the first 1000 users of a connection: ";
    assert!(exported.stderr.starts_with(start), "{}", exported.stderr);
    let files = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(files, 1, "the settings alone");
}

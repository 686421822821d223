//! `tailor-idp users enroll-mfa`.

use std::sync::Arc;

use pretty_assertions::assert_eq;
use tailor_idp::idp::store::SqliteDatabase;
use tailor_idp::idp::{MfaKey, NamespaceSettings, Router, Timestamp};
use tempfile::TempDir;
use totp_rs::Totp;

use crate::support::{End, namespace, program};

#[tokio::test]
async fn users_enroll_mfa_adds_a_confirmed_factor() {
    let folder = TempDir::new().unwrap();
    let (db, key_file) = (folder.path().join("users.db"), folder.path().join("key.txt"));
    // 32 bytes of 1.
    std::fs::write(&key_file, "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n").unwrap();
    let users = |arguments: &[&str]| {
        let mut users = program();
        users.args(["users", "--enable-mfa", "--json", "--namespace", "home", "--db"]).arg(&db).args(arguments);
        users
    };
    let created = End::of(&mut users(&["create", "ana@example.com"]));
    assert_eq!(created.code, Some(0), "{created:#?}");
    let enrolled = End::of(users(&["enroll-mfa", "ana@example.com", "--mfa-key-file"]).arg(&key_file));
    assert_eq!(enrolled.stderr, "note: confirmed with a code that this program computed itself\n");
    let enrolled = enrolled.json();
    let user = End::of(&mut users(&["get", "ana@example.com"])).json();
    assert_eq!(user["mfaFactorIds"], serde_json::json!([enrolled["mfaFactorId"]]));

    let app = Totp::from_url(enrolled["otpauthUri"].as_str().unwrap()).unwrap();
    assert_eq!(app.secret().to_base32(), enrolled["secret"].as_str().unwrap());
    // One hour later: the confirming code is no longer valid.
    let later = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap() + 3600;
    let clock = Arc::new(move || Timestamp::from_unix_millis(later * 1000));
    let database = SqliteDatabase::open_with_clock(&db, clock).unwrap();
    let store = database.namespace(&namespace("home")).await.unwrap();
    let settings = NamespaceSettings::default().enable_mfa(true);
    let idp = Router::builder()
        .namespace(namespace("home"), Arc::new(store), settings)
        .mfa_key(MfaKey::new(1, [1; 32]))
        .build();
    let id = user["id"].as_str().unwrap();
    assert!(idp.verify_mfa("home", id, &app.generate(later as u64).to_string()).await.unwrap());

    let missing = End::of(users(&["enroll-mfa", "ana@example.com", "--mfa-key-file"]).arg(folder.path().join("none")));
    assert_eq!(missing.code, Some(2), "{missing:#?}");
    assert!(missing.stderr.starts_with("error: --mfa-key-file"), "{}", missing.stderr);
}

//! Arguments and JSON output of `tailor-idp explain`. Its text output is tested by the examples of docs/permission.md.

use std::path::Path;

use pretty_assertions::assert_eq;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{End, program};

const ANA: &str = r#"{"id": "1", "name": "ana@example.com"}"#;

fn explain(folder: &Path, arguments: &[&str]) -> End {
    End::of(program().current_dir(folder).arg("explain").args(arguments))
}

fn folder(permission: &Value) -> TempDir {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("permission.json"), permission.to_string()).unwrap();
    folder
}

#[test]
fn json_output_has_deciding_policy_and_compared_values() {
    let own = json!({ "conditions": [[{ "idpUser": "id" }, "=", { "user": "id" }]], "description": "oneself" });
    let folder = folder(&json!({ "permission": { "read": [own] } }));
    let arguments = ["--operation", "read", "--permission", "permission.json", "--user-json", ANA, "--json"];
    let invoker = [&arguments[..], &["--invoker", r#"{"id": "1", "type": "user"}"#]].concat();
    let side = |operand: Value, value: Value| json!({ "operand": operand, "value": value, "equalsNothing": null });
    let expected = json!({
        "allowed": true,
        "decisions": [{
            "operation": "read", "allowed": true, "reason": "policy", "policy": 0,
            "policies": [{
                "index": 0, "description": "oneself", "permit": true, "matched": true,
                "conditions": [{
                    "left": side(json!({ "idpUser": "id" }), json!("1")), "operator": "=",
                    "right": side(json!({ "user": "id" }), json!("1")), "held": true,
                }],
            }],
        }],
    });
    let end = explain(folder.path(), &invoker);
    assert_eq!((end.json(), end.code), (expected, Some(0)));
    let anonymous = explain(folder.path(), &arguments);
    let decision = &anonymous.json()["decisions"][0];
    assert_eq!((&decision["allowed"], &decision["reason"]), (&json!(false), &json!("no-policy")));
    assert_eq!(anonymous.code, Some(0), "a denial is explained, too");
}

#[test]
fn dates_of_toml_are_text() {
    let folder = TempDir::new().unwrap();
    let permission = "read = [{ conditions = [[{ user = \"since\" }, \"=\", 2026-01-02]] }]";
    std::fs::write(folder.path().join("permission.toml"), permission).unwrap();
    let invoker = r#"{"id": "1", "type": "user", "attributeMap": {"since": "2026-01-02"}}"#;
    let arguments = ["--operation", "read", "--permission", "permission.toml", "--user-json", ANA, "--json"];
    let end = explain(folder.path(), &[&arguments[..], &["--invoker", invoker]].concat());
    assert_eq!(end.code, Some(0), "{}", end.stderr);
    let decision = &end.json()["decisions"][0];
    let condition = &decision["policies"][0]["conditions"][0];
    assert_eq!((&condition["right"]["operand"], &condition["held"]), (&json!("2026-01-02"), &json!(true)));
}

#[test]
fn explain_finds_user_of_store_by_name_and_id() {
    let folder = folder(&json!({ "read": [{ "conditions": [[{ "idpUser": "disabled" }, "=", true]] }] }));
    let create = ["users", "create", "cy@example.com", "--disabled", "--db", "users.db", "--json"];
    let id = End::of(program().current_dir(folder.path()).args(create)).json()["id"].as_str().unwrap().to_owned();
    for user in ["cy@example.com", &id] {
        let end = explain(
            folder.path(),
            &["--operation", "read", "--permission", "permission.json", "--user", user, "--db", "users.db", "--json"],
        );
        assert_eq!(end.json()["allowed"], json!(true), "{user}");
    }
    let ghost = explain(
        folder.path(),
        &["--operation", "read", "--permission", "permission.json", "--user", "ghost", "--db", "users.db"],
    );
    assert_eq!((ghost.code, ghost.stderr.as_str()), (Some(1), "error: --user: user not found: ghost\n"));
}

#[test]
fn explain_reports_invalid_arguments_and_all_faults_of_permission() {
    let folder = folder(&json!({ "red": [], "read": [{}, { "permit": true }] }));
    let with = |more: &[&str]| {
        let end = explain(folder.path(), &[&["--permission", "permission.json", "--user-json", ANA], more].concat());
        assert_eq!((end.code, end.stdout.as_str()), (Some(2), ""));
        end.stderr
    };
    assert_eq!(
        with(&["--operation", "read"]),
        "error: permission.json is no permission:\n  red: unknown operation \"red\": did you mean \"read\"?\n  \
         read.0.conditions: is missing: conditions = [] is how a policy says that it always matches, for everybody\n  \
         read.1.conditions: is missing: conditions = [] is how a policy says that it always matches, for everybody\n"
    );
    assert!(with(&["--operation", "raed"]).contains("one of create, read, update, delete"));
    std::fs::write(folder.path().join("permission.json"), "{}").unwrap();
    assert_eq!(
        with(&["--operation", "read", "--new-user-json", "{}"]),
        "error: --new-user-json goes with --operation update\n"
    );
    assert_eq!(
        with(&["--operation", "update", "--new-user-json", r#"{"id": "2"}"#]),
        "error: --new-user-json: the id of a user does not change\n"
    );
    assert!(with(&["--operation", "read", "--invoker", "{"]).starts_with("error: --invoker is not JSON: EOF"));
    assert!(
        with(&["--operation", "read", "--invoker", "nowhere.json"])
            .starts_with("error: cannot read --invoker nowhere.json: ")
    );
    let missing = explain(folder.path(), &["--operation", "read", "--user-json", ANA]);
    assert_eq!(
        (missing.code, missing.stderr.as_str()),
        (Some(2), "error: there is no tailor-idp.toml: --permission FILE names a permission\n")
    );
    std::fs::write(
        folder.path().join("tailor-idp.toml"),
        "[namespace.staff]\nstore = \"memory\"\npermission = \"allow-all\"\n",
    )
    .unwrap();
    let of_settings = explain(folder.path(), &["--operation", "read", "--user-json", ANA, "--json"]);
    assert_eq!(of_settings.json()["allowed"], json!(true));
}

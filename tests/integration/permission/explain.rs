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
    let unknown = "error: --user: user not found: ghost: a call for this user fails with PERMISSION_DENIED, since the \
                   invoker may not read every user\n";
    assert_eq!((ghost.code, ghost.stderr.as_str()), (Some(1), unknown));
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
         read[0].conditions: is missing: write conditions = [] for a policy that matches everybody\n  \
         read[1].conditions: is missing: write conditions = [] for a policy that matches everybody\n"
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

#[test]
fn explain_normalises_names_as_the_call_does() {
    let policy = |left: Value, name: &str| json!([{ "conditions": [[left, "=", name]] }]);
    let folder = folder(&json!({
        "create": policy(json!({ "idpUser": "name" }), "x@xn--bcher-kva.example"),
        "read": policy(json!({ "idpUser": "name" }), "ana@example.com"),
        "update": policy(json!({ "newIdpUser": "name" }), "ana@example.com"),
        "delete": policy(json!({ "idpUser": "name" }), "Ana@ｅxample.com"),
    }));
    let with = |arguments: &[&str]| {
        explain(folder.path(), &[&["--permission", "permission.json", "--json"], arguments].concat())
    };
    let allowed = |arguments: &[&str]| {
        let end = with(arguments);
        assert_eq!(end.code, Some(0), "{}", end.stderr);
        end.json()["allowed"].clone()
    };
    let ana = r#"{"id": "1", "name": "Ana@ｅxample.com"}"#;
    let bo = ["--operation", "update", "--user-json", r#"{"id": "2", "name": "bo@example.com"}"#, "--new-user-json"];
    let to_ana = [&bo[..], &[r#"{"name": "ANA@example.com"}"#]].concat();
    assert_eq!(allowed(&["--operation", "read", "--user-json", ana]), json!(true));
    assert_eq!(
        allowed(&["--operation", "delete", "--user-json", ana]),
        json!(false),
        "literals are as they are written"
    );
    assert_eq!(allowed(&["--operation", "create", "--user-json", r#"{"name": "X@Bücher.example"}"#]), json!(true));
    assert_eq!(allowed(&to_ana), json!(true));

    // The settings say what names are.
    let write = |settings: String| std::fs::write(folder.path().join("tailor-idp.toml"), settings).unwrap();
    let customers = "[namespace.customers]\nstore = \"memory\"\n";
    let staff = "[namespace.staff]\nstore = \"memory\"\nuserAuthPolicy.useNonEmailIdentifier = true\n";
    write(staff.to_owned());
    assert_eq!(allowed(&["--operation", "read", "--user-json", ana]), json!(false), "names are case-sensitive");
    assert_eq!(allowed(&["--operation", "delete", "--user-json", ana]), json!(true));
    assert_eq!(allowed(&to_ana), json!(false));
    write(format!("{staff}{customers}"));
    for (namespace, expected) in [("staff", false), ("customers", true)] {
        let arguments = ["--operation", "read", "--user-json", ana, "--namespace", namespace];
        assert_eq!(allowed(&arguments), json!(expected), "{namespace}");
    }
    let end = with(&["--operation", "read", "--user-json", ana]);
    assert!(end.stderr.starts_with("error: --namespace NAME is missing"), "{}", end.stderr);

    // A name that the call refuses before it evaluates the permission.
    write(customers.to_owned());
    let end = with(&["--operation", "create", "--user-json", r#"{"name": "x"}"#]);
    let refused = "error: --user-json: name must be an e-mail address: got \"x\"\n";
    assert_eq!((end.code, end.stderr.as_str()), (Some(2), refused));
    let end = with(&[&bo[..], &[r#"{"name": "x"}"#]].concat());
    let refused = "error: --new-user-json: name must be an e-mail address: got \"x\"\n";
    assert_eq!((end.code, end.stderr.as_str()), (Some(2), refused));
}

#[test]
fn explain_agrees_with_the_call_for_another_spelling_of_the_own_name() {
    let folder = TempDir::new().unwrap();
    let permission =
        r#"permission.update = [{ conditions = [[{ newIdpUser = "name" }, "=", { oldIdpUser = "name" }]] }]"#;
    let settings = format!("[namespace.builtin-idp]\nstore = {{ sqlite = \"users.db\" }}\n{permission}\n");
    std::fs::write(folder.path().join("tailor-idp.toml"), settings).unwrap();
    let create = ["users", "create", "ana@example.com", "--json"];
    let id = End::of(program().current_dir(folder.path()).args(create)).json()["id"].as_str().unwrap().to_owned();
    let script = "export default ({ id, name }) => new tailor.idp.Client('builtin-idp').updateUser({ id, name });";
    std::fs::write(folder.path().join("main.js"), script).unwrap();
    for (name, allowed) in [("ANA@ｅxample.com", true), ("anna@example.com", false)] {
        let argument = json!({ "id": id, "name": name }).to_string();
        let call = End::of(program().current_dir(folder.path()).args(["run", "main.js", "--arg", &argument]));
        assert_eq!(call.code == Some(0), allowed, "{name}: {}", call.stderr);
        let change = json!({ "name": name }).to_string();
        let arguments = ["--operation", "update", "--user", "ana@example.com", "--new-user-json", &change, "--json"];
        assert_eq!(explain(folder.path(), &arguments).json()["allowed"], json!(allowed), "{name}");
    }
}

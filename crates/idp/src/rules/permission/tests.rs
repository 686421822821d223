use std::sync::Arc;

use pretty_assertions::assert_eq;
use serde_json::{Value, json};

use super::*;
use crate::model::{Field, Scalar};

const ANA: Subject<'static> = Subject { id: Some("1"), name: "ana@example.com", disabled: false };
const BO: Subject<'static> = Subject { id: Some("2"), name: "bo@example.com", disabled: true };

fn config(value: Value) -> PermissionConfig {
    serde_json::from_value(value).unwrap()
}

fn faults(value: Value) -> Vec<String> {
    config(value).compile().unwrap_err().iter().map(ToString::to_string).collect()
}

/// The faults of one condition for `operation`, without the path to it.
fn condition_faults(operation: &str, condition: Value) -> Vec<String> {
    let prefix = format!("{operation}[0].conditions[0]");
    let faults = faults(json!({ operation: [{ "conditions": [condition] }] }));
    faults.iter().map(|fault| fault.strip_prefix(&prefix).unwrap_or(fault).to_owned()).collect()
}

fn invoker() -> Principal {
    let invoker = json!({
        "id": "1",
        "type": "user",
        "attributeMap": {
            "role": "admin", "beta": true, "staff": ["ana@example.com", "cy@example.com"], "flags": [true],
            "level": 5, "none": null, "mixed": [1, "ana@example.com", null, true, ["bo@example.com"]],
            "foreign": [5, null, ["ana@example.com"], { "a": "ana@example.com" }], "deep": { "a": 1 }, "empty": [],
        },
    });
    Principal::Invoker(Arc::new(serde_json::from_value(invoker).unwrap()))
}

/// Whether one condition holds for reading `subject`, by `allows` and by `decide`.
fn holds(condition: Value, principal: &Principal, subject: Subject<'_>) -> bool {
    let permission = config(json!({ "read": [{ "conditions": [condition.clone()] }] })).compile().unwrap();
    let target = Target::User(subject);
    let allowed = permission.allows(Operation::Read, principal, &target);
    let decision = permission.decide(Operation::Read, principal, &target);
    assert_eq!((decision.allowed, decision.policies[0].conditions[0].held), (allowed, allowed), "{condition}");
    allowed
}

#[test]
fn permission_denies_everything_when_there_is_no_policy() {
    for permission in [Permission::deny_all(), config(json!({})).compile().unwrap()] {
        for operation in Operation::ALL {
            assert!(!permission.allows(operation, &invoker(), &Target::User(ANA)), "{}", operation.name());
        }
        assert!(permission.visible(&invoker()).is_nobody());
        assert!(
            permission.allows(Operation::Delete, &Principal::Host, &Target::User(ANA)),
            "the host is not restricted"
        );
        assert!(permission.visible(&Principal::Host).is_everybody());
    }
}

#[test]
fn allow_all_permits_everything_to_everybody() {
    let permission = config(json!("allow-all")).compile().unwrap();
    for operation in Operation::ALL {
        assert!(permission.allows(operation, &Principal::Anonymous, &Target::User(ANA)), "{}", operation.name());
    }
    let decision = permission.decide(Operation::Read, &Principal::Anonymous, &Target::User(ANA));
    assert_eq!((decision.allowed, decision.reason), (true, Reason::AllowAll));
    assert_eq!(faults(json!("allow_all")), [r#"unknown permission "allow_all": the only keyword is "allow-all""#]);
}

#[test]
fn principal_reads_everybody_when_no_user_can_escape_the_policies() {
    let reads = |read: Value| config(json!({ "read": read })).compile().unwrap().reads_everybody(&invoker());
    let [ana, not_ana] = ["=", "!="].map(|operator| json!([{ "idpUser": "name" }, operator, "ana@example.com"]));
    let [admin, member] = ["admin", "member"].map(|role| json!([{ "user": "role" }, "=", role]));
    for everybody in [
        json!([{ "conditions": [] }]),
        json!([{ "conditions": [admin] }]),
        json!([{ "conditions": [ana] }, { "conditions": [not_ana] }]),
        json!([{ "conditions": [admin] }, { "conditions": [member, ana], "permit": false }]),
        json!([{ "conditions": [[{ "idpUser": "name" }, "=", { "idpUser": "name" }]] }]),
    ] {
        assert!(reads(everybody.clone()), "{everybody}");
    }
    for some in [
        json!([]),
        json!([{ "conditions": [member] }]),
        json!([{ "conditions": [not_ana] }]),
        json!([{ "conditions": [] }, { "conditions": [ana], "permit": false }]),
        json!([{ "conditions": [[{ "idpUser": "name" }, "in", { "user": "staff" }]] }]),
    ] {
        assert!(!reads(some.clone()), "{some}");
    }
}

#[test]
fn policy_with_empty_conditions_always_matches_and_permits_by_default() {
    let allowed = |policy: Value| {
        let permission = config(json!({ "delete": [policy] })).compile().unwrap();
        permission.allows(Operation::Delete, &Principal::Anonymous, &Target::User(ANA))
    };
    assert!(allowed(json!({ "conditions": [] })));
    assert!(!allowed(json!({ "conditions": [], "permit": false })));
}

#[test]
fn compile_rejects_policies_without_conditions() {
    let missing = "is missing: write conditions = [] for a policy that matches everybody";
    let policies = [
        json!({ "permit": true }),
        json!({ "permit": false }),
        json!({ "description": "oneself only" }),
        json!({ "permits": false }),
        json!({}),
    ];
    for policy in policies {
        let fault = format!("read[0].conditions: {missing}");
        let faults = faults(json!({ "read": [policy.clone()] }));
        assert_eq!(faults.last(), Some(&fault), "{policy}: {faults:?}");
    }
    let misspelled = json!({ "delete": [{ "condition": [] }] });
    assert_eq!(faults(misspelled), [r#"delete[0].condition: unknown key "condition": did you mean "conditions"?"#]);
    let null = json!({ "delete": [{ "conditions": null }] });
    assert_eq!(faults(null), ["delete[0].conditions: expected a list of conditions: got null"]);
}

#[test]
fn denying_policy_takes_precedence_at_any_position() {
    let permit = json!({ "conditions": [], "description": "all" });
    let deny = json!({ "conditions": [[{ "idpUser": "disabled" }, "=", true]], "permit": false, "description": "off" });
    for (policies, index) in [(json!([permit, deny]), 1), (json!([deny, permit]), 0)] {
        let permission = config(json!({ "read": policies })).compile().unwrap();
        let decide = |subject| permission.decide(Operation::Read, &Principal::Anonymous, &Target::User(subject));
        assert!(decide(ANA).allowed);
        let denied = decide(BO);
        assert_eq!((denied.allowed, denied.reason), (false, Reason::Policy(index)));
        assert_eq!(denied.policy().unwrap().description.as_deref(), Some("off"));
        assert!(!permission.allows(Operation::Read, &Principal::Anonymous, &Target::User(BO)));
    }
}

#[test]
fn policy_matches_when_all_conditions_hold() {
    let both = json!([[{ "user": "role" }, "=", "admin"], [{ "idpUser": "disabled" }, "=", true]]);
    let permission = config(json!({ "read": [{ "conditions": both }] })).compile().unwrap();
    assert!(permission.allows(Operation::Read, &invoker(), &Target::User(BO)));
    assert!(!permission.allows(Operation::Read, &invoker(), &Target::User(ANA)));
    assert!(!permission.allows(Operation::Read, &Principal::Anonymous, &Target::User(BO)));
}

#[test]
fn operands_evaluate_to_their_values() {
    for (condition, expected) in [
        (json!([{ "user": "id" }, "=", { "idpUser": "id" }]), true),
        (json!([{ "user": "_id" }, "=", "1"]), true),
        (json!([{ "user": "_loggedIn" }, "=", true]), true),
        (json!([{ "user": "_loggedIn" }, "=", "true"]), false),
        (json!([{ "user": "role" }, "=", "admin"]), true),
        (json!([{ "user": "role" }, "=", "Admin"]), false),
        (json!([{ "user": "beta" }, "=", true]), true),
        (json!([{ "idpUser": "name" }, "=", "ana@example.com"]), true),
        (json!([{ "idpUser": "disabled" }, "=", false]), true),
        (json!([{ "idpUser": "name" }, "in", { "user": "staff" }]), true),
        (json!([{ "idpUser": "disabled" }, "in", { "user": "flags" }]), false),
        (json!(["cy@example.com", "in", { "user": "staff" }]), true),
        (json!([{ "idpUser": "name" }, "in", { "user": "mixed" }]), true),
        (json!([true, "in", { "user": "mixed" }]), true),
        (json!(["1", "in", { "user": "mixed" }]), false),
        (json!(["bo@example.com", "in", { "user": "mixed" }]), false),
        (json!([{ "idpUser": "id" }, "in", ["3", "1"]]), true),
        (json!([{ "user": "role" }, "in", [true, "admin"]]), true),
        (json!(["a", "=", "a"]), true),
    ] {
        let Value::Array(mut parts) = condition.clone() else { unreachable!() };
        assert_eq!(holds(condition.clone(), &invoker(), ANA), expected, "{condition}");
        parts[1] = json!(if parts[1] == "=" { "!=" } else { "not in" });
        assert_eq!(holds(Value::Array(parts), &invoker(), ANA), !expected, "not {condition}");
    }
}

#[test]
fn missing_and_unsupported_operands_equal_nothing_and_negations_hold() {
    for left in ["absent", "level", "none", "deep", "mixed", "staff", "empty"] {
        for right in [json!("ana@example.com"), json!({ "user": left }), json!({ "idpUser": "name" })] {
            assert!(!holds(json!([{ "user": left }, "=", right]), &invoker(), ANA), "{left} = {right}");
            assert!(holds(json!([{ "user": left }, "!=", right]), &invoker(), ANA), "{left} != {right}");
        }
        assert!(!holds(json!([{ "user": left }, "in", ["5", "ana@example.com"]]), &invoker(), ANA), "{left}");
        assert!(holds(json!([{ "user": left }, "not in", ["5", "ana@example.com"]]), &invoker(), ANA), "{left}");
    }
    for right in ["absent", "level", "none", "deep", "foreign", "role", "empty"] {
        assert!(!holds(json!([{ "idpUser": "name" }, "in", { "user": right }]), &invoker(), ANA), "in {right}");
        assert!(holds(json!([{ "idpUser": "name" }, "not in", { "user": right }]), &invoker(), ANA), "not in {right}");
    }
    let anonymous = Principal::Anonymous;
    assert!(holds(json!([{ "user": "_loggedIn" }, "=", false]), &anonymous, ANA));
    assert!(!holds(json!([{ "user": "id" }, "=", { "idpUser": "id" }]), &anonymous, ANA));
    assert!(holds(json!([{ "user": "id" }, "!=", { "idpUser": "id" }]), &anonymous, ANA));
    let new = Subject { id: None, ..ANA };
    assert!(!holds(json!([{ "user": "id" }, "=", { "idpUser": "id" }]), &invoker(), new), "no id before creation");
}

#[test]
fn update_is_decided_by_the_user_before_and_after_it() {
    let conditions = json!([
        [{ "oldIdpUser": "id" }, "=", { "user": "id" }],
        [{ "newIdpUser": "name" }, "=", { "oldIdpUser": "name" }],
        [{ "newIdpUser": "disabled" }, "!=", true],
    ]);
    let permission = config(json!({ "update": [{ "conditions": conditions }] })).compile().unwrap();
    let allowed = |old, new| permission.allows(Operation::Update, &invoker(), &Target::Change { old, new });
    assert!(allowed(ANA, ANA));
    assert!(!allowed(ANA, Subject { name: "other@example.com", ..ANA }));
    assert!(!allowed(ANA, Subject { disabled: true, ..ANA }));
    assert!(allowed(Subject { disabled: true, ..ANA }, ANA));
    assert!(!allowed(BO, Subject { disabled: false, ..BO }));
}

#[test]
fn decision_contains_values_and_why_they_equal_nothing() {
    let conditions = json!([[{ "user": "level" }, "=", "5"], [{ "idpUser": "name" }, "in", { "user": "staff" }]]);
    let permission = config(json!({ "read": [{ "conditions": conditions }] })).compile().unwrap();
    let decision = permission.decide(Operation::Read, &invoker(), &Target::User(ANA));
    assert_eq!((decision.allowed, decision.reason, decision.policy()), (false, Reason::NoPolicy, None));
    let conditions = &decision.policies[0].conditions;
    let level = Compared {
        operand: json!({ "user": "level" }),
        value: Some(json!(5)),
        equals_nothing: Some("is neither a string, a boolean nor a list of those"),
    };
    assert_eq!((&conditions[0].left, conditions[0].held), (&level, false));
    assert_eq!(conditions[1].right.value, Some(json!(["ana@example.com", "cy@example.com"])));
    assert_eq!((conditions[1].held, conditions[1].right.equals_nothing), (true, None));
}

#[test]
fn denying_policy_counts_a_list_with_foreign_members() {
    let policies = json!([
        { "conditions": [] },
        { "conditions": [["banned", "in", { "user": "flags" }]], "permit": false },
        { "conditions": [[{ "idpUser": "name" }, "in", { "user": "hidden" }]], "permit": false },
    ]);
    let permission = config(json!({ "read": policies })).compile().unwrap();
    let decide = |attributes: Value| {
        let invoker = json!({ "id": "1", "type": "user", "attributeMap": attributes });
        let principal = Principal::Invoker(Arc::new(serde_json::from_value(invoker).unwrap()));
        let read = |subject| permission.allows(Operation::Read, &principal, &Target::User(subject));
        (read(ANA), read(BO), permission.visible(&principal))
    };
    let not_bo = Predicate::one_of(Field::Name, [Scalar::Text(BO.name.to_owned())]).negate();
    assert_eq!(decide(json!({ "flags": ["banned", 5] })), (false, false, Predicate::nobody()));
    assert_eq!(decide(json!({ "flags": [null, { "a": "banned" }, ["banned"]] })), (true, true, Predicate::everybody()));
    assert_eq!(decide(json!({ "hidden": [5, BO.name] })), (true, false, not_bo));

    let invoker = json!({ "id": "1", "type": "user", "attributeMap": { "flags": ["banned", 5] } });
    let principal = Principal::Invoker(Arc::new(serde_json::from_value(invoker).unwrap()));
    let decision = permission.decide(Operation::Read, &principal, &Target::User(ANA));
    let flags = &decision.policies[1].conditions[0].right;
    assert_eq!((&flags.value, flags.equals_nothing), (&Some(json!(["banned", 5])), None));
}

#[test]
fn compile_reports_all_faults_with_their_paths() {
    let faults = faults(json!({
        "updte": [],
        "list": [],
        "read": [{ "conditions": [[{ "idpUser": "nam" }, "==", 5]], "permits": false }],
        "update": [{ "conditions": [[{ "idpUser": "id" }, "=", { "user": "" }]] }, {}],
        "delete": { "conditions": [] },
        "create": ["all", { "permit": "yes", "conditions": {}, "description": 1 }],
    }));
    let expected = [
        r#"updte: unknown operation "updte": did you mean "update"?"#,
        r#"list: unknown operation "list": expected "create", "read", "update", "delete", "sendPasswordResetEmail" or "unenrollMfa""#,
        r#"read[0].conditions[0][0].idpUser: unknown field "nam": did you mean "name"?"#,
        r#"read[0].conditions[0][1]: unknown operator "==": did you mean "="?"#,
        "read[0].conditions[0][2]: a literal is a string, a boolean, or a list of those: got a number",
        r#"read[0].permits: unknown key "permits": did you mean "permit"?"#,
        "update[0].conditions[0][0]: update has no idpUser: use oldIdpUser, as the user is, or newIdpUser, as the user would be",
        "update[0].conditions[0][2].user: the key of an attribute is empty",
        "update[1].conditions: is missing: write conditions = [] for a policy that matches everybody",
        "delete: expected a list of policies: got an object",
        "create[0]: expected a policy, { conditions, permit, description }: got a string",
        "create[1].permit: expected true or false: got a string",
        "create[1].conditions: expected a list of conditions: got an object",
        "create[1].description: expected a string: got a number",
    ];
    assert_eq!(faults, expected);
}

#[test]
fn compile_rejects_malformed_conditions() {
    let one = |operation, condition| match condition_faults(operation, condition).as_slice() {
        [fault] => fault.clone(),
        faults => panic!("not one: {faults:?}"),
    };
    let id = json!({ "idpUser": "id" });
    assert_eq!(one("read", json!("x")), ": a condition is [left, operator, right]: got a string");
    assert_eq!(one("read", json!([])), ": a condition is [left, operator, right]: got 0 elements");
    assert_eq!(one("read", json!([id, "="])), ": a condition is [left, operator, right]: got 2 elements");
    assert_eq!(one("read", json!([id, "=", ["1"]])), "[2]: a list where one value belongs");
    assert_eq!(one("read", json!([["1"], "in", ["1"]])), "[0]: a list where one value belongs");
    let no_list = r#"where a list belongs: on the right of "not in" stands a list, or an attribute of the invoker's"#;
    assert_eq!(one("read", json!([id, "not in", "1"])), format!("[2]: a string {no_list}"));
    assert_eq!(one("read", json!([id, "not in", id])), format!(r#"[2]: {{ idpUser: "id" }} {no_list}"#));
    assert_eq!(one("read", json!([id, "not in", { "user": "id" }])), format!(r#"[2]: {{ user: "id" }} {no_list}"#));
    assert_eq!(
        one("read", json!([id, "in", []])),
        "[2]: an empty list: nothing is in it, so the condition decides nothing"
    );
    let literal = "a literal is a string, a boolean, or a list of those: got";
    assert_eq!(one("read", json!([id, "in", ["1", ["2"]]])), format!("[2][1]: {literal} a list"));
    assert_eq!(one("read", json!([id, "in", ["1", {}]])), format!("[2][1]: {literal} an object"));
    assert_eq!(one("read", json!([null, "=", "1"])), format!("[0]: {literal} null"));
    let kinds = r#""user", "idpUser", "oldIdpUser" or "newIdpUser""#;
    assert_eq!(one("read", json!([{}, "=", "1"])), format!("[0]: an operand has one key, {kinds}: got 0"));
    let two = json!({ "user": "id", "idpUser": "id" });
    assert_eq!(one("read", json!([two, "=", "1"])), format!("[0]: an operand has one key, {kinds}: got 2"));
    assert_eq!(
        one("read", json!([{ "idpuser": "id" }, "=", "1"])),
        r#"[0]: unknown operand "idpuser": did you mean "idpUser"?"#
    );
    assert_eq!(
        one("read", json!([{ "xyz": "id" }, "=", "1"])),
        format!(r#"[0]: unknown operand "xyz": expected {kinds}"#)
    );
    assert_eq!(one("read", json!([{ "user": 1 }, "=", "1"])), "[0].user: expected a string: got a number");
    assert_eq!(
        one("read", json!([{ "idpUser": "email" }, "=", "1"])),
        r#"[0].idpUser: unknown field "email": expected "id", "name" or "disabled""#
    );
    assert_eq!(one("read", json!([id, 1, "1"])), r#"[1]: an operator is "=", "!=", "in" or "not in": got a number"#);
    assert_eq!(one("read", json!([id, "not_in", ["1"]])), r#"[1]: unknown operator "not_in": did you mean "not in"?"#);
    for operation in ["create", "read", "delete", "sendPasswordResetEmail", "unenrollMfa"] {
        for kind in ["oldIdpUser", "newIdpUser"] {
            let expected = format!("[0]: only update has {kind}: use idpUser");
            assert_eq!(one(operation, json!([{ kind: "id" }, "=", "1"])), expected, "{operation}");
        }
    }
    let many: Vec<_> = (0..1001).map(|_| json!({ "conditions": [] })).collect();
    assert_eq!(faults(json!({ "read": many })), ["read: an operation has at most 1000 policies: got 1001"]);
}

#[test]
fn deserialize_rejects_values_that_are_neither_a_keyword_nor_a_table() {
    for value in [json!(5), json!([]), json!(null), json!(true)] {
        let error = serde_json::from_value::<PermissionConfig>(value).unwrap_err().to_string();
        assert!(error.ends_with(r#"expected "allow-all", or lists of policies by operation"#), "{error}");
    }
    let twice = serde_json::from_str::<PermissionConfig>(r#"{ "read": [], "read": [] }"#).unwrap_err().to_string();
    assert!(twice.starts_with(r#""read" is there twice"#), "{twice}");
}

#[test]
fn visible_evaluates_conditions_on_the_invoker() {
    let visible = |policies: Value, principal: &Principal| {
        config(json!({ "read": policies })).compile().unwrap().visible(principal)
    };
    let policies = json!([
        { "conditions": [[{ "user": "role" }, "=", "admin"]] },
        { "conditions": [[{ "idpUser": "id" }, "=", { "user": "id" }]] },
    ]);
    assert_eq!(visible(policies.clone(), &invoker()), Predicate::everybody());
    assert_eq!(visible(policies, &Principal::Anonymous), Predicate::nobody());
    let not_missing = json!([{ "conditions": [[{ "idpUser": "id" }, "!=", { "user": "absent" }]] }]);
    assert_eq!(visible(not_missing, &invoker()), Predicate::everybody());
    let denied = json!([{ "conditions": [] }, { "conditions": [["1", "=", { "user": "id" }]], "permit": false }]);
    assert_eq!(visible(denied.clone(), &invoker()), Predicate::nobody());
    assert_eq!(visible(denied, &Principal::Anonymous), Predicate::everybody());
}

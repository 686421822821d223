//! A reference implementation of permission over the JSON of a configuration: slow and simple.

use serde_json::Value;

/// The input of a decision as JSON. The invoker may be null; the users are `{ id, name, disabled }`.
pub(super) struct Case {
    pub(super) invoker: Value,
    pub(super) idp_user: Value,
    pub(super) old_idp_user: Value,
    pub(super) new_idp_user: Value,
}

/// Whether the list of policies permits.
pub(super) fn permits(policies: &Value, case: &Case) -> bool {
    let matching: Vec<_> = policies.as_array().unwrap().iter().filter(|policy| matches(policy, case)).collect();
    let permit = |policy: &&Value| policy.get("permit") != Some(&Value::Bool(false));
    !matching.is_empty() && matching.iter().all(permit)
}

fn matches(policy: &Value, case: &Case) -> bool {
    policy["conditions"].as_array().unwrap().iter().all(|condition| holds(condition, case))
}

fn holds(condition: &Value, case: &Case) -> bool {
    let (left, right) = (value(&condition[0], case), value(&condition[2], case));
    let is_one = |value: &Value| value.is_string() || value.is_boolean();
    let equal = is_one(&left) && left == right;
    let among = is_one(&left) && right.as_array().is_some_and(|list| list.contains(&left));
    match condition[1].as_str().unwrap() {
        "=" => equal,
        "!=" => !equal,
        "in" => among,
        "not in" => !among,
        operator => panic!("{operator}"),
    }
}

/// The value of an operand; null if it is missing.
fn value(operand: &Value, case: &Case) -> Value {
    let Some(operand) = operand.as_object() else { return operand.clone() };
    let (kind, key) = operand.iter().next().unwrap();
    let key = key.as_str().unwrap();
    match (kind.as_str(), key) {
        ("user", "id" | "_id") => case.invoker["id"].clone(),
        ("user", "_loggedIn") => (!case.invoker.is_null()).into(),
        ("user", key) => case.invoker["attributeMap"][key].clone(),
        ("idpUser", field) => case.idp_user[field].clone(),
        ("oldIdpUser", field) => case.old_idp_user[field].clone(),
        ("newIdpUser", field) => case.new_idp_user[field].clone(),
        (kind, _) => panic!("{kind}"),
    }
}

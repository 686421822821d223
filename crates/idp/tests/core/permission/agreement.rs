//! The compiled form, the store's query and the reference implementation agree for all policies.

use pretty_assertions::assert_eq;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use tailor_idp_core::store::{NewUser, PageRequest};
use tailor_idp_core::{
    Operation, Permission, PermissionConfig, Predicate, Principal, Subject, Target, UserQuery, UserRecord, Version,
};

use super::plain::{Case, permits};
use crate::fresh::FreshDatabase;
use crate::support::{Shared, by_id, create, namespace, rename, update};

/// Enough to find the faults that were introduced on trial.
const CASES: u32 = 1500;
const NAMES: [&str; 6] = ["ana", "bo", "cy", "Ana", "", "true"];
const KEYS: [&str; 4] = ["a", "b", "list", "absent"];

/// The placeholder for the id of the user with this index, until the ids are known.
fn id_of(index: usize) -> String {
    format!("#{index}")
}

fn scalar() -> impl Strategy<Value = Value> + Clone {
    prop_oneof![
        select(&NAMES[..]).prop_map(Value::from),
        (0..6usize).prop_map(|index| id_of(index).into()),
        any::<bool>().prop_map(Value::from),
    ]
}

fn list() -> impl Strategy<Value = Value> + Clone {
    prop::collection::vec(scalar(), 1..5).prop_map(Value::from)
}

/// An operand of one value, for an operation with these users.
fn operand(kinds: &'static [&'static str]) -> impl Strategy<Value = Value> + Clone {
    let field = (select(kinds), select(&["id", "name", "disabled"][..])).prop_map(|(kind, key)| json!({ kind: key }));
    prop_oneof![
        2 => scalar(),
        4 => field,
        1 => select(&["id", "_id", "_loggedIn"][..]).prop_map(|key| json!({ "user": key })),
        2 => select(&KEYS[..]).prop_map(|key| json!({ "user": key })),
    ]
}

fn condition(kinds: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let in_list = prop_oneof![list(), select(&KEYS[..]).prop_map(|key| json!({ "user": key }))];
    prop_oneof![
        (operand(kinds), select(&["=", "!="][..]), operand(kinds)).prop_map(|(l, op, r)| json!([l, op, r])),
        (operand(kinds), select(&["in", "not in"][..]), in_list).prop_map(|(l, op, r)| json!([l, op, r])),
    ]
}

fn policies(kinds: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let policy = (prop::collection::vec(condition(kinds), 0..4), prop_oneof![3 => Just(true), 1 => Just(false)])
        .prop_map(|(conditions, permit)| json!({ "conditions": conditions, "permit": permit }));
    prop::collection::vec(policy, 0..5).prop_map(Value::from)
}

/// Policies as authors write them for `read`: by id, by name, by disabled. Stores have indexes for these.
fn selective_policies() -> impl Strategy<Value = Value> {
    let equal = (select(&["id", "name"][..]), prop_oneof![scalar(), Just(json!({ "user": "id" }))])
        .prop_map(|(field, value)| json!([{ "idpUser": field }, "=", value]));
    let among = (select(&["id", "name"][..]), select(&["in", "in", "not in"][..]), list())
        .prop_map(|(field, operator, list)| json!([{ "idpUser": field }, operator, list]));
    let disabled = (select(&["=", "=", "!="][..]), prop_oneof![3 => Just(true), 1 => Just(false)])
        .prop_map(|(operator, value)| json!([{ "idpUser": "disabled" }, operator, value]));
    let condition = prop_oneof![equal, among, disabled];
    let policy = (prop::collection::vec(condition, 1..3), prop_oneof![7 => Just(true), 1 => Just(false)])
        .prop_map(|(conditions, permit)| json!({ "conditions": conditions, "permit": permit }));
    prop::collection::vec(policy, 1..4).prop_map(Value::from)
}

/// A value that no policy compares.
fn foreign() -> impl Strategy<Value = Value> + Clone {
    select(vec![json!(null), json!(5), json!([]), json!({ "a": "ana" }), json!(["ana"]), json!([true])])
}

/// A list with members that no policy compares, at any position.
fn mixed_list() -> impl Strategy<Value = Value> {
    prop::collection::vec(prop_oneof![3 => scalar(), 2 => foreign()], 0..5).prop_map(Value::from)
}

/// Null, or an invoker with attributes of all types.
fn invoker() -> impl Strategy<Value = Value> {
    let attribute = prop_oneof![
        3 => scalar(),
        2 => list(),
        2 => mixed_list(),
        1 => foreign(),
    ];
    let attributes = prop::collection::hash_map(select(&KEYS[..3]), attribute, 0..4);
    let invoker = ((0..6usize), attributes).prop_map(
        |(index, attributes)| json!({ "id": id_of(index), "type": "machine_user", "attributeMap": attributes }),
    );
    prop_oneof![1 => Just(Value::Null), 4 => invoker]
}

/// Names and whether disabled. `#` becomes the id of the user.
fn users() -> impl Strategy<Value = Vec<(String, bool)>> {
    let users = prop::collection::hash_set(select(vec!["ana", "bo", "cy", "Ana", "", "true", "#", "dee"]), 1..7);
    (users, prop::collection::vec(any::<bool>(), 8))
        .prop_map(|(names, disabled)| names.into_iter().map(ToOwned::to_owned).zip(disabled).collect())
}

fn with_ids(value: &Value, users: &[UserRecord]) -> Value {
    match value {
        Value::String(text) => match text.strip_prefix('#').and_then(|index| index.parse::<usize>().ok()) {
            Some(index) => users.get(index).map_or("ghost", |user| &user.id).into(),
            None => value.clone(),
        },
        Value::Array(values) => values.iter().map(|value| with_ids(value, users)).collect(),
        Value::Object(entries) => {
            Value::Object(entries.iter().map(|(key, value)| (key.clone(), with_ids(value, users))).collect())
        }
        other => other.clone(),
    }
}

fn compile(config: &Value) -> Permission {
    let config: PermissionConfig = serde_json::from_value(config.clone()).unwrap();
    config.compile().unwrap_or_else(|faults| panic!("{faults:?}"))
}

fn principal(invoker: &Value) -> Principal {
    serde_json::from_value::<Option<_>>(invoker.clone()).unwrap().into()
}

fn subject(user: &UserRecord) -> Subject<'_> {
    user.into()
}

fn json_of(user: &UserRecord) -> Value {
    json!({ "id": user.id, "name": user.name, "disabled": user.disabled })
}

async fn store(given: &[(String, bool)]) -> (Shared, Vec<UserRecord>) {
    let database = FreshDatabase::new(None).await;
    // Users of another namespace are never seen.
    let beside: Shared = database.namespace(&namespace("beside")).await;
    create(&beside, NewUser { name: "ana".into(), disabled: true, ..NewUser::default() }).await.unwrap();
    let store: Shared = database.namespace(&namespace("users")).await;
    let mut users = Vec::new();
    for (name, disabled) in given {
        let user = NewUser { name: name.clone(), disabled: *disabled, ..NewUser::default() };
        let mut user = create(&store, user).await.unwrap();
        if name == "#" {
            update(&store, &user.id, rename(&user.id)).await;
            user = by_id(&store, &user.id).await.unwrap();
        }
        users.push(user);
    }
    (store, users)
}

/// All pages of `limit`, checked for their totals.
async fn walk(store: &Shared, request: &PageRequest, limit: u32, total: usize) -> Vec<UserRecord> {
    let mut seen: Vec<UserRecord> = Vec::new();
    loop {
        let after = seen.last().map(|user| user.id.clone());
        let page = store.list(PageRequest { after, limit, ..request.clone() }).await.unwrap();
        assert_eq!(page.total, total as u64, "{request:?}");
        let full = page.users.len() == limit as usize;
        seen.extend(page.users);
        assert_eq!(page.more, seen.len() < total, "{request:?}");
        if !page.more {
            return seen;
        }
        assert!(full, "a page that others follow is full");
    }
}

/// No filter, or some of the users and some others.
fn filter(users: &[UserRecord], mask: Option<u8>, of: fn(&UserRecord) -> &String) -> Option<Vec<String>> {
    let mask = mask?;
    let picked =
        users.iter().enumerate().filter(|(index, _)| mask & (1 << index) != 0).map(|(_, user)| of(user).clone());
    let mut values: Vec<_> = picked.chain(["nobody".to_owned()]).collect();
    values.sort();
    Some(values)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn decisions_agree_with_the_reference(
        given in users(),
        one in policies(&["idpUser"]),
        update in policies(&["oldIdpUser", "newIdpUser"]),
        invoker in invoker(),
    ) {
        // Ids need not come from a store here.
        let record = |(index, (name, disabled)): (usize, &(String, bool))| UserRecord {
            id: format!("id{index}"), name: name.clone(), disabled: *disabled, created_at: None, mfa_factor_ids: vec![],
            version: Version::default(),
        };
        let users: Vec<_> = given.iter().enumerate().map(record).collect();
        let (one, update, invoker) = (with_ids(&one, &users), with_ids(&update, &users), with_ids(&invoker, &users));
        let permission = compile(&json!({
            "create": one, "read": one, "delete": one, "sendPasswordResetEmail": one, "unenrollMfa": one, "update": update,
        }));
        let principal = principal(&invoker);
        let reads_everybody = permission.reads_everybody(&principal);
        for user in &users {
            let mut case = Case {
                invoker: invoker.clone(), idp_user: json_of(user), old_idp_user: Value::Null, new_idp_user: Value::Null,
            };
            let target = Target::User(subject(user));
            let expected = permits(&one, &case);
            for operation in [Operation::Read, Operation::Delete, Operation::SendPasswordResetEmail, Operation::UnenrollMfa] {
                prop_assert_eq!(permission.allows(operation, &principal, &target), expected);
                let decision = permission.decide(operation, &principal, &target);
                prop_assert_eq!(decision.allowed, expected);
                prop_assert_eq!(decision.policy().is_some_and(|policy| policy.matched && policy.permits), expected);
            }
            prop_assert_eq!(permission.visible(&principal).holds(user), expected);
            prop_assert!(expected || !reads_everybody);

            case.idp_user = json!({ "name": user.name, "disabled": user.disabled });
            let new = Target::User(Subject { id: None, ..subject(user) });
            prop_assert_eq!(permission.allows(Operation::Create, &principal, &new), permits(&one, &case));

            for new in &users {
                let new = UserRecord { id: user.id.clone(), ..new.clone() };
                let target = Target::Change { old: subject(user), new: subject(&new) };
                case.idp_user = Value::Null;
                (case.old_idp_user, case.new_idp_user) = (json_of(user), json_of(&new));
                let expected = permits(&update, &case);
                prop_assert_eq!(permission.allows(Operation::Update, &principal, &target), expected);
                prop_assert_eq!(permission.decide(Operation::Update, &principal, &target).allowed, expected);
            }
        }
    }

    #[test]
    fn listings_agree_with_the_reference(
        given in users(),
        read in prop_oneof![2 => policies(&["idpUser"]), 3 => selective_policies()],
        invoker in invoker(),
        ids in prop::option::weighted(0.3, any::<u8>()),
        names in prop::option::weighted(0.3, any::<u8>()),
    ) {
        let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
        tokio.block_on(async {
            let (store, users) = store(&given).await;
            let (read, invoker) = (with_ids(&read, &users), with_ids(&invoker, &users));
            let permission = compile(&json!({ "read": read }));
            let query = UserQuery {
                ids: filter(&users, ids, |user| &user.id),
                names: filter(&users, names, |user| &user.name),
            };
            let asked_for = |user: &&UserRecord| {
                query.ids.as_ref().is_none_or(|ids| ids.contains(&user.id))
                    && query.names.as_ref().is_none_or(|names| names.contains(&user.name))
            };
            let expected: Vec<_> = users.iter().filter(asked_for).filter(|user| {
                let (old_idp_user, new_idp_user) = (Value::Null, Value::Null);
                permits(&read, &Case { invoker: invoker.clone(), idp_user: json_of(user), old_idp_user, new_idp_user })
            }).cloned().collect();
            let visible = permission.visible(&principal(&invoker));
            let filter = Predicate::all([query.into_predicate(), visible]);
            let request = PageRequest { filter, after: None, limit: 0 };
            for limit in [1, 2, 3, 100] {
                let seen = walk(&store, &request, limit, expected.len()).await;
                assert_eq!(seen, expected, "pages of {limit}");
            }
        });
    }
}

//! Compilation: from the configuration to policies, or to all violations.

use serde_json::{Map, Value};

use super::config::{ALLOW_ALL, PermissionConfig, PermissionFault};
use super::policy::{Attribute, Condition, Operand, Operator, Policy, Role};
use super::{Operation, Permission, Policies};
use crate::model::{Field, Scalar};
use crate::suggest;

/// The maximum number of policies for one operation: all of them become one query of the store.
const MAX_POLICIES: usize = 1000;

const CONDITIONS: &str = "conditions";
const POLICY_KEYS: [&str; 3] = [CONDITIONS, "permit", "description"];
/// Required: a policy for everybody is one that says so, not one whose conditions were forgotten.
const NO_CONDITIONS: &str = "is missing: write conditions = [] for a policy that matches everybody";
const OPERAND_KINDS: [&str; 4] = ["user", "idpUser", "oldIdpUser", "newIdpUser"];

impl PermissionConfig {
    /// Compiles the configuration.
    ///
    /// # Errors
    ///
    /// All violations, in the order of the configuration.
    pub fn compile(&self) -> Result<Permission, Vec<PermissionFault>> {
        permission(self)
    }
}

fn permission(config: &PermissionConfig) -> Result<Permission, Vec<PermissionFault>> {
    let mut compiler = Compiler::default();
    let permission = match config {
        PermissionConfig::Keyword(keyword) if keyword == ALLOW_ALL => Permission::allow_all(),
        PermissionConfig::Keyword(keyword) => {
            compiler.record(format!("unknown permission {keyword:?}: the only keyword is {ALLOW_ALL:?}"));
            Permission::deny_all()
        }
        PermissionConfig::Policies(operations) => Permission::of(compiler.operations(operations)),
    };
    if compiler.faults.is_empty() { Ok(permission) } else { Err(compiler.faults) }
}

#[derive(Default)]
struct Compiler {
    path: Vec<String>,
    faults: Vec<PermissionFault>,
}

/// The kind of literal that is allowed at a position.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// A single value.
    One,
    /// A list, for this operator.
    List(Operator),
    /// Unknown, since the operator is invalid.
    Either,
}

// `None`: a violation was found and recorded.
impl Compiler {
    fn record(&mut self, text: impl Into<String>) {
        self.faults.push(PermissionFault { path: self.path.clone(), text: text.into() });
    }

    fn fault<T>(&mut self, text: impl Into<String>) -> Option<T> {
        self.record(text);
        None
    }

    fn at<T>(&mut self, step: impl ToString, work: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(step.to_string());
        let done = work(self);
        self.path.pop();
        done
    }

    fn operations(&mut self, operations: &Map<String, Value>) -> Policies {
        let mut compiled = Policies::default();
        for (name, list) in operations {
            self.at(name, |this| match Operation::from_name(name) {
                Some(operation) => *compiled.of_mut(operation) = this.policies(list),
                None => this.record(unknown("operation", name, &Operation::ALL.map(Operation::name))),
            });
        }
        compiled
    }

    fn policies(&mut self, list: &Value) -> Vec<Policy> {
        let Value::Array(list) = list else {
            self.record(format!("expected a list of policies: got {}", kind(list)));
            return Vec::new();
        };
        if list.len() > MAX_POLICIES {
            self.record(format!("an operation has at most {MAX_POLICIES} policies: got {}", list.len()));
        }
        let policy = |(index, policy)| self.at(index, |this| this.policy(policy));
        list.iter().enumerate().filter_map(policy).collect()
    }

    fn policy(&mut self, policy: &Value) -> Option<Policy> {
        let Value::Object(policy) = policy else {
            return self
                .fault(format!("expected a policy, {{ conditions, permit, description }}: got {}", kind(policy)));
        };
        let mut compiled = Policy { conditions: Vec::new(), permits: true, description: None };
        for (key, value) in policy {
            self.at(key, |this| match (key.as_str(), value) {
                (CONDITIONS, Value::Array(conditions)) => {
                    let condition = |(index, condition)| this.at(index, |this| this.condition(condition));
                    compiled.conditions = conditions.iter().enumerate().filter_map(condition).collect();
                }
                ("permit", Value::Bool(permit)) => compiled.permits = *permit,
                ("description", Value::String(text)) => compiled.description = Some(text.clone()),
                (CONDITIONS, other) => this.record(format!("expected a list of conditions: got {}", kind(other))),
                ("permit", other) => this.record(format!("expected true or false: got {}", kind(other))),
                ("description", other) => this.record(format!("expected a string: got {}", kind(other))),
                _ => this.record(unknown("key", key, &POLICY_KEYS)),
            });
        }
        // A misspelled key is reported already.
        let misspelled = || policy.keys().any(|key| suggest::nearest(key, &POLICY_KEYS) == Some(CONDITIONS));
        if !policy.contains_key(CONDITIONS) && !misspelled() {
            return self.at(CONDITIONS, |this| this.fault(NO_CONDITIONS));
        }
        Some(compiled)
    }

    fn condition(&mut self, condition: &Value) -> Option<Condition> {
        let Value::Array(parts) = condition else {
            return self.fault(format!("a condition is [left, operator, right]: got {}", kind(condition)));
        };
        let [left, operator, right] = parts.as_slice() else {
            return self.fault(format!("a condition is [left, operator, right]: got {} elements", parts.len()));
        };
        let left = self.at(0, |this| this.operand(left, Place::One));
        let operator = self.at(1, |this| this.operator(operator));
        let place = match operator {
            Some(operator) if operator.takes_list() => Place::List(operator),
            Some(_) => Place::One,
            None => Place::Either,
        };
        let right = self.at(2, |this| this.operand(right, place));
        Some(Condition { left: left?, operator: operator?, right: right? })
    }

    fn operator(&mut self, operator: &Value) -> Option<Operator> {
        let spellings = Operator::ALL.map(Operator::spelling);
        let Value::String(text) = operator else {
            return self.fault(format!("an operator is {}: got {}", listed(&spellings), kind(operator)));
        };
        match Operator::ALL.into_iter().find(|operator| operator.spelling() == text) {
            Some(operator) => Some(operator),
            None => self.fault(unknown("operator", text, &spellings)),
        }
    }

    fn operand(&mut self, operand: &Value, place: Place) -> Option<Operand> {
        match (operand, place) {
            (Value::Object(operand), _) => self.named(operand, place),
            (Value::Array(_), Place::One) => self.fault("a list where one value belongs"),
            (Value::Array(values), _) if values.is_empty() => {
                self.fault("an empty list: nothing is in it, so the condition decides nothing")
            }
            (Value::Array(values), _) => {
                let element = |(index, value)| self.at(index, |this| this.literal(value));
                let elements: Vec<_> = values.iter().enumerate().map(element).collect();
                elements.into_iter().collect::<Option<_>>().map(Operand::Many)
            }
            (Value::String(_) | Value::Bool(_), Place::List(operator)) => self.fault(no_list(operator, kind(operand))),
            (literal, _) => self.literal(literal).map(Operand::One),
        }
    }

    fn literal(&mut self, value: &Value) -> Option<Scalar> {
        match value {
            Value::String(text) => Some(Scalar::Text(text.clone())),
            Value::Bool(value) => Some(Scalar::Bool(*value)),
            other => self.fault(format!("a literal is a string, a boolean, or a list of those: got {}", kind(other))),
        }
    }

    /// An operand such as `{ user: … }`.
    fn named(&mut self, operand: &Map<String, Value>, place: Place) -> Option<Operand> {
        let mut entries = operand.iter();
        let (Some((name, value)), None) = (entries.next(), entries.next()) else {
            let keys = operand.len();
            return self.fault(format!("an operand has one key, {}: got {keys}", listed(&OPERAND_KINDS)));
        };
        if !OPERAND_KINDS.contains(&name.as_str()) {
            return self.fault(unknown("operand", name, &OPERAND_KINDS));
        }
        let Some(key) = value.as_str() else {
            return self.at(name, |this| this.fault(format!("expected a string: got {}", kind(value))));
        };
        let operand = match Role::ALL.into_iter().find(|role| role.spelling() == name) {
            Some(role) => {
                let fits = self.role(role);
                let field = self.at(name, |this| this.field(key));
                fits?;
                Operand::User(role, field?)
            }
            None if key.is_empty() => return self.at(name, |this| this.fault("the key of an attribute is empty")),
            None => Operand::Invoker(match key {
                "id" | "_id" => Attribute::Id,
                "_loggedIn" => Attribute::LoggedIn,
                _ => Attribute::Mapped(key.to_owned()),
            }),
        };
        match (&operand, place) {
            (Operand::Invoker(Attribute::Mapped(_)), _) | (_, Place::One | Place::Either) => Some(operand),
            (_, Place::List(operator)) => self.fault(no_list(operator, &format!("{{ {name}: {key:?} }}"))),
        }
    }

    /// Checks that the current operation has such a user.
    fn role(&mut self, role: Role) -> Option<()> {
        let operation = self.path.first().and_then(|name| Operation::from_name(name))?;
        match (role, operation) {
            (Role::Target, Operation::Update) => {
                self.fault("update has no idpUser: use oldIdpUser, as the user is, or newIdpUser, as the user would be")
            }
            (Role::Old | Role::New, operation) if operation != Operation::Update => {
                self.fault(format!("only update has {}: use idpUser", role.spelling()))
            }
            _ => Some(()),
        }
    }

    fn field(&mut self, name: &str) -> Option<Field> {
        match Field::ALL.into_iter().find(|field| field.name() == name) {
            Some(field) => Some(field),
            None => self.fault(unknown("field", name, &Field::ALL.map(Field::name))),
        }
    }
}

fn no_list(operator: Operator, got: &str) -> String {
    let operator = operator.spelling();
    format!("{got} where a list belongs: on the right of {operator:?} stands a list, or an attribute of the invoker's")
}

fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    match suggest::nearest(name, known) {
        Some(nearest) => format!("unknown {what} {name:?}: did you mean {nearest:?}?"),
        None => format!("unknown {what} {name:?}: expected {}", listed(known)),
    }
}

/// `"a", "b" or "c"`.
fn listed(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("{name:?}")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

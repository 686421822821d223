//! Decisions with their reasons, for people. Calls are decided by [`Permission::allows`](super::Permission::allows), which stops
//! at the first denial; tests compare the two.

use serde_json::{Value as Json, json};

use super::Operation;
use super::policy::{Attribute, Condition, Operand, Operator, Policy, Question, Role, Value};
use crate::model::Scalar;

/// The result of evaluating an operation, with the reason.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The operation.
    pub operation: Operation,
    /// Whether it is permitted.
    pub allowed: bool,
    /// The reason.
    pub reason: Reason,
    /// The outcome of each policy for the operation, in order.
    pub policies: Vec<PolicyOutcome>,
}

impl Decision {
    /// The deciding policy, if a policy decided.
    pub fn policy(&self) -> Option<&PolicyOutcome> {
        match self.reason {
            Reason::Policy(index) => self.policies.get(index),
            _ => None,
        }
    }
}

/// The reason for a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The principal is the host, which permission does not restrict.
    Host,
    /// The permission is `allow-all`.
    AllowAll,
    /// The policy with this index in the operation's list: the first that matched and denies, else the first that matched.
    Policy(usize),
    /// No policy matched.
    NoPolicy,
}

/// The outcome of one policy.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyOutcome {
    /// The index in the operation's list.
    pub index: usize,
    /// The description.
    pub description: Option<String>,
    /// Whether the policy permits or denies.
    pub permits: bool,
    /// Whether the policy matched: all conditions held.
    pub matched: bool,
    /// The outcomes of the conditions, in order.
    pub conditions: Vec<ConditionOutcome>,
}

/// The outcome of one condition.
#[derive(Debug, Clone, PartialEq)]
pub struct ConditionOutcome {
    /// The left side.
    pub left: Compared,
    /// The operator.
    pub operator: Operator,
    /// The right side.
    pub right: Compared,
    /// Whether the condition held.
    pub held: bool,
}

/// One operand of a condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// The operand as configured.
    pub operand: Json,
    /// The value in this decision; `None` if missing. An attribute is as the invoker has it, with the members that are passed
    /// over.
    pub value: Option<Json>,
    /// The reason why it equals nothing, if it does.
    pub equals_nothing: Option<&'static str>,
}

/// Evaluates all policies and finds the deciding one.
pub(super) fn decide(operation: Operation, policies: &[Policy], question: Question<'_>) -> Decision {
    let outcome = |(index, policy): (usize, &Policy)| PolicyOutcome {
        index,
        description: policy.description.clone(),
        permits: policy.permits,
        matched: policy.matches(question),
        conditions: policy.conditions.iter().map(|condition| condition_outcome(condition, question)).collect(),
    };
    let policies: Vec<_> = policies.iter().enumerate().map(outcome).collect();
    let first = |permits: bool| policies.iter().find(|policy| policy.matched && policy.permits == permits);
    let deciding = first(false).or_else(|| first(true));
    let (allowed, reason) = match deciding {
        Some(policy) => (policy.permits, Reason::Policy(policy.index)),
        None => (false, Reason::NoPolicy),
    };
    Decision { operation, allowed, reason, policies }
}

fn condition_outcome(condition: &Condition, question: Question<'_>) -> ConditionOutcome {
    let Condition { left, operator, right } = condition;
    ConditionOutcome {
        left: compared(left, question, false),
        operator: *operator,
        right: compared(right, question, operator.takes_list()),
        held: condition.holds(question),
    }
}

fn compared(operand: &Operand, question: Question<'_>, as_list: bool) -> Compared {
    let value = operand.value(question);
    let is_list = matches!(value, Value::Many(_) | Value::Attribute(_));
    let there = match operand {
        Operand::Invoker(attribute) => attribute.json(question.principal),
        _ => None,
    };
    let equals_nothing = match value {
        Value::Missing if there.is_some() => Some("is neither a string, a boolean nor a list of those"),
        Value::Missing => Some("is missing"),
        _ if is_list && !as_list => Some("is a list where one value is compared"),
        _ if !is_list && as_list => Some("is no list"),
        _ => None,
    };
    let value = match value {
        Value::Missing | Value::Attribute(_) => there.cloned(),
        Value::Many(values) => Some(values.iter().map(json).collect()),
        _ => value.scalar().as_ref().map(json),
    };
    Compared { operand: spelling(operand), value, equals_nothing }
}

fn spelling(operand: &Operand) -> Json {
    match operand {
        Operand::One(scalar) => json(scalar),
        Operand::Many(values) => values.iter().map(json).collect(),
        Operand::Invoker(Attribute::Id) => json!({ "user": "id" }),
        Operand::Invoker(Attribute::LoggedIn) => json!({ "user": "_loggedIn" }),
        Operand::Invoker(Attribute::Mapped(key)) => json!({ "user": key }),
        Operand::User(role, field) => json!({ role.spelling(): field.name() }),
    }
}

fn json(scalar: &Scalar) -> Json {
    match scalar {
        Scalar::Text(text) => text.as_str().into(),
        Scalar::Bool(value) => (*value).into(),
    }
}

impl Role {
    pub(super) const ALL: [Self; 3] = [Self::Target, Self::Old, Self::New];

    pub(super) const fn spelling(self) -> &'static str {
        match self {
            Self::Target => "idpUser",
            Self::Old => "oldIdpUser",
            Self::New => "newIdpUser",
        }
    }
}

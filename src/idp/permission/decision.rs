//! A decision, and how it came about.

use serde_json::{Value as Json, json};

use super::Operation;
use super::policy::{Attribute, Condition, Operand, Operator, Policy, Question, Role, Value};
use crate::store::{Field, Scalar};

/// Whether an operation is permitted, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The operation.
    pub operation: Operation,
    /// Whether it is permitted.
    pub allowed: bool,
    /// What decided.
    pub reason: Reason,
    /// What each policy for the operation says, in their order.
    pub policies: Vec<PolicyOutcome>,
}

impl Decision {
    /// The policy that decided, if one did.
    pub fn policy(&self) -> Option<&PolicyOutcome> {
        match self.reason {
            Reason::Policy(index) => self.policies.get(index),
            _ => None,
        }
    }
}

/// What decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The host is not bound by permission.
    Host,
    /// The permission is `allow-all`.
    AllowAll,
    /// The policy with this index in the operation's list: the first that matched and denies, else the first that matched.
    Policy(usize),
    /// No policy matched.
    NoPolicy,
}

/// What one policy says.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyOutcome {
    /// The index in the operation's list.
    pub index: usize,
    /// What the policy is for.
    pub description: Option<String>,
    /// Whether it permits or denies what it matches.
    pub permits: bool,
    /// Whether it matched: all conditions held.
    pub matched: bool,
    /// The conditions, in their order.
    pub conditions: Vec<ConditionOutcome>,
}

/// Whether one condition held.
#[derive(Debug, Clone, PartialEq)]
pub struct ConditionOutcome {
    /// The left side.
    pub left: Compared,
    /// How the sides were compared.
    pub operator: Operator,
    /// The right side.
    pub right: Compared,
    /// Whether it held.
    pub held: bool,
}

/// One side of a condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// As the policy spells it.
    pub operand: Json,
    /// What it stood for; `None` where that is missing.
    pub value: Option<Json>,
    /// Why it equals nothing, where that is so.
    pub equals_nothing: Option<&'static str>,
}

/// What the policies say, in their order, and which of them decides.
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
        Value::Missing => there.cloned(),
        Value::Many(_) | Value::Attribute(_) => Some(value.scalars().iter().map(json).collect()),
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
        Operand::User(role, field) => json!({ role.spelling(): field_spelling(*field) }),
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

pub(super) const fn field_spelling(field: Field) -> &'static str {
    match field {
        Field::Id => "id",
        Field::Name => "name",
        Field::Disabled => "disabled",
    }
}

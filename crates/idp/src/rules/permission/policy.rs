//! Compiled policies: conditions on typed operands.

use serde_json::Value as Json;

use super::{Subject, Target};
use crate::model::{Field, Principal, Scalar};

/// A compiled policy.
#[derive(Debug)]
pub(super) struct Policy {
    /// Joined by AND.
    pub(super) conditions: Vec<Condition>,
    pub(super) permits: bool,
    pub(super) description: Option<String>,
}

#[derive(Debug)]
pub(super) struct Condition {
    pub(super) left: Operand,
    pub(super) operator: Operator,
    pub(super) right: Operand,
}

/// The operator of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `=`
    Equal,
    /// `!=`: the negation of `=`.
    NotEqual,
    /// `in`
    In,
    /// `not in`: the negation of `in`.
    NotIn,
}

impl Operator {
    /// All operators.
    pub const ALL: [Self; 4] = [Self::Equal, Self::NotEqual, Self::In, Self::NotIn];

    /// The spelling in policies.
    pub const fn spelling(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::In => "in",
            Self::NotIn => "not in",
        }
    }

    /// Whether the right operand is a list.
    pub(super) const fn takes_list(self) -> bool {
        matches!(self, Self::In | Self::NotIn)
    }

    pub(super) const fn is_negated(self) -> bool {
        matches!(self, Self::NotEqual | Self::NotIn)
    }
}

#[derive(Debug)]
pub(super) enum Operand {
    /// A literal.
    One(Scalar),
    /// A literal list.
    Many(Vec<Scalar>),
    Invoker(Attribute),
    User(Role, Field),
}

/// A property of the invoker.
#[derive(Debug)]
pub(super) enum Attribute {
    Id,
    LoggedIn,
    Mapped(String),
}

/// The user that an operand refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// `idpUser`
    Target,
    /// `oldIdpUser`
    Old,
    /// `newIdpUser`
    New,
}

/// The value of an operand in one decision.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    /// Missing, or of an unsupported type: equals nothing.
    Missing,
    Text(&'a str),
    Bool(bool),
    Many(&'a [Scalar]),
    /// An attribute: a list. Members that are neither strings nor booleans equal nothing; the others count.
    Attribute(&'a [Json]),
}

/// The input of a decision.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) principal: &'a Principal,
    pub(super) target: Option<&'a Target<'a>>,
}

impl Policy {
    pub(super) fn matches(&self, question: Question<'_>) -> bool {
        self.conditions.iter().all(|condition| condition.holds(question))
    }
}

impl Condition {
    pub(super) fn holds(&self, question: Question<'_>) -> bool {
        let (left, right) = (self.left.value(question), self.right.value(question));
        let found = if self.operator.takes_list() { right.contains(left) } else { left.equals(right) };
        found != self.operator.is_negated()
    }
}

impl Operand {
    pub(super) fn value<'a>(&'a self, question: Question<'a>) -> Value<'a> {
        match self {
            Self::One(scalar) => Value::of(scalar),
            Self::Many(values) => Value::Many(values),
            Self::Invoker(attribute) => attribute.value(question.principal),
            Self::User(role, field) => match subject(*role, question.target) {
                Some(subject) => of_subject(subject, *field),
                None => Value::Missing,
            },
        }
    }
}

impl Attribute {
    /// The attribute as JSON, of any type.
    pub(super) fn json<'a>(&self, principal: &'a Principal) -> Option<&'a Json> {
        match self {
            Self::Mapped(key) => principal.invoker()?.attribute_map.get(key),
            Self::Id | Self::LoggedIn => None,
        }
    }

    fn value<'a>(&self, principal: &'a Principal) -> Value<'a> {
        match (self, principal.invoker()) {
            (Self::LoggedIn, invoker) => Value::Bool(invoker.is_some()),
            (Self::Id, Some(invoker)) => Value::Text(&invoker.id),
            (Self::Id, None) => Value::Missing,
            (Self::Mapped(_), _) => self.json(principal).map_or(Value::Missing, Value::of_json),
        }
    }
}

impl<'a> Value<'a> {
    pub(super) fn of(scalar: &'a Scalar) -> Self {
        match scalar {
            Scalar::Text(text) => Self::Text(text),
            Scalar::Bool(value) => Self::Bool(*value),
        }
    }

    pub(super) fn of_json(value: &'a Json) -> Self {
        match value {
            Json::String(text) => Self::Text(text),
            Json::Bool(value) => Self::Bool(*value),
            Json::Array(values) => Self::Attribute(values),
            _ => Self::Missing,
        }
    }

    /// Whether both have the same type and value. Missing values and lists equal nothing, not even themselves.
    pub(super) fn equals(self, other: Value<'_>) -> bool {
        match (self, other) {
            (Self::Text(a), Value::Text(b)) => a == b,
            (Self::Bool(a), Value::Bool(b)) => a == b,
            _ => false,
        }
    }

    pub(super) fn contains(self, item: Value<'_>) -> bool {
        match self {
            Self::Many(values) => values.iter().any(|value| Value::of(value).equals(item)),
            Self::Attribute(values) => values.iter().any(|value| Value::of_json(value).equals(item)),
            _ => false,
        }
    }

    pub(super) fn scalar(self) -> Option<Scalar> {
        match self {
            Self::Text(text) => Some(Scalar::Text(text.to_owned())),
            Self::Bool(value) => Some(Scalar::Bool(value)),
            _ => None,
        }
    }

    /// The members of a list that count; empty for anything else.
    pub(super) fn scalars(self) -> Vec<Scalar> {
        match self {
            Self::Many(values) => values.to_vec(),
            Self::Attribute(values) => values.iter().filter_map(|value| Value::of_json(value).scalar()).collect(),
            _ => Vec::new(),
        }
    }
}

fn subject<'a>(role: Role, target: Option<&'a Target<'a>>) -> Option<&'a Subject<'a>> {
    match (role, target?) {
        (Role::Target, Target::User(subject)) => Some(subject),
        (Role::Old, Target::Change { old, .. }) => Some(old),
        (Role::New, Target::Change { new, .. }) => Some(new),
        _ => None,
    }
}

fn of_subject<'a>(subject: &Subject<'a>, field: Field) -> Value<'a> {
    match field {
        Field::Id => subject.id.map_or(Value::Missing, Value::Text),
        Field::Name => Value::Text(subject.name),
        Field::Disabled => Value::Bool(subject.disabled),
    }
}

//! A part of a query that says which users it may see.

use std::collections::{BTreeMap, BTreeSet};

use super::UserRecord;

/// What a predicate looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    /// The id.
    Id,
    /// The normalised name.
    Name,
    /// Whether the user is disabled.
    Disabled,
}

/// A value to compare a field with.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scalar {
    /// Text; never equal to a boolean.
    Text(String),
    /// A boolean; never equal to text.
    Bool(bool),
}

/// A condition on users. Comparison is byte by byte.
///
/// [`all`](Self::all), [`any`](Self::any), [`one_of`](Self::one_of) and [`same`](Self::same) make it, and leave out what
/// decides nothing: what can be told without a user is [`everybody`](Self::everybody) or [`nobody`](Self::nobody).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Predicate {
    /// All hold. None at all: everybody.
    And(Vec<Predicate>),
    /// One holds. None at all: nobody.
    Or(Vec<Predicate>),
    /// The field has one of the values, or, negated, none of them.
    In {
        /// The field.
        field: Field,
        /// The values.
        values: Vec<Scalar>,
        /// Whether the values are those that the field must not have.
        negated: bool,
    },
    /// Two fields have one value, or, negated, two. Of different kinds, they always have two.
    Same {
        /// A field.
        left: Field,
        /// The other.
        right: Field,
        /// Whether the values must differ.
        negated: bool,
    },
}

impl Predicate {
    /// Holds for every user.
    pub const fn everybody() -> Self {
        Self::And(Vec::new())
    }

    /// Holds for no user.
    pub const fn nobody() -> Self {
        Self::Or(Vec::new())
    }

    /// Whether it is plain that every user is meant.
    pub fn is_everybody(&self) -> bool {
        matches!(self, Self::And(parts) if parts.is_empty())
    }

    /// Whether it is plain that no user is meant.
    pub fn is_nobody(&self) -> bool {
        matches!(self, Self::Or(parts) if parts.is_empty())
    }

    /// Holds where all parts do.
    pub fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        Self::joined(parts, Junction::And)
    }

    /// Holds where one part does.
    pub fn any(parts: impl IntoIterator<Item = Self>) -> Self {
        Self::joined(parts, Junction::Or)
    }

    /// Holds where the field has one of the values.
    pub fn one_of(field: Field, values: impl IntoIterator<Item = Scalar>) -> Self {
        Set { values: values.into_iter().collect(), negated: false }.of(field)
    }

    /// Holds where two fields have one value.
    pub fn same(left: Field, right: Field) -> Self {
        match (left, right) {
            (left, right) if left == right => Self::everybody(),
            (Field::Disabled, _) | (_, Field::Disabled) => Self::nobody(),
            (left, right) => Self::Same { left, right, negated: false },
        }
    }

    /// Holds where this one does not.
    #[must_use]
    pub fn negate(self) -> Self {
        match self {
            Self::And(parts) => Self::any(parts.into_iter().map(Self::negate)),
            Self::Or(parts) => Self::all(parts.into_iter().map(Self::negate)),
            Self::In { field, values, negated } => {
                Set { values: values.into_iter().collect(), negated: !negated }.of(field)
            }
            Self::Same { left, right, negated } => Self::Same { left, right, negated: !negated },
        }
    }

    /// Whether it holds for the user: what every store's own form of it must say, too.
    pub fn holds(&self, user: &UserRecord) -> bool {
        match self {
            Self::And(parts) => parts.iter().all(|part| part.holds(user)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(user)),
            Self::In { field, values, negated } => {
                values.iter().any(|value| match (field, value) {
                    (Field::Id, Scalar::Text(text)) => user.id == *text,
                    (Field::Name, Scalar::Text(text)) => user.name == *text,
                    (Field::Disabled, Scalar::Bool(value)) => user.disabled == *value,
                    _ => false,
                }) != *negated
            }
            Self::Same { left, right, negated } => {
                let both_texts = *left != Field::Disabled && *right != Field::Disabled;
                (left == right || (both_texts && user.id == user.name)) != *negated
            }
        }
    }

    /// Flattens, and merges what is said of one field into one set of values.
    fn joined(parts: impl IntoIterator<Item = Self>, junction: Junction) -> Self {
        let mut sets: BTreeMap<Field, Set> = BTreeMap::new();
        let mut joined = Vec::new();
        let mut open: Vec<_> = parts.into_iter().collect();
        open.reverse();
        while let Some(part) = open.pop() {
            match (part, junction) {
                (Self::And(parts), Junction::And) | (Self::Or(parts), Junction::Or) => {
                    open.extend(parts.into_iter().rev());
                }
                (Self::In { field, values, negated }, _) => {
                    let set = Set { values: values.into_iter().collect(), negated };
                    let merged = match sets.remove(&field) {
                        Some(before) => before.merged(set, junction),
                        None => set,
                    };
                    sets.insert(field, merged);
                }
                (other, _) => joined.push(other),
            }
        }
        joined.splice(0..0, sets.into_iter().map(|(field, set)| set.of(field)));
        let (neutral, decisive) = match junction {
            Junction::And => (Self::everybody(), Self::nobody()),
            Junction::Or => (Self::nobody(), Self::everybody()),
        };
        joined.retain(|part| *part != neutral);
        if joined.contains(&decisive) {
            return decisive;
        }
        match (joined.len(), junction) {
            (1, _) => joined.swap_remove(0),
            (_, Junction::And) => Self::And(joined),
            (_, Junction::Or) => Self::Or(joined),
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Junction {
    And,
    Or,
}

/// What is said of one field.
struct Set {
    values: BTreeSet<Scalar>,
    negated: bool,
}

impl Set {
    fn merged(self, other: Self, junction: Junction) -> Self {
        match junction {
            Junction::And => self.and(other),
            Junction::Or => self.inverse().and(other.inverse()).inverse(),
        }
    }

    fn inverse(self) -> Self {
        Self { negated: !self.negated, ..self }
    }

    fn and(self, other: Self) -> Self {
        let (a, b) = (self.values, other.values);
        let values = match (self.negated, other.negated) {
            (false, false) => a.intersection(&b).cloned().collect(),
            (false, true) => a.difference(&b).cloned().collect(),
            (true, false) => b.difference(&a).cloned().collect(),
            (true, true) => a.into_iter().chain(b).collect(),
        };
        Self { values, negated: self.negated && other.negated }
    }

    /// In the one form that all its spellings share.
    fn of(mut self, field: Field) -> Predicate {
        self.values.retain(|value| matches!(value, Scalar::Bool(_)) == (field == Field::Disabled));
        let whole = field == Field::Disabled && self.values.len() == 2;
        if self.values.is_empty() || whole {
            return if self.negated == whole { Predicate::nobody() } else { Predicate::everybody() };
        }
        let mut values: Vec<_> = self.values.into_iter().collect();
        let mut negated = self.negated;
        if let ([Scalar::Bool(value)], true) = (values.as_mut_slice(), negated) {
            (*value, negated) = (!*value, false);
        }
        Predicate::In { field, values, negated }
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    fn texts(field: Field, values: &[&str]) -> Predicate {
        Predicate::one_of(field, values.iter().map(|text| Scalar::Text((*text).to_owned())))
    }

    fn disabled(value: bool) -> Predicate {
        Predicate::one_of(Field::Disabled, [Scalar::Bool(value)])
    }

    #[test]
    fn what_is_said_of_one_field_becomes_one_set() {
        let (ab, bc) = (texts(Field::Name, &["b", "a", "a"]), texts(Field::Name, &["b", "c"]));
        assert_eq!(Predicate::all([ab.clone(), bc.clone()]), texts(Field::Name, &["b"]));
        assert_eq!(Predicate::any([ab.clone(), bc.clone()]), texts(Field::Name, &["a", "b", "c"]));
        assert_eq!(Predicate::all([ab.clone(), bc.clone().negate()]), texts(Field::Name, &["a"]));
        assert_eq!(Predicate::any([ab.clone(), bc.clone().negate()]), texts(Field::Name, &["c"]).negate());
        assert_eq!(
            Predicate::all([ab.clone().negate(), bc.clone().negate()]),
            texts(Field::Name, &["a", "b", "c"]).negate()
        );
        assert_eq!(Predicate::any([ab.negate(), bc.negate()]), texts(Field::Name, &["b"]).negate());
    }

    #[test]
    fn what_can_be_told_without_a_user_is_told() {
        let ana = texts(Field::Name, &["ana"]);
        assert_eq!(Predicate::any([ana.clone(), ana.clone().negate()]), Predicate::everybody());
        assert_eq!(Predicate::all([ana.clone(), ana.clone().negate()]), Predicate::nobody());
        assert_eq!(Predicate::any([disabled(true), disabled(false)]), Predicate::everybody());
        assert_eq!(Predicate::all([disabled(true), disabled(false)]), Predicate::nobody());
        assert_eq!(Predicate::one_of(Field::Name, [Scalar::Bool(true)]), Predicate::nobody(), "of another kind");
        assert_eq!(Predicate::same(Field::Name, Field::Disabled), Predicate::nobody());
        assert_eq!(Predicate::same(Field::Name, Field::Name), Predicate::everybody());
        assert_eq!(Predicate::all([ana.clone(), Predicate::nobody()]), Predicate::nobody());
        assert_eq!(Predicate::all([ana.clone(), Predicate::everybody()]), ana);
    }

    #[test]
    fn junctions_are_flattened() {
        let (ana, one) = (texts(Field::Name, &["ana"]), texts(Field::Id, &["1"]));
        let both = Predicate::all([ana.clone(), Predicate::all([one.clone(), disabled(true)])]);
        assert_eq!(both, Predicate::And(vec![one, ana, disabled(true)]));
        assert_eq!(disabled(true).negate(), disabled(false));
    }
}

//! Predicates: conditions on users, which stores evaluate as part of a query.

use std::collections::{BTreeMap, BTreeSet};

use super::{UserQuery, UserRecord};

/// A field of a user that predicates and policies can compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    /// The id.
    Id,
    /// The normalised name.
    Name,
    /// Whether the user is disabled.
    Disabled,
}

/// The type of a field's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldKind {
    /// Text.
    Text,
    /// A boolean.
    Bool,
}

/// The value of a field of one user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldValue<'a> {
    /// Text.
    Text(&'a str),
    /// A boolean.
    Bool(bool),
}

impl Field {
    /// All fields.
    pub const ALL: [Self; 3] = [Self::Id, Self::Name, Self::Disabled];

    /// The name in policies: `id`, `name` or `disabled`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Name => "name",
            Self::Disabled => "disabled",
        }
    }

    /// The type of the field's values.
    pub const fn kind(self) -> FieldKind {
        match self {
            Self::Id | Self::Name => FieldKind::Text,
            Self::Disabled => FieldKind::Bool,
        }
    }

    /// The value of the field.
    pub fn of(self, user: &UserRecord) -> FieldValue<'_> {
        match self {
            Self::Id => FieldValue::Text(&user.id),
            Self::Name => FieldValue::Text(&user.name),
            Self::Disabled => FieldValue::Bool(user.disabled),
        }
    }
}

/// A value to compare a field with. Text never equals a boolean.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scalar {
    /// Text.
    Text(String),
    /// A boolean.
    Bool(bool),
}

impl Scalar {
    /// The type of the value.
    pub const fn kind(&self) -> FieldKind {
        match self {
            Self::Text(_) => FieldKind::Text,
            Self::Bool(_) => FieldKind::Bool,
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Bool(_) => None,
        }
    }

    fn equals(&self, value: FieldValue<'_>) -> bool {
        match (self, value) {
            (Self::Text(text), FieldValue::Text(value)) => text == value,
            (Self::Bool(this), FieldValue::Bool(value)) => *this == value,
            (Self::Text(_), FieldValue::Bool(_)) | (Self::Bool(_), FieldValue::Text(_)) => false,
        }
    }
}

/// A condition on users. Texts are compared byte by byte.
///
/// The constructors [`all`](Self::all), [`any`](Self::any), [`one_of`](Self::one_of) and [`same`](Self::same) simplify: a
/// predicate whose result does not depend on the user becomes [`everybody`](Self::everybody) or [`nobody`](Self::nobody).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Predicate {
    /// All parts hold. Without parts: holds for every user.
    And(Vec<Predicate>),
    /// At least one part holds. Without parts: holds for no user.
    Or(Vec<Predicate>),
    /// The field has one of the values; negated: none of them.
    In {
        /// The field.
        field: Field,
        /// The values.
        values: Vec<Scalar>,
        /// Whether the field must have none of the values.
        negated: bool,
    },
    /// Two fields have equal values; negated: different values. Fields of different kinds are never equal.
    Same {
        /// One field.
        left: Field,
        /// The other field.
        right: Field,
        /// Whether the values must be different.
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

    /// Whether it is known to hold for every user.
    pub fn is_everybody(&self) -> bool {
        matches!(self, Self::And(parts) if parts.is_empty())
    }

    /// Whether it is known to hold for no user.
    pub fn is_nobody(&self) -> bool {
        matches!(self, Self::Or(parts) if parts.is_empty())
    }

    /// Holds if all parts hold.
    pub fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        Self::joined(parts, Junction::And)
    }

    /// Holds if at least one part holds.
    pub fn any(parts: impl IntoIterator<Item = Self>) -> Self {
        Self::joined(parts, Junction::Or)
    }

    /// Holds if the field has one of the values.
    pub fn one_of(field: Field, values: impl IntoIterator<Item = Scalar>) -> Self {
        Set { values: values.into_iter().collect(), negated: false }.of(field)
    }

    /// Holds if two fields have equal values.
    pub fn same(left: Field, right: Field) -> Self {
        match (left, right) {
            (left, right) if left == right => Self::everybody(),
            (left, right) if left.kind() != right.kind() => Self::nobody(),
            (left, right) => Self::Same { left, right, negated: false },
        }
    }

    /// Holds exactly where this predicate does not.
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

    /// Whether it holds for `user`. The reference for every store's own form of the predicate.
    pub fn holds(&self, user: &UserRecord) -> bool {
        match self {
            Self::And(parts) => parts.iter().all(|part| part.holds(user)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(user)),
            Self::In { field, values, negated } => values.iter().any(|value| value.equals(field.of(user))) != *negated,
            Self::Same { left, right, negated } => (left.of(user) == right.of(user)) != *negated,
        }
    }

    /// A query that finds at least the users for whom the predicate holds: unfiltered, unless the predicate names users.
    pub(crate) fn named_users(&self) -> UserQuery {
        let parts = match self {
            Self::And(parts) => parts.as_slice(),
            other => std::slice::from_ref(other),
        };
        let named = |wanted: Field| {
            parts.iter().find_map(|part| match part {
                Self::In { field, values, negated: false }
                    if *field == wanted && values.len() <= UserQuery::MAX_ENTRIES =>
                {
                    Some(values.iter().filter_map(Scalar::text).map(ToOwned::to_owned).collect())
                }
                _ => None,
            })
        };
        UserQuery { ids: named(Field::Id), names: named(Field::Name) }
    }

    /// Flattens nested junctions, and merges the conditions on one field into one set of values.
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

/// The values that one field must have, or must not have.
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

    /// The canonical form: equal conditions become equal predicates.
    fn of(mut self, field: Field) -> Predicate {
        self.values.retain(|value| value.kind() == field.kind());
        let whole = field.kind() == FieldKind::Bool && self.values.len() == 2;
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
    fn conditions_on_one_field_merge_into_one_set() {
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
    fn predicates_independent_of_the_user_become_everybody_or_nobody() {
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
    fn predicate_that_names_users_becomes_a_query() {
        let (ana, one) = (texts(Field::Name, &["ana"]), texts(Field::Id, &["1", "2"]));
        let query = |ids: Option<&[&str]>, names: Option<&[&str]>| {
            let owned = |values: &[&str]| values.iter().map(ToString::to_string).collect();
            UserQuery { ids: ids.map(owned), names: names.map(owned) }
        };
        assert_eq!(one.named_users(), query(Some(&["1", "2"]), None));
        let all = Predicate::all([one.clone(), ana.clone(), disabled(false)]);
        assert_eq!(all.named_users(), query(Some(&["1", "2"]), Some(&["ana"])));
        for unbounded in [Predicate::everybody(), disabled(true), ana.clone().negate(), Predicate::any([ana, one])] {
            assert_eq!(unbounded.named_users(), UserQuery::default(), "{unbounded:?}");
        }
    }

    #[test]
    fn nested_junctions_are_flattened() {
        let (ana, one) = (texts(Field::Name, &["ana"]), texts(Field::Id, &["1"]));
        let both = Predicate::all([ana.clone(), Predicate::all([one.clone(), disabled(true)])]);
        assert_eq!(both, Predicate::And(vec![one, ana, disabled(true)]));
        assert_eq!(disabled(true).negate(), disabled(false));
    }
}

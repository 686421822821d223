//! A part of a query that says which users it may see.

/// What a predicate looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    /// The id.
    Id,
    /// The normalised name.
    Name,
    /// Whether the user is disabled.
    Disabled,
}

/// A value to compare a field with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scalar {
    /// Text; never equal to a boolean.
    Text(String),
    /// A boolean; never equal to text.
    Bool(bool),
}

/// A condition on users. Comparison is byte by byte.
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
}

//! Fields of predicates as columns of `users AS u`.

use crate::model::{Field, Scalar};

/// How a field is stored.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) enum Column {
    /// A UUID.
    Id(&'static str),
    /// A text.
    Text(&'static str),
    /// A boolean.
    Bool(&'static str),
}

pub(in crate::store) const fn column(field: Field) -> Column {
    match field {
        Field::Id => Column::Id("u.id"),
        Field::Name => Column::Text("u.name"),
        Field::Disabled => Column::Bool("u.disabled"),
    }
}

impl Column {
    /// The condition that two columns have equal values, or different ones if `negated`. `id_text` is the id as text, in the form that
    /// callers see.
    pub(in crate::store) fn compared_with(self, other: Self, negated: bool, id_text: &str) -> String {
        let (left, right) = match (self, other) {
            (Self::Id(left), Self::Id(right))
            | (Self::Text(left), Self::Text(right))
            | (Self::Bool(left), Self::Bool(right)) => (left, right),
            (Self::Id(_), Self::Text(text)) | (Self::Text(text), Self::Id(_)) => (text, id_text),
            (Self::Bool(_), Self::Id(_) | Self::Text(_)) | (Self::Id(_) | Self::Text(_), Self::Bool(_)) => {
                return boolean(negated).to_owned();
            }
        };
        format!("{left} {} {right}", if negated { "<>" } else { "=" })
    }
}

pub(in crate::store) fn boolean(value: bool) -> &'static str {
    if value { "TRUE" } else { "FALSE" }
}

/// Whether a list of flags, or its complement if `negated`, has the wanted one.
pub(in crate::store) fn has(values: &[Scalar], negated: bool, wanted: bool) -> bool {
    values.contains(&Scalar::Bool(wanted)) != negated
}

/// The texts of a list.
pub(in crate::store) fn texts(values: &[Scalar]) -> impl Iterator<Item = &String> {
    values.iter().filter_map(|value| match value {
        Scalar::Text(text) => Some(text),
        Scalar::Bool(_) => None,
    })
}

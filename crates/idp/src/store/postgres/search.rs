//! Predicates as SQL.

use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use super::connection::Param;
use super::text::escape;
use crate::model::{Field, Predicate};
use crate::store::sql::{Column, column, has, parse_id, texts};

/// The id as text: the form of PostgreSQL's UUIDs is that of ids.
const ID_TEXT: &str = "u.id::text";

/// How the users for whom a predicate holds are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Access {
    /// By id or name: they are few.
    Named,
    /// By the index of disabled users.
    Disabled,
    /// By reading all.
    Scan,
}

impl Access {
    /// The best way for a predicate.
    pub(super) fn of(predicate: &Predicate) -> Self {
        match predicate {
            Predicate::And(parts) => parts.iter().map(Self::of).min().unwrap_or(Self::Scan),
            // Nobody, if there are no parts.
            Predicate::Or(parts) => parts.iter().map(Self::of).max().unwrap_or(Self::Named),
            Predicate::In { field: Field::Id | Field::Name, negated: false, .. } => Self::Named,
            Predicate::In { field: Field::Id | Field::Name, negated: true, .. } => Self::Scan,
            Predicate::In { field: Field::Disabled, values, negated } => {
                match (has(values, *negated, true), has(values, *negated, false)) {
                    (true, false) => Self::Disabled,
                    (false, false) => Self::Named,
                    (_, true) => Self::Scan,
                }
            }
            Predicate::Same { .. } => Self::Scan,
        }
    }
}

/// A list of a condition.
enum List {
    Ids(Vec<Uuid>),
    Texts(Vec<String>),
}

/// Conditions over `users AS u`, and their parameters.
#[derive(Default)]
pub(super) struct Conditions {
    lists: Vec<List>,
    /// The number of parameters before the lists.
    before: usize,
}

impl Conditions {
    /// Conditions whose lists are numbered after `before` other parameters.
    pub(super) fn after(before: usize) -> Self {
        Self { lists: Vec::new(), before }
    }

    /// The values of the lists, in the order of their numbers.
    pub(super) fn params(&self) -> impl Iterator<Item = Param<'_>> {
        self.lists.iter().map(|list| match list {
            List::Ids(ids) => (ids as &(dyn ToSql + Sync), Type::UUID_ARRAY),
            List::Texts(texts) => (texts as &(dyn ToSql + Sync), Type::TEXT_ARRAY),
        })
    }

    /// The condition that the predicate holds.
    pub(super) fn of(&mut self, predicate: &Predicate) -> String {
        match predicate {
            Predicate::And(parts) => self.joined(parts, " AND ", "TRUE"),
            Predicate::Or(parts) => self.joined(parts, " OR ", "FALSE"),
            Predicate::In { field, values, negated } => {
                let (sql, list, array) = match column(*field) {
                    Column::Bool(sql) => {
                        return match (has(values, *negated, true), has(values, *negated, false)) {
                            (true, true) => "TRUE".to_owned(),
                            (true, false) => sql.to_owned(),
                            (false, true) => format!("NOT {sql}"),
                            (false, false) => "FALSE".to_owned(),
                        };
                    }
                    Column::Id(sql) => {
                        (sql, List::Ids(texts(values).filter_map(|id| parse_id(id)).collect()), "uuid[]")
                    }
                    Column::Text(sql) => {
                        (sql, List::Texts(texts(values).map(|text| escape(text).into_owned()).collect()), "text[]")
                    }
                };
                self.lists.push(list);
                let number = self.before + self.lists.len();
                if *negated {
                    format!("{sql} <> ALL (${number}::{array})")
                } else {
                    format!("{sql} = ANY (${number}::{array})")
                }
            }
            Predicate::Same { left, right, negated } => column(*left).compared_with(column(*right), *negated, ID_TEXT),
        }
    }

    /// Joined as a balanced tree: a chain is as deep as it is long, and the server limits the depth.
    fn joined(&mut self, parts: &[Predicate], by: &str, none: &str) -> String {
        match parts {
            [] => none.to_owned(),
            [part] => self.of(part),
            parts => {
                let (first, second) = parts.split_at(parts.len() / 2);
                format!("({}{by}{})", self.joined(first, by, none), self.joined(second, by, none))
            }
        }
    }
}

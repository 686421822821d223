//! A predicate as SQL, and where to look for the users that it holds for.

use std::collections::BTreeSet;
use std::rc::Rc;

use rusqlite::ToSql;
use rusqlite::types::Value;

use super::rows::parse_id;
use crate::store::{Field, Predicate, Scalar};

/// The id as users see it.
const ID_TEXT: &str =
    "lower(substr(hex(u.id), 1, 8) || '-' || substr(hex(u.id), 9, 4) || '-' || substr(hex(u.id), 13, 4)
    || '-' || substr(hex(u.id), 17, 4) || '-' || substr(hex(u.id), 21))";

/// Where the users are that a predicate holds for.
pub(super) struct Search {
    sources: Vec<String>,
    lists: Vec<Rc<Vec<Value>>>,
    is_walk: bool,
}

impl Search {
    pub(super) fn of(predicate: &Predicate) -> Self {
        let mut this = Self { sources: Vec::new(), lists: Vec::new(), is_walk: false };
        let parts = parts(predicate);
        let nearest = parts.iter().enumerate().filter_map(|(index, part)| Some((index, Candidates::of(part)?)));
        let Some((index, candidates)) = nearest.min_by_key(|(_, candidates)| candidates.cost()) else {
            this.is_walk = true;
            let rest = this.conditions(parts.iter());
            this.sources.push(format!("users AS u WHERE u.namespace_id = ?1{rest}"));
            return this;
        };
        // One field's values are all that the part says: looking there is enough.
        let is_met = matches!(parts[index], Predicate::In { .. });
        let rest = parts.iter().enumerate().filter(|(other, _)| !is_met || *other != index).map(|(_, part)| part);
        let mut rest = this.conditions(rest);
        let Candidates { ids, names, disabled } = candidates;
        if disabled {
            this.sources.push(format!(
                "users AS u INDEXED BY users_disabled WHERE u.namespace_id = ?1 AND u.disabled = 1{rest}"
            ));
            // Nobody is found in two places.
            rest.push_str(" AND u.disabled = 0");
        }
        let ids = (!ids.is_empty()).then(|| this.list(id_values(&ids)));
        let names = (!names.is_empty()).then(|| this.list(names.into_iter().map(Value::Text).collect()));
        // CROSS JOIN is an order to the planner: from the few that are named to the users, never a walk over the users.
        let named = match (ids, names) {
            (Some(ids), None) => format!("rarray(?{ids}) AS c CROSS JOIN users AS u ON u.id = c.value"),
            (None, Some(names)) => format!("rarray(?{names}) AS c CROSS JOIN users AS u ON u.name = c.value"),
            (Some(ids), Some(names)) => format!(
                "(SELECT value FROM rarray(?{ids}) UNION
                  SELECT x.id FROM rarray(?{names}) AS n CROSS JOIN users AS x
                    ON x.namespace_id = ?1 AND x.name = n.value) AS c
                 CROSS JOIN users AS u ON u.id = c.value"
            ),
            (None, None) if disabled => return this,
            // Nobody is named.
            (None, None) => "users AS u".to_owned(),
        };
        if (ids, names) == (None, None) {
            rest.push_str(" AND FALSE");
        }
        this.sources.push(format!("{named} WHERE u.namespace_id = ?1{rest}"));
        this
    }

    /// What stands behind `FROM`, up to and with conditions: of `users AS u`, no user in two of them. `?1` is the namespace.
    pub(super) fn sources(&self) -> &[String] {
        &self.sources
    }

    /// Whether all users have to be looked at.
    pub(super) fn is_walk(&self) -> bool {
        self.is_walk
    }

    /// The values of the parameters, in their order.
    pub(super) fn values<'a>(&'a self, namespace_id: &'a i64) -> Vec<&'a dyn ToSql> {
        let lists = self.lists.iter().map(|list| list as &dyn ToSql);
        std::iter::once(namespace_id as &dyn ToSql).chain(lists).collect()
    }

    /// Adds a list to the parameters and returns its number; the namespace is number 1.
    fn list(&mut self, values: Vec<Value>) -> usize {
        self.lists.push(Rc::new(values));
        self.lists.len() + 1
    }

    fn conditions<'a>(&mut self, parts: impl Iterator<Item = &'a Predicate>) -> String {
        let parts: Vec<_> = parts.collect();
        if parts.is_empty() { String::new() } else { format!(" AND {}", self.joined(&parts, " AND ", "TRUE")) }
    }

    fn condition(&mut self, predicate: &Predicate) -> String {
        match predicate {
            Predicate::And(parts) => self.joined(&parts.iter().collect::<Vec<_>>(), " AND ", "TRUE"),
            Predicate::Or(parts) => self.joined(&parts.iter().collect::<Vec<_>>(), " OR ", "FALSE"),
            Predicate::In { field: Field::Disabled, values, negated } => {
                match (has(values, *negated, true), has(values, *negated, false)) {
                    (true, true) => "TRUE",
                    (true, false) => "u.disabled = 1",
                    (false, true) => "u.disabled = 0",
                    (false, false) => "FALSE",
                }
                .to_owned()
            }
            Predicate::In { field, values, negated } => {
                let (column, values) = match field {
                    Field::Id => ("u.id", id_values(texts(values))),
                    _ => ("u.name", texts(values).cloned().map(Value::Text).collect()),
                };
                let list = self.list(values);
                let not = if *negated { "NOT " } else { "" };
                format!("{column} {not}IN (SELECT value FROM rarray(?{list}))")
            }
            Predicate::Same { left, right, negated } => match (left, right) {
                (left, right) if left == right => boolean(!negated).to_owned(),
                (Field::Disabled, _) | (_, Field::Disabled) => boolean(*negated).to_owned(),
                _ => format!("u.name {} {ID_TEXT}", if *negated { "<>" } else { "=" }),
            },
        }
    }

    /// In halves of halves: SQLite takes expressions a thousand levels deep, and a chain has as many levels as links.
    fn joined(&mut self, parts: &[&Predicate], by: &str, none: &str) -> String {
        match parts {
            [] => none.to_owned(),
            [part] => self.condition(part),
            parts => {
                let (first, second) = parts.split_at(parts.len() / 2);
                format!("({}{by}{})", self.joined(first, by, none), self.joined(second, by, none))
            }
        }
    }
}

fn parts(predicate: &Predicate) -> &[Predicate] {
    if let Predicate::And(parts) = predicate { parts } else { std::slice::from_ref(predicate) }
}

/// Users among whom are all that a predicate holds for.
#[derive(Default)]
struct Candidates {
    ids: BTreeSet<String>,
    names: BTreeSet<String>,
    /// The disabled ones, too.
    disabled: bool,
}

impl Candidates {
    /// The fewest that the predicate names; nothing if only a walk over everyone finds them.
    fn of(predicate: &Predicate) -> Option<Self> {
        match predicate {
            Predicate::And(parts) => parts.iter().filter_map(Self::of).min_by_key(Self::cost),
            Predicate::Or(parts) => parts.iter().map(Self::of).try_fold(Self::default(), |mut all, part| {
                let part = part?;
                all.ids.extend(part.ids);
                all.names.extend(part.names);
                all.disabled |= part.disabled;
                Some(all)
            }),
            Predicate::In { field: Field::Disabled, values, negated } => {
                let only_disabled = has(values, *negated, true) && !has(values, *negated, false);
                only_disabled.then(|| Self { disabled: true, ..Self::default() })
            }
            Predicate::In { field, values, negated: false } => {
                let values = texts(values).cloned().collect();
                Some(match field {
                    Field::Id => Self { ids: values, ..Self::default() },
                    _ => Self { names: values, ..Self::default() },
                })
            }
            _ => None,
        }
    }

    /// How many the disabled are is not known: they come last.
    fn cost(&self) -> (bool, usize) {
        (self.disabled, self.ids.len() + self.names.len())
    }
}

fn has(values: &[Scalar], negated: bool, wanted: bool) -> bool {
    values.contains(&Scalar::Bool(wanted)) != negated
}

fn boolean(value: bool) -> &'static str {
    if value { "TRUE" } else { "FALSE" }
}

fn texts(values: &[Scalar]) -> impl Iterator<Item = &String> {
    values.iter().filter_map(|value| match value {
        Scalar::Text(text) => Some(text),
        Scalar::Bool(_) => None,
    })
}

/// The ids that could be of users of ours.
fn id_values<'a>(ids: impl IntoIterator<Item = &'a String>) -> Vec<Value> {
    ids.into_iter().filter_map(|id| parse_id(id)).map(|id| Value::Blob(id.into_bytes().into())).collect()
}

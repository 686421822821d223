//! Predicates as SQL, and the indexes that find the users for whom they hold.

use std::collections::BTreeSet;
use std::rc::Rc;

use rusqlite::ToSql;
use rusqlite::types::Value;

use crate::model::{Field, Predicate};
use crate::store::sql::{Column, column, has, parse_id, texts};

/// The id as text, in the form that callers see.
const ID_TEXT: &str =
    "lower(substr(hex(u.id), 1, 8) || '-' || substr(hex(u.id), 9, 4) || '-' || substr(hex(u.id), 13, 4)
    || '-' || substr(hex(u.id), 17, 4) || '-' || substr(hex(u.id), 21))";

/// A query for the users for whom a predicate holds.
pub(super) struct Search {
    sources: Vec<String>,
    lists: Vec<Rc<Vec<Value>>>,
    is_scan: bool,
}

impl Search {
    pub(super) fn of(predicate: &Predicate) -> Self {
        let mut this = Self { sources: Vec::new(), lists: Vec::new(), is_scan: false };
        let parts = parts(predicate);
        let nearest = parts.iter().enumerate().filter_map(|(index, part)| Some((index, Candidates::of(part)?)));
        let Some((index, candidates)) = nearest.min_by_key(|(_, candidates)| candidates.cost()) else {
            this.is_scan = true;
            let rest = this.conditions(parts.iter());
            this.sources.push(format!("users AS u WHERE u.namespace_id = ?1{rest}"));
            return this;
        };
        // A condition on one field is met by looking up its values, and need not be checked again.
        let is_met = matches!(parts[index], Predicate::In { .. });
        let rest = parts.iter().enumerate().filter(|(other, _)| !is_met || *other != index).map(|(_, part)| part);
        let mut rest = this.conditions(rest);
        let Candidates { ids, names, disabled } = candidates;
        if disabled {
            this.sources.push(format!(
                "users AS u INDEXED BY users_disabled WHERE u.namespace_id = ?1 AND u.disabled = 1{rest}"
            ));
            // No user is in two sources.
            rest.push_str(" AND u.disabled = 0");
        }
        let ids = (!ids.is_empty()).then(|| this.list(id_values(&ids)));
        let names = (!names.is_empty()).then(|| this.list(names.into_iter().map(Value::Text).collect()));
        // CROSS JOIN makes the planner look up the named users instead of scanning all.
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
            // No user is named.
            (None, None) => "users AS u".to_owned(),
        };
        if (ids, names) == (None, None) {
            rest.push_str(" AND FALSE");
        }
        this.sources.push(format!("{named} WHERE u.namespace_id = ?1{rest}"));
        this
    }

    /// The `FROM` and `WHERE` clauses, over `users AS u`. No user is in two sources. `?1` is the namespace.
    pub(super) fn sources(&self) -> &[String] {
        &self.sources
    }

    /// Whether the query scans all users.
    pub(super) fn is_scan(&self) -> bool {
        self.is_scan
    }

    /// The values of the parameters, in order.
    pub(super) fn values<'a>(&'a self, namespace_id: &'a i64) -> Vec<&'a dyn ToSql> {
        let lists = self.lists.iter().map(|list| list as &dyn ToSql);
        std::iter::once(namespace_id as &dyn ToSql).chain(lists).collect()
    }

    /// Adds a list to the parameters, and returns its number. The namespace has number 1.
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
            Predicate::In { field, values, negated } => {
                let (sql, values) = match column(*field) {
                    Column::Bool(sql) => {
                        return match (has(values, *negated, true), has(values, *negated, false)) {
                            (true, true) => "TRUE".to_owned(),
                            (true, false) => format!("{sql} = 1"),
                            (false, true) => format!("{sql} = 0"),
                            (false, false) => "FALSE".to_owned(),
                        };
                    }
                    Column::Id(sql) => (sql, id_values(texts(values))),
                    Column::Text(sql) => (sql, texts(values).cloned().map(Value::Text).collect()),
                };
                let list = self.list(values);
                let not = if *negated { "NOT " } else { "" };
                format!("{sql} {not}IN (SELECT value FROM rarray(?{list}))")
            }
            Predicate::Same { left, right, negated } => column(*left).compared_with(column(*right), *negated, ID_TEXT),
        }
    }

    /// Joined as a balanced tree: SQLite limits expressions to a depth of 1000, and a chain is as deep as it is long.
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

/// A superset of the users for whom a predicate holds, found through indexes.
#[derive(Default)]
struct Candidates {
    ids: BTreeSet<String>,
    names: BTreeSet<String>,
    /// Whether all disabled users are included.
    disabled: bool,
}

impl Candidates {
    /// The smallest set that the predicate gives. `None` if only a scan finds the users.
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
            Predicate::In { field, values, negated } => match field {
                Field::Id if *negated => None,
                Field::Id => Some(Self { ids: texts(values).cloned().collect(), ..Self::default() }),
                Field::Name if *negated => None,
                Field::Name => Some(Self { names: texts(values).cloned().collect(), ..Self::default() }),
                Field::Disabled => {
                    let only_disabled = has(values, *negated, true) && !has(values, *negated, false);
                    only_disabled.then(|| Self { disabled: true, ..Self::default() })
                }
            },
            Predicate::Same { .. } => None,
        }
    }

    /// The number of disabled users is not known: sets with them are last.
    fn cost(&self) -> (bool, usize) {
        (self.disabled, self.ids.len() + self.names.len())
    }
}

/// The ids that have the form of a user's id.
fn id_values<'a>(ids: impl IntoIterator<Item = &'a String>) -> Vec<Value> {
    ids.into_iter().filter_map(|id| parse_id(id)).map(|id| Value::Blob(id.into_bytes().into())).collect()
}

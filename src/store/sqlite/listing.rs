//! Pages: which users a query matches, found through indexes wherever a filter or a policy names them.

use std::rc::Rc;

use rusqlite::types::Value;
use rusqlite::{Connection, ToSql, params};
use uuid::Uuid;

use super::users::{columns, parse_id, record};
use crate::idp::UserQuery;
use crate::store::{Field, Page, PageRequest, Predicate, Scalar, StoreError};

type List = Rc<Vec<Value>>;

/// One page, and the count of all that the query matches.
pub(super) fn page(connection: &Connection, namespace_id: i64, request: PageRequest) -> Result<Page, StoreError> {
    let PageRequest { query, visible, after, limit } = request;
    let matching = Matching::new(namespace_id, query, &visible);
    let total: i64 = if matching.is_everybody {
        let sql = "SELECT user_count FROM namespaces WHERE id = ?";
        connection.prepare_cached(sql)?.query_row([namespace_id], |row| row.get(0))?
    } else {
        let sql = format!("SELECT count(*) FROM {}", matching.sql);
        connection.prepare_cached(&sql)?.query_row(&*matching.values(), |row| row.get(0))?
    };

    // A cursor is an id that we gave; below the smallest id for the first page.
    let after = after.as_deref().and_then(parse_id).unwrap_or_else(Uuid::nil).into_bytes();
    // One row more than asked for tells whether users follow.
    let rows = i64::from(limit) + 1;
    let mut values = matching.values();
    values.extend(params![after, rows]);
    let (first, second) = (values.len() - 1, values.len());
    let sql = format!("SELECT {} FROM {} AND u.id > ?{first} ORDER BY u.id LIMIT ?{second}", columns!(), matching.sql);
    let mut statement = connection.prepare_cached(&sql)?;
    let mut users: Vec<_> = statement.query_map(&*values, record)?.collect::<Result<_, _>>()?;
    let more = users.len() > limit as usize;
    users.truncate(limit as usize);
    Ok(Page { users, more, total: total.unsigned_abs() })
}

/// The users that a query matches, as what stands behind `FROM`.
struct Matching {
    sql: String,
    namespace_id: i64,
    lists: Vec<List>,
    is_everybody: bool,
}

impl Matching {
    fn new(namespace_id: i64, query: UserQuery, visible: &Predicate) -> Self {
        let is_everybody = query == UserQuery::default() && visible.is_everybody();
        let mut this = Self { sql: String::new(), namespace_id, lists: Vec::new(), is_everybody };
        let ids = query.ids.map(|ids| this.list(id_values(&ids)));
        let names = query.names.map(|names| this.list(names.into_iter().map(Value::Text).collect()));
        // CROSS JOIN is an order to the planner: from the few that are named to the users, never a walk over the users.
        this.sql = match (ids, names) {
            (Some(ids), None) => {
                format!("rarray(?{ids}) AS i CROSS JOIN users AS u ON u.id = i.value WHERE u.namespace_id = ?1")
            }
            (None, Some(names)) => {
                format!("rarray(?{names}) AS n CROSS JOIN users AS u ON u.name = n.value WHERE u.namespace_id = ?1")
            }
            (Some(ids), Some(names)) => format!(
                "rarray(?{names}) AS n CROSS JOIN users AS u ON u.name = n.value
                 WHERE u.namespace_id = ?1 AND u.id IN (SELECT value FROM rarray(?{ids}))"
            ),
            (None, None) => match Named::by(visible) {
                Some(named) => {
                    let ids = this.list(id_values(&named.ids));
                    let names = this.list(named.names.into_iter().map(Value::Text).collect());
                    format!(
                        "(SELECT value AS id FROM rarray(?{ids}) UNION
                          SELECT x.id FROM rarray(?{names}) AS n CROSS JOIN users AS x
                            ON x.namespace_id = ?1 AND x.name = n.value) AS c
                         CROSS JOIN users AS u ON u.id = c.id WHERE u.namespace_id = ?1"
                    )
                }
                None => "users AS u WHERE u.namespace_id = ?1".to_owned(),
            },
        };
        // Each part of a conjunction by itself: the planner sees which index fits.
        let parts = if let Predicate::And(parts) = visible { parts.as_slice() } else { std::slice::from_ref(visible) };
        for part in parts {
            let condition = this.condition(part);
            this.sql.push_str(" AND ");
            this.sql.push_str(&condition);
        }
        this
    }

    /// The values of the parameters, in their order.
    fn values(&self) -> Vec<&dyn ToSql> {
        let lists = self.lists.iter().map(|list| list as &dyn ToSql);
        std::iter::once(&self.namespace_id as &dyn ToSql).chain(lists).collect()
    }

    /// Adds a list to the parameters and returns its number; the namespace is number 1.
    fn list(&mut self, values: Vec<Value>) -> usize {
        self.lists.push(Rc::new(values));
        self.lists.len() + 1
    }

    fn condition(&mut self, predicate: &Predicate) -> String {
        match predicate {
            Predicate::And(parts) => self.joined(parts, " AND ", "TRUE"),
            Predicate::Or(parts) => self.joined(parts, " OR ", "FALSE"),
            Predicate::In { field: Field::Disabled, values, negated } => {
                let has = |wanted| values.contains(&Scalar::Bool(wanted)) != *negated;
                // Spelled as the partial index on disabled users is.
                match (has(true), has(false)) {
                    (true, true) => "TRUE",
                    (true, false) => "u.disabled = 1",
                    (false, true) => "u.disabled = 0",
                    (false, false) => "FALSE",
                }
                .to_owned()
            }
            Predicate::In { field, values, negated } => {
                let texts: Vec<_> = values.iter().filter_map(text).collect();
                let (column, values) = match field {
                    Field::Id => ("u.id", id_values(&texts)),
                    _ => ("u.name", texts.into_iter().map(|text| Value::Text(text.clone())).collect()),
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

    fn joined(&mut self, parts: &[Predicate], by: &str, none: &str) -> String {
        if parts.is_empty() {
            return none.to_owned();
        }
        let parts: Vec<_> = parts.iter().map(|part| self.condition(part)).collect();
        format!("({})", parts.join(by))
    }
}

/// The id as users see it.
const ID_TEXT: &str =
    "lower(substr(hex(u.id), 1, 8) || '-' || substr(hex(u.id), 9, 4) || '-' || substr(hex(u.id), 13, 4)
    || '-' || substr(hex(u.id), 17, 4) || '-' || substr(hex(u.id), 21))";

fn boolean(value: bool) -> &'static str {
    if value { "TRUE" } else { "FALSE" }
}

fn text(value: &Scalar) -> Option<&String> {
    match value {
        Scalar::Text(text) => Some(text),
        Scalar::Bool(_) => None,
    }
}

/// The ids that could be of users of ours.
fn id_values<T: AsRef<str>>(ids: &[T]) -> Vec<Value> {
    ids.iter().filter_map(|id| parse_id(id.as_ref())).map(|id| Value::Blob(id.into_bytes().into())).collect()
}

/// Users among whom are all that a predicate holds for.
#[derive(Default)]
struct Named {
    ids: Vec<String>,
    names: Vec<String>,
}

impl Named {
    /// The fewest users that the predicate names; nothing if it does not tell them by id or name.
    fn by(predicate: &Predicate) -> Option<Self> {
        match predicate {
            Predicate::And(parts) => parts.iter().filter_map(Self::by).min_by_key(Self::len),
            Predicate::Or(parts) => parts.iter().map(Self::by).try_fold(Self::default(), |mut all, part| {
                let part = part?;
                all.ids.extend(part.ids);
                all.names.extend(part.names);
                Some(all)
            }),
            Predicate::In { field, values, negated: false } => {
                let texts = values.iter().filter_map(text).cloned().collect();
                match field {
                    Field::Id => Some(Self { ids: texts, names: Vec::new() }),
                    Field::Name => Some(Self { ids: Vec::new(), names: texts }),
                    Field::Disabled => None,
                }
            }
            _ => None,
        }
    }

    fn len(&self) -> usize {
        self.ids.len() + self.names.len()
    }
}

//! Pages: which users a query matches, found through indexes wherever a filter or a policy names them.

use rusqlite::{Connection, ToSql, params};
use uuid::Uuid;

use super::rows::{columns, parse_id, record};
use super::search::Search;
use crate::idp::UserQuery;
use crate::store::{Field, Page, PageRequest, Predicate, Scalar, StoreError};

/// One page, and the count of all that the query matches.
pub(super) fn page(connection: &Connection, namespace_id: i64, request: PageRequest) -> Result<Page, StoreError> {
    let PageRequest { query, visible, after, limit } = request;
    let wanted = wanted(query, visible);
    let total = count(connection, namespace_id, &wanted)?;
    if total == 0 {
        return Ok(Page { users: Vec::new(), more: false, total: 0 });
    }

    // A cursor is an id that we gave; below the smallest id for the first page.
    let after = after.as_deref().and_then(parse_id).unwrap_or_else(Uuid::nil).into_bytes();
    // One row more than asked for tells whether users follow.
    let rows = i64::from(limit) + 1;
    let search = Search::of(&wanted);
    let mut values = search.values(&namespace_id);
    values.extend(params![after, rows]);
    let mut statement = connection.prepare_cached(&page_sql(&search, values.len()))?;
    let mut users: Vec<_> = statement.query_map(&*values, record)?.collect::<Result<_, _>>()?;
    let more = users.len() > limit as usize;
    users.truncate(limit as usize);
    Ok(Page { users, more, total: total.unsigned_abs() })
}

/// The filters and the policies, as one: where a policy and a filter name users, those named by both are left.
fn wanted(query: UserQuery, visible: Predicate) -> Predicate {
    let filter = |field, values: Option<Vec<String>>| {
        values.map(|values| Predicate::one_of(field, values.into_iter().map(Scalar::Text)))
    };
    let filters = [filter(Field::Id, query.ids), filter(Field::Name, query.names)];
    Predicate::all(filters.into_iter().flatten().chain([visible]))
}

/// The page's rows; the last two of the parameters are the cursor and the number of rows.
fn page_sql(search: &Search, parameters: usize) -> String {
    let (after, rows) = (parameters - 1, parameters);
    match search.sources() {
        [source] => {
            format!("SELECT {} FROM {source} AND u.id > ?{after} ORDER BY u.id LIMIT ?{rows}", columns!())
        }
        sources => {
            // What is first in all is among the first of each.
            let first: Vec<_> = sources
                .iter()
                .map(|source| {
                    format!(
                        "SELECT id FROM (SELECT u.id FROM {source} AND u.id > ?{after} ORDER BY u.id LIMIT ?{rows})"
                    )
                })
                .collect();
            format!(
                "SELECT {} FROM ({}) AS c CROSS JOIN users AS u ON u.namespace_id = ?1 AND u.id = c.id
                 ORDER BY u.id LIMIT ?{rows}",
                columns!(),
                first.join(" UNION ALL ")
            )
        }
    }
}

/// How many users the predicate holds for.
fn count(connection: &Connection, namespace_id: i64, wanted: &Predicate) -> Result<i64, StoreError> {
    if wanted.is_nobody() {
        return Ok(0);
    }
    if wanted.is_everybody() {
        return count_all(connection, namespace_id);
    }
    let search = Search::of(wanted);
    if search.is_walk() {
        // Everyone but a few: the few are counted.
        let others = wanted.clone().negate();
        let rest = Search::of(&others);
        if !rest.is_walk() {
            let all = count_all(connection, namespace_id)?;
            return Ok(all - count_found(connection, namespace_id, &rest)?);
        }
    }
    count_found(connection, namespace_id, &search)
}

fn count_all(connection: &Connection, namespace_id: i64) -> Result<i64, StoreError> {
    let sql = "SELECT user_count FROM namespaces WHERE id = ?";
    Ok(connection.prepare_cached(sql)?.query_row([namespace_id], |row| row.get(0))?)
}

fn count_found(connection: &Connection, namespace_id: i64, search: &Search) -> Result<i64, StoreError> {
    let counts: Vec<_> = search.sources().iter().map(|source| format!("(SELECT count(*) FROM {source})")).collect();
    let sql = format!("SELECT {}", counts.join(" + "));
    let values: Vec<&dyn ToSql> = search.values(&namespace_id);
    Ok(connection.prepare_cached(&sql)?.query_row(&*values, |row| row.get(0))?)
}

//! Pages of users, found through indexes where the predicate names users.

use rusqlite::{ToSql, params};
use uuid::Uuid;

use super::scope::Scope;
use super::search::Search;
use super::select_list::scalar;
use super::users::{record, user_columns};
use crate::model::Predicate;
use crate::store::sql::parse_id;
use crate::store::{Page, PageRequest, StoreError};

/// One page, and the number of users for whom the predicate holds.
pub(super) fn page(scope: Scope<'_>, request: &PageRequest) -> Result<Page, StoreError> {
    let PageRequest { filter, after, limit } = request;
    let total = count(scope, filter)?;
    if total == 0 {
        return Ok(Page { users: Vec::new(), more: false, total: 0 });
    }

    // The nil UUID is below all ids.
    let after = after.as_deref().and_then(parse_id).unwrap_or_else(Uuid::nil).into_bytes();
    // One row more than requested tells whether users follow.
    let rows = i64::from(*limit) + 1;
    let search = Search::of(filter);
    let mut values = search.values(&scope.namespace_id);
    values.extend(params![after, rows]);
    let mut statement = scope.prepare(&page_sql(&search, values.len()))?;
    let mut users: Vec<_> = statement.query_map(&*values, record)?.collect::<Result<_, _>>()?;
    let more = users.len() > *limit as usize;
    users.truncate(*limit as usize);
    Ok(Page { users, more, total: total.unsigned_abs() })
}

/// The query for the rows of a page. The last two parameters are the id after which it starts, and the number of rows.
fn page_sql(search: &Search, parameters: usize) -> String {
    let (after, rows) = (parameters - 1, parameters);
    match search.sources() {
        [source] => {
            format!("SELECT {} FROM {source} AND u.id > ?{after} ORDER BY u.id LIMIT ?{rows}", user_columns!())
        }
        sources => {
            // The first rows of all sources are among the first rows of each.
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
                user_columns!(),
                first.join(" UNION ALL ")
            )
        }
    }
}

/// The number of users for whom the predicate holds.
fn count(scope: Scope<'_>, predicate: &Predicate) -> Result<i64, StoreError> {
    if predicate.is_nobody() {
        return Ok(0);
    }
    if predicate.is_everybody() {
        return count_all(scope);
    }
    let search = Search::of(predicate);
    if search.is_scan() {
        // If an index finds the users for whom it does not hold, count those.
        let others = predicate.clone().negate();
        let rest = Search::of(&others);
        if !rest.is_scan() {
            return Ok(count_all(scope)? - count_found(scope, &rest)?);
        }
    }
    count_found(scope, &search)
}

fn count_all(scope: Scope<'_>) -> Result<i64, StoreError> {
    let sql = "SELECT user_count FROM namespaces WHERE id = ?";
    Ok(scope.prepare(sql)?.query_row([scope.namespace_id], scalar)?)
}

fn count_found(scope: Scope<'_>, search: &Search) -> Result<i64, StoreError> {
    let counts: Vec<_> = search.sources().iter().map(|source| format!("(SELECT count(*) FROM {source})")).collect();
    let sql = format!("SELECT {}", counts.join(" + "));
    let values: Vec<&dyn ToSql> = search.values(&scope.namespace_id);
    Ok(scope.prepare(&sql)?.query_row(&*values, scalar)?)
}

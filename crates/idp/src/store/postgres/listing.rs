//! Pages of users. A page and the total are one statement: read at one point in time.

use tokio_postgres::types::Type;
use uuid::Uuid;

use super::connection::Param;
use super::error::Failure;
use super::search::{Access, Conditions};
use super::transaction::Scope;
use super::users::{record, user_columns};
use crate::model::Predicate;
use crate::store::sql::parse_id;
use crate::store::{Page, PageRequest};

/// The number of all users of the namespace.
const COUNT_ALL: &str = "(SELECT coalesce(sum(count), 0)::bigint FROM tailor_idp.user_counts WHERE namespace_id = $1)";

/// The parameters before those of the conditions: namespace, id to start after, number of rows.
const FIRST_PARAMETERS: usize = 3;

/// One page, and the number of users for whom the predicate holds.
pub(super) async fn page(scope: &Scope, request: &PageRequest) -> Result<Page, Failure> {
    let PageRequest { filter, after, limit } = request;
    if filter.is_nobody() {
        return Ok(Page { users: Vec::new(), more: false, total: 0 });
    }
    // The nil UUID is below all ids.
    let after = after.as_deref().and_then(parse_id).unwrap_or_else(Uuid::nil);
    // One row more than requested tells whether users follow.
    let rows = i64::from(*limit) + 1;
    let mut conditions = Conditions::after(FIRST_PARAMETERS);
    let sql = sql(filter, &mut conditions);
    let mut params: Vec<Param<'_>> = vec![(&scope.namespace_id, Type::INT4), (&after, Type::UUID), (&rows, Type::INT8)];
    params.extend(conditions.params());
    let rows = if filter.is_everybody() {
        scope.connection.query(&sql, &params).await?
    } else {
        scope.connection.query_once(&sql, &params).await?
    };
    let mut page = Page { users: Vec::new(), more: false, total: 0 };
    for row in &rows {
        page.total = row.try_get::<_, i64>(0)?.unsigned_abs();
        // The total has a row without a user if the page is empty.
        if row.try_get::<_, Option<Uuid>>(1)?.is_some() {
            page.users.push(record(row, 1)?);
        }
    }
    page.more = page.users.len() > *limit as usize;
    page.users.truncate(*limit as usize);
    Ok(page)
}

/// The query for the total and the rows of a page.
fn sql(filter: &Predicate, conditions: &mut Conditions) -> String {
    let (found, source, condition, total) = match Access::of(filter) {
        // Found once. The planner might look for them along the primary key, because of the limit.
        Access::Named => {
            let condition = conditions.of(filter);
            let found = format!(
                "found AS MATERIALIZED (SELECT * FROM tailor_idp.users AS u WHERE u.namespace_id = $1 AND {condition}),"
            );
            (found, "found", "TRUE".to_owned(), "(SELECT count(*) FROM found)".to_owned())
        }
        access => {
            let condition = conditions.of(filter);
            let total = if filter.is_everybody() {
                COUNT_ALL.to_owned()
            } else {
                total(filter, access, &condition, conditions)
            };
            (String::new(), "tailor_idp.users", condition, total)
        }
    };
    format!(
        "WITH {found} page AS (
           SELECT {} FROM {source} AS u
           WHERE u.namespace_id = $1 AND u.id > $2 AND {condition} ORDER BY u.id LIMIT $3
         )
         SELECT {total}, p.* FROM (VALUES (1)) AS one LEFT JOIN page AS p ON TRUE ORDER BY p.id",
        user_columns!()
    )
}

/// The number of users for whom a predicate holds.
fn total(filter: &Predicate, access: Access, condition: &str, conditions: &mut Conditions) -> String {
    let count = |condition: &str| {
        format!("(SELECT count(*) FROM tailor_idp.users AS u WHERE u.namespace_id = $1 AND {condition})")
    };
    if access == Access::Scan {
        // If an index finds the users for whom it does not hold, count those.
        let others = filter.clone().negate();
        if Access::of(&others) != Access::Scan {
            return format!("({COUNT_ALL} - {})", count(&conditions.of(&others)));
        }
    }
    count(condition)
}

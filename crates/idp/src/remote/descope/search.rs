//! Searches: filters and pages.

use serde_json::{Value, json};

use super::wire::DescopeUser;
use super::{Descope, PAGE, parse};
use crate::model::{IdpError, UserRecord};
use crate::remote::backend::Call;

/// The path of the call.
const SEARCH: [&str; 4] = ["v2", "mgmt", "user", "search"];

/// A page of all users.
pub(super) struct SearchPage {
    pub(super) users: Vec<DescopeUser>,
    pub(super) next: Option<String>,
    /// The number of all users, if Descope gives it.
    pub(super) total: Option<u64>,
}

impl Descope {
    /// The users that a search finds, and the number of all that match.
    pub(super) async fn search(
        &self,
        call: &Call<'_>,
        body: Value,
    ) -> Result<(Vec<DescopeUser>, Option<u64>), IdpError> {
        // Searching has no effect.
        let request = self.post(&SEARCH, body).repeatable();
        let answer = call.send(request).await.and_then(|answer| parse(&answer));
        let answer = answer.map_err(|failure| call.failed(failure))?;
        Ok((answer.users.unwrap_or_default(), answer.total))
    }

    /// The users whom a filter of the search names, all of them: `values` has at most [`PAGE`].
    pub(super) async fn filtered(
        &self,
        call: &Call<'_>,
        filter: &str,
        values: &[String],
    ) -> Result<Vec<UserRecord>, IdpError> {
        let values: Vec<_> = values.iter().filter(|value| !value.is_empty()).collect();
        if values.is_empty() {
            return Ok(Vec::new());
        }
        let body = json!({ filter: values, "limit": PAGE, "page": 0, "withTestUser": true });
        let (users, total) = self.search(call, body).await?;
        if total.is_some_and(|total| total > users.len() as u64) {
            return Err(call.unexpected("a search answered with a part of what it found"));
        }
        Ok(users.into_iter().map(UserRecord::from).collect())
    }

    /// At most `limit` users after the cursor, which is the number of users before the page.
    pub(super) async fn search_page(
        &self,
        call: &Call<'_>,
        after: Option<String>,
        limit: u32,
    ) -> Result<SearchPage, IdpError> {
        let offset: u64 = match after {
            Some(after) => after.parse().map_err(|_| call.unexpected("a cursor is no number"))?,
            None => 0,
        };
        let limit = limit.clamp(1, PAGE);
        // Descope counts pages, of one size: where the cursor is not at the start of a page, what is before it is dropped.
        let size = if offset.is_multiple_of(u64::from(limit)) { limit } else { PAGE };
        let (page, before) = (offset / u64::from(size), (offset % u64::from(size)) as usize);
        // By the id too: times are in seconds.
        let sort = json!([{ "field": "createdTime", "desc": false }, { "field": "id", "desc": false }]);
        let body = json!({ "limit": size, "page": page, "sort": sort, "withTestUser": true });
        let (mut users, total) = self.search(call, body).await?;
        let end = page * u64::from(size) + users.len() as u64;
        // Without a total, a page that is not full is the last.
        let has_more = total.map_or(users.len() == size as usize, |total| end < total);
        if has_more && users.len() < size as usize {
            return Err(call.unexpected("a page has fewer users than asked for, and is not the last"));
        }
        users.drain(..before.min(users.len()));
        let has_more = has_more || users.len() > limit as usize;
        users.truncate(limit as usize);
        let next = has_more.then(|| (offset + users.len() as u64).to_string());
        // Descope leaves out zeros.
        let total = total.or((end == 0).then_some(0));
        Ok(SearchPage { users, next, total })
    }
}

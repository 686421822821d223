//! Listing: which users, and which page of them.

use serde::Serialize;

use super::{Field, IdpError, Predicate, Scalar, User};

/// Filters of a listing. They are combined with AND.
///
/// Serialised whole into the seal of a page token, so that a token is bound to every filter, including those added later.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct UserQuery {
    /// Matches users with one of these ids, at most [`MAX_ENTRIES`](Self::MAX_ENTRIES). An empty list matches no user.
    pub ids: Option<Vec<String>>,
    /// Matches users with one of these names, at most [`MAX_ENTRIES`](Self::MAX_ENTRIES). An empty list matches no user.
    pub names: Option<Vec<String>>,
}

impl UserQuery {
    /// The maximum number of entries of a filter: each is a lookup.
    pub const MAX_ENTRIES: usize = 1000;

    /// Checks the number of entries of the filter `field`.
    ///
    /// # Errors
    ///
    /// [`Code::InvalidArgument`](super::Code::InvalidArgument) above [`MAX_ENTRIES`](Self::MAX_ENTRIES).
    pub fn check_length(field: &str, length: usize) -> Result<(), IdpError> {
        if length <= Self::MAX_ENTRIES {
            return Ok(());
        }
        let max = Self::MAX_ENTRIES;
        Err(IdpError::invalid_argument(format!("{field} must have at most {max} entries: got {length}")))
    }

    /// Whether the query matches all users.
    pub fn is_unfiltered(&self) -> bool {
        *self == Self::default()
    }

    /// The maximum number of users that match, if there is a filter: ids and names are unique.
    pub(crate) fn max_users(&self) -> u32 {
        let Self { ids, names } = self;
        let entries = [ids, names].into_iter().flatten().map(Vec::len).min();
        entries.map_or(u32::MAX, |entries| u32::try_from(entries).unwrap_or(u32::MAX))
    }

    /// Makes the filter of names, if there is one, match further names as well.
    pub(crate) fn or_names(mut self, further: Vec<String>) -> Self {
        if let Some(names) = self.names.as_mut().filter(|_| !further.is_empty()) {
            names.extend(further);
            names.sort_unstable();
            names.dedup();
        }
        self
    }

    /// The filters as one predicate.
    pub fn into_predicate(self) -> Predicate {
        // Exhaustive: the compiler points here when a filter is added.
        let Self { ids, names } = self;
        let one_of = |field, values: Option<Vec<String>>| {
            values.map(|values| Predicate::one_of(field, values.into_iter().map(Scalar::Text)))
        };
        Predicate::all([one_of(Field::Id, ids), one_of(Field::Name, names)].into_iter().flatten())
    }
}

/// Parameters for listing users.
#[derive(Debug, Clone, Default)]
pub struct ListUsers {
    /// The maximum number of users on the page, 1 to 1000. `None`: 100.
    pub first: Option<i64>,
    /// The [`next_page_token`](UserPage::next_page_token) of the previous page.
    pub after: Option<String>,
    /// The filters.
    pub query: UserQuery,
}

/// One page of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserPage {
    /// The users, in creation order.
    pub users: Vec<User>,
    /// The token for the next page; `None` on the last page, and only there.
    pub next_page_token: Option<String>,
    /// The number of users that match the query, on all pages together.
    pub total_count: u64,
}

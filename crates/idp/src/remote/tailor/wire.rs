//! The GraphQL of the platform. What callers give is in variables only.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::model::{UserRecord, Version};

/// An operation: its document, and the field of the answer that has its result.
pub(super) struct Operation {
    pub(super) document: &'static str,
    pub(super) field: &'static str,
}

/// The fields of a user.
macro_rules! user {
    () => {
        "{ id name createdAt disabled mfaEnrolled mfaFactorIds }"
    };
}

/// The fields of a page of users.
macro_rules! page {
    () => {
        concat!("{ edges { node ", user!(), " } pageInfo { hasNextPage endCursor } totalCount }")
    };
}

pub(super) const USERS: Operation = Operation {
    document: concat!("query ($first: Int, $after: String) { _users(first: $first, after: $after) ", page!(), " }"),
    field: "_users",
};
pub(super) const USERS_WITH_IDS: Operation = Operation {
    document: concat!(
        "query ($first: Int, $after: String, $values: [ID!]) { ",
        "_users(first: $first, after: $after, query: { ids: $values }) ",
        page!(),
        " }"
    ),
    field: "_users",
};
pub(super) const USERS_WITH_NAMES: Operation = Operation {
    document: concat!(
        "query ($first: Int, $after: String, $values: [String!]) { ",
        "_users(first: $first, after: $after, query: { names: $values }) ",
        page!(),
        " }"
    ),
    field: "_users",
};
pub(super) const USER: Operation =
    Operation { document: concat!("query ($id: ID!) { _user(id: $id) ", user!(), " }"), field: "_user" };
pub(super) const USER_BY: Operation =
    Operation { document: concat!("query ($name: String!) { _userBy(name: $name) ", user!(), " }"), field: "_userBy" };
pub(super) const CREATE: Operation = Operation {
    document: concat!("mutation ($input: _CreateUserInput!) { _createUser(input: $input) ", user!(), " }"),
    field: "_createUser",
};
pub(super) const UPDATE: Operation = Operation {
    document: concat!("mutation ($input: _UpdateUserInput!) { _updateUser(input: $input) ", user!(), " }"),
    field: "_updateUser",
};
pub(super) const DELETE: Operation =
    Operation { document: "mutation ($id: ID!) { _deleteUser(id: $id) }", field: "_deleteUser" };
pub(super) const RESET: Operation = Operation {
    document: "mutation ($input: _SendPasswordResetEmailInput!) { _sendPasswordResetEmail(input: $input) }",
    field: "_sendPasswordResetEmail",
};
pub(super) const UNENROLL: Operation = Operation {
    document: "mutation ($input: _UnenrollMfaInput!) { _unenrollMfa(input: $input) }",
    field: "_unenrollMfa",
};

/// An answer.
#[derive(Deserialize)]
pub(super) struct Reply {
    #[serde(default)]
    data: Option<Map<String, Value>>,
    #[serde(default)]
    errors: Option<Vec<ReplyError>>,
}

#[derive(Deserialize)]
struct ReplyError {
    #[serde(default)]
    message: String,
}

impl Reply {
    /// The result of the operation, `Null` without one.
    pub(super) fn take(&mut self, operation: &Operation) -> Value {
        self.data.as_mut().and_then(|data| data.remove(operation.field)).unwrap_or_default()
    }

    /// The messages of the errors.
    pub(super) fn errors(&self) -> Vec<&str> {
        self.errors.iter().flatten().map(|error| &*error.message).collect()
    }

    /// Whether it is an answer to a GraphQL request at all.
    pub(super) fn is_empty(&self) -> bool {
        self.data.is_none() && self.errors().is_empty()
    }
}

/// A user.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PlatformUser {
    id: String,
    name: String,
    disabled: bool,
    created_at: Option<String>,
    mfa_enrolled: Option<bool>,
    mfa_factor_ids: Option<Vec<String>>,
}

impl From<PlatformUser> for UserRecord {
    fn from(user: PlatformUser) -> Self {
        let PlatformUser { id, name, disabled, created_at, mfa_enrolled, mfa_factor_ids } = user;
        // Factors that do not count, where the platform has MFA off, are none.
        let mfa_factor_ids = mfa_factor_ids.filter(|_| mfa_enrolled != Some(false)).unwrap_or_default();
        let created_at = created_at.as_deref().and_then(|text| text.parse().ok());
        Self { id, name, disabled, created_at, mfa_factor_ids, version: Version::default() }
    }
}

/// A page of users.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserConnection {
    edges: Vec<UserEdge>,
    page_info: PageInfo,
    pub(super) total_count: Option<u64>,
}

#[derive(Deserialize)]
struct UserEdge {
    node: PlatformUser,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageInfo {
    has_next_page: bool,
    end_cursor: Option<String>,
}

impl UserConnection {
    /// Whether there are more users, without a cursor to get them.
    pub(super) fn is_cut_off(&self) -> bool {
        self.page_info.has_next_page && self.page_info.end_cursor.is_none()
    }

    /// The users, and the cursor of the next page.
    pub(super) fn into_parts(self) -> (Vec<UserRecord>, Option<String>) {
        let PageInfo { has_next_page, end_cursor } = self.page_info;
        let users = self.edges.into_iter().map(|edge| edge.node.into()).collect();
        (users, end_cursor.filter(|_| has_next_page))
    }
}

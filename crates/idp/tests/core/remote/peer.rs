//! Namespaces over servers that stand in for a service, and their calls.

use std::sync::Arc;

use tailor_idp_core::directory::Directory;
use tailor_idp_core::{
    CallContext, Code, IdentityProvider, IdpError, ListUsers, NamespaceName, NamespaceSettings, Permission, Principal,
    SendPasswordResetEmail, User, UserQuery,
};

pub(super) use super::server::Peer;

/// The name of the namespace in these tests.
pub(super) fn namespace() -> NamespaceName {
    NamespaceName::new("staff").unwrap()
}

/// The context of a call by the host.
pub(super) fn host() -> CallContext {
    CallContext::new(namespace(), Principal::Host)
}

/// The default rules, with everything permitted.
pub(super) fn permissive() -> NamespaceSettings {
    NamespaceSettings::default().permission(Permission::allow_all())
}

/// The directory under the default rules, with everything permitted.
pub(super) fn router(directory: impl Directory) -> tailor_idp_core::Router {
    router_under(directory, permissive())
}

/// The directory under these rules.
pub(super) fn router_under(directory: impl Directory, settings: NamespaceSettings) -> tailor_idp_core::Router {
    tailor_idp_core::Router::builder().directory(namespace(), Arc::new(directory), settings).build()
}

/// The code and the detail of a failure.
pub(super) fn told<T: std::fmt::Debug>(result: Result<T, IdpError>) -> (Code, String) {
    let error = result.unwrap_err();
    (error.code(), error.detail().to_owned())
}

/// All that the host's log could have of an error.
pub(super) fn logged(error: &IdpError) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(&format!("; {cause} {cause:?}"));
        source = cause.source();
    }
    text
}

/// Filters by ids.
pub(super) fn ids(ids: &[&str]) -> UserQuery {
    UserQuery { ids: Some(ids.iter().map(|id| (*id).to_owned()).collect()), names: None }
}

/// Filters by names.
pub(super) fn names(names: &[&str]) -> UserQuery {
    UserQuery { ids: None, names: Some(names.iter().map(|name| (*name).to_owned()).collect()) }
}

/// A mail for the user, with nothing but what it must have.
pub(super) fn reset_mail(user: &User) -> SendPasswordResetEmail {
    SendPasswordResetEmail {
        user_id: user.id.clone(),
        redirect_uri: "https://app.example.com/done".into(),
        ..SendPasswordResetEmail::default()
    }
}

/// The ids of a listing that is read page by page, `first` at a time, and the totals of its pages.
pub(super) async fn walk(idp: &impl IdentityProvider, first: i64) -> (Vec<String>, Vec<u64>) {
    let (mut ids, mut totals, mut after) = (Vec::new(), Vec::new(), None);
    loop {
        let request = ListUsers { first: Some(first), after, ..ListUsers::default() };
        let page = idp.users(&host(), request).await.unwrap();
        ids.extend(page.users.into_iter().map(|user| user.id));
        totals.push(page.total_count);
        after = page.next_page_token;
        if after.is_none() {
            return (ids, totals);
        }
    }
}

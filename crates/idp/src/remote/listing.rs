//! Listing users at a service.

use std::collections::HashSet;

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};

use super::backend::Call;
use super::options::Count;
use crate::directory::{Access, Capabilities, DirectoryPage, ListRequest, ScanPage, ScannedUser, named_page};
use crate::model::{IdpError, UserKey, UserQuery, UserRecord};

/// The number of users that are looked up at once for one listing. The options limit the requests of all calls together.
const LOOKUPS: usize = 16;

/// The lookups and pages of a service, from which listings are made.
#[async_trait]
pub(super) trait Users: Send + Sync {
    fn capabilities(&self) -> &Capabilities;

    /// How users are counted where the service's total does not hold.
    fn count(&self) -> Count;

    /// Whether the service's pages have the number of all users. If they never have, a page is not read in vain.
    fn gives_total(&self) -> bool {
        true
    }

    /// The user with this key, read consistently.
    async fn find(&self, call: &Call<'_>, key: UserKey<'_>) -> Result<Option<UserRecord>, IdpError>;

    /// The users with these ids. Unknown ids are left out.
    async fn with_ids(&self, call: &Call<'_>, ids: &[String]) -> Result<Vec<UserRecord>, IdpError> {
        find_each(self, call, ids.iter().map(|id| UserKey::Id(id))).await
    }

    /// The users with these names. Unknown names are left out.
    async fn with_names(&self, call: &Call<'_>, names: &[String]) -> Result<Vec<UserRecord>, IdpError> {
        find_each(self, call, names.iter().map(|name| UserKey::Name(name))).await
    }

    /// At most `limit` users after the cursor, in creation order. A service may return fewer.
    async fn page(&self, call: &Call<'_>, after: Option<String>, limit: u32) -> Result<ServicePage, IdpError>;
}

/// One page of a service.
pub(super) struct ServicePage {
    pub(super) users: Vec<UserRecord>,
    /// The cursor of the next page; `None` after the last user.
    pub(super) next: Option<String>,
    /// The number of all users, if the service gives it.
    pub(super) total: Option<u64>,
}

/// Looks up each key, several at once.
pub(super) async fn find_each<'k, U: Users + ?Sized>(
    users: &U,
    call: &Call<'_>,
    keys: impl Iterator<Item = UserKey<'k>> + Send,
) -> Result<Vec<UserRecord>, IdpError> {
    // Boxed: the compiler cannot prove that a stream of borrowing futures is `Send`.
    let lookups: Vec<_> = keys.map(|key| users.find(call, key)).collect();
    Ok(several(lookups).await?.into_iter().flatten().collect())
}

/// The results of requests, several at once, in any order.
pub(super) async fn several<T>(
    requests: impl IntoIterator<Item = impl Future<Output = Result<T, IdpError>>>,
) -> Result<Vec<T>, IdpError> {
    stream::iter(requests).buffer_unordered(LOOKUPS).try_collect().await
}

/// The users of each part of a filter, several parts at once. A part has at most `size` values, and never none: services take an
/// empty filter for no filter.
pub(super) async fn find_in_parts<'v, F>(
    values: &'v [String],
    size: usize,
    find: impl Fn(&'v [String]) -> F,
) -> Result<Vec<UserRecord>, IdpError>
where
    F: Future<Output = Result<Vec<UserRecord>, IdpError>> + Send,
{
    // Collected, as in `find_each`.
    let parts: Vec<_> = values.chunks(size).map(find).collect();
    let found: Vec<_> = stream::iter(parts).buffer_unordered(LOOKUPS).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

/// Whether a name is an e-mail address by its form.
pub(super) fn is_email(name: &str) -> bool {
    name.contains('@')
}

/// Whether `name`, normalised, is the name of a user. Other programs create addresses in any case.
pub(super) fn is_name(user_name: &str, name: &str) -> bool {
    user_name == name || (is_email(name) && user_name.to_lowercase() == name)
}

/// Drops the users whom nobody asked for: a filter that a service ignores must not list everybody.
pub(super) fn retain_with_ids(found: &mut Vec<UserRecord>, ids: &[String]) {
    let ids: HashSet<_> = ids.iter().collect();
    found.retain(|user| ids.contains(&user.id));
}

/// As [`retain_with_ids`], by names.
pub(super) fn retain_named(found: &mut Vec<UserRecord>, names: &[String]) {
    let names: HashSet<_> = names.iter().map(|name| &**name).collect();
    // As `is_name`.
    let is_lower = |name: &str| is_email(name) && names.contains(&*name.to_lowercase());
    found.retain(|user| names.contains(&*user.name) || is_lower(&user.name));
}

/// One page of a listing.
pub(super) async fn list(users: &dyn Users, call: &Call<'_>, request: ListRequest) -> Result<DirectoryPage, IdpError> {
    let ListRequest { query, visible, after, limit } = request;
    // Policies that name users need no walk.
    let query = if query.is_unfiltered() { visible.named_users() } else { query };
    if !query.is_unfiltered() {
        let mut found = named(users, call, query).await?;
        found.retain(|user| visible.holds(user));
        return Ok(named_page(found, after.as_deref(), limit));
    }
    if visible.is_everybody() && users.gives_total() {
        let page = gather(users, call, after.clone(), limit as usize).await?;
        if let Some(total) = page.total {
            return Ok(DirectoryPage { users: page.users, next: page.next, total });
        }
    }
    let mut all = walk(users, call).await?;
    all.retain(|user| visible.holds(user));
    Ok(named_page(all, after.as_deref(), limit))
}

/// One page of all users, whether or not the service gives a total.
pub(super) async fn scan(
    users: &dyn Users,
    call: &Call<'_>,
    after: Option<String>,
    limit: u32,
) -> Result<ScanPage, IdpError> {
    let ServicePage { users, next, total: _ } = gather(users, call, after, limit as usize).await?;
    Ok(ScanPage { users: users.into_iter().map(ScannedUser::from).collect(), next })
}

/// Asks the service for one user. That tells nothing of the rights to change users.
pub(super) async fn check_access(users: &dyn Users, call: &Call<'_>) -> Result<Access, IdpError> {
    users.page(call, None, 1).await.map(|_| Access::of_reader())
}

/// The users with the ids and names of the query, all of them: at most as many as a filter has entries.
async fn named(users: &dyn Users, call: &Call<'_>, query: UserQuery) -> Result<Vec<UserRecord>, IdpError> {
    // Exhaustive: the compiler points here when a filter is added.
    let UserQuery { ids, names } = query;
    match (ids, names) {
        (Some(ids), None) => users.with_ids(call, &ids).await,
        (None, Some(names)) => users.with_names(call, &names).await,
        (Some(ids), Some(names)) => {
            let mut found = users.with_ids(call, &ids).await?;
            retain_named(&mut found, &names);
            Ok(found)
        }
        (None, None) => Ok(Vec::new()),
    }
}

/// `limit` users from as many pages of the service as it takes.
async fn gather(
    users: &dyn Users,
    call: &Call<'_>,
    after: Option<String>,
    limit: usize,
) -> Result<ServicePage, IdpError> {
    let mut gathered = users.page(call, after, limit as u32).await?;
    while gathered.users.len() < limit && gathered.next.is_some() {
        let left = limit - gathered.users.len();
        let page = users.page(call, gathered.next.take(), left as u32).await?;
        gathered.users.extend(page.users);
        (gathered.next, gathered.total) = (page.next, page.total);
    }
    Ok(gathered)
}

/// All users, to count those whom the caller may read.
async fn walk(users: &dyn Users, call: &Call<'_>) -> Result<Vec<UserRecord>, IdpError> {
    if users.count() == Count::Refuse {
        return Err(users.capabilities().unsupported("an exact total (count = \"walk\" reads all users for it)"));
    }
    let all = gather(users, call, None, Count::MAX_WALKED).await?;
    if all.next.is_some() {
        let max = Count::MAX_WALKED;
        let detail =
            format!("there are more than {max} users, too many to count by reading them: use query.ids or query.names");
        return Err(IdpError::failed_precondition(detail));
    }
    Ok(all.users)
}

//! What calls cost: none of them may cost more the more users there are.
//!
//! SQLite counts the steps of the store's own statements: an observer sits on every connection to the watched file.

use super::{Plain, Store};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::sync::Mutex;
use std::time::Duration;

use futures::future::join_all;
use pretty_assertions::assert_eq;
use rusqlite::{Connection, auto_extension, ffi};
use tailor_idp::idp::UserQuery;
use tailor_idp::store::{
    Field, Outcome, Page, PageRequest, Predicate, Scalar, SqliteDatabase, StartAt, UserChange, UserKey, UserRecord,
    WriteOptions,
};
use tempfile::TempDir;

use super::{everyone, insert, insert_many, mail, page};
use crate::support::namespace;

/// A statement that has run on a watched file.
#[derive(Debug, PartialEq, Eq)]
struct Statement {
    sql: String,
    /// Rows stepped over in scans of whole tables.
    scanned: c_int,
    /// Instructions of SQLite's virtual machine.
    steps: c_int,
}

/// Kinds of calls, and the statements that each ran.
type Costs = Vec<(&'static str, Vec<Statement>)>;

/// The statements that have run, by the name of the watched file.
static WATCHED: Mutex<BTreeMap<String, Vec<Statement>>> = Mutex::new(BTreeMap::new());

/// Called by SQLite for each new connection.
unsafe extern "C" fn observe(
    connection: *mut ffi::sqlite3,
    _error: *mut *mut c_char,
    _api: *const ffi::sqlite3_api_routines,
) -> c_int {
    // SAFETY: the connection is SQLite's and open; `note` fits the events asked for.
    unsafe { ffi::sqlite3_trace_v2(connection, ffi::SQLITE_TRACE_PROFILE, Some(note), std::ptr::null_mut()) }
}

/// Called by SQLite after each statement.
unsafe extern "C" fn note(_event: c_uint, _context: *mut c_void, statement: *mut c_void, _: *mut c_void) -> c_int {
    let statement: *mut ffi::sqlite3_stmt = statement.cast();
    // SAFETY: for this event SQLite hands over the statement, which lives until this function returns, as do its
    // connection and their texts.
    let (file, sql) = unsafe {
        let file = ffi::sqlite3_db_filename(ffi::sqlite3_db_handle(statement), c"main".as_ptr());
        (text(file), text(ffi::sqlite3_sql(statement)))
    };
    // Counted anew for each run.
    // SAFETY: as above.
    let count = |counter| unsafe { ffi::sqlite3_stmt_status(statement, counter, 1) };
    let (scanned, steps) = (count(ffi::SQLITE_STMTSTATUS_FULLSCAN_STEP), count(ffi::SQLITE_STMTSTATUS_VM_STEP));
    if let Ok(mut watched) = WATCHED.lock()
        && let Some(statements) = watched.get_mut(&file)
    {
        statements.push(Statement { sql, scanned, steps });
    }
    0
}

/// # Safety
///
/// `text` is null, or a C string for as long as the call takes.
unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// A namespace with many users, between two others, in a watched file.
struct Watched {
    store: Store,
    /// In the order of the listing.
    users: Vec<UserRecord>,
    file: String,
    _folder: TempDir,
}

impl Watched {
    async fn with(count: usize) -> Self {
        // SAFETY: `observe` is of the kind that SQLite calls, and stays for good.
        unsafe { auto_extension::register_auto_extension(observe) }.unwrap();
        let folder = TempDir::new().unwrap();
        let path = folder.path().canonicalize().unwrap().join("users.db");
        let database = SqliteDatabase::open(&path).unwrap();
        let mut stores: Vec<Store> = Vec::new();
        for name in ["aaa", "users", "zzz"] {
            stores.push(Plain::of(database.namespace(&namespace(name)).await.unwrap()));
            insert_many(&stores[stores.len() - 1], "beside", 20).await;
        }
        let store = stores.swap_remove(1);
        join_all((0..count).map(|n| insert(&store, format!("user{n:05}")))).await;
        let users = everyone(&store).await;
        // Everyone has as much, so that all pages weigh the same.
        join_all(users.iter().map(|user| store.queue_reset_mail(mail(user, "mail")))).await;
        join_all(users.iter().map(|user| store.add_mfa_factor(&user.id))).await;
        let file = path.to_str().unwrap().to_owned();
        WATCHED.lock().unwrap().insert(file.clone(), Vec::new());
        Self { store, users, file, _folder: folder }
    }

    /// The statements of what has run since the last call.
    fn statements(&self) -> Vec<Statement> {
        let mut watched = WATCHED.lock().unwrap();
        std::mem::take(watched.get_mut(&self.file).unwrap())
    }

    async fn page(&self, query: &UserQuery, after: Option<&str>) -> Vec<Statement> {
        let Page { users, .. } = page(&self.store, query, after, 50).await;
        assert!(!users.is_empty());
        self.statements()
    }

    /// Every kind of read, and what it ran.
    async fn reads(&self) -> Costs {
        let middle = &self.users[self.users.len() / 2];
        let some = |text: fn(&UserRecord) -> &String| {
            let mut some: Vec<_> = self.users.iter().take(20).map(text).cloned().collect();
            some.sort();
            Some(some)
        };
        let (some_ids, some_names) = (|| some(|user| &user.id), || some(|user| &user.name));
        let everyone = UserQuery::default();
        self.statements();
        let mut reads = vec![
            ("the first page", self.page(&everyone, None).await),
            ("a page in the middle", self.page(&everyone, Some(&middle.id)).await),
            ("the last page", self.page(&everyone, Some(&self.users[self.users.len() - 51].id)).await),
            ("a page by ids", self.page(&UserQuery { ids: some_ids(), names: None }, None).await),
            ("a page by names", self.page(&UserQuery { ids: None, names: some_names() }, None).await),
            ("a page by both", self.page(&UserQuery { ids: some_ids(), names: some_names() }, None).await),
        ];
        self.store.get(UserKey::Id(&middle.id)).await.unwrap().unwrap();
        reads.push(("a user by id", self.statements()));
        self.store.get(UserKey::Name(&middle.name)).await.unwrap().unwrap();
        reads.push(("a user by name", self.statements()));
        self.store.credentials().credential(&middle.name).await.unwrap().unwrap();
        reads.push(("a credential", self.statements()));
        self.store.mfa().factors(&middle.id).await.unwrap().unwrap();
        reads.push(("a user's factors", self.statements()));
        reads
    }

    /// Policies that show a few, or all but a few, and what a page under each ran.
    async fn policies(&self) -> Costs {
        let text = |text: &String| Scalar::Text(text.clone());
        let by_id = |index: usize| Predicate::one_of(Field::Id, [text(&self.users[index].id)]);
        let by_name = |indexes: &[usize]| {
            Predicate::one_of(Field::Name, indexes.iter().map(|index| text(&self.users[*index].name)))
        };
        let disabled = || Predicate::one_of(Field::Disabled, [Scalar::Bool(true)]);
        let enabled = || disabled().negate();
        let none = UserQuery::default;
        let some_ids = || {
            let mut ids: Vec<_> = self.users[..20].iter().map(|user| user.id.clone()).collect();
            ids.sort();
            UserQuery { ids: Some(ids), names: None }
        };
        let some_names = || UserQuery {
            ids: None,
            names: Some(
                self.users[..20].iter().map(|user| user.name.clone()).collect::<BTreeSet<_>>().into_iter().collect(),
            ),
        };
        let policies = [
            ("by id", by_id(100), none(), 1),
            ("by name", by_name(&[100]), none(), 1),
            ("by names", by_name(&[1, 100, 150]), none(), 3),
            ("the disabled", disabled(), none(), 3),
            ("by id, if disabled", Predicate::all([by_id(100), disabled()]), none(), 1),
            ("the disabled but one", Predicate::all([disabled(), by_name(&[100]).negate()]), none(), 2),
            ("by id or name", Predicate::any([by_id(1), by_name(&[2, 100])]), none(), 3),
            ("by name or disabled", Predicate::any([by_name(&[1, 100]), disabled()]), none(), 4),
            ("by id, name or disabled", Predicate::any([by_id(3), by_name(&[1, 100]), disabled()]), none(), 5),
            (
                "some if enabled, some if disabled",
                Predicate::any([
                    Predicate::all([by_name(&[1, 100]), enabled()]),
                    Predicate::all([by_id(10), disabled()]),
                ]),
                none(),
                2,
            ),
            ("the disabled, of some ids", disabled(), some_ids(), 1),
            ("the disabled, of some names", disabled(), some_names(), 1),
            ("by name, of some ids", by_name(&[1, 100]), some_ids(), 1),
            ("by name, of some names", by_name(&[1, 100]), some_names(), 1),
            ("by name or disabled, of some ids", Predicate::any([by_name(&[1, 100]), disabled()]), some_ids(), 2),
            ("the enabled, of some names", enabled(), some_names(), 19),
            ("all but some, of some ids", by_name(&[1, 100]).negate(), some_ids(), 19),
        ];
        self.statements();
        let mut costs = Vec::new();
        for (what, visible, query, total) in policies {
            let request = PageRequest { query, visible, after: None, limit: 50 };
            let page = self.store.list(request.clone()).await.unwrap();
            assert_eq!((page.total, page.users.len(), page.more), (total, total as usize, false), "{what}");
            let mut statements = self.statements();
            let after = Some(page.users[0].id.clone());
            let rest = self.store.list(PageRequest { after, ..request }).await.unwrap();
            assert_eq!((rest.total, rest.users.len()), (total, total as usize - 1), "{what}, behind the first");
            statements.extend(self.statements());
            costs.push((what, statements));
        }
        let (all, few) = (self.users.len() as u64, 3);
        for (what, visible, total) in [
            ("the enabled", enabled(), all - few),
            ("all but some", by_name(&[0, 1, 100]).negate(), all - few),
            ("the enabled but some", Predicate::all([enabled(), by_name(&[0, 100]).negate()]), all - few - 1),
        ] {
            let page = self.store.list(PageRequest { query: none(), visible, after: None, limit: 50 }).await.unwrap();
            assert_eq!((page.total, page.users.len(), page.more), (total, 50, true), "{what}");
            costs.push((what, self.statements()));
        }
        costs
    }

    /// Every kind of write, and what it ran.
    async fn writes(&self) -> Costs {
        let user = &self.users[self.users.len() / 2];
        let change = UserChange { name: Some("renamed".into()), disabled: Some(true), ..UserChange::default() };
        self.statements();
        insert(&self.store, "another").await;
        let mut writes = vec![("an insert", self.statements())];
        self.store.update(&user.id, change).await.unwrap().unwrap();
        writes.push(("an update", self.statements()));
        let factor = self.store.add_mfa_factor(&user.id).await.unwrap().unwrap();
        writes.push(("a new factor", self.statements()));
        assert!(self.store.mfa().use_factor(&user.id, &factor, 1, None, WriteOptions::unchecked()).await.unwrap());
        writes.push(("a code", self.statements()));
        assert!(self.store.remove_mfa_factor(&user.id, &factor).await.unwrap());
        writes.push(("a factor less", self.statements()));
        assert!(self.store.queue_reset_mail(mail(user, "mail")).await.unwrap());
        writes.push(("a mail", self.statements()));
        assert!(self.store.delete(&user.id).await.unwrap());
        writes.push(("a delete", self.statements()));
        writes
    }

    /// What delivering ran while an event of everyone else is under way.
    async fn deliveries(&self) -> Costs {
        let outbox = self.store.0.events().unwrap();
        let claim = |limit| async move { outbox.claim("hook", Duration::from_secs(3600), limit).await.unwrap() };
        let published = || WriteOptions { publish: true, ..WriteOptions::unchecked() };
        let users = everyone(&self.store).await;
        let touch = |user: &UserRecord| {
            let change = UserChange { name: Some(format!("{} again", user.name)), ..UserChange::default() };
            let id = user.id.clone();
            async move { self.store.0.update(&id, change, published()).await.unwrap().unwrap() }
        };
        outbox.add_consumer("hook", StartAt::Oldest).await.unwrap();
        join_all(users.iter().map(touch)).await;
        let mut under_way = Vec::new();
        while under_way.len() < users.len() {
            under_way.extend(claim(1000).await.deliveries);
        }
        let held = &under_way[under_way.len() / 2].lease;
        let held_user = users.iter().find(|user| user.id == under_way[under_way.len() / 2].event.user_id).unwrap();
        let renamed = UserRecord { name: "once more".into(), ..held_user.clone() };
        touch(&renamed).await;
        self.statements();
        assert!(claim(1).await.deliveries.is_empty());
        let mut deliveries = vec![("a claim of what waits for another", self.statements())];
        assert!(outbox.settle(held, Outcome::Acknowledged).await.unwrap());
        deliveries.push(("an acknowledgement", self.statements()));
        let next = claim(1).await.deliveries.remove(0);
        deliveries.push(("a claim", self.statements()));
        assert!(outbox.settle(&next.lease, Outcome::Dead { reason: "no".into() }).await.unwrap());
        deliveries.push(("an event given up", self.statements()));
        assert_eq!(outbox.dead(None, 10).await.unwrap().len(), 1);
        deliveries.push(("the events given up", self.statements()));
        assert!(claim(1).await.deliveries.is_empty());
        deliveries.push(("a claim of nothing", self.statements()));
        deliveries
    }
}

fn check_same(few: Costs, many: Costs) {
    for ((what, few), (_, many)) in few.into_iter().zip(many) {
        assert!(!few.is_empty(), "{what}: the observer sees nothing");
        let scans: Vec<_> = few.iter().chain(&many).filter(|statement| statement.scanned > 0).collect();
        assert_eq!(scans, Vec::<&Statement>::new(), "{what} scans a table");
        // A b-tree that is a level deeper takes no more instructions, only longer ones.
        assert_eq!(many, few, "{what}");
    }
}

#[tokio::test]
async fn calls_among_twenty_thousand_users_cost_what_they_cost_among_two_hundred() {
    let (few, many) = (Watched::with(200).await, Watched::with(20_000).await);
    check_same(few.reads().await, many.reads().await);
    check_same(few.writes().await, many.writes().await);
    check_same(few.deliveries().await, many.deliveries().await);
}

#[tokio::test]
async fn the_few_whom_a_policy_names_cost_the_same_among_twenty_thousand_as_among_two_hundred() {
    let (few, many) = (Watched::with(200).await, Watched::with(20_000).await);
    for watched in [&few, &many] {
        for user in [10, 100, 190].map(|index| &watched.users[index]) {
            let change = UserChange { disabled: Some(true), ..UserChange::default() };
            watched.store.update(&user.id, change).await.unwrap();
        }
    }
    for ((what, few), (_, many)) in few.policies().await.into_iter().zip(many.policies().await) {
        assert_eq!(many, few, "{what}");
        let walked: Vec<_> = few.iter().filter(|statement| statement.scanned > 20).collect();
        assert_eq!(walked, Vec::<&Statement>::new(), "{what} walks over the users");
    }
}

#[tokio::test]
async fn the_observer_of_the_test_above_notices_a_scan() {
    let watched = Watched::with(200).await;
    let raw = Connection::open(&watched.file).unwrap();
    watched.statements();
    let sql = "SELECT count(*) FROM users WHERE disabled";
    raw.query_row(sql, [], |_| Ok(())).unwrap();
    let statements = watched.statements();
    let scanned: Vec<_> = statements.iter().map(|statement| (statement.sql.as_str(), statement.scanned)).collect();
    assert_eq!(scanned, [(sql, 259)]);
}

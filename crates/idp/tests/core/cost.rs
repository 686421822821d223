//! The cost of calls: it must not grow with the number of users.
//!
//! SQLite counts the steps of the store's own statements: an observer is registered on every connection to a watched file.

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::sync::Mutex;
use std::time::Duration;

use futures::future::join_all;
use pretty_assertions::assert_eq;
use rusqlite::{Connection, auto_extension, ffi};
use tailor_idp_core::store::{
    Batch, CounterKey, Expect, Factor, JobFilter, JobKey, JobState, Mutation, NewEvent, Outcome, Page, QueueName,
    StartAt, UserPatch, UserRef,
};
use tailor_idp_core::{EventKind, Field, Predicate, Scalar, UserKey, UserQuery, UserRecord};
use tempfile::TempDir;

use crate::support::{
    Shared, add_factor, by_id, commit, delete, disabled, enqueue, everyone, insert, insert_many, open, page, place,
    put_factor, update,
};

/// A statement that was run on a watched file.
#[derive(Debug, PartialEq, Eq)]
struct Statement {
    sql: String,
    /// Rows that were visited in full table scans.
    scanned: c_int,
    /// Instructions of SQLite's virtual machine.
    steps: c_int,
}

/// Kinds of calls, and the statements that each ran.
type Costs = Vec<(&'static str, Vec<Statement>)>;

/// The statements that were run, by the name of the watched file.
static WATCHED: Mutex<BTreeMap<String, Vec<Statement>>> = Mutex::new(BTreeMap::new());

/// Called by SQLite for each new connection.
unsafe extern "C" fn observe(
    connection: *mut ffi::sqlite3,
    _error: *mut *mut c_char,
    _api: *const ffi::sqlite3_api_routines,
) -> c_int {
    // SAFETY: SQLite passes an open connection, and `note` has the signature for the requested events.
    unsafe { ffi::sqlite3_trace_v2(connection, ffi::SQLITE_TRACE_PROFILE, Some(note), std::ptr::null_mut()) }
}

/// Called by SQLite after each statement.
unsafe extern "C" fn note(_event: c_uint, _context: *mut c_void, statement: *mut c_void, _: *mut c_void) -> c_int {
    let statement: *mut ffi::sqlite3_stmt = statement.cast();
    // SAFETY: for this event SQLite passes the statement, which is valid until this function returns, as are its connection
    // and their texts.
    let (file, sql) = unsafe {
        let file = ffi::sqlite3_db_filename(ffi::sqlite3_db_handle(statement), c"main".as_ptr());
        (text(file), text(ffi::sqlite3_sql(statement)))
    };
    // Reset, so that the next run is counted from zero.
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
/// `text` is null or a C string that is valid during the call.
unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: promised by the caller.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// A namespace with many users, between two others, in a watched file.
struct Watched {
    store: Shared,
    /// In the order of the listing.
    users: Vec<UserRecord>,
    file: String,
    _folder: TempDir,
}

impl Watched {
    async fn with(count: usize) -> Self {
        // SAFETY: `observe` has the signature that SQLite calls, and is never unloaded.
        unsafe { auto_extension::register_auto_extension(observe) }.unwrap();
        let (folder, _) = place();
        let path = folder.path().canonicalize().unwrap().join("users.db");
        for name in ["aaa", "users", "zzz"] {
            insert_many(&open(&path, name).await, "beside", 20).await;
        }
        let store = open(&path, "users").await;
        join_all((0..count).map(|n| insert(&store, format!("user{n:05}")))).await;
        let users = everyone(&store).await;
        // Everyone has as many rows, so that all pages have the same size.
        join_all(users.iter().map(|user| enqueue(&store, &user.id, "mail"))).await;
        join_all(users.iter().map(|user| add_factor(&store, &user.id))).await;
        let file = path.to_str().unwrap().to_owned();
        WATCHED.lock().unwrap().insert(file.clone(), Vec::new());
        Self { store, users, file, _folder: folder }
    }

    /// The statements that were run since the last call.
    fn statements(&self) -> Vec<Statement> {
        let mut watched = WATCHED.lock().unwrap();
        std::mem::take(watched.get_mut(&self.file).unwrap())
    }

    fn middle(&self) -> &UserRecord {
        &self.users[self.users.len() / 2]
    }

    async fn page(&self, query: &UserQuery, after: Option<&str>) -> Vec<Statement> {
        let Page { users, .. } = page(&self.store, query.clone().into_predicate(), after, 50).await;
        assert!(!users.is_empty());
        self.statements()
    }

    /// Every kind of read, and the statements that it ran.
    async fn reads(&self) -> Costs {
        let middle = self.middle();
        let some = |text: fn(&UserRecord) -> &String| Some(self.users.iter().take(20).map(text).cloned().collect());
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
        self.store.credentials(UserKey::Name(&middle.name)).await.unwrap().unwrap();
        reads.push(("credentials", self.statements()));
        let mails = || JobFilter::new(QueueName::ResetMails);
        let of_user = JobFilter { user_id: Some(middle.id.clone()), newest_first: true, limit: 5, ..mails() };
        assert_eq!(self.store.jobs(of_user).await.unwrap().len(), 1);
        reads.push(("the jobs of a user", self.statements()));
        assert_eq!(self.store.jobs(JobFilter { newest_first: true, limit: 5, ..mails() }).await.unwrap().len(), 5);
        reads.push(("the newest jobs", self.statements()));
        let dead = JobFilter { state: Some(JobState::Dead), ..mails() };
        assert_eq!(self.store.jobs(dead).await.unwrap(), []);
        reads.push(("the dead jobs", self.statements()));
        reads
    }

    /// Policies that show a few users, or all but a few, and the statements that a page under each ran.
    async fn policies(&self) -> Costs {
        let text = |text: &String| Scalar::Text(text.clone());
        let by_id = |index: usize| Predicate::one_of(Field::Id, [text(&self.users[index].id)]);
        let by_name = |indexes: &[usize]| {
            Predicate::one_of(Field::Name, indexes.iter().map(|index| text(&self.users[*index].name)))
        };
        let disabled = || Predicate::one_of(Field::Disabled, [Scalar::Bool(true)]);
        let enabled = || disabled().negate();
        let ids = || Predicate::one_of(Field::Id, self.users[..20].iter().map(|user| text(&user.id)));
        let names = || Predicate::one_of(Field::Name, self.users[..20].iter().map(|user| text(&user.name)));
        let all = |parts: [Predicate; 2]| Predicate::all(parts);
        let any = |parts: [Predicate; 2]| Predicate::any(parts);
        let few = [
            ("by id", by_id(100), 1),
            ("by name", by_name(&[100]), 1),
            ("by names", by_name(&[1, 100, 150]), 3),
            ("the disabled", disabled(), 3),
            ("by id, if disabled", all([by_id(100), disabled()]), 1),
            ("the disabled but one", all([disabled(), by_name(&[100]).negate()]), 2),
            ("by id or name", any([by_id(1), by_name(&[2, 100])]), 3),
            ("by name or disabled", any([by_name(&[1, 100]), disabled()]), 4),
            ("by id, name or disabled", Predicate::any([by_id(3), by_name(&[1, 100]), disabled()]), 5),
            (
                "some if enabled, some if disabled",
                any([all([by_name(&[1, 100]), enabled()]), all([by_id(10), disabled()])]),
                2,
            ),
            ("the disabled, of some ids", all([disabled(), ids()]), 1),
            ("the disabled, of some names", all([disabled(), names()]), 1),
            ("by name, of some ids", all([by_name(&[1, 100]), ids()]), 1),
            ("by name, of some names", all([by_name(&[1, 100]), names()]), 1),
            ("by name or disabled, of some ids", all([any([by_name(&[1, 100]), disabled()]), ids()]), 2),
            ("the enabled, of some names", all([enabled(), names()]), 19),
            ("all but some, of some ids", all([by_name(&[1, 100]).negate(), ids()]), 19),
        ];
        self.statements();
        let mut costs = Vec::new();
        for (what, filter, total) in few {
            let first = page(&self.store, filter.clone(), None, 50).await;
            assert_eq!((first.total, first.users.len(), first.more), (total, total as usize, false), "{what}");
            let mut statements = self.statements();
            let rest = page(&self.store, filter, Some(&first.users[0].id), 50).await;
            assert_eq!((rest.total, rest.users.len()), (total, total as usize - 1), "{what}, after the first");
            statements.extend(self.statements());
            costs.push((what, statements));
        }
        let (count, few) = (self.users.len() as u64, 3);
        for (what, filter, total) in [
            ("the enabled", enabled(), count - few),
            ("all but some", by_name(&[0, 1, 100]).negate(), count - few),
            ("the enabled but some", all([enabled(), by_name(&[0, 100]).negate()]), count - few - 1),
        ] {
            let first = page(&self.store, filter, None, 50).await;
            assert_eq!((first.total, first.users.len(), first.more), (total, 50, true), "{what}");
            costs.push((what, self.statements()));
        }
        costs
    }

    /// Every kind of write, and the statements that it ran.
    async fn writes(&self) -> Costs {
        let (store, user) = (&self.store, self.middle());
        let queue = || QueueName::ResetMails;
        let user_id = || user.id.clone();
        let current = async || Expect::User { id: user_id(), version: by_id(store, &user.id).await.unwrap().version };
        self.statements();
        insert(store, "another").await;
        let mut writes = vec![("an insert", self.statements())];
        update(store, &user.id, UserPatch { name: Some("renamed".into()), ..disabled() }).await;
        writes.push(("an update", self.statements()));
        let expect = vec![current().await];
        self.statements();
        let mutations = vec![
            Mutation::UpdateUser { id: user_id(), patch: disabled() },
            Mutation::EndJobs { queue: queue(), user_id: user_id(), reason: "disabled".into() },
            Mutation::DeleteResetToken { user_id: user_id() },
        ];
        store.commit(Batch { expect, mutations, ..Batch::default() }).await.unwrap();
        writes.push(("an update that ends jobs", self.statements()));
        let factor = add_factor(store, &user.id).await;
        writes.push(("a new factor", self.statements()));
        let expect = vec![Expect::Factor { user_id: user_id(), factor: factor.clone() }];
        let used = Factor { last_step: Some(1), ..factor.clone() };
        let mutations = vec![Mutation::PutFactor { user_id: user_id(), factor: used }];
        store.commit(Batch { expect, mutations, ..Batch::default() }).await.unwrap();
        writes.push(("a code", self.statements()));
        put_factor(store, &user.id, &factor).await;
        writes.push(("a replaced factor", self.statements()));
        commit(store, Mutation::DeleteFactor { user_id: user_id(), factor_id: factor.id }).await.unwrap();
        writes.push(("a deleted factor", self.statements()));
        let key = CounterKey { scope: "password", subject: vec![1; 16] };
        commit(store, Mutation::Count { key, by: 1, window: Duration::from_secs(60), since: None }).await.unwrap();
        writes.push(("a count", self.statements()));
        let newest = JobFilter { user_id: Some(user_id()), newest_first: true, limit: 1, ..JobFilter::new(queue()) };
        let id = store.jobs(newest).await.unwrap().first().map(|job| job.id);
        let expect = vec![Expect::NewestJob { queue: queue(), user_id: user_id(), id }];
        self.statements();
        let job = tailor_idp_core::store::NewJob { queue: queue(), user_id: user_id(), payload: "mail".into() };
        store.commit(Batch { expect, mutations: vec![Mutation::Enqueue(job)], ..Batch::default() }).await.unwrap();
        writes.push(("a mail", self.statements()));
        let claim = store.claim(&queue(), Duration::from_secs(3600), 1).await.unwrap();
        writes.push(("a claim of a mail", self.statements()));
        assert!(store.settle(&claim.deliveries[0].lease, Outcome::Done { keep: true }).await.unwrap());
        writes.push(("a mail sent", self.statements()));
        delete(store, &user.id).await;
        writes.push(("a delete", self.statements()));
        writes
    }

    /// Appends an event of the user.
    async fn publish(&self, user: &UserRecord) {
        let events = vec![NewEvent { user: UserRef::Id(user.id.clone()), kind: EventKind::Updated }];
        let mutations = vec![Mutation::TouchUser { id: user.id.clone() }];
        self.store.commit(Batch { mutations, events, ..Batch::default() }).await.unwrap();
    }

    /// The statements that deliveries ran while an event of every other user was leased.
    async fn deliveries(&self) -> Costs {
        let hook = QueueName::Events("hook".into());
        let claim = async |limit| self.store.claim(&hook, Duration::from_secs(3600), limit).await.unwrap();
        let users = everyone(&self.store).await;
        commit(&self.store, Mutation::AddConsumer { name: "hook".into(), start: StartAt::Oldest }).await.unwrap();
        join_all(users.iter().map(|user| self.publish(user))).await;
        let mut leased = Vec::new();
        while leased.len() < users.len() {
            leased.extend(claim(1000).await.deliveries);
        }
        let held = &leased[leased.len() / 2];
        self.publish(users.iter().find(|user| user.id == held.job.user_id).unwrap()).await;
        self.statements();
        assert!(claim(1).await.deliveries.is_empty());
        let mut deliveries = vec![("a claim of an event that waits for another", self.statements())];
        assert!(self.store.settle(&held.lease, Outcome::Done { keep: false }).await.unwrap());
        deliveries.push(("an acknowledgement", self.statements()));
        let next = claim(1).await.deliveries.remove(0);
        deliveries.push(("a claim", self.statements()));
        assert!(self.store.settle(&next.lease, Outcome::Dead { reason: "no".into() }).await.unwrap());
        deliveries.push(("an event given up", self.statements()));
        let dead = JobFilter { state: Some(JobState::Dead), ..JobFilter::new(hook.clone()) };
        assert_eq!(self.store.jobs(dead).await.unwrap().len(), 1);
        deliveries.push(("the events given up", self.statements()));
        assert!(claim(1).await.deliveries.is_empty());
        deliveries.push(("a claim of nothing", self.statements()));
        let newest = JobFilter { newest_first: true, limit: 5, ..JobFilter::new(hook.clone()) };
        assert_eq!(self.store.jobs(newest).await.unwrap().len(), 5);
        deliveries.push(("the newest deliveries", self.statements()));
        let (id, event) = (next.job.id, next.job.event.unwrap().id);
        let one = JobFilter { id: Some(id), ..JobFilter::new(hook.clone()) };
        assert_eq!(self.store.jobs(one).await.unwrap().len(), 1);
        deliveries.push(("a delivery by id", self.statements()));
        for (what, job) in [
            ("a retry by id", Some(JobKey::Id(id))),
            ("a retry by event", Some(JobKey::Event(event))),
            ("a retry of all", None),
        ] {
            let retry = Mutation::RetryDead { queue: hook.clone(), job };
            assert_eq!(commit(&self.store, retry).await.unwrap().affected, [1], "{what}");
            deliveries.push((what, self.statements()));
            let again = claim(1).await.deliveries.remove(0);
            assert!(self.store.settle(&again.lease, Outcome::Dead { reason: "no".into() }).await.unwrap());
            self.statements();
        }
        let discard = |job| Mutation::DiscardDead { queue: hook.clone(), job };
        assert_eq!(commit(&self.store, discard(Some(JobKey::Id(0)))).await.unwrap().affected, [0]);
        deliveries.push(("a discard of an unknown one", self.statements()));
        assert_eq!(commit(&self.store, discard(None)).await.unwrap().affected, [1]);
        deliveries.push(("a discard of all", self.statements()));
        deliveries
    }
}

fn check_same(few: Costs, many: Costs) {
    for ((what, few), (_, many)) in few.into_iter().zip(many) {
        assert!(!few.is_empty(), "{what}: the observer sees nothing");
        let scans: Vec<_> = few.iter().chain(&many).filter(|statement| statement.scanned > 0).collect();
        assert_eq!(scans, Vec::<&Statement>::new(), "{what} scans a table");
        // A deeper b-tree takes no more instructions.
        assert_eq!(many, few, "{what}");
    }
}

#[tokio::test]
async fn calls_cost_the_same_with_two_hundred_and_with_twenty_thousand_users() {
    let (few, many) = (Watched::with(200).await, Watched::with(20_000).await);
    check_same(few.reads().await, many.reads().await);
    check_same(few.writes().await, many.writes().await);
    check_same(few.deliveries().await, many.deliveries().await);
}

#[tokio::test]
async fn policies_cost_the_same_with_two_hundred_and_with_twenty_thousand_users() {
    let (few, many) = (Watched::with(200).await, Watched::with(20_000).await);
    for watched in [&few, &many] {
        for index in [10, 100, 190] {
            update(&watched.store, &watched.users[index].id, disabled()).await;
        }
    }
    for ((what, few), (_, many)) in few.policies().await.into_iter().zip(many.policies().await) {
        assert_eq!(many, few, "{what}");
        let scans: Vec<_> = few.iter().filter(|statement| statement.scanned > 20).collect();
        assert_eq!(scans, Vec::<&Statement>::new(), "{what} scans the users");
    }
}

#[tokio::test]
async fn observer_notices_a_scan() {
    let watched = Watched::with(200).await;
    let raw = Connection::open(&watched.file).unwrap();
    watched.statements();
    let sql = "SELECT count(*) FROM users WHERE disabled";
    raw.query_row(sql, [], |_| Ok(())).unwrap();
    let statements = watched.statements();
    let scanned: Vec<_> = statements.iter().map(|statement| (statement.sql.as_str(), statement.scanned)).collect();
    assert_eq!(scanned, [(sql, 259)]);
}

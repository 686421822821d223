//! The store on disk, called from Rust: how times grow with the number of users.

use std::path::Path;
use std::time::Instant;

use rusqlite::{Connection, OpenFlags};
use tailor_idp::idp::store::{Page, PageRequest, SqliteDatabase, SqliteStore, Store as _};
use tailor_idp::idp::{CreateUser, IdentityProvider, ImportUser, Predicate, Router, UserKey};

use crate::figure::{Bound, Line, Lines, Unit};
use crate::fixture::{self, NAMESPACE};
use crate::measure::Latencies;
use crate::plan::Plan;

const SIZES: [(usize, &str); 3] = [(1_000, "1 thousand"), (100_000, "100 thousand"), (10_000_000, "10 million")];
/// Users in one import, which is one transaction. `tailor-idp users import` uses the same number.
const BATCH: usize = 1_000_000;
const READS: usize = 2_000;
const CREATES: usize = 200;
/// Users on a page.
const PAGE_SIZE: u32 = 100;

/// Medians that are compared across sizes, in nanoseconds.
struct Costs {
    first_page: f64,
    middle_page: f64,
    count: f64,
}

pub(super) async fn run(plan: &Plan) -> anyhow::Result<Vec<Line>> {
    let sizes = if plan.quick { &SIZES[..1] } else { &SIZES };
    let mut lines = Lines::new("store");
    let mut costs = vec![];
    for (users, name) in sizes {
        costs.push(at_size(plan, *users, name, &mut lines).await?);
    }
    if let [small, .., large] = &costs[..] {
        let mut goal = |what: &str, ratio| {
            lines.goal(format!("{what} at 10 million users over 1 thousand"), ratio, Unit::Times, Bound::AtMost(1.5));
        };
        goal("first page", large.first_page / small.first_page);
        goal("page in the middle", large.middle_page / small.middle_page);
        goal("count", large.count / small.count);
    }
    Ok(lines.into_lines())
}

async fn at_size(plan: &Plan, users: usize, name: &str, lines: &mut Lines) -> anyhow::Result<Costs> {
    let path = plan.scratch.join(format!("store-{users}.db"));
    fixture::remove_database(&path)?;
    let imported = {
        let idp = fixture::idp(fixture::store(&SqliteDatabase::open(&path)?).await?)?;
        Import::measure(&idp, users).await?
    };
    // The database was closed, which moved the log into the file.
    let bytes = std::fs::metadata(&path)?.len();
    let store = fixture::store(&SqliteDatabase::open(&path)?).await?;
    let idp = fixture::idp(store.clone())?;
    let middle = id_of(&path, users / 2)?;
    let names: Vec<_> = (0..READS).map(|read| fixture::name(read * 7_919 % users)).collect();
    let mut ids = vec![];
    for name in &names {
        ids.extend(store.get(UserKey::Name(name)).await?.map(|user| user.id));
    }

    let what = format!("{name} users");
    let mut report = |figure: &str, latencies: &Latencies| {
        lines.figure(what.as_str(), figure, latencies.median(), Unit::Nanoseconds);
    };
    report("by id", &gets(&store, &ids, |id| UserKey::Id(id)).await?);
    report("by name", &gets(&store, &names, |name| UserKey::Name(name)).await?);
    let first_page = pages(&store, None, PAGE_SIZE).await?;
    report("first page", &first_page);
    let middle_page = pages(&store, Some(&middle), PAGE_SIZE).await?;
    report("page in the middle", &middle_page);
    let count = pages(&store, None, 1).await?;
    report("count", &count);
    let (mut create, host) = (Latencies::new()?, fixture::host()?);
    for number in 0..CREATES {
        let name = format!("created.{number}@example.com");
        let input = CreateUser { name, password: Some("correct horse".into()), disabled: false };
        let began = Instant::now();
        idp.create_user(&host, input).await?;
        create.record(began.elapsed());
    }
    report("create", &create);
    lines.figure(what.as_str(), "import", imported.all, Unit::PerSecond);
    lines.figure(what.as_str(), "a user's size", bytes as f64 / users as f64, Unit::Bytes);
    if users == SIZES[2].0 {
        let mut goal = |what, rate| lines.goal(what, rate, Unit::PerSecond, Bound::AtLeast(200_000.0));
        goal("import without hashing, into an empty store: the first million users", imported.first_batch);
        goal("import without hashing, up to 10 million users", imported.all);
    }
    Ok(Costs { first_page: first_page.median(), middle_page: middle_page.median(), count: count.median() })
}

/// Import rates, in users per second.
struct Import {
    first_batch: f64,
    all: f64,
}

impl Import {
    /// Imports users. The time to make their names does not count.
    async fn measure(idp: &Router, users: usize) -> anyhow::Result<Self> {
        let (mut seconds, mut first_batch) = (0.0, None);
        for from in (0..users).step_by(BATCH) {
            let batch = from..users.min(from + BATCH);
            let size = batch.len() as f64;
            let batch = batch.map(|number| ImportUser { name: fixture::name(number), ..Default::default() }).collect();
            let began = Instant::now();
            idp.import_users(NAMESPACE, batch).await?;
            let took = began.elapsed().as_secs_f64();
            first_batch.get_or_insert(size / took);
            seconds += took;
        }
        Ok(Self { first_batch: first_batch.unwrap_or(f64::NAN), all: users as f64 / seconds })
    }
}

/// The id of the user at this position in the order of creation.
fn id_of(path: &Path, position: usize) -> anyhow::Result<String> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let id: [u8; 16] = connection.query_row(
        "SELECT id FROM users ORDER BY namespace_id, id LIMIT 1 OFFSET ?",
        [position as i64],
        |row| row.get(0),
    )?;
    Ok(uuid::Uuid::from_bytes(id).to_string())
}

/// Reads users one by one.
async fn gets(store: &SqliteStore, keys: &[String], key: fn(&str) -> UserKey<'_>) -> anyhow::Result<Latencies> {
    let mut latencies = Latencies::new()?;
    for text in keys {
        let began = Instant::now();
        let user = store.get(key(text)).await?;
        latencies.record(began.elapsed());
        anyhow::ensure!(user.is_some(), "there is no user {text}");
    }
    Ok(latencies)
}

/// Reads one page [`READS`] times. Each page includes the count of all users.
async fn pages(store: &SqliteStore, after: Option<&str>, limit: u32) -> anyhow::Result<Latencies> {
    let mut latencies = Latencies::new()?;
    for _ in 0..READS {
        let request = PageRequest { filter: Predicate::everybody(), after: after.map(str::to_owned), limit };
        let began = Instant::now();
        let Page { users, .. } = store.list(request).await?;
        latencies.record(began.elapsed());
        anyhow::ensure!(users.len() == limit as usize, "a page has {} users", users.len());
    }
    Ok(latencies)
}

//! Durable creates of concurrent callers. Baselines: the disk's sync rate, and rusqlite alone.

use std::cell::Cell;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tailor_idp::idp::store::SqliteDatabase;
use tailor_idp::idp::{CreateUser, IdentityProvider as _, Router};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use crate::figure::{Bound, Line, Lines, Unit};
use crate::fixture;
use crate::measure::interleaved;
use crate::plan::Plan;

/// Pages in the write-ahead log before a checkpoint, as in the store.
const LOG_PAGES: i64 = 16_000;

const ROUNDS: usize = 5;
const TIME: Duration = Duration::from_millis(1_500);

pub(super) async fn run(plan: &Plan) -> anyhow::Result<Vec<Line>> {
    let (rounds, time) = if plan.quick { (1, TIME / 5) } else { (ROUNDS, TIME) };
    let path = plan.scratch.join("writes.db");
    fixture::remove_database(&path)?;
    let database = SqliteDatabase::open(&path)?;
    let idp = fixture::idp(fixture::store(&database).await?)?;
    let names = Arc::new(AtomicUsize::new(0));
    let creates =
        |callers| block_in_place(|| Handle::current().block_on(creates_per_second(&idp, callers, time, &names)));
    let bare = Bare::make(plan).await?;
    let values = interleaved(
        rounds,
        &mut [
            &mut || creates(1),
            &mut || creates(8),
            &mut || creates(64),
            &mut || syncs_per_second(plan.scratch.as_path(), time),
            &mut || bare.inserts_per_second(1, time),
            &mut || bare.inserts_per_second(64, time),
        ],
    )?;
    let [one, eight, many, syncs, bare_one, bare_many] = values[..] else { unreachable!("six contenders") };
    let mut lines = Lines::new("writes");
    lines.figure("1 caller", "creates", one, Unit::PerSecond);
    lines.figure("8 callers", "creates", eight, Unit::PerSecond);
    lines.figure("64 callers", "creates", many, Unit::PerSecond);
    lines.peer("4 KiB written and synced", "creates", syncs, Unit::PerSecond);
    lines.peer("rusqlite alone, an insert a commit", "creates", bare_one, Unit::PerSecond);
    lines.peer("rusqlite alone, 64 inserts a commit", "creates", bare_many, Unit::PerSecond);
    lines.goal("durable creates at 64 callers over 1 caller", many / one, Unit::Times, Bound::AtLeast(15.0));
    Ok(lines.into_lines())
}

async fn creates_per_second(
    idp: &Router,
    callers: usize,
    time: Duration,
    names: &Arc<AtomicUsize>,
) -> anyhow::Result<f64> {
    let began = Instant::now();
    let callers: Vec<_> = (0..callers)
        .map(|_| {
            let (idp, names) = (idp.clone(), Arc::clone(names));
            tokio::spawn(async move {
                let (mut created, host) = (0, fixture::host()?);
                while began.elapsed() < time {
                    let name = fixture::name(names.fetch_add(1, Relaxed));
                    let input = CreateUser { name, ..Default::default() };
                    idp.create_user(&host, input).await?;
                    created += 1;
                }
                anyhow::Ok(created)
            })
        })
        .collect();
    let mut created = 0;
    for caller in callers {
        created += caller.await??;
    }
    Ok(f64::from(created) / began.elapsed().as_secs_f64())
}

/// SQLite with the store's tables and settings, on one thread, without the store's queue and rules: the upper bound of group
/// commit on this disk.
struct Bare {
    connection: Connection,
    inserted: Cell<usize>,
}

impl Bare {
    async fn make(plan: &Plan) -> anyhow::Result<Self> {
        let path = plan.scratch.join("writes-bare.db");
        fixture::remove_database(&path)?;
        fixture::store(&SqliteDatabase::open(&path)?).await?;
        let connection = Connection::open(path)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
        Ok(Self { connection, inserted: Cell::new(0) })
    }

    fn inserts_per_second(&self, batch: usize, time: Duration) -> anyhow::Result<f64> {
        let (mut begin, mut commit) = (self.connection.prepare("BEGIN IMMEDIATE")?, self.connection.prepare("COMMIT")?);
        let mut insert = self.connection.prepare(
            "INSERT OR FAIL INTO users (namespace_id, id, name, disabled, created_at) VALUES (1, ?, ?, 0, 0)",
        )?;
        let began = Instant::now();
        let before = self.inserted.get();
        while began.elapsed() < time {
            begin.execute([])?;
            for _ in 0..batch {
                let number = self.inserted.replace(self.inserted.get() + 1);
                insert.execute((uuid::Uuid::now_v7().as_bytes(), fixture::name(number)))?;
            }
            commit.execute([])?;
        }
        Ok((self.inserted.get() - before) as f64 / began.elapsed().as_secs_f64())
    }
}

/// Rate of writing and syncing one page, which every commit does.
fn syncs_per_second(folder: &Path, time: Duration) -> anyhow::Result<f64> {
    let path = folder.join("sync");
    let file = OpenOptions::new().write(true).create(true).truncate(true).open(&path)?;
    let page = [7; 4096];
    // Like a database's log, the file has its full length before it is measured.
    for index in 0..256 {
        file.write_all_at(&page, index * 4096)?;
    }
    file.sync_all()?;
    let began = Instant::now();
    let mut syncs = 0;
    while began.elapsed() < time {
        file.write_all_at(&page, syncs % 256 * 4096)?;
        file.sync_data()?;
        syncs += 1;
    }
    let rate = syncs as f64 / began.elapsed().as_secs_f64();
    std::fs::remove_file(path)?;
    Ok(rate)
}

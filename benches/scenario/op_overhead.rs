//! One `await client.user(id)` from a warm script, over a stub, over the in-memory store, and over SQLite on disk.
//!
//! Baselines: the same statement from Rust, and Deno KV.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr as _;

use anyhow::{Context as _, ensure};
use rusqlite::{Connection, OpenFlags};
use serde_json::json;
use tailor_idp::function::{BuiltinGuards, FunctionRuntime, FunctionRuntimeBuilder, Invocation, Isolation, Script};
use tailor_idp::idp::IdentityProvider;
use tailor_idp::idp::store::SqliteDatabase;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use crate::figure::{Bound, Line, Lines, Unit};
use crate::fixture::{self, Stub};
use crate::measure::{interleaved, mean_nanoseconds};
use crate::plan::Plan;
use crate::{handlers, peers};

const CALLS: usize = 100_000;
const ROUNDS: usize = 7;
/// Fewer than [`CALLS`], because a read of Deno KV takes longer.
const KV_CALLS: usize = 10_000;

/// The statement with which the store reads a user.
const READ: &str = "
    SELECT u.id, u.name, u.disabled, u.created_at,
      (SELECT group_concat(hex(f.id)) FROM mfa_factors AS f
       WHERE f.namespace_id = u.namespace_id AND f.user_id = u.id AND f.expires_at IS NULL)
    FROM users AS u WHERE u.namespace_id = ?1 AND u.id = ?2";

const KV: &str = r#"
const [path, times] = [Deno.args[0], Number(Deno.args[1])];
const kv = await Deno.openKv(path);
const user = { id: "0", name: "ana@example.com", disabled: false, createdAt: "2026-01-01T00:00:00.000Z", mfaEnrolled: false, mfaFactorIds: [] };
for (let key = 0; key < 1000; key++) await kv.set(["users", `${key}`], user);
const read = async (times) => { for (let time = 0; time < times; time++) await kv.get(["users", "500"]); };
await read(times);
const began = performance.now();
await read(times);
console.log((performance.now() - began) * 1e6 / times);
kv.close();
"#;

/// A warm script that calls a client method in a loop.
struct Calls {
    runtime: FunctionRuntime,
    script: Script,
    id: String,
    times: usize,
}

impl Calls {
    fn new(idp: impl IdentityProvider, script: &str, id: &str, times: usize) -> anyhow::Result<Self> {
        Self::in_runtime(fixture::runtime(idp), script, id, times)
    }

    fn in_runtime(builder: FunctionRuntimeBuilder, script: &str, id: &str, times: usize) -> anyhow::Result<Self> {
        let runtime = builder.isolation(Isolation::reuse()).build();
        let mut calls = Self { runtime, script: handlers::script(script)?, id: id.to_owned(), times };
        calls.nanoseconds()?;
        Ok(calls)
    }

    /// Mean time of one call.
    fn nanoseconds(&mut self) -> anyhow::Result<f64> {
        let invocation = Invocation::new(json!({ "id": self.id, "times": self.times }));
        let run = self.runtime.run(&self.script, invocation);
        let execution = block_in_place(|| Handle::current().block_on(run));
        execution.result?;
        Ok(execution.usage.wall_time.as_nanos() as f64 / self.times as f64)
    }
}

pub(super) async fn run(plan: &Plan) -> anyhow::Result<Vec<Line>> {
    let times = if plan.quick { CALLS / 4 } else { CALLS };
    let memory = fixture::idp(fixture::store(&SqliteDatabase::in_memory()?).await?)?;
    let path = plan.scratch.join("op_overhead.db");
    fixture::remove_database(&path)?;
    let database = SqliteDatabase::open(&path)?;
    let disk = fixture::idp(fixture::store(&database).await?)?;
    let id_in_memory = fixture::add_users(&memory, fixture::USERS).await?;
    let id = fixture::add_users(&disk, fixture::USERS).await?;

    let mut script_alone = Calls::new(Stub, handlers::MAKE_OFTEN, &id, times)?;
    let mut stub = Calls::new(Stub, handlers::READ_OFTEN, &id, times)?;
    let mut memory = Calls::new(memory, handlers::READ_OFTEN, &id_in_memory, times)?;
    let mut disk = Calls::new(disk, handlers::READ_OFTEN, &id, times)?;
    let builtins = |guards| {
        let builder = fixture::runtime(Stub).builtin_guards(guards);
        Calls::in_runtime(builder, handlers::CALL_BUILTINS, &id, times)
    };
    let mut guarded = builtins(BuiltinGuards::Enabled)?;
    let mut unguarded = builtins(BuiltinGuards::Disabled)?;
    let bare = Bare::open(&path, &id)?;
    let kv = Kv::new(plan)?;
    let values = interleaved(
        if plan.quick { 3 } else { ROUNDS },
        &mut [
            &mut || script_alone.nanoseconds(),
            &mut || stub.nanoseconds(),
            &mut || memory.nanoseconds(),
            &mut || disk.nanoseconds(),
            &mut || bare.nanoseconds(times),
            &mut || kv.as_ref().map_or(Ok(f64::NAN), Kv::nanoseconds),
            &mut || guarded.nanoseconds(),
            &mut || unguarded.nanoseconds(),
        ],
    )?;
    let [script_alone, stub, memory, disk, bare, kv, guarded, unguarded] = values[..] else {
        unreachable!("eight contenders")
    };

    let mut lines = Lines::new("op_overhead");
    let mut report = |what: &str, value| lines.figure(what, "a call", value, Unit::Nanoseconds);
    report("client.user, answered by a stub", stub);
    report("client.user, in-memory store", memory);
    report("client.user, SQLite on disk", disk);
    lines.figure("array and string builtins, guarded", "an iteration", guarded, Unit::Nanoseconds);
    lines.figure("array and string builtins, not guarded", "an iteration", unguarded, Unit::Nanoseconds);
    let mut report = |what: &str, value| lines.peer(what, "a call", value, Unit::Nanoseconds);
    report("an async function that makes the object", script_alone);
    report("rusqlite, the same statement prepared", bare);
    if kv.is_finite() {
        report("Deno, kv.get", kv);
    }
    lines.goal(
        "warm `client.user` on SQLite, over the bare prepared read",
        disk / bare,
        Unit::Times,
        Bound::AtMost(2.5),
    );
    lines.goal("warm `client.user`, answered by a stub", stub, Unit::Nanoseconds, Bound::AtMost(1_000.0));
    Ok(lines.into_lines())
}

/// The read with rusqlite alone.
struct Bare {
    connection: Connection,
    id: [u8; 16],
}

impl Bare {
    fn open(path: &Path, id: &str) -> anyhow::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        Ok(Self { connection, id: *uuid::Uuid::from_str(id)?.as_bytes() })
    }

    fn nanoseconds(&self, times: usize) -> anyhow::Result<f64> {
        let mut read = self.connection.prepare(READ)?;
        mean_nanoseconds(times, || {
            let user = read
                .query_row((1, &self.id), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)));
            let user: ([u8; 16], String, bool, i64, Option<String>) = user?;
            ensure!(user.0 == self.id, "the wrong user was read");
            Ok(())
        })
    }
}

/// Reads of Deno KV.
struct Kv {
    script: PathBuf,
    database: PathBuf,
}

impl Kv {
    fn new(plan: &Plan) -> anyhow::Result<Option<Self>> {
        let kv = Self { script: plan.scratch.join("kv.mjs"), database: plan.scratch.join("kv.db") };
        std::fs::write(&kv.script, KV)?;
        fixture::remove_database(&kv.database)?;
        Ok((!plan.quick && peers::deno().is_some()).then_some(kv))
    }

    fn nanoseconds(&self) -> anyhow::Result<f64> {
        let deno = peers::deno().context("deno is not installed")?;
        let mut command: Command = deno.run_command(&self.script);
        let output = command.arg(&self.database).arg(KV_CALLS.to_string()).output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        text.trim().parse().with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

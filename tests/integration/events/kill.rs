//! Writers and webhook workers are killed while they work. No event is lost, and each user's order is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use pretty_assertions::assert_eq;
use rusqlite::Connection;
use tempfile::TempDir;

use super::receiver::{Answer, Receiver, SECRET};
use crate::support::program;

const WRITER: &str = "export default async ({ run }) => {
  const idp = new tailor.idp.Client('builtin-idp');
  const write = async (lane) => {
    for (let n = 0; ; n++) {
      const { id } = await idp.createUser({ name: `${run}-${lane}-${n}@example.com` });
      await idp.updateUser({ id, disabled: true });
      await idp.updateUser({ id, disabled: true });
      await idp.updateUser({ id, disabled: false });
      if (n % 2) await idp.deleteUser(id);
    }
  };
  await Promise.all([0, 1, 2, 3].map(write));
};";

/// How often each side is killed.
const KILLS: usize = 2;

/// A process that does not outlive the test.
struct Running(Child);

impl Running {
    fn start(folder: &Path, args: &[&str]) -> Self {
        let mut program: Command = program();
        program.args(args).args(["--db", "users.db"]).current_dir(folder).env("HOOK_SECRET", SECRET);
        Self(program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    fn writer(folder: &Path, run: usize) -> Self {
        let arg = format!("{{\"run\": \"run{run}\"}}");
        Self::start(folder, &["run", "writer.js", "--publish-user-events", "--arg", &arg])
    }

    fn worker(folder: &Path, url: &str) -> Self {
        Self::start(folder, &["events", "deliver", "--webhook", url, "--secret-env", "HOOK_SECRET", "--timeout", "5"])
    }

    #[cfg(unix)]
    fn terminate(&mut self) -> std::process::ExitStatus {
        crate::support::send_signal(self.0.id(), rustix::process::Signal::TERM);
        self.0.wait().unwrap()
    }

    fn kill(&mut self) {
        assert_eq!(self.0.try_wait().unwrap(), None, "it ended by itself");
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn rows(file: &Connection, sql: &str) -> Vec<(String, String)> {
    let mut statement = file.prepare(sql).unwrap();
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().collect::<Result<_, _>>().unwrap()
}

/// What the events say of each user, in order.
fn kinds_by_user(file: &Connection) -> BTreeMap<String, Vec<String>> {
    let mut users: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (user, kind) in rows(file, "SELECT lower(hex(user_id)), kind FROM events ORDER BY id") {
        users.entry(user).or_default().push(kind);
    }
    users
}

/// That the events are those of the changes in the database: no more, no less.
fn check_events(file: &Connection) {
    let there: BTreeMap<_, _> = rows(file, "SELECT lower(hex(id)), disabled || '' FROM users").into_iter().collect();
    let kinds = kinds_by_user(file);
    let mut alive = BTreeSet::new();
    for (user, kinds) in &kinds {
        let kinds: Vec<_> = kinds.iter().map(String::as_str).collect();
        let expected: &[&[&str]] = match there.get(user).map(String::as_str) {
            Some("1") => &[&["created", "updated"]],
            Some(_) => &[&["created"], &["created", "updated", "updated"]],
            None => &[&["created", "updated", "updated", "deleted"]],
        };
        assert!(expected.contains(&&*kinds), "{user}: {kinds:?} instead of {expected:?}");
        alive.extend((kinds.last() != Some(&"deleted")).then_some(user));
    }
    assert_eq!(alive, there.keys().collect(), "users without events, or events without users");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_event_is_lost_and_order_is_kept_when_writers_and_workers_are_killed() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("users.db");
    std::fs::write(folder.path().join("writer.js"), WRITER).unwrap();
    let receiver = Receiver::start(|_, before| match before.len() % 7 {
        6 => Answer::status("500 Internal Server Error"),
        _ => Answer::ok(),
    })
    .await;
    for run in 0..KILLS {
        let mut writer = Running::writer(folder.path(), run);
        while !path.exists() || !namespace_is_there(&path) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let mut worker = Running::worker(folder.path(), &receiver.url);
        let so_far = receiver.requests().len();
        receiver.wait_for(|requests| requests.len() > so_far + 20).await;
        // Now the one first, now the other.
        if run % 2 == 0 {
            writer.kill();
            worker.kill();
        } else {
            worker.kill();
            writer.kill();
        }
        // Time goes by until the dead worker's leases are over.
        let file = Connection::open(&path).unwrap();
        file.execute("UPDATE event_deliveries SET due = 0 WHERE lease IS NOT NULL", []).unwrap();
        check_events(&file);
    }

    let file = Connection::open(&path).unwrap();
    let mut expected: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (user, id) in rows(&file, "SELECT hex(user_id), hex(id) FROM events ORDER BY id") {
        expected.entry(uuid(&user)).or_default().push(uuid(&id));
    }
    let left = || -> i64 {
        let sql = "SELECT (SELECT count(*) FROM event_deliveries)
                     + (SELECT count(*) FROM events WHERE id > (SELECT taken_up FROM event_consumers))";
        file.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    let mut worker = Running::worker(folder.path(), &receiver.url);
    receiver.wait_for(|_| left() == 0).await;
    #[cfg(unix)]
    assert_eq!(worker.terminate().code(), Some(0));
    worker.0.kill().unwrap();

    let mut taken = receiver.taken_by_user();
    let count = taken.values().flatten().count();
    for ids in taken.values_mut() {
        // The acknowledgement of a delivery may have died with the worker: the same event, once more, at once.
        ids.dedup();
    }
    let events = expected.values().flatten().count();
    eprintln!("{events} events, {count} taken");
    assert_eq!(taken, expected);
    assert!(receiver.requests().iter().all(|request| request.path == "/hook"), "{:#?}", receiver.requests());
}

fn namespace_is_there(path: &Path) -> bool {
    let file = Connection::open(path).unwrap();
    file.query_row("SELECT count(*) FROM namespaces", [], |row| row.get::<_, i64>(0)).is_ok_and(|count| count > 0)
}

fn uuid(hex: &str) -> String {
    uuid::Uuid::parse_str(hex).unwrap().to_string()
}

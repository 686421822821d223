//! The program is killed while it writes. What it had acknowledged is there, and nothing is half done.
//!
//! `TAILOR_IDP_KILLS` says how often, all tests together.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pretty_assertions::assert_eq;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::support::{End, OPEN_SETTINGS, program};

/// Calls in flight at once.
const LANES: usize = 8;

/// Of three users in a row of a lane one stays as it is, one is renamed and disabled, one is deleted.
const WRITER: &str = "export default async ({ run, lanes }) => {
  const idp = new tailor.idp.Client('builtin-idp');
  const write = async (lane) => {
    for (let n = 0; ; n++) {
      const name = `${run}-${lane}-${n}@example.com`;
      const { id } = await idp.createUser({ name });
      console.log(`created ${id} ${name}`);
      if (n % 3 === 1) {
        await idp.updateUser({ id, name: `renamed-${name}`, disabled: true });
        console.log(`renamed ${id} renamed-${name}`);
      } else if (n % 3 === 2) {
        await idp.deleteUser(id);
        console.log(`deleted ${id} ${name}`);
      }
    }
  };
  await Promise.all(Array.from({ length: lanes }, (_, lane) => write(lane)));
};";

const READER: &str = "export default async () => {
  const idp = new tailor.idp.Client('builtin-idp');
  const seen = [];
  for (let after, page; page?.nextPageToken !== null; after = page.nextPageToken) {
    page = await idp.users({ first: 1000, after });
    seen.push(...page.users.map((user) => [user.id, user.name, user.disabled]));
    if (page.totalCount < seen.length) throw new Error(`${page.totalCount} in all, ${seen.length} seen`);
  }
  await idp.deleteUser((await idp.createUser({ name: 'reader@example.com' })).id);
  return seen;
};";

/// A user's name, and whether the user is disabled.
type State = (String, bool);
/// By id.
type Users = BTreeMap<String, State>;

fn kills() -> u32 {
    std::env::var("TAILOR_IDP_KILLS").map_or(15, |kills| kills.parse().expect("TAILOR_IDP_KILLS is a number"))
}

/// Up to so many milliseconds, by chance.
fn moment(below: u64) -> Duration {
    // The low half of a UUIDv7 is random.
    Duration::from_micros(uuid::Uuid::now_v7().as_u128() as u64 % (below * 1000))
}

/// A folder with the scripts in it, and the path of a database that is yet to be made.
fn place() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("writer.js"), WRITER).unwrap();
    std::fs::write(folder.path().join("reader.js"), READER).unwrap();
    let path = folder.path().join("users.db");
    (folder, path)
}

/// The program, writing; what it says on stderr is read along.
struct Writer {
    process: Child,
    run: String,
    lines: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Writer {
    fn start(path: &Path, run: String) -> Self {
        let mut writer = program();
        writer
            .args(["run", "writer.js", "--config", OPEN_SETTINGS, "--db"])
            .arg(path)
            .current_dir(path.parent().unwrap());
        writer.args(["--arg", &serde_json::json!({ "run": run, "lanes": LANES }).to_string()]);
        let mut process = writer.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (mut stderr, sink) = (BufReader::new(process.stderr.take().unwrap()), Arc::clone(&lines));
        let reader = std::thread::spawn(move || {
            let mut line = String::new();
            // A line without its end was cut off by the kill.
            while stderr.read_line(&mut line).unwrap() > 0 && line.ends_with('\n') {
                sink.lock().unwrap().push(line.trim_end().to_owned());
                line.clear();
            }
        });
        Self { process, run, lines, reader: Some(reader) }
    }

    /// Waits until it has acknowledged that many writes.
    fn wait_for(&mut self, acknowledged: usize) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.lines.lock().unwrap().len() < acknowledged {
            let ended = self.process.try_wait().unwrap();
            assert!(ended.is_none(), "the writer ended by itself: {:?}", self.lines.lock().unwrap());
            assert!(Instant::now() < deadline, "no {acknowledged} writes within 30 s");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Kills it (SIGKILL) and returns all that it had acknowledged.
    fn kill(&mut self) -> Vec<String> {
        let ended = self.process.try_wait().unwrap();
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.reader.take().unwrap().join().unwrap();
        let lines = std::mem::take(&mut *self.lines.lock().unwrap());
        assert_eq!(ended, None, "the writer ended by itself: {lines:#?}");
        lines
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // For a test that has failed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What the next run of the program finds.
fn read(path: &Path) -> Users {
    let mut reader = program();
    reader.args(["run", "reader.js", "--config", OPEN_SETTINGS, "--db"]);
    let end = End::of(reader.arg(path).current_dir(path.parent().unwrap()));
    assert_eq!((end.code, end.stderr.as_str()), (Some(0), ""), "the next run fails");
    let users: Vec<(String, String, bool)> = serde_json::from_value(end.json()).unwrap();
    let count = users.len();
    let users: Users = users.into_iter().map(|(id, name, disabled)| (id, (name, disabled))).collect();
    assert_eq!(users.len(), count, "somebody is listed twice");
    users
}

/// That the file itself is sound, and its kept counts right.
fn check_file(path: &Path) {
    let file = Connection::open(path).unwrap();
    let texts = |sql| -> Vec<String> {
        file.prepare(sql).unwrap().query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    };
    assert_eq!(texts("PRAGMA integrity_check"), ["ok"]);
    assert_eq!(texts("SELECT \"table\" FROM pragma_foreign_key_check"), Vec::<String>::new());
    let wrong = "SELECT name || ': ' || user_count || ' kept, ' || count || ' there'
                 FROM (SELECT *, (SELECT count(*) FROM users WHERE namespace_id = namespaces.id) AS count FROM namespaces)
                 WHERE user_count <> count";
    assert_eq!(texts(wrong), Vec::<String>::new());
}

/// What may have become of each user that a killed writer spoke of, and the last it said of the user.
fn expected(lines: &[String]) -> BTreeMap<&str, (&str, Vec<Option<State>>)> {
    let mut expected = BTreeMap::new();
    for line in lines {
        let words: Vec<_> = line.split(' ').collect();
        let [what @ ("created" | "renamed" | "deleted"), id, name] = words[..] else {
            panic!("the writer says: {line}\n{lines:#?}");
        };
        let (created, renamed) = (Some((name.to_owned(), false)), Some((format!("renamed-{name}"), true)));
        // What the writer was about to do when it was killed may have been done.
        let allowed = match (what, number(name) % 3) {
            ("created", 0) => vec![created],
            ("created", 1) => vec![created, renamed],
            ("created", _) => vec![created, None],
            ("renamed", _) => vec![Some((name.to_owned(), true))],
            _ => vec![None],
        };
        expected.insert(id, (line.as_str(), allowed));
    }
    expected
}

/// Compares what was there before, and what killed writers had acknowledged since, with what is there now.
fn faults(before: &Users, killed: &[(&str, &[String])], now: &Users) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut known: BTreeSet<&str> = before.keys().map(String::as_str).collect();
    for (id, state) in before {
        if now.get(id) != Some(state) {
            wrong.push(format!("{id} was {state:?}: found {:?}", now.get(id)));
        }
    }
    for (run, lines) in killed {
        for (id, (line, allowed)) in expected(lines) {
            known.insert(id);
            let found = now.get(id).cloned();
            if !allowed.contains(&found) {
                wrong.push(format!("{line}: found {found:?} instead of {allowed:?}"));
            }
        }
        // A lane's create that was under way may have been done.
        let mut under_way = BTreeSet::new();
        for (id, (name, disabled)) in now {
            if known.contains(id.as_str()) {
                continue;
            }
            let lane = name.strip_prefix(run).and_then(|rest| rest.strip_prefix('-')?.split('-').next());
            if lane.is_some_and(|lane| !disabled && under_way.insert(lane)) {
                known.insert(id);
            }
        }
    }
    wrong.extend(now.iter().filter(|(id, _)| !known.contains(id.as_str())).map(|user| format!("{user:?}: by whom?")));
    let mut names = BTreeSet::new();
    wrong.extend(now.values().filter(|(name, _)| !names.insert(name)).map(|(name, _)| format!("two users {name}")));
    wrong
}

fn check(before: &Users, killed: &[(&str, &[String])], now: &Users) {
    assert_eq!(faults(before, killed, now), Vec::<String>::new());
}

/// The `n` of a name that the writer made.
fn number(name: &str) -> u32 {
    let number = name.trim_end_matches("@example.com").rsplit('-').next();
    number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{name} is no name of the writer's"))
}

#[test]
fn a_growing_database_survives_kill_after_kill() {
    let (_folder, path) = place();
    let mut users = Users::new();
    let mut acknowledged = 0;
    let kills = kills().div_ceil(2);
    for kill in 0..kills {
        let mut writer = Writer::start(&path, format!("run{kill}"));
        if kill % 2 == 0 {
            writer.wait_for(1);
        }
        std::thread::sleep(moment(250));
        let lines = writer.kill();
        let now = read(&path);
        check(&users, &[(&writer.run, &lines)], &now);
        check_file(&path);
        acknowledged += lines.len();
        users = now;
    }
    eprintln!("{kills} kills, {acknowledged} writes acknowledged, {} users", users.len());
    assert!(acknowledged > 10, "the kills came too early to show anything");
}

#[test]
fn a_new_database_survives_a_kill_while_it_is_made() {
    for _ in 0..kills().div_ceil(3) {
        let (_folder, path) = place();
        let mut writer = Writer::start(&path, "first".into());
        std::thread::sleep(moment(60));
        let lines = writer.kill();
        let users = read(&path);
        check(&Users::new(), &[("first", &lines)], &users);
        check_file(&path);
        // And on from there.
        let mut writer = Writer::start(&path, "second".into());
        writer.wait_for(5);
        let lines = writer.kill();
        check(&users, &[("second", &lines)], &read(&path));
        check_file(&path);
    }
}

#[test]
fn a_writer_goes_on_when_another_on_the_same_database_is_killed() {
    let (_folder, path) = place();
    let mut users = Users::new();
    for kill in 0..kills().div_ceil(6) {
        let mut dying = Writer::start(&path, format!("dying{kill}"));
        let mut living = Writer::start(&path, format!("living{kill}"));
        dying.wait_for(1);
        living.wait_for(1);
        std::thread::sleep(moment(200));
        let dead = dying.kill();
        let so_far = living.lines.lock().unwrap().len();
        living.wait_for(so_far + 50);
        let lived = living.kill();
        let now = read(&path);
        check(&users, &[(&dying.run, &dead), (&living.run, &lived)], &now);
        check_file(&path);
        users = now;
    }
}

#[test]
fn the_check_of_these_tests_notices_what_is_lost_half_done_or_made_up() {
    let state = |name: &str, disabled| (name.to_owned(), disabled);
    let users = |users: &[(&str, State)]| -> Users {
        users.iter().map(|(id, state)| ((*id).to_owned(), state.clone())).collect()
    };
    let (kept, renamed) = ("run-0-0@example.com", "renamed-run-0-1@example.com");
    let lines = [format!("created a {kept}"), format!("renamed b {renamed}"), "deleted c run-0-2@example.com".into()];
    let before = users(&[("z", state("old@example.com", false))]);
    let sound = [("a", state(kept, false)), ("b", state(renamed, true)), ("z", state("old@example.com", false))];
    let faults_with = |change: &[(&str, Option<State>)]| {
        let mut now = users(&sound);
        for (id, state) in change {
            match state {
                Some(state) => now.insert((*id).to_owned(), state.clone()),
                None => now.remove(*id),
            };
        }
        faults(&before, &[("run", &lines)], &now).len()
    };
    assert_eq!(faults_with(&[]), 0);
    let next = |id| (id, Some(state(&format!("run-0-{}@example.com", if id == "d" { 3 } else { 4 }), false)));
    assert_eq!(faults_with(&[next("d")]), 0, "a create under way");
    assert_eq!(faults_with(&[next("d"), next("e")]), 1, "two creates of one lane under way");
    assert_eq!(faults_with(&[("a", None)]), 1, "a lost create");
    assert_eq!(faults_with(&[("b", Some(state(renamed, false)))]), 1, "half an update");
    assert_eq!(faults_with(&[("b", Some(state("run-0-1@example.com", false)))]), 1, "a lost update");
    assert_eq!(faults_with(&[("c", Some(state("run-0-2@example.com", false)))]), 1, "a lost delete");
    assert_eq!(faults_with(&[("z", None)]), 1, "somebody from before");
    assert_eq!(faults_with(&[("y", Some(state("stranger@example.com", false)))]), 1, "a stranger");
    assert_eq!(faults_with(&[("y", Some(state(kept, false)))]), 1, "a namesake");
}

//! Processes that are killed while they write: every acknowledged write is kept, and none is partial.
//!
//! `TAILOR_IDP_KILLS` is the number of kills of all tests together.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use futures::future::join_all;
use pretty_assertions::assert_eq;
use rusqlite::Connection;
use tailor_idp_core::{IdentityProvider, ListUsers, NamespaceSettings, Principal, UpdateUser};

use crate::child::{self, ChildProcess};
use crate::host::{Host, NAMESPACE, context};
use crate::support::{open, place};

/// The number of concurrent calls.
const LANES: usize = 8;

/// The name of a user, and whether the user is disabled.
type State = (String, bool);
/// By id.
type Users = BTreeMap<String, State>;

fn kills() -> u32 {
    std::env::var("TAILOR_IDP_KILLS").map_or(15, |kills| kills.parse().expect("TAILOR_IDP_KILLS is a number"))
}

/// A random duration up to this number of milliseconds.
fn moment(below: u64) -> Duration {
    // The low half of a UUIDv7 is random.
    Duration::from_micros(uuid::Uuid::now_v7().as_u128() as u64 % (below * 1000))
}

/// Reports an acknowledged write to the parent, past the test harness.
fn report(line: &str) {
    // A single write, so that lines of several lanes do not mix.
    if std::io::stderr().write_all(format!("{line}\n").as_bytes()).is_err() {
        std::process::exit(1);
    }
}

/// Of three users in a row of a lane one stays as created, one is renamed and disabled, one is deleted.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run as a process of its own by other tests"]
async fn child_writes_users() {
    let Some((database, run)) = child::arguments() else { return };
    let host = Host::over(open(&database, NAMESPACE).await, NamespaceSettings::default());
    let (host, run) = (&host, &run);
    let lane = async |lane: usize| {
        for n in 0.. {
            let name = format!("{run}-{lane}-{n}@example.com");
            let id = host.create(&name).await.id;
            report(&format!("created {id} {name}"));
            if n % 3 == 1 {
                let new = Some(format!("renamed-{name}"));
                host.update(UpdateUser { id: id.clone(), name: new, disabled: Some(true), ..UpdateUser::default() })
                    .await;
                report(&format!("renamed {id} renamed-{name}"));
            } else if n % 3 == 2 {
                host.delete(&id).await;
                report(&format!("deleted {id} {name}"));
            }
        }
    };
    tokio::select! {
        () = child::ended_by_parent() => {}
        _ = join_all((0..LANES).map(lane)) => {}
    }
}

/// A process that writes. Its reports are read as they arrive.
struct Writer {
    process: ChildProcess,
    run: String,
    lines: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Writer {
    fn start(path: &Path, run: String) -> Self {
        let mut process = ChildProcess::start("kill::child_writes_users", path, &run);
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (mut stderr, sink) = (BufReader::new(process.stderr()), Arc::clone(&lines));
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

    /// Waits until this number of writes has been acknowledged.
    fn wait_for(&mut self, acknowledged: usize) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.lines.lock().unwrap().len() < acknowledged {
            assert!(self.process.is_running(), "the writer ended by itself: {:?}", self.lines.lock().unwrap());
            assert!(Instant::now() < deadline, "fewer than {acknowledged} writes within 30 s");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Kills the process and returns the acknowledged writes.
    fn kill(&mut self) -> Vec<String> {
        self.process.kill();
        self.reader.take().unwrap().join().unwrap();
        std::mem::take(&mut *self.lines.lock().unwrap())
    }
}

/// The users, as the next process finds them, which can also write.
async fn read(path: &Path) -> Users {
    let host = Host::over(open(path, NAMESPACE).await, NamespaceSettings::default());
    let (mut users, mut count, mut after) = (Users::new(), 0, None);
    loop {
        let request = ListUsers { first: Some(1000), after: after.clone(), ..ListUsers::default() };
        let page = host.router.users(&context(Principal::Host), request).await.unwrap();
        count += page.users.len();
        users.extend(page.users.into_iter().map(|user| (user.id, (user.name, user.disabled))));
        after = page.next_page_token;
        if after.is_none() {
            assert_eq!(page.total_count, count as u64);
            break;
        }
    }
    assert_eq!(users.len(), count, "a user is listed twice");
    let reader = host.create("reader@example.com").await;
    host.delete(&reader.id).await;
    users
}

/// Checks that the file is intact and its stored counts are right.
fn check_file(path: &Path) {
    let file = Connection::open(path).unwrap();
    let texts = |sql| -> Vec<String> {
        file.prepare(sql).unwrap().query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    };
    assert_eq!(texts("PRAGMA integrity_check"), ["ok"]);
    assert_eq!(texts("SELECT \"table\" FROM pragma_foreign_key_check"), Vec::<String>::new());
    let wrong = "SELECT name || ': ' || user_count || ' stored, ' || count || ' there'
                 FROM (SELECT *, (SELECT count(*) FROM users WHERE namespace_id = namespaces.id) AS count FROM namespaces)
                 WHERE user_count <> count";
    assert_eq!(texts(wrong), Vec::<String>::new());
}

/// For each user that a killed writer reported: the last report, and the possible states.
fn expected(lines: &[String]) -> BTreeMap<&str, (&str, Vec<Option<State>>)> {
    let mut expected = BTreeMap::new();
    for line in lines {
        let words: Vec<_> = line.split(' ').collect();
        let [what @ ("created" | "renamed" | "deleted"), id, name] = words[..] else {
            panic!("the writer reports: {line}\n{lines:#?}");
        };
        let (created, renamed) = (Some((name.to_owned(), false)), Some((format!("renamed-{name}"), true)));
        // The write that was in progress at the kill may have been committed.
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

/// Compares the earlier users and what killed writers reported since with the users that are there now.
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
        // The creation that was in progress in a lane may have been committed.
        let mut in_progress = BTreeSet::new();
        for (id, (name, disabled)) in now {
            if known.contains(id.as_str()) {
                continue;
            }
            let lane = name.strip_prefix(run).and_then(|rest| rest.strip_prefix('-')?.split('-').next());
            if lane.is_some_and(|lane| !disabled && in_progress.insert(lane)) {
                known.insert(id);
            }
        }
    }
    wrong.extend(now.iter().filter(|(id, _)| !known.contains(id.as_str())).map(|user| format!("{user:?}: unknown")));
    let mut names = BTreeSet::new();
    wrong.extend(now.values().filter(|(name, _)| !names.insert(name)).map(|(name, _)| format!("two users {name}")));
    wrong
}

#[track_caller]
fn check(before: &Users, killed: &[(&str, &[String])], now: &Users) {
    assert_eq!(faults(before, killed, now), Vec::<String>::new());
}

/// The number in a name that a writer made.
fn number(name: &str) -> u32 {
    let number = name.trim_end_matches("@example.com").rsplit('-').next();
    number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{name} is not a writer's name"))
}

#[tokio::test]
async fn growing_database_survives_repeated_kills() {
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
        let now = read(&path).await;
        check(&users, &[(&writer.run, &lines)], &now);
        check_file(&path);
        acknowledged += lines.len();
        users = now;
    }
    eprintln!("{kills} kills, {acknowledged} writes acknowledged, {} users", users.len());
    assert!(acknowledged > 10, "the kills came too early to show anything");
}

#[tokio::test]
async fn new_database_survives_a_kill_during_its_creation() {
    for _ in 0..kills().div_ceil(3) {
        let (_folder, path) = place();
        let mut writer = Writer::start(&path, "first".into());
        std::thread::sleep(moment(60));
        let lines = writer.kill();
        let users = read(&path).await;
        check(&Users::new(), &[("first", &lines)], &users);
        check_file(&path);
        let mut writer = Writer::start(&path, "second".into());
        writer.wait_for(5);
        let lines = writer.kill();
        check(&users, &[("second", &lines)], &read(&path).await);
        check_file(&path);
    }
}

#[tokio::test]
async fn writer_goes_on_when_another_one_is_killed() {
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
        let now = read(&path).await;
        check(&users, &[(&dying.run, &dead), (&living.run, &lived)], &now);
        check_file(&path);
        users = now;
    }
}

#[test]
fn check_notices_lost_partial_and_invented_writes() {
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
    assert_eq!(faults_with(&[next("d")]), 0, "a creation in progress");
    assert_eq!(faults_with(&[next("d"), next("e")]), 1, "two creations of one lane in progress");
    assert_eq!(faults_with(&[("a", None)]), 1, "a lost creation");
    assert_eq!(faults_with(&[("b", Some(state(renamed, false)))]), 1, "half an update");
    assert_eq!(faults_with(&[("b", Some(state("run-0-1@example.com", false)))]), 1, "a lost update");
    assert_eq!(faults_with(&[("c", Some(state("run-0-2@example.com", false)))]), 1, "a lost deletion");
    assert_eq!(faults_with(&[("z", None)]), 1, "a lost earlier user");
    assert_eq!(faults_with(&[("y", Some(state("stranger@example.com", false)))]), 1, "an unknown user");
    assert_eq!(faults_with(&[("y", Some(state(kept, false)))]), 1, "two users of one name");
}

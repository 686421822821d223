//! What holds for databases on disk only.

use super::{Plain, Store};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::join_all;
use pretty_assertions::assert_eq;
use rusqlite::Connection;
use tailor_idp::store::{NewUser, PasswordChange, SqliteDatabase, StoreError, UserChange};
use tempfile::TempDir;
use tokio::task::unconstrained;

use super::{by_id, by_name, everyone, insert, insert_many, mail, names, subjects, total, user};
use crate::support::{End, OPEN_SETTINGS, namespace, password_hash, program};

/// A folder for a database file, and the file's path.
fn place() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("users.db");
    (folder, path)
}

async fn open(path: &Path, name: &str) -> Store {
    Plain::of(SqliteDatabase::open(path).unwrap().namespace(&namespace(name)).await.unwrap())
}

#[tokio::test]
async fn a_database_opened_again_has_everything() {
    let (_folder, path) = place();
    let (store, other) = (open(&path, "home").await, open(&path, "away").await);
    let users = insert_many(&store, "user", 5).await;
    let change = UserChange { name: Some("renamed".into()), disabled: Some(true), ..UserChange::default() };
    store.update(&users[1].id, change).await.unwrap();
    store.add_mfa_factor(&users[2].id).await.unwrap();
    store.delete(&users[3].id).await.unwrap();
    store.queue_reset_mail(mail(&users[4], "queued")).await.unwrap();
    insert(&other, "user0").await;
    let before = (everyone(&store).await, store.reset_mails().await.unwrap(), store.page_token_key());
    drop((store, other));

    let again = open(&path, "home").await;
    assert_eq!((everyone(&again).await, again.reset_mails().await.unwrap(), again.page_token_key()), before);
    assert_eq!(total(&again).await, 4);
    assert_eq!(SqliteDatabase::open(&path).unwrap().namespaces().unwrap(), ["away", "home"]);
    assert_eq!(names(&everyone(&open(&path, "away").await).await), ["user0"]);
    let late = insert(&again, "late").await;
    assert_eq!(everyone(&again).await.last(), Some(&late));
}

#[tokio::test]
async fn a_file_that_is_no_longer_used_is_one_file() {
    let (folder, path) = place();
    let store = open(&path, "users").await;
    insert(&store, "ana").await;
    drop(store);
    let left: Vec<_> = folder.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["users.db"]);
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_database_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, path) = place();
    let store = open(&path, "users").await;
    insert(&store, "ana").await;
    // The log beside it holds users, too.
    for entry in folder.path().read_dir().unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(format!("{mode:o}"), "600", "{:?}", entry.file_name());
    }
}

#[tokio::test]
async fn a_password_is_kept_as_the_hash_that_was_given_until_it_is_cleared() {
    let (_folder, path) = place();
    let store = open(&path, "users").await;
    let raw = Connection::open(&path).unwrap();
    let stored =
        || raw.query_row("SELECT password_hash FROM users", [], |row| row.get::<_, Option<String>>(0)).unwrap();
    let (first, second) = (password_hash("the first"), password_hash("the second"));
    let new = NewUser { name: "ana".into(), password: Some(first.clone()), disabled: false };
    let ana = store.insert(new).await.unwrap();
    assert_eq!(stored().as_deref(), Some(first.as_str()));
    let change = async |change| store.update(&ana.id, change).await.unwrap().unwrap();
    change(UserChange { name: Some("bo".into()), disabled: Some(true), ..UserChange::default() }).await;
    assert_eq!(stored().as_deref(), Some(first.as_str()), "a rename keeps it");
    change(UserChange { password: PasswordChange::Set(second.clone()), ..UserChange::default() }).await;
    assert_eq!(stored().as_deref(), Some(second.as_str()));
    change(UserChange { password: PasswordChange::Clear, ..UserChange::default() }).await;
    assert_eq!(stored(), None);
}

#[tokio::test]
async fn writes_in_the_queue_are_on_disk_once_the_database_is_closed() {
    let (_folder, path) = place();
    let store = open(&path, "users").await;
    // Each is handed to the queue, and nobody waits for any.
    for index in 0..300 {
        let _ = unconstrained(store.insert(user(format!("user{index}")))).now_or_never();
    }
    drop(store);
    assert_eq!(total(&open(&path, "users").await).await, 300);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_handles_on_one_file_write_side_by_side_and_see_each_other() {
    let (_folder, path) = place();
    let (one, two) = (open(&path, "users").await, open(&path, "users").await);
    assert_eq!(one.page_token_key(), two.page_token_key());
    let writes = [(&one, "one"), (&two, "two")].map(|(store, name)| {
        let store = Arc::clone(store);
        tokio::spawn(async move { insert_many(&store, name, 100).await })
    });
    let [ones, twos] = writes;
    let (ones, twos) = (ones.await.unwrap(), twos.await.unwrap());
    for store in [&one, &two] {
        let everyone = everyone(store).await;
        assert_eq!((everyone.len(), total(store).await), (200, 200));
        assert!(ones.iter().chain(&twos).all(|user| everyone.contains(user)));
    }
    let clash = two.insert(user("one7")).await.unwrap_err();
    assert!(matches!(clash, StoreError::NameTaken), "{clash}");
    assert!(two.delete(&ones[7].id).await.unwrap());
    assert_eq!(by_id(&one, &ones[7].id).await, None);
    insert(&one, "one7").await;
    assert!(by_name(&two, "one7").await.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn handles_that_write_without_pause_do_not_starve_one_another() {
    let (_folder, path) = place();
    let mut lanes = Vec::new();
    for handle in 0..2 {
        let store = open(&path, "users").await;
        lanes.extend((0..8).map(|lane| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for n in 0..200 {
                    // A write that does not get the lock for five seconds fails.
                    insert(&store, format!("user{handle}-{lane}-{n}")).await;
                }
            })
        }));
    }
    join_all(lanes).await.into_iter().for_each(|lane| lane.unwrap());
    assert_eq!(total(&open(&path, "users").await).await, 2 * 8 * 200);
}

#[tokio::test]
async fn of_many_inserts_of_one_name_by_several_handles_one_succeeds() {
    let (_folder, path) = place();
    let stores = [open(&path, "users").await, open(&path, "users").await, open(&path, "users").await];
    for round in 0..10 {
        let inserts = stores.iter().cycle().take(12).map(|store| store.insert(user(format!("ana{round}"))));
        let outcomes = join_all(inserts).await;
        let refusals: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
        assert!(refusals.iter().all(|error| matches!(error, StoreError::NameTaken)), "{refusals:?}");
        assert_eq!(refusals.len(), 11);
    }
    assert_eq!(total(&stores[0]).await, 10);
}

#[tokio::test]
async fn reads_go_on_while_another_program_writes() {
    let (_folder, path) = place();
    let store = open(&path, "users").await;
    let ana = insert(&store, "ana").await;
    store.queue_reset_mail(mail(&ana, "queued")).await.unwrap();
    let raw = Connection::open(&path).unwrap();
    raw.execute_batch("BEGIN IMMEDIATE; UPDATE users SET name = 'half done'").unwrap();
    let started = Instant::now();
    assert_eq!(everyone(&store).await, std::slice::from_ref(&ana));
    assert_eq!(by_id(&store, &ana.id).await.as_ref(), Some(&ana));
    assert_eq!(by_name(&store, "ana").await, Some(ana.clone()));
    assert_eq!(subjects(&store).await, ["queued"]);
    // A read that had to wait for the lock would have waited for five seconds.
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    raw.execute_batch("ROLLBACK").unwrap();
    assert!(store.delete(&ana.id).await.unwrap());
}

#[tokio::test]
async fn ids_sort_in_creation_order_across_processes_and_a_clock_that_was_set_back() {
    let (_folder, path) = place();
    let store = open(&path, "users").await;
    insert_from_ahead(&path, "first");
    insert(&store, "second").await;
    assert_eq!(names(&everyone(&store).await), ["first", "second"]);
}

#[tokio::test]
async fn an_id_is_not_given_again_after_a_clock_was_set_back() {
    let (_folder, path) = place();
    let store = open(&path, "users").await;
    insert_from_ahead(&path, "first");
    let second = insert(&store, "second").await;
    assert!(store.delete(&second.id).await.unwrap());
    let third = insert(&store, "third").await;
    assert!(third.id > second.id, "second, now deleted: {}, third: {}", second.id, third.id);
}

/// Adds a user as another process does whose clock is a minute ahead, or as this one did before its clock was set right.
fn insert_from_ahead(path: &Path, name: &str) {
    let ahead = uuid::Uuid::from_u128(uuid::Uuid::now_v7().as_u128() + (60_000 << 80));
    let raw = Connection::open(path).unwrap();
    let sql = "INSERT INTO users SELECT id, ?, ?, NULL, 0, 0 FROM namespaces";
    assert_eq!(raw.execute(sql, rusqlite::params![ahead.as_bytes(), name]), Ok(1));
}

#[test]
fn programs_that_make_one_new_database_at_once_all_get_through() {
    for round in 0..6 {
        let (_folder, path) = place();
        let create = |index: usize| {
            let mut create = program();
            create.args(["users", "create", "--json", "--db"]).arg(&path).arg(format!("user{index}@example.com"));
            std::thread::spawn(move || End::of(&mut create))
        };
        let runs: Vec<_> = (0..8).map(create).collect();
        let ends: Vec<_> = runs.into_iter().map(|run| run.join().unwrap()).collect();
        let failed: Vec<_> = ends.iter().filter(|end| end.code != Some(0)).collect();
        assert_eq!(failed, Vec::<&End>::new(), "round {round}");
        let list = End::of(program().args(["users", "list", "--json", "--db"]).arg(&path));
        assert_eq!(list.json()["totalCount"], 8);
    }
}

#[test]
fn a_run_leaves_one_file_behind() {
    let (folder, path) = place();
    let script = folder.path().join("script.js");
    let text = "export default async () => {
        const idp = new tailor.idp.Client('builtin-idp');
        await idp.deleteUser((await idp.createUser({ name: 'ana@example.com' })).id);
    };";
    std::fs::write(&script, text).unwrap();
    for run in 0..15 {
        let end = End::of(program().args(["run", "--config", OPEN_SETTINGS]).arg(&script).arg("--db").arg(&path));
        assert_eq!((end.code, end.stderr.as_str()), (Some(0), ""));
        let files = folder.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut files: Vec<_> = files.collect();
        files.sort();
        assert_eq!(files, ["script.js", "users.db"], "after run {run}");
    }
}

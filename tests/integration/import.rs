//! Bulk import, as a host and as the program do it.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pretty_assertions::assert_eq;
use rusqlite::Connection;
use serde_json::{Value, json};
use tailor_idp::idp::{
    Code, IdentityProvider, Idp, ImportError, ImportUser, ListUsers, NamespaceSettings, Principal, UserAuthPolicy,
};
use tailor_idp::store::{
    NewUser, Page, PageRequest, SqliteDatabase, SqliteStore, StoreError, UserChange, UserKey, UserRecord, UserStore,
    WriteOptions,
};
use tempfile::TempDir;

use crate::support::{End, namespace, password_hash, program};

fn user(name: &str) -> ImportUser {
    ImportUser { name: name.to_owned(), ..ImportUser::default() }
}

fn idp(store: impl UserStore + 'static, settings: NamespaceSettings) -> Idp {
    Idp::builder().namespace(namespace("home"), Arc::new(store), settings).build()
}

async fn in_memory() -> SqliteStore {
    SqliteDatabase::in_memory().unwrap().namespace(&namespace("home")).await.unwrap()
}

async fn names(idp: &Idp) -> Vec<String> {
    let page = idp.users("home", &Principal::Host, ListUsers::default()).await.unwrap();
    page.users.into_iter().map(|user| user.name).collect()
}

#[tokio::test]
async fn imported_users_sign_in_with_the_password_that_was_hashed_elsewhere() {
    let (from, to) = (in_memory().await, in_memory().await);
    let old = idp(from.clone(), NamespaceSettings::default());
    let ana = tailor_idp::idp::CreateUser {
        name: "ana@example.com".into(),
        password: Some("correct horse".into()),
        disabled: false,
    };
    old.create_user("home", &Principal::Host, ana).await.unwrap();
    let credential = from.credentials().unwrap().credential("ana@example.com").await.unwrap().unwrap();

    let new = idp(to, NamespaceSettings::default());
    let ana = ImportUser { name: "Ana@Example.com".into(), password: credential.password, disabled: false };
    assert_eq!(new.import_users("home", vec![ana, user("bo@example.com")]).await.unwrap().count, 2);
    let signs_in =
        async |name: &str, password: &str| new.verify_password("home", name, password.into()).await.unwrap().is_some();
    assert!(signs_in("ana@example.com", "correct horse").await);
    assert!(!signs_in("ana@example.com", "battery staple").await);
    assert!(!signs_in("bo@example.com", "").await, "without a hash no password is right");
}

#[tokio::test]
async fn users_against_the_rules_are_all_named_and_nobody_is_imported() {
    let mut policy = UserAuthPolicy::default();
    policy.allowed_email_domains = vec!["example.com".into()];
    policy.allow_google_oauth = true;
    policy.disable_password_auth = true;
    let idp = idp(in_memory().await, NamespaceSettings::default().user_auth_policy(policy));
    let with_hash = ImportUser { password: Some(password_hash("x")), ..user("cy@example.com") };
    let batch = vec![user("ana@example.com"), user("bo"), with_hash, user("di@example.org"), user("ed@example.com")];
    let error = idp.import_users("home", batch).await.unwrap_err();
    let first = "user 1 of the batch: name must be an e-mail address: got \"bo\"";
    assert_eq!(error.to_string(), format!("3 users of the batch cannot be imported; the first: {first}"));
    let ImportError::Invalid(faults) = error else { panic!("{error:?}") };
    let faults: Vec<_> = faults.iter().map(|fault| (fault.index, fault.error.detail())).collect();
    let expected = [
        (1, "name must be an e-mail address: got \"bo\""),
        (2, "passwordHash must not be given: disablePasswordAuth is set"),
        (3, "name must be at an allowed e-mail domain (example.com): got \"di@example.org\""),
    ];
    assert_eq!(faults, expected);
    assert_eq!(names(&idp).await, Vec::<String>::new());
    let error = idp.import_users("away", vec![user("ana@example.com")]).await.unwrap_err();
    assert!(matches!(&error, ImportError::Failed(error) if error.code() == Code::NotFound), "{error:?}");
}

/// A store that can do what every store can, and nothing else.
struct Bare(SqliteStore);

#[async_trait]
impl UserStore for Bare {
    async fn insert(&self, user: NewUser, publish: bool) -> Result<UserRecord, StoreError> {
        self.0.insert(user, publish).await
    }

    async fn get(&self, key: UserKey<'_>) -> Result<Option<UserRecord>, StoreError> {
        self.0.get(key).await
    }

    async fn list(&self, request: PageRequest) -> Result<Page, StoreError> {
        self.0.list(request).await
    }

    async fn update(
        &self,
        id: &str,
        change: UserChange,
        options: WriteOptions,
    ) -> Result<Option<UserRecord>, StoreError> {
        self.0.update(id, change, options).await
    }

    async fn delete(&self, id: &str, options: WriteOptions) -> Result<bool, StoreError> {
        self.0.delete(id, options).await
    }

    fn page_token_key(&self) -> [u8; 32] {
        self.0.page_token_key()
    }
}

#[tokio::test]
async fn a_store_without_imports_says_so() {
    let idp = idp(Bare(in_memory().await), NamespaceSettings::default());
    let error = idp.import_users("home", vec![user("ana@example.com")]).await.unwrap_err();
    let ImportError::Failed(error) = error else { panic!("{error:?}") };
    let expected = (Code::Unimplemented, "the store of namespace home takes no imports");
    assert_eq!((error.code(), error.detail()), expected);
}

#[tokio::test]
async fn an_import_that_fails_adds_nobody_and_harms_no_other_write() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("users.db");
    let store = SqliteDatabase::open(&path).unwrap().namespace(&namespace("home")).await.unwrap();
    let idp = idp(store, NamespaceSettings::default().publish_user_events(true));
    let file = Connection::open(&path).unwrap();
    // The second disabled user cannot be added, after others have been.
    file.execute_batch("CREATE UNIQUE INDEX one_disabled ON users (namespace_id) WHERE disabled").unwrap();
    let disabled = |name| ImportUser { disabled: true, ..user(name) };
    let batch = vec![user("ana@example.com"), disabled("bo@example.com"), disabled("cy@example.com")];
    let create = tailor_idp::idp::CreateUser { name: "single@example.com".into(), ..Default::default() };
    let (failed, single) =
        tokio::join!(idp.import_users("home", batch.clone()), idp.create_user("home", &Principal::Host, create));
    assert!(matches!(failed, Err(ImportError::Failed(_))), "{failed:?}");
    assert_eq!(names(&idp).await, [single.unwrap().name]);
    check_file(&path);

    file.execute_batch("DROP INDEX one_disabled").unwrap();
    assert_eq!(idp.import_users("home", batch).await.unwrap().count, 3);
    let expected = ["single@example.com", "ana@example.com", "bo@example.com", "cy@example.com"];
    assert_eq!(names(&idp).await, expected);
    check_file(&path);
}

/// That the file is sound, its kept count right, and each user's event there where there is any.
fn check_file(path: &Path) {
    let file = Connection::open(path).unwrap();
    let text = |sql| file.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(text("PRAGMA integrity_check"), "ok");
    let counts = "SELECT group_concat(user_count - (SELECT count(*) FROM users WHERE namespace_id = namespaces.id)) FROM namespaces";
    assert_eq!(text(counts), "0");
    let events =
        "SELECT iif((SELECT count(*) FROM events) IN (0, (SELECT count(*) FROM users)), 'all or none', 'some')";
    assert_eq!(text(events), "all or none");
}

/// A folder with a file `users.jsonl`.
fn place(lines: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("users.jsonl"), lines).unwrap();
    folder
}

fn run(folder: &TempDir, args: &str) -> End {
    End::of(program().args(args.split(' ')).args(["--db", "users.db"]).current_dir(folder.path()))
}

/// The names of all users, in the order of their creation.
fn listed(folder: &TempDir) -> Vec<String> {
    let end = run(folder, "users list --json --first 1000");
    let end = end.json();
    end["users"].as_array().unwrap().iter().map(|user| user["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_program_imports_the_lines_of_a_file_in_their_order() {
    let hash = password_hash("x");
    let lines = [
        json!({ "name": "Zoe@example.com", "passwordHash": hash.as_str() }).to_string(),
        String::new(),
        json!({ "name": "ana@example.com", "disabled": true, "passwordHash": null }).to_string(),
        "  \r".into(),
        "{\"name\": \"b\\u006f@example.com\"}\r".into(),
    ];
    // Without a line break at the end.
    let folder = place(&lines.join("\n"));
    let end = run(&folder, "users import users.jsonl --publish-user-events");
    let stdout = "imported 3 users, skipped 0 whose names were taken\n".to_owned();
    assert_eq!(end, End { code: Some(0), stdout, stderr: String::new() });
    assert_eq!(listed(&folder), ["zoe@example.com", "ana@example.com", "bo@example.com"]);
    assert_eq!(run(&folder, "users get ana@example.com --json").json()["disabled"], Value::Bool(true));
    assert_eq!(run(&folder, "events list --json").json().as_array().unwrap().len(), 3);
    check_file(&folder.path().join("users.db"));
    let file = Connection::open(folder.path().join("users.db")).unwrap();
    let hashes = "SELECT group_concat(name || password_hash) FROM users WHERE password_hash IS NOT NULL";
    let hashes: String = file.query_row(hashes, [], |row| row.get(0)).unwrap();
    assert_eq!(hashes, format!("zoe@example.com{}", hash.as_str()));
}

#[test]
fn names_that_are_taken_are_skipped_and_twenty_of_them_shown() {
    let mut lines = String::new();
    for index in 0..30 {
        writeln!(lines, "{{\"name\": \"user{index}@example.com\"}}").unwrap();
    }
    let folder = place(&lines);
    let first = run(&folder, "users import users.jsonl --json");
    assert_eq!(first.json(), json!({ "imported": 30, "skipped": 0 }));
    // In batches of seven, with a new user, and one that is there twice.
    writeln!(lines, "{{\"name\": \"new@example.com\"}}\n{{\"name\": \"NEW@example.com\"}}").unwrap();
    std::fs::write(folder.path().join("users.jsonl"), &lines).unwrap();
    let again = run(&folder, "users import users.jsonl --batch 7");
    let shown: String = (0..20).map(|index| format!("skipped: user{index}@example.com\n")).collect();
    let stdout = "imported 1 user, skipped 31 whose names were taken\n".to_owned();
    assert_eq!(again, End { code: Some(0), stdout, stderr: format!("{shown}skipped: … and 11 more\n") });
    assert_eq!(run(&folder, "users list --json --first 1").json()["totalCount"], 31);
    // A user who is created one by one is counted as ever.
    run(&folder, "users create single@example.com");
    assert_eq!(run(&folder, "users list --json --first 1").json()["totalCount"], 32);
    check_file(&folder.path().join("users.db"));
}

#[test]
fn a_file_with_wrong_lines_is_not_imported_and_the_first_are_shown() {
    let mut lines =
        String::from("{\"name\": \"ana@example.com\"}\n\n{\"name\": \"ana\"}\n{\"name\": 5}\nana@example.com\n");
    lines.push_str("{\"name\": \"bo@example.com\", \"passwordHash\": \"hunter2\"}\n{\"name\": \"cy@example.com\", \"pass\\u001bword\": 1}\n");
    let folder = place(&lines);
    let end = run(&folder, "users import users.jsonl");
    let stderr = "\
users.jsonl:3: name must be an e-mail address: got \"ana\"
users.jsonl:4: invalid type: a number, expected a string (column 10)
users.jsonl:5: not a JSON object
users.jsonl:6: passwordHash: not a password hash in PHC form
users.jsonl:7: unknown field `pass\\u{1b}word`, expected one of `name`, `passwordHash`, `disabled` (column 43)
error: 5 lines are wrong: nobody was imported
";
    assert_eq!(end, End { code: Some(1), stdout: String::new(), stderr: stderr.to_owned() });
    assert_eq!(listed(&folder), Vec::<String>::new());

    // The first of many, over more than one block.
    let many: String = (0..30_000).map(|index| format!("{{\"name\": \"{index:060}\"}}\n")).collect();
    std::fs::write(folder.path().join("users.jsonl"), many).unwrap();
    let end = run(&folder, "users import users.jsonl");
    let shown: Vec<_> = end.stderr.lines().collect();
    assert_eq!((shown.len(), shown[20]), (22, "… and 29980 more"));
    assert_eq!(shown[21], "error: 30000 lines are wrong: nobody was imported");
    for (line, shown) in (1..=20).zip(shown) {
        assert!(shown.starts_with(&format!("users.jsonl:{line}: name must be an e-mail address: ")), "{shown}");
    }
    // The rules are the namespace's.
    let end = run(&folder, "users import users.jsonl --use-non-email-identifier --batch 8000");
    assert_eq!(end.stdout, "imported 30000 users, skipped 0 whose names were taken\n", "{end:#?}");
}

#[test]
fn stdin_is_imported_and_what_cannot_be_read_is_wrong_use() {
    let folder = place("{\"name\": \"ana@example.com\"}\n{\"name\": \"bo@example.com\"}\n");
    let stdin = || Stdio::from(std::fs::File::open(folder.path().join("users.jsonl")).unwrap());
    let mut import = program();
    import.args(["users", "import", "-", "--db", "users.db"]).current_dir(folder.path()).stdin(stdin());
    assert_eq!(End::of(&mut import).stdout, "imported 2 users, skipped 0 whose names were taken\n");
    assert_eq!(listed(&folder), ["ana@example.com", "bo@example.com"]);
    let missing = run(&folder, "users import ghost.jsonl");
    assert_eq!(missing.code, Some(2), "{missing:#?}");
    assert!(missing.stderr.starts_with("error: cannot read ghost.jsonl: "), "{missing:#?}");
    let none = run(&folder, "users import users.jsonl --batch 0");
    assert_eq!(none.code, Some(2), "{none:#?}");
}

/// How many users of a file are there, as another program sees it.
fn count(path: &Path) -> u64 {
    let count = || {
        let file = Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        file.query_row("SELECT user_count FROM namespaces", [], |row| row.get::<_, i64>(0))
    };
    // Not yet made.
    count().unwrap_or_default().unsigned_abs()
}

#[test]
fn what_a_killed_import_has_committed_stays_and_the_next_does_the_rest() {
    const USERS: usize = 20_000;
    const BATCH: u64 = 100;
    // In no order of their names.
    let name = |index: usize| format!("user{}@example.com", index * 7919 % USERS);
    let lines: String = (0..USERS).map(|index| format!("{{\"name\": \"{}\"}}\n", name(index))).collect();
    let folder = place(&lines);
    let path: PathBuf = folder.path().join("users.db");
    let args = ["users", "import", "users.jsonl", "--publish-user-events", "--db", "users.db", "--batch"];
    let mut before = 0;
    for _ in 0..3 {
        let mut import = program();
        import.args(args).arg(BATCH.to_string()).current_dir(folder.path());
        let mut import = import.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        while count(&path) < before + 10 * BATCH {
            assert!(import.try_wait().unwrap().is_none(), "the import ended by itself");
            assert!(Instant::now() < deadline, "ten batches take over a minute");
            std::thread::sleep(Duration::from_millis(1));
        }
        import.kill().unwrap();
        import.wait().unwrap();
        check_file(&path);
        let after = count(&path);
        assert!(after >= before + 10 * BATCH && after < USERS as u64, "{before}, then {after}");
        assert_eq!(after % BATCH, 0, "half a batch");
        before = after;
    }
    let end = run(&folder, "users import users.jsonl --publish-user-events --json");
    assert_eq!(end.json(), json!({ "imported": USERS as u64 - before, "skipped": before }));
    check_file(&path);
    let file = Connection::open(&path).unwrap();
    let mut by_id = file.prepare("SELECT name FROM users ORDER BY id").unwrap();
    let there = by_id.query_map([], |row| row.get(0)).unwrap().collect::<Result<Vec<String>, _>>().unwrap();
    assert!(there.iter().eq((0..USERS).map(name).collect::<Vec<_>>().iter()), "the order of ids is that of the lines");
}

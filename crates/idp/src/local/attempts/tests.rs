use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use pretty_assertions::assert_eq;
use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::local::{HashCost, Hasher, MfaKeys};
use crate::model::NamespaceName;
use crate::rules::NamespaceSettings;
use crate::store::{SqliteDatabase, Store};

/// The length of the window in seconds.
const WINDOW: u64 = 100;

/// A directory whose time the test sets, in seconds.
struct Fixture {
    directory: LocalDirectory,
    seconds: Arc<AtomicI64>,
}

impl Fixture {
    async fn new(per_user: u32, per_namespace: u32) -> Self {
        Self::at(Path::new(":memory:"), per_user, per_namespace).await
    }

    async fn at(path: &Path, per_user: u32, per_namespace: u32) -> Self {
        let seconds = Arc::new(AtomicI64::new(0));
        let time = Arc::clone(&seconds);
        let millis = move || 1_700_000_000_000 + time.load(Ordering::Relaxed) * 1000;
        let clock = Arc::new(move || Timestamp::from_unix_millis(millis()));
        let name = NamespaceName::new("users").unwrap();
        let store = SqliteDatabase::open_with_clock(path, clock).unwrap().namespace(&name).await.unwrap();
        let limits = AttemptLimits { per_user, per_namespace, window: Duration::from_secs(WINDOW) };
        Self { directory: directory(Arc::new(store), limits), seconds }
    }

    /// The same counters under a window of another length in seconds.
    fn with_window(&self, window: u64) -> Self {
        let limits = AttemptLimits { window: Duration::from_secs(window), ..self.directory.settings.attempt_limits };
        Self { directory: directory(Arc::clone(&self.directory.store), limits), seconds: Arc::clone(&self.seconds) }
    }

    fn set(&self, seconds: i64) {
        self.seconds.store(seconds, Ordering::Relaxed);
    }

    async fn begin(&self, subject: &str) -> Attempt<'_> {
        self.directory.begin_attempt(AttemptKind::Password, subject).await.unwrap()
    }

    /// Starts an attempt at this time, which fails. Returns the seconds to wait, if it is refused.
    async fn wait(&self, kind: AttemptKind, subject: &str, seconds: i64) -> Option<u64> {
        self.set(seconds);
        let error = self.directory.begin_attempt(kind, subject).await.err()?;
        let source = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<TooManyAttempts>());
        Some(source.unwrap().wait.as_secs())
    }

    async fn password(&self, subject: &str, seconds: i64) -> Option<u64> {
        self.wait(AttemptKind::Password, subject, seconds).await
    }
}

fn directory(store: Arc<dyn Store>, limits: AttemptLimits) -> LocalDirectory {
    let settings = Arc::new(NamespaceSettings::default().attempt_limits(limits));
    let hasher = Arc::new(Hasher::new(HashCost::danger_cheap_for_tests()));
    let name = NamespaceName::new("users").unwrap();
    LocalDirectory::new(name, store, settings, hasher, Arc::new(MfaKeys::default()))
}

/// The number of counters of subjects, ended or not.
fn stored(database: &Connection) -> u32 {
    let sql = "SELECT count(*) FROM counters WHERE subject <> x''";
    database.query_row(sql, [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn subject_is_refused_for_the_rest_of_the_window_after_too_many_failures() {
    let fixture = Fixture::new(3, 100).await;
    for second in [0, 10, 20] {
        assert_eq!(fixture.password("ana", second).await, None);
    }
    assert_eq!(fixture.password("ana", 30).await, Some(70));
    assert_eq!(fixture.password("bo", 30).await, None, "another subject");
    assert_eq!(fixture.password("ana", 99).await, Some(1));
    assert_eq!(fixture.password("ana", 100).await, None);
}

#[tokio::test]
async fn limit_of_zero_counts_as_one() {
    let fixture = Fixture::new(0, 0).await;
    assert_eq!(fixture.password("ana", 0).await, None);
    assert_eq!(fixture.password("ana", 1).await, Some(99));
}

#[tokio::test]
async fn passwords_and_mfa_codes_are_counted_separately() {
    let fixture = Fixture::new(1, 1).await;
    assert_eq!(fixture.wait(AttemptKind::Password, "ana", 0).await, None);
    assert_eq!(fixture.wait(AttemptKind::MfaCode, "ana", 1).await, None);
    assert_eq!(fixture.wait(AttemptKind::Password, "ana", 2).await, Some(98));
    assert_eq!(fixture.wait(AttemptKind::MfaCode, "ana", 2).await, Some(99));
}

#[tokio::test]
async fn success_resets_the_count_of_the_subject() {
    let fixture = Fixture::new(2, 100).await;
    assert_eq!(fixture.password("ana", 0).await, None);
    fixture.set(1);
    fixture.begin("ana").await.succeed().await;
    assert_eq!((fixture.password("ana", 2).await, fixture.password("ana", 3).await), (None, None));
    assert_eq!(fixture.password("ana", 4).await, Some(98));
}

#[tokio::test]
async fn called_off_attempt_does_not_count() {
    let fixture = Fixture::new(1, 2).await;
    for _ in 0..10 {
        fixture.begin("ana").await.call_off().await;
    }
    assert_eq!(fixture.password("ana", 0).await, None);
    assert_eq!(fixture.password("ana", 0).await, Some(100), "a failed attempt counts");
}

#[tokio::test]
async fn window_starts_with_the_first_failure_when_an_attempt_was_called_off_before() {
    let fixture = Fixture::new(1, 100).await;
    fixture.begin("ana").await.call_off().await;
    assert_eq!(fixture.password("ana", 90).await, None);
    assert_eq!(fixture.password("ana", 110).await, Some(80));
}

#[tokio::test]
async fn attempts_in_progress_count() {
    let fixture = Fixture::new(2, 100).await;
    let in_progress = (fixture.begin("ana").await, fixture.begin("ana").await);
    assert_eq!(fixture.password("ana", 0).await, Some(100));
    in_progress.1.succeed().await;
    assert_eq!(fixture.password("ana", 0).await, None);
}

#[tokio::test]
async fn namespace_is_refused_after_too_many_failures_of_any_subjects() {
    let fixture = Fixture::new(10, 3).await;
    for subject in ["ana", "bo", "chi"] {
        assert_eq!(fixture.password(subject, 0).await, None);
    }
    assert_eq!(fixture.password("dan", 40).await, Some(60));
    assert_eq!(fixture.password("dan", 100).await, None);
}

#[tokio::test]
async fn refused_attempts_of_a_subject_do_not_count_for_the_namespace() {
    let fixture = Fixture::new(1, 3).await;
    assert_eq!(fixture.password("ana", 0).await, None);
    for _ in 0..10 {
        assert_eq!(fixture.password("ana", 10).await, Some(90));
    }
    assert_eq!((fixture.password("bo", 20).await, fixture.password("chi", 20).await), (None, None));
}

#[tokio::test]
async fn successes_do_not_count_for_the_namespace() {
    let fixture = Fixture::new(10, 3).await;
    for _ in 0..100 {
        fixture.begin("ana").await.succeed().await;
    }
    for subject in ["bo", "chi", "dan"] {
        assert_eq!(fixture.password(subject, 0).await, None);
    }
}

#[tokio::test]
async fn success_of_an_earlier_window_leaves_the_count_of_this_window() {
    let fixture = Fixture::new(10, 2).await;
    let late = fixture.begin("ana").await;
    assert_eq!((fixture.password("bo", 100).await, fixture.password("chi", 100).await), (None, None));
    late.succeed().await;
    assert_eq!(fixture.password("dan", 100).await, Some(100));
}

#[tokio::test]
async fn concurrent_attempts_do_not_exceed_the_limit() {
    let fixture = Fixture::new(3, 100).await;
    let attempts = (0..50).map(|_| fixture.directory.begin_attempt(AttemptKind::Password, "ana"));
    let started = futures::future::join_all(attempts).await.iter().filter(|attempt| attempt.is_ok()).count();
    assert_eq!(started, 3);
    assert_eq!(fixture.password("ana", 0).await, Some(100));
}

#[tokio::test]
async fn stored_counters_are_bounded_when_many_names_are_tried() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("users.db");
    let fixture = Fixture::at(&path, 10, 20).await;
    let database = Connection::open(&path).unwrap();
    let mut most = 0;
    for name in 0..5_000 {
        // Ten names a second, for five windows.
        let refused = fixture.password(&format!("name{name}"), name / 10).await.is_some();
        if !refused {
            most = most.max(stored(&database));
        }
    }
    assert!((20..=40).contains(&most), "{most} counters at a limit of 20 failures");
}

#[tokio::test]
async fn counters_of_two_windows_at_most_are_stored() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("users.db");
    let fixture = Fixture::at(&path, 10, 20).await;
    let database = Connection::open(&path).unwrap();
    let mut most = 0;
    for round in 0..5 {
        // The first attempt starts the window of the namespace; the others outlast it.
        for name in 0..20 {
            let second = if name == 0 { round * 100 } else { round * 100 + 99 };
            assert_eq!(fixture.password(&format!("{round}-{name}"), second).await, None);
            most = most.max(stored(&database));
        }
    }
    assert_eq!(most, 39);
}

#[tokio::test]
async fn names_are_not_stored() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("users.db");
    let fixture = Fixture::at(&path, 10, 20).await;
    fixture.password("a password typed as a name", 0).await;
    drop(fixture);
    let bytes = std::fs::read(&path).unwrap();
    assert!(!bytes.windows(10).any(|window| window == b"a password"));
}

#[tokio::test]
async fn subject_is_not_refused_for_longer_than_a_window_when_the_clock_is_set_back() {
    let fixture = Fixture::new(1, 100).await;
    assert_eq!(fixture.password("ana", 1_000_000).await, None);
    assert_eq!(fixture.password("ana", 0).await, Some(100));
    assert_eq!(fixture.password("ana", 60).await, Some(40));
    assert_eq!(fixture.password("ana", 100).await, None);
}

#[tokio::test]
async fn namespace_is_not_refused_for_longer_than_a_window_when_the_clock_is_set_back() {
    let fixture = Fixture::new(10, 1).await;
    assert_eq!(fixture.password("ana", 1_000_000).await, None);
    assert_eq!(fixture.password("bo", 0).await, Some(100));
    assert_eq!(fixture.password("chi", 60).await, Some(40));
    assert_eq!(fixture.password("dan", 100).await, None);
}

#[tokio::test]
async fn other_length_of_the_window_takes_effect_at_once() {
    let fixture = Fixture::new(2, 100).await;
    for second in [0, 10] {
        assert_eq!(fixture.password("ana", second).await, None);
    }
    let shorter = fixture.with_window(50);
    assert_eq!(fixture.password("ana", 49).await, Some(51));
    assert_eq!(shorter.password("ana", 49).await, Some(1));
    assert_eq!(shorter.password("ana", 50).await, None, "a new window has started");
    assert_eq!(shorter.password("ana", 60).await, None);
    let longer = fixture.with_window(200);
    assert_eq!(shorter.password("ana", 60).await, Some(40));
    assert_eq!(fixture.password("ana", 60).await, Some(90));
    assert_eq!(longer.password("ana", 60).await, Some(190));
    assert_eq!(longer.password("ana", 249).await, Some(1));
    assert_eq!(longer.password("ana", 250).await, None);
}

#[test]
fn error_states_the_wait_in_whole_seconds() {
    let error = IdpError::from(TooManyAttempts { wait: Duration::from_millis(1_001) });
    assert_eq!((error.code(), error.detail()), (Code::ResourceExhausted, "too many failed attempts: try again in 2 s"));
    let source = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<TooManyAttempts>());
    assert_eq!(source.map(|refusal| refusal.wait.as_millis()), Some(1_001));
}

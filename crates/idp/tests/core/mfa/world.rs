//! The fixture of the tests of MFA.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rusqlite::Connection;
use secrecy::ExposeSecret;
use tailor_idp_core::store::SqliteDatabase;
use tailor_idp_core::{
    CallContext, CreateUser, Enrollment, HashCost, IdentityProvider, IdpError, MfaKey, NamespaceSettings, Permission,
    Principal, Router, Timestamp, User, UserKey,
};
use tempfile::TempDir;
use totp_rs::Totp;

use crate::support::namespace;

/// The length of a time step in seconds.
pub(super) const STEP: i64 = 30;
/// The first second of a step.
const START: i64 = 1_700_000_010;

/// A router over a database on disk, whose time the test sets.
pub(super) struct World {
    pub(super) idp: Router,
    database: SqliteDatabase,
    pub(super) path: PathBuf,
    seconds: Arc<AtomicI64>,
    _folder: Option<TempDir>,
}

pub(super) fn settings() -> NamespaceSettings {
    NamespaceSettings::default().enable_mfa(true).permission(Permission::allow_all())
}

/// A context of the host in the namespace `home`.
pub(super) fn host() -> CallContext {
    CallContext::new(namespace("home"), Principal::Host)
}

pub(crate) fn key(version: u8) -> MfaKey {
    MfaKey::new(version, [version; 32])
}

impl World {
    pub(super) async fn new() -> Self {
        Self::with(settings(), [key(1)]).await
    }

    pub(super) async fn with(settings: NamespaceSettings, keys: impl IntoIterator<Item = MfaKey>) -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("users.db");
        let seconds = Arc::new(AtomicI64::new(START));
        let time = Arc::clone(&seconds);
        let clock = Arc::new(move || Timestamp::from_unix_millis(time.load(Ordering::Relaxed) * 1000));
        let database = SqliteDatabase::open_with_clock(&path, clock).unwrap();
        let idp = idp(&database, settings, keys).await;
        Self { idp, database, path, seconds, _folder: Some(folder) }
    }

    /// The same users under other settings or keys.
    pub(super) async fn again(&self, settings: NamespaceSettings, keys: impl IntoIterator<Item = MfaKey>) -> Self {
        let (database, path, seconds) = (self.database.clone(), self.path.clone(), Arc::clone(&self.seconds));
        let idp = idp(&database, settings, keys).await;
        Self { idp, database, path, seconds, _folder: None }
    }

    pub(super) fn advance(&self, seconds: i64) {
        self.seconds.fetch_add(seconds, Ordering::Relaxed);
    }

    pub(super) async fn create(&self, name: &str) -> User {
        let request = CreateUser { name: name.into(), password: Some("correct horse".into()), disabled: false };
        self.idp.create_user(&host(), request).await.unwrap()
    }

    pub(super) async fn user(&self, id: &str) -> User {
        self.idp.user(&host(), UserKey::Id(id)).await.unwrap()
    }

    pub(super) async fn begin(&self, user: &User) -> App {
        App::of(&self.idp.begin_mfa_enrollment("home", &user.id).await.unwrap())
    }

    pub(super) async fn confirm(&self, user: &User, app: &App, code: &str) -> Result<bool, IdpError> {
        self.idp.confirm_mfa_enrollment("home", &user.id, &app.factor_id, code).await
    }

    /// Adds a confirmed factor, and waits until the confirming code is no longer valid.
    pub(super) async fn enrol(&self, user: &User) -> App {
        let app = self.begin(user).await;
        assert!(self.confirm(user, &app, &self.code(&app, 0)).await.unwrap());
        self.advance(5 * STEP);
        app
    }

    /// The code of the app `later` steps from now.
    pub(super) fn code(&self, app: &App, later: i64) -> String {
        app.code(self.seconds.load(Ordering::Relaxed) + later * STEP)
    }

    pub(super) async fn verify(&self, user: &User, code: &str) -> Result<bool, IdpError> {
        self.idp.verify_mfa("home", &user.id, code).await
    }

    pub(super) async fn passes(&self, user: &User, code: &str) -> bool {
        self.verify(user, code).await.unwrap()
    }

    pub(super) fn raw(&self, sql: &str) {
        let changed = Connection::open(&self.path).unwrap().execute(sql, []).unwrap();
        assert!(changed > 0, "{sql}");
    }

    pub(super) fn sealed(&self) -> Vec<u8> {
        let raw = Connection::open(&self.path).unwrap();
        raw.query_row("SELECT secret FROM mfa_factors", [], |row| row.get(0)).unwrap()
    }
}

async fn idp(database: &SqliteDatabase, settings: NamespaceSettings, keys: impl IntoIterator<Item = MfaKey>) -> Router {
    let mut idp = Router::builder().hash_cost(HashCost::danger_cheap_for_tests());
    for name in ["home", "away"] {
        let store = database.namespace(&namespace(name)).await.unwrap();
        idp = idp.namespace(namespace(name), Arc::new(store), settings.clone());
    }
    keys.into_iter().fold(idp, |idp, key| idp.mfa_key(key)).build()
}

/// An authenticator app that has read the QR code.
pub(super) struct App {
    pub(super) factor_id: String,
    pub(super) totp: Totp,
}

impl App {
    pub(super) fn of(enrollment: &Enrollment) -> Self {
        let totp = Totp::from_url(enrollment.otpauth_uri.expose_secret()).unwrap();
        Self { factor_id: enrollment.factor_id.clone(), totp }
    }

    pub(super) fn code(&self, seconds: i64) -> String {
        self.totp.generate(seconds as u64).to_string()
    }
}

pub(super) fn wrong(code: &str) -> String {
    format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000)
}

/// Adds a confirmed factor to the user, by the system clock.
pub(crate) async fn enrol_now(idp: &Router, namespace: &str, user_id: &str) {
    let app = App::of(&idp.begin_mfa_enrollment(namespace, user_id).await.unwrap());
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let code = app.code(i64::try_from(now).unwrap());
    assert!(idp.confirm_mfa_enrollment(namespace, user_id, &app.factor_id, &code).await.unwrap());
}
